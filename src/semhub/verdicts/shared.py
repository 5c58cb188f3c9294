"""Eq. 1: do two types meet in the middle layers, and what else would look like it?

Reads `adjusted_cosine` (S) and `p_value` of any task that has them; gives cases, `verdict.py` decides.
"""

from collections.abc import Iterator

import pandas as pd

from semhub.verdicts.evidence import PLACE, Evidence, Subject
from semhub.verdicts.inference import apart, interval_p, mean_of, paired, peak_sign_flip, quantile, widened
from semhub.verdicts.slices import Curve, Estimate, at, curve, distinct, headline, middle, peak, where
from semhub.verdicts.thresholds import Thresholds
from semhub.verdicts.verdict import Case, Control, Verdict, control, told

CLAIM, MEASURE, CHANCE, TWIN, START = "shared", "adjusted_cosine", "p_value", "untrained-twin", "layer-0"
MANY = 40  # untrained twins from which the quantile is taken of their own values

NEEDS = {
    "effect": (
        "the whole interval of S, at the middle layer where it is highest, at or above `similarity`, the interval widened for the best of "
        "so many layers (Bonferroni); at least `enough` items"
    ),
    "layer-0": "S there minus S at layer 0 above `rise`, with its interval (widened as that of the effect, as are all of the following)",
    "untrained-twin": (
        "the interval of S above the `twin_quantile` of the untrained twin's S, at the middle layer that flatters the twin most (of "
        "several twins, `--twins N`, the highest such quantile; from 40 on, that of their own values); undecided without a twin, unless "
        "`needs_twin` is false"
    ),
    "negatives": (
        "S against every kind of harder negative that the run holds (roles swapped, same last word, ...) above 0 with its interval, at the "
        "same layer; undecided without any, unless `needs_negatives` is false"
    ),
    "null models": "S above that of every other null model, at the middle layer that flatters that model most",
    "p": "the corrected p-value at or below `alpha`: permuted meanings, the maximum over layers included; else by flipping signs of items",
}


def cases(evidence: Evidence, model: Subject, limits: Thresholds) -> list[Case]:
    """Every pair of types of every task that measured S on this model."""
    found = []
    for task in evidence.tasks(model.name, MEASURE):
        own = evidence.rows(task, model.name, MEASURE)
        found += [case(evidence, model, task, str(pair), limits) for pair in distinct(headline(own)["group"]) if pair is not None]
    return found


def case(evidence: Evidence, model: Subject, task: str, pair: str, limits: Thresholds) -> Case:
    """One pair, read where S is highest between the embeddings and the last layer."""
    rows = evidence.rows(task, model.name, MEASURE, group=pair)
    head, last = headline(rows), evidence.last_layer(model, task, MEASURE)
    same = {column: distinct(head[column])[0] for column in ("position", "variant", "split")}
    facts = {"measure": MEASURE, "split": same["split"], "position": same["position"]}
    verdict = Verdict(CLAIM, pair, model.name, model.role, task, **facts)
    points = curve(head)
    inner = middle(points, last)
    top = peak(inner)
    if top is None:
        return Case(verdict, limits.similarity)
    wide, places = widened(top, len(inner)), len(inner)
    controls = (
        rise(evidence, rows, same, points, top, places, limits),
        *twin(evidence, model, task, pair, same, wide, limits),
        *negatives(rows, same, top, places, limits),
        *rivals(evidence, model, task, pair, same, wide, limits),
    )
    ends = {"effect": top.value, "low": top.low, "high": top.high, "n": top.n, "layer": top.at}
    kept = {name: getattr(verdict, name) for name in ("claim", "group", "model", "role", "task", *facts)}
    p = chance(evidence, rows, same, top, len(inner))
    return Case(
        Verdict(**kept, **ends, p_raw=p, controls=controls),
        limits.similarity,
        max((e.high for e in inner if e.interval and e.n >= limits.enough), default=None),
        tuple(missing(controls, limits)),
        tuple(remaining(rows, same, top, at(points, last), limits)),
        wide.low,
    )


def place_of(rows: pd.DataFrame) -> tuple[str, str, str]:
    return tuple(str(rows[column].iloc[0]) for column in PLACE)


def rise(evidence: Evidence, rows: pd.DataFrame, same: dict, points: Curve, top: Estimate, places: int, limits: Thresholds) -> Control:
    """S at the layer spoken of minus S at layer 0, item by item where both layers' items were kept."""
    items = evidence.items(*place_of(rows), **same, group=rows["group"].iloc[0], control=None)
    of = lambda layer: where(items, layer=layer)  # noqa: E731
    start = at(points, 0)
    found = mean_of(paired(of(top.at), of(0))) or (start and top.minus(start))
    return control(START, found and widened(found, places), limits, limits.rise)


def twin(evidence: Evidence, model: Subject, task: str, pair: str, same: dict, top: Estimate, limits: Thresholds) -> Iterator[Control]:
    """The effect minus the quantile of the untrained twins' S: each twin at the middle layer that flatters it most."""
    found = [best_of(evidence, s, task, pair, same, limits.twin_quantile) for s in evidence.twins(model)]
    tops = [each for each in found if each is not None]
    if tops:
        many = pd.Series([each.value for each in tops]).quantile(limits.twin_quantile)
        bar = float(many) if len(tops) >= MANY else max(quantile(each, limits.twin_quantile) for each in tops)
        yield control(TWIN, Estimate(top.value - bar, *((e - bar for e in top.interval) if top.interval else ()), n=top.n), limits)


def best_of(evidence: Evidence, other: Subject, task: str, pair: str, same: dict, q: float) -> Estimate | None:
    """Another model's S read as this one's was, at the middle layer where its q-quantile is highest."""
    rows = evidence.rows(task, other.name, MEASURE, group=pair, control=None, **same)
    return max(middle(curve(rows), evidence.last_layer(other, task, MEASURE)), key=lambda e: quantile(e, q), default=None)


def negatives(rows: pd.DataFrame, same: dict, top: Estimate, places: int, limits: Thresholds) -> Iterator[Control]:
    """S against harder negatives, at the layer spoken of."""
    for name in sorted(str(c) for c in distinct(where(rows, **same)["control"]) if c is not None):
        there = at(curve(where(rows, control=name, **same)), top.at)
        yield control(name, there and widened(there, places), limits)


def rivals(evidence: Evidence, model: Subject, task: str, pair: str, same: dict, top: Estimate, limits: Thresholds) -> Iterator[Control]:
    """The effect minus that of each control model that is trained: beaten where the two intervals do not touch."""
    for other in (s for s in evidence.rivals(model, CLAIM, pair, task) if s not in evidence.twins(model)):
        best = best_of(evidence, other, task, pair, same, 0.975)
        if best is not None:
            yield control(f"model:{other.kind}", apart(top, best), limits)


def chance(evidence: Evidence, rows: pd.DataFrame, same: dict, top: Estimate, layers: int) -> float | None:
    """The run's own p of permuted meanings; else signs of the items at this layer, else the interval, times the layers."""
    task, model, measure = place_of(rows)
    same = {**same, "group": rows["group"].iloc[0], "control": None}
    permuted = evidence.rows(task, model, CHANCE, **same)["value"].dropna()
    if len(permuted):
        return float(permuted.max())
    items = evidence.items(task, model, measure, **same, layer=top.at)
    if len(items):
        return min(1.0, layers * peak_sign_flip(items[["value"]].to_numpy(), items["source"]))
    return interval_p(top, layers)


def missing(controls: tuple[Control, ...], limits: Thresholds) -> Iterator[tuple[str, str]]:
    names = {c.name for c in controls}
    if limits.needs_twin and TWIN not in names:
        yield TWIN, "No untrained twin of this model was run (--twins 1 runs one): what a network without training shows is not known."
    if limits.needs_negatives and not {n for n in names if n not in (TWIN, START) and not n.startswith("model:")}:
        yield "negatives", "No harder negatives than unrelated items were measured: shared words or forms could give a part of this."


def remaining(rows: pd.DataFrame, same: dict, top: Estimate, end: Estimate | None, limits: Thresholds) -> Iterator[str]:
    """What stands against it whatever the verdict is: other ways of reading, other items, and the choice of the layer."""
    if not limits.needs_twin:
        yield "An untrained twin was not asked for."
    for column, kinds in (("variant", ("centred", "standardised")), ("split", None), ("position", None)):
        beside = where(rows, control=None, layer=top.at, **{name: value for name, value in same.items() if name != column})
        for value in sorted(str(v) for v in distinct(beside[column]) if v is not None and v != same[column]):
            found = next(iter(curve(where(beside, **{column: value}))), None)
            if (kinds is None or value in kinds) and found and not (found.interval and found.low >= limits.similarity):
                yield f"With the {column} “{value}” it is {told(found)} at the same layer."
    if end and end.value >= top.value:
        yield f"The last layer is as high, or higher: {told(end)}."
    yield "The interval that is shown does not know that the layer was chosen on the same items; the one that decides does."

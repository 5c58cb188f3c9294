"""Interventions: does a push taken from one type move outputs in another as its meaning says, beyond what any push would do?

Reads `<target>_change` (from no push) and `<target>_excess` (beyond a control) of any task that has them, at the layer and strength
that the run chose on other prompts; over all prompts where the run has that (variant `all`: an output that cannot be judged, since
it left its language, counts as no change), for those that can still be judged are chosen by the push itself. A push that is tried
in one direction only is asked for that one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf

import pandas as pd

from semhub.verdicts.evidence import FIRST, Evidence, Subject
from semhub.verdicts.inference import apart, interval_p, mean_of, paired, peak_sign_flip
from semhub.verdicts.slices import Estimate, at, curve, distinct, headline, where
from semhub.verdicts.thresholds import Thresholds
from semhub.verdicts.verdict import Case, Control, Verdict, control, told

CLAIM, CHANGE, EXCESS, CHOOSE, ALL = "used", "_change", "_excess", "choose", "all"
WAYS = {1: "upward", -1: "downward"}
LOWERED = ("unchanged", "other")  # shares that a push is not meant to raise
FURTHEST = {"correct": 1.0, "right_share": 1.0, "yes_share": 1.0, "moved": 1.0, "sentiment": 2.0}  # of one prompt: shares, and -1 to 1

NEEDS = {
    "setting": (
        "the layer, between the first and the last, and the strength that the run chose; where it chose none, the best of all, "
        "and the p-value is multiplied by the settings tried"
    ),
    "effect": (
        "the mean change of the target in the direction wanted, over both directions where both were tried, and over all prompts where "
        "the run counts them (an output that cannot be judged, since it left its language, is no change); "
        "the whole interval at or above `push`; in each direction at least `enough` prompts could be judged, or nothing is said"
    ),
    "upward, downward": "the change in each direction that was tried above 0 with its interval",
    "controls": (
        "the change beyond each control push of the same length above 0 with its interval, in each direction: those named in "
        "`push_controls` must have been run, others are asked for where they were, but for those in `shown_only`"
    ),
    "null models": "where a null model is moved in every direction as well, a change greater than its: intervals that do not touch",
    "p": "the corrected p-value at or below `alpha`: signs of prompts flipped, the greater of the directions' p-values",
}


def cases(evidence: Evidence, model: Subject, limits: Thresholds) -> list[Case]:
    """Every pair of types of every task that pushed something and compared it with controls (or, without any, at all)."""
    places = [(task, m.removesuffix(CHANGE)) for m in evidence.measures(model.name, CHANGE) for task in evidence.tasks(model.name, m)]
    places = [(task, target) for task, target in places if target not in LOWERED]
    places.sort(key=lambda place: not place[0].startswith(FIRST))
    return [
        case(evidence, model, task, target, group, limits) for task, target in places for group in groups(evidence, model, task, target)
    ]


def over_all(rows: pd.DataFrame, keep: Iterable[str] = ()) -> pd.DataFrame:
    """The headline rows over all prompts, or over those that could be judged where the run has no others."""
    return headline(where(rows, variant=ALL) if ALL in set(rows["variant"]) else rows, keep)


def groups(evidence: Evidence, model: Subject, task: str, target: str) -> list[str]:
    """Pairs of two types that were held against controls; all pairs, where none was."""
    pairs = lambda ending: [str(g) for g in distinct(evidence.rows(task, model.name, target + ending)["group"]) if crosses(str(g))]  # noqa: E731
    return pairs(EXCESS) or pairs(CHANGE)


def crosses(group: str) -> bool:
    source, mark, target = group.partition(">")
    return bool(mark) and source != target


def case(evidence: Evidence, model: Subject, task: str, target: str, group: str, limits: Thresholds) -> Case:
    """One push at the setting chosen for it."""
    layer, strength = setting(evidence, task, target, group, model)
    measure = f"{target}{CHANGE}"
    facts = {"measure": measure, "layer": layer, "strength": strength}
    verdict = Verdict(CLAIM, group, model.name, model.role, task, **facts)
    rows = evidence.rows(task, model.name, measure, group=group)
    changes = over_all(rows)
    split = next(iter(distinct(changes["split"])), None)
    ways = changed(changes, layer, strength)
    if not ways:
        return Case(verdict, limits.push)
    kept = evidence.items(task, model.name, target, group=group, control=None, split=split)
    items = {way: change_of_items(kept, layer, way * strength, counted(changes)) for way in ways}
    effect = overall(ways, items)
    controls = (
        *(control(WAYS[way], found, limits) for way, found in ways.items()),
        *beyond(evidence.rows(task, model.name, target + EXCESS, group=group), layer, strength, ways, limits),
        *rivals(evidence, model, task, target, group, ways, effect, limits),
    )
    chosen_apart = CHOOSE in set(rows["split"])
    p = chance(ways, items)
    p = p if p is None or chosen_apart else min(1.0, p * tried(changes))
    ends = {"effect": effect.value, "low": effect.low, "high": effect.high, "n": effect.n, "split": split}
    verdict = replace(verdict, **ends, p_raw=p, controls=controls)
    last = evidence.last_layer(model, task, measure)
    absent = missing(controls, layer, last, limits)
    drift = evidence.rows(task, model.name, "drift", group=group, layer=layer)
    objections = tuple(remaining(drift, chosen_apart, strength, limits))
    upper = highest_end(changes, last, limits, FURTHEST.get(target, inf))
    return Case(verdict, limits.push, upper, tuple(absent), objections, judged=judged(rows, layer, strength, ways))


def highest_end(changes: pd.DataFrame, last: float, limits: Thresholds, furthest: float) -> float | None:
    """The highest upper end of all settings between the first and the last layer; None without one that has an interval.

    Where no prompt of n changed at all, resampling knows no spread: there it is the share of prompts of which n showed none (at most;
    Clopper and Pearson 1934, one in forty) times the `furthest` that one prompt can change. Of a measure whose range is not known that
    is no end at all.
    """
    tried = {(layer, abs(s)) for layer, s in zip(changes["layer"], changes["strength"], strict=True) if 0 < layer < last and s}
    found = [overall(ways, {}) for layer, s in sorted(tried) if (ways := changed(changes, layer, s))]
    known = [e for e in found if e.interval and e.n >= limits.enough]
    return max((e.high if e.high > e.low else e.value + furthest * (1 - 0.025 ** (1 / e.n)) for e in known), default=None)


def setting(evidence: Evidence, task: str, target: str, group: str, model: Subject) -> tuple[float | None, float | None]:
    """Layer and strength that the run chose for a group; where it left no choice, the furthest change above layer 0."""
    if (task, model.name, group) in evidence.chosen:
        return evidence.chosen[task, model.name, group]
    rows = over_all(evidence.rows(task, model.name, target + CHANGE, group=group))
    tried = rows[(rows["layer"] > 0) & (rows["strength"] > 0) & rows["value"].notna()]
    if tried.empty:
        return None, None
    best = tried.loc[tried["value"].idxmax()]
    return float(best["layer"]), float(best["strength"])


def tried(changes: pd.DataFrame) -> int:
    """How many settings above layer 0 a push was tried at (both directions of a strength are one)."""
    above = changes[(changes["layer"] > 0) & (changes["strength"] != 0) & changes["value"].notna()]
    return max(1, len(set(zip(above["layer"], above["strength"].abs(), strict=True))))


def changed(changes: pd.DataFrame, layer: float | None, strength: float | None) -> dict[int, Estimate]:
    """Change in the direction wanted, by direction tried (1 upward, -1 downward with its sign turned)."""
    found = {way: at(curve(where(changes, layer=layer), "strength"), way * strength) for way in WAYS} if strength else {}
    return {way: e if way > 0 else flipped(e) for way, e in found.items() if e}


def flipped(found: Estimate) -> Estimate:
    return Estimate(-found.value, *((-found.high, -found.low) if found.interval else (None, None)), found.n, found.at)


def counted(changes: pd.DataFrame) -> bool:
    """Whether prompts whose outputs cannot be judged are counted, as no change."""
    return ALL in set(changes["variant"])


def judged(rows: pd.DataFrame, layer: float, strength: float, ways: dict[int, Estimate]) -> int | None:
    """On how many prompts the change could show, in the direction that has fewest; None where no others are counted."""
    if not counted(rows):
        return None
    own = headline(where(rows, variant=None))
    points = curve(where(own, layer=layer), "strength") if len(own) else ()
    return min(found.n if (found := at(points, way * strength)) else 0 for way in ways)


def change_of_items(found: pd.DataFrame, layer: float, strength: float, every: bool) -> pd.DataFrame:
    """Prompt by prompt (`every` one, or those that could be judged), the change in the direction wanted; empty where none were kept."""
    pushed, base = where(found, layer=layer, strength=strength), where(found, strength=0.0).drop_duplicates("item")
    difference = paired(pushed, base)
    turned = difference.assign(value=difference["value"] * (1 if strength > 0 else -1))
    return turned.fillna({"value": 0.0}) if every else turned.dropna(subset=["value"])


def overall(ways: dict[int, Estimate], items: dict[int, pd.DataFrame]) -> Estimate:
    """The mean over the directions, prompt by prompt where prompts were kept."""
    if len(ways) == 1:
        return next(iter(ways.values()))
    found = mean_of(both_ways(items)) if items and all(map(len, items.values())) else None
    a, b = ways[1], ways[-1]
    ends = ((a.low + b.low) / 2, (a.high + b.high) / 2) if a.interval and b.interval else (None, None)
    return found or Estimate((a.value + b.value) / 2, *ends, min(a.n, b.n), a.at)


def both_ways(items: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Prompt by prompt, the mean of the directions tried; prompts that were judged in all of them."""
    first, *others = items.values()
    for other in others:
        first = first.merge(other[["item", "value"]], on="item", suffixes=("", "_other"))
        first = first.assign(value=(first["value"] + first["value_other"]) / 2).drop(columns="value_other")
    return first


def items_of(evidence: Evidence, found: Verdict) -> pd.DataFrame | None:
    """The prompts behind a verdict on a push: the change in the direction wanted; None where the run kept none."""
    kept = evidence.items(found.task, found.model, found.measure.removesuffix(CHANGE), group=found.group, control=None, split=found.split)
    rows = evidence.rows(found.task, found.model, found.measure, group=found.group)
    every = counted(over_all(rows))
    items = {way: change_of_items(kept, found.layer, way * found.strength, every) for way, name in WAYS.items() if named(found, name)}
    return both_ways(items) if items and all(map(len, items.values())) else None


def named(found: Verdict, name: str) -> bool:
    return any(c.name == name for c in found.controls)


def beyond(rows: pd.DataFrame, layer: float, strength: float, ways: dict[int, Estimate], limits: Thresholds) -> Iterator[Control]:
    """The push minus each control, in the direction in which it is beaten least."""
    excess = over_all(rows, keep=("control", "position"))
    for name in sorted(str(c) for c in distinct(excess["control"]) if c is not None):
        points = curve(where(excess, control=name, layer=layer), "strength")
        found = [control(name, at(points, way * strength), limits) for way in ways]
        worst = min(found, key=lambda c: (c.passed, -1e9 if c.low is None else c.low))
        yield replace(worst, passed=worst.passed or name in limits.shown_only)


def rivals(
    evidence: Evidence, model: Subject, task: str, target: str, group: str, ways: dict[int, Estimate], effect: Estimate, limits: Thresholds
) -> Iterator[Control]:
    """The change minus that of each control model at its own setting; one that is not moved in every direction is beaten."""
    for other in evidence.rivals(model, CLAIM, group, task):
        rows = over_all(evidence.rows(task, other.name, target + CHANGE, group=group))
        layer, strength = setting(evidence, task, target, group, other)
        its = changed(rows, layer, strength)
        if its:
            moved = len(its) == len(ways) and all(e.interval and e.low > 0 for e in its.values())
            found = control(f"model:{other.kind}", apart(effect, overall(its, {})), limits)
            yield replace(found, passed=found.passed or not moved)


def chance(ways: dict[int, Estimate], items: dict[int, pd.DataFrame]) -> float | None:
    """The greater of the directions' p-values."""
    found = [
        peak_sign_flip(items[way][["value"]].to_numpy(), items[way]["source"]) if len(items[way]) else interval_p(ways[way]) for way in ways
    ]
    return None if None in found else max(found)


def missing(controls: tuple[Control, ...], layer: float, last: float, limits: Thresholds) -> Iterator[tuple[str, str]]:
    names = {c.name for c in controls}
    if not 0 < layer < last:
        yield "middle", f"The push was made at layer {layer:g}, which is no middle layer."
    for wanted in limits.push_controls:
        if not names & set(wanted.split("|")):
            yield wanted.split("|")[0], f"The control push “{wanted.replace('|', '” or “')}” was not run."


def remaining(drift: pd.DataFrame, chosen_apart: bool, strength: float, limits: Thresholds) -> Iterator[str]:
    """What stands against it whatever the verdict is."""
    if not chosen_apart:
        yield "Layer and strength are the best of those tried on the same prompts."
    pushed = [e for e in curve(headline(drift), "strength") if abs(e.at or 0.0) == strength]
    worst = max(pushed, key=lambda e: e.value, default=None)
    if worst and worst.value > limits.drift:
        yield f"Of the outputs, a share of {told(worst)} left their language under the push."

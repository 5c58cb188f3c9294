"""Eq. 1, claim by claim of the page: do two types meet in the middle layers, and what else would look like it?

Reads `adjusted_cosine` and `p_at_1`; turns them into numbers with a standing, never into sentences (`words.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from semhub.report.folder import Run
from semhub.report.rules import LIMITS, Thresholds, apart, few, side
from semhub.verdicts.slices import Curve, Estimate, at, curve, distinct, headline, middle, peak, where

TASK, SIMILARITY, RETRIEVAL, CHANCE = "multilingual/similarity", "adjusted_cosine", "p_at_1", "p_value"


@dataclass(frozen=True, slots=True)
class Meeting:
    """One pair of types in the main model, read where it is highest between the embeddings and the last layer.

    `negatives`: against harder negatives, at that layer. `rivals`: each control model at its own best middle layer.
    `splits`: other subsets of the items, at that layer. `retrieval`: P@1 there, by direction.
    `p`: how often permuted meanings reach so high a peak at any layer.
    """

    pair: str
    curve: Curve
    last: float
    position: str | None = None
    top: Estimate | None = None
    negatives: Mapping[str, Estimate] = field(default_factory=dict)
    rivals: Mapping[str, Estimate] = field(default_factory=dict)
    splits: Mapping[str, Estimate] = field(default_factory=dict)
    retrieval: Mapping[str, Estimate] = field(default_factory=dict)
    p: float | None = None

    @property
    def start(self) -> Estimate | None:
        return at(self.curve, 0)

    @property
    def end(self) -> Estimate | None:
        return at(self.curve, self.last)


def meetings(run: Run, task: str = TASK) -> list[Meeting]:
    """Every pair of the task, in the order in which the readings bring them."""
    frame = run.part(task=task, measure=SIMILARITY)
    own = headline(where(frame, model=run.main.name))
    return [_meeting(run, frame, str(pair), last_layer(run, frame)) for pair in distinct(own["group"]) if pair is not None]


def standing(found: Meeting, limits: Thresholds = LIMITS) -> str:
    """The first thing that keeps a pair from being said to meet, or `meets`."""
    top = found.top
    if top is None:
        return "no-middle"
    if side(top) == "bare":
        return "bare"
    if few(top, limits):
        return "few"
    if side(top) != "above":
        return "unclear" if top.high >= limits.similarity else "none"
    if top.value < limits.similarity:
        return "small"
    if apart(top, found.start) in ("around", "below"):
        return "start"
    if any(apart(top, e) != "above" for e in found.rivals.values()):
        return "control"
    if any(side(e) != "above" for e in found.negatives.values()):
        return "negatives"
    if found.p is not None and found.p > limits.p_value:
        return "chance"
    return "meets"


def last_layer(run: Run, frame: pd.DataFrame) -> float:
    """L: from the spec, else the highest layer that was read."""
    told = run.main.facts.get("layers")
    return float(told) if isinstance(told, int) else float(frame["layer"].max())


def _meeting(run: Run, frame: pd.DataFrame, pair: str, last: float) -> Meeting:
    rows = where(frame, group=pair)
    own = where(rows, model=run.main.name)
    head = headline(own)
    points, position = curve(head), distinct(head["position"])[0]
    top = peak(middle(points, last))
    if top is None:
        return Meeting(pair, points, last, position)
    beside = {m: run.part(task=own["task"].iloc[0], measure=m, model=run.main.name) for m in (RETRIEVAL, CHANCE)}
    return Meeting(
        pair,
        points,
        last,
        position,
        top,
        negatives=_others(own, "control", top.at),
        rivals=_rivals(run, rows, head, last),
        splits=_others(own, "split", top.at),
        retrieval=_directions(beside[RETRIEVAL], pair, top.at),
        p=next((e.value for e in curve(headline(where(beside[CHANCE], group=pair)))), None),
    )


def _others(own: pd.DataFrame, column: str, layer: float) -> dict[str, Estimate]:
    """The values at one layer under each entry of a column that the headline does not show."""
    shown = distinct(headline(own)[column])
    rows = headline(own, keep=(column,))
    found = {str(name): at(curve(where(rows, **{column: name})), layer) for name in distinct(rows[column]) if name not in shown}
    return {name: estimate for name, estimate in found.items() if estimate}


def _rivals(run: Run, rows: pd.DataFrame, head: pd.DataFrame, last: float) -> dict[str, Estimate]:
    """Each control model read as the main one is, at the middle layer that flatters it most."""
    same = {column: distinct(head[column])[0] for column in ("control", "position", "variant", "split")}
    found = {s.name: peak(middle(curve(where(rows, model=s.name, **same)), last)) for s in run.controls}
    return {name: estimate for name, estimate in found.items() if estimate}


def _directions(rows: pd.DataFrame, pair: str, layer: float) -> dict[str, Estimate]:
    """P@1 from each side; a group that is named the other way round is the way back."""
    back = "-".join(reversed(pair.split("-")))
    found = {group: at(curve(headline(where(rows, group=group))), layer) for group in (pair, back)}
    return {group: estimate for group, estimate in found.items() if estimate}

"""Use, claim by claim of the page: does a push along the dominant type's words move what is written in another type?

Reads `<target>_change` (paired with no push) and `<target>_excess` (paired with a control) at the setting that the run chose on
the other half of the prompts; turns them into numbers with a standing, never into sentences (`words.py`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from semhub.report.folder import Run, Subject, mapped
from semhub.report.rules import LIMITS, Thresholds, apart, few, side
from semhub.verdicts.slices import Estimate, curve, distinct, headline, number, where

TASK, TARGET = "multilingual/steering", "sentiment"
Both = tuple[Estimate | None, Estimate | None]  # under the push upward, under the push downward; the latter with its sign turned


@dataclass(frozen=True, slots=True)
class Steering:
    """Prompts of one type pushed from another, in one model, at one layer and strength.

    `change`: upward, and downward with its sign turned, so that more is always better. `excess`: the same beyond each control.
    `rivals`: the same in each control model, at the setting chosen for it. `cost`: other measures (upward, downward, unpushed).
    """

    group: str
    layer: float | None
    strength: float | None
    change: Both = (None, None)
    excess: Mapping[str, Both] = field(default_factory=dict)
    rivals: Mapping[str, "Steering"] = field(default_factory=dict)
    cost: Mapping[str, tuple[Estimate | None, ...]] = field(default_factory=dict)
    chosen_apart: bool = False

    @property
    def source(self) -> str:
        return self.group.split(">")[0]

    @property
    def type(self) -> str:
        return self.group.split(">")[-1]


def steerings(run: Run, task: str = TASK, target: str = TARGET) -> list[Steering]:
    """The main model's prompts of every type but the dominant one, pushed with the dominant type's words."""
    groups = [str(g) for g in distinct(run.part(task=task, model=run.main.name)["group"]) if g is not None]
    wanted = [g for g in groups if g.startswith(f"{run.dominant}>") and g != f"{run.dominant}>{run.dominant}"]
    return [_with_rivals(run, task, target, group) for group in wanted]


def standing(found: Steering, limits: Thresholds = LIMITS) -> str:
    """The first thing that keeps a push from being said to work, or `moves`; `one-way` where only one direction stands."""
    measured = [e for e in found.change if e is not None]
    if not measured:
        return "absent"
    if any(side(e) == "bare" for e in measured):
        return "bare"
    if any(few(e, limits) for e in measured):
        return "few"
    if not working(found):
        return "unclear"
    if failing(found):
        return "controls"
    if any(matches(rival, found) for rival in found.rivals.values()):
        return "rival"
    return "moves" if len(working(found)) == len(measured) else "one-way"


def working(found: Steering) -> list[int]:
    """The directions (0 upward, 1 downward) in which the change stands above 0."""
    return [i for i, e in enumerate(found.change) if side(e) == "above"]


def failing(found: Steering) -> list[str]:
    """The controls that the push does not clearly beat in a direction in which it works."""
    return [name for name, both in found.excess.items() if any(both[i] and side(both[i]) != "above" for i in working(found))]


def matches(rival: Steering, found: Steering) -> bool:
    """Whether a control model is moved in the same directions, and not clearly by less."""
    both = [(found.change[i], rival.change[i]) for i in working(found)]
    moved = all(side(other) == "above" for _, other in both)
    return moved and not all(apart(own, other) == "above" for own, other in both)


def _with_rivals(run: Run, task: str, target: str, group: str) -> Steering:
    own = _steering(run, task, target, group, run.main)
    rivals = {s.name: _steering(run, task, target, group, s) for s in run.controls}
    return replace(own, rivals={name: rival for name, rival in rivals.items() if rival.change[0]})


def _steering(run: Run, task: str, target: str, group: str, subject: Subject) -> Steering:
    rows = run.part(task=task, model=subject.name, group=group)
    changes = changes_of(rows, target)
    layer, strength = setting(run, task, target, group, subject)
    if layer is None:
        return Steering(group, None, None)
    beyond = headline(where(rows, measure=f"{target}_excess"), keep=("control", "position"))
    change = _both(changes, layer, strength, flip=True)
    excess = {str(c): _both(where(beyond, control=c), layer, strength) for c in distinct(beyond["control"]) if c is not None}
    named = [m for m in distinct(rows["measure"]) if m != target and not str(m).startswith(f"{target}_")]
    at_each = lambda found: tuple(_at(found, layer, s) for s in (strength, -strength, 0.0))  # noqa: E731
    cost = {str(m): at_each(headline(where(rows, measure=m))) for m in named}
    return Steering(group, layer, strength, change, excess, {}, cost, "choose" in set(rows["split"]))


def _unpaired(rows: pd.DataFrame) -> pd.DataFrame:
    """Of a run without paired changes: each value minus that of no push at the same layer, without an interval."""
    base = where(rows, strength=0.0).set_index("layer")["value"]
    return rows.assign(value=rows["value"] - rows["layer"].map(base[~base.index.duplicated()]), low=math.nan, high=math.nan)


def setting(run: Run, task: str, target: str, group: str, subject: Subject) -> tuple[float | None, float | None]:
    """Layer and strength that the run chose for a group; where it left no choice, the furthest change above layer 0."""
    for extra in run.extras:
        chosen = mapped(mapped(extra.get("chosen")).get(group))
        if (extra.get("task"), extra.get("model")) == (task, subject.name) and chosen:
            return number(chosen.get("layer")), number(chosen.get("strength"))
    changes = changes_of(run.part(task=task, model=subject.name, group=group), target)
    tried = changes[(changes["layer"] > 0) & (changes["strength"] > 0) & changes["value"].notna()]
    if tried.empty:
        return None, None
    best = tried.loc[tried["value"].idxmax()]
    return float(best["layer"]), float(best["strength"])


def target_of(rows: pd.DataFrame) -> str:
    """The measure that a task's pushes are meant to move: the one whose changes it kept, else sentiment or correct answers."""
    measures = [str(m) for m in distinct(rows["measure"])]
    return next((m.removesuffix("_change") for m in measures if m.endswith("_change")), TARGET if TARGET in measures else "correct")


def changes_of(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    """The changes from no push: paired where the run made them, else differences of means without an interval."""
    paired = headline(where(rows, measure=f"{target}_change"))
    return paired if len(paired) else _unpaired(headline(where(rows, measure=target)))


def _both(rows: pd.DataFrame, layer: float, strength: float, flip: bool = False) -> Both:
    up, down = (_at(rows, layer, s) for s in (strength, -strength))
    return up, _flipped(down) if flip else down


def _at(rows: pd.DataFrame, layer: float, strength: float) -> Estimate | None:
    return next(iter(curve(where(rows, layer=layer, strength=strength))), None)


def _flipped(found: Estimate | None) -> Estimate | None:
    if found is None or not found.interval:
        return found and Estimate(-found.value, n=found.n, at=found.at)
    return Estimate(-found.value, -found.high, -found.low, found.n, found.at)

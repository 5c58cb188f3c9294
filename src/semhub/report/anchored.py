"""Eq. 2, claim by claim of the page: before a prompt is continued, do the layers speak the dominant type or the prompt's own?

Reads `anchor` (log-probability of the dominant type's word minus that of the prompt's own), `lift` (right words over wrong ones)
and `prob`; turns them into numbers with a standing, never into sentences (`words.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from semhub.report.folder import Run, Subject
from semhub.report.rules import LIMITS, Thresholds, few, side, stretch
from semhub.report.shared import last_layer
from semhub.verdicts.slices import Curve, Estimate, at, curve, distinct, headline, middle, peak, where

TASK, ANCHOR, LIFT, PROBABILITY = "multilingual/lens", "anchor", "lift", "prob"


@dataclass(frozen=True, slots=True)
class Anchoring:
    """One type of prompt in one model; `top` is the layer spoken of. By layer: `wrong`, the same contrast between wrong words;
    `lift`, how many times as probable the right dominant word is as wrong ones; `right`, how probable.

    `rivals`: the same prompts in each control model.
    """

    type: str
    dominant: str
    curve: Curve
    last: float
    top: Estimate | None = None
    wrong: Curve = ()
    lift: Curve = ()
    right: Curve = ()
    rivals: Mapping[str, "Anchoring"] = field(default_factory=dict)

    @property
    def end(self) -> Estimate | None:
        return at(self.curve, self.last)

    @property
    def ahead(self) -> tuple[int, ...]:
        """The layers between embeddings and end at which the dominant type's word leads, with the whole interval."""
        return stretch(middle(self.curve, self.last), "above")

    @property
    def behind(self) -> tuple[int, ...]:
        return stretch(middle(self.curve, self.last), "below")

    def spoken(self, limits: Thresholds = LIMITS) -> tuple[Estimate, ...]:
        """The lifts of the middle layers at which the right dominant word is probable, and far more so than wrong ones."""
        probable = {p.at for p in self.right if p.value >= limits.probability}
        return tuple(e for e in middle(self.lift, self.last) if e.value >= limits.ratio and side(e, 1.0) == "above" and e.at in probable)


def anchorings(run: Run, task: str = TASK) -> list[Anchoring]:
    """Every type of prompt but the dominant one, in the main model, its control models beside it."""
    frame = run.part(task=task)
    groups = [str(g) for g in distinct(where(frame, model=run.main.name)["group"]) if g is not None and ":" in str(g)]
    types = dict.fromkeys(g.split(":")[0] for g in groups)
    last = last_layer(run, frame)
    found = [_with_rivals(run, frame, t, last) for t in types if t != run.dominant and f"{t}:{run.dominant}" in groups]
    return [a for a in found if a.curve]


def standing(found: Anchoring, limits: Thresholds = LIMITS) -> str:
    """What the dominant type's word does, or what keeps it from being said.

    `anchors`: leads in the middle, beyond wrong words, and trails at the end. `stays`: the same, but it does not trail at the end.
    """
    top = found.top
    if top is None:
        return "no-middle"
    if side(top) == "bare":
        return "bare"
    if few(top, limits):
        return "few"
    if not found.ahead:
        return "own" if found.behind else "unclear"
    if not beyond_frequency(found):
        return "frequency"
    if any(standing(rival, limits) in ("anchors", "stays") for rival in found.rivals.values()):
        return "control"
    return "anchors" if side(found.end) == "below" else "stays"


def beyond_frequency(found: Anchoring) -> bool:
    """Whether, at the layer spoken of, the right word beats wrong ones, and leads by more than wrong ones do (where measured)."""
    return found.top is not None and _beyond(found.top, found.wrong, found.lift)


def _beyond(lead: Estimate, wrong: Curve, lift: Curve) -> bool:
    there, ratio = at(wrong, lead.at), at(lift, lead.at)
    if ratio is not None and side(ratio, 1.0) != "above":
        return False
    return there is None or there.high is None or (lead.low is not None and lead.low > there.high)


def _with_rivals(run: Run, frame: pd.DataFrame, type: str, last: float) -> Anchoring:
    rivals = {s.name: _anchoring(frame, s, type, run.dominant, last) for s in run.controls}
    own = _anchoring(frame, run.main, type, run.dominant, last)
    return replace(own, rivals={name: rival for name, rival in rivals.items() if rival.curve})


def _anchoring(frame: pd.DataFrame, subject: Subject, type: str, dominant: str, last: float) -> Anchoring:
    rows = where(frame, model=subject.name)
    group = f"{type}:{dominant}"
    lines = {m: curve(headline(where(rows, measure=m, group=group))) for m in (ANCHOR, LIFT, PROBABILITY)}
    wrong = curve(headline(where(rows, measure=ANCHOR, group=group, control="wrong-word"), keep=("control",)))
    points = lines[ANCHOR] or _difference(rows, type, dominant)
    top = _spoken_of(points, wrong, lines[LIFT], last)
    return Anchoring(type, dominant, points, last, top, wrong, lines[LIFT], lines[PROBABILITY])


def _spoken_of(points: Curve, wrong: Curve, lift: Curve, last: float) -> Estimate | None:
    """The highest middle layer among those at which the lead goes beyond wrong words; among all, where it nowhere does."""
    inner = middle(points, last)
    leads = tuple(p for p in inner if side(p) == "above" and _beyond(p, wrong, lift))
    return peak(leads) or peak(inner)


def _difference(rows: pd.DataFrame, type: str, dominant: str) -> Curve:
    """Of a run that holds the two log-probabilities alone: their difference, without an interval."""
    one, other = (curve(headline(where(rows, measure="logprob", group=f"{type}:{t}"))) for t in (dominant, type))
    pairs = [(p, at(other, p.at)) for p in one]
    return tuple(Estimate(p.value - q.value, n=min(p.n, q.n), at=p.at) for p, q in pairs if q)

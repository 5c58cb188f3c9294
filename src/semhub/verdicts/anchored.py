"""Eq. 2: before a prompt of one type is continued, which type's word leads in the middle layers, and is that more than frequency?

Reads `anchor` (log-probability of a type's word minus the prompt's own), `anchor_excess` (the same beyond wrong words), `lift`
(right over wrong words) and `prob` of any task that has them. The anchor is estimated among all types whose words were looked up;
no type is taken for the dominant one, and none for the anchor because its words are frequent, or written as the prompt is. Whether
the claim holds is another question: it asks for the plain lead of Eq. 2 as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from semhub.verdicts.evidence import Evidence, Subject
from semhub.verdicts.inference import apart, interval_p, mean_of, paired, peak_sign_flip, widened
from semhub.verdicts.slices import Curve, Estimate, at, curve, distinct, headline, middle, peak, where
from semhub.verdicts.thresholds import Thresholds
from semhub.verdicts.verdict import Case, Control, Verdict, control, told

CLAIM, MEASURE, BEYOND, LIFT, PROBABILITY, WRONG = "anchored", "anchor", "anchor_excess", "lift", "prob", "wrong-word"
OTHERS, RIGHT, END = "other-types", "right-over-wrong", "last-layer"

NEEDS = {
    "anchor": (
        "among all types whose words were looked up, the one whose right word leads the prompt's own right word by most beyond the same "
        "lead between wrong words of the same kind and frequency, at the middle layer where it does most, the interval above 0 (widened "
        "for the best of so many layers and types); the prompt's own type where none does; by the plain lead where no wrong words were "
        "looked up. So frequency and script, which move right and wrong words alike, name no anchor"
    ),
    "effect": (
        "the whole interval of the anchor's plain lead (Eq. 2 as it stands), in log-probability, at or above `lead`, at the middle layer "
        "where it is highest (of those that meet the needs of right and wrong words, their intervals widened for the best of so many "
        "layers, where there is one); the interval widened for the best of so many layers and types (Bonferroni); at least `enough` items"
    ),
    "other-types": "the anchor's word ahead of every other type's word, with its interval (widened for the best of so many types), there",
    "wrong-word": "the lead beyond the same lead between wrong words of the same kind and frequency, item by item, above 0",
    "right-over-wrong": "the anchor's right word at least `lift` times as probable as wrong ones, with its interval, and at `probability`",
    "last-layer": "the own word ahead of the anchor's at the last layer, with its interval",
    "null models": "right over wrong higher than in every null model in which the right word is as probable as `probability`",
    "p": "the corrected p-value at or below `alpha`: signs of items flipped, the maximum over all layers and all candidates included",
}


@dataclass(frozen=True, slots=True)
class Lead:
    """One candidate for prompts of one type in one model: by layer its lead over the own word, the lead beyond that between wrong words,
    right over wrong, and the probability of the right word. `top`: where it is spoken of."""

    type: str
    curve: Curve
    last: float
    beyond: Curve
    lift: Curve
    right: Curve
    top: Estimate | None = None

    @property
    def beyond_wrong(self) -> Curve:
        """The lead beyond that of wrong words in the middle layers; where none were looked up, the plain lead."""
        return middle(self.beyond or self.curve, self.last)


def cases(evidence: Evidence, model: Subject, limits: Thresholds) -> list[Case]:
    """Every type of prompt of every task that measured leads; of the type that the other prompts are anchored in, none."""
    found = []
    for task in evidence.tasks(model.name, MEASURE):
        leads = {own: candidates(evidence, model, task, own, limits) for own in prompt_types(evidence, model, task)}
        anchors = {own: anchor_of(own, mine) for own, mine in leads.items() if mine}
        hub = common([(anchors[own], leads[own]) for own in anchors if anchors[own] != own])
        found += [case(evidence, model, task, own, leads[own], anchors[own], limits) for own in anchors if own != hub]
    return found


def prompt_types(evidence: Evidence, model: Subject, task: str) -> list[str]:
    groups = distinct(evidence.rows(task, model.name, MEASURE)["group"])
    return sorted({str(group).split(":")[0] for group in groups if ":" in str(group)})


def candidates(evidence: Evidence, model: Subject, task: str, own: str, limits: Thresholds) -> dict[str, Lead]:
    """Every other type whose words were looked up for these prompts."""
    groups = sorted(str(g) for g in distinct(evidence.rows(task, model.name, MEASURE)["group"]) if str(g).startswith(f"{own}:"))
    leads = [lead_of(evidence, model, task, group, limits) for group in groups if group != f"{own}:{own}"]
    return {lead.type: lead for lead in leads if lead.curve}


def lead_of(evidence: Evidence, model: Subject, task: str, group: str, limits: Thresholds) -> Lead:
    lines = {m: curve(headline(evidence.rows(task, model.name, m, group=group))) for m in (MEASURE, BEYOND, LIFT, PROBABILITY)}
    wrong = curve(headline(evidence.rows(task, model.name, MEASURE, group=group, control=WRONG), keep=("control",)))
    last = evidence.last_layer(model, task, MEASURE)
    beyond = lines[BEYOND] or tuple(p.minus(there) for p in lines[MEASURE] if (there := at(wrong, p.at)))
    found = Lead(group.split(":")[1], lines[MEASURE], last, beyond, lines[LIFT], lines[PROBABILITY])
    return replace(found, top=spoken_of(found, limits))


def spoken_of(lead: Lead, limits: Thresholds) -> Estimate | None:
    """The highest middle layer among those that meet the needs of right and wrong words for sure; among all, where none does."""
    inner = middle(lead.curve, lead.last)
    sure = lambda p: all(c.passed for c in frequency(lead, p, limits, len(inner)))  # noqa: E731
    good = [p for p in inner if p.interval and p.low > 0 and sure(p)]
    return peak(tuple(good)) or peak(inner)


def frequency(lead: Lead, here: Estimate, limits: Thresholds, places: int = 1) -> tuple[Control, ...]:
    """Right against wrong words of the same frequency: the lead beyond theirs, and right over wrong; `places`: the layers picked from."""
    excess, ratio, right = (at(points, here.at) for points in (lead.beyond, lead.lift, lead.right))
    excess, ratio = (found and widened(found, places) for found in (excess, ratio))
    beyond = control(WRONG, excess, limits)
    return beyond, probable(control(RIGHT, ratio, limits, limits.lift), right, limits)


def probable(spoken: Control, right: Estimate | None, limits: Thresholds) -> Control:
    """Right over wrong, which is not passed where the right words themselves are hardly spoken."""
    if right is None:
        return replace(spoken, passed=False, why="the probability of the right words was not measured")
    if right.value < limits.probability:
        return replace(spoken, passed=False, why=f"right words have a mean probability of {right.value:.2g}, below {limits.probability:g}")
    return spoken


def anchor_of(own: str, leads: Mapping[str, Lead]) -> str:
    """The type that leads the own word by most beyond what wrong words of it do, for sure; the own type where none does."""
    tops = {type: (top, len(leads) * len(lead.beyond_wrong)) for type, lead in leads.items() if (top := peak(lead.beyond_wrong))}
    sure = {type: widened(top, places) for type, (top, places) in tops.items()}
    ahead = {type: found.value for type, found in sure.items() if (found.low if found.interval else found.value) > 0}
    return max(ahead, key=lambda type: ahead[type], default=own)


def common(named: list[tuple[str, Mapping[str, Lead]]]) -> str | None:
    """The anchor of most types of prompt; of equals, the one with the larger leads; None where none has another type's."""
    strength = lambda lead: peak(lead.beyond_wrong).value  # noqa: E731
    weight = lambda type: (sum(a == type for a, _ in named), sum(strength(leads[a]) for a, leads in named if a == type))  # noqa: E731
    return max(sorted({a for a, _ in named}), key=weight, default=None)


def case(evidence: Evidence, model: Subject, task: str, own: str, leads: Mapping[str, Lead], anchor: str, limits: Thresholds) -> Case:
    """Prompts of one type: the lead of the anchor, or of the type that comes nearest to one."""
    told_of = leads.get(anchor) or max(leads.values(), key=lambda lead: lead.top.value if lead.top else -np.inf)
    rows = evidence.rows(task, model.name, MEASURE, group=f"{own}:{told_of.type}")
    split = distinct(headline(rows)["split"])[0]
    names = {type: {"effect": e.value, "low": e.low, "high": e.high, "layer": e.at} for type, e in tops(leads)}
    names[own] = {"effect": 0.0, "low": 0.0, "high": 0.0, "layer": None}
    verdict = Verdict(CLAIM, own, model.name, model.role, task, anchor=anchor, candidates=names, measure=MEASURE, split=split)
    top = told_of.top
    if top is None:
        return Case(verdict, limits.lead)
    items = evidence.items(task, model.name, MEASURE, control=None, variant=None, split=split)
    controls = (
        *ahead_of_others(items, own, told_of, leads, limits),
        *frequency(told_of, top, limits, len(middle(told_of.curve, told_of.last))),
        turned(told_of, limits),
        *rivals(evidence, model, task, own, told_of, limits),
    )
    inner = [e for lead in leads.values() for e in middle(lead.curve, lead.last)]
    ends = {"effect": top.value, "low": top.low, "high": top.high, "n": top.n, "layer": top.at}
    verdict = replace(verdict, **ends, p_raw=chance(items, own, told_of, inner), controls=controls)
    upper = max((e.high for e in inner if e.interval and e.n >= limits.enough), default=None)
    return Case(verdict, limits.lead, upper, (), tuple(remaining(rows, told_of, split, anchor)), widened(top, len(inner)).low)


def tops(leads: Mapping[str, Lead]) -> list[tuple[str, Estimate]]:
    return [(type, lead.top) for type, lead in leads.items() if lead.top]


def ahead_of_others(items: pd.DataFrame, own: str, lead: Lead, leads: Mapping[str, Lead], limits: Thresholds) -> Iterator[Control]:
    """The anchor's word against that of each other candidate, at the layer spoken of: the one that comes nearest to it."""
    found = []
    for other in (each for type, each in leads.items() if type != lead.type):
        mine, its = (where(items, group=f"{own}:{type}", layer=lead.top.at) for type in (lead.type, other.type))
        there = at(other.curve, lead.top.at)
        difference = mean_of(paired(mine, its)) or (there and lead.top.minus(there))
        found += [difference] if difference else []
    if found:
        nearest = min(found, key=lambda e: e.value if e.low is None else e.low)
        yield control(OTHERS, widened(nearest, len(leads)), limits)


def turned(lead: Lead, limits: Thresholds) -> Control:
    """The own word's lead over the anchor's at the last layer."""
    end = at(lead.curve, lead.last)
    flipped = end and Estimate(-end.value, *((-end.high, -end.low) if end.interval else ()), n=end.n)
    return control(END, flipped, limits)


def rivals(evidence: Evidence, model: Subject, task: str, own: str, lead: Lead, limits: Thresholds) -> Iterator[Control]:
    """Right over wrong here, minus its highest value in each control model at a layer where the right word is probable at all."""
    here = at(lead.lift, lead.top.at)
    for other in evidence.rivals(model, CLAIM, f"{own}:{lead.type}", task) if here else ():
        its = lead_of(evidence, other, task, f"{own}:{lead.type}", limits)
        probable = {e.at for e in its.right if e.value >= limits.probability}
        best = peak(tuple(e for e in middle(its.lift, its.last) if e.at in probable))
        if its.curve:
            yield control(f"model:{other.kind}", apart(here, best or Estimate(1.0, 1.0, 1.0, here.n)), limits)


def chance(items: pd.DataFrame, own: str, lead: Lead, inner: list[Estimate]) -> float | None:
    """p that some candidate's word leads the own one at some middle layer; from the interval, times all of those, without items."""
    mine = items[items["group"].astype(str).str.startswith(f"{own}:") & (items["layer"] > 0) & (items["layer"] < lead.last)]
    if mine.empty:
        return interval_p(lead.top, len(inner))
    wide = mine.pivot_table(index=["source", "item"], columns=["group", "layer"], values="value", sort=True)
    return peak_sign_flip(wide.to_numpy(), wide.index.get_level_values("source"))


def remaining(rows: pd.DataFrame, lead: Lead, split: str | None, anchor: str) -> Iterator[str]:
    """What stands against it whatever the verdict is: a lead beyond frequency alone, other readers and other items that do not see it."""
    if lead.type == anchor and lead.beyond and not (lead.top.interval and lead.top.low > 0):
        beyond = peak(lead.beyond_wrong)
        yield (
            f"Beyond wrong words of the same frequency {anchor} leads by {told(beyond)} at layer {beyond.at:g}; the plain difference of "
            "Eq. 2, which frequency and script move as well, does not show it."
        )
    for column, same in (("variant", {"split": split}), ("split", {"variant": None})):
        beside = where(rows, control=None, layer=lead.top.at, **same)
        for value in sorted(str(v) for v in distinct(beside[column]) if v is not None and v != split):
            found = next(iter(curve(where(beside, **{column: value}))), None)
            if found and not (found.interval and found.low > 0):
                yield f"With the {column} “{value}” the lead is {told(found)} at the same layer."
    yield "Only first pieces of words are compared, and only items whose words begin differently."

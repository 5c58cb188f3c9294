"""What a run read with a lens and no verdict follows from: which of the readings bear on the claim, and why they decide nothing.

Chooses words and places; every number is a reading as it lies in the store.
"""

from collections.abc import Iterator

import pandas as pd

from semhub.report.folder import Run
from semhub.report.overview import told_groups
from semhub.report.words import control_name, listing, measure_name, pair_name, place, with_interval
from semhub.verdicts.evidence import SENSES, types_in
from semhub.verdicts.slices import Curve, at, curve, distinct, headline, middle, peak, where

BEARING = ("mass", "share", "prob_excess", "prob")  # the measure that is told, the first of these that a task has
NO_OWN = (
    "Eq. 2 asks whether another type's word leads the own one before it is written, and what is seen or heard has no word of its own here"
)
OF_TEXT = "its lens shares out probability among languages at every token, and compares no two words of one meaning"
OF_ONE_TYPE = "the words that it looks up are all of one type, so none is the prompt's own that another could lead"


def unjudged(run: Run, claim: str) -> list[str]:
    """A sentence for each task that bears on a claim without a verdict: of *anchored*, what a lens reads where no own word follows."""
    judged = {v.task for v in run.verdicts}
    return [told for task in run.tasks if task not in judged and (told := sentence(run.on(task), task))] if claim == "anchored" else []


def sentence(run: Run, task: str) -> str | None:
    """What stands at the middle layer where it is highest, beside what the task holds it against, and why nothing follows."""
    frame = run.part(task=task, model=run.main.name)
    plain = where(frame, control=None)
    measure = next((each for each in BEARING if each in set(plain["measure"])), None)
    if measure is None:
        return None
    own = headline(where(plain, measure=measure))
    group = str(told_groups(distinct(own["group"]), run.dominant)[0] or "")
    points = curve(where(own, group=group))
    top = peak(middle(points, run.last_layer(task)) or points)
    if top is None:
        return None
    parts = [f"{measure_name(measure)}, {pair_name(group)}: {with_interval(top)} at layer {place(top)}, where it is highest"]
    parts += beside(frame, measure, group, top.at)
    return f"{task} ({run.main.name}) measured {'; '.join(parts)}. No verdict follows: {reason(measure, group)}."


def beside(frame: pd.DataFrame, measure: str, group: str, layer: float | None) -> Iterator[str]:
    """The same over layer 0, and beyond each control, there."""
    line = lambda name, control: curve(headline(where(frame, measure=name, group=group, control=control), keep=("control",)))  # noqa: E731
    if found := at(line(f"{measure}_rise", None), layer):
        yield f"{with_interval(found)} over layer 0"
    controls = [str(each) for each in distinct(where(frame, measure=measure, group=group)["control"]) if each is not None]
    beyond = {control_name(each): at(excess(frame, measure, group, each), layer) for each in controls}
    if told := [f"{with_interval(found)} beyond {name}" for name, found in beyond.items() if found]:
        yield listing(told)


def excess(frame: pd.DataFrame, measure: str, group: str, control: str) -> Curve:
    """The measure beyond a control, item by item where the task has that; else the difference of the two."""
    here = {"group": group, "control": control}
    if found := curve(headline(where(frame, measure=f"{measure}_excess", **here), keep=("control",))):
        return found
    other = curve(headline(where(frame, measure=measure, **here), keep=("control",)))
    own = curve(headline(where(frame, measure=measure, group=group, control=None)))
    return tuple(each.minus(there) for each in own if (there := at(other, each.at)))


def reason(measure: str, group: str) -> str:
    if not set(types_in(group)).isdisjoint(SENSES):
        return NO_OWN
    return OF_TEXT if measure == "mass" else OF_ONE_TYPE

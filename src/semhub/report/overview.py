"""The whole run at a glance: one row per task (and type of prompt), its leading measure beside a control, whatever came of it.

Chooses which measure, group and place stand for a task; every number is a reading as it lies in the store.
"""

from dataclasses import dataclass

from semhub.report.folder import Run
from semhub.report.tables import Cell, Table, line_of, place, table
from semhub.report.words import control_name, measure_name, pair_name
from semhub.verdicts.evidence import Subject
from semhub.verdicts.slices import Estimate, at, curve, distinct, headline, middle, peak, where
from semhub.verdicts.used import ALL, CHANGE, over_all, setting

# The measure that stands for a task, the first of these that it has: a change where something was pushed, else a difference of
# right and wrong, else what was read.
LEADING = (
    "adjusted_cosine", "difference", "moved_change", "sentiment_change", "correct_change", "right_share_change", "yes_share",
    "anchor", "prob_excess", "share_excess", "logprob_excess", "mass", "near_en", "share", "prob", "logprob",
)  # fmt: skip


def overview_table(run: Run) -> Table | None:
    """Per task its highest middle value or its push, with interval and n, the same under a control, and the model's role."""
    return table("overview", CAPTION, [row for task in run.tasks for row in rows_of(run.on(task), task)])


CAPTION = (
    "Every task at its leading measure, for its first group (of prompts of several types, for each but the dominant one, and the dominant "
    "type's word), at the middle layer where that is highest; a push at the layer and "
    "strength that were chosen on other prompts, and where its outputs may be such as cannot be judged (they left the language, or without "
    "a push gave no answer of the kind), over all prompts, for which such an output is no change. Beside it the same reading of a control "
    "model (pushed at its own choice), and of the same model under a control of the task, where there is one. 95% intervals."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands for a model, where it was read, and over which prompts, where some of them cannot be judged."""

    value: Estimate
    at: str
    over: str = ""


def rows_of(run: Run, task: str) -> list[dict[str, Cell]]:
    frame = run.part(task=task, model=run.main.name)
    measure = str(leading(where(frame, control=None)))
    own = where(frame, measure=measure)
    plain = where(own, control=None)
    groups = told_groups(distinct(over_all(plain)["group"]) if len(plain) else [], run.dominant)
    return [row for group in groups if (row := row_of(run, task, measure, group, own))]


def told_groups(groups: list, dominant: str) -> list:
    """Of prompts and words (`es:en`), those that ask prompts of another type for the dominant type's word; else the first group."""
    asked = [group for group in groups if group and str(group).endswith(f":{dominant}") and group != f"{dominant}:{dominant}"]
    return asked or groups[:1] or [None]


def row_of(run: Run, task: str, measure: str, group: object, own) -> dict[str, Cell] | None:
    top = shown(run, task, measure, group, run.main)
    if top is None:
        return None
    return {
        "task": task,
        "model": run.main.name,
        "role": run.main.role or "–",
        "measure": measure_name(measure) + top.over,
        "group": pair_name(str(group)) if group else "–",
        "value": top.value,
        "at": top.at,
        "n": top.value.n,
        **control_model(run, task, measure, group, top.value),
        **control_row(own, group, top.value),
    }


def shown(run: Run, task: str, measure: str, group: object, subject: Subject) -> Shown | None:
    """Of a push, what it does at the model's own setting; else the highest middle value."""
    rows = run.part(task=task, model=subject.name, measure=measure, group=group, control=None)
    if measure.endswith(CHANGE):
        layer, strength = setting(run.evidence, task, measure.removesuffix(CHANGE), str(group), subject)
        there = lambda found: at(curve(where(found, layer=layer), "strength"), strength)  # noqa: E731
        if found := there(over_all(rows)):
            return Shown(found, f"layer {layer:g}, strength {strength:g}", over(rows, found.n, there(headline(where(rows, variant=None)))))
    points = line_of(over_all(rows))
    top = peak(middle(points, run.last_layer(task)) or points)
    return Shown(top, place(top)) if top else None


def over(rows, n: int, judged: Estimate | None) -> str:
    """Over how many prompts a push was read, where some need not be judged, and how many were."""
    return f", over all {n} prompts ({judged.n if judged else 0} judged)" if ALL in set(rows["variant"]) else ""


def leading(frame) -> str | None:
    present = [str(each) for each in distinct(frame["measure"])]
    return next((each for each in LEADING if each in present), next(iter(present), None))


def control_model(run: Run, task: str, measure: str, group: object, top: Estimate) -> dict[str, Cell]:
    """The same reading of the run's first control model that has it; of a push, at the control's own setting."""
    for control in run.controls:
        rows = run.part(task=task, model=control.name, measure=measure, group=group, control=None)
        pushed = shown(run, task, measure, group, control) if measure.endswith(CHANGE) else None
        if found := pushed.value if pushed else nearest(line_of(over_all(rows)), top):
            return {"control model": control.name, "its value": found}
    return {"control model": "–", "its value": None}


def control_row(own, group: object, top: Estimate) -> dict[str, Cell]:
    """The same reading under the first control of the task that has it."""
    for control in filter(None, distinct(where(own, group=group)["control"])):
        if found := nearest(line_of(over_all(where(own, group=group, control=control), keep=("control",))), top):
            return {"control": control_name(control), "under it": found}
    return {"control": "–", "under it": None}


def nearest(points, top: Estimate) -> Estimate | None:
    """What stands at the same place, or where there is no such place, the highest."""
    return at(points, top.at) or peak(points) if points else None

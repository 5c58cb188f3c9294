"""The whole run at a glance: one row per task, its leading measure beside a control, whatever came of it.

Chooses which measure, group and place stand for a task; every number is a reading as it lies in the store.
"""

from semhub.report.folder import Run
from semhub.report.tables import Cell, Table, line_of, place, table
from semhub.report.words import control_name, measure_name, pair_name
from semhub.verdicts.evidence import Subject
from semhub.verdicts.slices import Estimate, at, curve, distinct, middle, peak, where
from semhub.verdicts.used import ALL, CHANGE, over_all, setting

# The measure that stands for a task, the first of these that it has: a change where something was pushed, else a difference of
# right and wrong, else what was read.
LEADING = (
    "adjusted_cosine", "difference", "moved_change", "sentiment_change", "correct_change", "right_share_change", "yes_share",
    "anchor", "prob_excess", "share_excess", "logprob_excess", "mass", "near_en", "share", "prob", "logprob",
)  # fmt: skip


def overview_table(run: Run) -> Table | None:
    """One row per task: its highest middle value or its push, with interval and n, the same under a control, and the model's role."""
    return table("overview", CAPTION, [row for task in run.tasks if (row := row_of(run.on(task), task))])


CAPTION = (
    "Every task at its leading measure, for its first group, at the middle layer where that is highest; a push at the layer and "
    "strength that were chosen on other prompts, and where its outputs may be such as cannot be judged (they left the language, or without "
    "a push gave no answer of the kind), over all prompts, for which such an output is no change. Beside it the same reading of a control "
    "model (pushed at its own choice), and of the same model under a control of the task, where there is one. 95% intervals."
)


def row_of(run: Run, task: str) -> dict[str, Cell] | None:
    frame = run.part(task=task, model=run.main.name)
    measure = leading(where(frame, control=None))
    own = where(frame, measure=measure)
    plain = over_all(where(own, control=None)) if len(own) else own
    group = next(iter(distinct(plain["group"])), None)
    top, where_read = shown(run, task, str(measure), group, run.main)
    if top is None:
        return None
    return {
        "task": task,
        "model": run.main.name,
        "role": run.main.role or "–",
        "measure": measure_name(str(measure)) + (", over all prompts" if ALL in set(plain["variant"]) else ""),
        "group": pair_name(str(group)) if group else "–",
        "value": top,
        "at": where_read,
        "n": top.n,
        **control_model(run, task, str(measure), group, top),
        **control_row(own, group, top),
    }


def shown(run: Run, task: str, measure: str, group: object, subject: Subject) -> tuple[Estimate | None, str]:
    """What stands for a model and where it was read: a push at the model's own setting, else the highest middle value."""
    rows = headline_of(run, task, measure, group, subject)
    if measure.endswith(CHANGE):
        layer, strength = setting(run.evidence, task, measure.removesuffix(CHANGE), str(group), subject)
        if found := at(curve(where(rows, layer=layer), "strength"), strength):
            return found, f"layer {layer:g}, strength {strength:g}"
    points = line_of(rows)
    top = peak(middle(points, run.last_layer(task)) or points)
    return top, place(top) if top else "–"


def headline_of(run: Run, task: str, measure: str, group: object, subject: Subject):
    """The readings of one model that a row may speak of."""
    rows = run.part(task=task, model=subject.name, measure=measure, control=None)
    return where(over_all(rows), group=group)


def leading(frame) -> str | None:
    present = [str(each) for each in distinct(frame["measure"])]
    return next((each for each in LEADING if each in present), next(iter(present), None))


def control_model(run: Run, task: str, measure: str, group: object, top: Estimate) -> dict[str, Cell]:
    """The same reading of the run's first control model that has it; of a push, at the control's own setting."""
    for control in run.controls:
        pushed = shown(run, task, measure, group, control)[0] if measure.endswith(CHANGE) else None
        if found := pushed or nearest(line_of(headline_of(run, task, measure, group, control)), top):
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

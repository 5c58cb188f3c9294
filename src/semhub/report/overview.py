"""The whole run at a glance: one row per task, its leading measure beside a control, whatever came of it.

Chooses which measure, group and place stand for a task; every number is a reading as it lies in the store.
"""

from semhub.report.folder import Run
from semhub.report.tables import Cell, Table, line_of, place, table
from semhub.report.words import control_name, measure_name, pair_name
from semhub.verdicts.slices import Estimate, at, distinct, headline, middle, peak, where

# The measure that stands for a task, the first of these that it has: a change where something was pushed, else a difference of
# right and wrong, else what was read.
LEADING = (
    "adjusted_cosine", "difference", "moved_change", "sentiment_change", "correct_change", "right_share_change", "yes_share",
    "anchor", "prob_excess", "share_excess", "logprob_excess", "mass", "near_en", "share", "prob", "logprob",
)  # fmt: skip


def overview_table(run: Run) -> Table | None:
    """One row per task: its highest middle value with interval and n, the same place under a control, and the model's role."""
    return table("overview", CAPTION, [row for task in run.tasks if (row := row_of(run.on(task), task))])


CAPTION = (
    "Every task at its leading measure, for its first group, at the middle layer or strength where that is highest; beside it the "
    "same reading of a control model, and of the same model under a control of the task, where there is one. 95% intervals."
)


def row_of(run: Run, task: str) -> dict[str, Cell] | None:
    frame = run.part(task=task, model=run.main.name)
    measure = leading(where(frame, control=None))
    own = where(frame, measure=measure)
    plain = headline(where(own, control=None)) if len(own) else own
    group = next(iter(distinct(plain["group"])), None)
    points = line_of(where(plain, group=group))
    if not points:
        return None
    top = peak(middle(points, run.last_layer(task)) or points)
    return {
        "task": task,
        "model": run.main.name,
        "role": run.main.role or "–",
        "measure": measure_name(str(measure)),
        "group": pair_name(str(group)) if group else "–",
        "value": top,
        "at": place(top),
        "n": top.n,
        **control_model(run, task, str(measure), group, top),
        **control_row(own, group, top),
    }


def leading(frame) -> str | None:
    present = [str(each) for each in distinct(frame["measure"])]
    return next((each for each in LEADING if each in present), next(iter(present), None))


def control_model(run: Run, task: str, measure: str, group: object, top: Estimate) -> dict[str, Cell]:
    """The same reading of the run's first control model that has it."""
    for control in run.controls:
        mine = headline(where(run.part(task=task, model=control.name), measure=measure, group=group, control=None))
        if found := nearest(line_of(mine), top):
            return {"control model": control.name, "its value": found}
    return {"control model": "–", "its value": None}


def control_row(own, group: object, top: Estimate) -> dict[str, Cell]:
    """The same reading under the first control of the task that has it."""
    for control in filter(None, distinct(where(own, group=group)["control"])):
        if found := nearest(line_of(headline(where(own, group=group, control=control), keep=("control",))), top):
            return {"control": control_name(control), "under it": found}
    return {"control": "–", "under it": None}


def nearest(points, top: Estimate) -> Estimate | None:
    """What stands at the same place, or where there is no such place, the highest."""
    return at(points, top.at) or peak(points) if points else None

"""The whole run at a glance: a row per task, its number the reading as it lies in the store, its controls beside it."""

from dataclasses import replace

import pandas as pd
import pytest

from report_folder import write
from semhub.report.folder import read_run
from semhub.report.overview import overview_table
from semhub.verdicts.evidence import Subject


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(write(tmp_path_factory.mktemp("runs") / "run"))


def test_every_task_has_a_row_and_each_value_is_a_reading(run):
    table = overview_table(run)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["task"] for row in rows] == list(run.tasks)
    for row in rows:
        readings = run.part(task=row["task"], model=row["model"])
        near = readings[(readings["value"] - row["value"].value).abs() < 1e-9]
        assert len(near) and (near["n"] == row["n"]).any() and row["role"] == "hub"


def test_a_control_is_read_at_the_same_place(run):
    table = overview_table(run)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    there = run.part(task=row["task"], model=row["control model"], layer=row["value"].at)
    assert (there["value"] - row["its value"].value).abs().min() < 1e-9 and row["control model"] != row["model"]


def test_a_task_asked_of_another_model_speaks_of_that_model(run):
    """Readings of a second hub: its row names it, and neither its task nor its verdicts are the first one's."""
    more = run.readings[run.readings["model"] == run.main.name].assign(model="second", task="other/similarity")
    joined = pd.concat([run.readings.astype({"model": str, "task": str}), more.astype({"model": str, "task": str})])
    both = replace(run, readings=joined, subjects=(*run.subjects, Subject("second", "hub")))
    assert both.on("other/similarity").main.name == "second" and both.on(next(iter(run.tasks))).main.name == run.main.name
    assert {row[0]: row[1] for row in overview_table(both).rows}["other/similarity"] == "second"

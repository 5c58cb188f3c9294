"""The whole run at a glance: a row per task, its number the reading as it lies in the store, its controls beside it."""

from dataclasses import replace

import pandas as pd
import pytest

from report_folder import everything, write
from semhub.report.folder import read_run
from semhub.report.overview import CAPTION, overview_table
from semhub.types import Reading
from semhub.verdicts.evidence import Subject


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(write(tmp_path_factory.mktemp("runs") / "run"))


def test_every_task_has_a_row_and_each_value_is_a_reading(run):
    table = overview_table(run)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert list(dict.fromkeys(row["task"] for row in rows)) == list(run.tasks)
    for row in rows:
        readings = run.part(task=row["task"], model=row["model"])
        near = readings[(readings["value"] - row["value"].value).abs() < 1e-9]
        assert len(near) and (near["n"] == row["n"]).any() and row["role"] == "hub"


def test_prompts_of_every_other_type_have_a_row_that_names_them(run):
    table = overview_table(run)
    groups = [row[table.columns.index("group")] for row in table.rows if row[0] == "multilingual/lens"]
    assert groups == [f"{type} prompt, English word" for type in ("Spanish", "Chinese", "German")]
    assert [row[0] for row in table.rows].count("multilingual/similarity") == 1


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


def counted_twice(row: Reading) -> list[Reading]:
    """A row of what the push did: over 19 outputs that can be judged, and (half of it) over all 32; more than chosen at strength 0.5."""
    if not row.measure.startswith("sentiment_"):
        return [row]
    more = 5.0 if row.strength == 0.5 and row.control is None else 0.0
    judged = {**row.row(), "value": row.value + more, "low": row.low + more, "high": row.high + more, "n": 19}
    every = {name: judged[name] / 2 for name in ("value", "low", "high")}
    return [Reading(**judged), Reading(**judged | every | {"variant": "all", "n": 32})]


def test_a_push_is_shown_over_all_prompts_at_the_setting_chosen(tmp_path):
    """As the verdicts read it: not over the outputs that the push left to be judged, nor at the strength that looks best."""
    run = read_run(write(tmp_path / "run", [each for row in everything() for each in counted_twice(row)]))
    table = overview_table(run)
    row = next(row for row in (dict(zip(table.columns, row, strict=True)) for row in table.rows) if row["task"] == "multilingual/steering")
    there = {"layer": 4, "strength": 1.0, "split": "report", "variant": "all", "group": "en>en", "measure": "sentiment_change"}
    of = lambda **more: run.part(task="multilingual/steering", **there | more)["value"].tolist()  # noqa: E731
    assert [row["value"].value] == pytest.approx(of(model=row["model"], control=None)) and row["n"] == row["value"].n == 32
    assert [row["its value"].value] == pytest.approx(of(model=row["control model"], control=None))
    assert [row["under it"].value] == pytest.approx(of(model=row["model"], control="random-direction", layer=4))
    assert row["measure"].endswith("over all 32 prompts (19 judged)") and row["at"] == "layer 4, strength 1" and "no change" in CAPTION
    verdict = next(v for v in run.judged("used") if v.group == "en>es")
    assert verdict.n == row["n"] and (verdict.layer, verdict.strength) == (4, 1.0)


def test_a_push_whose_outputs_cannot_be_judged_says_so(tmp_path):
    rows = [row for row in everything() if not row.measure.startswith("sentiment_")]
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0, "variant": "all", "n": 32}
    rows += [Reading(**row.row() | nothing) for row in everything() if row.measure.startswith("sentiment_")]
    table = overview_table(read_run(write(tmp_path / "run", rows)))
    (row,) = (dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0] == "multilingual/steering")
    assert row["measure"].endswith("over all 32 prompts (0 judged)") and row["value"].value == 0 and row["n"] == 32

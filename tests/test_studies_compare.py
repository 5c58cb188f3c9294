"""Runs side by side: paired by item where both kept them, refused where they were not asked the same."""

import csv
import io
import json
import re

import numpy as np
import pytest

import report_folder as made
from semhub import cli
from semhub.errors import BadInput
from semhub.report.comparison import render, to_csv, write
from semhub.runs import store
from semhub.studies.compare import compare
from semhub.types import Outcome, Reading
from semhub.verdicts.files import write_verdicts
from semhub.verdicts.thresholds import Thresholds

PLAIN = {"position": "probe", "variant": "raw", "split": "test"}
HOSTILE = "<script>alert(1)</script>"


def similarity(model: str, top: float) -> list[Reading]:
    found = made.similarity(made.HUB, pairs={"en-es": top})
    return [Reading(**r.row() | {"model": model}) for r in found if PLAIN.items() <= r.row().items()]


def folder(path, top, model="m", values=None, **changes):
    """A run of one pair whose S is `top` at layer 7; `values`: its items there."""
    made.write(path, similarity(model, top), {model: ""}, parts=False, **changes)
    columns = {"task": "multilingual/similarity", "protocol": "sound", "model": model, "measure": "adjusted_cosine", "group": "en-es"}
    items = [Outcome(**columns, **PLAIN, item=f"i{i}", layer=7, value=float(v)) for i, v in enumerate([] if values is None else values)]
    store.write_whole(path / "outcomes.parquet", store.parquet(items, store.OUTCOMES))
    return path


def effect(found):
    (row,) = [row for row in found.rows if row.what == "effect"]
    return row


def test_runs_with_the_same_items_are_paired(tmp_path):
    base = np.random.default_rng(0).normal(0.3, 0.2, 200)
    row = effect(compare([folder(tmp_path / "a", 0.3, values=base), folder(tmp_path / "b", 0.35, values=base + 0.05)]))
    assert (row.difference, row.low, row.high, row.paired) == (pytest.approx(0.05), pytest.approx(0.05), pytest.approx(0.05), 200)
    assert (row.first, row.value) == (pytest.approx(0.3), pytest.approx(0.35))


def test_items_in_another_order_are_the_same_items(tmp_path):
    base = np.random.default_rng(0).normal(0.3, 0.2, 50)
    a, b = folder(tmp_path / "a", 0.3, values=base), folder(tmp_path / "b", 0.3, values=base)
    items = store.outcomes(b).iloc[::-1]
    items.to_parquet(b / "outcomes.parquet")
    assert effect(compare([a, b])).difference == pytest.approx(0.0, abs=1e-12)


def test_runs_of_other_items_are_two_intervals(tmp_path):
    row = effect(compare([folder(tmp_path / "a", 0.3), folder(tmp_path / "b", 0.36)]))
    half = np.hypot(0.026, 0.026)
    assert (row.difference, row.low, row.high, row.paired) == (*(pytest.approx(v) for v in (0.06, 0.06 - half, 0.06 + half)), 0)


def test_a_few_items_in_common_are_no_pairing(tmp_path):
    a, b = folder(tmp_path / "a", 0.3, values=np.full(100, 0.3)), folder(tmp_path / "b", 0.36, values=np.full(30, 0.9))
    assert effect(compare([a, b])).paired == 0


def test_every_run_is_held_against_the_first_and_named_apart(tmp_path):
    found = compare([folder(tmp_path / name, top) for name, top in (("a", 0.3), ("b", 0.36), ("c", 0.2))])
    assert [run.name for run in found.runs] == ["m (a)", "m (b)", "m (c)"]
    assert {row.run: round(row.difference, 3) for row in found.rows if row.what == "effect"} == {"m (b)": 0.06, "m (c)": -0.1}
    models = compare([folder(tmp_path / "d", 0.3, "x"), folder(tmp_path / "e", 0.3, "y")])
    assert [run.name for run in models.runs] == ["x", "y"]


def test_what_is_beyond_a_control_is_compared_too(tmp_path):
    found = compare([folder(tmp_path / "a", 0.3), folder(tmp_path / "b", 0.36)])
    assert {row.what for row in found.rows} == {"effect", "layer-0", "swapped", "same-last-word"}


def test_other_seeds_and_data_are_told(tmp_path):
    found = compare([folder(tmp_path / "a", 0.3), folder(tmp_path / "b", 0.3, seed=4)])
    assert found.notes == ("m (b): seed 4, against 0 in the first run.",)


def of_models(path, models):
    """A run of several models: (name, role, task, S at its top) each."""
    rows = [Reading(**r.row() | {"task": task}) for name, _, task, top in models for r in similarity(name, top)]
    return made.write(path, rows, {name: role for name, role, *_ in models}, parts=False)


def test_models_of_one_role_are_compared_with_each_other(tmp_path):
    text, image = "multilingual/similarity", "vision/similarity"
    first = [("t", "hub", text, 0.3), ("i", "hub", image, 0.2), ("t-mispaired", "control:mispaired", text, 0.05)]
    other = [("mine", "", text, 0.4), ("eyes", "", image, 0.1), ("mine-x", "control:mispaired", text, 0.15)]
    found = compare([of_models(tmp_path / "a", first), of_models(tmp_path / "b", [*other, ("u", "control:untrained", text, 0.0)])])
    rows = {(row.role, row.task): row.difference for row in found.rows if row.what == "effect"}
    assert rows["model", text] == pytest.approx(0.1) and rows["model", image] == pytest.approx(-0.1)
    assert rows["mispaired", text] == pytest.approx(0.1) and rows["untrained", text] is None
    assert found.notes == ("mine has the control untrained, and the first run has none.",)
    assert [(m.name, m.role) for m in found.runs[0].models] == [("t", "model"), ("i", "model"), ("t-mispaired", "mispaired")]
    text = render(found)
    assert "<td>mispaired</td>" in text and "<td>t-mispaired</td>" in text


def test_thresholds_are_those_of_the_first_run_or_of_a_file(tmp_path):
    a, b = folder(tmp_path / "a", 0.3), folder(tmp_path / "b", 0.36)
    assert effect(compare([a, b])).first_verdict == "undecided"
    write_verdicts(a, Thresholds(similarity=0.5))
    write_verdicts(b)
    found = compare([a, b])
    assert (effect(found).first_verdict, effect(found).verdict) == ("contradicted", "contradicted") and found.thresholds.similarity == 0.5
    assert found.notes == ("The report of m (b) was judged by other thresholds; here all runs are judged by the same.",)
    (tmp_path / "mine.toml").write_text("similarity = 0.33")
    with pytest.raises(SystemExit):
        cli.main(["compare", str(a), str(b), "--thresholds", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "side")])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "side" / "compare.csv").read_text())))
    assert [rows[0][key] for key in ("first_verdict", "verdict")] == ["contradicted", "undecided"]


def test_thresholds_that_a_run_cannot_have_been_judged_by_are_named(tmp_path, capsys):
    a, b = folder(tmp_path / "a", 0.3), folder(tmp_path / "b", 0.36)
    (a / "verdicts.json").write_text('[{"thresholds": {"similarity": "much"}}]')
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", str(a), str(b)])
    told = capsys.readouterr().err
    assert stopped.value.code == 2 and "verdicts.json: similarity = 'much'" in told and len(told.splitlines()) == 1


def other_task(path):
    return made.write(path, list(made.trend(made.HUB)), {made.HUB: ""}, parts=False)


REFUSED = {
    "one run": (lambda p: [folder(p / "a", 0.3)], "two or more"),
    "no run folder": (lambda p: [folder(p / "a", 0.3), p / "none"], "none is no run folder"),
    "another protocol": (lambda p: [folder(p / "a", 0.3), folder(p / "b", 0.3, protocol="paper")], "one protocol"),
    "other tasks": (lambda p: [folder(p / "a", 0.3), other_task(p / "b")], "Runs of other tasks"),
}


@pytest.mark.parametrize(("folders", "said"), REFUSED.values(), ids=REFUSED)
def test_runs_that_cannot_be_compared_are_refused_in_one_line(tmp_path, capsys, folders, said):
    given = folders(tmp_path)
    with pytest.raises(BadInput, match=said):
        compare(given)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", *map(str, given)])
    assert stopped.value.code == 2 and len(capsys.readouterr().err.splitlines()) == 1


def test_the_command_prints_a_table_or_json_and_writes_both_files(tmp_path, capsys):
    given = [str(folder(tmp_path / "a", 0.3)), str(folder(tmp_path / "b", 0.36))]
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", *given, "--out", str(tmp_path / "side")])
    shown = capsys.readouterr().out
    assert stopped.value.code in (0, None) and "en-es" in shown and "compare.html" in shown
    with pytest.raises(SystemExit):
        cli.main(["compare", *given, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [row["what"] for row in told["rows"]][0] == "effect"
    rows = list(csv.DictReader(io.StringIO((tmp_path / "side" / "compare.csv").read_text())))
    assert float(rows[0]["difference"]) == pytest.approx(0.06)


def test_the_page_is_small_loads_nothing_and_escapes_names(tmp_path):
    found = compare([folder(tmp_path / "a", 0.3, HOSTILE), folder(tmp_path / "b", 0.3, "y")])
    text = render(found)
    assert "<script" not in text and len(text) < 50_000 and not re.search(r"\b(src|href)=\"http", text)
    assert write(found, tmp_path / "side").read_text() == text and to_csv(found).count("\n") == len(found.rows) + 1

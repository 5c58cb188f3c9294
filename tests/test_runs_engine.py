"""Carrying a plan out: what is finished is kept, what is missing is done, and the result is the same."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import fake_run
from semhub.errors import BadInput, ModelNotFound, RunMismatch, SemhubError, UserError
from semhub.runs import store
from semhub.runs.engine import carry_out

SCRIPT = Path(fake_run.__file__)


def do(folder, plan=None, **seams):
    return carry_out(plan or fake_run.plan(), folder, **{"load": fake_run.load, "perform": fake_run.perform, "show": fake_run.show} | seams)


def tables(folder) -> tuple[bytes, bytes]:
    return (folder / "readings.parquet").read_bytes(), (folder / "outcomes.parquet").read_bytes()


def test_a_run_holds_every_part_in_the_order_of_the_plan(tmp_path):
    run = do(tmp_path / "run")
    frame = run.readings()
    asked = [(task, model) for model in fake_run.MODELS for task in fake_run.TASKS for _ in range(3)]
    assert list(zip(frame["task"], frame["model"], strict=True)) == asked
    assert (run.done, run.kept, run.rows) == (4, 0, 12)
    assert len(run.outcomes()) == 36


def test_the_spec_tells_what_was_asked_and_of_which_weights(tmp_path):
    spec = do(tmp_path / "run").spec()
    assert [(each["name"], each["role"], each["weights_hash"]) for each in spec["models"]] == [
        ("hub", "hub", "w1"),
        ("hub-untrained", "control:untrained", "w1"),
    ]
    assert spec["models"][0]["certificate"]["passed"]
    assert spec["tasks"][0]["question"] == "Are two places near?"
    assert spec["data"]["source"] == "world"
    assert spec["versions"] == {"semhub": "0"}


def test_the_same_again_does_nothing_and_opens_no_model(tmp_path):
    do(tmp_path / "run")
    before = tables(tmp_path / "run")
    again = do(tmp_path / "run", load=lambda name, **_: pytest.fail("opened a model"))
    assert (again.done, again.kept) == (0, 4)
    assert tables(tmp_path / "run") == before


def test_what_nobody_named_and_cannot_be_asked_is_left_out_and_said(tmp_path):
    def choosy(task, model, **arguments):
        if task == "space/far":
            raise BadInput("no place is far.")
        return fake_run.perform(task, model, **arguments)

    notes = []
    plan = replace(fake_run.plan(), asked={"tasks": ("space",)})
    run = do(tmp_path / "run", plan, perform=choosy, watch=lambda event: notes.append(event.note) if event.kind == "note" else None)
    assert run.rows == 6 and set(run.readings()["task"]) == {"space/near"}
    assert "Left out: space/far on hub: no place is far." in notes
    assert do(tmp_path / "run", plan, perform=choosy).kept == 4, "the reason is kept, and not asked for again"
    with pytest.raises(BadInput, match="no place is far"):
        do(tmp_path / "named", replace(plan, asked={"tasks": ("space/far",)}), perform=choosy)
    with pytest.raises(BadInput, match="No task could be asked: no place is far"):
        do(tmp_path / "none", replace(plan, parts=[p for p in plan.parts if p.task == "space/far"]), perform=choosy)


def test_a_run_that_failed_midway_goes_on_to_the_same_result(tmp_path):
    def failing(task, model, **arguments):
        if (task, model.name) == ("space/near", "hub-untrained"):
            raise BadInput("out of words")
        return fake_run.perform(task, model, **arguments)

    with pytest.raises(BadInput):
        do(tmp_path / "broken", perform=failing)
    assert not (tmp_path / "broken" / "readings.parquet").exists()
    opened = []
    run = do(tmp_path / "broken", load=lambda name, **_: opened.append(name) or fake_run.load(name))
    assert (run.done, run.kept, opened) == (2, 2, ["hub-untrained"])
    do(tmp_path / "whole")
    assert tables(tmp_path / "broken") == tables(tmp_path / "whole")


def start(folder, pause: float) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent / "src"), str(SCRIPT.parent)])}
    return subprocess.Popen([sys.executable, str(SCRIPT), str(folder), str(pause)], stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("parts_first", [0, 1, 3])
def test_a_killed_run_keeps_what_is_finished_and_ends_the_same(tmp_path, parts_first):
    process = start(tmp_path / "killed", 0.3)
    done = 0
    for line in process.stdout:
        if line.strip() == "part" and done == parts_first:
            process.send_signal(signal.SIGKILL)
            break
        done += line.strip() == "done"
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    run = do(tmp_path / "killed")
    assert run.kept == parts_first
    do(tmp_path / "whole")
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")
    pd.testing.assert_frame_equal(run.readings(), store.readings(tmp_path / "whole"))


def test_killed_between_two_files_of_a_part_the_part_is_done_again(tmp_path):
    do(tmp_path / "run")
    before = tables(tmp_path / "run")
    (tmp_path / "run" / "parts" / "space-far@hub.done").unlink()
    (tmp_path / "run" / "parts" / "space-far@hub.json").unlink()
    assert do(tmp_path / "run").done == 1
    assert tables(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"limit": 5}, "limit was null, now 5"),
        ({"protocol": "paper"}, "protocol"),
        ({"layers": (0, 2)}, "layers"),
        ({"data": "abc"}, 'data was "world", now "abc"'),
        ({"tasks": ("space/near",)}, "tasks"),
        ({"models": ("hub",)}, "models"),
        ({"weights": {"hub": "other"}}, "weights"),
        ({"versions": {"semhub": "1"}}, "versions"),
    ],
)
def test_another_spec_in_the_same_folder_is_refused_by_name(tmp_path, change, named):
    do(tmp_path / "run")
    before = tables(tmp_path / "run")
    with pytest.raises(RunMismatch, match=named):
        do(tmp_path / "run", fake_run.plan(**change))
    assert tables(tmp_path / "run") == before


def test_a_smaller_batch_is_the_same_run(tmp_path):
    do(tmp_path / "run")
    assert do(tmp_path / "run", fake_run.plan(batch_tokens=64)).kept == 4


def test_other_weights_under_the_same_name_are_refused(tmp_path):
    do(tmp_path / "run")
    (tmp_path / "run" / "parts" / "space-far@hub.done").unlink()
    with pytest.raises(RunMismatch, match="other weights of hub"):
        do(tmp_path / "run", load=lambda name, **_: fake_run.FakeModel(name, "w2"))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunMismatch, match="no run folder"):
        do(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["thesis.tex"]


def test_a_model_that_cannot_be_opened_leaves_no_folder(tmp_path):
    def missing(name, **keywords):
        raise ModelNotFound(f"There is no model {name!r}.")

    with pytest.raises(ModelNotFound):
        do(tmp_path / "run", load=missing)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="Cannot write"):
        do(tmp_path / "file" / "run")


def test_a_folder_without_permission_is_one_line(tmp_path, monkeypatch):
    def refuse(*words, **more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="no permission"):
        do(tmp_path / "run")


def test_the_words_of_the_layers_are_kept_for_the_model_asked_for(tmp_path):
    do(tmp_path / "run")
    assert store.read_json(tmp_path / "run" / "tokens.json") == {"model": "hub", "tokens": []}


def test_tasks_on_one_model_share_what_they_read_and_no_more(tmp_path):
    do(tmp_path / "run")
    seen = {name: extras["seen"] for name, extras in store.extras(tmp_path / "run").items()}
    assert seen == {"space-near@hub": 1, "space-far@hub": 2, "space-near@hub-untrained": 1, "space-far@hub-untrained": 2}


def test_a_task_that_speaks_for_another_is_an_internal_error(tmp_path):
    def wrong(task, model, **arguments):
        result = fake_run.perform(task, model, **arguments)
        return fake_run.FakeResult([replace(row, task="space/other") for row in result.readings], [], {})

    with pytest.raises(SemhubError, match="expected") as caught:
        do(tmp_path / "run", perform=wrong)
    assert not isinstance(caught.value, UserError)


def test_events_tell_where_a_run_stands(tmp_path):
    events = []
    do(tmp_path / "run", watch=events.append)
    told = [event.kind for event in events if event.kind != "progress"]
    assert told == ["opening", "opened", "part", "done", "part", "done"] * 2 + ["gathered"]
    assert [event.index for event in events if event.kind == "part"] == [1, 2, 3, 4]
    assert [(event.done, event.total) for event in events if event.kind == "progress"][:3] == [(0, 3), (1, 3), (2, 3)]

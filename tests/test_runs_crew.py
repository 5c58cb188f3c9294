"""Several processes share the parts of a run: the same tables, the same record, the same plain words for a mistake."""

import pandas as pd
import pytest

from semhub import jobs
from semhub.errors import UserError
from semhub.runs import prepare
from semhub.runs.crew import fitting, in_turn

ASKED = {"limit": 6, "layers": (0, 4), "types": ("en", "es")}
TASKS = ["multilingual/similarity", "multilingual/trend"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    events = []
    run = jobs.run(TASKS, out=tmp_path_factory.mktemp("crew") / "run", watch=events.append, workers=2, **ASKED)
    return run, events


def test_two_processes_write_what_one_writes(shared, tmp_path):
    alone = jobs.run(TASKS, out=tmp_path / "alone", **ASKED)
    pd.testing.assert_frame_equal(shared[0].readings(), alone.readings(), atol=1e-5, rtol=1e-5)
    pd.testing.assert_frame_equal(shared[0].outcomes(), alone.outcomes(), atol=1e-5, rtol=1e-5)


def test_the_record_holds_the_certificate_of_every_model(shared):
    spec = shared[0].spec()
    assert len(spec["models"]) == 3
    assert all(each["weights_hash"] and each["certificate"]["passed"] for each in spec["models"])


def test_the_person_hears_of_every_part(shared):
    run, events = shared
    told = [(event.kind, event.part) for event in events if event.kind in ("part", "done")]
    assert len(told) == len(set(told)) == 2 * run.done == 12
    assert {event.index for event in events if event.kind == "done"} == set(range(1, 7))


def test_a_mistake_found_by_another_process_comes_back_in_plain_words(tmp_path):
    with pytest.raises(UserError, match=r"Layers \[99\] were asked for"):
        jobs.run(TASKS, out=tmp_path / "run", workers=2, **ASKED | {"layers": (99,)})


def test_only_the_small_bundled_models_are_shared(opened):
    assert fitting(prepare(TASKS)) >= 1
    assert fitting(prepare(TASKS, opened("llama"))) == 1
    assert fitting(prepare(TASKS, "someone/large")) == 1


def test_parts_are_taken_task_by_task():
    parts = prepare(TASKS, **ASKED).parts
    taken = in_turn(parts)
    assert set(taken) == set(parts) and [part.task for part in taken] == [task for task in TASKS for _ in range(3)]
    assert [part.model for part in taken[:3]] == list(dict.fromkeys(part.model for part in parts))

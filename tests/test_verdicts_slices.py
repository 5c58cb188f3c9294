"""Slices of readings: headlines, curves and what lies in the middle."""

import pandas as pd
import pytest

import report_folder as made
from semhub.methods.order import order
from semhub.tasks import find, given
from semhub.types import COLUMNS, Reading
from semhub.verdicts.slices import at, curve, distinct, headline, middle, ordered, peak, where

SIMILARITY = {"task": "multilingual/similarity", "protocol": "sound", "measure": "adjusted_cosine", "group": "en-zh", "position": "probe"}
SIMILARITY |= {"variant": "raw", "n": 500}
STEER = {"task": "multilingual/steering", "protocol": "sound", "split": "report", "position": "all", "n": 24}


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame([row.row() for row in rows], columns=list(COLUMNS))


def similarity(values, model=made.HUB, half=0.01, **more) -> list[Reading]:
    return [Reading(model=model, layer=k, **SIMILARITY | more, **made.around(v, half)) for k, v in enumerate(values)]


def test_a_curve_is_ordered_and_leaves_out_what_has_no_value():
    rows = similarity([0.1, float("nan"), 0.3])
    assert [p.at for p in curve(frame(reversed(rows)))] == [0, 2]
    assert curve(frame(rows))[1].interval == (pytest.approx(0.29), pytest.approx(0.31))


def test_rows_of_several_seeds_become_their_mean_inside_the_outermost_interval():
    rows = [Reading(model="m", layer=1, seed=s, **SIMILARITY, value=v, low=v - 0.1, high=v + 0.1) for s, v in ((0, 0.2), (1, 0.4))]
    (found,) = curve(frame(rows))
    assert (found.value, found.low, found.high) == (pytest.approx(0.3), pytest.approx(0.1), pytest.approx(0.5))


def test_a_missing_end_of_one_interval_leaves_none():
    rows = [Reading(model="m", layer=1, seed=s, **SIMILARITY, value=0.2, low=low, high=0.3) for s, low in ((0, 0.1), (1, None))]
    assert curve(frame(rows))[0].interval is None


def test_a_headline_takes_random_negatives_the_probe_raw_states_and_the_report_half():
    rows = similarity([0.1]) + similarity([0.2], control="swapped")
    rows += similarity([0.3], position="last") + similarity([0.4], variant="centred")
    assert headline(frame(rows))["value"].tolist() == [0.1]
    assert headline(frame(rows), keep=("control",))["value"].tolist() == [0.1, 0.2]
    steered = [Reading(model="m", measure="sentiment", **STEER | {"split": s}, value=v) for s, v in (("choose", 1.0), ("report", 2.0))]
    assert headline(frame(steered))["value"].tolist() == [2.0]


def test_a_headline_takes_the_position_and_split_that_its_task_names_first():
    rows = similarity([0.1]) + similarity([0.3], position="last") + similarity([0.5], position="image", split="list")
    other = [Reading(**row.row() | {"task": "own/task"}) for row in rows]
    both = ordered(frame([*rows, *other]), {"own/task": {"position": ["image", "last"], "split": ["list", None]}})
    assert headline(where(both, task="own/task"))["value"].tolist() == [0.5]
    assert headline(where(both, task=SIMILARITY["task"]))["value"].tolist() == [0.1]
    assert headline(where(both, task="own/task", split=None))["value"].tolist() == [0.3]


def test_a_headline_without_random_negatives_is_empty():
    assert headline(frame(similarity([0.2], control="swapped"))).empty


def test_where_and_distinct_know_null():
    rows = frame(similarity([0.1]) + similarity([0.2], control="swapped"))
    assert distinct(rows["control"]) == [None, "swapped"]
    assert where(rows, control=None)["value"].tolist() == [0.1]


def test_the_middle_lies_strictly_between_first_and_last():
    points = curve(frame(similarity([0.9, 0.1, 0.2, 0.9])))
    assert [p.at for p in middle(points, 3)] == [1, 2]
    assert peak(middle(points, 3)).at == 2
    assert peak(()) is None and at(points, 7) is None


def test_a_verdict_reads_the_first_position_and_the_lists_not_the_calls():
    """As the tasks on images and on lists declare them."""

    def rows(task, column, *values):
        columns = {"task": task, "control": None, "position": "last", "variant": None, "split": "test"}
        return ordered(pd.DataFrame([{**columns, column: value} for value in values]), {task: order(find(task)("sound", given(limit=8)))})

    assert set(headline(rows("vision/similarity", "position", "mean", "question", "image")).position) == {"image"}
    assert set(headline(rows("code/conjunction-lens", "split", "call", "list")).split) == {"list"}

"""The rules that decide the page's words: slices of readings, comparisons of intervals, and the standing of each claim."""

import math

import pandas as pd
import pytest

import report_folder as made
from semhub.report import anchored, shared, used
from semhub.report.folder import read_run
from semhub.report.rules import apart, few, side, stretch
from semhub.verdicts.slices import Estimate, at, curve, distinct, headline, middle, peak, where
from semhub.types import COLUMNS, Reading

SIMILARITY = {"task": "multilingual/similarity", "protocol": "sound", "measure": "adjusted_cosine", "group": "en-zh", "position": "probe"}
SIMILARITY |= {"variant": "raw", "n": 500}
LENS = {"task": "multilingual/lens", "protocol": "sound", "position": "last", "n": 90}
STEER = {"task": "multilingual/steering", "protocol": "sound", "split": "report", "position": "all", "n": 24}


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame([row.row() for row in rows], columns=list(COLUMNS))


def similarity(values, model=made.HUB, half=0.01, **more) -> list[Reading]:
    return [Reading(model=model, layer=k, **SIMILARITY | more, **made.around(v, half)) for k, v in enumerate(values)]


@pytest.fixture
def run_of(tmp_path):
    """`run_of(readings, depth)`: a run of just these, by models of so many layers."""
    return lambda readings, depth=3: read_run(made.write(tmp_path, readings, parts=False, depth=depth))


# slices and comparisons ----------------------------------------------------------------------------------------------


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


ENDS = [(0.01, 0.2, "above"), (-0.2, -0.01, "below"), (-0.1, 0.1, "around"), (0.0, 0.2, "around"), (None, None, "bare")]


@pytest.mark.parametrize(("low", "high", "found"), ENDS)
def test_a_side_needs_the_whole_interval(low, high, found):
    assert side(Estimate(0.1, low, high)) == found


def test_estimates_are_apart_only_where_intervals_do_not_touch():
    low, high, wide = Estimate(0.1, 0.0, 0.2), Estimate(0.4, 0.3, 0.5), Estimate(0.3, 0.1, 0.6)
    assert (apart(high, low), apart(low, high), apart(wide, low), apart(low, None)) == ("above", "below", "around", "absent")
    assert apart(low, Estimate(0.9)) == "bare"


def test_an_unknown_number_of_items_counts_as_few():
    assert few(Estimate(0.1, n=0)) and not few(Estimate(0.1, n=20)) and not few(None)


def test_a_stretch_names_the_layers_on_one_side():
    assert stretch(curve(frame(similarity([0.0, 0.5, 0.5, -0.5]))), "above") == (1, 2)


# Eq. 1 ---------------------------------------------------------------------------------------------------------------

HIGH, FLAT = [0.0, 0.02, 0.3, 0.2], [0.0, 0.0, 0.0, 0.0]


def verdict(run) -> str:
    (found,) = shared.meetings(run)
    return shared.standing(found)


def all_models(values=HIGH, **more) -> list[Reading]:
    return similarity(values, **more) + similarity(FLAT, made.UNTRAINED, **more) + similarity(FLAT, made.MISPAIRED, **more)


def test_a_pair_meets_where_nothing_speaks_against_it(run_of):
    assert verdict(run_of(all_models() + all_models(control="swapped"))) == "meets"


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (all_models(FLAT), "none"),
        (all_models([0.0, 0.1, 0.2, 0.1], half=0.3), "unclear"),
        (all_models([0.0, 0.02, 0.03, 0.0], half=0.005), "small"),
        (all_models([0.3, 0.3, 0.3, 0.2]), "start"),
        (all_models() + similarity(FLAT, control="swapped"), "negatives"),
        (similarity(HIGH) + similarity(HIGH, made.UNTRAINED), "control"),
        (similarity(HIGH) + similarity([0.0, 0.29, 0.0, 0.0], made.MISPAIRED), "control"),
        (all_models(n=12), "few"),
        (all_models() + [Reading(model=made.HUB, **SIMILARITY | {"measure": "p_value"}, value=0.2)], "chance"),
        ([Reading(model=made.HUB, layer=k, **SIMILARITY, value=v) for k, v in enumerate(HIGH)], "bare"),
    ],
)
def test_a_pair_does_not_meet_where_something_does(run_of, readings, expected):
    assert verdict(run_of(readings)) == expected


def test_a_model_of_one_layer_has_no_middle(run_of):
    assert verdict(run_of(similarity([0.0, 0.3]), depth=1)) == "no-middle"


def test_a_control_is_read_as_the_model_is_but_at_the_middle_layer_that_flatters_it(run_of):
    elsewhere = similarity([0.0, 0.9, 0.0, 0.0], made.MISPAIRED, position="mean")
    (found,) = shared.meetings(run_of(similarity(HIGH) + similarity([0.0, 0.25, 0.1, 0.3], made.MISPAIRED) + elsewhere))
    assert (found.top.at, found.rivals[made.MISPAIRED].at, found.rivals[made.MISPAIRED].value) == (2, 1, 0.25)


def test_retrieval_both_ways_belongs_to_its_pair(run_of):
    there = similarity([0.1, 0.2, 0.5, 0.1], measure="p_at_1")
    back = similarity([0.1, 0.2, 0.7, 0.1], measure="p_at_1", group="zh-en")
    (found,) = shared.meetings(run_of(all_models() + there + back))
    assert {group: e.value for group, e in found.retrieval.items()} == {"en-zh": 0.5, "zh-en": 0.7}


# Eq. 2 ---------------------------------------------------------------------------------------------------------------


def anchor(values, model=made.HUB, half=0.1, measure="anchor", group="es:en", **more) -> list[Reading]:
    columns = LENS | {"measure": measure, "group": group} | more
    return [Reading(model=model, layer=k, **columns, **made.around(v, half)) for k, v in enumerate(values)]


def lifted(values, model=made.HUB) -> list[Reading]:
    return anchor(values, model, measure="lift") + anchor([0.05] * len(values), model, 0.01, measure="prob")


LEADS, LIFTS = [0.0, 1.0, 0.5, -3.0], [1.0, 4.0, 5.0, 1.0]


def anchoring(run_of, readings, depth=3):
    (found,) = anchored.anchorings(run_of(readings, depth))
    return found


def test_the_dominant_word_anchors_where_it_leads_beyond_wrong_words_and_trails_at_the_end(run_of):
    readings = anchor(LEADS) + lifted(LIFTS) + anchor([0.0] * 4, control="wrong-word") + anchor([0.0] * 4, made.UNTRAINED)
    found = anchoring(run_of, readings)
    assert anchored.standing(found) == "anchors"
    assert (found.ahead, [e.at for e in found.spoken()]) == ((1, 2), [1, 2])


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (anchor([0.0, 1.0, 0.5, 2.0]) + lifted(LIFTS), "stays"),
        (anchor([0.0, -1.0, -0.5, -3.0]) + lifted(LIFTS), "own"),
        (anchor([0.0, 0.05, 0.0, -3.0]) + lifted(LIFTS), "unclear"),
        (anchor(LEADS) + lifted([1.0, 1.0, 1.0, 1.0]), "frequency"),
        (anchor(LEADS) + lifted(LIFTS) + anchor([0.0, 1.0, 0.5, 0.0], control="wrong-word"), "frequency"),
        (anchor(LEADS) + lifted(LIFTS) + anchor(LEADS, made.MISPAIRED) + lifted(LIFTS, made.MISPAIRED), "control"),
        (anchor(LEADS, n=5) + lifted(LIFTS), "few"),
    ],
)
def test_the_dominant_word_does_not_anchor_where_something_speaks_against_it(run_of, readings, expected):
    assert anchored.standing(anchoring(run_of, readings)) == expected


def test_a_control_that_leads_by_frequency_alone_takes_nothing_away(run_of):
    rival = anchor(LEADS, made.MISPAIRED) + lifted([1.0] * 4, made.MISPAIRED)
    assert anchored.standing(anchoring(run_of, anchor(LEADS) + lifted(LIFTS) + rival)) == "anchors"


def test_without_a_paired_difference_the_two_log_probabilities_give_one_without_interval(run_of):
    readings = anchor([-1.0, -2.0, -2.0], measure="logprob") + anchor([-2.0, -4.0, -1.0], measure="logprob", group="es:es")
    found = anchoring(run_of, readings, depth=2)
    assert [p.value for p in found.curve] == [1.0, 2.0, -1.0]
    assert anchored.standing(found) == "bare"


# use -----------------------------------------------------------------------------------------------------------------


def change(up, down, model=made.HUB, half=0.1, measure="sentiment_change", **more) -> list[Reading]:
    columns = STEER | {"group": "en>es", "layer": 4, "measure": measure} | more
    return [Reading(model=model, strength=s, **columns, **made.around(v, half)) for s, v in ((1.0, up), (-1.0, down))]


def excess(value, control) -> list[Reading]:
    return change(value, value, measure="sentiment_excess", control=control)


def steering(run_of, readings):
    (found,) = used.steerings(run_of(readings))
    return found


def test_a_push_moves_where_it_works_both_ways_beyond_its_controls(run_of):
    readings = change(0.5, -0.5) + excess(0.4, "random-direction") + excess(0.3, "layer-0") + change(0.02, 0.0, made.MISPAIRED)
    found = steering(run_of, readings)
    assert used.standing(found) == "moves"
    assert found.change[1].value == 0.5 and found.change[1].interval == (pytest.approx(0.4), pytest.approx(0.6))


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (change(0.05, -0.05), "unclear"),
        (change(0.5, 0.0), "one-way"),
        (change(0.5, 0.5), "one-way"),
        (change(-0.5, 0.5), "unclear"),
        (change(0.5, 0.0) + excess(0.0, "layer-0"), "controls"),
        (change(0.5, 0.0) + change(0.5, 0.0, made.UNTRAINED), "rival"),
        (change(0.5, -0.5) + excess(0.4, "random-direction") + excess(0.0, "layer-0"), "controls"),
        (change(0.5, -0.5) + excess(0.4, "random-direction") + change(0.45, -0.45, made.MISPAIRED), "rival"),
        (change(0.5, -0.5, n=8), "few"),
    ],
)
def test_a_push_does_not_count_where_something_speaks_against_it(run_of, readings, expected):
    assert used.standing(steering(run_of, readings)) == expected


def test_the_controls_that_are_not_beaten_are_named(run_of):
    found = steering(run_of, change(0.5, -0.5) + excess(0.4, "random-direction") + excess(0.05, "as-text"))
    assert used.failing(found) == ["as-text"]


def test_the_setting_is_the_one_that_the_run_chose(tmp_path):
    readings = change(0.2, -0.2, layer=2) + change(0.9, -0.9)
    made.write(tmp_path, readings, parts=False)
    (tmp_path / "parts").mkdir()
    chosen = '{"task": "multilingual/steering", "model": "semhub-text", "chosen": {"en>es": {"layer": 2, "strength": 1.0}}}'
    (tmp_path / "parts" / "multilingual-steering@semhub-text.json").write_text(chosen)
    (found,) = used.steerings(read_run(tmp_path))
    assert (found.layer, found.change[0].value) == (2, 0.2)


VALUES = ((0, 0.1), (1, 0.4), (-1, 0.0))


def test_without_paired_changes_the_means_give_one_without_interval(run_of):
    rows = [Reading(model=made.HUB, measure="sentiment", **STEER, group="en>es", layer=4, strength=5.0 * s, value=v) for s, v in VALUES]
    found = steering(run_of, rows)
    assert [e.value for e in found.change] == [pytest.approx(0.3), pytest.approx(0.1)]
    assert used.standing(found) == "bare"


def test_pushes_of_the_dominant_type_on_itself_are_no_evidence(run_of):
    assert used.steerings(run_of(change(0.5, -0.5, group="en>en"))) == []


def test_values_that_are_no_number_are_no_evidence(run_of):
    readings = [*all_models(), *change(math.nan, math.nan), *anchor([math.nan] * 4)]
    run = run_of(readings)
    assert verdict(run) == "meets"
    assert [used.standing(s) for s in used.steerings(run)] == ["absent"]
    assert anchored.anchorings(run) == []

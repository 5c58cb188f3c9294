"""Verdicts on made-up tables: each need of a claim, taken away alone, takes the word `supported` with it."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import report_folder as made
from semhub.errors import BadInput, UnknownName
from semhub.runs import store
from semhub.types import COLUMNS, Outcome, Reading
from semhub.verdicts import Evidence, Subject, Thresholds, judge, write_verdicts
from semhub.verdicts.explain import PAGE, page
from semhub.verdicts.inference import apart, interval_p, peak_sign_flip, quantile
from semhub.verdicts.judging import corrected, of_model
from semhub.verdicts.slices import Estimate
from semhub.verdicts.thresholds import LIMITS, read_thresholds, told

HUB, UNTRAINED, MISPAIRED = made.HUB, made.UNTRAINED, made.MISPAIRED
SIMILARITY = {"task": "multilingual/similarity", "protocol": "sound", "measure": "adjusted_cosine", "group": "en-zh", "position": "probe"}
SIMILARITY |= {"variant": "raw", "n": 500}
LENS = {"task": "multilingual/lens", "protocol": "sound", "position": "last", "n": 90}
STEER = {"task": "multilingual/steering", "protocol": "sound", "split": "report", "position": "all", "n": 24}


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame([row.row() for row in rows], columns=list(COLUMNS))


def evidence(readings, outcomes=None, models=None, depth=3, chosen=None, facts=None) -> Evidence:
    named = made.MODELS if models is None else models
    subjects = [Subject(name, role, {"layers": depth} | (facts or {}).get(name, {})) for name, role in named.items()]
    items = None if outcomes is None else pd.DataFrame([{k: getattr(o, k) for k in Outcome.__slots__} for o in outcomes])
    return Evidence.of(frame(readings), items, subjects, chosen)


def verdict(readings, limits=LIMITS, model=HUB, **more):
    given = evidence(readings, **more)
    (found,) = of_model(given, next(s for s in given.subjects if s.name == model), limits)
    return found


# Eq. 1 ---------------------------------------------------------------------------------------------------------------

HIGH, FLAT = [0.0, 0.02, 0.3, 0.2], [0.0, 0.0, 0.0, 0.0]


def similarity(values, model=HUB, half=0.01, **more) -> list[Reading]:
    return [Reading(model=model, layer=k, **SIMILARITY | more, **made.around(v, half)) for k, v in enumerate(values)]


def chance(p: float, model=HUB) -> list[Reading]:
    return [Reading(model=model, **SIMILARITY | {"measure": "p_value"}, value=p)]


def meets(values=HIGH, negatives=HIGH, twin=FLAT, mispaired=FLAT, p=0.002, **more) -> list[Reading]:
    found = similarity(values, **more) + (chance(p) if p is not None else [])
    found += similarity(negatives, control="swapped", **more) if negatives else []
    found += similarity(twin, UNTRAINED, **more) if twin else []
    return found + (similarity(mispaired, MISPAIRED, **more) if mispaired else [])


def test_a_pair_that_meets_every_need_is_supported():
    found = verdict(meets())
    assert (found.verdict, found.layer, found.effect, found.reasons) == ("supported", 2, 0.3, ())
    assert {c.name: c.passed for c in found.controls} == dict.fromkeys(("layer-0", "untrained-twin", "swapped", "model:mispaired"), True)
    assert found.p == found.p_raw == 0.002


NEEDS = {
    "the effect may be too small": (meets([0.0, 0.02, 0.055, 0.0]), ["small"]),
    "as high at layer 0": (meets([0.3, 0.3, 0.31, 0.2]), ["control:layer-0"]),
    "layer 0 not read": ([r for r in meets() if r.layer != 0], ["control:layer-0"]),
    "the untrained twin is as high": (meets(twin=[0.0, 0.0, 0.3, 0.0]), ["control:untrained-twin"]),
    "the twin is as high at another layer": (meets(twin=[0.0, 0.295, 0.0, 0.0]), ["control:untrained-twin"]),
    "no twin": (meets(twin=None), ["untrained-twin"]),
    "not above negatives": (meets(negatives=FLAT), ["control:swapped"]),
    "no negatives": (meets(negatives=None), ["negatives"]),
    "a control is as high": (meets(mispaired=[0.0, 0.295, 0.0, 0.0]), ["control:model:mispaired"]),
    "permuted meanings reach it": (meets(p=0.2), ["p"]),
}


@pytest.mark.parametrize(("readings", "reasons"), NEEDS.values(), ids=NEEDS)
def test_each_need_alone_makes_a_pair_undecided(readings, reasons):
    found = verdict(readings)
    assert (found.verdict, list(found.reasons)) == ("undecided", reasons)
    assert len(found.objections) >= len(reasons)


def test_too_few_items_decide_nothing():
    for values in (HIGH, FLAT):
        found = verdict(meets(values, n=12))
        assert found.verdict == "undecided" and found.reasons[0] == "few"


def test_contradicted_needs_the_upper_end_below_the_smallest_effect_at_every_middle_layer():
    assert verdict(meets(FLAT, FLAT)).verdict == "contradicted"
    assert verdict(meets([0.0, 0.02, 0.045, 0.0], FLAT)).verdict == "undecided"  # upper end 0.055
    unsure = [r for r in similarity([0.0, 0.01, 0.02, 0.0]) if r.layer != 1] + [
        Reading(model=HUB, layer=1, **SIMILARITY, value=0.01, low=-0.1, high=0.12)
    ]
    assert verdict(unsure + meets(twin=FLAT)[9:]).verdict == "undecided"


def test_a_high_p_value_alone_contradicts_nothing():
    assert verdict(meets(p=1.0)).verdict == "undecided"
    assert verdict(meets(FLAT, FLAT, p=0.001)).verdict == "contradicted"


def test_the_last_layer_and_the_embeddings_are_no_middle():
    assert verdict(meets([0.9, 0.0, 0.0, 0.9])).verdict == "contradicted"
    one = verdict([r for r in meets([0.0, 0.3]) if r.layer in (None, 0, 1)], depth=1)
    assert (one.verdict, one.reasons) == ("undecided", ("unmeasured",))


def test_values_without_an_interval_claim_nothing():
    found = verdict([Reading(**r.row() | {"low": None, "high": None}) for r in meets()])
    assert (found.verdict, found.reasons) == ("undecided", ("no-interval",))


def test_without_a_twin_only_the_threshold_lets_a_pair_through():
    found = verdict(meets(twin=None), Thresholds(needs_twin=False))
    assert found.verdict == "supported" and "An untrained twin was not asked for." in found.objections


def test_the_twins_bar_is_the_upper_end_of_its_highest_middle_layer():
    (twin,) = [c for c in verdict(meets(twin=[0.9, 0.04, 0.02, 0.9])).controls if c.name == "untrained-twin"]
    half = 0.01 * TWO_LAYERS
    assert twin.effect == pytest.approx(0.3 - 0.05) and (twin.low, twin.high) == (pytest.approx(0.25 - half), pytest.approx(0.25 + half))


TWO_LAYERS = stats.norm.isf(0.0125) / stats.norm.isf(0.025)  # how much wider an interval is that was picked from two layers


def test_controls_are_as_wide_as_the_choice_of_the_layer_makes_them():
    """Above 0 by its own interval alone, a control at the layer where S happens to be highest is not beaten."""
    above = 0.01 * (1 + TWO_LAYERS) / 2  # between the half width and the widened one
    assert verdict(meets(negatives=[0.0, 0.0, above, 0.0])).reasons == ("control:swapped",)
    assert verdict(meets(negatives=[0.0, 0.0, 0.01 * TWO_LAYERS + 1e-6, 0.0])).verdict == "supported"
    start = [0.3 - 0.02 - np.hypot(0.01, 0.01) * (1 + TWO_LAYERS) / 2, 0.02, 0.3, 0.2]
    assert verdict(meets(start, twin=FLAT)).reasons == ("control:layer-0",)


def test_an_effect_that_may_be_too_small_says_how_many_items_would_tell():
    n = 500
    found = verdict(meets([0.0, 0.02, 0.055, 0.0], n=n))
    (told,) = [text for text in found.objections if "items like these would be needed" in text]
    needed = int(re.search(r"about ([\d,]+) items", told)[1].replace(",", ""))
    z = stats.norm.isf(0.025)
    assert needed == pytest.approx(((z + stats.norm.isf(0.1)) * (0.01 / z) / 0.005) ** 2 * n, rel=0.01)
    assert "would be needed" not in " ".join(verdict(meets([0.0, 0.02, 0.045, 0.0])).objections), "seemingly below the smallest of interest"


def test_of_many_twins_the_bar_is_a_quantile_of_their_own_values():
    models = {HUB: "hub"} | {f"twin{i}": "control:untrained" for i in range(41)}
    peaks = np.linspace(0.0, 0.04, 41)
    readings = meets(twin=None, mispaired=None) + [r for i, v in enumerate(peaks) for r in similarity([0, v, 0, 0], f"twin{i}")]
    (twin,) = [c for c in verdict(readings, models=models).controls if c.name == "untrained-twin"]
    assert twin.effect == pytest.approx(0.3 - np.quantile(peaks, 0.975))


def test_a_rise_is_paired_by_item_where_items_were_kept():
    layers = {0: np.linspace(-0.5, 0.5, 40), 2: np.linspace(-0.2, 0.8, 40)}
    items = [Outcome(SIMILARITY["task"], "sound", HUB, "adjusted_cosine", f"i{i}", "en-zh", "probe", "raw", layer=k, value=v) for k, x in
             layers.items() for i, v in enumerate(x)]  # fmt: skip
    (rise,) = [c for c in verdict(meets(half=0.2), outcomes=items).controls if c.name == "layer-0"]
    assert (rise.effect, rise.low, rise.high) == tuple(pytest.approx(v) for v in (0.3, 0.3, 0.3)) and rise.passed


def test_what_an_untrained_model_or_a_control_shows_is_judged_too():
    found = {v.model: v for v in judge(evidence(meets()))}
    assert {found[m].verdict for m in (UNTRAINED, MISPAIRED)} == {"contradicted"}
    as_hub = {v.model: v.verdict for v in judge(evidence(meets(twin=HIGH, mispaired=HIGH)))}
    assert "supported" not in as_hub.values()


DERANGED = {HUB: "hub", UNTRAINED: "control:untrained", "m-deranged": "control:deranged", "m-zh": "control:zh-dominant"}


@pytest.mark.parametrize(
    ("kind", "pair", "word"), [("m-zh", "en-zh", "supported"), ("m-deranged", "en-zh", "undecided"), ("m-deranged", "en-es", "supported")]
)
def test_a_control_counts_only_where_it_is_a_null(kind, pair, word):
    readings = [Reading(**r.row() | {"group": pair}) for r in meets(mispaired=None) + similarity(HIGH, kind)]
    assert verdict(readings, models=DERANGED).verdict == word


def test_deranged_is_no_null_where_it_is_asked_about_what_it_was_taught():
    planted = [Reading(**r.row() | {"task": "multilingual/planted"}) for r in meets(mispaired=None) + similarity(HIGH, "m-deranged")]
    assert verdict(planted, models=DERANGED).verdict == "supported"


@pytest.mark.parametrize(("shown", "pair", "word"), [
    (["en", "image"], "image-en", "supported"), (["en", "image"], "en-image", "supported"), (["en", "image"], "image-es", "undecided"),
    (["en", "image"], "en-es", "undecided"), (["en", "audio"], "image-en", "undecided"), (["en", "es"], "en-es", "undecided"),
    (None, "image-en", "undecided"),
])  # fmt: skip
def test_a_mispaired_model_that_was_shown_pictures_truly_is_no_null_for_them(shown, pair, word):
    readings = [Reading(**r.row() | {"group": pair}) for r in meets(mispaired=HIGH)]
    found = verdict(readings, facts={MISPAIRED: {"types": shown} if shown else {}})
    assert (found.verdict, "model:mispaired" in {c.name for c in found.controls}) == (word, word == "undecided")


def weaknesses(found) -> list[str]:
    return [text for text in found.objections if "mispaired control is not as good" in text]


@pytest.mark.parametrize(
    ("short", "said"),
    [(["zh", "de"], "in Chinese as the model"), (["en", "zh"], "in English or Chinese as the model"), (["de"], None), (None, None)],
)
def test_a_control_that_is_weak_in_a_type_is_objected_to_and_decides_nothing(short, said):
    facts = {MISPAIRED: {} if short is None else {"unmatched": short}}
    found, plain = verdict(meets(), facts=facts), verdict(meets())
    assert [said in text for text in weaknesses(found)] == ([] if said is None else [True])
    assert replace(found, objections=()) == replace(plain, objections=()) and found.verdict == "supported"
    assert not weaknesses(verdict(meets(mispaired=HIGH), facts=facts)), "it was not beaten, however weak it is"
    assert verdict(meets(mispaired=HIGH), facts=facts).reasons == ("control:model:mispaired",)
    assert not weaknesses(verdict(meets(mispaired=None), facts=facts)), "it was not asked"


# Eq. 2 ---------------------------------------------------------------------------------------------------------------

LEADS, LIFTS, NONE = [0.0, 1.0, 0.5, -3.0], [1.0, 4.0, 5.0, 1.0], [0.0] * 4


def anchor(values, model=HUB, half=0.1, measure="anchor", group="es:en", **more) -> list[Reading]:
    columns = LENS | {"measure": measure, "group": group} | more
    return [Reading(model=model, layer=k, **columns, **made.around(v, half)) for k, v in enumerate(values)]


def leads(values=LEADS, lifts=LIFTS, wrong=NONE, other=NONE, right=0.05, model=HUB, group="es:en", **more) -> list[Reading]:
    found = anchor(values, model, group=group, **more)
    found += anchor(lifts, model, measure="lift", group=group, **more) if lifts else []
    found += anchor([right] * 4, model, 0.01, measure="prob", group=group, **more)
    found += anchor(wrong, model, control="wrong-word", group=group, **more) if wrong else []
    return found + (anchor(other, model, group=f"{group.split(':')[0]}:zh", **more) if other else [])


def test_the_anchor_is_the_type_that_leads_among_all():
    found = verdict(leads())
    assert (found.verdict, found.anchor, found.group, found.layer) == ("supported", "en", "es", 1)
    assert set(found.candidates) == {"en", "zh", "es"} and found.candidates["en"]["effect"] == 1.0
    assert {c.name for c in found.controls} == {"other-types", "wrong-word", "right-over-wrong", "last-layer"}


def test_another_dominant_type_is_found_as_well():
    chinese = leads(group="es:zh", other=None) + anchor([0.0, 0.2, 0.1, -3.0], group="es:en")
    found = verdict(chinese)
    assert (found.verdict, found.anchor) == ("supported", "zh")


def test_words_that_lead_for_their_frequency_name_no_anchor():
    """Chinese words lead by 2 whether right or wrong; right English ones are behind, but by 1 less than wrong ones."""
    frequent = anchor([0.0, 2.0, 2.0, -3.0], group="es:zh") + anchor([0.0, 2.0, 2.0, 0.0], control="wrong-word", group="es:zh")
    found = verdict(leads([0.0, -0.5, -0.6, -3.0], wrong=[0.0, -1.5, -1.6, 0.0], other=None) + frequent)
    assert (found.verdict, found.anchor, found.effect) == ("undecided", "en", -0.5)
    assert any("the plain difference of Eq. 2" in text for text in found.objections)
    led = verdict(leads(wrong=LEADS, other=None) + frequent)
    assert (led.verdict, led.anchor) == ("undecided", "es"), "where nothing leads beyond frequency, the own type is named"
    assert not any("plain difference" in text for text in led.objections)


ANCHOR_NEEDS = {
    "the lead may be too small": (leads([0.0, 0.15, 0.1, -3.0], wrong=[-1.0] * 4, other=[-1.0] * 4), ["small"]),
    "another type leads as much": (leads(other=[0.0, 0.95, 0.5, -3.0]), ["control:other-types"]),
    "wrong words lead as much": (leads(wrong=[0.0, 0.95, 0.45, 0.0]), ["control:wrong-word"]),
    "wrong words were not looked up": (leads(wrong=None), ["control:wrong-word"]),
    "wrong words are as probable": (leads(lifts=[1.0] * 4), ["control:right-over-wrong"]),
    "right words were not compared with wrong ones": (leads(lifts=None), ["control:right-over-wrong"]),
    "the right word is hardly probable": (leads(right=0.001), ["control:right-over-wrong"]),
    "the last layers do not turn": (leads([0.0, 1.0, 0.5, 2.0]), ["control:last-layer"]),
    "a control speaks as clearly": (leads() + leads(model=MISPAIRED, other=None), ["control:model:mispaired"]),
}


@pytest.mark.parametrize(("readings", "reasons"), ANCHOR_NEEDS.values(), ids=ANCHOR_NEEDS)
def test_each_need_alone_makes_an_anchor_undecided(readings, reasons):
    found = verdict(readings)
    assert (found.verdict, list(found.reasons)) == ("undecided", reasons)


def test_right_words_that_are_hardly_spoken_are_named_as_the_reason():
    rare, unread = verdict(leads(right=0.001)), verdict([r for r in leads() if r.measure != "prob"])
    assert "]; right words have a mean probability of 0.001, below 0.02." in rare.objections[0]
    assert "the probability of the right words was not measured" in unread.objections[0]
    assert all(c.why == "" for c in verdict(leads(lifts=[1.0] * 4)).controls + verdict(leads()).controls)


@pytest.mark.parametrize(("group", "word"), [("image:en", "supported"), ("image:es", "undecided"), ("es:en", "undecided")])
def test_of_prompts_the_type_whose_word_is_read_says_whether_a_control_is_a_null(group, word):
    readings = leads(group=group) + leads(model=MISPAIRED, other=None, group=group)
    assert verdict(readings, facts={MISPAIRED: {"types": ["en", "image"]}}).verdict == word


def test_a_control_that_is_weak_in_the_type_whose_word_is_read_is_objected_to():
    readings = leads() + leads(lifts=[1.0, 2.0, 1.0, 1.0], model=MISPAIRED, other=None)
    found = {short: verdict(readings, facts={MISPAIRED: {"unmatched": [short]}}) for short in ("en", "es", "zh")}
    assert {v.verdict for v in found.values()} == {"supported"}
    assert {short: len(weaknesses(v)) for short, v in found.items()} == {"en": 1, "es": 1, "zh": 0}


def test_signs_that_flip_as_well_make_an_anchor_undecided():
    rng = np.random.default_rng(1)
    columns = {"task": LENS["task"], "protocol": "sound", "model": HUB, "measure": "anchor", "group": "es:en", "position": "last"}
    items = [Outcome(**columns, item=f"i{i}", layer=k, value=float(v)) for k in (1, 2) for i, v in enumerate(rng.standard_normal(90))]
    found = verdict(leads(), outcomes=items)
    assert (found.verdict, found.reasons) == ("undecided", ("p",)) and found.p > 0.05
    lifted = verdict(leads(), outcomes=[Outcome(**columns, item=o.item, layer=o.layer, value=o.value + 1) for o in items])
    assert (lifted.verdict, lifted.p) == ("supported", 1e-4)


def test_an_own_word_that_leads_everywhere_contradicts_an_anchor():
    found = verdict(leads([0.0, -1.0, -0.5, -3.0], other=[0.0, -2.0, -2.0, -3.0]))
    assert (found.verdict, found.anchor) == ("contradicted", "es")
    unsure = verdict(leads([0.0, -1.0, -0.5, -3.0], other=[0.0, -0.3, 0.05, -3.0]))  # upper end 0.15 for zh
    assert unsure.verdict == "undecided"


def test_prompts_of_the_anchor_itself_are_not_asked():
    own = anchor([0.0, -2.0, -2.0, -3.0], group="en:es") + anchor([0.0, -2.0, -2.0, -3.0], group="en:zh")
    found = [v for v in judge(evidence(leads() + own)) if v.model == HUB]
    assert [v.group for v in found] == ["es"]


def test_a_lead_beyond_wrong_words_is_taken_item_by_item_where_it_was_measured():
    found = verdict(leads() + anchor([0.0, 0.05, 0.02, 0.0], measure="anchor_excess"))
    assert "control:wrong-word" in found.reasons


# use -----------------------------------------------------------------------------------------------------------------

PUSHED = ("random-direction", "neutral-word", "as-text", "layer-0")


def change(up, down, model=HUB, half=0.1, measure="sentiment_change", **more) -> list[Reading]:
    columns = STEER | {"group": "en>es", "layer": 2, "measure": measure} | more
    return [Reading(model=model, strength=s, **columns, **made.around(v, half)) for s, v in ((1.0, up), (-1.0, down)) if v is not None]


def pushes(up=0.5, down=-0.5, without=(), **beyond) -> list[Reading]:
    found = change(up, down)
    for control in (*(c for c in PUSHED if c not in without), *(c.replace("_", "-") for c in beyond if c.replace("_", "-") not in PUSHED)):
        value = beyond.get(control.replace("-", "_"), (0.4, 0.4))
        found += change(value[0], value[1] if down is not None else None, measure="sentiment_excess", control=control)
    return found


def test_a_push_that_beats_every_control_both_ways_is_supported():
    found = verdict(pushes())
    assert (found.verdict, found.effect, found.layer, found.strength) == ("supported", 0.5, 2, 1.0)
    assert [c.name for c in found.controls] == ["upward", "downward", "as-text", "layer-0", "neutral-word", "random-direction"]


PUSH_NEEDS = {
    "any large push does it": (pushes(random_direction=(0.0, 0.0)), ["control:random-direction"]),
    "any large push does it downward": (pushes(random_direction=(0.4, 0.05)), ["control:random-direction"]),
    "a neutral word does it": (pushes(neutral_word=(0.0, 0.0)), ["control:neutral-word"]),
    "layer 0 does it too": (pushes(layer_0=(0.05, 0.05)), ["control:layer-0"]),
    "plain text does it too": (pushes(as_text=(-0.1, 0.0)), ["control:as-text"]),
    "a push at a wrong position does it": (pushes(wrong_position=(0.0, 0.0)), ["control:wrong-position"]),
    "another control that was run does it": (pushes(shuffled_pair=(0.0, 0.0)), ["control:shuffled-pair"]),
    "it works upward only": (pushes(down=0.05), ["control:downward", "p"]),
    "a control model is moved as much": (pushes() + change(0.45, -0.45, MISPAIRED), ["control:model:mispaired"]),
    "the push is at the last layer": ([Reading(**r.row() | {"layer": 3}) for r in pushes()], ["middle"]),
} | {f"{control} was not run": (pushes(without=(control,)), [control]) for control in PUSHED}


@pytest.mark.parametrize(("readings", "reasons"), PUSH_NEEDS.values(), ids=PUSH_NEEDS)
def test_each_need_alone_makes_a_push_undecided(readings, reasons):
    found = verdict(readings)
    assert (found.verdict, list(found.reasons)) == ("undecided", reasons)


def over_all(rows) -> list[Reading]:
    return [Reading(**r.row() | {"variant": "all"}) for r in rows]


def test_a_push_that_beats_a_weak_control_is_supported_and_objected_to():
    found = verdict(pushes() + change(0.0, 0.0, MISPAIRED), facts={MISPAIRED: {"unmatched": ["es"]}})
    assert found.verdict == "supported" and ["in Spanish" in text for text in weaknesses(found)] == [True]


def test_a_push_is_judged_over_all_prompts_where_the_run_counts_them():
    chosen_by_the_push = pushes() + over_all(pushes(0.05, 0.05))
    assert verdict(chosen_by_the_push).verdict == "undecided"
    cleared = pushes(layer_0=(0.0, 0.0)) + over_all(pushes())  # too few outputs of layer 0 could be judged
    assert verdict(cleared).verdict == "supported"


def test_prompts_that_cannot_be_judged_count_as_no_change():
    items = prompts(np.ones(24), -np.ones(24), np.zeros(24))
    left = [replace(o, value=float("nan")) if o.item == "p0" and o.strength == 1.0 else o for o in items]
    of = lambda rows, outcomes: verdict(rows, outcomes=outcomes).effect  # noqa: E731
    assert of(pushes() + over_all(pushes()), left) == pytest.approx(1 - 0.5 / 24)
    assert of(pushes(), left) == pytest.approx(1.0)


@pytest.mark.parametrize(("left", "word"), [(60, "contradicted"), (20, "contradicted"), (19, "undecided"), (0, "undecided")])
def test_outputs_that_cannot_be_judged_contradict_nothing(left, word):
    """No change over all prompts says nothing where hardly one of them could show a change."""
    sure = [Reading(**r.row() | {"value": 0.0, "low": -0.05, "high": 0.05, "n": 60}) for r in pushes()]
    seen = [Reading(**r.row() | {"n": left}) for r in sure] if left else []
    found = verdict(seen + over_all(sure))
    assert found.verdict == word and ("few" in found.reasons) == (word == "undecided")


def test_a_push_that_hardly_any_output_survives_is_not_supported():
    few = [Reading(**r.row() | {"n": 5}) for r in pushes()]
    found = verdict(few + over_all(pushes()))
    assert (found.verdict, found.reasons) == ("undecided", ("few",)) and "5 items of" in found.objections[0]


def test_a_push_that_is_tried_one_way_only_is_asked_for_that_one():
    found = verdict(pushes(down=None))
    assert found.verdict == "supported" and [c.name for c in found.controls][0] == "upward" and len(found.controls) == 5


def test_a_push_at_another_layer_may_work_as_well():
    found = verdict(pushes(wrong_layer=(0.0, 0.0)))
    assert found.verdict == "supported"
    assert verdict(pushes(wrong_layer=(0.0, 0.0)), Thresholds(shown_only=())).verdict == "undecided"


def test_a_push_that_does_nothing_for_sure_is_contradicted():
    sure = [Reading(**r.row() | {"value": 0.0, "low": -0.05, "high": 0.05}) for r in pushes()]
    assert verdict(sure).verdict == "contradicted"
    assert verdict(pushes(0.05, -0.05)).verdict == "undecided"
    elsewhere = [Reading(**r.row() | {"layer": 1, "high": 0.3, "low": -0.3}) for r in sure if r.measure.endswith("_change")]
    assert verdict(sure + elsewhere).verdict == "undecided", "at another middle layer it may do something"
    last = [Reading(**r.row() | {"layer": 3}) for r in elsewhere]
    assert verdict(sure + last).verdict == "contradicted", "the last layer is none of those that the claim is about"


@pytest.mark.parametrize(
    ("target", "n", "word"),
    [
        ("correct", 20, "undecided"), ("correct", 60, "contradicted"),
        ("sentiment", 60, "undecided"), ("sentiment", 90, "contradicted"), ("tone", 900, "undecided"),
    ],
)  # fmt: skip
def test_no_change_in_any_of_few_prompts_is_not_known_to_be_none(target, n, word):
    """A share can have changed by 1 in a prompt that was not tried, a sentiment by 2, another measure by nobody knows how much."""
    none = {"value": 0.0, "low": 0.0, "high": 0.0, "n": n}
    assert verdict([Reading(**r.row() | none | {"measure": r.measure.replace("sentiment", target)}) for r in pushes()]).verdict == word


def test_a_push_is_judged_where_the_run_chose_it():
    readings = [Reading(**r.row() | {"layer": 1}) for r in pushes()] + change(0.9, -0.9)
    place = {("multilingual/steering", HUB, "en>es"): (1.0, 1.0)}
    assert (verdict(readings, chosen=place).layer, verdict(readings).layer) == (1, 2)


def test_a_setting_chosen_on_the_same_prompts_costs_as_many_tests_as_were_tried():
    elsewhere = [r for layer in (1, 4, 5) for r in change(0.1, -0.1, layer=layer)]
    raw = verdict(pushes(), depth=8).p_raw
    assert verdict(pushes() + elsewhere, depth=8).p_raw == pytest.approx(4 * raw)
    assert verdict(pushes() + elsewhere + change(0.4, -0.4, split="choose"), depth=8).p_raw == pytest.approx(raw)


def test_shares_that_a_push_is_to_lower_are_no_targets():
    lowered = [Reading(**r.row() | {"measure": "unchanged" + r.measure.removeprefix("sentiment")}) for r in pushes()]
    assert judge(evidence(lowered)) == []


def prompts(up, down, base) -> list[Outcome]:
    columns = {"task": STEER["task"], "protocol": "sound", "model": HUB, "measure": "sentiment", "group": "en>es", "split": "report"}
    rows = [(0.0, None, base), (1.0, 2, up), (-1.0, 2, down)]
    return [Outcome(**columns, item=f"p{i}", strength=s, layer=k, value=float(v)) for s, k, x in rows for i, v in enumerate(x)]


def test_the_p_value_of_a_push_is_the_greater_of_its_directions():
    noise = np.random.default_rng(0).standard_normal(30) * 0.1
    found = verdict(pushes(), outcomes=prompts(noise + 0.5, noise - 0.5, np.zeros(30)))
    assert found.p_raw == 1e-4 and found.verdict == "supported" and found.effect == pytest.approx(0.5)
    one_way = verdict(pushes(), outcomes=prompts(noise + 0.5, noise, np.zeros(30)))
    assert one_way.p_raw > 0.1 and one_way.reasons == ("p",)


def test_pushes_of_a_type_on_itself_and_values_that_are_none_are_no_evidence():
    assert judge(evidence([Reading(**r.row() | {"group": "en>en"}) for r in pushes()])) == []
    (found,) = judge(evidence(change(math.nan, math.nan)))
    assert (found.verdict, found.reasons) == ("undecided", ("unmeasured",))


# means alone (protocol paper) ----------------------------------------------------------------------------------------


def test_means_alone_are_told_and_claim_nothing():
    words = anchor([-1.0, -2.0, -2.0, -2.0], measure="logprob", group="es:en") + anchor(
        [-2.0, -4.0, -1.0, -1.0], measure="logprob", group="es:es"
    )
    assert judge(evidence(words)) == [], "with intervals, a task that measures no lead asks for no verdict on one"
    found = verdict([replace(word, low=None, high=None) for word in words])
    assert (found.effect, found.anchor, found.reasons) == (2.0, "en", ("no-interval",))
    rows = [(0.0, 0.1), (5.0, 0.4), (-5.0, 0.0)]
    push = [Reading(model=HUB, measure="sentiment", **STEER, group="en>es", layer=2, strength=s, value=v) for s, v in rows]
    found = verdict(push)
    assert (found.effect, found.reasons) == (pytest.approx(0.2), ("no-interval",))


# over a whole run ----------------------------------------------------------------------------------------------------


def everything() -> list[Reading]:
    return meets() + leads() + pushes()


def test_p_values_are_corrected_over_all_tests_of_a_model():
    assert corrected([0.01, None, 0.04, 0.03]) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]
    alone, among = verdict(meets(p=0.02)), next(v for v in judge(evidence(everything() + chance(0.02))) if v.claim == "shared")
    assert alone.p == 0.02 and among.p == pytest.approx(0.02)  # the other two are smaller: Holm leaves the largest as it is
    other = [Reading(**r.row() | {"group": "en-de"}) for r in meets(p=0.03)]
    found = {v.group: v.p for v in judge(evidence(meets(p=0.03) + other)) if v.model == HUB}
    assert found == {"en-zh": pytest.approx(0.06), "en-de": pytest.approx(0.06)}


def test_the_order_of_rows_means_nothing():
    rows, items = everything(), prompts(np.linspace(0, 1, 30), np.linspace(-1, 0.1, 30), np.zeros(30))
    straight = [v.as_dict() for v in judge(evidence(rows, items))]
    for seed in range(3):
        order = np.random.default_rng(seed)
        mixed = [[x[i] for i in order.permutation(len(x))] for x in (rows, items)]
        assert [v.as_dict() for v in judge(evidence(*mixed))] == straight


def test_random_weights_of_a_family_support_nothing():
    found = judge(evidence(everything(), models={HUB: "mechanics"} | {m: r for m, r in made.MODELS.items() if m != HUB}))
    assert {v.verdict for v in found if v.model == HUB} == {"undecided"}


def test_the_order_that_a_task_states_travels_with_the_run(tmp_path):
    rows = [r for r in made.similarity(HUB, pairs={"en-zh": 0.36}) if r.variant == "raw"]
    made.write(tmp_path, rows, {HUB: "hub"}, parts=False)
    assert {(v.position, v.split) for v in write_verdicts(tmp_path)} == {("probe", "test")}
    stated = {"position": ["mean", "probe"], "split": ["test-never-bridged", "test"]}
    part = {"task": "multilingual/similarity", "model": HUB, "headline": stated}
    store.write_whole(tmp_path / "parts" / "a.json", store.to_json(part))
    assert {(v.position, v.split) for v in write_verdicts(tmp_path)} == {("mean", "test-never-bridged")}


def test_a_run_folder_gets_its_verdicts_whole(tmp_path):
    plain = {"position": "probe", "variant": "raw", "split": "test"}
    rows = [r for m in made.MODELS for r in made.similarity(m, pairs={"en-zh": 0.36, "zh-de": 0.17}) if plain.items() <= r.row().items()]
    made.write(tmp_path, rows + [r for make in (made.lens, made.steering) for r in make(HUB)])
    write_verdicts(tmp_path, Thresholds(similarity=0.2))
    found = json.loads((tmp_path / "verdicts.json").read_text())
    wanted = {"claim", "group", "verdict", "effect", "low", "high", "p", "anchor", "candidates", "controls", "objections", "model", "role"}
    assert all(wanted <= set(each) and each["thresholds"]["similarity"] == 0.2 for each in found)
    assert {each["claim"] for each in found} == {"shared", "anchored", "used"}
    assert all(set(c) == {"name", "effect", "low", "high", "passed", "why"} for each in found for c in each["controls"])
    by_pair = {each["group"]: each["verdict"] for each in found if each["claim"] == "shared" and each["model"] == HUB}
    assert (by_pair["en-zh"], by_pair["zh-de"]) == ("supported", "contradicted")
    assert not [each for each in found if each["model"] != HUB and each["verdict"] == "supported"]


# numbers -------------------------------------------------------------------------------------------------------------


def test_sign_flips_reject_at_their_rate_and_know_of_the_choice_among_columns():
    rng = np.random.default_rng(3)
    many = [peak_sign_flip(rng.standard_normal((40, 8)), draws=199, seed=i) for i in range(300)]
    assert np.mean(np.array(many) <= 0.05) < 0.09 and np.mean(many) == pytest.approx(0.5, abs=0.06)
    assert peak_sign_flip(rng.standard_normal((40, 8)) + [0, 0, 0, 0, 0, 0, 0, 2.0]) == 1e-4


def test_items_of_one_source_count_once():
    values = np.tile([[1.0]], (32, 1))
    assert peak_sign_flip(values, [f"s{i // 8}" for i in range(32)]) == pytest.approx(1 / 16, abs=0.01)
    assert peak_sign_flip(values) == 1e-4


def test_a_p_value_from_an_interval_is_that_of_the_normal_curve():
    assert interval_p(Estimate(1.96, 0.0, 3.92)) == pytest.approx(0.025, abs=1e-4)
    assert interval_p(Estimate(1.96, 0.0, 3.92), 4) == pytest.approx(0.1, abs=4e-4)
    assert interval_p(Estimate(1.0)) is None


def test_independent_intervals_add_in_squares():
    found = apart(Estimate(0.5, 0.2, 0.9, 10), Estimate(0.1, -0.3, 0.4, 8))
    assert (found.value, found.low, found.high, found.n) == (0.4, 0.4 - math.hypot(0.3, 0.3), 0.4 + math.hypot(0.4, 0.4), 8)


def test_the_quantile_of_an_estimate_is_its_upper_end_at_975():
    assert quantile(Estimate(0.1, 0.05, 0.2), 0.975) == pytest.approx(0.2)
    assert quantile(Estimate(0.1, 0.05, 0.2), 0.5) == pytest.approx(0.1)


# thresholds ----------------------------------------------------------------------------------------------------------


def test_a_file_changes_the_thresholds_it_names(tmp_path):
    (tmp_path / "t.toml").write_text('similarity = 1\nneeds_twin = false\npush_controls = ["as-text"]\n')
    found = read_thresholds(tmp_path / "t.toml")
    assert (found.similarity, found.needs_twin, found.push_controls, found.alpha) == (1.0, False, ("as-text",), 0.05)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("similarty = 0.1", UnknownName, "similarity"),
        ('similarity = "much"', BadInput, "a number of 0 or more"),
        ("similarity = -1", BadInput, "a number of 0 or more"),
        ("enough = 2.5", BadInput, "a whole number"),
        ("needs_twin = 1", BadInput, "true or false"),
        ("push_controls = 3", BadInput, "a list of names"),
        ("alpha = 1.5", BadInput, "below 1"),
        ("similarity =", BadInput, "no TOML"),
    ],
)
def test_a_wrong_file_of_thresholds_is_one_line(tmp_path, text, error, said):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(error, match=said) as caught:
        read_thresholds(tmp_path / "t.toml")
    assert "\n" not in str(caught.value)


def test_a_file_of_thresholds_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match="none.toml"):
        read_thresholds(tmp_path / "none.toml")


def test_the_page_about_verdicts_is_what_the_thresholds_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m semhub.verdicts.explain"
    assert all(f"| `{name}` |" in page() for name in told())

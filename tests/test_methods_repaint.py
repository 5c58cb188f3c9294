"""The procedure of `Repaint`: what is chosen on one half of the prompts is reported on the other, beside its controls."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from families_multimodal import noise, picture
from semhub.errors import BadInput
from semhub.methods import Repaint, repaint
from semhub.methods.bench import Bench
from semhub.methods.tally import tally
from semhub.runs.store import OUTCOMES, READINGS, parquet
from semhub.types import Prompt
from semhub.verdicts import used
from semhub.verdicts.evidence import Evidence, Subject
from semhub.verdicts.thresholds import LIMITS

BEYOND = {  # what the push moves beyond each control
    "wrong-word": 0.28,
    "random-direction": 0.25,
    "as-text": 0.2,
    "layer-0": 0.29,
    "wrong-layer": 0.1,
    "wrong-position": 0.26,
}
CONTROLS = tuple(BEYOND)


def prompts(n=24, kind="image"):
    """Two prompts of each source."""
    media = picture(8, 8) if kind == "image" else noise(0.1)
    return [Prompt(f"p{k}", kind, f"<{kind}>", {"source": f"s{k // 2}", "kind": "ab"[k % 4 // 2]}, media) for k in range(n)]


def ask(given=None, **changes):
    asked = {"controls": CONTROLS[1:], "target": "correct", "neutral": {"wrong-word": lambda p: ("c", "b")}}
    asked |= {"as_text": lambda p: "<image> so", "elsewhere": lambda p: "first", **changes}
    writes = (Fraction(1, 4), Fraction(2, 4), Fraction(3, 4))
    return Repaint(given or prompts(), lambda p: ("a", "b"), lambda p: "image", "en", writes=writes, strengths=(1.0, 2.0), **asked)


@pytest.fixture
def bench(monkeypatch):
    """A model that answers by a rule: the half to choose on is moved most at layer 2 and strength 1, the other at layer 3 and 2."""
    model = SimpleNamespace(name="tiny", layers=4, encode=list, head=None, token_ids=lambda given: [[1]], context=9)
    monkeypatch.setattr(repaint, "first_token", lambda bench, word: ord(word))
    other = ("random-direction", "wrong-word")
    monkeypatch.setattr(repaint, "differences", lambda ask, bench, prompts, control: control if control in other else "push")

    def answered(ask, bench, half, pushes, strength):
        own = np.array([(sum(map(ord, p.id)) % 7) / 100 for p in half.prompts])
        if not pushes:
            return {"correct": own + 0.1 * (half.split == "report" and not isinstance(half.encodings[0], str) and told(half))}
        layer, what = pushes[0]
        best = {"choose": (2, 1.0), "report": (3, 2.0)}[half.split]
        here = 0.5 if (layer, strength) == best else 0.2 if (layer, strength) == (3, 1.0) else 0.3
        moved = {"push": here, "random-direction": 0.05, "wrong-word": 0.02}[what] if ask.at(half.prompts[0]) == "image" else 0.04
        return {"correct": own + (moved if layer else 0.01)}

    monkeypatch.setattr(repaint, "answered", answered)
    return Bench(model, "vision/intervention", "sound")


def told(half):
    return half.encodings[0].text.endswith("so")


def test_what_is_chosen_on_one_half_is_reported_on_the_other(bench):
    result = repaint.repaint(ask(), bench)
    assert result.extras["chosen"] == {"en>image": {"layer": 2, "strength": 1.0}}  # though the other half is moved most elsewhere
    by = lambda **c: [r for r in result.readings if all(getattr(r, k) == v for k, v in c.items())]  # noqa: E731
    (best,) = by(measure="correct_change", split="choose", layer=2, strength=1.0, control=None)
    (shown,) = by(measure="correct_change", split="report", layer=2, strength=1.0, control=None)
    assert best.value == pytest.approx(0.5) and shown.value == pytest.approx(0.3) and best.n == shown.n == 12 and shown.low is not None
    reported = by(measure="correct_change", split="report", control=None)
    assert {(r.layer, r.strength) for r in reported} == {
        (2, 1.0),
        (2, 2.0),
        (1, 1.0),
        (3, 1.0),
    }
    for control, beyond in BEYOND.items():
        (row,) = by(measure="correct_excess", split="report", control=control)
        assert row.value == pytest.approx(beyond) and (row.layer, row.strength, row.position) == (2, 1.0, "image")
    places = {r.control: (r.position, r.layer) for r in by(measure="correct", split="report", strength=1.0) if r.control}
    assert places == dict.fromkeys(CONTROLS, ("image", 2)) | {
        "as-text": ("image", None),
        "layer-0": ("image", 0),
        "wrong-layer": ("image", 3),
        "wrong-position": ("first", 2),
    }
    assert not [r for r in result.readings if r.control and r.split == "choose"]


def test_prompts_of_one_source_stay_together_and_kinds_are_shared_out(bench):
    for seed in range(5):
        first, second = repaint.split_in_two(ask(by="kind"), replace(bench, seed=seed), prompts())
        assert len(first) == len(second) == 12 and not {p.facets["source"] for p in first} & {p.facets["source"] for p in second}
        assert [sum(p.facets["kind"] == "a" for p in half) for half in (first, second)] == [6, 6]
    kept = {o.item for o in repaint.repaint(ask(), bench).outcomes}
    assert kept == {p.id for p in repaint.split_in_two(ask(), bench, prompts())[1]}


def test_too_few_to_choose_on_is_said(bench):
    for few in (prompts(2), prompts(3)):
        with pytest.raises(BadInput, match="at least four prompts of several sources"):
            repaint.repaint(ask(few), bench)


def test_what_cannot_be_shown_or_told_apart_is_left_out_with_its_reason(bench, monkeypatch):
    def token_ids(given):
        if given[0].text == "<image> broken":
            raise BadInput("The processor of tiny refused the image.")
        return [[1] * (10 if given[0].text == "<image> long" else 3)]

    bench.model.token_ids = token_ids
    given = [replace(p, text={"p1": "<image> broken", "p4": "<image> long"}.get(p.id, p.text)) for p in prompts()]
    asked = replace(ask(given), words=lambda p: {"p6": ("a", "a"), "p9": ("", "b")}.get(p.id, ("a", "b")))
    monkeypatch.setattr(repaint, "first_token", lambda bench, word: ord(word) if word else None)
    result = repaint.repaint(asked, bench)
    reasons = {id: why for why, ids in result.extras["items"].items() for id in ids}
    assert reasons == {
        "p1": "The processor of tiny refused the image.",
        "p4": "it takes 10 tokens, and tiny reads 9",
        "p6": "the new and the old word begin with one token",
        "p9": "a word does not begin with a token of its own",
    }
    assert result.extras["left_out"] == dict.fromkeys(reasons.values(), 1)
    assert [(r.value, r.n) for r in result.readings if r.measure == "eligible"] == [(pytest.approx(20 / 24), 24)]
    (counted,) = tally(asked, result)
    assert (counted["given"], counted["kept"]) == (24, 20) and counted["left_out"] == result.extras["left_out"]
    with pytest.raises(BadInput, match="tiny can be shown none of 24 items; the first: The processor"):
        repaint.repaint(replace(asked, prompts=[replace(p, text="<image> broken") for p in prompts()]), bench)


def test_a_judge_can_read_it(bench, tmp_path):
    """The verdict takes the setting that the run chose, and the prompts of the half that it was not chosen on."""
    result = repaint.repaint(ask(), bench)
    (tmp_path / "r").write_bytes(parquet(result.readings, READINGS))
    (tmp_path / "o").write_bytes(parquet(result.outcomes, OUTCOMES))
    chosen = {("vision/intervention", "tiny", g): (c["layer"], c["strength"]) for g, c in result.extras["chosen"].items()}
    subject = Subject("tiny", "", {"layers": 4})
    evidence = Evidence.of(pd.read_parquet(tmp_path / "r"), pd.read_parquet(tmp_path / "o"), [subject], chosen)
    (case,) = used.cases(evidence, subject, LIMITS)
    assert (case.verdict.layer, case.verdict.strength, case.verdict.split, case.verdict.n) == (2, 1.0, "report", 12)
    assert case.verdict.effect == pytest.approx(0.3) and {c.name for c in case.verdict.controls} == {"upward", *CONTROLS}
    assert not [said for said in case.remaining if "best of those tried" in said]


def test_without_a_target_every_setting_is_told_and_nothing_chosen(bench, monkeypatch):
    monkeypatch.setattr(repaint, "answered", lambda ask, bench, half, pushes, strength: {"correct": np.full(len(half.prompts), strength)})
    result = repaint.repaint(ask(target=None, controls=()), bench)
    assert "chosen" not in result.extras and len([r for r in result.readings if r.measure == "correct"]) == 7
    assert {r.split for r in result.readings} == {None}


def test_no_layer_is_wrong_where_the_last_that_is_read_was_chosen(bench):
    """Of four layers a later token reads the third, and not the fourth."""
    for chosen in (Fraction(3, 4), Fraction(1)):
        found = repaint.repaint(replace(ask(), writes=(chosen,)), bench).readings
        assert {r.control for r in found} == {None, *CONTROLS} - {"wrong-layer"}


def test_a_control_whose_words_cannot_be_told_apart_costs_the_push_no_prompt(bench, monkeypatch):
    """Its own rows are over the prompts that are left, each beside the push on the same prompt; without any there are none."""
    monkeypatch.setattr(repaint, "first_token", lambda bench, word: ord(word) if word else None)
    usual, lost = repaint.repaint(ask(), bench), ("p4", "p9", "p17")
    words = {"wrong-word": lambda p: ("c", "c" if p.id in lost else "b"), "wrong-concept": lambda p: ("", "b")}
    found = repaint.repaint(ask(neutral=words), bench)
    of = lambda result, control: [r for r in result.readings if r.control == control]  # noqa: E731
    assert found.extras["left_out"] == {} and of(found, None) == of(usual, None)
    reported = {o.item for o in found.outcomes}
    gone = len(reported & set(lost))
    assert gone and {r.n for r in of(found, "wrong-word")} == {len(reported) - gone} and not of(found, "wrong-concept")
    (excess,) = (r for r in of(found, "wrong-word") if r.measure == "correct_excess")
    assert excess.value == pytest.approx(BEYOND["wrong-word"])

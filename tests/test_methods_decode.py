"""`Decode`, `DecodeWords`, `Spread` and the token map, against written-down states and plain re-computation."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from planted import Planted, bench, rows, vector
from semhub.errors import BadInput
from semhub.methods import Decode, DecodeWords, Lens, Spread, carry_out
from semhub.methods.affine import translators
from semhub.methods.decode import token_map
from semhub.types import Cloze

WORDS = ["dog", "cat", "cow", "perro", "gato", "vaca", "other", "más"]
EN, ES = WORDS[:3], WORDS[3:6]
EVERYTHING = Lens({None: "final", "no-norm": "none"}, wrong=True, floor=True, single=True, anchor=True, accuracy=True)


def spoken(text, layer):
    """Layer 1 speaks the English word of a prompt `es:<number>`, layer 2 the Spanish one, layer 0 neither."""
    meaning = int(text.split()[0].partition(":")[2])
    return (vector("other"), vector(EN[meaning % 3]) + 0.2 * vector(ES[meaning % 3]), vector(ES[meaning % 3]))[layer]


def clozes(n=12, **facets):
    def one(i):
        right, wrong = (EN[i % 3], ES[i % 3]), ([w for w in EN if w != EN[i % 3]], [w for w in ES if w != ES[i % 3]])
        targets = {t: (w,) for t, w in zip(("en", "es"), right, strict=True)}
        return Cloze(f"q{i}", "es", f"es:{i} es", targets, {t: tuple(w) for t, w in zip(("en", "es"), wrong, strict=True)}, facets)

    return [one(i) for i in range(n)]


@pytest.fixture
def result():
    return carry_out(Decode(("en", "es"), {"test": clozes()}, EVERYTHING), bench(Planted(WORDS, spoken)))


def test_english_leads_in_the_middle_and_trails_at_the_end(result):
    anchor = [r.value for r in rows(result, measure="anchor", group="es:en", variant=None, control=None)]
    assert anchor[1] > 4 and anchor[2] < -4
    wrong = [r.value for r in rows(result, measure="anchor", group="es:en", variant=None, control="wrong-word")]
    excess = [r.value for r in rows(result, measure="anchor_excess", group="es:en", variant=None)]
    assert excess == pytest.approx(np.subtract(anchor, wrong).tolist(), abs=1e-5)
    assert all(r.low <= r.value <= r.high and r.n == 12 for r in rows(result, measure="anchor", group="es:en", variant=None))


def test_right_words_beat_wrong_ones_and_random_states(result):
    right, wrong = (rows(result, measure="prob", group="es:en", variant=None, control=c)[1].value for c in (None, "wrong-word"))
    assert right > 0.9 and wrong < 0.01
    lift = rows(result, measure="lift", group="es:en", variant=None)
    assert lift[1].value == pytest.approx(right / wrong, rel=1e-6) and lift[1].low > 3
    floor = rows(result, measure="logprob", group="es:en", control="random-state")
    assert floor[1].value < -1
    assert rows(result, measure="logprob", group="es:en", control=None, variant=None)[1].value > floor[1].value + 1


def test_accuracy_and_chance(result):
    hits = [r.value for r in rows(result, measure="accuracy", group="es:es", control=None, variant=None)]
    assert hits[2] == 1
    assert [r.value for r in rows(result, measure="accuracy", group="es:es", control="chance", variant=None)] == [pytest.approx(1 / 3)] * 3


def test_log_probabilities_are_those_of_the_whole_head(result):
    model = Planted(WORDS, spoken)
    states = torch.stack([spoken(c.prompt, 1) for c in clozes()])
    ids = torch.tensor([WORDS.index(c.targets["en"][0]) for c in clozes()])
    for variant, shown in ((None, model.head.norm(states)), ("no-norm", states)):
        expected = model.head.logits(shown).log_softmax(-1).gather(1, ids[:, None]).mean()
        found = rows(result, measure="logprob", group="es:en", variant=variant, control=None)[1].value
        assert found == pytest.approx(float(expected), abs=1e-5)


def test_items_whose_words_begin_alike_are_left_out_and_the_share_is_told():
    same = [Cloze("s", "es", "es:0 es", {"en": ("dog",), "es": ("dog",)}, {}), *clozes(3)]
    found = carry_out(Decode(("en", "es"), {None: same}, Lens(anchor=True)), bench(Planted(WORDS, spoken)))
    assert rows(found, measure="eligible", group="es:en", variant=None)[0].value == 0.75
    assert {r.n for r in rows(found, measure="anchor")} == {3}


@pytest.mark.parametrize(("most", "asked"), [(4, 8), (6, 12), (40, 12), (None, 12)])
def test_a_limit_is_one_of_the_prompts_whose_words_can_be_looked_up(most, asked):
    """Every second prompt, the first among them, has an English word that begins like the Spanish one: it is passed over, and counted."""
    alike = [replace(c, targets={"en": c.targets["es"], "es": c.targets["es"]}) if i % 2 == 0 else c for i, c in enumerate(clozes())]
    twice = [alike[0], alike[2], *alike[1:2], *alike[3:]]  # two such prompts first
    found = carry_out(Decode(("en", "es"), {"test": twice}, Lens(), most), bench(Planted(WORDS, spoken)))
    assert {r.n for r in rows(found, measure="logprob", group="es:en")} == {min(most or 6, 6)}
    assert {r.n for r in rows(found, measure="eligible", group="es:en", variant=None)} == {asked}


def test_the_release_norms_the_last_point_only():
    lens = Lens({None: "none"}, first_layer=1, normed_end=True, intervals=False)
    found = rows(carry_out(Decode(("en", "es"), {None: clozes()}, lens), bench(Planted(WORDS, spoken))), measure="prob", group="es:es")
    assert [r.layer for r in found] == [1, 2] and all(r.low is None for r in found)
    assert found[0].value < 0.5 < found[1].value


def test_no_word_at_all_is_said():
    with pytest.raises(BadInput, match="no prompt has a word"):
        carry_out(Decode(("en",), {None: []}), bench(Planted(WORDS, spoken)))


def test_a_reader_without_unembedding_agrees_where_it_should():
    def state(text, layer):
        return vector(text) if ":" not in text else spoken(text, layer)

    lens = Lens(anchor=True, wrong=True, word_states=True)
    found = carry_out(Decode(("en", "es"), {None: clozes()}, lens), bench(Planted(WORDS, state)))
    right, wrong = (rows(found, measure="resemblance", group="es:en", control=c) for c in (None, "wrong-word"))
    assert right[1].value > 0.9 and abs(wrong[1].value) < 0.5
    assert [r.value for r in rows(found, measure="disagreement", variant="word-states", group="es:en")][1:] == [0, 0]


# the second reader ---------------------------------------------------------------------------------------------------


def test_an_affine_reader_undoes_a_rotation():
    turn = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(1))).Q
    states = lambda text, layer: vector(text) if layer == 2 else turn @ vector(text) + 0.3  # noqa: E731
    here = bench(Planted(WORDS, states))
    maps = translators(here, [f"t{i} a" for i in range(400)], [0, 1, 2])
    shown = torch.stack([states(f"new{i} a", 1) for i in range(5)])
    expected = torch.stack([vector(f"new{i} a") for i in range(5)])
    torch.testing.assert_close(maps[1](shown), expected, atol=0.05, rtol=0)
    assert translators(bench(Planted(WORDS, states)), ["too few"], [1]) is None


# words inside running text -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    import semhub.models
    from tiny_models import tiny

    return semhub.models.load(tiny("gpt2")), tiny("gpt2")


def test_words_are_read_before_their_position(network):
    model, (net, words) = network
    line, glosses = "这代表了狗。狗。", {"狗": ("dog", "cat")}
    found = carry_out(DecodeWords("zh", "en", [line], glosses), bench(model, protocol="paper"))
    ids = words(line)["input_ids"]
    dog = words("狗", add_special_tokens=False)["input_ids"]
    assert len(dog) == 1, "the tiny tokenizer must know the word as one token"
    with torch.no_grad():
        hidden = net(torch.tensor([ids]), output_hidden_states=True).hidden_states
    places = [k - 1 for k, id in enumerate(ids) if id == dog[0] and k > 1]
    logprobs = [net.lm_head(h[0]).log_softmax(-1) for h in hidden[1:]]
    expected = [float(np.mean([lp[p, dog[0]].item() for p in places])) for lp in logprobs]
    assert [r.value for r in rows(found, measure="logprob", group="zh:zh")] == pytest.approx(expected, abs=1e-4)
    best = [words(f" {g}", add_special_tokens=False)["input_ids"] for g in glosses["狗"]]
    best = [ids[0] for ids in best if len(ids) == 1]
    expected = [float(np.mean([lp[p, best].max().item() for p in places])) for lp in logprobs]
    assert [r.value for r in rows(found, measure="logprob", group="zh:en")] == pytest.approx(expected, abs=1e-4)
    assert rows(found, measure="eligible")[0].n == found.extras["counts"]["words"]


# type mass -----------------------------------------------------------------------------------------------------------


def test_mass_belongs_to_the_type_whose_words_are_spoken():
    ask = Spread({"es": ["es:0 es", "es:1 es es es"]}, {"en": [" ".join(EN)], "es": [" ".join(ES)]}, Lens(floor=True))
    found = carry_out(ask, bench(Planted(WORDS, spoken)))
    en = [r.value for r in rows(found, measure="mass", group="es:en", control=None)]
    es = [r.value for r in rows(found, measure="mass", group="es:es", control=None)]
    assert en[1] > 0.9 and es[2] > 0.9 and [a + b for a, b in zip(en, es, strict=True)] == pytest.approx([1] * 3, abs=1e-5)
    assert rows(found, measure="coverage")[0].value == 6 / 8
    assert rows(found, measure="mass", group="es:en", control="random-state")


def test_pooled_means_weigh_texts_by_their_positions():
    text = {"es": ["es:0 es", "es:1 es es es"]}
    corpus = {"en": ["dog"], "es": [" ".join(WORDS[1:])]}
    by = {
        p: rows(carry_out(Spread(text, corpus, Lens(), pooled=p), bench(Planted(WORDS, spoken))), measure="mass", group="es:en")[1].value
        for p in (0, 1)
    }
    first, second = (
        rows(carry_out(Spread({"es": [t]}, corpus), bench(Planted(WORDS, spoken))), measure="mass", group="es:en")[1].value
        for t in text["es"]
    )
    assert by[0] == pytest.approx((first + second) / 2) and by[1] == pytest.approx((2 * first + 4 * second) / 6)


# the map -------------------------------------------------------------------------------------------------------------


def test_the_map_shows_every_token_and_writes_chinese_as_people_do(network):
    model, (net, words) = network
    (found,) = token_map(model, ["狗看见猫"], top=2)
    assert len(found["words"]) == model.layers + 1 and len(found["words"][0]) == len(found["tokens"]) == len(words("狗看见猫")["input_ids"])
    with torch.no_grad():
        own = net(torch.tensor([words("狗看见猫")["input_ids"]])).logits[0].softmax(-1)
    word, probability = found["words"][-1][-1][0]
    assert probability == pytest.approx(float(own[-1].max()), abs=1e-4)
    assert "".join(found["tokens"]) == "狗看见猫" and not any("Ġ" in t or "\ufffd" in t for t in found["tokens"])
    assert math.isclose(sum(p for _, p in token_map(model, ["a"], top=model.vocab, layers=[1])[0]["words"][0][0]), 1, abs_tol=0.05)

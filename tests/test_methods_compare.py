"""`Compare` against states whose similarities are known, and against plain re-computation on a random network."""

import numpy as np
import pytest
import torch

from planted import Planted, bench, rows, vector
from semhub.errors import BadInput
from semhub.methods import Compare, Place, carry_out
from semhub.methods.compare import matched_pairs
from semhub.methods.rounds import one_round
from semhub.types import Concept, Form


def concept(name, types=("en", "es", "zh"), contrasts=(), **facets):
    others = {kind: concept(f"{kind}-{name}", types) for kind in contrasts}
    return Concept(name, {t: Form(t, f"{t}:{name}") for t in types}, others, facets)


CONCEPTS = [concept(f"m{i}", contrasts=("swapped",), half=str(i % 2)) for i in range(30)]
EVERYTHING = ("adjusted_cosine", "p_at_1", "p_value")


def test_meaning_is_found_where_it_was_planted():
    result = carry_out(Compare(("en", "es", "zh"), {None: CONCEPTS}, measures=EVERYTHING, controls=("swapped",)), bench(Planted()))
    curve = rows(result, measure="adjusted_cosine", group="en-es", control=None)
    assert [r.layer for r in curve] == [0, 1, 2]
    assert curve[0].value == pytest.approx(0, abs=1e-6) and curve[1].value > 0.9 and 0.3 < curve[2].value < 0.7
    assert all(r.low <= r.value <= r.high and r.n == 30 for r in curve)
    assert {r.group for r in result.readings if r.measure == "adjusted_cosine"} == {"en-es", "en-zh", "es-zh"}
    hard = rows(result, measure="adjusted_cosine", group="en-es", control="swapped")
    assert hard[0].value == pytest.approx(0, abs=1e-6) and hard[1].value > 0.8


def test_the_texts_of_the_items_are_kept_cut_to_length():
    many = [*CONCEPTS, concept("m" * 300)]
    texts = carry_out(Compare(("en", "es"), {None: many}), bench(Planted())).extras["texts"]
    assert texts["m3"] == {"en": "en:m3", "es": "es:m3", "zh": "zh:m3"} and len(texts) == 31
    assert texts["m" * 300]["en"] == "en:" + "m" * 196 + "…"


def test_the_nearest_is_counted_both_ways_and_ties_are_misses():
    result = carry_out(Compare(("en", "es"), {None: CONCEPTS}, measures=("p_at_1",)), bench(Planted()))
    assert [r.value for r in rows(result, measure="p_at_1", group="en-es")] == [0, 1, 1]
    assert [r.value for r in rows(result, measure="p_at_1", group="es-en")] == [0, 1, 1]


def test_more_measures_and_variants_stand_beside_the_first_position():
    beside = ("standardised", "mrr", "csls_at_1", "mutual_knn", "cka")
    ask = Compare(("en", "es"), {None: CONCEPTS}, (Place("last"), Place("mean", at="mean")), beside=beside)
    result = carry_out(ask, bench(Planted()))
    for measure in ("mrr", "csls_at_1", "mutual_knn", "cka"):
        found = rows(result, measure=measure, group="en-es")
        assert {(r.position, r.variant) for r in found} == {("last", "raw")} and found[1].value == pytest.approx(1, abs=0.01)
    assert rows(result, measure="mrr", group="es-en")[1].value == 1 and not rows(result, measure="mutual_knn", group="es-en")
    assert {(r.position, r.variant) for r in rows(result, measure="adjusted_cosine")} == {
        ("last", "raw"),
        ("last", "standardised"),
        ("mean", "raw"),
    }


def test_every_type_has_its_place_among_the_others():
    types, beside = ("en", "es", "zh"), ("centrality", "mexa")
    result = carry_out(Compare(types, {None: CONCEPTS}, measures=("adjusted_cosine", "p_at_1"), beside=beside), bench(Planted()))
    for type in types:
        pairs = [r for r in result.readings if r.measure == "adjusted_cosine" and type in r.group.split("-") and r.layer == 2]
        central = rows(result, measure="centrality", group=type)
        assert (
            len(pairs) == 2 and central[2].value == pytest.approx(np.mean([r.value for r in pairs])) and central[2].low < central[2].value
        )
        assert [r.value for r in rows(result, measure="centrality_p_at_1", group=type)] == [0, 1, 1]
        (meaning, both) = rows(result, measure="explained", group=type)  # layer 0 holds nothing to explain
        assert (meaning.layer, both.layer) == (1, 2) and meaning.value == pytest.approx(1, abs=0.02) and both.value < 0.9
    assert [r.value for r in rows(result, measure="mexa", group="en-es")] == [0, 1, 1]


def test_the_likest_item_stands_in_for_a_random_one():
    """Texts of three tokens, the second shared by two items each: the likest is the twin, whose states are close."""
    family = lambda i: f"f{i // 2}"  # noqa: E731
    concepts = [Concept(f"m{i}", {t: Form(t, f"{t}:m{i} {t}{family(i)} .") for t in ("en", "es")}) for i in range(20)]
    states = lambda text, layer: vector(text.split()[0].split(":")[1]) + vector(text.split()[1][2:])  # noqa: E731
    found = carry_out(Compare(("en", "es"), {None: concepts}, alike=True), bench(Planted(state=states)))
    unit = lambda type, i: torch.nn.functional.normalize(states(f"{type}:m{i} {type}{family(i)}", 1), dim=0)  # noqa: E731
    cosine = lambda i, j: float(unit("en", i) @ unit("es", j))  # noqa: E731
    expected = np.mean([1 - (cosine(i, i ^ 1) + cosine(i ^ 1, i)) / 2 for i in range(20)])
    likest = rows(found, control="overlap-matched")[1]
    assert likest.value == pytest.approx(expected, abs=1e-5) and likest.n == 20
    assert likest.value < 0.7 * rows(found, measure="adjusted_cosine", control=None)[1].value


def test_standardising_takes_away_what_one_dimension_makes():
    spike = 60 * torch.eye(64)[0]
    outliers = Planted(state=lambda text, layer: Planted.usual(text, layer) + spike * float(vector(text)[1]))
    found = carry_out(Compare(("en", "es"), {None: CONCEPTS}, (Place("last"),), beside=("standardised",)), bench(outliers))
    raw, standard = (rows(found, measure="adjusted_cosine", variant=v)[1].value for v in ("raw", "standardised"))
    assert raw < 0.5 < 0.8 < standard


def test_permuted_meanings_tell_a_planted_peak_from_none():
    planted = carry_out(Compare(("en", "es"), {None: CONCEPTS}, measures=EVERYTHING), bench(Planted()))
    nothing = Planted(state=lambda text, layer: vector(f"{text} {layer}"))
    empty = carry_out(Compare(("en", "es"), {None: CONCEPTS}, measures=EVERYTHING), bench(nothing))
    assert rows(planted, measure="p_value")[0].value == 1 / 5000
    assert rows(empty, measure="p_value")[0].value > 0.02
    assert rows(planted, measure="p_value")[0].layer is None


def test_centring_removes_what_a_type_shares():
    shifted = Planted(state=lambda text, layer: Planted.usual(text, layer) + 3 * vector("everywhere"))
    result = carry_out(Compare(("en", "es"), {None: CONCEPTS}, variants=("raw", "centred")), bench(shifted))
    raw, centred = (rows(result, measure="adjusted_cosine", variant=v)[1].value for v in ("raw", "centred"))
    assert raw < 0.2 and centred > 0.9


def test_matched_negatives_share_their_key_and_never_the_item():
    items, partners = matched_pairs(CONCEPTS, lambda c: c.facets["half"], seed=3, rounds=one_round(30))
    assert sorted(items) == list(range(30))
    assert all(i != j and i % 2 == j % 2 for i, j in zip(items, partners, strict=True))
    alone = matched_pairs(CONCEPTS, lambda c: c.id, seed=3, rounds=one_round(30))
    assert alone == ([], [])


def test_a_negative_on_one_side_is_compared_on_that_side():
    half = [Concept(c.id, c.forms, {"swapped": Concept("n", {"es": c.contrasts["swapped"].forms["es"]})}) for c in CONCEPTS[:10]]
    result = carry_out(Compare(("en", "es"), {None: half}, controls=("swapped",)), bench(Planted()))
    expected = np.mean([1 - float(vector(c.id) @ vector(f"swapped-{c.id}")) for c in half])
    assert rows(result, control="swapped")[1].value == pytest.approx(expected, abs=1e-5)


def test_splits_positions_and_limits_become_columns():
    probe = Place("probe", show=lambda type, text: f"{text} means" if type != "zh" else None)
    ask = Compare(("en", "es", "zh"), {"a": CONCEPTS[:9], "b": CONCEPTS[9:]}, (probe, Place("last")))
    result = carry_out(ask, bench(Planted(), layers=(1, 2)))
    keys = {(r.split, r.position, r.group, r.layer, r.n) for r in result.readings}
    assert ("a", "probe", "en-es", 1, 9) in keys and ("b", "last", "es-zh", 2, 21) in keys
    assert not any(position == "probe" and "zh" in group for _, position, group, _, _ in keys)
    assert {layer for *_, layer, _ in keys} == {1, 2}
    assert {o.position for o in result.outcomes} == {"probe"}


def test_too_little_to_compare_is_said():
    with pytest.raises(BadInput, match="two items"):
        carry_out(Compare(("en", "es"), {None: CONCEPTS[:1]}), bench(Planted()))
    with pytest.raises(BadInput, match="no two types"):
        carry_out(Compare(("en", "xx"), {None: CONCEPTS}), bench(Planted()))
    with pytest.raises(BadInput, match="Layers"):
        carry_out(Compare(("en", "es"), {None: CONCEPTS}), bench(Planted(), layers=(7,)))


def test_states_are_read_once_and_shared():
    model, memo = Planted(), {}
    ask = Compare(("en", "es"), {None: CONCEPTS}, (Place("last"), Place("mean", at="mean")))
    carry_out(ask, bench(model, memo=memo))
    before = len(model.passes)
    assert before == 2 * 30
    carry_out(ask, bench(model, memo=memo, task="another/task"))
    assert len(model.passes) == before


# on a network --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    import semhub.models
    from tiny_models import tiny

    return semhub.models.load(tiny("llama")), tiny("llama")


TEXTS = {"en": ["The dog sees the cat.", "A cat", "The house is red, or not."], "es": ["El perro ve el gato.", "Un gato", "La casa."]}


def plain_states(parts, text, start=None, stop=None):
    """[layer, dim] of a text alone, by transformers' own hidden states: mean over tokens [start, stop)."""
    network, words = parts
    with torch.no_grad():
        out = network(torch.tensor([words(text)["input_ids"]]), output_hidden_states=True).hidden_states
    return torch.stack([layer[0, start:stop].mean(0) for layer in out])


@pytest.mark.parametrize(("position", "slice_"), [("probe", (-1, None)), ("last", (-1, None)), ("mean", (1, None))])
def test_positions_are_those_of_texts_read_alone(network, position, slice_):
    model, parts = network
    concepts = [Concept(str(i), {t: Form(t, TEXTS[t][i]) for t in TEXTS}) for i in range(3)]
    places = (Place("probe", show=lambda type, text: f"{text} This represents"), Place("last"), Place("mean", at="mean"))
    result = carry_out(Compare(("en", "es"), {None: concepts}, places), bench(model))
    shown = {t: [f"{x} This represents" if position == "probe" else x for x in TEXTS[t]] for t in TEXTS}
    a, b = (torch.stack([plain_states(parts, x, *slice_) for x in shown[t]], 1)[:-1] for t in ("en", "es"))
    cosines = torch.nn.functional.cosine_similarity(a[:, :, None], b[:, None], dim=-1)
    off = ~torch.eye(3, dtype=torch.bool)
    expected = [float(c.diagonal().mean() - c[off].mean()) for c in cosines]
    found = [r.value for r in rows(result, measure="adjusted_cosine", position=position)][:-1]
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_text_inside_a_longer_one_is_read_in_its_pass(network):
    model, _ = network
    texts = TEXTS["en"] + TEXTS["es"]
    one, two = bench(model), bench(model)
    at, layers = {"last": "last", "mean": "mean"}, range(model.layers + 1)
    one.states_inside(texts, [f"{t} This represents" for t in texts], at, {"probe": "last"}, layers, True)
    assert len(one.memo) == 3 * len(texts)
    for name, states in two.states(texts, at, layers).items():
        torch.testing.assert_close(one.states(texts, at, layers)[name].all(), states.all(), atol=1e-5, rtol=1e-4)


def test_a_text_whose_tokens_change_inside_is_left_alone(network):
    model, _ = network
    here = bench(model)
    here.states_inside(["The d"], ["The dog"], {"last": "last"}, {"probe": "last"}, [1], True)
    assert not here.memo

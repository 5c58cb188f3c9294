"""Takes of one meaning: compared in rounds, never with each other, and drawn together; against values known beforehand."""

import numpy as np
import pytest
import torch

from planted import Planted, bench, rows, vector
from semhub.errors import BadInput
from semhub.measures.similarity import adjusted_cosine
from semhub.methods import Compare, carry_out
from semhub.methods.compare import ALONE, matched_pairs
from semhub.methods.rounds import alone, one_round, rounds_of
from semhub.types import Concept, Form

LABELS = ("dog", "dog", "cat", "dog", "cat", "owl")
EVERYTHING = ("adjusted_cosine", "p_at_1", "p_value", "mrr", "csls_at_1", "mutual_knn", "cka")


def test_a_round_holds_one_take_of_each_meaning():
    found = rounds_of(LABELS)
    assert [list(part) for part in found.rows] == [[0, 2, 5], [1, 4], [3]]
    assert found.meaning.tolist() == [0, 0, 1, 0, 1, 2] and found.first.tolist() == [0, 2, 5] and found.takes == [3, 2, 1]
    assert alone(LABELS) == [3] and alone(("dog", "dog")) == [0, 1] and alone(()) == []


def test_takes_side_by_side_multiply_to_the_sum_of_their_cosines():
    found, states = rounds_of(LABELS), torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    a, b = (found.side_by_side(side) for side in states)
    unit = torch.nn.functional.normalize(states.double(), dim=-1)
    cosine = lambda i, j: float(unit[0, i] @ unit[1, j])  # noqa: E731
    assert a.shape == (3, 15)
    assert float(a[0] @ b[1]) == pytest.approx(cosine(0, 2) + cosine(1, 4)) and float(a[2] @ b[0]) == pytest.approx(cosine(5, 0))
    assert torch.equal(one_round(6).side_by_side(states[0]), states[0])


def heard(label, take, kind="beast"):
    """A take of a sound and its word: `sound:dog.1 ...` and `word:dog`."""
    forms = {"sound": Form("sound", f"sound:{label}.{take}"), "word": Form("word", f"word:{label}")}
    return Concept(f"{label}.{take}", forms, facets={"label": label, "kind": kind})


def by_label(text, layer):
    """The type, the label, both; a take adds nothing of its own."""
    type, _, meaning = text.partition(":")
    label = vector(meaning.partition(".")[0])
    return (vector(type), label, vector(type) + label)[layer]


def by_take(text, layer):
    return by_label(text, layer) + vector(text)


def compared(each, state=by_label, **asked):
    concepts = [heard(f"l{i}", take) for i in range(12) for take in range(each)]
    ask = Compare(("sound", "word"), {None: concepts}, measures=EVERYTHING, **{"cluster": "label", "takes": True} | asked)
    return carry_out(ask, bench(Planted(state=state)))


def value(result, measure, layer=1):
    return rows(result, measure=measure, layer=layer, control=None)[0].value


def test_a_take_of_the_same_label_is_never_a_negative():
    """Takes of a label are one state here: as each other's negatives they tie, and no neighbour is the right one."""
    found, blind = compared(3), compared(3, takes=False)
    assert [value(found, measure) for measure in ("p_at_1", "mrr", "csls_at_1")] == [1, 1, 1] and value(blind, "p_at_1") == 0
    labels = torch.stack([vector(f"l{i}") for i in range(12)]).double()
    others = float((labels @ labels.T).fill_diagonal_(0).sum()) / (12 * 11)
    assert value(found, "adjusted_cosine") == pytest.approx(1 - others, abs=1e-6)
    assert value(blind, "adjusted_cosine") < value(found, "adjusted_cosine") - 0.03


def test_every_round_counts_by_its_items():
    found = compared(3, by_take)
    states = lambda type, take: torch.stack([by_take(f"{type}:l{i}" + take, 2) for i in range(12)])  # noqa: E731
    of_rounds = [float(adjusted_cosine(states("sound", f".{take}"), states("word", ""))) for take in range(3)]
    assert value(found, "adjusted_cosine", 2) == pytest.approx(np.mean(of_rounds), abs=1e-6)


def test_takes_that_add_nothing_make_nothing_surer():
    """Three identical takes of each label: three times the items, and the value, the interval and the p of one take."""
    one, three = compared(1), compared(3)
    for measure in EVERYTHING:
        for a, b in zip(rows(one, measure=measure), rows(three, measure=measure), strict=True):
            assert b.n == (a.n if measure == "p_value" else 3 * a.n)
            assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high)), (measure, a.layer)
    blind = rows(compared(3, cluster=None, takes=False), measure="adjusted_cosine", layer=2)[0]
    sure = rows(three, measure="adjusted_cosine", layer=2)[0]
    assert sure.high - sure.low > 1.3 * (blind.high - blind.low)
    assert {o.source for o in three.outcomes} == {f"l{i}" for i in range(12)}


def test_a_negative_of_the_same_kind_is_another_label_of_the_same_round():
    concepts = [heard(f"l{i}", take, f"kind{i % 2}") for i in range(6) for take in range(3)]
    items, partners = matched_pairs(concepts, lambda c: c.facets["kind"], 3, rounds_of([c.facets["label"] for c in concepts]))
    assert sorted(items) == list(range(18))
    for one, other in ((concepts[i], concepts[j]) for i, j in zip(items, partners, strict=True)):
        assert one.facets["label"] != other.facets["label"] and one.facets["kind"] == other.facets["kind"]
        assert one.id.partition(".")[2] == other.id.partition(".")[2]


def test_a_take_beyond_all_others_is_left_out_and_counted():
    concepts = [heard(label, k) for k, label in enumerate(("dog", "cat", "owl", "cat", "dog", "dog"))]
    ask = Compare(("sound", "word"), {None: concepts}, cluster="label", takes=True)
    found = carry_out(ask, bench(Planted(state=by_label)))
    assert {r.n for r in found.readings} == {5} and found.extras["left_out"] == {ALONE: 1}
    assert found.extras["items"] == {ALONE: ["dog.5"]}
    with pytest.raises(BadInput, match="two items"):
        carry_out(Compare(("sound", "word"), {None: concepts[4:]}, cluster="label", takes=True), bench(Planted(state=by_label)))

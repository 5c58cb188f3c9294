"""Tokens alone: strata, surfaces, links and look-alikes, against plain loops over small lists."""

import numpy as np

from semhub.methods import alike
from semhub.methods.alike import aligned, bins, look_alikes, strata, surface, tokens_of


def sides(a, b):
    return aligned(tokens_of(a), tokens_of(b))


def test_lengths_fall_into_quarters():
    assert bins(np.array([1, 2, 3, 4, 5, 6, 7, 8])) == [0, 0, 2, 2, 4, 4, 6, 6]
    assert len(set(bins(np.array([2] * 5)))) == 1
    for few in ([2] * 8 + [4], [2] + [4] * 8, [2] * 4 + [3] + [4] * 4):
        assert len(set(bins(np.array(few)))) == len(set(few)), "the few that are longer or shorter than nearly all stay apart"


def test_strata_tell_facets_lengths_and_shared_tokens_apart():
    a = [[1, 2], [1, 3], [1, 4, 5, 6], [1, 2], [1, 7]] * 12
    b = [[50, 2], [50, 60], [50, 61], [50, 2], [50, 62]] * 12
    found = strata(*sides(a, b), [("t",)] * 30 + [("u",)] * 30)
    assert found[0] == found[3] != found[1], "token 2 stands on both sides"
    assert found[1] == found[4] != found[2], "the third is longer"
    assert found[0] != found[30], "another template"


def test_tokens_shared_no_more_often_than_by_chance_are_no_overlap():
    rng = np.random.default_rng(0)
    by_chance = [list(rng.permutation(8)[:4]) for _ in range(200)], [list(rng.permutation(8)[:4]) for _ in range(200)]
    assert len({label[3] for label in strata(*sides(*by_chance), [()] * 200)}) == 1
    named = (
        [ids + [100 + i % 20] for i, ids in enumerate(by_chance[0])],
        [ids + [100 + i % 20] * (i % 2) for i, ids in enumerate(by_chance[1])],
    )
    assert len({label[3] for label in strata(*sides(*named), [()] * 200)}) == 2


def test_the_surface_holds_length_and_frequent_and_shared_tokens():
    a = [[1, 9, 10 + i, *([2] if i % 2 else [])] for i in range(40)]
    b = [[5, 60 + i, *([2] if i % 2 else [])] for i in range(40)]
    found = surface(*sides(a, b))
    lengths = np.array([len(ids) for ids in a])
    columns = found.numpy()
    np.testing.assert_allclose(columns[:, 0], lengths)
    np.testing.assert_allclose(columns[:, 1], 1 / lengths)
    twos = np.array([ids.count(2) for ids in a]) / lengths
    assert any(np.allclose(column, twos) for column in columns.T)
    assert columns.shape[1] == 2 + 3 + 2 + 2, "tokens 1, 9 and 2 of the one side, 5 and 2 of the other, no rare one"


def test_classes_are_wide_enough_to_leave_something_to_permute():
    rng = np.random.default_rng(4)
    a, b = ([[0] * int(n) for n in rng.integers(3, 30, size=40)] for _ in "ab")
    found = strata(*sides(a, b), [("t",)] * 20 + [("u",)] * 20)
    assert 2 < len(set(found)) <= 20 and {label[0] for label in found} == {("t",), ("u",)}
    alone = strata(*sides(a, b), [(i,) for i in range(40)])
    assert len(set(alone)) == 40 and {label[1:] for label in alone} == {(0, 0, 0)}, "facets are kept whatever they cost"


def test_a_look_alike_shares_most_and_means_something_else():
    a = [[1, 2, 3], [1, 2, 4], [5, 6, 7], [1, 2, 3], [1, 2, 4, 5, 6, 7, 8, 9, 10]]
    b = [[11, 12, 13], [11, 12, 14], [15, 16, 17], [11, 12, 13], [11, 12, 14, 15, 16, 17, 18, 19, 20]]
    items, partners = look_alikes(*sides(a, b))
    found = dict(zip(items, partners, strict=True))
    assert found[0] == 1 and found[3] == 1, "item 3 is the same text as item 0, so neither stands for the other"
    assert found[1] in (0, 3) and 2 not in found and 4 not in found, "nothing is like 2; 4 is too long for any"


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    a, b = ([list(rng.integers(12, size=rng.integers(3, 6))) for _ in range(30)] for _ in "ab")
    whole = look_alikes(*sides(a, b))
    monkeypatch.setattr(alike, "BLOCK", 7)
    assert look_alikes(*sides(a, b)) == whole


def test_some_of_the_items_in_another_order():
    side = tokens_of([[1, 2], [3], [1, 1, 4]])
    part = side.of([2, 0])
    assert part.lengths.tolist() == [3, 2] and part.counts.toarray()[:, 1].tolist() == [2, 1] and part.texts.tolist() == [2, 0]

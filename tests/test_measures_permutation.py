"""The permutation null: strata are kept, the maximum over layers is taken, and p is calibrated."""

import numpy as np
import pytest
import torch
from scipy import stats

from semhub.measures.permutation import basis, independent_spread, peak_p, within, within_strata, without
from semhub.measures.similarity import adjusted_cosine


def random(n, dim, seed):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def test_items_move_inside_their_stratum_only():
    strata = [("a", 1), ("a", 1), ("b", 1), ("a", 1), ("b", 1), ("c", None)]
    perms = within_strata(strata, 50)
    assert {repr(strata[i]) == repr(strata[j]) for perm in perms.tolist() for i, j in enumerate(perm)} == {True}
    assert (perms.sort(1).values == torch.arange(6)).all() and len(perms.unique(dim=0)) > 5


def test_the_null_is_that_of_permuted_pairs():
    a, b = random(8, 5, 0), random(8, 5, 1)
    perms = within_strata([0] * 8, 99, seed=4)
    null = [float(adjusted_cosine(a, b[perm])) for perm in perms]
    observed = float(adjusted_cosine(a, b))
    expected = (1 + sum(x >= observed - 1e-12 for x in null)) / 100
    assert peak_p([(a, b)], [0] * 8, draws=99, seed=4) == expected


def test_p_is_small_for_pairs_and_even_for_none():
    a = random(40, 16, 2)
    assert peak_p([(random(40, 16, 5), random(40, 16, 6)), (a, a + random(40, 16, 3))], [0] * 40, draws=99) == 0.01
    ps = [peak_p([(random(20, 8, s), random(20, 8, s + 500)) for s in (k, k + 1000)], [0] * 20, draws=99) for k in range(60)]
    assert 0.35 < sum(ps) / len(ps) < 0.65


def test_what_a_stratum_explains_counts_for_nothing():
    group = random(4, 16, 9).repeat_interleave(10, 0)
    a, b = group + 0.3 * random(40, 16, 10), group + 0.3 * random(40, 16, 11)
    assert peak_p([(a, b)], [0] * 40, draws=99) == 0.01
    assert peak_p([(a, b)], [i // 10 for i in range(40)], draws=99) > 0.05


def test_blocks_change_nothing(monkeypatch):
    a, b = random(30, 6, 12), random(30, 6, 13)
    whole = peak_p([(a, b)], [0] * 30, draws=99)
    monkeypatch.setattr("semhub.measures.permutation.BLOCK", 7)
    assert peak_p([(a, b)], [0] * 30, draws=99) == whole


# surface and dependence ----------------------------------------------------------------------------------------------

NOTHING = torch.zeros(60, 1)


def test_centring_inside_strata_leaves_each_pairs_excess():
    a, b, label = random(12, 5, 20), random(12, 5, 21), torch.tensor([0, 1, 2] * 4)
    found = (within(a, label) * within(b, label)).sum()
    expected = sum(float(a[i] @ b[i]) - np.mean([float(a[i] @ b[j]) for j in range(12) if label[j] == label[i]]) for i in range(12))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_what_is_taken_out_is_a_least_squares_fit():
    label = torch.tensor([0, 1, 2] * 10)
    x, columns = random(30, 4, 22).double(), torch.cat([random(30, 3, 23), torch.ones(30, 2), label[:, None]], 1)
    design = np.column_stack([np.eye(3)[label.numpy()], columns.numpy()])
    fitted = design @ np.linalg.lstsq(design, x.numpy(), rcond=None)[0]
    shown = basis(columns, label)
    np.testing.assert_allclose(without(within(x, label), shown), x.numpy() - fitted, atol=1e-9)
    assert shown.shape[1] == 3, "what is constant in every stratum is no direction"


def test_a_surface_alone_is_not_called_similar():
    """Length stands in one direction of both types: S is high, and nothing but length makes it so."""
    lengths = torch.rand(60, 1, generator=torch.Generator().manual_seed(24)) * 4
    direction = random(1, 16, 25)
    a, b = (random(60, 16, seed) + lengths * direction for seed in (26, 27))
    assert peak_p([(a, b)], [0] * 60, draws=199) <= 0.01
    shown = torch.cat([lengths, lengths**2, 1 / (1 + lengths)], 1)
    assert peak_p([(a, b)], [0] * 60, draws=199, surface=shown) > 0.1
    meaning = 3 * random(60, 16, 28)
    assert peak_p([(a + meaning, b + meaning)], [0] * 60, draws=199, surface=shown) == 1 / 200


def test_the_spread_is_that_of_independent_sides():
    """Ten words on both sides, each in six of the items: sums vary as over ten pairs, and a permutation takes them for sixty."""
    which, sums, told = torch.arange(60) // 6, [], []
    for seed in range(300):
        a, b = random(10, 12, 2 * seed)[which].double(), random(10, 12, 2 * seed + 1)[which].double()
        sums.append(float((a * b).sum()))
        told.append(independent_spread(a, b))
    assert np.mean(np.square(told)) ** 0.5 == pytest.approx(np.std(sums), rel=0.1)
    assert np.std(sums) == pytest.approx((6 * 60 * 12) ** 0.5, rel=0.1)
    free = [independent_spread(random(60, 12, s), random(60, 12, s + 1000)) for s in range(50)]
    assert np.mean(np.square(free)) ** 0.5 == pytest.approx((60 * 12) ** 0.5, rel=0.1)


def test_the_spread_is_the_same_by_items_and_by_dimensions(monkeypatch):
    a, b = random(20, 30, 60).double(), random(20, 30, 61).double()
    by_hand = float((a @ b.T).norm() * (a.T @ b).norm() / (a.norm() * b.norm()))
    assert independent_spread(a, b) == pytest.approx(by_hand)
    assert independent_spread(a[:, :7], b[:, :7]) == pytest.approx(
        float((a[:, :7] @ b[:, :7].T).norm() * (a[:, :7].T @ b[:, :7]).norm() / (a[:, :7].norm() * b[:, :7].norm()))
    )
    monkeypatch.setattr("semhub.measures.permutation.BLOCK", 7)
    assert independent_spread(a, b) == pytest.approx(by_hand)


def words_that_return(seed, surface):
    """p of one random network: both types are random vectors of the same ten words, so items are many and words few."""
    which = torch.randint(10, (60,), generator=torch.Generator().manual_seed(seed))
    a, b = (random(10, 12, 7000 + 2 * seed + side)[which] + 0.3 * random(60, 12, 9000 + 2 * seed + side) for side in (0, 1))
    return peak_p([(a, b)], [0] * 60, draws=99, surface=surface)


def test_p_is_uniform_where_words_return_and_would_not_be_by_permuting_alone():
    spread, bare = ([words_that_return(seed, surface) for seed in range(150)] for surface in (NOTHING, None))
    assert stats.kstest(spread, "uniform").pvalue > 0.05 and np.mean(np.array(spread) <= 0.05) < 0.1
    assert stats.kstest(bare, "uniform").pvalue < 0.001 and np.mean(np.array(bare) <= 0.05) > 0.12


def test_p_is_uniform_where_items_are_exchangeable():
    """Independent items in strata of their own means, and a little of a surface on both sides: three layers that hang together."""
    found = []
    for seed in range(150):
        strata, shown = [i % 4 for i in range(48)], random(48, 6, 30_000 + seed)
        means, loads = random(4, 10, 31_000 + seed)[strata], random(6, 10, 32_000 + seed) / 5
        a, b = (random(48, 10, 33_000 + 2 * seed + side) + means + shown @ loads for side in (0, 1))
        layers = [(a, b), (a + 0.3 * random(48, 10, 37_000 + seed), b), (random(48, 10, 38_000 + seed), random(48, 10, 39_000 + seed))]
        found.append(peak_p(layers, strata, draws=99, seed=seed, surface=shown))
    assert stats.kstest(found, "uniform").pvalue > 0.05 and np.mean(np.array(found) <= 0.05) < 0.1


def test_a_planted_meaning_is_found():
    """S of .1 in one of three layers, among a hundred and fifty items."""
    found = []
    for seed in range(40):
        meaning = random(150, 32, 50_000 + seed) / 3
        sides = [[random(150, 32, 51_000 + 10 * seed + 3 * side + k) + (meaning if k == 1 else 0) for k in range(3)] for side in (0, 1)]
        found.append(peak_p(list(zip(*sides, strict=True)), [0] * 150, draws=499, seed=seed, surface=torch.zeros(150, 1)))
    assert np.mean(np.array(found) <= 0.01) >= 0.9


def test_more_permutations_are_drawn_only_where_p_is_small():
    a, b = random(40, 16, 2), random(40, 16, 3)
    assert peak_p([(a, a + b)], [0] * 40, draws=4999) == 1 / 5000
    walked = []

    class Layers:
        def __init__(self, pair):
            self.pair = pair

        def __iter__(self):
            walked.append(1)
            return iter([self.pair])

    assert peak_p(Layers((a, b)), [0] * 40, draws=4999) > 0.1 and len(walked) == 1
    assert peak_p(Layers((a, a + b)), [0] * 40, draws=4999) == 1 / 5000 and len(walked) == 3


def test_a_layer_of_equal_states_says_nothing():
    """All items end in one probe, so that layer 0 is the same for all: its excess of 0 must not stand in for a negative one elsewhere."""
    same = random(1, 8, 40).repeat(24, 1)
    pairs = [(random(24, 8, 50 + k), random(24, 8, 90 + k)) for k in range(12)]
    for surface in (None, torch.arange(24.0)[:, None]):
        alone = [peak_p([pair], [0] * 24, draws=99, surface=surface) for pair in pairs]
        assert [peak_p([(same, same), pair], [0] * 24, draws=99, surface=surface) for pair in pairs] == alone
        assert any(0.6 < p < 1 for p in alone)
    assert peak_p([(same, same)], [0] * 24, draws=99) == 1

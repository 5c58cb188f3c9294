"""The permutation null: strata are kept, the maximum over layers is taken, and p is calibrated."""

import numpy as np
import pytest
import torch
from scipy import stats

from semhub.measures.permutation import Surface, basis, design_effect, peak_p, within, within_strata, without
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


# surface and links ---------------------------------------------------------------------------------------------------


def unlinked(n, columns=None):
    columns = torch.zeros(n, 1) if columns is None else columns
    return Surface(columns, columns, torch.arange(n), torch.zeros(n, n))


def test_centring_inside_strata_leaves_each_pairs_excess():
    a, b, label = random(12, 5, 20), random(12, 5, 21), torch.tensor([0, 1, 2] * 4)
    found = (within(a, label) * within(b, label)).sum()
    expected = sum(float(a[i] @ b[i]) - np.mean([float(a[i] @ b[j]) for j in range(12) if label[j] == label[i]]) for i in range(12))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_what_is_taken_out_is_a_least_squares_fit():
    x, columns = random(30, 4, 22).double(), torch.cat([random(30, 3, 23), torch.ones(30, 2)], 1)
    design = np.column_stack([np.ones(30), columns.numpy()])
    fitted = design @ np.linalg.lstsq(design, x.numpy(), rcond=None)[0]
    np.testing.assert_allclose(without(x, basis(columns)), x.numpy() - fitted, atol=1e-9)
    assert basis(columns).shape[1] == 4, "a constant and its copies are one direction"


def test_a_surface_alone_is_not_called_similar():
    """Length stands in one direction of both types: S is high, and nothing but length makes it so."""
    lengths = torch.rand(60, 1, generator=torch.Generator().manual_seed(24)) * 4
    direction = random(1, 16, 25)
    a, b = (random(60, 16, seed) + lengths * direction for seed in (26, 27))
    assert peak_p([(a, b)], [0] * 60, draws=199) <= 0.01
    shown = torch.cat([lengths, lengths**2, 1 / (1 + lengths)], 1)
    assert peak_p([(a, b)], [0] * 60, draws=199, surface=unlinked(60, shown)) > 0.1
    meaning = 3 * random(60, 16, 28)
    assert peak_p([(a + meaning, b + meaning)], [0] * 60, draws=199, surface=unlinked(60, shown)) == 1 / 200


def test_the_design_effect_is_that_of_items_in_clusters():
    """Five items of each of forty words, half of the variance the word's: the mean varies 1 + 4 / 2 times as much."""
    rng, words = np.random.default_rng(0), np.repeat(np.arange(40), 5)
    links = torch.from_numpy((words[:, None] == words[None]).astype(float))
    found = [design_effect(torch.from_numpy(rng.normal(size=40)[words] + rng.normal(size=200)), links) for _ in range(200)]
    assert np.mean(found) == pytest.approx(3, abs=0.15)
    alone = [design_effect(torch.from_numpy(rng.normal(size=200)), links) for _ in range(200)]
    assert 1 <= np.mean(alone) < 1.2
    assert design_effect(torch.ones(5), torch.ones(5, 5)) == 1 and design_effect(torch.randn(6), torch.zeros(6, 6)) == 1


def test_a_sample_of_the_links_stands_for_all():
    rng, words = np.random.default_rng(1), np.repeat(np.arange(30), 20)
    pairs = torch.from_numpy(rng.normal(size=30)[words] + rng.normal(size=600))
    links = torch.from_numpy((words[:, None] == words[None]).astype(float))
    half = np.sort(rng.permutation(600)[:300])
    whole, part = design_effect(pairs, links), design_effect(pairs[half], links[half][:, half], 600)
    assert part == pytest.approx(whole, rel=0.2)


def words_that_return(seed, stretch):
    """p of one random network: both types are random vectors of the same ten words, so items are many and words few."""
    which = torch.randint(10, (60,), generator=torch.Generator().manual_seed(seed))
    a, b = (random(10, 12, 7000 + 2 * seed + side)[which] + 0.3 * random(60, 12, 9000 + 2 * seed + side) for side in (0, 1))
    links = (which[:, None] == which[None]).double() if stretch else torch.zeros(60, 60)
    return peak_p([(a, b)], [0] * 60, draws=99, surface=Surface(torch.zeros(60, 1), torch.zeros(60, 1), torch.arange(60), links))


def test_p_is_uniform_where_words_return_and_would_not_be_without_links():
    linked, bare = ([words_that_return(seed, stretch) for seed in range(150)] for stretch in (True, False))
    assert stats.kstest(linked, "uniform").pvalue > 0.05 and np.mean(np.array(linked) <= 0.05) < 0.1
    assert stats.kstest(bare, "uniform").pvalue < 0.001 and np.mean(np.array(bare) <= 0.05) > 0.12

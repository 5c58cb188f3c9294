"""The permutation null: strata are kept, the maximum over layers is taken, and p is calibrated."""

import torch

from semhub.measures.permutation import peak_p, within_strata
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

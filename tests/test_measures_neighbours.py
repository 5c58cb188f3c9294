"""Neighbours and kernels against plain loops and known answers."""

import numpy as np
import pytest
import torch

from semhub.errors import BadInput
from semhub.measures import neighbours


def random(n, dim, seed):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def plain(a, b):
    a, b = (x.double().numpy() / np.linalg.norm(x.double().numpy(), axis=1, keepdims=True) for x in (a, b))
    return a @ b.T


A, B = random(23, 6, 0), random(23, 6, 0) + 0.8 * random(23, 6, 1)


@pytest.fixture(params=[7, 1024])
def block(request, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", request.param)


def test_reciprocal_ranks(block):
    c = plain(A, B)
    forth, back = neighbours.reciprocal_ranks(A, B)
    assert forth.tolist() == pytest.approx([1 / (c[i] >= c[i, i]).sum() for i in range(23)])
    assert back.tolist() == pytest.approx([1 / (c[:, i] >= c[i, i]).sum() for i in range(23)])
    assert neighbours.reciprocal_ranks(torch.ones(4, 3), torch.ones(4, 3))[0].tolist() == [0.25] * 4


def test_mexa_counts_pairs_that_are_best_of_row_and_column():
    c = plain(A, B)
    others = lambda i: max(max(c[i, j], c[j, i]) for j in range(23) if j != i)  # noqa: E731
    assert neighbours.mexa(A, B).tolist() == [float(c[i, i] > others(i)) for i in range(23)]
    assert 0 < neighbours.mexa(A, B).mean() < 1 and neighbours.mexa(torch.ones(4, 3), torch.ones(4, 3)).sum() == 0


def test_rotations_scales_and_order_change_nothing():
    turn, order = torch.linalg.qr(random(6, 6, 30)).Q, torch.randperm(23, generator=torch.Generator().manual_seed(1))
    ways = (
        neighbours.mexa,
        neighbours.mutual_neighbours,
        lambda a, b: neighbours.csls_at_1(a, b)[0],
        lambda a, b: neighbours.reciprocal_ranks(a, b)[1],
    )
    for measure in ways:
        expected = measure(A, B)
        assert measure(3 * A @ turn, 0.5 * B @ turn).tolist() == expected.tolist()
        assert measure(A[order], B[order]).tolist() == expected[order].tolist()
    assert neighbours.cka(A[order], B[order]) == pytest.approx(neighbours.cka(A, B))


def test_csls(block):
    c = plain(A, B)
    near_a, near_b = (np.sort(m, axis=1)[:, -5:].mean(1) for m in (c, c.T))
    scores = 2 * c - near_a[:, None] - near_b[None]
    forth, back = neighbours.csls_at_1(A, B, k=5)
    assert forth.tolist() == [float(scores[i].argmax() == i) for i in range(23)]
    assert back.tolist() == [float(scores[:, i].argmax() == i) for i in range(23)]
    assert 0 < forth.mean() < 1


def test_mutual_neighbours(block):
    def nearest(x):
        c = plain(x, x)
        np.fill_diagonal(c, -9)
        return [set(np.argsort(row)[-4:]) for row in c]

    expected = [len(one & other) / 4 for one, other in zip(nearest(A), nearest(B), strict=True)]
    assert neighbours.mutual_neighbours(A, B, k=4).tolist() == pytest.approx(expected)
    assert neighbours.mutual_neighbours(A, A).tolist() == [1.0] * 23


def test_items_that_are_as_near_as_others_are_no_neighbours(block):
    alike = torch.ones(23, 6)
    assert neighbours.mutual_neighbours(alike, alike).tolist() == [0.0] * 23, "no item is nearer than another"
    assert np.isnan(neighbours.cka(alike, B)) and np.isnan(neighbours.cka(A, 3 * alike))
    pairs = random(12, 6, 5).repeat_interleave(2, 0)  # every item has one twin, which is its nearest; the others come two by two
    assert neighbours.mutual_neighbours(pairs, pairs, k=1).tolist() == [1.0] * 24
    assert neighbours.mutual_neighbours(pairs, pairs, k=2).tolist() == [0.5] * 24, "one of two that are as near is no second neighbour"
    assert neighbours.mutual_neighbours(pairs, pairs, k=3).tolist() == [1.0] * 24
    assert neighbours.mutual_neighbours(pairs, pairs, k=99).tolist() == [1.0] * 24, "all others are neighbours, where there are no more"


def test_cka_is_that_of_kernels_without_their_diagonals():
    k, m = ((x.double() @ x.double().T).fill_diagonal_(0).numpy() for x in (A, B))
    n, one = 23, np.ones(23)

    def hsic(p, q):
        return (np.trace(p @ q) + one @ p @ one * (one @ q @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ p @ q @ one)) / (n * (n - 3))

    assert neighbours.cka(A, B) == pytest.approx(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)))


def test_cka_knows_rotations_and_is_not_biased_for_unrelated_states():
    turn = torch.linalg.qr(random(6, 6, 3)).Q
    assert neighbours.cka(A, 3 * A @ turn + 2) == pytest.approx(1, abs=1e-6)
    values = [neighbours.cka(random(12, 40, s), random(12, 40, s + 900)) for s in range(80)]
    assert abs(np.mean(values)) < 0.05
    with pytest.raises(BadInput, match="four items"):
        neighbours.cka(A[:3], B[:3])

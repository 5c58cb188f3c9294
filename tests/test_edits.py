"""Edits: known answers on small vectors, and what must hold for any states."""

import pytest
import torch

from semhub.edits import Change, ablate, add, project, replace, swap
from semhub.errors import BadInput

X, Y, Z = torch.eye(3)


def states(rows=2, positions=4, dim=3, seed=0):
    return torch.randn(rows, positions, dim, generator=torch.Generator().manual_seed(seed))


def test_add_by_hand():
    hidden = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]])
    assert add(torch.tensor([1.0, 0.0, -1.0]), 2.0)(hidden).tolist() == [[[3.0, 2.0, 1.0], [2.0, 0.0, -2.0]]]


def test_add_takes_a_strength_and_a_vector_for_each_row():
    hidden = states()
    pushed = add(torch.stack([X, Y]), torch.tensor([2.0, -1.0]))(hidden)
    assert torch.equal(pushed[0] - hidden[0], (hidden[0] + 2 * X) - hidden[0])
    assert torch.equal(pushed[1], hidden[1] - Y)
    assert torch.equal(add(X, torch.tensor([0.0, 3.0]))(hidden), torch.stack([hidden[0], hidden[1] + 3 * X]))


def test_add_takes_a_vector_for_each_position():
    hidden, vectors = states(), states(1, 4, seed=1)
    assert torch.equal(add(vectors, 0.5)(hidden), hidden + 0.5 * vectors)


def test_adding_nothing_changes_no_bit():
    hidden = states()
    assert torch.equal(add(torch.zeros(3))(hidden), hidden)
    assert torch.equal(add(X, 0.0)(hidden), hidden)


def test_replace_by_hand():
    assert replace(torch.tensor([[1.0, 2, 3], [4, 5, 6]]))(states())[:, 1].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_ablate_by_hand():
    hidden = torch.tensor([[[3.0, 4.0, 5.0]]])
    assert torch.allclose(ablate(7 * X)(hidden), torch.tensor([[[0.0, 4.0, 5.0]]]))
    assert torch.allclose(ablate(torch.stack([X, X + Y]))(hidden), torch.tensor([[[0.0, 0.0, 5.0]]]), atol=1e-6)
    assert torch.allclose(ablate(X, centre=torch.tensor([2.0, 9.0, 9.0]))(hidden), torch.tensor([[[2.0, 4.0, 5.0]]]))


def test_project_by_hand():
    hidden = torch.tensor([[[3.0, 4.0, 5.0]]])
    assert torch.allclose(project(torch.stack([X, Y]))(hidden), torch.tensor([[[3.0, 4.0, 0.0]]]))
    assert torch.allclose(project(X + Y)(hidden), torch.tensor([[[3.5, 3.5, 0.0]]]))


def test_what_ablate_removes_is_what_project_keeps():
    hidden, basis = states(dim=8), states(1, 3, 8, seed=2)[0]
    assert torch.allclose(ablate(basis)(hidden) + project(basis)(hidden), hidden, atol=1e-6)
    assert torch.allclose(ablate(basis)(hidden) @ basis.T, torch.zeros(2, 4, 3), atol=1e-5)
    assert torch.allclose(project(basis)(project(basis)(hidden)), project(basis)(hidden), atol=1e-6)


def test_a_span_for_each_row():
    hidden = states()
    both = ablate(torch.stack([X[None], Y[None]]))(hidden)
    assert torch.allclose(both[0], ablate(X)(hidden)[0], atol=1e-6) and torch.allclose(both[1], ablate(Y)(hidden)[1], atol=1e-6)


def test_swap_by_hand():
    hidden = torch.tensor([[[3.0, 4.0, 5.0]]])
    assert torch.allclose(swap(X, Y)(hidden), torch.tensor([[[4.0, 3.0, 5.0]]]))
    a, b = X + Y, 2 * Y
    assert torch.allclose(swap(a, b)((2 * a + 5 * b + 7 * Z)[None, None]), (5 * a + 2 * b + 7 * Z)[None, None], atol=1e-5)


def test_swap_twice_is_nothing():
    hidden, vectors = states(dim=8), states(1, 2, 8, seed=3)[0]
    once = swap(*vectors)(hidden)
    assert not torch.allclose(once, hidden, atol=1e-2)
    assert torch.allclose(swap(*vectors)(once), hidden, atol=1e-5)
    assert torch.allclose(swap(*vectors.flip(0))(hidden), once, atol=1e-5)


@pytest.mark.parametrize("change", [add(states(3, 1)[:, 0]), replace(states(3, 4)), ablate(states(3, 1)), swap(states(3, 1)[:, 0], X)])
def test_values_follow_the_rows(change):
    hidden, index = states(3), torch.tensor([2, 0, 0, 1])
    assert torch.allclose(change.rows(index)(hidden[index]), change(hidden)[index], atol=1e-6)


def test_values_shared_by_all_rows_stay_shared():
    assert torch.equal(add(X).rows(torch.tensor([4, 4, 9]))(states(3)), states(3) + X)


def test_values_are_brought_to_the_states():
    hidden = states().double()
    assert add(torch.tensor([1, 2, 3]))(hidden).dtype == torch.float64
    assert ablate(X)(states()).dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ablate(torch.zeros(3)), "zero or depend"),
        (lambda: ablate(torch.stack([X, 2 * X])), "zero or depend"),
        (lambda: project(torch.randn(4, 3)), "zero or depend"),
        (lambda: swap(X, 3 * X), "one line"),
        (lambda: swap(X, 0 * X), "one line"),
        (lambda: add(torch.zeros(1, 1, 1, 3)), r"\[dim\], \[row, dim\]"),
        (lambda: add(X, torch.ones(2, 2)), "number or"),
        (lambda: add(torch.ones(4))(states()), "4 dimensions"),
        (lambda: add(torch.ones(3, 3))(states()), "3 rows, the batch has 2"),
        (lambda: replace(torch.ones(1, 3, 3))(states()), "3 positions, but 4"),
    ],
)
def test_what_does_not_fit_is_refused(make, said):
    with pytest.raises(BadInput, match=said):
        make()


def test_a_change_is_a_rule_and_values():
    assert torch.equal(Change(torch.neg)(states()), -states())

"""S_l and its kin against double loops over plain Python floats, and the invariances that a cosine must have."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semhub.errors import BadInput
from semhub.measures import similarity

EXACT = {"rtol": 0, "atol": 1e-9}


def states(seed: int, *shape: int, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two stacks of related states in float64; `shift` makes them anisotropic, as those of real models are."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(shape, generator=generator, dtype=torch.float64) + shift
    return a, a + torch.randn(shape, generator=generator, dtype=torch.float64)


def cosine(x: list[float], y: list[float]) -> float:
    return sum(p * q for p, q in zip(x, y, strict=True)) / math.sqrt(sum(p * p for p in x)) / math.sqrt(sum(q * q for q in y))


def cosines(a: torch.Tensor, b: torch.Tensor) -> list[list[float]]:
    """`a, b: [item, dim]` -> every cos(a_i, b_j), one by one."""
    return [[cosine(x, y) for y in b.tolist()] for x in a.tolist()]


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def plain_s(a: torch.Tensor, b: torch.Tensor) -> float:
    c, n = cosines(a, b), range(len(a))
    return mean(c[i][i] for i in n) - mean(c[i][j] for i in n for j in n if i != j)


def plain_influence(a: torch.Tensor, b: torch.Tensor) -> list[float]:
    c, n = cosines(a, b), range(len(a))
    off = mean(c[i][j] for i in n for j in n if i != j)
    return [c[i][i] - mean(c[i][j] for j in n if j != i) - mean(c[j][i] for j in n if j != i) + off for i in n]


def plain_hits(a: torch.Tensor, b: torch.Tensor) -> list[float]:
    c, n = cosines(a, b), range(len(a))
    return [float(all(c[i][i] > c[i][j] + 1e-12 for j in n if j != i)) for i in n]


def check_s(measure) -> None:
    for seed, shift in ((0, 0.0), (1, 2.0)):
        a, b = states(seed, 2, 9, 4, shift=shift)
        expected = torch.tensor([plain_s(*layer) for layer in zip(a, b, strict=True)], dtype=torch.float64)
        torch.testing.assert_close(measure.adjusted_cosine(a, b), expected, **EXACT)


def check_influence(measure) -> None:
    a, b = states(2, 2, 7, 4, shift=1.0)
    expected = torch.tensor([plain_influence(*layer) for layer in zip(a, b, strict=True)], dtype=torch.float64)
    torch.testing.assert_close(measure.adjusted_cosine_items(a, b), expected, **EXACT)


def check_hits(measure) -> None:
    a, b = states(3, 12, 3)
    for block in (1, 5, 12, 1024):
        forth, back = measure.precision_at_1(a, b, block=block)
        assert forth.tolist() == plain_hits(a, b) and back.tolist() == plain_hits(b, a)
    assert 0 < forth.mean() < 1 and forth.tolist() != back.tolist(), "an example in which nothing could go wrong proves nothing"
    b[7] = b[2]
    forth, back = measure.precision_at_1(a, b, block=5)
    assert forth[2] == forth[7] == 0 and back.tolist() == plain_hits(b, a)


def check_results(measure) -> None:
    a, b = states(4, 10, 4, shift=1.0)
    results = torch.tensor([5, 5, 7, 9, 7, 5, 11, 9, 2, 5])
    c, n = cosines(a, b), range(10)
    expected = {
        "exact": mean(c[i][i] for i in n),
        "same": mean(c[i][j] for i in n for j in n if i != j and results[i] == results[j]),
        "different": mean(c[i][j] for i in n for j in n if results[i] != results[j]),
        "all": mean(c[i][j] for i in n for j in n),
    }
    kinds = measure.result_cosines(a, b, results)
    assert {name: float(kind.mean) for name, kind in kinds.items()} == pytest.approx(expected, abs=1e-9)
    assert float(measure.arithmetic_difference(a, b)) == pytest.approx(expected["exact"] - expected["all"], abs=1e-9)


def check_contrast(measure) -> None:
    (a, b), (a_not, b_not) = states(5, 6, 4), states(6, 6, 4)
    rows = zip(a.tolist(), b.tolist(), a_not.tolist(), b_not.tolist(), strict=True)
    expected = [cosine(x, y) - (cosine(x, y_not) + cosine(x_not, y)) / 2 for x, y, x_not, y_not in rows]
    assert measure.contrast_items(a, b, a_not, b_not).tolist() == pytest.approx(expected, abs=1e-9)


def check_centre(measure) -> None:
    a, b = states(7, 2, 8, 4, shift=3.0)
    torch.testing.assert_close(measure.centre(a), a - a.mean(1, keepdim=True), **EXACT)
    constant = (b[0, :1] * (1 + 6e-8 * b[1, :5])).float()  # one state, as float32 rounds it in batches of several lengths
    assert constant.unique(dim=0).shape[0] > 1 and not measure.centre(constant).any()
    assert float(measure.adjusted_cosine(measure.centre(constant), b[0, :5].float())) == 0


CHECKS = [check_s, check_influence, check_hits, check_results, check_contrast, check_centre]


@pytest.mark.parametrize("check", CHECKS)
def test_equals_the_double_loop(check):
    check(similarity)


SHAPES = st.tuples(st.integers(2, 12), st.integers(2, 6))
SEEDS = st.integers(0, 2**31)


@settings(max_examples=30, deadline=None)
@given(SEEDS, SHAPES)
def test_s_is_the_mean_of_its_influences(seed, shape):
    a, b = states(seed, *shape)
    torch.testing.assert_close(similarity.adjusted_cosine_items(a, b).mean(), similarity.adjusted_cosine(a, b), **EXACT)


@settings(max_examples=30, deadline=None)
@given(SEEDS, SHAPES)
def test_s_ignores_rotation(seed, shape):
    a, b = states(seed, *shape)
    turn, _ = torch.linalg.qr(torch.randn(shape[1], shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    torch.testing.assert_close(similarity.adjusted_cosine(a @ turn, b @ turn), similarity.adjusted_cosine(a, b), **EXACT)


@settings(max_examples=30, deadline=None)
@given(SEEDS, SHAPES, st.floats(1e-3, 1e3))
def test_s_ignores_the_length_of_each_state(seed, shape, scale):
    a, b = states(seed, *shape)
    lengths = torch.rand(shape[0], 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1
    torch.testing.assert_close(similarity.adjusted_cosine(a * lengths * scale, b / lengths), similarity.adjusted_cosine(a, b), **EXACT)


@settings(max_examples=30, deadline=None)
@given(SEEDS, SHAPES)
def test_order_moves_items_and_nothing_else(seed, shape):
    a, b = states(seed, *shape)
    order = torch.randperm(shape[0], generator=torch.Generator().manual_seed(seed))
    for measure in (similarity.adjusted_cosine_items, similarity.paired_cosines):
        torch.testing.assert_close(measure(a[order], b[order]), measure(a, b)[order], **EXACT)
    assert similarity.precision_at_1(a[order], b[order])[0].equal(similarity.precision_at_1(a, b)[0][order])


@settings(max_examples=30, deadline=None)
@given(SEEDS, SHAPES)
def test_constant_states_share_nothing(seed, shape):
    a, b = (x[:1].expand(shape) for x in states(seed, *shape))
    assert float(similarity.adjusted_cosine(a, b)) == pytest.approx(0, abs=1e-9)
    assert not any(side.any() for side in similarity.precision_at_1(a, b)), "n states that are all alike are n ties"


def test_known_values():
    eye = torch.eye(6)
    assert float(similarity.adjusted_cosine(eye, eye)) == pytest.approx(1)
    assert float(similarity.adjusted_cosine(eye, -eye)) == pytest.approx(-1)
    assert float(similarity.arithmetic_difference(eye, eye)) == pytest.approx(5 / 6)
    assert all(side.all() for side in similarity.precision_at_1(eye, eye))


def test_chunks_do_not_show(monkeypatch):
    a, b = states(8, 3, 50, 4)
    whole = similarity.adjusted_cosine_items(a, b), similarity.centre(a), similarity.result_cosines(a, b, torch.arange(50) % 7)["same"].sums
    monkeypatch.setattr(similarity, "CHUNK", 4 * 7)
    parts = similarity.adjusted_cosine_items(a, b), similarity.centre(a), similarity.result_cosines(a, b, torch.arange(50) % 7)["same"].sums
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_float32_and_bfloat16_states_are_summed_in_float64():
    a, b = states(9, 300, 16, shift=20.0)
    for dtype in (torch.float32, torch.bfloat16):
        low_a, low_b = a.to(dtype), b.to(dtype)
        assert similarity.adjusted_cosine(low_a, low_b).equal(similarity.adjusted_cosine(low_a.double(), low_b.double()))


@pytest.mark.parametrize("measure", [similarity.adjusted_cosine, similarity.adjusted_cosine_items, similarity.precision_at_1])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a, b: (a[:1], b[:1]), "At least 2 items"),
        (lambda a, b: (a, b[:4]), "one shape"),
        (lambda a, b: (a[0], b[0]), "one shape"),
        (lambda a, b: (a.index_fill(0, torch.tensor(3), 0.0), b), "State 3 is a zero vector"),
        (lambda a, b: (a, b.index_fill(0, torch.tensor(2), torch.nan)), "State 2 is not finite"),
        (lambda a, b: (a, b.index_fill(0, torch.tensor(2), torch.inf)), "State 2 is not finite"),
    ],
)
def test_what_has_no_cosine_is_refused(measure, spoil, words):
    with pytest.raises(BadInput, match=words):
        measure(*spoil(*states(10, 5, 4)))


def test_results_of_other_items_are_refused():
    with pytest.raises(BadInput, match="One result per item"):
        similarity.result_cosines(*states(11, 5, 4), torch.arange(4))


def test_a_kind_without_pairs_has_no_mean():
    assert similarity.result_cosines(*states(12, 5, 4), torch.arange(5))["same"].mean.isnan()

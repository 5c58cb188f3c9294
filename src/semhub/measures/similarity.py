"""Do states of one meaning in two data types lie closer than states of different meanings (Eq. 1)?

Pure tensors to numbers; knows no model and no file. Time is linear in the pairs, no item x item tensor is made, and
only `precision_at_1` compares every item with every other, in square blocks. Sums run in float64.

Formulas: PROTOCOL section 1 (S_l and its closed form), section 3 row 5 (arithmetic); Wu et al., arXiv 2411.04986, Eq. 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from semhub.errors import BadInput

CHUNK = 1 << 18  # numbers converted to float64 at a time: two such pieces stay in a core's cache
CONSTANT = 1e-6  # spread over length below which float32 states count as constant
TIE = 1e-12  # a lead in cosine no larger than what float64 sums round off


def adjusted_cosine(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [..., item, dim]` -> `[...]`, float64: S_l, the mean cosine of pairs minus that of mismatched items.

    S = mean_i cos(a_i, b_i) - mean_{i != j} cos(a_i, b_j), the second term through its closed form.
    Raises BadInput for fewer than two items, other shapes, states that are not finite, or single zero states.
    """
    layers = [_moments(*pair) for pair in _layers(a, b)]
    return torch.stack([m.paired.mean() - m.mismatched() for m in layers]).reshape(a.shape[:-2])


def adjusted_cosine_items(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [..., item, dim]` -> `[..., item]`, float64: each item's influence on S_l; their mean is S_l exactly.

    psi_i = c_ii - r_i - k_i + m, with r_i and k_i the means of c_ij and c_ji over j != i, and m the mean over all
    i != j: the first-order (Hajek) projection of S_l, so a bootstrap over psi is one of S_l. Raises as `adjusted_cosine`.
    """
    return torch.stack([_influence(*pair) for pair in _layers(a, b)]).reshape(a.shape[:-1])


def against_all(a: Tensor, b: Tensor, every: Tensor) -> Tensor:
    """`a, b: [item, dim]`, `every: [meaning, dim]`, each b_i once among them -> `[item]`, float64.

    cos(a_i, b_i) minus the mean cosine of a_i with the rest of `every`: the items x meanings rectangle, through its closed form.
    Raises BadInput for fewer than two meanings, and as `units`.
    """
    if len(every) < 2:
        raise BadInput(f"At least two meanings are needed to hold an item against, found {len(every)}.")
    a, right = units(a), paired_cosines(a, b)
    return right - (a @ units(every).sum(0) - right) / (len(every) - 1)


def paired_cosines(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [..., item, dim]` -> `[..., item]`, float64: cos(a_i, b_i). Raises BadInput as `adjusted_cosine`."""
    return torch.stack([_moments(*pair).paired for pair in _layers(a, b, least=1)]).reshape(a.shape[:-1])


def contrast_items(a: Tensor, b: Tensor, a_negative: Tensor, b_negative: Tensor) -> Tensor:
    """`a, b, a_negative, b_negative: [..., item, dim]` -> `[..., item]`: a pair against each item's own hard negative.

    cos(a_i, b_i) - (cos(a_i, b-_i) + cos(a-_i, b_i)) / 2. Raises BadInput as `adjusted_cosine`.
    """
    right = paired_cosines(a, b)
    return right - (paired_cosines(a, b_negative) + paired_cosines(a_negative, b)) / 2


def units(x: Tensor) -> Tensor:
    """`x: [item, dim]` -> the same, float64, each state of length 1 (zero where all are). Raises BadInput as `adjusted_cosine`."""
    x = x.double()
    _sound(torch.linalg.vector_norm(x, dim=-1))
    return torch.nn.functional.normalize(x, dim=-1)


def centre(x: Tensor) -> Tensor:
    """`x: [..., item, dim]` -> the same shape and dtype: each layer's states minus their mean over the items of one type.

    A layer that is constant up to rounding (every sentence ends in the same token, seen at layer 0) becomes exactly
    zero, so that the direction of rounding errors is never read; the measures here count such a layer's cosines as 0.
    """
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for old, new in zip(x.reshape(-1, *x.shape[-2:]), out.view(-1, *x.shape[-2:]), strict=True):
        mean = sum(piece.sum(0) for _, piece in _pieces(old)) / len(old)
        for rows, piece in _pieces(old):
            new[rows] = piece - mean
        if torch.linalg.vector_norm(new) <= CONSTANT * torch.linalg.vector_norm(old):
            new.zero_()
    return out


def standardise(x: Tensor) -> Tensor:
    """`x: [item, dim]` -> centred, each dimension at unit spread, so that no few rogue dimensions make the cosine.

    Timkey and van Schijndel 2021, arXiv 2109.04404, section 5 (z-scores per dimension, here within one type). A dimension that is
    constant stays 0.
    """
    centred = centre(x)
    spread = centred.std(0, unbiased=False)
    return centred / torch.where(spread > 0, spread, 1.0)


def precision_at_1(a: Tensor, b: Tensor, block: int = 1024) -> tuple[Tensor, Tensor]:
    """`a, b: [..., item, dim]` -> two `[..., item]` of 1.0 and 0.0: is the translation the nearest of all n, a to b and b to a?

    A hit needs a cosine strictly above that of *every* other item, so a tie is a miss. Leads up to TIE, the rounding of
    float64 sums, count as ties. Memory is `block * block`. Raises BadInput as `adjusted_cosine`.
    """
    hits = [_nearest(*pair, block) for pair in _layers(a, b)]
    forth, back = (torch.stack(side).reshape(a.shape[:-1]) for side in zip(*hits, strict=True))
    return forth, back


@dataclass(frozen=True, slots=True)
class PairSums:
    """Cosines of one kind of pair, kept per item: `sums: [..., item]`, `counts: [item]` (pairs with a_i, diagonal as named)."""

    sums: Tensor
    counts: Tensor

    @property
    def mean(self) -> Tensor:
        """`[...]`: the mean over all pairs of this kind; nan where there is none."""
        return self.sums.sum(-1) / self.counts.sum()


def result_cosines(a: Tensor, b: Tensor, results: Tensor) -> dict[str, PairSums]:
    """`a, b: [..., item, dim]`, `results: [item]` integers -> raw cosines by kind of pair (catalogue row 5).

    Kinds: `exact` (i = j), `same` (i != j, one result), `different` (other results), `all` (every i and j, diagonal
    included). `statistics.bootstrap_ratio(sums, counts)` gives a kind's interval. Raises as `adjusted_cosine`.
    """
    _, groups = torch.unique(results, return_inverse=True)
    if groups.shape != a.shape[-2:-1]:
        raise BadInput(f"One result per item was asked for: {a.shape[-2]} items, results of shape {list(results.shape)}.")
    layers = [_row_sums(*pair, groups.to(a.device)) for pair in _layers(a, b)]
    exact, same, every = (torch.stack(kind).reshape(a.shape[:-1]) for kind in zip(*layers, strict=True))
    size = torch.bincount(groups)[groups].to(every)
    one, n = torch.ones_like(size), float(len(size))
    return {
        "exact": PairSums(exact, one),
        "same": PairSums((same - exact) * (size > 1), size - 1),  # where there is no pair, exactly 0 and no rounding
        "different": PairSums((every - same) * (size < n), n - size),
        "all": PairSums(every, one * n),
    }


def arithmetic_difference(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [..., item, dim]` -> `[...]`: row 5's `difference`, exact match minus the mean of *all* pairs, diagonal included.

    The `paper` form; it is S_l times (n - 1) / n. Raises BadInput as `adjusted_cosine`.
    """
    layers = [_moments(*pair) for pair in _layers(a, b)]
    return torch.stack([m.paired.mean() - m.sum_a @ m.sum_b / len(m.paired) ** 2 for m in layers]).reshape(a.shape[:-2])


@dataclass(frozen=True, slots=True)
class _Moments:
    """What S_l needs of one layer: inverse lengths `[item]`, sums of unit states `[dim]`, cosines of pairs `[item]`."""

    inverse_a: Tensor
    inverse_b: Tensor
    sum_a: Tensor
    sum_b: Tensor
    paired: Tensor

    def mismatched(self) -> Tensor:
        n = len(self.paired)
        return (self.sum_a @ self.sum_b - self.paired.sum()) / (n * (n - 1))


def _moments(a: Tensor, b: Tensor) -> _Moments:
    length_a, length_b, paired = (torch.empty(len(a), dtype=torch.float64, device=a.device) for _ in range(3))
    sum_a, sum_b = (torch.zeros(a.shape[-1], dtype=torch.float64, device=a.device) for _ in range(2))
    for rows, x, y in _pieces(a, b):
        length_a[rows], length_b[rows] = torch.linalg.vector_norm(x, dim=-1), torch.linalg.vector_norm(y, dim=-1)
        over_a, over_b = _inverse(length_a[rows]), _inverse(length_b[rows])
        sum_a += over_a @ x
        sum_b += over_b @ y
        paired[rows] = torch.linalg.vecdot(x, y) * over_a * over_b
    return _Moments(_inverse(_sound(length_a)), _inverse(_sound(length_b)), sum_a, sum_b, paired)


def _influence(a: Tensor, b: Tensor) -> Tensor:
    m = _moments(a, b)
    psi = m.paired + m.mismatched()
    for rows, x, y in _pieces(a, b):
        row, column = (x @ m.sum_b) * m.inverse_a[rows], (y @ m.sum_a) * m.inverse_b[rows]
        psi[rows] -= (row + column - 2 * m.paired[rows]) / (len(a) - 1)
    return psi


def _row_sums(a: Tensor, b: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`[item]` each: c_ii, the sum of c_ij over j of i's group (i included), and over every j."""
    m = _moments(a, b)
    by_group = torch.zeros(int(groups.max()) + 1, a.shape[-1], dtype=torch.float64, device=a.device)
    for rows, _, y in _pieces(a, b):
        by_group.index_add_(0, groups[rows], y * m.inverse_b[rows, None])
    same, every = torch.empty_like(m.paired), torch.empty_like(m.paired)
    for rows, x, _ in _pieces(a, b):
        same[rows] = torch.linalg.vecdot(x, by_group[groups[rows]]) * m.inverse_a[rows]
        every[rows] = (x @ m.sum_b) * m.inverse_a[rows]
    return m.paired, same, every


def _nearest(a: Tensor, b: Tensor, block: int) -> tuple[Tensor, Tensor]:
    own = _moments(a, b).paired
    best_b, best_a = torch.full_like(own, -torch.inf), torch.full_like(own, -torch.inf)
    for i in range(0, len(a), block):
        rows, x = slice(i, i + block), _unit(a[i : i + block])
        for j in range(0, len(a), block):
            columns, cosines = slice(j, j + block), x @ _unit(b[j : j + block]).T
            if i == j:
                cosines.fill_diagonal_(-torch.inf)
            best_b[rows] = torch.maximum(best_b[rows], cosines.amax(1))
            best_a[columns] = torch.maximum(best_a[columns], cosines.amax(0))
    return (own > best_b + TIE).double(), (own > best_a + TIE).double()


def _unit(x: Tensor) -> Tensor:
    x = x.double()
    return x * _inverse(torch.linalg.vector_norm(x, dim=-1, keepdim=True))


def _inverse(lengths: Tensor) -> Tensor:
    """1 / length, and 0 for a zero vector, whose cosines count as 0."""
    return lengths.masked_fill(lengths == 0, torch.inf).reciprocal()


def _sound(lengths: Tensor) -> Tensor:
    """Refuse states that are not finite, and zero states among others; a layer of zeros is what `centre` leaves of a constant one."""
    if not torch.isfinite(lengths).all():
        raise BadInput(f"State {int((~torch.isfinite(lengths)).nonzero()[0])} is not finite (nan or infinity); read it again in float32.")
    zero = lengths == 0
    if zero.any() and not zero.all():
        raise BadInput(f"State {int(zero.nonzero()[0])} is a zero vector, which has no direction; was a padded position read?")
    return lengths


def _pieces(*states: Tensor) -> Iterator[tuple]:
    """Walk stacks `[item, dim]` together: a slice of rows, then those rows of each in float64."""
    step = max(1, CHUNK // states[0].shape[-1])
    for start in range(0, len(states[0]), step):
        rows = slice(start, start + step)
        yield rows, *(x[rows].double() for x in states)


def _layers(a: Tensor, b: Tensor, least: int = 2) -> Iterator[tuple[Tensor, Tensor]]:
    """Check two stacks of states and walk their layers, one `[item, dim]` pair at a time."""
    if a.shape != b.shape or a.dim() < 2:
        raise BadInput(f"States of one shape [..., item, dim] were asked for, found {list(a.shape)} and {list(b.shape)}.")
    if a.shape[-2] < least:
        raise BadInput(f"At least {least} items are needed to compare meanings, found {a.shape[-2]}.")
    yield from zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]), strict=True)

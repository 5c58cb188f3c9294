"""Other ways to ask whether two types share a space: neighbours and kernels, beside S_l and P@1.

Pure tensors to numbers; knows no model and no file. What compares every item with every other does so in blocks of rows;
`cka` is linear in the items. A tie counts against the translation, as in `similarity.precision_at_1`.

MEXA: Kargaran et al. 2024, arXiv 2410.05873.
CSLS: Conneau et al. 2018, arXiv 1710.04087. Mutual nearest neighbours: Huh et al. 2024, arXiv 2405.07987.
Debiased CKA: Kornblith et al. 2019 with the unbiased HSIC of Song et al. 2012, eq. 5;
what the biased one makes of more dimensions than items: Murphy et al. 2024, arXiv 2405.01012.
"""

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.measures.similarity import CONSTANT, TIE, units

BLOCK = 1024
K = 10  # neighbours of CSLS and of mutual neighbours
ROUNDING = 1e-12
NOBODY = -1  # in the place of a neighbour that is one only by the order of the items


class Between:
    """Cosines of every item of `a` with every item of `b`, and what several measures read off them.

    `a, b: [item, dim]` of length 1 (`similarity.units`). They are made in blocks of rows; where one block is all there is, it is made once.
    """

    def __init__(self, a: Tensor, b: Tensor):
        self.a, self.b = a, b

    @cached_property
    def whole(self) -> Tensor:
        return self.a @ self.b.T

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """The first row and the cosines `[row, item]` of each block; to be read, not written."""
        if len(self.a) <= BLOCK:
            yield 0, self.whole
            return
        for start in range(0, len(self.a), BLOCK):
            yield start, self.a[start : start + BLOCK] @ self.b.T

    @cached_property
    def own(self) -> Tensor:
        """`[item]`: cosines of the pairs."""
        return torch.linalg.vecdot(self.a, self.b)

    @cached_property
    def hits(self) -> tuple[Tensor, Tensor]:
        """Two `[item]` of 1.0 and 0.0: `similarity.precision_at_1`, a to b and b to a; leads up to TIE are ties, which are misses."""
        best_b, best_a = torch.full_like(self.own, -torch.inf), torch.full_like(self.own, -torch.inf)
        for start, rows in self.blocks():
            others = without_self(rows, start)
            best_b[start : start + len(rows)] = others.amax(1)
            best_a = torch.maximum(best_a, others.amax(0))
        return (self.own > best_b + TIE).double(), (self.own > best_a + TIE).double()

    @cached_property
    def ranks(self) -> tuple[Tensor, Tensor]:
        """Two `[item]`: rank of the translation among all n from 1, a to b and b to a."""
        forth, back = torch.zeros_like(self.own), torch.zeros_like(self.own)
        for start, rows in self.blocks():
            here = slice(start, start + len(rows))
            forth[here] = (rows >= self.own[here, None] - ROUNDING).sum(1).double()
            back += (rows >= self.own - ROUNDING).sum(0)
        return forth, back

    def hubness(self, k: int) -> tuple[Tensor, Tensor]:
        """`[item]` of a and `[item]` of b: the mean cosine with the k nearest of the other side."""
        near_a, best = [], self.own.new_empty(0, len(self.b))
        for _, rows in self.blocks():
            near_a.append(top(rows, k, 1).mean(1))
            best = top(torch.cat([best, top(rows, k, 0)]), k, 0)
        return torch.cat(near_a), best.mean(0)

    def csls(self, k: int) -> tuple[Tensor, Tensor]:
        """Two `[item]` of 1.0 and 0.0: hits after every cosine is lowered by how near its items are to everything."""
        near_a, near_b = self.hubness(k)
        forth, over = [], torch.zeros_like(self.own)
        for start, rows in self.blocks():
            here = slice(start, start + len(rows))
            scored, twice = 2 * rows, 2 * self.own
            forth.append((scored - near_b >= (twice - near_b)[here, None] - ROUNDING).sum(1) == 1)
            over += (scored.sub_(near_a[here, None]) >= twice - near_a - ROUNDING).sum(0)
        return torch.cat(forth).double(), (over == 1).double()


def between(a: Tensor, b: Tensor) -> Between:
    return Between(units(a), units(b))


def reciprocal_ranks(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """`a, b: [item, dim]` -> two `[item]`: 1 / rank of the translation among all n, a to b and b to a (their mean is MRR)."""
    return tuple(1 / ranks for ranks in between(a, b).ranks)


def mexa(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [item, dim]` -> `[item]` of 1.0 and 0.0: is the pair strictly the best of its row and of its column (weak alignment)?

    The mean over items is the MEXA score of a layer.
    """
    forth, back = between(a, b).hits
    return forth * back


def csls_at_1(a: Tensor, b: Tensor, k: int = K) -> tuple[Tensor, Tensor]:
    """`a, b: [item, dim]` -> two `[item]` of 1.0 and 0.0: P@1 by CSLS, which lowers items that are near to everything."""
    return between(a, b).csls(k)


def mutual_neighbours(a: Tensor, b: Tensor, k: int = K) -> Tensor:
    """`a, b: [item, dim]` -> `[item]`: share of an item's k nearest neighbours in its own type that are so in the other too.

    With n items, unrelated spaces share k / (n - 1) on average. Ties are misses, so states that are all alike share nothing.
    """
    return shared(*(nearest(units(x), k) for x in (a, b)))


def nearest(unit: Tensor, k: int = K) -> Tensor:
    """`unit: [item, dim]` of length 1 -> `[item, k]`: the k nearest others of each item (all others, where they are fewer).

    NOBODY stands where an item that is left out is just as near, so that none of the two is nearer than the other.
    """
    k = min(k, len(unit) - 1)
    found = []
    for start, rows in Between(unit, unit).blocks():
        values, others = without_self(rows, start).topk(k + 1, dim=1)  # the item itself, at -inf, where there are no more
        found.append(others[:, :k].masked_fill(values[:, :k] <= values[:, k:] + TIE, NOBODY))
    return torch.cat(found)


def shared(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [item, k]` indices without repetition -> `[item]`: the share of them that both have."""
    return ((a[:, :, None] == b[:, None]) & (a[:, :, None] != NOBODY)).sum((1, 2)).double() / a.shape[1]


def cka(a: Tensor, b: Tensor) -> float:
    """`a, b: [item, dim]` -> debiased linear CKA: near 0 for unrelated states, 1 for rotated ones, nan where one side's are all alike.

    Raises BadInput below four items.
    """
    if len(a) < 4:
        raise BadInput(f"Debiased CKA needs four items or more, found {len(a)}.")
    if any(float((x - x[0]).abs().max()) <= CONSTANT * float(x.abs().max()) for x in (a, b)):
        return float("nan")
    a, b = a.double(), b.double()
    scale = (hsic(a, a) * hsic(b, b)) ** 0.5
    return float(hsic(a, b) / scale) if bool(scale > 0) else float("nan")


def hsic(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased HSIC of linear kernels, each with its diagonal left out, through sums over items."""
    n = len(x)
    x_own, y_own = (x * x).sum(1), (y * y).sum(1)
    x_rows, y_rows = x @ x.sum(0) - x_own, y @ y.sum(0) - y_own
    trace = (x.T @ y).square().sum() - x_own @ y_own
    corner = x_rows.sum() * y_rows.sum() / ((n - 1) * (n - 2))
    return (trace + corner - 2 / (n - 2) * (x_rows @ y_rows)) / (n * (n - 3))


def without_self(rows: Tensor, start: int) -> Tensor:
    """A block of rows, the first of which is row `start` of all, with -inf for every item's cosine with its own partner."""
    rows = rows.clone()
    rows.diagonal(offset=start).fill_(-torch.inf)
    return rows


def top(rows: Tensor, k: int, dim: int) -> Tensor:
    return rows.topk(min(k, rows.shape[dim]), dim=dim).values

"""Other ways to ask whether two types share a space: neighbours and kernels, beside S_l and P@1.

Pure tensors to numbers; knows no model and no file. What compares every item with every other does so in blocks of rows;
`cka` is linear in the items. A tie counts against the translation, as in `similarity.precision_at_1`.

MEXA: Kargaran et al. 2024, arXiv 2410.05873.
CSLS: Conneau et al. 2018, arXiv 1710.04087. Mutual nearest neighbours: Huh et al. 2024, arXiv 2405.07987.
Debiased CKA: Kornblith et al. 2019 with the unbiased HSIC of Song et al. 2012, eq. 5;
what the biased one makes of more dimensions than items: Murphy et al. 2024, arXiv 2405.01012.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.measures.similarity import precision_at_1

BLOCK = 1024
K = 10  # neighbours of CSLS and of mutual neighbours
ROUNDING = 1e-12


def reciprocal_ranks(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """`a, b: [item, dim]` -> two `[item]`: 1 / rank of the translation among all n, a to b and b to a (their mean is MRR)."""
    return tuple(torch.cat([1 / (1 + beaten(rows, own)) for rows, own in cosines(*pair)]) for pair in both(a, b))


def mexa(a: Tensor, b: Tensor) -> Tensor:
    """`a, b: [item, dim]` -> `[item]` of 1.0 and 0.0: is the pair strictly the best of its row and of its column (weak alignment)?

    The mean over items is the MEXA score of a layer.
    """
    forth, back = precision_at_1(a, b)
    return forth * back


def csls_at_1(a: Tensor, b: Tensor, k: int = K) -> tuple[Tensor, Tensor]:
    """`a, b: [item, dim]` -> two `[item]` of 1.0 and 0.0: P@1 by CSLS, which lowers items that are near to everything."""
    near = {
        side: torch.cat([top(rows, k).values.mean(1) for rows, _ in cosines(*pair)]) for side, pair in zip("ab", both(a, b), strict=True)
    }
    hits = []
    for side, pair in zip("ba", both(a, b), strict=True):
        scored = ((2 * rows - near[side], own, start) for start, (rows, own) in enumerate(cosines(*pair)))
        hits.append(torch.cat([(beaten(rows, diagonal(rows, start)) == 0).double() for rows, _, start in scored]))
    return hits[0], hits[1]


def mutual_neighbours(a: Tensor, b: Tensor, k: int = K) -> Tensor:
    """`a, b: [item, dim]` -> `[item]`: share of an item's k nearest neighbours in its own type that are so in the other too.

    With n items, unrelated spaces share k / (n - 1) on average.
    """
    k = min(k, len(a) - 1)
    shared = []
    for start, ((in_a, _), (in_b, _)) in enumerate(zip(cosines(a, a), cosines(b, b), strict=True)):
        found = [torch.zeros_like(rows).scatter_(1, top(without_self(rows, start), k).indices, 1.0) for rows in (in_a, in_b)]
        shared.append((found[0] * found[1]).sum(1) / k)
    return torch.cat(shared)


def cka(a: Tensor, b: Tensor) -> float:
    """`a, b: [item, dim]` -> debiased linear CKA: near 0 for unrelated states, 1 for rotated ones. Raises BadInput below four items."""
    if len(a) < 4:
        raise BadInput(f"Debiased CKA needs four items or more, found {len(a)}.")
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


def both(a: Tensor, b: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return (a, b), (b, a)


def cosines(a: Tensor, b: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """`[row, item]` cosines of a block of rows of `a` with all of `b`, and those with the rows' own partners, `[row]`."""
    a, b = (torch.nn.functional.normalize(x.double(), dim=-1) for x in (a, b))
    for start in range(0, len(a), BLOCK):
        rows = a[start : start + BLOCK] @ b.T
        yield rows, diagonal(rows, start // BLOCK)


def diagonal(rows: Tensor, block: int) -> Tensor:
    return rows.diagonal(offset=block * BLOCK)


def beaten(rows: Tensor, own: Tensor) -> Tensor:
    """How many others are at least as near as the item's own partner."""
    return (rows >= own[:, None] - ROUNDING).sum(1) - 1


def without_self(rows: Tensor, block: int) -> Tensor:
    rows = rows.clone()
    diagonal(rows, block).fill_(-torch.inf)
    return rows


def top(rows: Tensor, k: int):
    return rows.topk(min(k, rows.shape[1]), dim=1)

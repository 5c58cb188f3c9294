"""Could similarity this high at its best layer come from pairing meanings at random? A permutation null with the maximum over layers.

Pure tensors to numbers; knows no model and no file. Three things make even an untrained network look aligned, and each is met:
what a stratum shares (template, lengths, overlap) by permuting inside strata only (`within_strata`); what the surface of the texts
shows (frequent tokens, their lengths) by taking it out of both sides' states first (`without`; Freedman and Lane 1983, who permute
residuals); and words that return in many items on both sides, which make the items fewer than they seem (Clark 1973), by giving
the permuted sums the spread of two sides that are independent of one another but not within themselves (`independent_spread`).
No item x item tensor is made but in blocks of rows.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024
FIRST, ENOUGH = 499, 0.1  # permutations after which a p above ENOUGH is not looked at more closely
CONSTANT = 1e-6  # mean length of what is left of unit states below which they count as constant
RANK = 1e-9  # singular values below this share of the largest are no direction of their own


def within_strata(strata: Sequence, draws: int, seed: int | Sequence[int] = 0) -> Tensor:
    """`strata: [item]` labels -> `[draw, item]`, int64: permutations that move items inside their stratum only."""
    label, rng = labels(strata), np.random.default_rng(seed)
    out = np.tile(np.arange(len(label)), (draws, 1))
    for stratum in np.flatnonzero(np.bincount(label) > 1):
        members = np.flatnonzero(label == stratum)
        out[:, members] = members[rng.random((draws, len(members))).argsort(1)]
    return torch.from_numpy(out)


def peak_p(
    layers: Iterable[tuple[Tensor, Tensor]], strata: Sequence, draws: int = 4999, seed: int = 0, surface: Tensor | None = None
) -> float:
    """`layers`: pairs `a, b: [item, dim]` -> p that S_l beyond its strata, maximised over layers, is as high with meanings permuted.

    Never below 1 / (draws + 1); 1 where no layer tells items apart. What counts is the sum of the cosines of pairs beyond its mean
    over all permutations, as it stands; with `surface: [item, column]` (what both texts show), that of the residuals, the permuted
    sums of each layer at the spread that independent sides would have. `layers` is walked again where the first permutations
    leave p at ENOUGH or less: give a sequence, not an iterator.
    """
    first = min(FIRST, draws)
    reached, observed = exceeded(layers, strata, within_strata(strata, first, seed), surface)
    if observed == -np.inf:
        return 1.0
    if draws > first and (1 + reached) / (first + 1) <= ENOUGH:
        reached += exceeded(layers, strata, within_strata(strata, draws - first, [seed, 1]), surface)[0]
        first = draws
    return float((1 + reached) / (first + 1))


def exceeded(layers: Iterable[tuple[Tensor, Tensor]], strata: Sequence, perms: Tensor, surface: Tensor | None) -> tuple[int, float]:
    """(how many permutations reach it, the highest observed sum over layers, minus infinity where no layer tells items apart)."""
    label = torch.from_numpy(labels(strata))
    shown = None if surface is None else basis(surface, label)
    free = len(label) - int(label.max()) - 1
    lost = 1.0 if shown is None else (free / max(1, free - shown.shape[1])) ** 0.5  # residuals that are permuted lose the surface twice
    observed, null = -np.inf, np.full(len(perms), -np.inf)
    for a, b in layers:
        a, b = (within(_unit(x), label) for x in (a, b))
        if shown is not None:
            a, b = without(a, shown), without(b, shown)
        if min(float(a.norm()), float(b.norm())) <= CONSTANT * len(label) ** 0.5:
            continue  # every item is the same there (the embedding of one probe): 0 is no excess, and would cap p at 1
        permuted, spread, square = _permuted(a, b, perms, label)
        stretch = 1.0 if shown is None or spread == 0 else max(lost, independent_spread(a, b, square) / spread)
        observed, null = max(observed, float((a * b).sum())), np.maximum(null, stretch * permuted)
    return int((null >= observed - 1e-12 * len(label)).sum()), observed


def independent_spread(a: Tensor, b: Tensor, square: float | None = None) -> float:
    """`a, b: [item, dim]` -> the standard deviation of sum_i a_i . b_i, were the two sides drawn independently of one another.

    For a ~ matrix normal with covariance A over items and C over dimensions, and b with B and D, it is
    sqrt(tr(AB) tr(CD)); all four are read off a and b: |a bT| |aT b| / (|a| |b|). With independent items, tr(AB) is their number, as a
    permutation takes for granted; words that return on both sides make it larger. `square`: |a bT|^2, where it is known.
    """
    if square is None:
        square = _overlap(a.T, b.T)
    length = float(a.norm() * b.norm())
    return (square * _overlap(a, b)) ** 0.5 / length if length > 0 else 0.0


def within(x: Tensor, label: Tensor) -> Tensor:
    """`x: [item, dim]`, `label: [item]` -> the same shape: minus the mean of each item's stratum.

    Dot products of what is left are each pair's excess over its stratum, whose sum is 0 on average over permutations.
    """
    sums = x.new_zeros(int(label.max()) + 1, x.shape[1]).index_add_(0, label, x)
    return x - (sums / torch.bincount(label)[:, None])[label]


def basis(columns: Tensor, label: Tensor) -> Tensor:
    """`columns: [item, column]`, `label: [item]` -> `[item, rank]`, float64: orthonormal directions of the columns inside strata."""
    lengths = torch.linalg.vector_norm(columns.double(), dim=0)
    columns = within(columns.double(), label)
    left = torch.linalg.vector_norm(columns, dim=0)
    columns = (columns / left)[:, left > RANK * lengths]
    u, s, _ = torch.linalg.svd(columns, full_matrices=False)
    return u[:, s > RANK * s[:1]]


def without(x: Tensor, basis: Tensor) -> Tensor:
    """`x: [item, dim]`, `basis: [item, rank]` orthonormal -> what no linear function of the basis explains of `x`."""
    return x - basis @ (basis.T @ x)


def labels(strata: Sequence) -> np.ndarray:
    """`[item]`, int64: strata numbered from 0."""
    return np.unique([repr(s) for s in strata], return_inverse=True)[1]


def _permuted(a: Tensor, b: Tensor, perms: Tensor, label: Tensor) -> tuple[np.ndarray, float, float]:
    """(`[draw]`: sums of dot products over each permutation's pairs; their standard deviation over all permutations; |a bT|^2).

    Both sides have mean 0 in every stratum.
    """
    permuted, whole, inside = torch.zeros(len(perms), dtype=torch.float64), 0.0, 0.0
    free = (torch.bincount(label) - 1).clamp(min=1)[label].double()
    for start in range(0, len(a), BLOCK):
        rows = torch.arange(start, min(start + BLOCK, len(a)))
        products = a[rows] @ b.T
        permuted += products[rows - start, perms[:, rows]].sum(1)
        squares = products.square()
        whole += float(squares.sum())
        inside += float(((squares * (label[rows, None] == label)).sum(1) / free[rows]).sum())
    return permuted.numpy(), inside**0.5, whole


def _overlap(a: Tensor, b: Tensor) -> float:
    """`a: [item, m]`, `b: [item, n]` -> |aT b|^2, by whichever side is smaller: dimensions, or items in blocks of rows."""
    if max(a.shape[1], b.shape[1]) <= len(a):
        return float((a.T @ b).square().sum())
    return sum(float(((a[s : s + BLOCK] @ a.T) * (b[s : s + BLOCK] @ b.T)).sum()) for s in range(0, len(a), BLOCK))


def _unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x.double(), dim=-1)

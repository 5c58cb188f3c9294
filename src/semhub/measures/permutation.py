"""Could similarity this high at its best layer come from pairing meanings at random? A permutation null with the maximum over layers.

Pure tensors to numbers; knows no model and no file. Three things make even an untrained network look aligned, and each is met:
what a stratum shares (template, lengths, overlap) by permuting inside strata only (`within_strata`); what the surface of a text
shows (frequent tokens, its length) by taking it out of the states first (`without`; Freedman and Lane 1983, who permute
residuals); and words that return in many items, which make the items fewer than they seem (Clark 1973), by a wider null
(`design_effect`). No item x item tensor is made but in blocks of rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024
CONSTANT = 1e-6  # mean length of what is left of unit states below which they count as constant
RANK = 1e-9  # singular values below this share of the largest are no direction of their own


@dataclass(frozen=True, slots=True)
class Surface:
    """What the null must respect beside the strata, all of it known without a model's states.

    `a, b: [item, column]`: what each side's own text shows. `links: [some item, some item]`: 1 where two of the items
    `linked: [some item]` share words on both sides, so that one is no new evidence beside the other; its diagonal is ignored.
    """

    a: Tensor
    b: Tensor
    linked: Tensor
    links: Tensor


def within_strata(strata: Sequence, draws: int, seed: int = 0) -> Tensor:
    """`strata: [item]` labels -> `[draw, item]`, int64: permutations that move items inside their stratum only."""
    label, rng = labels(strata), np.random.default_rng(seed)
    out = np.tile(np.arange(len(label)), (draws, 1))
    for stratum in range(label.max() + 1):
        members = np.flatnonzero(label == stratum)
        out[:, members] = members[rng.random((draws, len(members))).argsort(1)]
    return torch.from_numpy(out)


def peak_p(
    layers: Iterable[tuple[Tensor, Tensor]], strata: Sequence, draws: int = 499, seed: int = 0, surface: Surface | None = None
) -> float:
    """`layers`: pairs `a, b: [item, dim]` -> p that S_l beyond its strata, maximised over layers, is as high with meanings permuted.

    Never below 1 / (draws + 1); 1 where no layer tells items apart. What counts is the excess of the mean cosine of pairs over its
    mean under all permutations, as it stands; with `surface`, that of the residuals, each layer's null stretched by the square root
    of its design effect.
    """
    perms, label = within_strata(strata, draws, seed), torch.from_numpy(labels(strata))
    bases = None if surface is None else (basis(surface.a), basis(surface.b))
    observed, null = -np.inf, np.full(draws, -np.inf)
    for a, b in layers:
        a, b = _unit(a), _unit(b)
        if bases is not None:
            a, b = without(a, bases[0]), without(b, bases[1])
        a, b = within(a, label), within(b, label)
        if min(float(a.norm()), float(b.norm())) <= CONSTANT * len(label) ** 0.5:
            continue  # every item is the same there (the embedding of one probe): 0 is no excess, and would cap p at 1
        pairs, permuted = (a * b).sum(1), _permuted(a, b, perms)
        stretch = 1.0 if surface is None else design_effect(pairs[surface.linked], surface.links, len(pairs)) ** 0.5
        observed, null = max(observed, float(pairs.sum())), np.maximum(null, stretch * permuted)
    if observed == -np.inf:
        return 1.0
    return float((1 + (null >= observed - 1e-12 * len(label)).sum()) / (draws + 1))


def within(x: Tensor, label: Tensor) -> Tensor:
    """`x: [item, dim]`, `label: [item]` -> the same shape: minus the mean of each item's stratum.

    Dot products of what is left are each pair's excess over its stratum, whose sum is 0 on average over permutations.
    """
    sums = x.new_zeros(int(label.max()) + 1, x.shape[1]).index_add_(0, label, x)
    return x - (sums / torch.bincount(label)[:, None])[label]


def basis(columns: Tensor) -> Tensor:
    """`columns: [item, column]` -> `[item, rank]`, float64: orthonormal directions of the columns and of a constant."""
    columns = torch.cat([torch.ones(len(columns), 1, dtype=torch.float64), columns.double()], 1)
    columns = columns / torch.linalg.vector_norm(columns, dim=0).clamp(min=torch.finfo(torch.float64).tiny)
    u, s, _ = torch.linalg.svd(columns, full_matrices=False)
    return u[:, s > RANK * s[0]]


def without(x: Tensor, basis: Tensor) -> Tensor:
    """`x: [item, dim]`, `basis: [item, rank]` orthonormal -> what no linear function of the basis explains of `x`."""
    return x - basis @ (basis.T @ x)


def design_effect(pairs: Tensor, links: Tensor, items: int | None = None) -> float:
    """`pairs: [item]`, `links: [item, item]` in 0..1 -> the variance of their sum over that of as many unlinked ones, at least 1.

    Linked items are taken to covary by tau times their link; tau is estimated by moments, from the products of centred pairs on
    centred links (Haseman and Elston 1972), which undoes what centring takes away. `items`: how many there are, where
    `pairs` is a sample of them.
    """
    n = len(pairs)
    off = links.double() - torch.diag(links.diagonal().double())
    rows = off.mean(1)
    centred = off - rows[:, None] - rows[None] + rows.mean()
    centred.fill_diagonal_(0)
    pairs = pairs.double() - pairs.double().mean()
    own, scale = pairs @ pairs, centred.square().sum()
    if n < 2 or float(own) <= 0 or float(scale) <= RANK:
        return 1.0
    tau = (pairs @ centred @ pairs) / scale
    per_item = off.sum() / (n * (n - 1)) * ((items or n) - 1)  # links of one item among all
    return max(1.0, float(1 + tau * per_item * n / own))


def labels(strata: Sequence) -> np.ndarray:
    """`[item]`, int64: strata numbered from 0."""
    return np.unique([repr(s) for s in strata], return_inverse=True)[1]


def _permuted(a: Tensor, b: Tensor, perms: Tensor) -> np.ndarray:
    """`[draw]`: sums of dot products over each permutation's pairs."""
    permuted = torch.zeros(len(perms), dtype=torch.float64)
    for start in range(0, len(a), BLOCK):
        rows = torch.arange(start, min(start + BLOCK, len(a)))
        products = a[rows] @ b.T
        permuted += products[rows - start, perms[:, rows]].sum(1)
    return permuted.numpy()


def _unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x.double(), dim=-1)

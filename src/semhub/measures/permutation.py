"""Could similarity this high at its best layer come from pairing meanings at random? A permutation null with the maximum over layers.

Pure tensors to numbers; knows no model and no file. Meanings are exchanged only inside their stratum (template, lengths,
shared tokens), so what a stratum alone explains counts for nothing. No item x item tensor is made but in blocks of rows.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024


def within_strata(strata: Sequence, draws: int, seed: int = 0) -> Tensor:
    """`strata: [item]` labels -> `[draw, item]`, int64: permutations that move items inside their stratum only."""
    _, label = np.unique([repr(s) for s in strata], return_inverse=True)
    rng, out = np.random.default_rng(seed), np.tile(np.arange(len(label)), (draws, 1))
    for stratum in range(label.max() + 1):
        members = np.flatnonzero(label == stratum)
        out[:, members] = members[rng.random((draws, len(members))).argsort(1)]
    return torch.from_numpy(out)


def peak_p(layers: Iterable[tuple[Tensor, Tensor]], strata: Sequence, draws: int = 499, seed: int = 0) -> float:
    """`layers`: pairs `a, b: [item, dim]` -> p that S_l, maximised over layers, is as high with meanings permuted.

    Never below 1 / (draws + 1). S_l of a permuted pairing is linear in its mean cosine, whose sum over all pairs is fixed.
    """
    perms = within_strata(strata, draws, seed)
    observed, null = -np.inf, np.full(draws, -np.inf)
    for a, b in layers:
        matched, permuted, total = _sums(_unit(a), _unit(b), perms)
        n = len(a)
        score = lambda paired: paired / n - (total - paired) / (n * (n - 1))  # noqa: B023, E731
        observed, null = max(observed, score(matched)), np.maximum(null, score(permuted))
    return float((1 + (null >= observed - 1e-12).sum()) / (draws + 1))


def _sums(a: Tensor, b: Tensor, perms: Tensor) -> tuple[float, np.ndarray, float]:
    """Sums of cosines: over the true pairs, over each permutation's pairs, over all."""
    matched, total, permuted = 0.0, 0.0, torch.zeros(len(perms), dtype=torch.float64)
    for start in range(0, len(a), BLOCK):
        rows = torch.arange(start, min(start + BLOCK, len(a)))
        cosines = a[rows] @ b.T
        total += float(cosines.sum())
        matched += float(cosines[rows - start, rows].sum())
        permuted += cosines[rows - start, perms[:, rows]].sum(1)
    return matched, permuted.numpy(), total


def _unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x.double(), dim=-1)

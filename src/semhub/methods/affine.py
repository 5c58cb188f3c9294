"""A second reader beside the logit lens: an affine map from each layer to the last one, fitted by least squares on other texts.

(The tuned lens of Belrose et al. 2023 minimises a divergence by gradient steps; this is its closed-form relative.)
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from semhub.methods.bench import Bench

ROWS_PER_DIMENSION = 4
RIDGE = 1e-3


def translators(bench: Bench, texts: Sequence[str], layers: Sequence[int]) -> Mapping[int, Callable[[Tensor], Tensor]] | None:
    """Layer -> map of `[row, dim]` to what the last layer would hold; None where the texts have too few tokens for the width.

    Sums of products are all that is kept, so memory does not grow with the texts.
    """
    key = ("affine", tuple(layers), len(texts), texts[0])
    if key not in bench.memo:
        bench.memo[key] = fitted(bench, texts, tuple(layers))
    return bench.memo[key]


def fitted(bench: Bench, texts: Sequence[str], layers: tuple[int, ...]) -> Mapping[int, Callable[[Tensor], Tensor]] | None:
    maps = solved(bench.model, texts, layers, bench.batch_tokens)
    return maps and {k: (lambda hidden, m=m: (with_one(hidden.double()) @ m).float()) for k, m in maps.items()}


def solved(model, texts: Sequence[str], layers: Sequence[int], batch_tokens: int) -> dict[int, Tensor] | None:
    """Layer -> `[dim + 1, dim]`, float64, by ridge regression of the last layer's state on this one's and a constant."""
    read, dim = sorted({*layers, model.layers}), model.dim
    if sum(len(e.ids) for e in model.encode(list(texts))) < ROWS_PER_DIMENSION * dim:
        return None
    left = torch.zeros(len(read), dim + 1, dim + 1, dtype=torch.float64)
    right = torch.zeros(len(read), dim + 1, dim, dtype=torch.float64)
    for batch in model.stream(list(texts), "all", layers=read, batch_tokens=batch_tokens):
        x = with_one(batch.states.cpu().double())
        left += x.transpose(1, 2) @ x
        right += x.transpose(1, 2) @ x[-1:, :, :-1]
    scale = left.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    maps = torch.linalg.solve(left + RIDGE * scale * torch.eye(dim + 1, dtype=torch.float64), right)
    return {k: m for k, m in zip(read, maps, strict=True) if k in layers}


def with_one(x: Tensor) -> Tensor:
    return torch.cat([x, x.new_ones(*x.shape[:-1], 1)], -1)

"""Going down: Muon for the matrices of the blocks, AdamW for everything else, saved and restored together.

Knows parameters and gradients only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

QUINTIC = (3.4445, -4.7750, 2.0315)  # a, b, c of x -> ax + bx^3 + cx^5, which drives singular values to about 1 (Jordan et al. 2024)
ITERATIONS = 5
LENGTH = 0.53  # of an update per weight, at a rate of 1; AdamW's is 0.2 to 0.4 (Liu et al. 2025, arXiv 2502.16982)


def orthogonalised(matrices: Tensor) -> Tensor:
    """`matrices: [n, row, column]` with no more rows than columns -> the same shape, all singular values about 1 (0.7 to 1.2).

    Newton-Schulz iterations as in Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon). torch's own Muon takes one matrix at
    a time and multiplies in bf16, which a processor without it emulates; here all matrices of one shape go together, in fp32 or in
    what autocast says.
    """
    a, b, c = QUINTIC
    x = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class Muon(Optimizer):
    """Momentum whose update is made orthogonal. `params`: matrices only. Weight decay is decoupled."""

    def __init__(self, params, lr: float, weight_decay: float, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weights in _by_shape(group["params"]):
                wide = weights[0].shape[0] <= weights[0].shape[1]
                updates = torch.stack([self._ahead(weight, group["momentum"]) for weight in weights])
                updates = orthogonalised(updates) if wide else orthogonalised(updates.mT).mT
                length = LENGTH * max(weights[0].shape) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * length)

    def _ahead(self, weight: Tensor, momentum: float) -> Tensor:
        """The gradient drawn toward its running mean, as Nesterov would."""
        mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
        mean.lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(mean, momentum)


def _by_shape(weights: list[Tensor]) -> Iterator[list[Tensor]]:
    with_gradient = [weight for weight in weights if weight.grad is not None]
    for shape in dict.fromkeys(weight.shape for weight in with_gradient):
        yield [weight for weight in with_gradient if weight.shape == shape]


@dataclass(frozen=True, slots=True)
class Descent:
    """The optimizers of one network, as one."""

    names: Mapping[Tensor, str]
    optimizers: tuple[Optimizer, ...]

    def step(self, factor: float, rate: float) -> None:
        """One step at `factor * rate`; gradients are cut at norm 1 before and dropped after it."""
        nn.utils.clip_grad_norm_(list(self.names), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def moments(self) -> dict[str, Tensor]:
        """All that is remembered of earlier steps, by name of weight and of what it is."""
        kept = ((weight, state) for optimizer in self.optimizers for weight, state in optimizer.state.items())
        return {f"{self.names[weight]}/{key}": value for weight, state in kept for key, value in state.items()}

    def remember(self, moments: Mapping[str, Tensor]) -> None:
        """Go on from what `moments` returned; a weight that no loss has reached has none."""
        weights = {name: weight for weight, name in self.names.items()}
        owners = {weight: each for each in self.optimizers for group in each.param_groups for weight in group["params"]}
        for name, value in moments.items():
            weight, key = weights[name.rpartition("/")[0]], name.rpartition("/")[2]
            owners[weight].state[weight][key] = value


def descent(network: nn.Module, rate: float, weight_decay: float, muon: bool) -> Descent:
    """AdamW for all weights of `network`, or with `muon` for all but the matrices inside its blocks."""
    names = {weight: name for name, weight in network.named_parameters()}
    inner = [weight for weight, name in names.items() if muon and weight.ndim == 2 and _in_block(name)]
    apart = set(inner)
    rest = AdamW([w for w in names if w not in apart], lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)
    return Descent(names, (Muon(inner, rate, weight_decay), rest) if inner else (rest,))


def _in_block(name: str) -> bool:
    return "layers." in name

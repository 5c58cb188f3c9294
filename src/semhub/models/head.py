"""The whole map from normed state to logits: projection, weight rows, bias, scale, soft-cap and masks.

Scale, soft-cap and masks are measured on the network, not looked up by family: its own logits for chosen states are
compared with the plain product of states and weight rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from semhub.errors import NotUnderstood
from semhub.models.structure import Parts, replaced_logits

PROBES = 8
TILE = 16384  # vocabulary entries whose weights are widened to float32 at a time
# how far a measured scale or soft-cap may lie from a number in the configuration and still be that number
NEAR = {torch.float64: 1e-4, torch.float32: 1e-4}
NEAR_HALF = 2e-2


@dataclass(frozen=True)
class Finish:
    """What happens to the raw products: `cap * tanh(scale * x / cap)`, or `scale * x` without a cap, then masked columns."""

    scale: float = 1.0
    cap: float | None = None
    masked: Tensor | None = None
    masked_value: float = 0.0

    def __call__(self, raw: Tensor, ids: slice | Tensor) -> Tensor:
        """`raw: [row, k]` in float32, `ids` the vocabulary entries of its columns -> logits of the same shape."""
        logits = raw if self.scale == 1.0 else raw * self.scale
        if self.cap is not None:
            logits = self.cap * torch.tanh(logits / self.cap)
        if self.masked is not None:
            logits = logits.masked_fill(self.masked[ids].to(logits.device), self.masked_value)
        return logits


@dataclass(frozen=True, eq=False)
class Head:
    """A network's head: the norm in the network's own precision, the products in float32, all given back where the input lies.

    (Half precision would round a logit of 20 to steps of an eighth.)
    """

    parts: Parts
    vocab: int
    finish: Finish = Finish()
    read_off: tuple[Tensor, Tensor] | None = None  # rows and bias, where the unembedding is no plain matrix

    @property
    def device(self) -> torch.device:
        return self.weight.device

    @property
    def weight(self) -> Tensor:
        """[vocab, width of the unembedding], the network's own where it is a plain matrix."""
        return self.read_off[0] if self.read_off else self.parts.head.weight[: self.vocab]

    @property
    def bias(self) -> Tensor | None:
        if self.read_off:
            return self.read_off[1]
        bias = getattr(self.parts.head, "bias", None)
        return None if bias is None else bias[: self.vocab]

    @torch.no_grad()
    def norm(self, hidden: Tensor) -> Tensor:
        """`hidden: [..., dim]` -> [..., dim], the final norm (nothing, in networks that have none)."""
        module = self.parts.norm
        return hidden if module is None else module(placed(hidden, module, self.parts.dtype)).to(hidden.device, torch.float32)

    @torch.no_grad()
    def logits(self, normed: Tensor, ids: slice | Tensor | None = None) -> Tensor:
        """`normed: [row, dim]` -> [row, k], the network's own logits of the vocabulary entries `ids` (all, by default)."""
        ids = slice(None) if ids is None else ids
        return self.finish(self.products(normed, ids), ids if isinstance(ids, slice) else ids.cpu()).to(normed.device)

    def products(self, normed: Tensor, ids: slice | Tensor) -> Tensor:
        """[row, k] in float32: projected states times weight rows, plus bias."""
        weight, bias = self.weight, self.bias
        ids = ids if isinstance(ids, slice) else ids.to(weight.device)
        rows, shift = weight[ids], None if bias is None else bias[ids].float()
        projected = self.project(normed).to(weight.device, torch.float32)
        if rows.dtype == torch.float32:
            return functional.linear(projected, rows, shift)
        raw = torch.cat([projected @ part.float().T for part in rows.split(TILE)], -1)
        return raw if shift is None else raw + shift

    def project(self, normed: Tensor) -> Tensor:
        """`normed: [..., dim]` -> what the unembedding is given."""
        for module in self.parts.tail:
            normed = module(placed(normed, module, self.parts.dtype))
        return normed

    @torch.no_grad()
    def rows(self, ids: slice | Tensor | None = None) -> Tensor:
        """[k, dim] in float32 on the CPU: the raw unembedding vectors of `ids`, seen from the residual stream."""
        ids = slice(None) if ids is None else ids
        rows = self.weight[ids if isinstance(ids, slice) else ids.to(self.device)].float().cpu()
        return rows @ self.projection().T if self.parts.tail else rows

    def projection(self) -> Tensor:
        """[dim, width of the unembedding], the linear map of `project`."""
        basis = torch.cat([torch.zeros(1, self.parts.dim), torch.eye(self.parts.dim)])
        images = self.project(basis).float().cpu()
        return images[1:] - images[0]


def placed(hidden: Tensor, module: nn.Module, dtype: torch.dtype) -> Tensor:
    """`hidden` where `module` works and in the precision of the residual stream."""
    hook = getattr(module, "_hf_hook", None)
    device = getattr(hook, "execution_device", None)
    weight = next(module.parameters(), None)
    if device is None and weight is not None:
        device = weight.device
    return hidden.to(device if device is not None else hidden.device, dtype)


@torch.no_grad()
def find_head(network: nn.Module, parts: Parts) -> Head:
    """The head of a network taken apart.

    Raises NotUnderstood where what follows the weight rows is neither a scale, a soft-cap nor a mask.
    """
    states = probing_states(parts)
    shown = replaced_logits(network, parts, states).float().cpu()
    read_off = None if is_plain(parts) else rows_read_off(parts)
    head = Head(parts, shown.shape[-1], read_off=read_off)
    if shown.shape[-1] > len(head.weight):
        raise NotUnderstood(f"The network has {shown.shape[-1]} logits, its unembedding only {len(head.weight)} rows.")
    raw = head.products(states, slice(None)).cpu()
    return Head(parts, shown.shape[-1], measured(raw, shown, parts), read_off)


def probing_states(parts: Parts) -> Tensor:
    """[PROBES, dim] random states, from so small that every map looks linear to so large that a soft-cap shows."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(PROBES, parts.dim, generator=generator)
    return states * torch.logspace(-1, 3 if parts.dtype != torch.float16 else 1.5, PROBES)[:, None]


def is_plain(parts: Parts) -> bool:
    """Whether the unembedding is a matrix that can be read row by row: not packed, offloaded, adapted or wrapped."""
    weight = getattr(parts.head, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2 or not weight.is_floating_point() or weight.device.type == "meta":
        return False
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(4, weight.shape[1], generator=generator).to(weight.device, weight.dtype)
    bias, shown = getattr(parts.head, "bias", None), parts.head(states).float()
    expected = functional.linear(states, weight, bias).float()
    return shown.shape == expected.shape and bool((shown - expected).abs().max() <= near(weight.dtype) * shown.abs().max())


def rows_read_off(parts: Parts) -> tuple[Tensor, Tensor]:
    """Weight rows [vocab, width] and bias [vocab] of an unembedding that is no plain matrix, by what it makes of unit vectors."""
    width = tail_width(parts)
    zero = parts.head(placed(torch.zeros(1, width), parts.head, parts.dtype))
    columns = torch.cat([parts.head(placed(part, parts.head, parts.dtype)) - zero for part in torch.eye(width).split(256)])
    return columns.T.contiguous(), zero[0]


def tail_width(parts: Parts) -> int:
    state = torch.zeros(1, parts.dim)
    for module in parts.tail:
        state = module(placed(state, module, parts.dtype))
    return state.shape[-1]


def near(dtype: torch.dtype) -> float:
    return NEAR.get(dtype, NEAR_HALF)


def measured(raw: Tensor, shown: Tensor, parts: Parts) -> Finish:
    """`raw, shown: [PROBES, vocab]`, the plain products and the network's logits -> what turns the one into the other."""
    masked = ((shown == shown[:1]).all(0)) & (shown[0] <= -1e4)
    if masked.all():
        raise NotUnderstood("The network masks every logit, so nothing can be read from them.")
    seen, products = shown[:, ~masked].double(), raw[:, ~masked].double()
    known = numbers_of(parts)
    tolerance = near(parts.dtype)
    scale, cap = linear(products, seen, known, tolerance) or capped(products, seen, known, tolerance)
    return Finish(scale, cap, masked if masked.any() else None, float(shown[0][masked][0]) if masked.any() else 0.0)


def linear(raw: Tensor, shown: Tensor, known: list[float], tolerance: float) -> tuple[float, None] | None:
    """The scale, where the logits are a multiple of the products; None where they are not."""
    scale = snapped(float((raw * shown).sum() / (raw * raw).sum()), known, tolerance)
    gap = (shown - scale * raw).abs().max(1).values / shown.abs().max(1).values
    return (scale, None) if bool((gap <= max(tolerance, 1e-3)).all()) else None


def capped(raw: Tensor, shown: Tensor, known: list[float], tolerance: float) -> tuple[float, float]:
    """Scale and soft-cap. Raises NotUnderstood where `cap * tanh(scale * x / cap)` does not describe the logits."""
    cap = snapped(float(shown.abs().max()), known, tolerance)
    bent = (shown.abs() < 0.5 * cap) & (raw.abs() > 1e-3 * raw.abs().median())
    ratios = cap * torch.atanh(shown[bent] / cap) / raw[bent]
    scale = snapped(float(ratios.median()) if len(ratios) else 1.0, known, tolerance)
    gap = (shown - cap * torch.tanh(scale * raw / cap)).abs().max() / cap
    if not bool(gap <= max(10 * tolerance, 1e-3)):
        raise NotUnderstood(
            "The network's logits are neither a multiple nor a soft-cap of states times unembedding; its head is not understood."
        )
    return scale, cap


def snapped(value: float, known: list[float], tolerance: float) -> float:
    """The number of the configuration that a measured one must be, or the measured one."""
    nearest = min(known, key=lambda number: abs(number - value))
    return nearest if abs(nearest - value) <= tolerance * abs(value) else value


def numbers_of(parts: Parts) -> list[float]:
    """1, and the numbers of the configuration that may scale or cap logits, with their inverses."""
    config = getattr(parts.causal, "config", None)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    found = list(scaling_numbers(config.to_dict())) if hasattr(config, "to_dict") else []
    return [1.0, *found, *(1 / number for number in found)]


def scaling_numbers(config: dict) -> Iterator[float]:
    for key, value in config.items():
        named = any(part in key for part in ("logit", "scal", "cap", "multiplier", "width", "dim", "size"))
        if named and isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
            yield float(value)

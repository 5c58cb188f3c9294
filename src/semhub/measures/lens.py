"""Which words does a state speak (the logit lens), in memory that grows neither with the vocabulary nor with the rows.

Pure tensors to numbers: `head` is anything with `vocab`, `norm(h)` and `logits(normed, ids)`, the whole map of a model from
normed state to logits (bias, scale, soft-cap, masks). Rows go in chunks, the vocabulary in tiles, and the normaliser is an
online log-sum-exp, so nothing larger than `ROWS x tile` is made. Every function takes `norm="final" | "none"`:
`final` puts the model's last norm first, `none` reads the raw residual (PROTOCOL section 3).
"""

from collections.abc import Iterator
from typing import Literal, Protocol

import torch
from torch import Tensor

from semhub.errors import BadInput, UnknownName

Norm = Literal["final", "none"]
ROWS = 1024  # rows of states per product
TILE = 8192  # words of the vocabulary per product: 1024 x 8192 float32 are 32 MiB
LOWEST = torch.finfo(torch.float32).min  # stands for -inf where a whole tile is masked, so that no inf - inf arises
PAIRS = 16  # rows whose word pairs are looked up together: the product holds 16 x 32 logits at most


class Head(Protocol):
    """The part of a model that turns states into logits, as this module sees it."""

    vocab: int

    def norm(self, hidden: Tensor) -> Tensor: ...

    def logits(self, normed: Tensor, ids: slice | Tensor | None = None) -> Tensor: ...


def word_logprobs(states: Tensor, head: Head, ids: Tensor, norm: Norm = "final", tile: int = TILE) -> Tensor:
    """`states: [..., row, dim]`, `ids: [row, k]` or `[k]` -> `[..., row, k]`, float32: natural log-probabilities of K words.

    An id of -1 (a gap in a ragged table) gives nan. Raises BadInput for ids outside the vocabulary or shapes that do not fit.
    """
    return _by_chunk(states, _word_ids(states, ids, head), norm, head, lambda h, own: _logprobs_of(h, own, head, tile))


def ranks(states: Tensor, head: Head, ids: Tensor, norm: Norm = "final", tile: int = TILE) -> Tensor:
    """`states: [..., row, dim]`, `ids: [row, k]` or `[k]` -> `[..., row, k]`, int64: 1 + the number of words strictly above.

    Rank 1 is the word the state speaks; tied words share the better rank; an id of -1 gives rank 0. Raises as `word_logprobs`.
    """
    return _by_chunk(states, _word_ids(states, ids, head), norm, head, lambda h, own: _ranks_of(h, own, head, tile))


def top_k(states: Tensor, head: Head, k: int = 10, norm: Norm = "final", tile: int = TILE) -> tuple[Tensor, Tensor]:
    """`states: [..., row, dim]` -> log-probabilities and ids, each `[..., row, k]`, best first; tied words in no set order."""
    if not 1 <= k <= head.vocab:
        raise BadInput(f"The top {k} words were asked for, of a vocabulary of {head.vocab}; ask for 1 to {head.vocab}.")
    best = _by_chunk(states, None, norm, head, lambda h, _: torch.stack(_top_of(h, k, head, tile), -1))
    return best[..., 0].float(), best[..., 1].long()


def type_mass(states: Tensor, head: Head, table: Tensor, norm: Norm = "final", tile: int = TILE) -> Tensor:
    """`states: [..., row, dim]`, `table: [vocab, type]` holding p(type | word) -> `[..., row, type]`: p_l(type).

    p_l(type) = sum_v p_l(v) p(type | v) (catalogue row 3). Raises BadInput where the table has another vocabulary.
    """
    if table.dim() != 2 or len(table) != head.vocab:
        raise BadInput(f"A table [vocab={head.vocab}, type] was asked for, found {list(table.shape)}.")
    table = table.to(states.device, torch.float32)
    return _by_chunk(states, None, norm, head, lambda h, _: _mass_of(h, table, head, tile))


def contrast(states: Tensor, head: Head, id_a: int | Tensor, id_b: int | Tensor, norm: Norm = "final") -> Tensor:
    """`states: [..., row, dim]`, ids: one word or `[row]` -> `[..., row]`, float32: logit of a minus logit of b.

    The log-odds of two words need no normaliser, so the vocabulary is never read. Raises as `word_logprobs`.
    """
    pair = torch.stack([torch.as_tensor(i, device=states.device).expand(states.shape[-2]) for i in (id_a, id_b)], -1)
    rows = PAIRS if any(torch.is_tensor(i) and i.dim() for i in (id_a, id_b)) else ROWS
    logits = _by_chunk(states, _word_ids(states, pair, head), norm, head, lambda h, own: _logits_of(h, own, head), rows)
    return logits[..., 0] - logits[..., 1]


@torch.no_grad()
def divergence(true: Tensor, said: Tensor, head: Head, norm: Norm = "final", rows: int = 128) -> Tensor:
    """`true, said: [row, dim]` -> `[row]`, float32: KL(p_true || p_said) in nats over the whole vocabulary, some rows at a time."""
    read = lambda states: torch.log_softmax(head.logits(head.norm(states) if norm == "final" else states).float(), -1)  # noqa: E731
    parts = [(read(a), read(b)) for a, b in zip(true.split(rows), said.split(rows), strict=True)]
    return torch.cat([torch.where(p > -torch.inf, p.exp() * (p - q), 0.0).sum(-1) for p, q in parts])


def norm_matched(states: Tensor, generator: torch.Generator) -> Tensor:
    """`states: [..., dim]` -> the same shape: random directions at each state's own length, the lens's floor.

    `generator` lives on the device of the states. Directions are uniform on the sphere.
    """
    noise = torch.randn(states.shape, generator=generator, dtype=states.dtype, device=states.device)
    lengths = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return noise * (lengths / torch.linalg.vector_norm(noise, dim=-1, keepdim=True))


@torch.no_grad()  # else every tile would live on in the graph of the head's weights
def _by_chunk(states: Tensor, ids: Tensor | None, norm: Norm, head: Head, read, rows: int = ROWS) -> Tensor:
    """Walk `states: [..., row, dim]` in chunks of rows and join what `read(normed [row, dim], ids [row, k])` returns."""
    if norm not in ("final", "none"):
        raise UnknownName("norm", norm, ("final", "none"))
    flat = states.reshape(-1, states.shape[-1])
    if ids is not None:
        ids = ids.expand(*states.shape[:-1], -1).reshape(len(flat), -1)
    parts = []
    for start in range(0, len(flat), rows):
        chunk = flat[start : start + rows]
        normed = head.norm(chunk) if norm == "final" else chunk
        parts.append(read(normed, None if ids is None else ids[start : start + rows]))
    joined = torch.cat(parts)
    return joined.reshape(*states.shape[:-1], *joined.shape[1:])


def _tiles(normed: Tensor, head: Head, tile: int, only: Tensor | None = None) -> Iterator[tuple[int, Tensor]]:
    """First id and logits `[row, tile]` of each tile of the vocabulary, or of those alone that hold the ids `only`."""
    starts = range(0, head.vocab, tile) if only is None else (only[only >= 0] // tile * tile).unique().tolist()
    for start in starts:
        yield start, head.logits(normed, slice(start, min(start + tile, head.vocab))).float()


def _logprobs_of(normed: Tensor, ids: Tensor, head: Head, tile: int) -> Tensor:
    logits = torch.full(ids.shape, torch.nan, device=normed.device)
    high, total = _nothing(normed)
    for start, values in _tiles(normed, head, tile):
        _take(logits, values, ids - start)
        high, shrink, weights = _rebased(high, values)
        total = total * shrink + weights.sum(-1, keepdim=True)
    return logits - high - total.log()


def _ranks_of(normed: Tensor, ids: Tensor, head: Head, tile: int) -> Tensor:
    own = torch.full(ids.shape, torch.nan, device=normed.device)
    for start, values in _tiles(normed, head, tile, ids):
        _take(own, values, ids - start)
    above = torch.zeros_like(ids)
    for _, values in _tiles(normed, head, tile):
        higher = torch.empty_like(values)  # ones and zeros as float32: exact up to 2**24 words, summed five times as fast as bool
        for word in range(ids.shape[1]):
            above[:, word] += torch.gt(values, own[:, word, None], out=higher).sum(-1).long()
    return torch.where(ids < 0, 0, above + 1)


def _top_of(normed: Tensor, k: int, head: Head, tile: int) -> tuple[Tensor, Tensor]:
    best = torch.full((len(normed), 0), -torch.inf, device=normed.device)
    ids = torch.zeros((len(normed), 0), dtype=torch.long, device=normed.device)
    high, total = _nothing(normed)
    for start, values in _tiles(normed, head, tile):
        high, shrink, weights = _rebased(high, values)
        total = total * shrink + weights.sum(-1, keepdim=True)
        found, where = values.topk(min(k, values.shape[1]))
        best, ids = torch.cat([best, found], 1), torch.cat([ids, where + start], 1)
        best, keep = best.topk(min(k, best.shape[1]))
        ids = ids.gather(1, keep)
    return (best - high - total.log()).double(), ids.double()


def _mass_of(normed: Tensor, table: Tensor, head: Head, tile: int) -> Tensor:
    high, total = _nothing(normed)
    mass = torch.zeros(len(normed), table.shape[1], device=normed.device)
    for start, values in _tiles(normed, head, tile):
        high, shrink, weights = _rebased(high, values)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mass = mass * shrink + weights @ table[start : start + values.shape[1]]
    return mass / total


def _nothing(normed: Tensor) -> tuple[Tensor, Tensor]:
    """`[row, 1]` each: the highest logit so far, and the sum of exp(logit - highest), before any word was seen."""
    return torch.full((len(normed), 1), -torch.inf, device=normed.device), torch.zeros(len(normed), 1, device=normed.device)


def _rebased(high: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The highest logit now, by how much older sums shrink under it, and exp(logit - highest) of this tile.

    Sum and maximum stay apart to the end: their log-sum-exp, rounded to float32, would lose 1e-4 at logits near 1,000.
    """
    higher = torch.maximum(high, values.amax(-1, keepdim=True)).clamp(min=LOWEST)
    return higher, (high - higher).exp(), (values - higher).exp_()


def _logits_of(normed: Tensor, ids: Tensor, head: Head) -> Tensor:
    words, where = ids.unique(return_inverse=True)
    return head.logits(normed, words).float().gather(1, where)


def _take(out: Tensor, values: Tensor, local: Tensor) -> None:
    """Write into `out: [row, k]` the entries of `values: [row, tile]` whose local ids fall into this tile."""
    inside = (local >= 0) & (local < values.shape[1])
    out[inside] = values.gather(1, local.clamp(0, values.shape[1] - 1))[inside]


def _word_ids(states: Tensor, ids: Tensor, head: Head) -> Tensor:
    """Check word ids against states and vocabulary -> `[row, k]`, int64."""
    ids = torch.as_tensor(ids, device=states.device).long()
    if states.dim() < 2 or ids.dim() not in (1, 2) or (ids.dim() == 2 and len(ids) != states.shape[-2]):
        raise BadInput(f"States [..., row, dim] and ids [row, k] or [k] were asked for, found {list(states.shape)} and {list(ids.shape)}.")
    if ids.numel() and not (-1 <= int(ids.min()) and int(ids.max()) < head.vocab):
        raise BadInput(f"Word ids run from {int(ids.min())} to {int(ids.max())}, but the vocabulary has {head.vocab} words.")
    return ids if ids.dim() == 2 else ids.expand(states.shape[-2], -1)

"""From logits to the next token: temperature, frequency penalty, nucleus, and a draw from uniform numbers given beforehand.

Pure; knows no network. A row's draws depend on its seed and prompt alone, so that the rows of a sweep over strengths share
them (common random numbers) and no row feels which others are in its batch.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from semhub.errors import BadInput

FEW = 256  # most nuclei are smaller, and finding the largest few costs far less than sorting a vocabulary


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: logits / temperature - frequency_penalty x (occurrences in prompt and output), then top-p.

    The penalty is OpenAI's; the nucleus is the smallest set of most probable tokens whose mass reaches `top_p`.
    With `greedy` the most probable token is taken, the penalty still counted in. Raises BadInput for values out of range.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    greedy: bool = False

    def __post_init__(self):
        if not self.temperature > 0:
            raise BadInput(f"A temperature is above 0; found {self.temperature} (for the most probable token, ask for greedy=True).")
        if not 0 < self.top_p <= 1:
            raise BadInput(f"top_p is above 0 and at most 1; found {self.top_p}.")


def draws(seed: int, prompt: str, n: int) -> list[float]:
    """n uniform numbers in [0, 1) for one row: the same on every machine, and the first n of any longer list."""
    key = int.from_bytes(blake2b(f"{seed}\n{prompt}".encode("utf-8", "surrogatepass")).digest())
    stream = random.Random(key)
    return [stream.random() for _ in range(n)]


def counted(prompts: Sequence[Sequence[int]], vocab: int) -> Tensor:
    """[row, vocab]: how often each token stands in each row's prompt."""
    return torch.stack([torch.bincount(torch.tensor(ids), minlength=vocab) for ids in prompts]).float()


def next_ids(logits: Tensor, counts: Tensor | None, uniform: Tensor, sampling: Sampling) -> Tensor:
    """`logits, counts: [row, vocab]`, `uniform: [row]` in [0, 1) -> [row] ids."""
    logits = logits.float()
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    if counts is not None:
        logits = logits - sampling.frequency_penalty * counts
    if sampling.greedy:
        return logits.argmax(-1)
    return drawn(nucleus(logits.softmax(-1), sampling.top_p), uniform)


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """`[row, vocab]` -> the same, with 0 for what lies outside the nucleus.

    Of equally probable tokens at the edge, those with the lower ids are in.
    """
    if top_p == 1:
        return probabilities
    edge, inside = edges(probabilities, top_p)
    above, level = probabilities > edge, probabilities == edge
    # most edges are one token wide, and need no count
    if int(level.sum()) > len(level):
        level &= level.cumsum(-1) <= inside - above.sum(-1, keepdim=True)
    return probabilities * (above | level)


def edges(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """`[row, vocab]` -> the least probability inside the nucleus, and how many tokens are in, each `[row, 1]`.

    Values alone are sorted, not ids: the edge says which tokens are in.
    """
    vocab = probabilities.shape[-1]
    if vocab <= FEW * 16:
        return edge_of(falling(probabilities), top_p)
    values = probabilities.topk(FEW, dim=-1).values
    edge, inside = edge_of(values, top_p)
    wide = (inside[:, 0] == FEW).nonzero()[:, 0]
    if len(wide):
        edge[wide], inside[wide] = edge_of(falling(probabilities[wide]), top_p)
    return edge, inside


def edge_of(values: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Of probabilities in falling order, the last one before which less than `top_p` has been gathered, and its place from 1."""
    mass = values.double()
    inside = (mass.cumsum(-1) - mass < top_p).sum(-1, keepdim=True)
    return values.gather(-1, inside - 1), inside


def falling(values: Tensor) -> Tensor:
    """Each row in falling order; on the CPU by NumPy, whose sort of plain values is many times faster."""
    if values.device.type != "cpu":
        return values.sort(dim=-1, descending=True).values
    return -torch.from_numpy(np.sort(-values.numpy(), axis=-1))


def drawn(values: Tensor, uniform: Tensor) -> Tensor:
    """The id at which the running sum of `values: [row, vocab]` passes `uniform: [row]` of their total."""
    running = values.cumsum(-1)
    total = running[:, -1:].contiguous()
    place = torch.searchsorted(running, uniform[:, None].to(running) * total, right=True)
    # rounding may carry a draw just below 1 onto the total itself
    return torch.minimum(place, torch.searchsorted(running, total))[:, 0]

"""From logits to the next token: temperature, frequency penalty, nucleus, and a draw from uniform numbers given beforehand.

Pure; knows no network. A row's draws depend on its seed and prompt alone, so that the rows of a sweep over strengths share
them (common random numbers) and no row feels which others are in its batch.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

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
    return drawn(*nucleus(logits.softmax(-1), sampling.top_p), uniform)


def nucleus(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """`[row, vocab]` -> (probabilities, ids), each [row, k] in the order of ids, with 0 for what lies outside the nucleus.

    Of equally probable tokens at the edge, those with the lower ids are in.
    """
    vocab = probabilities.shape[-1]
    if top_p == 1:
        return probabilities, torch.arange(vocab, device=probabilities.device).expand_as(probabilities)
    values, ids = probabilities.topk(min(FEW, vocab), dim=-1)
    inside = kept(values, top_p)
    if not settled(values, inside):
        values, ids = probabilities.sort(dim=-1, descending=True, stable=True)
        inside = kept(values, top_p)
    ids, order = ids.sort(dim=-1)
    return (values * inside).gather(-1, order), ids


def kept(values: Tensor, top_p: float) -> Tensor:
    """Of probabilities in falling order, those before which less than `top_p` has been gathered."""
    mass = values.double().cumsum(-1) - values.double()
    return mass < top_p


def settled(values: Tensor, inside: Tensor) -> bool:
    """Whether the largest few show the whole nucleus, with no tie at its edge for the ids to decide."""
    edge = inside.sum(-1, keepdim=True)
    if bool((edge == values.shape[-1]).any()):
        return False
    return bool((values.gather(-1, edge - 1) > values.gather(-1, edge)).all())


def drawn(values: Tensor, ids: Tensor, uniform: Tensor) -> Tensor:
    """The id at which the running sum of `values: [row, k]` passes `uniform: [row]` of their total."""
    running = values.cumsum(-1)
    total = running[:, -1:].contiguous()
    place = torch.searchsorted(running, uniform[:, None].to(running) * total, right=True)
    # rounding may carry a draw just below 1 onto the total itself
    place = torch.minimum(place, torch.searchsorted(running, total))
    return ids.gather(-1, place)[:, 0]

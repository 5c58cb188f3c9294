"""The lens in tiles against whole-vocabulary logits for every layer and position.

    python benchmarks/lens.py [--layers 9] [--rows 200] [--dim 256] [--vocab 32000 128256]

One thread, float32, four words per row; every answer is compared with the whole-vocabulary one before it is timed.
"""

import argparse
from dataclasses import dataclass

import torch
from clock import cost, row

from semhub.measures import lens


@dataclass(frozen=True)
class Head:
    weight: torch.Tensor

    @property
    def vocab(self) -> int:
        return len(self.weight)

    def norm(self, hidden):
        return hidden * hidden.square().mean(-1, keepdim=True).add(1e-6).rsqrt()

    def logits(self, normed, ids=None):
        return normed @ (self.weight if ids is None else self.weight[ids]).T


def whole(states: torch.Tensor, head: Head) -> torch.Tensor:
    """`[layer, row, vocab]`: what a plain lens makes first, whatever is asked of it."""
    return head.logits(head.norm(states)).log_softmax(-1)


def compare(layers: int, rows: int, dim: int, vocab: int, types: int = 4) -> None:
    random = torch.Generator().manual_seed(0)
    states, head = torch.randn(layers, rows, dim, generator=random), Head(torch.randn(vocab, dim, generator=random) / dim**0.5)
    ids, table = torch.randint(vocab, (rows, 4), generator=random), torch.rand(vocab, types, generator=random).softmax(-1)
    spread = ids.expand(layers, -1, -1)
    pairs = {
        "word_logprobs": (lambda: whole(states, head).gather(-1, spread), lambda: lens.word_logprobs(states, head, ids)),
        "top_k": (lambda: whole(states, head).topk(10).values, lambda: lens.top_k(states, head, 10)[0]),
        "type_mass": (lambda: whole(states, head).exp() @ table, lambda: lens.type_mass(states, head, table)),
        "ranks": (lambda: plain_ranks(head.logits(head.norm(states)), spread), lambda: lens.ranks(states, head, ids)),
        "contrast": (lambda: difference(whole(states, head), spread), lambda: lens.contrast(states, head, ids[:, 0], ids[:, 1])),
    }
    print(f"{layers} layers x {rows:,} positions x {dim} dimensions, vocabulary {vocab:,}")
    print(row("(the product with the head alone)", cost(lambda: head.logits(head.norm(states)), runs=3)))
    for name, (plain, tiled) in pairs.items():
        near = 2 if name == "ranks" else 2e-5  # words that lie within rounding of each other may change places
        torch.testing.assert_close(tiled(), plain(), rtol=0, atol=near)
        slow = cost(plain, runs=3)
        print(row(f"{name}, whole vocabulary", slow))
        print(row(f"{name}, semhub", cost(tiled, runs=3), slow))
    print()


def plain_ranks(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    own = logits.gather(-1, ids)
    return torch.stack([(logits > own[..., k, None]).sum(-1) + 1 for k in range(ids.shape[-1])], -1)


def difference(logprobs: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    own = logprobs.gather(-1, ids)
    return own[..., 0] - own[..., 1]


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 9), ("rows", 200), ("dim", 256)):
        ask.add_argument(f"--{name}", type=int, default=default)
    ask.add_argument("--vocab", type=int, nargs="+", default=[32_000, 128_256])
    asked = ask.parse_args()
    torch.set_num_threads(1)
    for vocab in asked.vocab:
        compare(asked.layers, asked.rows, asked.dim, vocab)

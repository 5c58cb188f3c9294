"""S_l in closed form against the n x n matrix of cosines, and its time when the pairs grow tenfold.

    python benchmarks/similarity.py [--layers 9] [--dim 128] [--pairs 100000] [--naive-pairs 4000]

One thread, float32 states, both answers compared before anything is printed.
"""

import argparse

import torch
from clock import cost, row

from semhub.measures.similarity import adjusted_cosine, adjusted_cosine_items, precision_at_1


def naive(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`a, b: [layer, item, dim]` -> `[layer]`: every cosine of every layer, then the two means."""
    cosines = torch.nn.functional.normalize(a, dim=-1) @ torch.nn.functional.normalize(b, dim=-1).transpose(1, 2)
    n, diagonal = a.shape[1], cosines.diagonal(dim1=1, dim2=2).sum(-1)
    return diagonal / n - (cosines.sum((1, 2)) - diagonal) / (n * (n - 1))


def states(layers: int, pairs: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    a = torch.randn(layers, pairs, dim, generator=torch.Generator().manual_seed(0))
    return a, a + torch.randn(a.shape, generator=torch.Generator().manual_seed(1))


def against_naive(layers: int, pairs: int, dim: int) -> None:
    a, b = states(layers, pairs, dim)
    torch.testing.assert_close(adjusted_cosine(a, b).float(), naive(a, b), rtol=0, atol=1e-4)
    print(f"{layers} layers x {pairs:,} pairs x {dim} dimensions")
    slow = cost(lambda: naive(a, b))
    print(row("n x n cosines, float32", slow))
    print(row("adjusted_cosine", cost(lambda: adjusted_cosine(a, b)), slow))
    print(row("adjusted_cosine_items", cost(lambda: adjusted_cosine_items(a, b)), slow))
    print(row("precision_at_1, both ways, blocks", cost(lambda: precision_at_1(a, b), runs=1)))


def tenfold(layers: int, pairs: int, dim: int) -> None:
    a, b = states(layers, pairs, dim)
    few_a, few_b = a[:, : pairs // 10], b[:, : pairs // 10]
    print(f"\n{layers} layers x {pairs:,} pairs x {dim} dimensions, and a tenth of them")
    for measure in (adjusted_cosine, adjusted_cosine_items):
        few, many = (cost(lambda x=x, y=y, f=measure: f(x, y)) for x, y in ((few_a, few_b), (a, b)))
        print(row(f"{measure.__name__}, {pairs // 10:,} pairs", few))
        print(row(f"{measure.__name__}, {pairs:,} pairs", many) + f"{many.seconds / few.seconds:8.1f} x the time")


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 9), ("dim", 128), ("pairs", 100_000), ("naive-pairs", 4000)):
        ask.add_argument(f"--{name}", type=int, default=default)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    against_naive(asked.layers, asked.naive_pairs, asked.dim)
    tenfold(asked.layers, asked.pairs, asked.dim)

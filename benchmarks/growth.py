"""Steps of growing the bundled text model: torch's fused attention against plain one, and Muon in the numbers of the machine against fp32.

    python benchmarks/growth.py [--steps 10] [--window 64]

One thread, not compiled, in the numbers that the lab would take here (bf16 where the processor multiplies it). Losses of the first
step are compared before anything is printed.
"""

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from clock import cost, row
from transformers import LlamaForCausalLM

from semhub.lab import read_recipe
from semhub.lab.descent import descent
from semhub.lab.folder import open_grown
from semhub.lab.grow import accelerated, configuration, next_token_loss, precision
from semhub.models.bundled import find_bundled


@dataclass
class Way:
    """One way of taking steps, with a network of its own; `step` returns the loss."""

    attention: str
    muon_like_the_rest: bool
    loss_of: Callable = next_token_loss

    def __post_init__(self):
        recipe = read_recipe("semhub-text")
        config = configuration(recipe.shape, open_grown(find_bundled("semhub-text").path)[1])
        config._attn_implementation = self.attention
        torch.manual_seed(0)
        self.network, self.accelerator = LlamaForCausalLM(config), accelerated("cpu")
        self.downhill = descent(self.network, recipe.training.rate, recipe.training.weight_decay, muon=True)

    def step(self, ids: torch.Tensor) -> float:
        with self.accelerator.autocast():
            loss = self.loss_of(self.network, ids)
        loss.backward()
        with self.accelerator.autocast() if self.muon_like_the_rest else nullcontext():
            self.downhill.step(0.1, 3e-3)
        return loss.item()

    def steps(self, batches: list[torch.Tensor]) -> Callable[[], list[float]]:
        return lambda: [self.step(ids) for ids in batches]


def drawn(steps: int, window: int = 64) -> list[torch.Tensor]:
    """Batches of 2,048 random tokens."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(300, 1500, (2048 // window, window), generator=generator) for _ in range(steps)]


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--steps", type=int, default=10)
    ask.add_argument("--window", type=int, default=64)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    ways = {"fused attention, Muon in fp32": Way("sdpa", False), "plain attention, Muon in fp32": Way("eager", False)}
    ways["plain attention, Muon like the rest"] = Way("eager", True)
    batches = drawn(asked.steps, asked.window)
    first = [way.step(batches[0]) for way in ways.values()]
    assert max(first) - min(first) < 0.01, first
    print(f"{asked.steps} steps of {2048 // asked.window} windows of {asked.window} tokens, {precision('cpu')}, torch {torch.__version__}")
    slow = None
    for name, way in ways.items():
        found = cost(way.steps(batches), runs=3)
        print(row(name, found, slow))
        slow = slow or found

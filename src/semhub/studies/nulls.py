"""Where nothing is shared, and where something is, by construction: items, networks and states for the calibration. Tests nothing itself.

A null is exact where its construction leaves nothing to find: a network of random weights; a grown one whose second side is turned
at random, as strangers' spaces are to one another; a grown one whose meanings are shuffled inside strata. A grown model without
true bridges is none: what its sentences have in common within a kind of being may still lie alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from semhub.data import world
from semhub.data.world import meanings
from semhub.measures import similarity
from semhub.measures.permutation import within_strata
from semhub.methods import alike
from semhub.methods.alike import Tokens
from semhub.methods.compare import between, chance
from semhub.types import Concept, Form

FIRST_SEED = 20_000  # of untrained networks and items, far from the seeds on which anything was chosen
POOL = 1200  # scenes from which those of untrained networks are taken
FACETS = ("template", "kinds")
NULL_ROLES = ("control:mispaired", "control:apart", "control:strangers")


@dataclass(frozen=True, slots=True)
class Shown:
    """Items as a model saw them: states `[layer, item, dim]` and tokens of each type, and what a permutation keeps."""

    states: dict[str, Tensor]
    tokens: dict[str, Tokens]
    facets: list[tuple]

    def p(self, left: str, right: str, seed: int = 0) -> float:
        """The test of `methods.compare` on one pair of types."""
        pairs = list(zip(self.states[left], self.states[right], strict=True))
        return chance(
            [pairs[k] for k in between(range(len(pairs)), len(pairs) - 1)], self.tokens[left], self.tokens[right], self.facets, seed
        )

    def of(self, rows: Sequence[int]) -> "Shown":
        """Some of the items."""
        states, tokens = ({t: s[:, rows] for t, s in self.states.items()}, {t: x.of(rows) for t, x in self.tokens.items()})
        return Shown(states, tokens, [self.facets[i] for i in rows])

    def shuffled(self, left: str, right: str, seed: int) -> "Shown":
        """Each meaning of the left beside another one's of its stratum."""
        sides = alike.aligned(self.tokens[left], self.tokens[right])
        order = within_strata(alike.strata(*sides, self.facets), 1, seed)[0].tolist()
        states, tokens = ({left: x[left], right: x[right]} for x in (self.states, self.tokens))
        return Shown(states | {right: states[right][:, order]}, tokens | {right: tokens[right].of(order)}, self.facets)

    def turned(self, right: str, seed: int) -> "Shown":
        """The states of one type turned at random, all layers alike: what is alike within a type stays, what is alike across is gone."""
        states = self.states[right].double()
        return Shown(self.states | {right: states @ rotation(states.shape[-1], seed)}, self.tokens, self.facets)

    def influences(self, left: str, right: str) -> tuple[np.ndarray, np.ndarray]:
        """`[item, layer]` twice: each item's part of S_l, and its contrast with the item most like it by tokens (nan where none is)."""
        a, b = self.states[left], self.states[right]
        items, others = alike.look_alikes(*alike.aligned(self.tokens[left], self.tokens[right]))
        near = np.full((a.shape[1], len(a)), np.nan)
        if items:
            near[items] = similarity.contrast_items(a[:, items], b[:, items], a[:, others], b[:, others]).numpy().T
        return similarity.adjusted_cosine_items(a, b).numpy().T, near


def rotation(dim: int, seed: int) -> Tensor:
    """`[dim, dim]`, float64: orthogonal, uniformly at random."""
    q, r = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return q * torch.sign(torch.diagonal(r))


# items ---------------------------------------------------------------------------------------------------------------


def scenes(seed: int, number: int, n: int, purpose: str) -> list[Concept]:
    """`n` held-out scenes; numbers of one purpose share none."""
    rng, found = begun(f"{purpose} {FIRST_SEED} {seed}")
    while len(found) < (number + 1) * n:
        scene = meanings.scene(rng, "test")
        if scene not in found:
            kinds = f"{scene.agent.noun.kind}-{scene.patient.noun.kind}"
            forms = {t: Form(t, world.renderer(t).scene(scene)) for t in world.LANGUAGES}
            found[scene] = Concept(scene.id, forms, facets={"template": scene.template(), "kinds": kinds})
    return list(found.values())[number * n : (number + 1) * n]


@cache
def begun(purpose: str) -> tuple[Random, dict]:
    """Where the scenes of one purpose come from, and those that were drawn so far."""
    return Random(purpose), {}


def uneven(seed: int, number: int, n: int) -> list[Concept]:
    """Scenes of which half go on with a second one, and a third end in the same figures in every type."""
    rng = Random(f"uneven {FIRST_SEED} {seed} {number}")
    both = rng.sample(scenes(seed, 0, max(POOL, 2 * n), "uneven"), 2 * n)
    return [longer(first, second, rng) for first, second in zip(both[::2], both[1::2], strict=True)]


def longer(first: Concept, second: Concept, rng: Random) -> Concept:
    more, left, right = rng.random() < 0.5, rng.randint(1, 9), rng.randint(1, 9)
    figures = f"{left}+{right}={left + right}." if rng.random() < 1 / 3 else ""
    texts = {t: world.joined(t, first.text(t), second.text(t) if more else "", figures) for t in first.forms}
    return Concept(first.id, {t: Form(t, text) for t, text in texts.items()}, facets=first.facets)


def read(model, concepts: Sequence[Concept], types: Sequence[str], facets: Sequence[str]) -> Shown:
    """States at the probe and tokens of every type, as the task `multilingual/similarity` has them."""
    states = {t: speaker(model, t).read(said(concepts, t), at="last") for t in types}
    tokens = {t: tokens_of(speaker(model, t), concepts, t) for t in types}
    return Shown(states, tokens, [tuple(c.facets[name] for name in facets) for c in concepts])


def said(concepts: Sequence[Concept], type: str) -> list[str]:
    return [world.joined(type, c.text(type), world.probe(type)) for c in concepts]


def tokens_of(model, concepts: Sequence[Concept], type: str) -> Tokens:
    return alike.tokens_of([encoding.ids for encoding in model.encode(said(concepts, type))])


def speaker(model, type: str):
    """The model that reads a type: of several that never met, its own one."""
    return model.speaker(type) if hasattr(model, "speaker") else model


# models --------------------------------------------------------------------------------------------------------------


@cache
def opened(name: str | None):
    from semhub.models import load

    return load(name, prove=False)


def random_network(seed: int):
    """The bundled hub's configuration with random weights."""
    from semhub.models import load
    from semhub.models.bundled import HUB, find_bundled, twin_name

    return load(twin_name(HUB, seed), tokenizer_in(find_bundled(HUB).require()), prove=False)


@cache
def tokenizer_in(folder: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def grown(models: Sequence[str]) -> list[tuple[str, tuple[str, ...], bool]]:
    """(name, its languages, whether it should share nothing) of the bundled text models and of those named, which should not."""
    from semhub.models.bundled import HUB, bundled

    mine = [each for each in bundled() if each.name == HUB or each.role in NULL_ROLES]
    own = [(each.name, tuple(t for t in world.LANGUAGES if t in each.types), each.name != HUB) for each in mine]
    return [each for each in own if len(each[1]) > 1] + [(name, world.LANGUAGES, True) for name in models]


# organisms -----------------------------------------------------------------------------------------------------------


def planted_states(a: Tokens, b: Tokens, seed: int, dim: int, layers: int, strength: float) -> tuple[Tensor, Tensor]:
    """Two `[layer, item, dim]`: bags of random word vectors, apart for each type; the middle layer adds one vector of each meaning.

    A meaning's vector is the sum of its rarer words' ones, as in a model that composes: S there is `strength`, 0 elsewhere.
    """
    generator = torch.Generator().manual_seed(FIRST_SEED + seed)
    meaning = bag(a, generator, dim, torch.from_numpy(a.share <= alike.FREQUENT))
    states = [torch.stack([bag(side, generator, dim) for _ in range(layers + 1)]) for side in (a, b)]
    for side in states:
        side[layers // 2] += (strength / (1 - strength)) ** 0.5 * meaning
    return states[0], states[1]


def bag(side: Tokens, generator: torch.Generator, dim: int, kept: Tensor | None = None) -> Tensor:
    """`[item, dim]`: unit sums of a random vector per token."""
    counts = torch.from_numpy(side.counts.toarray()).float()
    words = torch.randn(counts.shape[1], dim, generator=generator)
    return torch.nn.functional.normalize((counts if kept is None else counts * kept) @ words, dim=-1)

"""CALIBRATE: are the p-values of the similarity test uniform where nothing is shared, and small where something is?

Draws null p-values from untrained networks, from grown models without a hub, and from shuffled meanings, and measures power over
planted organisms. Every draw is the very test of `methods.compare`; finished chunks are kept. Draws no picture.

    spec.json              what was asked
    parts/<chunk>.json     the draws of one chunk
    calibration.parquet    one row per draw: source, model, group, draw, items, p
    calibration.json       per source: draws, models, Kolmogorov-Smirnov distance and p, share of p <= 0.05 with its upper end; power
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from semhub.data import world
from semhub.data.world import meanings
from semhub.errors import BadInput
from semhub.measures.permutation import within_strata
from semhub.measures.statistics import share_at_most, uniformity
from semhub.methods import alike
from semhub.methods.alike import Tokens
from semhub.methods.compare import chance
from semhub.runs import store
from semhub.studies.kept import begin, table
from semhub.types import Concept, Form

ALPHA = 0.05
SMALLEST = 0.05  # S, the smallest effect of interest
PERMUTATIONS = 199
POWER_ITEMS, POWER_DRAWS = 500, 40  # the number of items of a default run
GROWN_SHARE, SETS = 0.12, 4  # of all draws, those of each grown null; sets of the hub's items that are shuffled over and over
NULL_ROLES = ("control:mispaired", "control:apart", "control:strangers")
FACETS = ("template", "kinds")
FIRST_SEED = 20_000  # of untrained networks and items, far from the seeds on which anything was chosen
PAIRS = tuple(combinations(world.LANGUAGES, 2))
SOURCES = ("untrained", "grown", "shuffled")
POWERED = ("hub", "planted")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a study is asked to do: `draws` null p-values in all, `seeds` of them from as many untrained networks, `items` in each."""

    draws: int = 1000
    seeds: int = 200
    items: int = 100
    seed: int = 0
    models: tuple[str, ...] = ()

    def __post_init__(self):
        for name, least in (("draws", 1), ("seeds", 0), ("items", 20)):
            if getattr(self, name) < least:
                raise BadInput(f"--{name} {getattr(self, name)}: it must be {least} or more.")


@dataclass(frozen=True, slots=True)
class Draw:
    """One p-value: of which source, model and pair of types, and with how many items."""

    source: str
    model: str
    group: str
    draw: int
    items: int
    p: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Draws that are made together and kept together."""

    name: str
    size: int
    make: Callable[[], list[Draw]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """Items as the model saw them: states `[layer, item, dim]` and tokens of each type, and what a permutation keeps."""

    states: dict[str, Tensor]
    tokens: dict[str, Tokens]
    facets: list[tuple]

    def p(self, left: str, right: str, order: Sequence[int] | None = None, seed: int = 0, rows: Sequence[int] | None = None) -> float:
        """The test on one pair of types; `order` puts other meanings beside the left ones, `rows` takes some of the items only."""
        rows = list(range(len(self.facets))) if rows is None else list(rows)
        other = rows if order is None else [rows[i] for i in order]
        pairs = zip(self.states[left][:, rows], self.states[right][:, other], strict=True)
        facets = [self.facets[i] for i in rows]
        return chance(pairs, self.tokens[left].of(rows), self.tokens[right].of(other), facets, seed, PERMUTATIONS)


def calibrate(
    out: Path,
    draws: int = 1000,
    seeds: int = 200,
    items: int = 100,
    seed: int = 0,
    models: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> dict:
    """Make the missing draws in `out` and sum all up -> the content of `calibration.json`. The same call again goes on where it stopped.

    `models`: further grown models that share nothing by construction, beside the bundled ones. `progress(done, all, source)`.
    Raises BadInput for numbers too small, RunMismatch for a folder of another study, ModelNotFound.
    """
    asked = Asked(draws, seeds, items, seed, tuple(models))
    out, told = Path(out), progress or (lambda done, total, source: None)
    begin(out, record(asked))
    with store.claimed(out):
        chunks = list(planned(asked))
        done, total, found, seconds = 0, sum(chunk.size for chunk in chunks), [], 0.0
        for chunk in chunks:
            told(done, total, chunk.name)
            part = once(out, chunk)
            found += [Draw(**row) for row in part["draws"]]
            seconds += part["seconds"]
            done += chunk.size
        told(total, total, "done")
        summary = {"asked": record(asked), "seconds": round(seconds, 1), **summed(found)}
        store.write_whole(out / "calibration.parquet", table([asdict(draw) for draw in found]))
        store.write_whole(out / "calibration.json", store.to_json(summary))
    return summary


def record(asked: Asked) -> dict:
    fixed = {"alpha": ALPHA, "smallest": SMALLEST, "permutations": PERMUTATIONS, "power_items": POWER_ITEMS, "power_draws": POWER_DRAWS}
    return {"study": "calibrate", **asdict(asked), "models": list(asked.models), **fixed}


def once(out: Path, chunk: Chunk) -> dict:
    """The draws of a chunk and the seconds they took: those kept, or made now."""
    path = out / "parts" / f"{chunk.name}.json"
    if not path.exists():
        started = time.monotonic()
        made = [asdict(draw) for draw in chunk.make()]
        store.write_whole(path, store.to_json({"draws": made, "seconds": round(time.monotonic() - started, 2)}))
    return store.read_json(path)


# what is drawn -------------------------------------------------------------------------------------------------------


def planned(asked: Asked) -> Iterator[Chunk]:
    """Untrained networks first, then every grown null, shuffles for the rest, then power."""
    seeds = min(asked.seeds, asked.draws)
    for start in range(0, seeds, 5):
        numbers = range(start, min(start + 5, seeds))
        yield Chunk(f"untrained-{start:04}", len(numbers), partial(untrained, asked, numbers))
    left = asked.draws - seeds
    for name, types in grown_nulls(asked.models):
        pairs = len(list(combinations(types, 2)))
        for number in range(max(1, round(GROWN_SHARE * asked.draws / pairs)) if left else 0):
            size = min(pairs, left)
            left -= size
            if size:
                yield Chunk(f"grown-{store.slug(name)}-{number:04}", size, partial(grown, asked, name, types, number, size))
    hub = cache(lambda number: read(opened(None), scenes(asked, number, asked.items, "shuffled"), world.LANGUAGES, FACETS))
    for start in range(0, left, 24):
        numbers = range(start, min(start + 24, left))
        yield Chunk(f"shuffled-{start:04}", len(numbers), partial(shuffled, asked, hub, numbers))
    pool = cache(lambda: read(opened(None), scenes(asked, 0, 2 * POWER_ITEMS, "power"), ("en", "es", "zh"), FACETS))
    for start in range(0, POWER_DRAWS, 10):
        yield Chunk(f"hub-{start:04}", 10, partial(of_hub, asked, pool, range(start, start + 10)))
        yield Chunk(f"planted-{start:04}", 10, partial(planted, asked, range(start, start + 10)))


def untrained(asked: Asked, numbers: Sequence[int]) -> list[Draw]:
    """One network of random weights per draw, on items of unequal lengths, some of which share figures; no template is told."""
    found = []
    for number in numbers:
        left, right = PAIRS[number % len(PAIRS)]
        shown = read(random_network(FIRST_SEED + 1000 * asked.seed + number), uneven(asked, number), (left, right), ())
        found.append(Draw("untrained", f"seed {number}", f"{left}-{right}", number, asked.items, shown.p(left, right, seed=number)))
    return found


def grown(asked: Asked, name: str, types: tuple[str, ...], number: int, size: int) -> list[Draw]:
    """All pairs of types of one grown null, on items that no other draw has."""
    shown = read(opened(name), scenes(asked, number, asked.items, "grown"), types, FACETS)
    pairs = list(combinations(types, 2))[:size]
    return [Draw("grown", name, f"{a}-{b}", number, asked.items, shown.p(a, b, seed=number)) for a, b in pairs]


def shuffled(asked: Asked, hub: Callable[[int], Shown], numbers: Sequence[int]) -> list[Draw]:
    """The hub's own states, each meaning beside another one of its stratum."""
    found = []
    for number in numbers:
        left, right = PAIRS[number % len(PAIRS)]
        shown = hub(number // 24 % SETS)
        order = displaced(shown, left, right, FIRST_SEED + number)
        found.append(Draw("shuffled", "hub", f"{left}-{right}", number, asked.items, shown.p(left, right, order, seed=number)))
    return found


def of_hub(asked: Asked, pool: Callable[[], Shown], numbers: Sequence[int]) -> list[Draw]:
    """The bundled hub as it is, at the number of items of a default run."""
    found, shown = [], pool()
    for number in numbers:
        rows = np.random.default_rng([asked.seed, number]).permutation(2 * POWER_ITEMS)[:POWER_ITEMS]
        left, right = (("en", "es"), ("en", "zh"))[number % 2]
        found.append(Draw("hub", "hub", f"{left}-{right}", number, POWER_ITEMS, shown.p(left, right, seed=number, rows=rows)))
    return found


def planted(asked: Asked, numbers: Sequence[int], dim: int = 128, layers: int = 8) -> list[Draw]:
    """States of words at random, type by type, and in one layer a meaning that both types share at S of `SMALLEST`."""
    found = []
    for number in numbers:
        concepts = scenes(asked, number, POWER_ITEMS, "planted")
        tokens = {t: tokens_of(opened(None), concepts, t) for t in ("en", "es")}
        states = planted_states(*alike.aligned(*tokens.values()), number, dim, layers)
        facets = [tuple(c.facets[f] for f in FACETS) for c in concepts]
        p = Shown(dict(zip(("en", "es"), states, strict=True)), tokens, facets).p("en", "es", seed=number)
        found.append(Draw("planted", f"organism {number}", "en-es", number, POWER_ITEMS, p))
    return found


# items and models ----------------------------------------------------------------------------------------------------


def scenes(asked: Asked, number: int, n: int, purpose: str) -> list[Concept]:
    """`n` held-out scenes; numbers of one purpose share none."""
    rng, found = begun(f"{purpose} {FIRST_SEED} {asked.seed}")
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


def uneven(asked: Asked, number: int) -> list[Concept]:
    """Scenes of which half go on with a second one, and a third end in the same figures in every type."""
    rng = Random(f"uneven {FIRST_SEED} {asked.seed} {number}")
    both = scenes(asked, 0, 2 * asked.items, f"uneven {number}")
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


@cache
def opened(name: str | None):
    from semhub.models import load

    return load(name, prove=False)


def random_network(seed: int):
    """The bundled hub's configuration with random weights."""
    from semhub.models import load
    from semhub.models.bundled import HUB, find_bundled, untrained_network

    folder, network = untrained_network(find_bundled(f"{HUB}-untrained"), seed)
    return load(network, tokenizer_in(folder), prove=False)


@cache
def tokenizer_in(folder: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def grown_nulls(models: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """(name, its languages) of the bundled models that share nothing by construction, and of those named."""
    from semhub.models.bundled import bundled

    own = [(each.name, tuple(t for t in world.LANGUAGES if t in each.types)) for each in bundled() if each.role in NULL_ROLES]
    return [(name, types) for name, types in own if len(types) > 1] + [(name, world.LANGUAGES) for name in models]


def displaced(shown: Shown, left: str, right: str, seed: int) -> list[int]:
    """One permutation of the items inside their strata."""
    sides = alike.aligned(shown.tokens[left], shown.tokens[right])
    return within_strata(alike.strata(*sides, shown.facets), 1, seed)[0].tolist()


def planted_states(a: Tokens, b: Tokens, seed: int, dim: int, layers: int, strength: float = SMALLEST) -> tuple[Tensor, Tensor]:
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


# summing up ----------------------------------------------------------------------------------------------------------


def summed(found: Sequence[Draw]) -> dict:
    """Per null source how uniform its p are, with its models and pairs apart; per organism the power."""
    of = lambda source: [draw for draw in found if draw.source == source]  # noqa: E731
    return {
        "alpha": ALPHA,
        "nulls": {source: {**uniform(of(source)), "groups": by_group(of(source))} for source in SOURCES if of(source)},
        "power": {source: powered(of(source)) for source in POWERED if of(source)},
    }


def uniform(draws: Sequence[Draw]) -> dict:
    """Of one source; draws of one model and pair share what that model is, and count as one cluster."""
    p, clusters = np.array([draw.p for draw in draws]), [f"{draw.model} {draw.group}" for draw in draws]
    clusters = None if draws[0].source == "shuffled" else clusters  # a new permutation is a new draw
    distance, chance_of_it = uniformity(p, clusters)
    share, upper = share_at_most(p <= ALPHA, clusters)
    facts = {"ks": distance, "ks_p": chance_of_it, "false": share, "false_upper": upper}
    models = len({draw.model for draw in draws})
    return {"draws": len(draws), "models": models} | {name: rounded(value) for name, value in facts.items()}


def by_group(draws: Sequence[Draw]) -> list[dict]:
    """The same of each pair of types (and of each grown model)."""
    names = dict.fromkeys((draw.model if draw.source == "grown" else "", draw.group) for draw in draws)
    found = []
    for model, group in names:
        mine = np.array([draw.p for draw in draws if draw.group == group and model in ("", draw.model)])
        distance, chance_of_it = uniformity(mine)
        facts = {"ks": distance, "ks_p": chance_of_it, "false": (mine <= ALPHA).mean(), "mean_p": mine.mean()}
        found.append({"model": model, "group": group, "draws": len(mine)} | {name: rounded(value) for name, value in facts.items()})
    return found


def powered(draws: Sequence[Draw]) -> dict:
    share, upper = share_at_most([draw.p > ALPHA for draw in draws])
    facts = {"power": 1 - share, "power_lower": 1 - upper}
    return {"draws": len(draws), "items": draws[0].items} | {name: rounded(value) for name, value in facts.items()}


def rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)

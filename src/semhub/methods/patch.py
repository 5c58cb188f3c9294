"""The procedure of `Patch`: the state before one answer in the place of another, after Dumas et al. 2025 (arXiv 2411.08745).

A question about concept C1 in type L1 gives its state at one layer to a question about C2 in L2, at that layer alone (a last token
patched at every layer from there on would only be the source itself). Of four answers one is then the likeliest: C1 in L2
(`moved`: the concept came without its type), C2 in L2 (`kept`), C1 in L1 (`copied`), C2 in L1 (`translated`). A model whose
concepts are the same for all types has layers at which `moved` wins, and more so where the state is a mean over several types.
The layer is chosen on half of the beings and reported on the others. Blind to which model is patched and to what is asked.
Rows: the shares, `prob_*` and `logprob_*` of the four; `moved_change` from no patch and `moved_excess` over each control.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semhub import edits
from semhub.errors import BadInput
from semhub.measures.lens import norm_matched, word_logprobs
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Patch, Result
from semhub.methods.decode import ragged
from semhub.models.tokens import first_continuation_id
from semhub.models.write import Edit
from semhub.types import Cloze, Exchange

RANDOM, WRONG_CONCEPT, NEUTRAL, AS_TEXT = "random-direction", "wrong-concept", "neutral-word", "as-text"
LAYER_0, WRONG_LAYER, WRONG_POSITION = "layer-0", "wrong-layer", "wrong-position"
ALL, DIFFERENCE = "all", "difference"  # the mean over types as a source; the variant that adds it
ANSWERS = ("moved", "kept", "copied", "translated")
TARGET = ANSWERS[0]
CHOOSE, REPORT = "choose", "report"


@dataclass(frozen=True, slots=True)
class Route:
    """From some types (their mean) into one, on one half of the exchanges; `words`: first tokens of the four answers, by exchange."""

    sources: tuple[str, ...]
    target: str
    split: str
    items: tuple[Exchange, ...]
    words: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def group(self) -> str:
        return f"{self.sources[0] if len(self.sources) == 1 else ALL}>{self.target}"

    @property
    def prompts(self) -> list[str]:
        return [item.target[self.target].prompt for item in self.items]

    @property
    def usable(self) -> np.ndarray:
        """`[item]` bool: all four answers are there, and no two begin alike."""
        apart = lambda four: all(four) and len({i for ids in four for i in ids}) == sum(map(len, four))  # noqa: E731
        return np.array([apart(four) for four in self.words], dtype=bool)


@dataclass(frozen=True, slots=True)
class Cell:
    """What the target questions answer under one patch: `values: [item, answer]`, log-probabilities, nan for an item left out."""

    values: np.ndarray
    layer: int | None = None
    control: str | None = None
    variant: str | None = None
    strength: float = 1.0

    @property
    def won(self) -> np.ndarray:
        """`[item, answer]`: 1 for the likeliest answer, 0 for the others."""
        best = np.eye(len(ANSWERS))[np.nan_to_num(self.values, nan=-np.inf).argmax(1)]
        return np.where(np.isnan(self.values), np.nan, best)

    @property
    def moved(self) -> np.ndarray:
        return self.won[:, 0]


def patch(ask: Patch, bench: Bench) -> Result:
    """Every pair of types, and the mean over types into each. Raises BadInput where a half has too few exchanges or words."""
    layers = sorted({0, *bench.chosen()})
    if len(layers) < 2:
        raise BadInput(f"{bench.task} needs a layer above 0 to patch at; {bench.model.name} has 1 to {bench.depth}.")
    ways = list(routes(ask))
    readings, outcomes, chosen = [], [], {}
    for number, (sources, target) in enumerate(ways):
        choose, report = (route(bench, sources, target, split, getattr(ask, split)) for split in (CHOOSE, REPORT))
        if min(choose.usable.sum(), report.usable.sum()) < 2:
            raise BadInput(f"{bench.task}: {report.group} has fewer than two questions whose four answers begin differently.")
        tried = [unpatched(bench, choose), *(patched(ask, bench, choose, k) for k in layers)]
        layer = best(tried)
        chosen[report.group] = {"layer": layer, "strength": 1.0}
        swept = [unpatched(bench, report), *(patched(ask, bench, report, k) for k in layers)]
        cells = [*swept, *beside(ask, bench, report, layers, layer, swept[1])]
        for half, found in ((choose, tried), (report, cells)):
            readings += rows_of(ask, bench, half, found, layer)
        outcomes += items_of(ask, bench, report, cells, layer)
        bench.progress(number + 1, len(ways))
    return Result(tuple(readings), tuple(outcomes), {"chosen": chosen})


def routes(ask: Patch) -> Iterator[tuple[tuple[str, ...], str]]:
    """(source types, target type): every ordered pair, then all others into each, where that is more than one."""
    yield from (((source,), target) for source in ask.types for target in ask.types if source != target)
    if len(ask.types) > 2:
        yield from ((tuple(t for t in ask.types if t != target), target) for target in ask.types)


def route(bench: Bench, sources: tuple[str, ...], target: str, split: str, items: Sequence[Exchange]) -> Route:
    return Route(sources, target, split, tuple(items), tuple(four(bench, item, sources, target) for item in items))


def first_ids(bench: Bench, prompt: str, words: Sequence[str]) -> tuple[int, ...]:
    """The different first tokens with which the words would continue the prompt."""
    ids = (first_continuation_id(bench.model, prompt, word) for word in words)
    return tuple(dict.fromkeys(i for i in ids if i is not None))


def four(bench: Bench, item: Exchange, sources: Sequence[str], target: str) -> tuple[tuple[int, ...], ...]:
    """First tokens of each answer as they would continue the target's prompt, in the order of `ANSWERS`; L1 is any of `sources`."""
    asked = item.target[target]
    said = lambda cloze, types: first_ids(bench, asked.prompt, [w for t in types for w in cloze[t].targets.get(t, ())])  # noqa: E731
    return tuple(said(cloze, types) for types in ((target,), sources) for cloze in (item.source, item.target))


# patching ------------------------------------------------------------------------------------------------------------


def unpatched(bench: Bench, way: Route) -> Cell:
    return Cell(answered(bench, way, way.prompts), strength=0.0)


def patched(ask: Patch, bench: Bench, way: Route, layer: int, **marked) -> Cell:
    """The source's state in the place of the target's."""
    return replaced(ask, bench, way, layer, states(ask, bench, way, "source", layer), **marked)


def replaced(ask: Patch, bench: Bench, way: Route, layer: int, new: Tensor, at: str | None = None, **marked) -> Cell:
    return Cell(answered(bench, way, way.prompts, Edit(layer, edits.replace(new), at or ask.at)), layer, **marked)


def answered(bench: Bench, way: Route, prompts: Sequence[str], *changes: Edit) -> np.ndarray:
    """`[item, answer]` log-probabilities of the four answers' first tokens (the best of several), while the states are changed."""
    with bench.model.edit(*changes):
        last = bench.model.read(prompts, "last", layers=[bench.depth], batch_tokens=bench.batch_tokens)[0]
    columns = [ragged([item[a] for item in way.words]) for a in range(len(ANSWERS))]
    with torch.no_grad():
        found = word_logprobs(last.to(bench.model.device), bench.model.head, torch.cat(columns, 1)).cpu()
    best = [part.nan_to_num(nan=-torch.inf).amax(1) for part in found.split([c.shape[1] for c in columns], 1)]
    return np.where(way.usable[:, None], torch.stack(best, 1).double().numpy(), np.nan)


def states(ask: Patch, bench: Bench, way: Route, which: str, layer: int) -> Tensor:
    """`[item, dim]`: the state of the source's (or target's, or third) question, the mean over the route's source types."""
    every = range(bench.depth + 1) if bench.layers is None else sorted({0, *bench.chosen(), bench.depth})
    read = lambda type: bench.quiet().states(asked(way, which, type), {"at": ask.at}, every)["at"].layer(layer)  # noqa: E731
    return torch.stack([read(type) for type in way.sources]).mean(0)


def asked(way: Route, which: str, type: str) -> list[str]:
    clozes: list[Cloze] = [getattr(item, which)[type] for item in way.items]
    return [cloze.prompt for cloze in clozes]


def best(tried: Sequence[Cell]) -> int:
    """The layer above 0 at which most answers are moved; the lowest of equals."""
    above = [cell for cell in tried if cell.layer]
    return max(above, key=lambda cell: (np.nanmean(cell.moved), -cell.layer)).layer


def beside(ask: Patch, bench: Bench, way: Route, layers: Sequence[int], layer: int, at_0: Cell) -> list[Cell]:
    """The controls at the chosen layer, and the mean's difference at every layer."""
    cells = [replace(at_0, control=name) if name == LAYER_0 else control(ask, bench, way, layer, name) for name in ask.controls]
    if ask.difference and len(way.sources) > 1:
        cells += [added(ask, bench, way, k) for k in layers]
    return cells


def added(ask: Patch, bench: Bench, way: Route, layer: int) -> Cell:
    """The target's own state, plus what the mean over types holds for C1 and not for C2."""
    step = states(ask, bench, way, "source", layer) - states(ask, bench, way, "target", layer)
    return Cell(answered(bench, way, way.prompts, Edit(layer, edits.add(step), ask.at)), layer, variant=DIFFERENCE)


def control(ask: Patch, bench: Bench, way: Route, layer: int, name: str) -> Cell:
    """What is not the concept, or not at its place, put there in the same way."""
    if name == AS_TEXT:
        said = [ask.as_text(item.source[way.sources[0]], item.target[way.target]) for item in way.items]
        return Cell(answered(bench, way, said), None, name)
    if name == WRONG_POSITION:
        return patched(ask, bench, way, layer, at="first", control=name)
    source = states(ask, bench, way, "source", bench.depth if name == WRONG_LAYER else layer)
    made = {
        WRONG_LAYER: lambda: source,
        NEUTRAL: lambda: source.mean(0, keepdim=True).expand_as(source),
        WRONG_CONCEPT: lambda: states(ask, bench, way, "other", layer),
        RANDOM: lambda: norm_matched(source, bench.generator(11 + layer + sum(map(ord, way.group)))),
    }
    return replaced(ask, bench, way, layer, made[name](), control=name)


# rows ----------------------------------------------------------------------------------------------------------------


def rows_of(ask: Patch, bench: Bench, way: Route, cells: Sequence[Cell], layer: int) -> list:
    """Every cell as it is, its change from no patch, and at the chosen layer how far the patch goes beyond each control."""
    base, *others = cells
    measured = [m for cell in (*(replace(base, layer=c.layer) for c in others if plain(c)), *others) for m in quantities(ask, way, cell)]
    measured += [Measured(f"{TARGET}_change", cell.moved - base.moved, columns(ask, way, cell)) for cell in others]
    (chosen,) = (cell for cell in others if plain(cell) and cell.layer == layer)
    for each in (cell for cell in others if cell.control is not None):
        where = {**columns(ask, way, chosen), "control": each.control}
        measured.append(Measured(f"{TARGET}_excess", chosen.moved - each.moved, where))
    eligible = bench.reading("eligible", way.usable.mean(), n=len(way.items), **columns(ask, way, replace(base, layer=None)))
    return [*bench.readings(measured, [cluster(item) for item in way.items]), eligible]


def plain(cell: Cell) -> bool:
    return cell.control is None and cell.variant is None


def quantities(ask: Patch, way: Route, cell: Cell) -> list[Measured]:
    where = columns(ask, way, cell)
    shares = [Measured(name, cell.won[:, a], where) for a, name in enumerate(ANSWERS)]
    if way.split == CHOOSE:
        return shares
    logs = [Measured(f"logprob_{name}", cell.values[:, a], where) for a, name in enumerate(ANSWERS)]
    return [*shares, *logs, *(replace(m, measure=m.measure.removeprefix("log"), values=np.exp(m.values)) for m in logs)]


def columns(ask: Patch, way: Route, cell: Cell) -> dict:
    at = {AS_TEXT: None, WRONG_POSITION: "first"}.get(cell.control, ask.at)
    found = {"group": way.group, "position": at, "split": way.split, "strength": cell.strength}
    found |= {"control": cell.control, "variant": cell.variant}
    return found if cell.layer is None else {**found, "layer": cell.layer}


def cluster(item: Exchange) -> str:
    return item.facets.get("source", item.id)


def items_of(ask: Patch, bench: Bench, way: Route, cells: Sequence[Cell], layer: int) -> list:
    """Whether each answer moved, without a patch and at the chosen layer."""
    kept = [replace(cells[0], layer=layer), *(cell for cell in cells if plain(cell) and cell.layer == layer)]
    return [
        bench.outcome(TARGET, item.id, float(value), source=cluster(item), **columns(ask, way, cell))
        for cell in kept
        for item, value in zip(way.items, cell.moved, strict=True)
        if not np.isnan(value)
    ]

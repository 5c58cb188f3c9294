"""The procedure of `Steer`: push states along a difference taken from one type, and judge what is written in another.

Layer and strength are chosen on half of the prompts (`split` choose) and reported on the other half (`report`), beside equal
pushes without the meaning. Blind to which model is steered, and to what the words mean.
Rows: each judged measure; `<target>_change` from no push and `<target>_excess` over each control, both paired by prompt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semhub import edits
from semhub.errors import BadInput
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Push, Result, Sampled, Steer
from semhub.models.generate import Generation
from semhub.models.sampling import Sampling
from semhub.models.tokens import BARE_SPACES
from semhub.models.write import Edit
from semhub.types import Prompt

RANDOM, AS_TEXT, LAYER_0 = "random-direction", "as-text", "layer-0"
UNEMBEDDING = "unembedding"
LEAST_JUDGED = 0.5  # share of outputs that must be fit to judge before a setting may be chosen


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of pushing: from which type, under which control, where and how far (in multiples of the mean residual length)."""

    source: str
    control: str | None
    layer: int | None
    strength: float


@dataclass(frozen=True, slots=True)
class Cell:
    """What the prompts of one type wrote under one setting: each measure per prompt (seeds averaged), and the first seed's texts."""

    setting: Setting
    values: dict[str, np.ndarray]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Half:
    """The prompts of one type in one split."""

    type: str
    split: str
    prompts: tuple[Prompt, ...]


def steer(ask: Steer, bench: Bench) -> Result:
    """Every type of prompt under pushes from every type. Raises BadInput without prompts, or with fewer than four of a type."""
    layers = depths(ask, bench)
    lengths = mean_lengths(bench, [p.shown for p in (*ask.rehearsal, *ask.prompts)], layers)
    readings, outcomes, chosen = [], [], {}
    halves = split_in_two(ask, bench)
    for number, (choose, report) in enumerate(halves):
        main = ask.main or next(iter(ask.pushes))
        tried = sweep(ask, bench, choose, main, layers, lengths)
        readings += rows_of(ask, bench, choose, tried, measures=(ask.target,))
        layer, strength = best(ask, tried)
        chosen[f"{main}>{choose.type}"] = {"layer": layer, "strength": strength}
        cells = told(ask, bench, report, main, layers, lengths, layer, strength)
        readings += rows_of(ask, bench, report, cells)
        outcomes += items_of(ask, bench, report, cells, layer, strength)
        bench.progress(number + 1, len(halves))
    return Result(tuple(readings), tuple(outcomes), {"chosen": chosen})


def depths(ask: Steer, bench: Bench) -> list[int]:
    """The layers to write at: those that the run asks for, or the declaration's fractions of the depth; 0 always among them."""
    wanted = bench.layers if bench.layers is not None else [round(f * bench.depth) for f in ask.depths]
    found = sorted({0, *(k for k in wanted if 0 <= k <= bench.depth)})
    if len(found) < 2:
        raise BadInput(f"{bench.task} needs a layer above 0 to write at; {bench.model.name} has 1 to {bench.depth}.")
    return found


def split_in_two(ask: Steer, bench: Bench) -> list[tuple[Half, Half]]:
    """Per type of prompt, those on which settings are chosen and those on which they are reported."""
    halves = []
    for type in dict.fromkeys(p.type for p in ask.prompts):
        mine = [p for p in ask.prompts if p.type == type]
        first = [p for p in ask.rehearsal if p.type == type]
        if not first:
            order = np.random.default_rng(bench.seed).permutation(len(mine))
            first, mine = ([mine[i] for i in sorted(part)] for part in np.array_split(order, 2))
        if min(len(first), len(mine)) < 2:
            raise BadInput(f"{bench.task}: at least four prompts of type {type} are needed (half to choose, half to report).")
        halves.append((Half(type, "choose", tuple(first)), Half(type, "report", tuple(mine))))
    if not halves:
        raise BadInput(f"{bench.task}: there are no prompts to continue.")
    return halves


def mean_lengths(bench: Bench, texts: Sequence[str], layers: Sequence[int]) -> dict[int, float]:
    """Mean length of the residual over all tokens of the texts, at each layer: the unit of every strength."""
    total, count = torch.zeros(len(layers), dtype=torch.float64), 0
    for batch in bench.model.stream(list(dict.fromkeys(texts)), "all", layers=list(layers), batch_tokens=bench.batch_tokens):
        total += torch.linalg.vector_norm(batch.states, dim=-1).double().sum(1).cpu()
        count += len(batch.items)
    return dict(zip(layers, (total / count).tolist(), strict=True))


def sweep(ask: Steer, bench: Bench, half: Half, main: str, layers: Sequence[int], lengths: dict[int, float]) -> list[Cell]:
    """No push, and every layer at every strength: all that is tried before one setting is chosen."""
    found = run(ask, bench, half, [Setting(main, None, None, 0.0)], lengths, only=ask.target)
    for layer in layers:
        found += run(ask, bench, half, [Setting(main, None, layer, s) for s in signed(ask, ask.strengths)], lengths, only=ask.target)
    return found


def signed(ask: Steer, strengths: Iterable[float]) -> list[float]:
    return [sign * s for s in strengths for sign in ((1, -1) if ask.both_signs else (1,))]


def best(ask: Steer, tried: Sequence[Cell]) -> tuple[int, float]:
    """The layer above 0 and the strength that move the target furthest the right way, among those whose outputs can be judged."""
    base = tried[0].values[ask.target]
    scores: dict[tuple[int, float], float] = {}
    for cell in tried[1:]:
        change = cell.values[ask.target] - base
        judged = np.mean(~np.isnan(change))
        effect = np.sign(cell.setting.strength) * np.nanmean(change) if judged >= LEAST_JUDGED else -np.inf
        key = (cell.setting.layer, abs(cell.setting.strength))
        # The weaker of the two signs counts: a push that only ever raises (or lowers) is no dial.
        scores[key] = min(scores.get(key, np.inf), float(effect))
    return max((key for key in scores if key[0] > 0), key=lambda key: (scores[key], -key[1], -key[0]))


def told(
    ask: Steer, bench: Bench, half: Half, main: str, layers: Sequence[int], lengths: dict[int, float], layer: int, strength: float
) -> list[Cell]:
    """The report half: no push, every source at the chosen setting, the doses, the other layers, and the controls."""
    at_choice = signed(ask, [strength])
    doses = [s for s in signed(ask, ask.strengths)]
    cells = run(ask, bench, half, [Setting(main, None, None, 0.0)], lengths)
    cells += run(ask, bench, half, [Setting(main, None, layer, s) for s in doses], lengths)
    for other in layers:
        if other != layer:
            cells += run(ask, bench, half, [Setting(main, None, other, s) for s in at_choice], lengths)
    for source in ask.pushes:
        if source != main:
            cells += run(ask, bench, half, [Setting(source, None, layer, s) for s in at_choice], lengths)
    for control in (*ask.neutral, *ask.controls):
        if control != LAYER_0:
            where = None if control == AS_TEXT else layer
            cells += run(ask, bench, half, [Setting(main, control, where, s) for s in at_choice], lengths)
    return cells + ([at_layer_0(c) for c in cells if is_at_0(c, main, strength)] if LAYER_0 in ask.controls else [])


def is_at_0(cell: Cell, main: str, strength: float) -> bool:
    s = cell.setting
    return (s.source, s.control, s.layer, abs(s.strength)) == (main, None, 0, strength)


def at_layer_0(cell: Cell) -> Cell:
    """The same push at layer 0, as the control that it also is: what works there already is a table of words."""
    return replace(cell, setting=replace(cell.setting, control=LAYER_0))


def run(
    ask: Steer, bench: Bench, half: Half, settings: Sequence[Setting], lengths: dict[int, float], only: str | None = None
) -> list[Cell]:
    """Settings that differ in strength alone, as one sweep -> a cell for each; `only` judges one measure."""
    first = settings[0]
    push = ask.neutral[first.control][first.source] if first.control in ask.neutral else ask.pushes[first.source]
    if first.control == AS_TEXT:
        texts = {s.strength: [push.as_text(p, int(np.sign(s.strength))) for p in half.prompts] for s in settings}
        written = {s: generate(bench, shown, ask.sampled, (), (1.0,))[1.0] for s, shown in texts.items()}
    else:
        change = () if first.layer is None else (edit(ask, bench, half, first, push, lengths),)
        written = generate(bench, [p.shown for p in half.prompts], ask.sampled, change, [s.strength for s in settings])
    measures = [only] if only else list(ask.judges)
    values = {s: judged(ask, bench, half.prompts, written[s.strength], measures) for s in settings}
    return [Cell(s, values[s], tuple(w[0] for w in written[s.strength])) for s in settings]


def edit(ask: Steer, bench: Bench, half: Half, setting: Setting, push: Push, lengths: dict[int, float]) -> Edit:
    """Unit directions `[prompt, dim]`, as long as the mean residual at this layer, to be added at each strength."""
    if setting.control == RANDOM:
        salt = 7 + setting.layer + sum(map(ord, half.type + half.split))
        direction = torch.randn(len(half.prompts), bench.model.dim, generator=bench.generator(salt))
    else:
        direction = differences(bench, push, half.prompts, setting.layer)
    unit = torch.nn.functional.normalize(direction, dim=-1)
    return Edit(setting.layer, edits.add(unit * lengths[setting.layer]), ask.at, ask.when)


def differences(bench: Bench, push: Push, prompts: Sequence[Prompt], layer: int) -> Tensor:
    """`[prompt, dim]`: the state of the text pushed toward, minus that of the text pushed away from (means, where there are several)."""
    sides = [[side(p) for p in prompts] for side in (push.toward, push.away)]
    if push.at == UNEMBEDDING:
        toward, away = (torch.stack([unembedding(bench, group) for group in side]) for side in sides)
        return toward - away
    texts = list(dict.fromkeys(t for side in sides for group in side for t in group))
    states = dict(zip(texts, bench.quiet().states(texts, {"at": push.at}, [layer])["at"].layer(layer), strict=True))
    toward, away = (torch.stack([torch.stack([states[t] for t in group]).mean(0) for group in side]) for side in sides)
    return toward - away


def unembedding(bench: Bench, words: Sequence[str]) -> Tensor:
    """`[dim]`: the mean raw unembedding row of the words' first tokens, each after a space where the tokenizer has such tokens."""
    ids = [first_token(bench.model, word) for word in words]
    return bench.model.head.rows(torch.tensor(ids)).mean(0)


def first_token(model, word: str) -> int:
    """The first token of a word of running text; a bare space before it, which says nothing, is passed over."""
    ids = model.encode([f" {word}"], special=False)[0].ids
    bare = len(ids) > 1 and model.tokenizer.convert_ids_to_tokens(ids[0]) in BARE_SPACES
    return ids[1] if bare else ids[0]


def generate(
    bench: Bench, prompts: Sequence[str], sampled: Sampled, change: Sequence[Edit], strengths: Sequence[float]
) -> dict[float, list[list[str]]]:
    """Texts by strength, prompt and seed; every (prompt, strength, seed) is a row of one sweep."""
    seeds = [0] if sampled.greedy else [bench.seed * 1000 + k for k in range(sampled.seeds)]
    sampling = Sampling(sampled.temperature, sampled.top_p, sampled.frequency_penalty, sampled.greedy)
    rows: list[Generation] = bench.model.generate(
        list(prompts),
        edits=tuple(change),
        max_new_tokens=sampled.tokens,
        sampling=sampling,
        seeds=seeds,
        strengths=list(strengths),
        batch_rows=max(8, bench.batch_tokens // 64),
    )
    found: dict[float, list[list[str]]] = {float(s): [[] for _ in prompts] for s in strengths}
    for row in rows:
        found[row.strength][row.prompt].append(row.text)
    return found


def unpushed_texts(ask, bench: Bench, prompts: Sequence[Prompt]) -> list[list[str]]:
    """What each prompt writes by itself, by seed; written once per run."""
    texts = tuple(p.text for p in prompts)
    key = ("unpushed", texts, ask.sampled, bench.seed)
    if key not in bench.memo:
        bench.memo[key] = generate(bench, texts, ask.sampled, (), (1.0,))[1.0]
    return bench.memo[key]


def judged(
    ask, bench: Bench, prompts: Sequence[Prompt], written: Sequence[Sequence[str]], measures: Sequence[str]
) -> dict[str, np.ndarray]:
    """Each measure per prompt: the mean over the seeds that can be judged, nan where none can."""
    flat = [(p, text) for p, texts in zip(prompts, written, strict=True) for text in texts]
    bare = [t for texts in unpushed_texts(ask, bench, prompts) for t in texts] if set(ask.relative) & set(measures) else []
    found = {}
    for name in measures:
        scores = ask.judges[name]([p for p, _ in flat], [t for _, t in flat], *([bare] if name in ask.relative else []))
        values = np.array([np.nan if v is None else v for v in scores], dtype=float)
        by_prompt = values.reshape(len(prompts), -1)
        counts = (~np.isnan(by_prompt)).sum(1)
        found[name] = np.where(counts > 0, np.nansum(by_prompt, 1) / counts.clip(1), np.nan)
    return found


# rows ----------------------------------------------------------------------------------------------------------------


def rows_of(ask: Steer, bench: Bench, half: Half, cells: Sequence[Cell], measures: Sequence[str] | None = None) -> list:
    """Readings of one half: every cell as it is, its change from no push, and how far it goes beyond each control."""
    base, *pushed = cells
    measured = [m for cell in pushed for m in plain(ask, half, cell, measures)]
    measured += [m for cell in unpushed(ask, base, pushed) for m in plain(ask, half, cell, measures)]
    for cell in pushed:
        change = cell.values[ask.target] - base.values[ask.target]
        measured.append(Measured(f"{ask.target}_change", change, columns(ask, half, cell.setting)))
    measured += beyond(ask, half, pushed)
    return bench.readings(measured)


def plain(ask: Steer, half: Half, cell: Cell, measures: Sequence[str] | None) -> list[Measured]:
    return [Measured(name, cell.values[name], columns(ask, half, cell.setting)) for name in measures or cell.values]


def unpushed(ask: Steer, base: Cell, pushed: Sequence[Cell]) -> list[Cell]:
    """The unpushed outputs at strength 0 of every curve that they belong to."""
    curves = dict.fromkeys((c.setting.source, c.setting.layer) for c in pushed if c.setting.control is None)
    return [Cell(Setting(source, None, layer, 0.0), base.values, base.texts) for source, layer in curves]


def columns(ask: Steer, half: Half, s: Setting) -> dict:
    where = None if s.control == AS_TEXT else ask.at
    found = {
        "group": f"{s.source}>{half.type}",
        "position": where,
        "control": s.control,
        "split": half.split,
        "strength": float(s.strength),
    }
    return found if s.layer is None else {**found, "layer": s.layer}


def beyond(ask: Steer, half: Half, pushed: Sequence[Cell]) -> list[Measured]:
    """`<target>_excess`: the push minus a control at the same strength, times the sign wanted, paired by prompt."""
    found = []
    for control in (c for c in pushed if c.setting.control is not None):
        for cell in pushed:
            s, other = cell.setting, control.setting
            same = (s.source, s.strength) == (other.source, other.strength) and other.layer in (None, 0, s.layer)
            if s.control is None and s.layer and same:
                values = np.sign(s.strength) * (cell.values[ask.target] - control.values[ask.target])
                found.append(Measured(f"{ask.target}_excess", values, {**columns(ask, half, s), "control": other.control}))
    return found


def items_of(ask: Steer, bench: Bench, half: Half, cells: Sequence[Cell], layer: int, strength: float) -> list:
    """What each prompt wrote, unpushed and at the chosen setting, with its score."""
    rows = []
    for cell in cells:
        s = cell.setting
        if s.control is None and s.layer in (None, layer) and abs(s.strength) in (0.0, strength):
            for prompt, value, text in zip(half.prompts, cell.values[ask.target], cell.texts, strict=True):
                rows.append(bench.outcome(ask.target, prompt.id, float(value), text=text, **columns(ask, half, s)))
    return rows

"""The procedure of `Steer`: push states along a difference taken from one type, and judge what is written in another.

Layer and strength are chosen on half of the prompts (`split` choose) and reported on the other half (`report`), beside equal
pushes without the meaning. Blind to which model is steered, and to what the words mean.
Rows: each judged measure; `<target>_change` from no push and `<target>_excess` over each control, both paired by prompt.

A push may cost an output its language, and then it cannot be judged. A mean over the outputs that are left (`variant` null)
conditions on what the push itself does, and compares different prompts under different pushes; where layer 0 loses most of
them, there is nothing to compare. `variant` all counts every prompt, as trials analyse by intention to treat: an output that
cannot be judged has not changed. It can only be nearer to 0, and it is what layer and strength are chosen by.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from semhub import edits
from semhub.errors import BadInput
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Judges, Push, Result, Sampled, Steer
from semhub.models.generate import Ask, Generation
from semhub.models.sampling import Sampling
from semhub.models.tokens import BARE_SPACES
from semhub.models.write import Edit
from semhub.types import Prompt

RANDOM, AS_TEXT, LAYER_0 = "random-direction", "as-text", "layer-0"
WRONG_LAYER, WRONG_POSITION = "wrong-layer", "wrong-position"
WITHOUT_MAIN, WITHOUT_RANDOM = "without-main", "without-random"
ALL = "all"  # variant: over all prompts, where an output that cannot be judged counts as no change
UNEMBEDDING = "unembedding"


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

    @property
    def clusters(self) -> list[str] | None:
        """The source of each prompt; None where each has its own."""
        sources = [prompt.source for prompt in self.prompts]
        return sources if len(set(sources)) < len(sources) else None


def steer(ask: Steer, bench: Bench) -> Result:
    """Every type of prompt under pushes from every type. Raises BadInput without prompts, or with fewer than four of a type."""
    layers = depths(ask, bench)
    lengths = mean_lengths(bench, [p.shown for p in (*ask.rehearsal, *ask.prompts)], sorted({*layers, bench.depth}))
    readings, outcomes, chosen = [], [], {}
    halves = split_in_two(ask, bench)
    for number, (choose, report) in enumerate(halves):
        main = ask.main or next(iter(ask.pushes))
        tried = run(ask, bench, choose, sweep(ask, main, layers), lengths, [ask.target])
        readings += rows_of(ask, bench, choose, tried)
        layer, strength = best(ask, tried)
        chosen[f"{main}>{choose.type}"] = {"layer": layer, "strength": strength}
        cells = run(
            ask, bench, report, told(ask, report, main, layers, layer, strength, bench.depth), lengths, list(ask.judges), main, layer
        )
        cells += [at_layer_0(c) for c in cells if is_at_0(c, main, strength)] if LAYER_0 in ask.controls else []
        readings += rows_of(ask, bench, report, cells)
        outcomes += items_of(ask, bench, report, cells, layer, strength)
        bench.progress(number + 1, len(halves))
    known = ask.judged_by()
    readings += credentials(bench, known)
    return Result(tuple(readings), tuple(outcomes), {"chosen": chosen, "judges": dict(known.names)})


def credentials(bench: Bench, known: Judges) -> list:
    """`scorer_accuracy`: how often the target's judge is right on held-out texts of each type."""
    return [bench.reading("scorer_accuracy", share, n=known.n, group=type) for type, share in known.accuracy.items()]


def depths(ask: Steer, bench: Bench) -> list[int]:
    """The layers to write at: those that the run asks for, or the declaration's fractions of the depth; 0 always among them."""
    wanted = bench.layers if bench.layers is not None else [round(f * bench.depth) for f in ask.depths]
    found = sorted({0, *(k for k in wanted if 0 <= k <= bench.depth)})
    if len(found) < 2:
        raise BadInput(f"{bench.task} needs a layer above 0 to write at; {bench.model.name} has 1 to {bench.depth}.")
    return found


def split_in_two(ask: Steer, bench: Bench) -> list[tuple[Half, Half]]:
    """Per type of prompt, those on which settings are chosen and those on which they are reported; those of one source stay together."""
    halves = []
    for type in dict.fromkeys(p.type for p in ask.prompts):
        mine = [p for p in ask.prompts if p.type == type]
        first = [p for p in ask.rehearsal if p.type == type]
        if not first:
            sources = list(dict.fromkeys(p.source for p in mine))
            order = np.random.default_rng(bench.seed).permutation(len(sources))
            chosen = {sources[i] for i in np.array_split(order, 2)[0]}
            first, mine = [p for p in mine if p.source in chosen], [p for p in mine if p.source not in chosen]
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


def sweep(ask: Steer, main: str, layers: Sequence[int]) -> list[Setting]:
    """No push, and every layer at every strength: all that is tried before one setting is chosen."""
    return [Setting(main, None, None, 0.0), *(Setting(main, None, layer, s) for layer in layers for s in signed(ask, ask.strengths))]


def signed(ask: Steer, strengths: Iterable[float]) -> list[float]:
    return [sign * s for s in strengths for sign in ((1, -1) if ask.both_signs else (1,))]


def best(ask: Steer, tried: Sequence[Cell]) -> tuple[int, float]:
    """The layer above 0 and the strength that move the target furthest the right way, over all prompts (`variant` all)."""
    base = tried[0].values[ask.target]
    scores: dict[tuple[int, float], float] = {}
    for cell in tried[1:]:
        effect = np.sign(cell.setting.strength) * over_all(cell.values[ask.target] - base).mean()
        key = (cell.setting.layer, abs(cell.setting.strength))
        # The weaker of the two signs counts: a push that only ever raises (or lowers) is no dial.
        scores[key] = min(scores.get(key, np.inf), float(effect))
    return max((key for key in scores if key[0] > 0), key=lambda key: (scores[key], -key[1], -key[0]))


def over_all(change: np.ndarray) -> np.ndarray:
    """The change of every prompt: none where an output cannot be judged."""
    return np.nan_to_num(change, nan=0.0)


def told(ask: Steer, half: Half, main: str, layers: Sequence[int], layer: int, strength: float, last: int) -> list[Setting]:
    """The report half: no push, the doses, the other layers, every source at the chosen setting, and the controls.

    Where the last layer itself was chosen there is no wrong layer.
    """
    pushed = [Setting(main, None, layer, s) for s in signed(ask, ask.strengths)]
    apart = (LAYER_0, WITHOUT_MAIN, WITHOUT_RANDOM, *([WRONG_LAYER] if layer == last else []))
    controls = [c for c in (*ask.neutral, *ask.controls) if c not in apart]
    written = {AS_TEXT: None} | ({WRONG_LAYER: last} if same_everywhere(ask.pushes[main]) else {})
    necessity = [c for c in ask.controls if c in (WITHOUT_MAIN, WITHOUT_RANDOM) and half.type in ask.pushes and half.type != main]
    for s in signed(ask, [strength]):
        pushed += [Setting(main, None, other, s) for other in layers if other != layer]
        pushed += [Setting(source, None, layer, s) for source in ask.pushes if source != main]
        pushed += [Setting(main, c, written.get(c, layer), s) for c in controls]
        pushed += [Setting(half.type, c, layer, s) for c in necessity]
    return [Setting(main, None, None, 0.0), *pushed]


def same_everywhere(push: Push) -> bool:
    """Whether a push is the same at every layer, so that only the place where it is written can be a wrong one."""
    return push.at == UNEMBEDDING


def is_at_0(cell: Cell, main: str, strength: float) -> bool:
    s = cell.setting
    return (s.source, s.control, s.layer, abs(s.strength)) == (main, None, 0, strength)


def at_layer_0(cell: Cell) -> Cell:
    """The same push at layer 0, as the control that it also is: what works there already is a table of words."""
    return replace(cell, setting=replace(cell.setting, control=LAYER_0))


def run(
    ask: Steer,
    bench: Bench,
    half: Half,
    settings: Sequence[Setting],
    lengths: dict[int, float],
    measures: Sequence[str],
    main: str = "",
    chosen: int | None = None,
) -> list[Cell]:
    """A cell for each setting; all of them are rows of the same generation, and are judged together."""
    alike = [list(same) for _, same in groupby(sorted(settings, key=kind), key=kind)]
    asks, wants_kl = [asked(ask, bench, half, same, lengths, main) for same in alike], ask.divergence and chosen is not None
    written = generate_all(bench, asks, ask.sampled, first=wants_kl)
    cells = {s: cell for same, found in zip(alike, written, strict=True) for s, cell in zip(same, found, strict=True)}
    texts = {s: [[each.text for each in rows] for rows in cell] for s, cell in cells.items()}
    elsewhere = {s for s in settings if s.layer not in (None, chosen)}
    values: dict[Setting, dict[str, np.ndarray]] = {s: {} for s in settings}
    for name in measures:
        here = [s for s in settings if name not in ask.at_choice or s not in elsewhere]
        for s, found in zip(here, judged_together(ask, bench, half.prompts, [texts[s] for s in here], name), strict=True):
            values[s][name] = found
    if wants_kl:
        for s in (s for s in settings if s not in elsewhere):
            values[s]["kl"] = divergences(cells[settings[0]], cells[s])
    return [Cell(s, values[s], tuple(w[0] for w in texts[s])) for s in settings]


def divergences(unpushed: Sequence[Sequence[Generation]], pushed: Sequence[Sequence[Generation]]) -> np.ndarray:
    """Rows by prompt and seed -> `[prompt]`: KL(unpushed || pushed) in nats of the token after the prompt, which no seed changes."""
    free, moved = (torch.log_softmax(torch.stack([rows[0].first for rows in cell]).double(), -1) for cell in (unpushed, pushed))
    return torch.where(free > -torch.inf, free.exp() * (free - moved), 0.0).sum(-1).numpy()


def kind(s: Setting) -> tuple:
    """What settings that differ in strength alone have in common; a text says its sign in words, and an ablation is always whole."""
    apart = s.strength if s.control in (AS_TEXT, WITHOUT_MAIN, WITHOUT_RANDOM) else 0.0
    return s.source, s.control or "", -1 if s.layer is None else s.layer, apart


def asked(ask: Steer, bench: Bench, half: Half, settings: Sequence[Setting], lengths: dict[int, float], main: str) -> Ask:
    """The prompts under settings that differ in strength alone."""
    first, texts = settings[0], [p.shown for p in half.prompts]
    if first.control == AS_TEXT:
        push = ask.pushes[first.source]
        return Ask([push.as_text(p, int(np.sign(first.strength))) for p in half.prompts], (), (1.0,))
    if first.layer is None:
        return Ask(texts)
    direction = directions(ask, bench, half, first) * lengths[first.layer]
    if first.control in (WITHOUT_MAIN, WITHOUT_RANDOM):
        gone = directions(ask, bench, half, replace(first, source=main, control=RANDOM if first.control == WITHOUT_RANDOM else None))
        change = edits.ablate(gone[:, None])
        return Ask(
            texts, (Edit(first.layer, edits.add(direction, first.strength), ask.at, ask.when), Edit(first.layer, change, ask.at, ask.when))
        )
    where = ("first", "prompt") if first.control == WRONG_POSITION else (ask.at, ask.when)
    return Ask(texts, (Edit(first.layer, edits.add(direction), *where),), [s.strength for s in settings])


def directions(ask: Steer, bench: Bench, half: Half, setting: Setting) -> Tensor:
    """`[prompt, dim]`: unit vectors along which a setting pushes."""
    if setting.control == RANDOM:
        salt = 7 + setting.layer + sum(map(ord, half.type + half.split))
        found = torch.randn(len(half.prompts), bench.model.dim, generator=bench.generator(salt))
    else:
        push = ask.neutral[setting.control][setting.source] if setting.control in ask.neutral else ask.pushes[setting.source]
        found = differences(bench, push, half.prompts, bench.depth if setting.control == WRONG_LAYER else setting.layer)
    return torch.nn.functional.normalize(found, dim=-1)


def differences(bench: Bench, push: Push, prompts: Sequence[Prompt], layer: int) -> Tensor:
    """`[prompt, dim]`: the state of the text pushed toward, minus that of the text pushed away from (means, where there are several)."""
    sides = [[side(p) for p in prompts] for side in (push.toward, push.away)]
    if same_everywhere(push):
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
    bench: Bench, prompts: Sequence, sampled: Sampled, change: Sequence[Edit], strengths: Sequence[float]
) -> dict[float, list[list[str]]]:
    """Texts by strength, prompt and seed."""
    (found,) = generate_all(bench, [Ask(prompts, tuple(change), tuple(strengths))], sampled)
    return {float(s): [[each.text for each in rows] for rows in cell] for s, cell in zip(strengths, found, strict=True)}


def generate_all(bench: Bench, asks: Sequence[Ask], sampled: Sampled, first: bool = False) -> list[list[list[list[Generation]]]]:
    """What is written, by ask, strength, prompt and seed; every one is a row of the same sweep. `first`: with its first logits."""
    seeds = [0] if sampled.greedy else [bench.seed * 1000 + k for k in range(sampled.seeds)]
    sampling = Sampling(sampled.temperature, sampled.top_p, sampled.frequency_penalty, sampled.greedy)
    texts = list(dict.fromkeys(p for ask in asks for p in ask.prompts if isinstance(p, str)))
    longest = max((len(encoding.ids) for encoding in bench.model.encode(texts)), default=64)
    most = max(8, bench.batch_tokens // longest)
    rows = bench.model.generate_all(asks, max_new_tokens=sampled.tokens, sampling=sampling, seeds=seeds, batch_rows=most, first=first)
    return [by_strength(ask, found, len(seeds)) for ask, found in zip(asks, rows, strict=True)]


def by_strength(ask: Ask, rows: Sequence, seeds: int) -> list[list[list]]:
    """Rows in the order prompt, strength, seed -> by strength, prompt and seed."""
    strengths = len(ask.strengths)
    start = lambda p, s: (p * strengths + s) * seeds  # noqa: E731
    return [[rows[start(p, s) :][:seeds] for p in range(len(ask.prompts))] for s in range(strengths)]


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
    return {name: judged_together(ask, bench, prompts, [written], name)[0] for name in measures}


def judged_together(ask, bench: Bench, prompts: Sequence[Prompt], written: Sequence, measure: str) -> np.ndarray:
    """`written`: texts by cell, prompt and seed -> one measure, `[cell, prompt]`, of all cells at once."""
    flat = [(p, text) for cell in written for p, texts in zip(prompts, cell, strict=True) for text in texts]
    beside = ([t for texts in unpushed_texts(ask, bench, prompts) for t in texts] * len(written),) if measure in ask.relative else ()
    scores = ask.judges[measure]([p for p, _ in flat], [t for _, t in flat], *beside)
    values = np.array([np.nan if v is None else v for v in scores], dtype=float).reshape(len(written), len(prompts), -1)
    counts = (~np.isnan(values)).sum(2)
    return np.where(counts > 0, np.nansum(values, 2) / counts.clip(1), np.nan)


# rows ----------------------------------------------------------------------------------------------------------------


def rows_of(ask: Steer, bench: Bench, half: Half, cells: Sequence[Cell]) -> list:
    """Readings of one half: every cell as it is, its change from no push, and how far it goes beyond each control."""
    base, *pushed = cells
    measured = [m for cell in (*pushed, *unpushed(ask, base, pushed)) for m in plain(ask, half, cell)]
    for cell in pushed:
        change = cell.values[ask.target] - base.values[ask.target]
        measured += both_ways(f"{ask.target}_change", change, change, columns(ask, half, cell.setting))
    measured += beyond(ask, half, base, pushed)
    return bench.readings(measured, half.clusters)


def plain(ask: Steer, half: Half, cell: Cell) -> list[Measured]:
    return [Measured(name, values, columns(ask, half, cell.setting)) for name, values in cell.values.items()]


def both_ways(measure: str, judged: np.ndarray, every: np.ndarray, columns: dict) -> list[Measured]:
    """Over the prompts that can be judged, and over all of them."""
    return [Measured(measure, judged, columns), Measured(measure, over_all(every), {**columns, "variant": ALL})]


def unpushed(ask: Steer, base: Cell, pushed: Sequence[Cell]) -> list[Cell]:
    """The unpushed outputs at strength 0 of every curve that they belong to."""
    curves: dict[tuple[str, int | None], dict] = {}
    for cell in pushed:
        if cell.setting.control is None:
            curves.setdefault((cell.setting.source, cell.setting.layer), {}).update(dict.fromkeys(cell.values))
    values = {curve: {name: base.values[name] for name in names} for curve, names in curves.items()}
    return [Cell(Setting(source, None, layer, 0.0), found, base.texts) for (source, layer), found in values.items()]


def columns(ask: Steer, half: Half, s: Setting) -> dict:
    where = {AS_TEXT: None, WRONG_POSITION: "first"}.get(s.control, ask.at)
    found = {
        "group": f"{s.source}>{half.type}",
        "position": where,
        "control": s.control,
        "split": half.split,
        "strength": float(s.strength),
    }
    return found if s.layer is None else {**found, "layer": s.layer}


def beyond(ask: Steer, half: Half, base: Cell, pushed: Sequence[Cell]) -> list[Measured]:
    """`<target>_excess`: the push minus a control at the same strength, times the sign wanted, paired by prompt."""
    found = []
    change = lambda cell: cell.values[ask.target] - base.values[ask.target]  # noqa: E731
    for control in (c for c in pushed if c.setting.control is not None):
        for cell in pushed:
            s, other = cell.setting, control.setting
            later = other.control == WRONG_LAYER and same_everywhere(ask.pushes[other.source])
            same = (s.source, s.strength) == (other.source, other.strength) and (later or other.layer in (None, 0, s.layer))
            if s.control is None and s.layer and same:
                sign = np.sign(s.strength)
                judged = sign * (cell.values[ask.target] - control.values[ask.target])
                every = sign * (over_all(change(cell)) - over_all(change(control)))
                found += both_ways(f"{ask.target}_excess", judged, every, {**columns(ask, half, s), "control": other.control})
    return found


def items_of(ask: Steer, bench: Bench, half: Half, cells: Sequence[Cell], layer: int, strength: float) -> list:
    """What each prompt wrote, unpushed and at the chosen setting, with its score."""
    rows = []
    for cell in cells:
        s = cell.setting
        if s.control is None and s.layer in (None, layer) and abs(s.strength) in (0.0, strength):
            for prompt, value, text in zip(half.prompts, cell.values[ask.target], cell.texts, strict=True):
                about = {"text": text, "source": prompt.source} | columns(ask, half, s)
                rows.append(bench.outcome(ask.target, prompt.id, float(value), **about))
    return rows

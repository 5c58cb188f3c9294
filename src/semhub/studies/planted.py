"""Tables with known answers for the verdicts: real items of a grown model drawn anew, their means moved so that a claim is false.

How much items vary, and how layers, words and prompts vary together, is the model's own; what is moved is written in `FALSE`. In each of
these something a claim needs is not so, and all else speaks for it: the means stand at the very edge of what is called true,
where a verdict errs most often. In `TRUE` every need is met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Decode, Lens, Steer
from semhub.methods.decode import Spot, Table, all_spots, layers_of, lifts, look_up, quantities
from semhub.methods.steer import Cell, Half, Setting, at_layer_0, depths, mean_lengths, over_all, rows_of, run
from semhub.methods.steer import told as settings
from semhub.types import COLUMNS, Reading
from semhub.verdicts import Evidence, Subject, Thresholds, judge
from semhub.verdicts.thresholds import LIMITS

NAME, TWIN, TASK = "organism", "organism-untrained", "multilingual/planted"
TESTS = 25  # of a default run: power is wanted after as many
RISE = np.array([0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 0.9, 0.6])
STRONG, LEAD, PUSH = 0.1, 1.0, 1.0  # planted where a claim is true: S, a lead, a change of sentiment (from -1 to 1)
WEAKER = {"a lead of 0.5": 0.5, "a push of 0.5": 0.5}
SURE = 1 / 5000


def judged(claim: str, readings: Sequence[Reading], outcomes: Sequence, depth: int, limits: Thresholds = LIMITS) -> str:
    """The word that the verdict on the organism is, in these tables."""
    frame = pd.DataFrame([row.row() for row in readings], columns=list(COLUMNS))
    items = pd.DataFrame([{name: getattr(row, name) for name in row.__slots__} for row in outcomes]) if outcomes else None
    subjects = (Subject(NAME, "", {"layers": depth}), Subject(TWIN, "control:untrained", {"layers": depth}))
    words = [found.verdict for found in judge(Evidence.of(frame, items, subjects), limits) if (found.model, found.claim) == (NAME, claim)]
    return "supported" if "supported" in words else words[0] if words else "undecided"


def bench_of(name: str, depth: int, seed: int = 0) -> Bench:
    return Bench(SimpleNamespace(name=name, layers=depth), TASK, "sound", seed)


def strict(power: bool) -> Thresholds:
    """Of an organism that is to be found, p is corrected as over a whole run."""
    return replace(LIMITS, alpha=LIMITS.alpha / TESTS) if power else LIMITS


# Eq. 1 ---------------------------------------------------------------------------------------------------------------


def shared(psi: np.ndarray, near: np.ndarray, twin: np.ndarray | None, p: float, limits: Thresholds = LIMITS) -> str:
    """`psi, near: [item, layer]` parts of S and contrasts with look-alikes (nan for gaps), `twin` those of an untrained network."""
    depth, columns = psi.shape[1] - 1, {"position": "probe", "variant": "raw", "group": "en-es"}
    layers, bench = range(depth + 1), bench_of(NAME, depth)
    measured = Measured("adjusted_cosine", psi, columns, layers, keep=True)
    readings = bench.readings([measured, Measured("adjusted_cosine", near, {**columns, "control": "overlap-matched"}, layers)])
    readings += [] if twin is None else bench_of(TWIN, depth).readings([Measured("adjusted_cosine", twin, columns, layers)])
    readings.append(bench.reading("p_value", p, n=len(psi), **columns))
    return judged("shared", readings, bench.outcomes([measured], [f"i{i}" for i in range(len(psi))]), depth, limits)


@dataclass(frozen=True, slots=True)
class Similar:
    """Parts of S and contrasts with look-alikes of real items, `[item, layer]`."""

    psi: np.ndarray
    near: np.ndarray

    @property
    def items(self) -> int:
        return len(self.psi)

    def drawn(self, s: np.ndarray, near: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """As many items, drawn anew, whose true means are `s` and `near`."""
        rows = rng.integers(len(self.psi), size=len(self.psi))
        return moved(self.psi, s)[rows], moved(self.near, near)[rows]

    def verdict(self, case: str, rng: np.random.Generator) -> str:
        small, power = np.full(len(RISE), LIMITS.similarity), case in TRUE["shared"]
        high, flat = 0.3 * RISE, 0 * RISE
        level = np.where(RISE > 0, 0.3, 0.3 - LIMITS.rise)
        s, near, twin = {
            "no meaning": (flat, flat, flat),
            "at the smallest effect": (small * (RISE > 0), small, flat),
            "as at layer 0": (level, high, flat),
            "as look-alikes": (high, flat, flat),
            "as the untrained twin": (high, high, high),
            "S of 0.1": (STRONG * RISE, STRONG * RISE / 2, flat),
        }[case]
        p = rng.random() if case == "no meaning" else SURE
        return shared(*self.drawn(s, near, rng), self.drawn(twin, flat, rng)[0], p, strict(power))


def moved(values: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return values - np.nanmean(values, 0) + mean


# Eq. 2 ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model's layers say before prompts of one type: log-probabilities of right and wrong words, by type of word."""

    own: str
    types: tuple[str, ...]
    spots: tuple[Spot, ...]
    table: Table

    @property
    def items(self) -> int:
        return len(self.spots)

    def verdict(self, case: str, rng: np.random.Generator) -> str:
        rows = rng.integers(len(self.spots), size=len(self.spots))
        spots = [replace(self.spots[row], item=f"i{i}", cluster=f"{self.spots[row].cluster} {i}") for i, row in enumerate(rows)]
        values = {key: value[rows] for key, value in self.planted(case).items()}
        return anchored(self.own, self.types, spots, Table(self.table.layers, values), strict(case in TRUE["anchored"]))

    def planted(self, case: str) -> Mapping[tuple[str, str], np.ndarray]:
        """The table with its means moved: by how much the first type's word leads, alone and beyond wrong words, and in what ratio."""
        main, other = (t for t in self.types if t != self.own)
        depth = len(self.table.layers) - 1
        inner = np.minimum(np.arange(depth + 1), 1) * (np.arange(depth + 1) < depth)  # 1 in the middle layers
        end = -1.0 * (np.arange(depth + 1) == depth)  # the own word ahead at the last layer
        strength, ratio = WEAKER.get(case, LEAD), 3.0
        lead, beyond = strength * inner + end, strength * inner
        second, its_own = lead - 1.0, 0 * inner  # of the other type: its words are as probable as they are frequent
        if case == "no lead":
            lead = end
        elif case == "at the smallest lead":
            lead = LIMITS.lead * inner + end
        elif case == "wrong words lead as much":
            beyond = 0 * inner
        elif case == "right words at the smallest lift":
            ratio = LIMITS.lift
        elif case == "no turn at the end":
            lead = strength * inner
        elif case == "another type leads as much":
            second, its_own = lead, beyond
        found = self.with_lead(dict(self.table.values), main, lead, beyond, ratio)
        return self.with_lead(found, other, second, its_own, ratio)

    def with_lead(self, values: dict, type: str, lead: np.ndarray, beyond: np.ndarray, ratio: float) -> dict:
        """The same with this type's words moved, right and wrong ones; the own type's words stay."""
        own_right, own_wrong = values[self.own, "right"], values[self.own, "wrong"]
        right, wrong = values[type, "right"], values[type, "wrong"]
        right = right - np.nanmean(right - own_right, 0) + lead
        wrong = wrong + np.nanmean(right - wrong - own_right + own_wrong, 0) - beyond
        raised = np.exp(right)
        probable = values[type, "wrong-prob"]
        probable = probable * np.nanmean(raised, 0) / np.nanmean(probable, 0) / ratio
        return values | {(type, "right"): right, (type, "wrong"): wrong, (type, "wrong-prob"): probable}


def spoken(model, ask: Decode, own: str) -> Spoken:
    """What the hub's layers say before the prompts of one type."""
    clozes = [c for each in ask.sets.values() for c in each if c.type == own]
    bench = Bench(model, TASK, "sound")
    spots = all_spots(ask, bench, clozes)
    whole = [i for i, s in enumerate(spots) if all(comparable(s, own, t) for t in ask.types)]
    states = bench.states([clozes[i].shown for i in whole], {"last": "last"}, bench.chosen())["last"]
    spots = [spots[i] for i in whole]
    return Spoken(
        own, tuple(ask.types), tuple(spots), look_up(bench, ask.lens, "final", spots, ask.types, layers_of(bench, ask.lens, states))
    )


def comparable(spot: Spot, own: str, type: str) -> bool:
    """Whether right and wrong words of a type were found, and its right ones begin otherwise than the prompt's own."""
    return bool(spot.right[type] and spot.wrong[type]) and (type == own or not set(spot.right[type]) & set(spot.right[own]))


def anchored(own: str, types: Sequence[str], spots: Sequence[Spot], table: Table, limits: Thresholds = LIMITS) -> str:
    """The verdict on what a table of log-probabilities says of prompts of one type."""
    depth, columns = max(table.layers), {"position": "last", "split": "test", "variant": None}
    bench, lens = bench_of(NAME, depth), Lens(wrong=True, anchor=True)
    measured, clusters = quantities(lens, table, own, spots, types, columns), [s.cluster for s in spots]
    readings = bench.readings(measured, clusters) + lifts(bench, table, own, spots, types, columns)
    outcomes = bench.outcomes([m for m in measured if m.keep], [s.item for s in spots], sources=clusters)
    return judged("anchored", readings, outcomes, depth, limits)


# use -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pushed:
    """What prompts wrote without a push and with each: `change: [setting, prompt]`, an output that cannot be judged counted as none."""

    ask: Steer
    half: Half
    cells: tuple[Cell, ...]
    depth: int

    @property
    def items(self) -> int:
        return len(self.half.prompts)

    def verdict(self, case: str, rng: np.random.Generator) -> str:
        base, *pushed = self.cells
        rows = rng.integers(len(self.half.prompts), size=len(self.half.prompts))
        prompts = tuple(replace(self.half.prompts[row], id=f"p{i}") for i, row in enumerate(rows))
        level = np.nan_to_num(base.values[self.ask.target])
        cells = [replace(base, values={self.ask.target: level[rows]})]
        for cell in pushed:
            change = over_all(cell.values[self.ask.target] - base.values[self.ask.target])
            change = change - change.mean() + np.sign(cell.setting.strength) * aim(case, cell.setting)
            cells.append(replace(cell, values={self.ask.target: (level + change)[rows]}))
        return used(self.ask, replace(self.half, prompts=prompts), cells, self.depth, strict(case in TRUE["used"]))


def aim(case: str, setting: Setting) -> float:
    """How far the outputs move the way that the push says, on average."""
    as_well = {"any large push does it": "random-direction", "layer 0 does it too": "layer-0", "plain text does it too": "as-text"}
    as_well |= {"a neutral word does it": "neutral-word"}
    if setting.control is not None:
        return PUSH if as_well.get(case) == setting.control else 0.0
    if case == "no effect" or (case == "it works upward only" and setting.strength < 0):
        return 0.0
    return LIMITS.push if case == "at the smallest effect" else WEAKER.get(case, PUSH)


def pushed(model, ask: Steer, type: str, layer: int, strength: float) -> Pushed:
    """What the model writes under one setting and its controls."""
    bench, half = Bench(model, TASK, "sound"), Half(type, "report", tuple(p for p in ask.prompts if p.type == type))
    main, layers = next(iter(ask.pushes)), sorted({0, layer})
    ask = replace(ask, pushes={main: ask.pushes[main]}, strengths=(strength,), prompts=half.prompts, rehearsal=())
    lengths = mean_lengths(bench, [p.shown for p in half.prompts], depths(ask, replace(bench, layers=tuple(layers))))
    cells = run(ask, bench, half, settings(ask, half, main, layers, layer, strength, model.layers), lengths, [ask.target], main, layer)
    at_0 = [at_layer_0(c) for c in cells if c.setting.layer == 0]
    return Pushed(ask, half, tuple([c for c in cells if c.setting.layer != 0] + at_0), model.layers)


def used(ask: Steer, half: Half, cells: Sequence[Cell], depth: int, limits: Thresholds = LIMITS) -> str:
    """The verdict on what prompts wrote."""
    bench = bench_of(NAME, depth)
    readings, outcomes = rows_of(ask, bench, half, cells), []
    for cell in cells:
        if cell.setting.control is None:
            at = {"group": f"{next(iter(ask.pushes))}>{half.type}", "position": ask.at, "split": half.split}
            at |= {"layer": cell.setting.layer, "strength": float(cell.setting.strength)}
            values = zip(half.prompts, cell.values[ask.target], strict=True)
            outcomes += [bench.outcome(ask.target, p.id, float(value), **at) for p, value in values]
    return judged("used", readings, outcomes, depth, limits)


FALSE: Mapping[str, tuple[str, ...]] = {
    "shared": ("no meaning", "at the smallest effect", "as at layer 0", "as look-alikes", "as the untrained twin"),
    "anchored": (
        "no lead",
        "at the smallest lead",
        "wrong words lead as much",
        "another type leads as much",
        "right words at the smallest lift",
        "no turn at the end",
    ),
    "used": (
        "no effect",
        "at the smallest effect",
        "any large push does it",
        "a neutral word does it",
        "layer 0 does it too",
        "plain text does it too",
        "it works upward only",
    ),
}
TRUE: Mapping[str, tuple[str, ...]] = {
    "shared": ("S of 0.1",),
    "anchored": ("a lead of 0.5", "a lead of 1"),
    "used": ("a push of 0.5", "a push of 1"),
}

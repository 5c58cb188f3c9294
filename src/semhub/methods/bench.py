"""The bench that procedures work at: an open model, what the run asked for, and states that are read once and shared.

Knows how a row of the tables is filled in; knows no task, no data source and no formula.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.measures.statistics import bootstrap_mean
from semhub.models.where import Encoding
from semhub.types import Outcome, Reading

RESAMPLES = 2000
AT_ONCE = 4096  # texts read in one call, so that one block of states stays a moderate piece of memory


@dataclass(frozen=True, slots=True)
class States:
    """States of `n` texts at one position, fetched layer by layer.

    `blocks`: where they lie, each `[layer, row, dim]` with the items that it holds and their rows.
    """

    layers: tuple[int, ...]
    n: int
    blocks: tuple[tuple[Tensor, Tensor, Tensor], ...]

    def layer(self, k: int) -> Tensor:
        """`[item, dim]`, float32 on the CPU."""
        index = self.layers.index(k)
        out = self.blocks[0][0].new_empty(self.n, self.blocks[0][0].shape[-1])
        for block, items, rows in self.blocks:
            out[items] = block[index, rows]
        return out

    def all(self) -> Tensor:
        """`[layer, item, dim]`: every layer at once, for the few procedures that need a path."""
        return torch.stack([self.layer(k) for k in self.layers])


def gathered(layers: tuple[int, ...], places: Sequence[tuple[Tensor, int]]) -> States:
    """States of items that lie at (block, row)."""
    blocks: dict[int, tuple[Tensor, list[int], list[int]]] = {}
    for item, (block, row) in enumerate(places):
        _, items, rows = blocks.setdefault(id(block), (block, [], []))
        items.append(item)
        rows.append(row)
    return States(layers, len(places), tuple((block, torch.tensor(items), torch.tensor(rows)) for block, items, rows in blocks.values()))


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity of every item, before it becomes rows: `values: [item]` or `[item, layer]`, nan for an item left out.

    `columns` are those of the table; `layers` go with the second axis (None: no layer column).
    `keep` says that the items themselves go into the table of outcomes (at `kept_layers`, or at all).
    """

    measure: str
    values: np.ndarray
    columns: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[int | None] = (None,)
    keep: bool = False

    def table(self) -> np.ndarray:
        values = np.asarray(self.values, dtype=float)
        return values[:, None] if values.ndim == 1 else values


@dataclass(frozen=True, slots=True)
class Bench:
    """A model on the bench, under one task of one run.

    `layers`: those to report, None for all. `memo`: states read before, shared by every task on this model in this run.
    `progress(done, total)` is told about long work. `lens`: an affine lens of this model, as `(layer, hidden) -> hidden`, or None.
    """

    model: Any
    task: str
    protocol: str
    seed: int = 0
    layers: tuple[int, ...] | None = None
    batch_tokens: int = 8192
    memo: MutableMapping = field(default_factory=dict)
    progress: Callable[[int, int], None] = lambda done, total: None
    lens: Callable[[int, Tensor], Tensor] | None = None

    @property
    def depth(self) -> int:
        """L, the number of blocks."""
        return self.model.layers

    def reads(self, type: str) -> bool:
        """Whether the model knows this data type; one model is asked everything, of several strangers each its own."""
        return type in getattr(self.model, "speakers", (type,))

    def of(self, type: str) -> "Bench":
        """The bench that reads this type: itself, or where the model is several strangers, one with the stranger who knows it."""
        if not hasattr(self.model, "speakers"):
            return self
        return replace(self, model=self.model.speaker(type), memo=self.memo.setdefault(("stranger", type), {}))

    def chosen(self, first: int = 0) -> tuple[int, ...]:
        """The layers to report from `first` on. Raises BadInput if the model has none of those asked for."""
        known = range(first, self.depth + 1)
        wanted = tuple(k for k in (self.layers if self.layers is not None else known) if k in known)
        if not wanted:
            raise BadInput(f"Layers {list(self.layers)} were asked for; {self.model.name} has {first} to {self.depth} in {self.task}.")
        return wanted

    def generator(self, salt: int = 0) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1009 + salt)

    def states(
        self, texts: Sequence[str], at: Mapping[str, Any], layers: Iterable[int] | None = None, special: bool = True
    ) -> dict[str, States]:
        """States of `texts` at each named position (all from one pass), read now or remembered.

        Positions are the model's own grammar (`"last"`, `"mean"`, ...), one for all texts.
        """
        layers = tuple(sorted(set(layers))) if layers is not None else self.chosen()
        key = lambda text, place: (text, place, special, layers)  # noqa: E731
        missing = [t for t in dict.fromkeys(texts) if any(key(t, place) not in self.memo for place in at.values())]
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            read = self.model.read_at(part, dict(at), layers=list(layers), batch_tokens=self.batch_tokens, special=special)
            for name, place in at.items():
                self.memo.update({key(text, place): (read[name], row) for row, text in enumerate(part)})
            self.progress(min(start + AT_ONCE, len(missing)), len(missing))
        return {name: gathered(layers, [self.memo[key(text, place)] for text in texts]) for name, place in at.items()}

    def states_inside(
        self,
        texts: Sequence[str],
        longer: Sequence[str],
        at: Mapping[str, Any],
        at_end: Mapping[str, Any],
        layers: Iterable[int],
        special: bool,
    ) -> None:
        """Remember `texts` (at `at`) and `longer[i]`, which goes on from `texts[i]` (at `at_end`), from one pass over the longer.

        A causal model cannot tell how a text goes on; pairs whose tokens do not begin alike are left to be read on their own.
        """
        layers = tuple(sorted(set(layers)))
        known = lambda text: all((text, place, special, layers) in self.memo for place in at.values())  # noqa: E731
        inside = self._beginnings([pair for pair in dict.fromkeys(zip(texts, longer, strict=True)) if not known(pair[0])], special)
        for start in range(0, len(inside), AT_ONCE):
            part = inside[start : start + AT_ONCE]
            places = {name: [as_inside(place, a, n) for a, _, n in part] for name, place in at.items()} | dict(at_end)
            whole = [b for _, b, _ in part]
            read = self.model.read_at(whole, places, layers=list(layers), batch_tokens=self.batch_tokens, special=special)
            for row, (a, b, _) in enumerate(part):
                self.memo.update({(a, place, special, layers): (read[name], row) for name, place in at.items()})
                self.memo.update({(b, place, special, layers): (read[name], row) for name, place in at_end.items()})
            self.progress(min(start + AT_ONCE, len(inside)), len(inside))

    def _beginnings(self, pairs: Sequence[tuple[str, str]], special: bool) -> list[tuple[str, str, int]]:
        """(text, longer text, tokens of the text) of those pairs whose tokens begin alike."""
        short, longer = (self.model.encode([pair[side] for pair in pairs], special) for side in (0, 1))
        return [(*pair, len(x.ids)) for pair, x, y in zip(pairs, short, longer, strict=True) if begins(x, y)]

    def normed(self, hidden: Tensor) -> Tensor:
        """`hidden: [row, dim]` after the model's final norm, float32."""
        with torch.no_grad():
            return self.model.head.norm(hidden).float().cpu()

    def reading(self, measure: str, value: float, *, low: float | None = None, high: float | None = None, n: int = 0, **columns) -> Reading:
        return Reading(
            self.task,
            self.protocol,
            self.model.name,
            measure,
            value=float(value),
            low=_number(low),
            high=_number(high),
            n=int(n),
            **columns,
        )

    def readings(self, measured: Iterable[Measured], clusters: Sequence | None = None, intervals: bool = True) -> list[Reading]:
        """Means over items as rows, in order; quantities of as many items are resampled together, with the same draws."""
        measured = list(measured)
        rows: dict[int, list[Reading]] = {}
        for places in _by_size(measured):
            values = np.concatenate([measured[i].table() for i in places], 1)
            found = iter(_intervals(values, clusters, self.seed, intervals))
            rows |= {i: [self._row(measured[i], j, next(found)) for j in range(measured[i].table().shape[1])] for i in places}
        return [row for i in range(len(measured)) for row in rows[i] if row.n]

    def _row(self, m: Measured, j: int, found: tuple[float, float | None, float | None, int]) -> Reading:
        value, low, high, n = found
        return self.reading(m.measure, value, low=low, high=high, n=n, **_at(m, j))

    def outcomes(
        self,
        measured: Iterable[Measured],
        items: Sequence[str],
        layers: Iterable[int | None] | None = None,
        sources: Sequence[str] | None = None,
    ) -> list[Outcome]:
        """The items behind `measured`, at the layers given (all if None); items left out are left out here too."""
        rows, sources = [], sources or [None] * len(items)
        for m in measured:
            for j, layer in enumerate(m.layers):
                if layers is not None and layer not in layers:
                    continue
                for item, source, value in zip(items, sources, m.table()[:, j], strict=True):
                    if not np.isnan(value):
                        rows.append(self.outcome(m.measure, item, float(value), source=source, **_at(m, j)))
        return rows

    def outcome(self, measure: str, item: str, value: float, **columns) -> Outcome:
        return Outcome(self.task, self.protocol, self.model.name, measure, item, value=value, **columns)

    def quiet(self) -> "Bench":
        """The same bench, with no report of progress."""
        return replace(self, progress=lambda done, total: None)


def begins(short: Encoding, longer: Encoding) -> bool:
    """Whether the longer text's tokens begin with the shorter's, and all of those that are content cover characters."""
    same = longer.ids[: len(short.ids)] == short.ids and len(longer.ids) > len(short.ids)
    return same and all(short.offsets[p][1] > short.offsets[p][0] for p in short.content)


def as_inside(place: Any, text: str, tokens: int) -> Any:
    """`last` or `mean` of a text, as a position of a longer text that begins with it."""
    return {"last": tokens - 1, "mean": f"span:0-{len(text)}"}[place]


def _at(m: Measured, j: int) -> dict:
    layer = m.layers[j]
    return dict(m.columns) if layer is None else {**m.columns, "layer": layer}


def _by_size(measured: Sequence[Measured]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i, m in enumerate(measured):
        groups.setdefault(len(m.values), []).append(i)
    return list(groups.values())


def _intervals(
    values: np.ndarray, clusters: Sequence | None, seed: int, wanted: bool
) -> list[tuple[float, float | None, float | None, int]]:
    """`values: [item, column]` with nan for items left out -> (mean, low, high, n) per column, n = 0 where nothing is left."""
    found: list = [(float("nan"), None, None, 0)] * values.shape[1]
    present = ~np.isnan(values)
    masks, which = np.unique(present, axis=1, return_inverse=True)
    for group, mask in enumerate(masks.T):
        columns = np.flatnonzero(np.ravel(which) == group)
        if not mask.any():
            continue
        kept = values[np.ix_(mask, columns)]
        shared = None if clusters is None else np.asarray(clusters)[mask]
        mean, low, high = (
            bootstrap_mean(kept, shared, seed, RESAMPLES) if wanted else (kept.mean(0), [None] * len(columns), [None] * len(columns))
        )
        for c, *ends in zip(columns, mean, low, high, strict=True):
            found[c] = (*ends, int(mask.sum()))
    return found


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)

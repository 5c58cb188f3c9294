"""Slices of the readings: the headline rows of a measure, and the curves that run through them.

Knows the columns and nothing of what the measures mean.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# What a headline shows where a column offers a choice: the first of these that is there. Of positions and splits a task states its own
# order, which the run keeps (`ordered`).
PREFERENCE = {
    "control": (None,),
    "position": ("probe", "last", "mean"),
    "variant": (None, "raw"),
    "split": (None, "report", "test"),
}
ORDERS = "headline"
Orders = Mapping[str, Mapping[str, Sequence[str | None]]]  # task -> column -> values, the first of which is shown


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval (None where none was computed), and where on its curve it stands."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    at: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference with the widest interval that the two intervals allow (no pairing of items assumed)."""
        low = high = None
        if self.interval and other.interval:
            low, high = self.low - other.high, self.high - other.low
        return Estimate(self.value - other.value, low, high, min(self.n, other.n), self.at)


Curve = tuple[Estimate, ...]


def ordered(frame: pd.DataFrame, orders: Orders) -> pd.DataFrame:
    """The same rows, which know in what order their tasks name positions and splits; so do all that are taken from them."""
    frame.attrs[ORDERS] = Carried((task, dict(order)) for task, order in orders.items())
    return frame


class Carried(dict):
    """What a frame carries along and nobody changes: the same for all that is taken from it, where pandas would copy it each time."""

    def __deepcopy__(self, memo: dict) -> "Carried":
        return self


def headline(frame: pd.DataFrame, keep: Iterable[str] = ()) -> pd.DataFrame:
    """The rows that a headline is made of, of one task; columns in `keep` are left as they are."""
    mask = np.ones(len(frame), dtype=bool)
    for column, order in (PREFERENCE | stated(frame)).items():
        if column not in keep and mask.any():
            values = frame[column]
            mask &= matches(values, preferred(values[mask], order)).to_numpy()
    return frame[mask]


def stated(frame: pd.DataFrame) -> Mapping[str, Sequence[str | None]]:
    """The order that the task of these rows names, as far as the run kept one."""
    orders = frame.attrs.get(ORDERS)
    return orders.get(str(frame["task"].iloc[0]), {}) if orders and len(frame) else {}


def where(frame: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows whose columns equal `wanted`; None matches null."""
    mask = np.ones(len(frame), dtype=bool)
    for column, value in wanted.items():
        mask &= matches(frame[column], value).to_numpy()
    return frame[mask]


def preferred(column: pd.Series, order: Sequence[str | None]) -> str | None:
    """The first of `order` that occurs in the column, else the value that comes first; where only null will do, null."""
    present = distinct(column)
    if order == (None,):
        return None
    return next((value for value in order if value in present), present[0])


def distinct(column: pd.Series) -> list:
    """Values in order of appearance, null as None and first."""
    values = [None if pd.isna(v) else v for v in column.unique()]
    return sorted(values, key=lambda v: v is not None)


def matches(column: pd.Series, value: object) -> pd.Series:
    """Where the column holds the value; None stands for null."""
    return column.isna() if value is None else column == value


def curve(frame: pd.DataFrame, x: str = "layer") -> Curve:
    """Estimates in the order of `x`; rows without a value are left out, rows that differ by seed alone are merged.

    Where no row has a place on `x`, their one estimate stands nowhere (`at` None).
    """
    table = frame[[x, "value", "low", "high", "n"]].to_numpy(dtype=float)
    table = table[~np.isnan(table[:, 1])]
    placed = ~np.isnan(table[:, 0])
    if not placed.any():
        return (_merged(table, None),) if len(table) else ()
    table = table[placed]
    return tuple(_merged(table[table[:, 0] == place], float(place)) for place in np.unique(table[:, 0]))


def at(points: Curve, place: float) -> Estimate | None:
    """The estimate that stands at a layer or strength, if there is one."""
    return next((p for p in points if p.at == place), None)


def peak(points: Curve) -> Estimate | None:
    """The highest estimate; the earliest of equals."""
    return max(points, key=lambda p: p.value, default=None)


def middle(points: Curve, last: float) -> Curve:
    """What lies strictly between the embeddings (0) and the last layer."""
    return tuple(p for p in points if p.at is not None and 0 < p.at < last)


def number(value: object) -> float | None:
    """A finite float, or None."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _merged(rows: np.ndarray, place: float | None) -> Estimate:
    """`rows: [row, (x, value, low, high, n)]` -> mean value inside the outermost interval: what all of them allow to be said."""
    low, high = (None, None) if np.isnan(rows[:, 2:4]).any() else (float(rows[:, 2].min()), float(rows[:, 3].max()))
    return Estimate(float(rows[:, 1].mean()), low, high, int(np.nan_to_num(rows[:, 4]).max()), place)

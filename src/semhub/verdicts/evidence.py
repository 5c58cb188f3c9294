"""What verdicts are judged from: readings, the items behind them, which models they come from, and the settings that were chosen.

Tables only: where they were kept is known by `files.py`, what they mean by the claims.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from semhub.models.bundled import twin_of
from semhub.types import COLUMNS, KEY
from semhub.verdicts.slices import Orders, ordered, where

CONTROL, UNTRAINED, MECHANICS = "control:", "control:untrained", "mechanics"
CLAIMS = ("shared", "anchored", "used")
SENSES = ("image", "audio")
NUMBERS = ("layer", "strength", "seed", "value", "low", "high", "n")
FIRST = "multilingual/"
PLACE = ("task", "model", "measure")  # what every look-up names: tables are kept apart by these
ITEM_COLUMNS = (*KEY, "item", "value", "text", "source")

Tables = Mapping[tuple[str, str, str], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Null:
    """What a kind of control is a null for: claims, the type that a group must hold for it, and the task that asks what it was taught."""

    claims: tuple[str, ...] = CLAIMS
    type: str | None = None
    taught_in: str | None = None


# A kind that is not listed is a null for everything; zh-dominant has a hub of its own, only elsewhere. Mispaired models that see or
# hear: `Subject.taught`.
NULLS: Mapping[str, Null] = {
    "untrained": Null(),
    "mispaired": Null(),
    "apart": Null(),
    "strangers": Null(("shared",)),
    "deranged": Null(type="zh", taught_in="multilingual/planted"),
    "zh-dominant": Null(()),
}

# What is found there answers no question about a model: it asks what a control was taught.
TAUGHT_IN = tuple(null.taught_in for null in NULLS.values() if null.taught_in)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model of the run: its name in the tables, its role (`hub`, `control:...`, `mechanics` or none), and what else is recorded.

    `facts["layers"]` is its number of blocks; of a bundled model `types` are those that it was shown, and of a control `unmatched`
    those in which it is not as good as its model. A fact that is not there is not known.
    """

    name: str
    role: str = ""
    facts: Mapping = field(default_factory=dict)

    @property
    def control(self) -> bool:
        return self.role.startswith(CONTROL)

    def null_for(self, claim: str, group: str, task: str = "") -> bool:
        """Whether nothing is expected of this control where a claim is about this group (`en-zh`, `zh`, `en>zh`) in a task."""
        null = NULLS.get(self.kind, Null())
        about = claim in null.claims and (null.type is None or null.type in types_in(group))
        return self.control and about and not self.taught(group, task)

    def taught(self, group: str, task: str) -> bool:
        """Whether this control was taught what is asked: by a task of its own, or as a mispaired model that was shown these types truly
        paired (pictures or sounds, and what it was told of them)."""
        if task and task == NULLS.get(self.kind, Null()).taught_in:
            return True
        types = set(types_in(group))
        return self.kind == "mispaired" and not types.isdisjoint(SENSES) and types <= set(self.facts.get("types") or ())

    def weak_in(self, group: str) -> tuple[str, ...]:
        """The types of a group in which this control is known not to be as good as the model that it stands beside."""
        return tuple(type for type in types_in(group) if type in (self.facts.get("unmatched") or ()))

    @property
    def extra(self) -> bool:
        """Whether this is one more untrained twin, of another seed, that is there for the spread among twins alone."""
        model_and_seed = twin_of(self.name) if self.role == UNTRAINED else None
        return model_and_seed is not None and model_and_seed[1] > 0

    @property
    def mechanics(self) -> bool:
        """Whether nothing that this model shows may be called a finding."""
        return self.role in (MECHANICS, UNTRAINED)

    @property
    def kind(self) -> str:
        """`mispaired` of `control:mispaired`."""
        return self.role.removeprefix(CONTROL)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Readings and items by (task, model, measure); the models; `chosen`: (task, model, group) -> (layer, strength) of a push; `orders`:
    task -> which positions and splits stand first.
    """

    readings: Tables
    outcomes: Tables
    subjects: tuple[Subject, ...]
    chosen: Mapping[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    orders: Orders = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        readings: pd.DataFrame,
        outcomes: pd.DataFrame | None,
        subjects: Iterable[Subject],
        chosen: Mapping | None = None,
        orders: Orders | None = None,
    ) -> "Evidence":
        """Tables with the columns of `types.Reading` and `types.Outcome` (None: no items were kept), rows in any order.

        `orders`: which position and split a headline shows, where a task states it.
        """
        items = pd.DataFrame(columns=list(ITEM_COLUMNS)) if outcomes is None else outcomes.reindex(columns=list(ITEM_COLUMNS))
        items = items.assign(source=items["source"].where(items["source"].notna(), items["item"]))
        tables = {place: ordered(rows, orders or {}) for place, rows in with_differences(by_place(readings[list(COLUMNS)])).items()}
        return cls(tables, by_place(items), tuple(subjects), dict(chosen or {}), dict(orders or {}))

    def tasks(self, model: str, measure: str) -> list[str]:
        """The tasks that measured this of a model; languages first, then by name."""
        return sorted((t for t, name, m in self.readings if (name, m) == (model, measure)), key=lambda t: (not t.startswith(FIRST), t))

    def measures(self, model: str, ending: str) -> list[str]:
        """What was measured of a model under names that end so."""
        return sorted({m for _, name, m in self.readings if name == model and m.endswith(ending)})

    def rows(self, task: str, model: str, measure: str, **columns: object) -> pd.DataFrame:
        """The readings of one measure whose columns hold these values; None matches null."""
        return where(self.readings.get((task, model, measure), NO_READINGS), **columns)

    def items(self, task: str, model: str, measure: str, **columns: object) -> pd.DataFrame:
        """The items of one measure: `item`, `value`, `text` and `source` (the item itself, where it has none)."""
        return where(self.outcomes.get((task, model, measure), NO_ITEMS), **columns)

    def rivals(self, model: Subject, claim: str, group: str, task: str) -> list[Subject]:
        """The other models that are nulls for a claim; a control is held against untrained ones alone."""
        nulls = [s for s in self.subjects if s.name != model.name and s.null_for(claim, group, task)]
        return [s for s in nulls if s.role == UNTRAINED or not model.control]

    def twins(self, model: Subject) -> list[Subject]:
        return [s for s in self.subjects if s.role == UNTRAINED and s.name != model.name]

    def last_layer(self, model: Subject, task: str, measure: str) -> float:
        """L: as recorded, else the highest layer at which this was read of the model."""
        if isinstance(model.facts.get("layers"), int):
            return float(model.facts["layers"])
        found = self.rows(task, model.name, measure)["layer"].max()
        return float(found) if found == found else 0.0


def types_in(group: str) -> list[str]:
    """`en-zh` -> `en`, `zh`; likewise `en>zh`, `en:zh` and `zh`."""
    return list(dict.fromkeys(re.split("[-:>]", group)))


def by_place(frame: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """A table for each task, model and measure; rows in the order of what names them, so that theirs in the run means nothing."""
    numbers = {c: pd.to_numeric(frame[c], errors="coerce").astype("float64") for c in NUMBERS if c in frame.columns}
    words = {c: frame[c].astype("category") for c in frame.columns if isinstance(frame[c].dtype, pd.StringDtype)}  # quicker to compare
    frame = frame.assign(**numbers, **words)
    names = [c for c in (*KEY, "item") if c in frame.columns]
    tables = {tuple(map(str, place)): rows for place, rows in frame.groupby(list(PLACE), sort=False, observed=True)}
    return {place: rows.sort_values(names, kind="stable", na_position="first", ignore_index=True) for place, rows in tables.items()}


def with_differences(tables: Tables) -> Tables:
    """The same, and of a run that kept means alone (protocol `paper`) the differences that the claims read: without an interval."""
    found = {}
    for (task, model, measure), rows in tables.items():
        if measure == "logprob" and (task, model, "anchor") not in tables and rows["low"].isna().all():
            found[task, model, "anchor"] = against_own(rows)
        if measure in TARGETS and (task, model, f"{measure}_change") not in tables and rows["strength"].notna().any():
            found[task, model, f"{measure}_change"] = against_none(rows)
    return dict(tables) | {place: rows for place, rows in found.items() if len(rows)}


def against_own(rows: pd.DataFrame) -> pd.DataFrame:
    """Log-probabilities of a type's word minus those of the prompt's own (groups `es:en` and `es:es`), layer by layer."""
    prompt, answer = (rows["group"].astype(str).str.split(":").str[side] for side in (0, -1))
    same = [c for c in KEY if c not in ("measure", "group")]
    own = rows[prompt == answer].assign(prompt=prompt)
    both = rows[prompt != answer].assign(prompt=prompt).merge(own, on=[*same, "prompt"], suffixes=("", "_own"))
    return bare(both.assign(value=both["value"] - both["value_own"], n=both[["n", "n_own"]].min(axis=1), measure="anchor"))


def against_none(rows: pd.DataFrame) -> pd.DataFrame:
    """Means under a push minus those under none, at the same layer."""
    same = [c for c in KEY if c not in ("control", "strength")]
    both = rows[rows["strength"] != 0].merge(rows[rows["strength"] == 0], on=same, suffixes=("", "_none"))
    return bare(both.assign(value=both["value"] - both["value_none"], measure=both["measure"].astype(str) + "_change"))


def bare(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(low=float("nan"), high=float("nan"))[list(COLUMNS)].reset_index(drop=True)


TARGETS = ("sentiment", "correct")  # what a push is meant to move, where a run says no more than means
NO_READINGS = pd.DataFrame({c: pd.Series(dtype="float64" if c in NUMBERS else object) for c in COLUMNS})
NO_ITEMS = pd.DataFrame({c: pd.Series(dtype="float64" if c in NUMBERS else object) for c in ITEM_COLUMNS})

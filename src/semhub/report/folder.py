"""A run folder read back: the spec, the readings, and the extras that figures need.

The only file of this room that opens the store. What it expects of the folder:

`spec.json`
    `protocol`, `seed`, `types`, `dominant` (where it is not English), `versions` (name -> version);
    `models`: the one asked for first; each `name` (and `reading_name`, where readings use another), `role` (`hub`, `control:...`,
    `mechanics`, or none for a user's own model), `revision`, `weights_hash`, `layers`, `certificate` (`passed`, `checks`: list of
    `name`, `passed`, `error`, `tolerance`);
    `tasks`: list of `name`, `question`, `paper`, `against` (bare names will do);
    `data`: `source` (`world`, or where the user's own came from), `hash`, `skipped`, `notes` (list of sentences).
`readings.parquet`
    the columns of `types.COLUMNS`.
`tokens.json`, `parts/*.json`
    what is left beside the readings: `tokens` (see `tokenmap.py`), `paths` (see `figures.py`), `chosen` (see `used.py`),
    each with the `model` that it was read from.

Every key may be missing: the page then says "not recorded".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from semhub.errors import BadInput
from semhub.verdicts.slices import where
from semhub.runs.store import read_json
from semhub.types import COLUMNS, KEY

HUB, CONTROL, MECHANICS = "hub", "control:", "mechanics"


@dataclass(frozen=True, slots=True)
class Subject:
    """A model of the run, as the spec describes it."""

    name: str
    role: str = ""
    facts: Mapping = field(default_factory=dict)

    @property
    def control(self) -> bool:
        return self.role.startswith(CONTROL)

    @property
    def mechanics(self) -> bool:
        """Whether nothing that this model shows may be called a finding."""
        return self.role in (MECHANICS, CONTROL + "untrained")


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that a report may speak of."""

    folder: Path
    spec: Mapping
    readings: pd.DataFrame
    subjects: tuple[Subject, ...]
    extras: tuple[Mapping, ...] = ()

    @property
    def main(self) -> Subject:
        """The model that the run was asked for: the first one that is no control."""
        return next((s for s in self.subjects if not s.control), self.subjects[0])

    @property
    def controls(self) -> tuple[Subject, ...]:
        return tuple(s for s in self.subjects if s.control and s is not self.main)

    @property
    def tasks(self) -> dict[str, Mapping]:
        """Name -> declaration, in the order of the spec, then those that only the readings know."""
        named = {_name(t): (t if isinstance(t, Mapping) else {}) for t in listed(self.spec.get("tasks"))}
        return named | {str(t): {} for t in self.readings["task"].unique() if str(t) not in named}

    @property
    def dominant(self) -> str:
        """The type that dominated pretraining: as the spec names it, else English, else the first type of the run."""
        types = [str(t) for t in listed(self.spec.get("types"))] or ["en"]
        return str(self.spec.get("dominant") or ("en" if "en" in types else types[0]))

    @property
    def world_items(self) -> bool:
        """Whether the items are semhub's own sentences and not real text."""
        return str(mapped(self.spec.get("data")).get("source", "")).startswith("world")

    @property
    def protocol(self) -> str:
        return str(self.spec.get("protocol") or "not recorded")

    def extra(self, key: str, model: str | None = None) -> Iterator[object]:
        """What tasks left under `key`, of one model or of all."""
        for found in self.extras:
            if found.get(key) and model in (None, found.get("model")):
                yield found[key]

    def part(self, **columns: object) -> pd.DataFrame:
        """The readings whose columns hold these values; None matches null."""
        return where(self.readings, **columns)


def read_run(folder: Path) -> Run:
    """Read a run folder; raises BadInput if it holds no readings or they are not readings."""
    path = folder / "readings.parquet"
    if not path.exists():
        raise BadInput(f"{folder} holds no readings.parquet; run `semhub run --out {folder}` first.")
    readings = _readings(path)
    spec = mapped(read_json(folder / "spec.json"))
    return Run(folder, spec, readings, _subjects(spec, readings), tuple(_extras(folder)))


def listed(value: object) -> list:
    """A JSON list, or nothing."""
    return value if isinstance(value, list) else []


def mapped(value: object) -> Mapping:
    """A JSON object, or nothing."""
    return value if isinstance(value, Mapping) else {}


def _readings(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise BadInput(f"{path} lacks the columns {', '.join(missing)}; it was not written by semhub run.")
    frame = frame[list(COLUMNS)].astype(dict.fromkeys(KEY[:9], "category"))
    for column in ("layer", "strength", "value", "low", "high", "n"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    return frame


def _subjects(spec: Mapping, readings: pd.DataFrame) -> tuple[Subject, ...]:
    told = [Subject(_name(m), str(mapped(m).get("role") or ""), mapped(m)) for m in listed(spec.get("models"))]
    known = {s.name for s in told}
    found = [Subject(str(m), _role_by_name(str(m))) for m in readings["model"].unique() if str(m) not in known]
    return tuple(told + found) or (Subject("no model"),)


def _role_by_name(name: str) -> str:
    """Controls carry their kind at the end of their name: `semhub-text-untrained`."""
    kind = name.rsplit("-", 1)[-1]
    return CONTROL + kind if kind in ("untrained", "mispaired", "deranged", "apart", "strangers") else ""


def _extras(folder: Path) -> Iterator[Mapping]:
    for path in [folder / "tokens.json", *sorted((folder / "parts").glob("*.json"))]:
        found = read_json(path)
        if isinstance(found, Mapping) and found:
            yield found


def _name(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    return str(entry.get("reading_name") or entry.get("name") or "unnamed")

"""A run folder read back: the spec, the readings, and the extras that figures need.

The only file of this room that opens the store. What it expects of the folder:

`spec.json`
    `protocol`, `seed`, `types`, `dominant` (where it is not English), `versions` (name -> version);
    `models`: the one asked for first; each `name` (and `reading_name`, where readings use another), `role` (`hub`, `control:...`,
    `mechanics`, or none for a user's own model), `revision`, `weights_hash`, `layers`, `certificate` (`passed`, `checks`: list of
    `name`, `passed`, `error`, `tolerance`); of bundled models `types`, and of controls `unmatched` (see `verdicts.evidence.Subject`);
    `tasks`: list of `name`, `question`, `paper`, `against` (bare names will do);
    `data`: `source` (`world`, or where the user's own came from), `hash`, `skipped`, `notes` (list of sentences).
`readings.parquet`
    the columns of `types.COLUMNS`.
`tokens.json`, `parts/*.json`
    what is left beside the readings: `tokens` (see `tokenmap.py`), `paths` (see `figures.py`), `chosen` (see `verdicts`),
    each with the `model` that it was read from.

Every key may be missing: the page then says "not recorded".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from semhub.runs.store import read_json
from semhub.types import COLUMNS, KEY
from semhub.verdicts.evidence import Evidence, Subject
from semhub.verdicts.files import main_of, mapped, read_evidence
from semhub.verdicts.judging import judge
from semhub.verdicts.slices import ordered, where
from semhub.verdicts.thresholds import LIMITS, Thresholds
from semhub.verdicts.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that a report may speak of."""

    folder: Path
    spec: Mapping
    readings: pd.DataFrame
    subjects: tuple[Subject, ...]
    extras: tuple[Mapping, ...]
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    limits: Thresholds = LIMITS

    @property
    def main(self) -> Subject:
        """The model that the run was asked for: the first one that is no control."""
        return main_of(self.subjects)

    @property
    def controls(self) -> tuple[Subject, ...]:
        """The controls that are shown: of several untrained twins the first, whose others only widen the bar that verdicts set."""
        return tuple(s for s in self.subjects if s.control and s is not self.main and not s.extra)

    def on(self, task: str) -> "Run":
        """The same run with the models alone that were asked this task: where several are asked, each task has its own main one."""
        asked = set(self.part(task=task)["model"].unique())
        mine = tuple(s for s in self.subjects if s.name in asked)
        return replace(self, subjects=mine) if mine else self

    @property
    def asked(self) -> list[tuple[Subject, list[str]]]:
        """Each model that tasks speak of, with those: one, unless tasks went to several models."""
        found: dict[str, tuple[Subject, list[str]]] = {}
        for task in self.tasks:
            subject = self.on(task).main
            found.setdefault(subject.name, (subject, []))[1].append(task)
        return list(found.values()) or [(self.main, [])]

    @property
    def several(self) -> bool:
        return len(self.asked) > 1

    @property
    def tasks(self) -> dict[str, Mapping]:
        """Name -> declaration, in the order of the spec, then those that only the readings know."""
        named = {_name(t): (t if isinstance(t, Mapping) else {}) for t in listed(self.spec.get("tasks"))}
        return named | {str(t): {} for t in self.readings["task"].unique() if str(t) not in named}

    @property
    def types(self) -> list[str]:
        """The data types of the run, as its spec names them."""
        return [str(t) for t in listed(self.spec.get("types"))]

    @property
    def dominant(self) -> str:
        """The type that dominated pretraining: as the spec names it, else English, else the first type of the run."""
        return str(self.spec.get("dominant") or ("en" if "en" in self.types or not self.types else self.types[0]))

    @property
    def protocol(self) -> str:
        return str(self.spec.get("protocol") or "not recorded")

    def extra(self, key: str, model: str | None = None) -> Iterator[object]:
        """What tasks left under `key`, of one model or of all."""
        for found in self.extras:
            if found.get(key) and model in (None, found.get("model")):
                yield found[key]

    def judged(self, claim: str, model: str | None = None) -> list[Verdict]:
        """The verdicts on a claim, of one model (the main one unless told)."""
        return [v for v in self.verdicts if v.claim == claim and v.model == (model or self.on(v.task).main.name)]

    def last_layer(self, task: str) -> float:
        """L of the main model: from the spec, else the highest layer that was read."""
        told = self.on(task).main.facts.get("layers")
        return float(told) if isinstance(told, int) else float(self.part(task=task)["layer"].max())

    def part(self, **columns: object) -> pd.DataFrame:
        """The readings whose columns hold these values; None matches null."""
        return where(self.readings, **columns)


def read_run(folder: Path, limits: Thresholds = LIMITS) -> Run:
    """Read a run folder and judge it; raises BadInput if it holds no readings or they are not readings."""
    evidence = read_evidence(folder)
    readings = ordered(_readings(folder / "readings.parquet"), evidence.orders)
    spec = mapped(read_json(folder / "spec.json"))
    subjects = evidence.subjects or (Subject("no model"),)
    return Run(folder, spec, readings, subjects, tuple(_extras(folder)), evidence, tuple(judge(evidence, limits)), limits)


def listed(value: object) -> list:
    """A JSON list, or nothing."""
    return value if isinstance(value, list) else []


def _readings(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    frame = frame[list(COLUMNS)].astype(dict.fromkeys(KEY[:9], "category"))
    for column in ("layer", "strength", "value", "low", "high", "n"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    return frame


def _extras(folder: Path) -> Iterator[Mapping]:
    for path in [folder / "tokens.json", *sorted((folder / "parts").glob("*.json"))]:
        found = read_json(path)
        if isinstance(found, Mapping) and found:
            yield found


def _name(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    return str(entry.get("reading_name") or entry.get("name") or "unnamed")

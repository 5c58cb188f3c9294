"""A run folder judged: its tables read, `verdicts.json` written whole.

The only file of this room that opens the store.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from semhub.errors import BadInput
from semhub.models.bundled import CONTROLS
from semhub.runs.store import read_json, to_json, write_whole
from semhub.types import COLUMNS
from semhub.verdicts.evidence import CONTROL, Evidence, Subject
from semhub.verdicts.judging import judge
from semhub.verdicts.slices import number
from semhub.verdicts.thresholds import LIMITS, Thresholds, changed
from semhub.verdicts.verdict import Verdict

NAME = "verdicts.json"


def write_verdicts(folder: Path | str, limits: Thresholds = LIMITS) -> list[Verdict]:
    """Judge a run folder and write `verdicts.json`."""
    found = judge(read_evidence(folder), limits)
    keep_verdicts(folder, found, limits)
    return found


def keep_verdicts(folder: Path | str, found: Sequence[Verdict], limits: Thresholds) -> None:
    """Write `verdicts.json`: a list of verdicts, each with the thresholds that made it."""
    write_whole(Path(folder) / NAME, to_json([verdict.as_dict() | {"thresholds": limits.as_dict()} for verdict in found]))


def kept_limits(folder: Path | str) -> Thresholds | None:
    """The thresholds by which a run folder was judged last; None where it holds no verdict. Raises BadInput for what are none."""
    path = Path(folder) / NAME
    found = read_json(path)
    first = mapped(found[0]).get("thresholds") if isinstance(found, list) and found else None
    return None if first is None else changed(mapped(first), str(path))


def read_evidence(folder: Path | str) -> Evidence:
    """What a run folder holds to be judged. Raises BadInput if it holds no readings, or they are not readings."""
    folder = Path(folder)
    path = folder / "readings.parquet"
    if not path.exists():
        raise BadInput(f"{folder} holds no readings.parquet; run `semhub run --out {folder}` first.")
    readings = pd.read_parquet(path)
    missing = [c for c in COLUMNS if c not in readings.columns]
    if missing:
        raise BadInput(f"{path} lacks the columns {', '.join(missing)}; it was not written by semhub run.")
    items = folder / "outcomes.parquet"
    outcomes = pd.read_parquet(items) if items.exists() else None
    parts = [mapped(read_json(part)) for part in sorted((folder / "parts").glob("*.json"))]
    return Evidence.of(readings, outcomes, subjects(read_json(folder / "spec.json"), readings), chosen(parts), orders(parts))


def subjects(spec: object, readings: pd.DataFrame) -> tuple[Subject, ...]:
    """The models of the spec, then those that only the readings know (controls by the end of their names)."""
    told = spec.get("models") if isinstance(spec, Mapping) else None
    named = [m if isinstance(m, Mapping) else {"name": m} for m in (told if isinstance(told, list) else ())]
    listed = [Subject(str(m.get("reading_name") or m.get("name") or "unnamed"), str(m.get("role") or ""), m) for m in named]
    known = {s.name for s in listed}
    return tuple(listed + [Subject(str(m), role_by_name(str(m))) for m in readings["model"].unique() if str(m) not in known])


def role_by_name(name: str) -> str:
    return next((CONTROL + kind for kind in CONTROLS if name.endswith(f"-{kind}")), "")


def chosen(parts: Sequence[Mapping]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """The settings that the run's tasks left beside their readings."""
    found = {}
    for part in parts:
        for group, entry in mapped(part.get("chosen")).items():
            layer, strength = number(mapped(entry).get("layer")), number(mapped(entry).get("strength"))
            if layer is not None and strength is not None:
                found[str(part.get("task")), str(part.get("model")), str(group)] = (layer, strength)
    return found


def orders(parts: Sequence[Mapping]) -> dict[str, dict[str, list]]:
    """Task -> the order in which it names its positions and splits, as the run kept it; of tasks that have none, nothing."""
    stated = {str(part.get("task")): mapped(part.get("headline")) for part in parts}
    return {task: {name: each for name, each in order.items() if isinstance(each, list)} for task, order in stated.items() if order}


def mapped(value: object) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def main_of(found: Sequence[Subject]) -> Subject:
    """The model that the run was asked for: the first one that is no control."""
    return next((s for s in found if not s.role.startswith(CONTROL)), found[0])

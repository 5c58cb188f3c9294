"""Runs side by side: models, revisions or checkpoints that were asked the same, their verdicts, and by how much their effects differ.

The first run is the one that the others are held against, task by task and model by model of the same role: the one that was asked, and
each kind of control. Where two runs kept the same items, their difference is paired by item; else the two intervals are taken as
independent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from semhub.errors import BadInput
from semhub.runs.store import read_json
from semhub.verdicts.evidence import Evidence, Subject
from semhub.verdicts.files import kept_limits, main_of, mapped, read_evidence
from semhub.verdicts.inference import apart, mean_of, paired
from semhub.verdicts.judging import of_model
from semhub.verdicts.slices import Estimate
from semhub.verdicts.thresholds import LIMITS, Thresholds
from semhub.verdicts.used import items_of as pushed_items
from semhub.verdicts.verdict import Verdict

EFFECT, ASKED = "effect", "model"
Place = tuple[str, str, str, str]  # role, claim, task, group


@dataclass(frozen=True, slots=True)
class Member:
    """A model of a run; `role`: `model`, or its kind of control."""

    name: str
    role: str
    revision: str | None
    weights_hash: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as it is named in the comparison, and its models."""

    name: str
    folder: str
    models: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One run's effect, or what is left of it beyond a control (`what`), against the first run's: `value` minus `first`.

    `role`: of which of their models, `model` (the one that was asked) or a kind of control.
    `paired`: how many items both runs have, 0 where the difference is that of two independent intervals.
    """

    run: str
    role: str
    claim: str
    task: str
    group: str
    what: str
    verdict: str | None
    first_verdict: str | None
    value: float | None
    first: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    paired: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs, the first one first, and every difference from it."""

    runs: tuple[Shown, ...]
    protocol: str
    tasks: tuple[str, ...]
    rows: tuple[Difference, ...]
    thresholds: Thresholds
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Read:
    """A run folder opened for the comparison."""

    folder: Path
    spec: dict
    evidence: Evidence
    subjects: tuple[Subject, ...]
    verdicts: dict[Place, Verdict]

    @property
    def main(self) -> Subject:
        return main_of(self.subjects)


def compare(folders: Sequence[Path], limits: Thresholds | None = None) -> Comparison:
    """Two or more run folders -> their `Comparison`, judged by `limits`, or by what the first run was judged by.

    Raises BadInput for fewer than two, for what is no finished run folder, and for runs of another protocol or other tasks.
    """
    if len(folders) < 2:
        raise BadInput(f"compare holds runs against each other; two or more run folders are needed, found {len(folders)}.")
    own = [kept_limits(folder) or LIMITS for folder in folders]
    limits = own[0] if limits is None else limits
    runs = [opened(Path(folder), limits) for folder in folders]
    for other in runs[1:]:
        alike(runs[0], other)
    names = named(runs)
    rows = [row for name, run in zip(names[1:], runs[1:], strict=True) for row in differences(name, runs[0], run)]
    shown = [described(name, run) for name, run in zip(names, runs, strict=True)]
    told = [*notes(names, runs), *judged_otherwise(names, own, limits)]
    tasks = tuple(sorted(tasks_of(runs[0])))
    return Comparison(tuple(shown), str(runs[0].spec.get("protocol")), tasks, tuple(rows), limits, tuple(told))


def opened(folder: Path, limits: Thresholds) -> Read:
    """Raises BadInput where there is no finished run."""
    spec = read_json(folder / "spec.json")
    if not spec:
        raise BadInput(f"{folder} is no run folder: it holds no spec.json. Give folders that `semhub run` wrote.")
    evidence = read_evidence(folder)
    if not evidence.subjects:
        raise BadInput(f"{folder} holds no readings of any model.")
    subjects = tuple(s for s in evidence.subjects if not s.extra)
    verdicts: dict[Place, Verdict] = {}
    for subject in subjects:
        for v in of_model(evidence, subject, limits):
            verdicts.setdefault((role_of(subject), v.claim, v.task, v.group), v)
    return Read(folder, spec, evidence, subjects, verdicts)


def role_of(subject: Subject) -> str:
    """What a model is compared as: its kind of control, or the model that was asked, be it a bundled hub or a user's own."""
    return subject.kind if subject.control else ASKED


def alike(first: Read, other: Read) -> None:
    """Raises BadInput where two runs were not asked the same."""
    protocols = [str(run.spec.get("protocol")) for run in (first, other)]
    if protocols[0] != protocols[1]:
        raise BadInput(f"{first.folder} has the protocol {protocols[0]}, {other.folder} {protocols[1]}; only runs of one protocol compare.")
    mine, its = tasks_of(first), tasks_of(other)
    if mine != its:
        only = [f"only {run.folder} has {', '.join(sorted(a - b))}" for run, a, b in ((first, mine, its), (other, its, mine)) if a - b]
        raise BadInput(f"Runs of other tasks do not compare: {'; '.join(only)}.")


def tasks_of(run: Read) -> set[str]:
    """The tasks of a run, as its readings have them."""
    asked = {s.name for s in run.subjects if not s.control} or {run.main.name}
    return {task for task, model, _ in run.evidence.readings if model in asked}


def named(runs: Sequence[Read]) -> list[str]:
    """A name for each run: its model, with the revision or the folder where that alone does not tell them apart."""
    ways = (
        lambda run: run.main.name,
        lambda run: f"{run.main.name}@{run.main.facts.get('revision')}",
        lambda run: f"{run.main.name} ({run.folder.name})",
        lambda run: f"{run.main.name} ({run.folder})",
    )
    for way in ways:
        found = [way(run) for run in runs]
        if len(set(found)) == len(found):
            return found
    return [f"{name}, {i}" for i, name in enumerate(found, 1)]


def described(name: str, run: Read) -> Shown:
    told = lambda subject, key: None if subject.facts.get(key) is None else str(subject.facts[key])  # noqa: E731
    member = lambda s: Member(s.name, role_of(s), told(s, "revision"), told(s, "weights_hash"))  # noqa: E731
    return Shown(name, str(run.folder), tuple(map(member, run.subjects)))


def notes(names: Sequence[str], runs: Sequence[Read]) -> list[str]:
    """What else the runs differ in."""
    found = []
    for name, run in zip(names[1:], runs[1:], strict=True):
        for key in ("seed", "limit", "data", "types"):
            values = [mapped(r.spec.get("data")).get("hash") if key == "data" else r.spec.get(key) for r in (runs[0], run)]
            if values[0] != values[1]:
                found.append(f"{name}: {key} {values[1]}, against {values[0]} in the first run.")
        mine, its = ({role_of(s): None for s in r.subjects} for r in (runs[0], run))
        found += [f"{name} lacks the control {role}, which the first run has." for role in mine if role not in its]
        found += [f"{name} has the control {role}, and the first run has none." for role in its if role not in mine]
    return found


def judged_otherwise(names: Sequence[str], own: Sequence[Thresholds], limits: Thresholds) -> list[str]:
    """Which runs tell other verdicts in their own reports, since those were decided by other thresholds."""
    return [
        f"The report of {name} was judged by other thresholds; here all runs are judged by the same."
        for name, its in zip(names, own, strict=True)
        if its != limits
    ]


def differences(name: str, first: Read, other: Read) -> list[Difference]:
    """Every role, claim and group that either run judged: the effect, then what both are held against."""
    rows = []
    for place in dict.fromkeys([*first.verdicts, *other.verdicts]):
        a, b = first.verdicts.get(place), other.verdicts.get(place)
        rows.append(row(name, place, EFFECT, a, b, a and a.estimate, b and b.estimate, items_of(first, a), items_of(other, b)))
        controls = [{c.name: c for c in v.controls} if v else {} for v in (a, b)]
        for control in (c for c in controls[0] if c in controls[1]):
            ends = [
                Estimate(c[control].effect, c[control].low, c[control].high) if c[control].effect is not None else None for c in controls
            ]
            rows.append(row(name, place, control, a, b, *ends))
    return rows


def row(
    name: str,
    place: Place,
    what: str,
    a: Verdict | None,
    b: Verdict | None,
    first: Estimate | None,
    value: Estimate | None,
    items: pd.DataFrame | None = None,
    its: pd.DataFrame | None = None,
) -> Difference:
    both = None if items is None or its is None else paired(its, items)
    known = mean_of(both) if both is not None and len(both) > 1 and whole(both, items, its) else None
    found, n = (known, known.n) if known and known.interval else (apart(value, first), 0)
    facts = {"verdict": b and b.verdict, "first_verdict": a and a.verdict, "value": value and value.value, "first": first and first.value}
    ends = {} if found is None else {"difference": found.value, "low": found.low, "high": found.high, "paired": n}
    return Difference(name, *place, what, **facts, **ends)


def whole(both: pd.DataFrame, items: pd.DataFrame, its: pd.DataFrame) -> bool:
    """Whether most items of each run are in the other: a few shared ones would stand for other effects than those shown."""
    return 2 * len(both) > max(len(items), len(its))


def items_of(run: Read, v: Verdict | None) -> pd.DataFrame | None:
    """`item`, `value` and `source` of a verdict's effect, where the run kept them."""
    if v is None or v.layer is None or v.measure is None:
        return None
    if v.claim == "used":
        return pushed_items(run.evidence, v)
    group = v.group if v.claim == "shared" else f"{v.group}:{v.nearest}"
    found = run.evidence.items(v.task, v.model, v.measure, group=group, control=None, layer=v.layer, split=v.split)
    return found if len(found) else None

"""DO: carry out a plan part by part in one process, keep what is finished, do what is missing.

Knows neither what a task measures nor how a model is built: `load`, `perform` and `show` come from their rooms (or a test).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from semhub.errors import RunMismatch, SemhubError
from semhub.runs import store
from semhub.runs.plan import Part, Plan
from semhub.runs.spec import same_spec


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person may like to see: `note`, `kept`, `opening`, `part`, `progress`, `done`, `gathered`."""

    kind: str
    part: Part | None = None
    index: int = 0
    parts: int = 0
    done: int = 0
    total: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its folder, and how many parts were done now and found done."""

    folder: Path
    done: int
    kept: int
    rows: int
    seconds: float
    report: Path | None = None

    def readings(self):
        return store.readings(self.folder)

    def outcomes(self):
        return store.outcomes(self.folder)

    def spec(self) -> dict:
        return store.read_json(self.folder / "spec.json")

    def as_dict(self) -> dict:
        page = None if self.report is None else str(self.report)
        return asdict(self) | {"folder": str(self.folder), "seconds": round(self.seconds, 1), "report": page}


Watch = Callable[[Event], None]


def silent(event: Event) -> None:
    """Watches nothing."""


def carry_out(
    plan: Plan,
    folder: Path | str,
    *,
    watch: Watch = silent,
    load: Callable | None = None,
    perform: Callable | None = None,
    show: Callable | None = None,
) -> Run:
    """Do the missing parts of `plan` in `folder` and gather all of them.

    Raises RunMismatch if the folder belongs to another spec, to other weights, or to a run still at work;
    UserError if it cannot be written. A killed run goes on where it stopped when this is called again.
    """
    started, folder = time.monotonic(), Path(folder)
    _record(plan, folder)
    with store.claimed(folder):
        record = _record(plan, folder)
        for note in plan.notes():
            watch(Event("note", note=note))
        missing = [part for part in plan.parts if not store.finished(folder, part.file)]
        kept = len(plan.parts) - len(missing)
        if kept:
            watch(Event("kept", done=kept, total=len(plan.parts)))
        numbered = {part: index for index, part in enumerate(plan.parts, 1)}
        for name in plan.spec.models:
            mine = {part: numbered[part] for part in missing if part.model == name}
            if mine:
                watch(Event("opening", note=name))
                model = _open_model(plan, name, folder, record, load or _load)
                _show_tokens(plan, model, folder, show or _show)
                _do_parts(plan, mine, model, folder, watch, perform or _perform)
        table = store.gather(folder, [part.file for part in plan.parts])
        watch(Event("gathered", done=table.num_rows))
    return Run(folder, len(missing), kept, table.num_rows, time.monotonic() - started)


def _record(plan: Plan, folder: Path) -> dict:
    """The folder's `spec.json`, checked against the plan; a new folder gets one when the first model is open."""
    record = store.read_json(folder / "spec.json")
    if record:
        same_spec(record, plan.spec, folder)
        return record
    store.foreign(folder)
    return plan.record()


def _open_model(plan: Plan, name: str, folder: Path, record: dict, load: Callable):
    """Load a model and enter its revision, hash and certificate in `spec.json`; refuse other weights than before."""
    model = plan.opened.get(name) or load(name, **plan.keywords(name))
    entry = next(each for each in record["models"] if each["asked"] == name)
    before, now = entry.get("weights_hash"), model.weights_hash
    if before not in (None, now):
        raise RunMismatch(f"{folder} was started with other weights of {name} ({before}, now {now}); give another --out.")
    entry |= {"name": model.name, "revision": model.revision, "weights_hash": now, "layers": model.layers}
    entry["certificate"] = None if model.certificate is None else model.certificate.as_dict()
    store.write_whole(folder / "spec.json", store.to_json(record))
    return model


def _show_tokens(plan: Plan, model, folder: Path, show: Callable) -> None:
    """The map of words that the layers speak, of the first model that is opened: the one asked for."""
    if not (folder / "tokens.json").exists():
        store.write_whole(folder / "tokens.json", store.to_json(show(plan, model)))


def _do_parts(plan: Plan, parts: Mapping[Part, int], model, folder: Path, watch: Watch, perform: Callable) -> None:
    """Do the parts of one model, which share what they read of it."""
    memo: dict = {}
    for part, index in parts.items():
        here = Event("part", part, index, len(plan.parts))
        watch(here)
        started = time.monotonic()
        result = perform(part.task, model, progress=_progress(watch, here), memo=memo, **plan.arguments())
        _check(result, part, model, plan)
        seconds = round(time.monotonic() - started, 2)
        extras = {"task": part.task, "model": model.name, **result.extras}
        facts = {"task": part.task, "model": part.model, "seconds": seconds, "rows": len(result.readings)}
        store.write_part(folder, part.file, result.readings, result.outcomes, extras, facts)
        watch(replace(here, kind="done", done=len(result.readings), note=f"{seconds:.0f} s"))


def _progress(watch: Watch, here: Event) -> Callable[[int, int], None]:
    return lambda done, total: watch(replace(here, kind="progress", done=done, total=total))


def _check(result, part: Part, model, plan: Plan) -> None:
    """A part must speak for itself only, or parts could not be joined."""
    expected = (part.task, plan.spec.protocol, model.name)
    for row in (*result.readings, *result.outcomes):
        if (row.task, row.protocol, row.model) != expected:
            raise SemhubError(f"Part {part.file} gave a row of {(row.task, row.protocol, row.model)}; expected {expected}.")


def _load(name: str, **keywords):
    from semhub.models import load

    return load(name, **keywords)


def _show(plan: Plan, model) -> dict:
    from semhub.runs.showcase import token_maps

    return token_maps(plan, model)


def _perform(task: str, model, **arguments):
    from semhub.tasks import perform

    return perform(task, model, **arguments)

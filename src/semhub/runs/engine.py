"""DO: carry out a plan part by part, keep what is finished, do what is missing; in one process or in several beside each other.

Knows neither what a task measures nor how a model is built: `load`, `perform` and `show` come from their rooms (or a test).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from semhub.errors import BadInput, RunMismatch, SemhubError
from semhub.runs import store
from semhub.runs.plan import Part, Plan
from semhub.runs.spec import same_spec


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person may like to see: `note`, `kept`, `opening`, `opened`, `part`, `progress`, `done`, `gathered`."""

    kind: str
    part: Part | None = None
    index: int = 0
    parts: int = 0
    done: int = 0
    total: int = 0
    note: str = ""
    facts: Mapping = field(default_factory=dict)


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


@dataclass(slots=True)
class Desk:
    """Where one process does its parts: the models that it has open, and what their tasks share of what they read."""

    plan: Plan
    folder: Path
    load: Callable
    perform: Callable
    show: Callable
    models: dict[str, object] = field(default_factory=dict)
    memos: dict[str, dict] = field(default_factory=dict)

    def do(self, part: Part, watch: Watch) -> None:
        """Carry out one part and write it; the first part of a model opens it."""
        here = Event("part", part, self.plan.parts.index(part) + 1, len(self.plan.parts))
        model = self.models.get(part.model) or self._open(part.model, watch)
        watch(here)
        started = time.monotonic()
        told = lambda done, total: watch(replace(here, kind="progress", done=done, total=total))  # noqa: E731
        try:
            result = self.perform(part.task, model, progress=told, memo=self.memos.setdefault(part.model, {}), **self.plan.arguments())
        except BadInput as error:
            if self.plan.named(part.task):
                raise
            result = refused(error)
            watch(Event("note", note=f"Left out: {part.task} on {part.model}: {error}"))
        _check(result, part, model, self.plan)
        seconds = round(time.monotonic() - started, 2)
        extras = {"task": part.task, "model": model.name, **result.extras}
        facts = {"task": part.task, "model": part.model, "seconds": seconds, "rows": len(result.readings)}
        store.write_part(self.folder, part.file, result.readings, result.outcomes, extras, facts)
        watch(replace(here, kind="done", done=len(result.readings), note=f"{seconds:.0f} s{kept_in(extras)}"))

    def _open(self, name: str, watch: Watch):
        watch(Event("opening", note=name))
        model = self.plan.opened.get(name) or self.load(name, **self.plan.keywords(name))
        certificate = None if model.certificate is None else model.certificate.as_dict()
        known = {"name": model.name, "revision": model.revision, "weights_hash": model.weights_hash, "layers": model.layers}
        watch(Event("opened", note=name, facts=known | {"role": model.role, "certificate": certificate}))
        if name == self.plan.spec.models[0] and not (self.folder / "tokens.json").exists():
            store.write_whole(self.folder / "tokens.json", store.to_json(self.show(self.plan, model)))
        self.models[name] = model
        return model


def kept_in(extras: Mapping) -> str:
    """What the task kept and dropped, for the line that a person reads."""
    from semhub.methods.tally import told

    return f"; {told(extras['tally'])}" if extras.get("tally") else ""


def refused(error: BadInput):
    """The result of a task that nobody named and that has nothing to read with this model: no rows, and the reason."""
    from semhub.methods.declare import Result

    return Result((), (), {"refused": str(error)})


def carry_out(
    plan: Plan,
    folder: Path | str,
    *,
    watch: Watch = silent,
    workers: int = 1,
    load: Callable | None = None,
    perform: Callable | None = None,
    show: Callable | None = None,
) -> Run:
    """Do the missing parts of `plan` in `folder` and gather all of them.

    `workers` processes share the parts (`crew.py`); they plan again for themselves, so a model in hand cannot be shared.
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

        def told(event: Event) -> None:
            if event.kind == "opened":
                _enter(event, record, folder)
            watch(event)

        if workers > 1 and len(missing) > 1:
            from semhub.runs.crew import share

            share(plan, folder, missing, workers, told)
        else:
            desk = Desk(plan, folder, load or load_model, perform or perform_task, show or show_tokens)
            for part in missing:
                desk.do(part, told)
        table = store.gather(folder, [part.file for part in plan.parts])
        if not table.num_rows:
            reasons = [extras["refused"] for extras in store.extras(folder).values() if extras.get("refused")]
            raise BadInput(f"No task could be asked: {'; '.join(reasons) or 'none gave a reading'}")
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


def _enter(opened: Event, record: dict, folder: Path) -> None:
    """Write a model's revision, hash and certificate into `spec.json`, and its role where the plan knew none; refuse other weights."""
    entry = next(each for each in record["models"] if each["asked"] == opened.note)
    before, now = entry.get("weights_hash"), opened.facts["weights_hash"]
    if before not in (None, now):
        raise RunMismatch(f"{folder} was started with other weights of {opened.note} ({before}, now {now}); give another --out.")
    entry |= opened.facts | {"role": entry.get("role") or opened.facts.get("role") or ""}
    store.write_whole(folder / "spec.json", store.to_json(record))


def _check(result, part: Part, model, plan: Plan) -> None:
    """A part must speak for itself only, or parts could not be joined."""
    expected = (part.task, plan.spec.protocol, model.name)
    for row in (*result.readings, *result.outcomes):
        if (row.task, row.protocol, row.model) != expected:
            raise SemhubError(f"Part {part.file} gave a row of {(row.task, row.protocol, row.model)}; expected {expected}.")


def load_model(name: str, **keywords):
    from semhub.models import load

    return load(name, **keywords)


def show_tokens(plan: Plan, model) -> dict:
    from semhub.runs.showcase import token_maps

    return token_maps(plan, model)


def perform_task(task: str, model, **arguments):
    from semhub.tasks import perform

    return perform(task, model, **arguments)

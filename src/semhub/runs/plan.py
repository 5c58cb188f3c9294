"""PLAN: turn what a person asked for into parts (task x model), with every name checked and every hash taken.

Opens no network and writes nothing; it reads the user's own data once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from semhub.errors import BadInput, UnknownName
from semhub.runs.spec import AS_IT_COMES, WORLD, Opening, Spec, versions
from semhub.runs.store import part_name, slug

PROTOCOLS = ("sound", "paper")
SCORERS = ("package", "hf")
SHOWN = 100  # bad rows that the spec spells out


@dataclass(frozen=True, slots=True)
class Part:
    """One task on one model: the unit that is finished or missing."""

    task: str
    model: str

    @property
    def file(self) -> str:
        return part_name(self.task, self.model)


@dataclass(frozen=True, slots=True)
class Plan:
    """A spec, its parts in the order in which they are done and gathered, and the user's own data in memory.

    `opened`: models that the caller holds already, by name; `roles`: `hub`, `control:...` or nothing, by name.
    `asked`: the words of `prepare` that give this plan again, in another process.
    """

    spec: Spec
    parts: tuple[Part, ...]
    tasks: Mapping[str, object]
    roles: Mapping[str, str] = field(default_factory=dict)
    pairs: object | None = None
    items: object | None = None
    opened: Mapping[str, object] = field(default_factory=dict)
    asked: Mapping[str, object] = field(default_factory=dict)

    def arguments(self) -> dict:
        """What every part passes to `tasks.perform` beside its task and model."""
        spec = self.spec
        return {
            "protocol": spec.protocol,
            "seed": spec.seed,
            "limit": spec.limit,
            "layers": spec.layers,
            "types": spec.types,
            "batch_tokens": spec.batch_tokens,
            "pairs": self.pairs,
            "items": self.items,
            "scorers": spec.scorers,
        }

    def keywords(self, model: str) -> dict:
        """How `model` is opened: a control is bundled, so only what concerns the machine holds for it."""
        words = self.spec.opening.keywords()
        return words if model == self.spec.models[0] else {key: words[key] for key in words if key in ("dtype", "device", "device_map")}

    def folder(self) -> Path:
        """Where the run goes unless told: the same question finds the same folder."""
        return Path("runs") / f"{slug(Path(self.spec.models[0]).name)}-{self.spec.protocol}-{self.spec.short()}"

    def record(self) -> dict:
        """The content of `spec.json`; what only an opened model knows is entered when it is opened."""
        spec = self.spec.as_dict()
        spec["models"] = [{"name": name, "asked": name, "role": self.roles.get(name, "")} for name in self.spec.models]
        spec["tasks"] = [_described(name, self.tasks[name]) for name in self.spec.tasks]
        bad = [asdict(row) for row in self.bad_rows()]
        spec["data"] = {"source": self.spec.pairs or WORLD, "hash": self.spec.data, "skipped": len(bad), "notes": self.notes()}
        spec["data"]["skipped_rows"] = bad[:SHOWN]
        spec["types"] = list(self.known_types())
        return spec

    def known_types(self) -> tuple[str, ...]:
        """The data types of the run: those asked for, those of the user's data, or those that a bundled model knows."""
        own = getattr(self.pairs, "types", ())
        return tuple(self.spec.types or own or _bundled_types(self.spec.models[0]) or ())

    def bad_rows(self) -> list:
        return [row for given in (self.pairs, self.items) for row in getattr(given, "skipped", ())]

    def notes(self) -> list[str]:
        """What a person should know about their data before they believe the figures."""
        bad = self.bad_rows()
        left_out = [f"Bad rows left out: {len(bad)}; the first: {bad[0]}."] if bad else []
        return left_out + list(getattr(self.pairs, "notices", ()))


def prepare(
    tasks: Iterable[str] = (),
    model: object | None = None,
    *,
    protocol: str = "sound",
    pairs: str | Path | None = None,
    items: str | Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    layers: tuple[int, ...] | None = None,
    types: tuple[str, ...] | None = None,
    batch_tokens: int = 8192,
    scorers: str = "package",
    controls: bool = True,
    skip_bad: bool = False,
    opening: Opening = AS_IT_COMES,
) -> Plan:
    """Check what was asked and lay out the run; no task named means every task that fits.

    `model`: a name, a folder, a hub id, an opened `Model`, or None for the bundled hub.
    Raises UnknownName, BadInput, ModelNotFound.
    """
    asked = dict(locals())
    _known("protocol", protocol, PROTOCOLS)
    _known("scorers", scorers, SCORERS)
    _at_least("limit", limit, 1)
    _at_least("batch-tokens", batch_tokens, 1)
    name, opened = _named(model)
    own_pairs, own_items = _read_pairs(pairs, types, skip_bad), _read_items(items, skip_bad)
    chosen = _choose(tuple(tasks), name, protocol, types, own_pairs)
    roles = _roles(name, controls)
    spec = Spec(
        tasks=tuple(chosen),
        models=tuple(roles),
        protocol=protocol,
        seed=seed,
        limit=limit,
        layers=layers,
        types=types,
        scorers=scorers,
        data=WORLD if own_pairs is None else own_pairs.hash,
        own_items=None if own_items is None else own_items.hash,
        weights={each: opened[each].weights_hash if each in opened else known_hash(each) for each in roles},
        versions=versions(),
        pairs=None if pairs is None else str(pairs),
        items=None if items is None else str(items),
        skip_bad=skip_bad,
        batch_tokens=batch_tokens,
        opening=opening,
    )
    parts = tuple(Part(task, each) for each in roles for task in chosen)
    return Plan(spec, parts, chosen, roles, own_pairs, own_items, opened, asked)


def known_hash(name: str) -> str:
    """What is known of a model's weights before it is opened: the hash of its folder, or its id."""
    folder = next((each.path for each in _bundled() if each.name == name), name)
    if not folder or not Path(folder).expanduser().is_dir():
        return f"named {name}"
    from semhub.models.hashing import files_hash

    return files_hash(Path(folder).expanduser())


def _named(model: object | None) -> tuple[str, dict[str, object]]:
    if model is None:
        return next(each.name for each in _bundled() if each.role == "hub"), {}
    if isinstance(model, str | Path):
        return str(model), {}
    return model.name, {model.name: model}


def _roles(name: str, controls: bool) -> dict[str, str]:
    """The model asked for, then the bundled controls grown beside it."""
    roles = {each.name: each.role for each in _bundled()}
    beside = [each for each in roles if each.startswith(name + "-") and roles[each].startswith("control")]
    return {name: roles.get(name, "")} | ({each: roles[each] for each in beside} if controls else {})


def _choose(asked: tuple[str, ...], model: str, protocol: str, types: tuple[str, ...] | None, pairs) -> dict[str, object]:
    """Tasks by name or by domain (`multilingual`); with none named, all that fit the model and the data."""
    known = _catalogue()
    domains = {name.partition("/")[0] for name in known}
    chosen: dict[str, object] = {}
    for name in asked:
        if name not in known and name not in domains:
            raise UnknownName("task", name, [*known, *domains])
        chosen |= {each: known[each] for each in known if each == name or each.startswith(name + "/")}
    chosen = chosen or {name: task for name, task in known.items() if fits(task, model, types, pairs)}
    wrong = [name for name, task in chosen.items() if protocol not in task.protocols]
    if wrong and asked:
        raise BadInput(f"Task {wrong[0]} has no protocol {protocol!r}; it has {', '.join(known[wrong[0]].protocols)}.")
    return {name: task for name, task in chosen.items() if name not in wrong}


def fits(task, model: str, types: tuple[str, ...] | None, pairs) -> bool:
    """Whether the types asked for, those of the user's data, or those that a bundled model knows suffice for a task."""
    known = types or getattr(pairs, "types", None) or _bundled_types(model)
    return known is None or task.fits(known)


def _bundled_types(model: str) -> tuple[str, ...] | None:
    return next((tuple(each.types) for each in _bundled() if each.name == model), None)


def _read_pairs(path, types, skip_bad):
    if path is None:
        return None
    from semhub.data.pairs import read_pairs

    return read_pairs(path, types=types, skip_bad=skip_bad)


def _read_items(path, skip_bad):
    if path is None:
        return None
    from semhub.data.items import read_items

    return read_items(path, skip_bad=skip_bad)


def _catalogue() -> dict:
    from semhub.tasks import catalogue

    return catalogue()


def _bundled() -> list:
    from semhub.models.bundled import bundled

    return bundled()


def _known(kind: str, asked: str, known: tuple[str, ...]) -> None:
    if asked not in known:
        raise UnknownName(kind, asked, known)


def _at_least(option: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise BadInput(f"--{option} {value}: it must be {least} or more.")


def _described(name: str, task) -> dict:
    return {"name": name, "question": task.question, "paper": task.paper, "types": list(task.types), "against": task.against}

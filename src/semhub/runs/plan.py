"""PLAN: turn what a person asked for into parts (task x model), with every name checked and every hash taken.

Opens no network and writes nothing; it reads the user's own data once.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from semhub.data.rows import left_out as bad_rows_told
from semhub.errors import BadInput, UnknownName
from semhub.models.bundled import CONTROLS, twin_name, twin_of, unmatched
from semhub.runs.hosts import hosts
from semhub.runs.hosts import types as host_types
from semhub.runs.own import given_to_tasks, own_data_of, own_items_of, own_lens_of, own_pairs_of
from semhub.runs.spec import AS_IT_COMES, WORLD, Opening, Spec, versions
from semhub.runs.store import part_name, slug

PROTOCOLS = ("sound", "paper")
SCORERS = ("package", "hf")
TWIN = "control:untrained"
ASKED_KINDS = {"usual": frozenset(("untrained", "mispaired")), "all": frozenset(CONTROLS), "none": frozenset()}
TOWERS = {"image": ("vision_config", "vq_config", "thinker_config"), "audio": ("audio_config", "thinker_config", "whisper")}
CONFIGURATIONS = ("config.json", "salmonn.json")
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
    `left_out`: tasks that nobody named and that do not fit, with the reason; `asked`: the words of `prepare` that give this
    plan again, in another process.
    """

    spec: Spec
    parts: tuple[Part, ...]
    tasks: Mapping[str, object]
    roles: Mapping[str, str] = field(default_factory=dict)
    pairs: object | None = None
    items: object | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    opened: Mapping[str, object] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, object] = field(default_factory=dict)
    lens: object | None = None

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
            "data": self.data,
            "scorers": spec.scorers,
        } | ({} if self.lens is None else {"lens": self.lens})

    def named(self, task: str) -> bool:
        """Whether a person asked for this very task, not for its domain or for all: then what it cannot do ends the run."""
        return task in self.asked.get("tasks", (task,))

    def keywords(self, model: str) -> dict:
        """How `model` is opened: a bundled control takes only what concerns the machine, a twin all that holds for its model."""
        words, first = self.spec.opening.keywords(), self.spec.models[0]
        if model == first or _made(model):
            return words
        return {key: words[key] for key in words if key in ("dtype", "device", "device_map")}

    def folder(self) -> Path:
        """Where the run goes unless told: the same question finds the same folder."""
        return Path("runs") / f"{slug(Path(self.spec.models[0]).name)}-{self.spec.protocol}-{self.spec.short()}"

    def record(self) -> dict:
        """The content of `spec.json`; what only an opened model knows is entered when it is opened."""
        spec = self.spec.as_dict()
        spec["models"] = [{"name": name, "asked": name, "role": self.roles.get(name, "")} | _known_of(name) for name in self.spec.models]
        spec["tasks"] = [_described(name, self.tasks[name]) for name in self.spec.tasks]
        bad = [asdict(row) for row in self.bad_rows()]
        spec["data"] = {"source": self.spec.pairs or WORLD, "hash": self.spec.data, "skipped": len(bad), "notes": self.notes()}
        spec["data"]["skipped_rows"] = bad[:SHOWN]
        spec["data"] |= {key: getattr(self.pairs, key) for key in ("licence", "revision", "counts") if getattr(self.pairs, key, None)}
        spec["data"]["kinds"] = {name: loaded.record() for name, loaded in self.data.items()}
        spec["types"] = list(self.known_types())
        return spec

    def known_types(self) -> tuple[str, ...]:
        """The data types of the run: those asked for, those of the user's data, or those that a bundled model knows."""
        own = getattr(self.pairs, "types", ())
        return tuple(self.spec.types or own or _bundled_types(self.spec.models[0]) or ())

    def bad_rows(self) -> list:
        return [row for given in (self.pairs, self.items, *self.data.values()) for row in getattr(given, "skipped", ())]

    def notes(self) -> list[str]:
        """What a person should know about their data before they believe the figures, and which tasks do not fit."""
        bad = self.bad_rows()
        kept_in = f"spec.json of the run, data.skipped_rows ({'all' if len(bad) <= SHOWN else f'{SHOWN} of them'})"
        left_out = [bad_rows_told(bad, kept_in)] if bad else []
        left_out += [told(self.left_out)] if self.left_out else []
        return left_out + [notice for given in (self.pairs, *self.data.values()) for notice in getattr(given, "notices", ())]


def prepare(
    tasks: Iterable[str] = (),
    model: object | None = None,
    *,
    protocol: str = "sound",
    pairs: str | Path | None = None,
    items: str | Path | None = None,
    data: Mapping[str, str | Path] | None = None,
    task_files: Sequence[str | Path] = (),
    suite: str | None = None,
    lens: str | Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    layers: tuple[int, ...] | None = None,
    types: tuple[str, ...] | None = None,
    batch_tokens: int = 8192,
    scorers: str = "package",
    controls: str = "usual",
    twins: int = 0,
    skip_bad: bool = False,
    opening: Opening = AS_IT_COMES,
) -> Plan:
    """Check what was asked and lay out the run; no task named means every task that fits, or of the bundled hub the main ones.

    `model`: a name, a folder, a hub id, an opened `Model`, or None for the bundled hub. `data`: kind (`data.sources`) -> path or id.
    `task_files`: Python files that bring tasks of their own. `suite`: a named set of tasks (`tasks.SUITES`), of which those that
    fit are done. `lens`: the folder of an affine lens of the model (`methods.tuned`), one more reader beside the logit lens.
    `controls`: which of the bundled models that were grown as controls run beside it: `usual` (untrained and mispaired, what a
    default run has time for), `all`, `none`, or kinds of them with commas between (`deranged,apart`).
    `twins`: also run so many untrained twins of the model (its configuration, random weights of seeds 0, 1, ...) on the similarity tasks.
    Raises UnknownName, BadInput, ModelNotFound.
    """
    tasks = tuple(tasks)
    asked = dict(locals())
    _known("protocol", protocol, PROTOCOLS)
    _known("scorers", scorers, SCORERS)
    _at_least("limit", limit, 1)
    _at_least("batch-tokens", batch_tokens, 1)
    _at_least("twins", twins, 0)
    kinds = _kinds(controls)
    name, opened = _named(model)
    own_pairs, own_items = own_pairs_of(pairs, types, skip_bad), own_items_of(items, skip_bad)
    own_data = own_data_of(data or {}, skip_bad)
    types = own_pairs.types if types and own_pairs else types  # `eng,zho-CN` are called en and zh from here on
    own_lens = own_lens_of(lens, opening.unsafe_weights)
    hashes = {name: loaded.hash for name, loaded in own_data.items()} | _load_tasks(task_files)
    given = given_to_tasks(seed=seed, limit=limit, types=types, pairs=own_pairs, items=own_items, data=own_data)
    shared = model is None and bool(tasks or suite)  # each task goes to the bundled model that can answer it
    chosen, left_out = _choose(tasks, suite, None if shared else name, model is None, protocol, types, own_pairs, opened, given)
    asked_of = dict.fromkeys(chosen, name) | (hosts(chosen, _bundled()) if shared else {})
    of_host = {host: _roles(host, kinds) for host in dict.fromkeys(asked_of.values())}
    name = name if name in of_host else next(iter(of_host))
    made = _twins(name, twins, opened)
    roles = {each: role for host in of_host for each, role in of_host[host].items()} | made
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
        own_data=hashes or None,
        own_lens=None if own_lens is None else own_lens.hash,
        weights={each: opened[each].weights_hash if each in opened else known_hash(each) for each in roles},
        versions=versions(),
        pairs=None if pairs is None else str(pairs),
        items=None if items is None else str(items),
        sources={name: str(path) for name, path in (data or {}).items()} or None,
        lens=None if lens is None else str(lens),
        skip_bad=skip_bad,
        batch_tokens=batch_tokens,
        opening=opening,
    )
    beside = lambda each, task: each in of_host[asked_of[task]] or each in made  # noqa: E731
    parts = tuple(Part(task, each) for each in roles for task in chosen if beside(each, task) and can_be_asked(task, each, roles[each]))
    if not any(part.model == name for part in parts):
        raise BadInput(f"{name} is several models that never met; only their states can be compared: ask multilingual/similarity.")
    return Plan(spec, parts, chosen, roles, own_pairs, own_items, own_data, opened, left_out, asked, own_lens)


def known_hash(name: str) -> str:
    """What is known of a model's weights before it is opened: the hash of its folder, or its id."""
    folder = next((each.path for each in _bundled() if each.name == name), name)
    if not folder or not Path(folder).expanduser().is_dir():
        return f"named {name}"
    from semhub.models.hashing import files_hash

    return files_hash(Path(folder).expanduser())


def _named(model: object | None) -> tuple[str, dict[str, object]]:
    if model is None:
        return next((each.name for each in _bundled() if each.role == "hub"), "semhub-text"), {}
    if isinstance(model, str | Path):
        return str(model), {}
    return model.name, {model.name: model}


def _kinds(controls: str) -> frozenset[str]:
    """The kinds of controls that are meant by `usual`, `all`, `none` or a list of them. Raises UnknownName."""
    if controls in ASKED_KINDS:
        return ASKED_KINDS[controls]
    kinds = tuple(kind.strip() for kind in controls.split(","))
    for kind in kinds:
        _known("control", kind, (*ASKED_KINDS, *CONTROLS))
    return frozenset(kinds)


def _roles(name: str, kinds: frozenset[str]) -> dict[str, str]:
    """The model asked for, then the bundled controls of these kinds that were grown beside it."""
    roles = {each.name: each.role for each in _bundled()}
    grown = [each for each in _bundled() if each.name.startswith(name + "-") and each.role.removeprefix("control:") in kinds]
    beside = [each.name for each in grown if each.role != "control:strangers" or each.path is None]  # one alone is no control
    return {name: roles.get(name, "")} | {each: roles[each] for each in beside}


def _twins(name: str, many: int, opened: Mapping[str, object]) -> dict[str, str]:
    """Untrained twins of seeds 0, 1, ...; a bundled model's first one may be among its controls already."""
    if many and name in opened:
        raise BadInput(f"{name} is a network in hand: its untrained twin can be made for models opened by name or folder alone.")
    return {twin_name(name, seed): TWIN for seed in range(many)}


def can_be_asked(task: str, model: str, role: str) -> bool:
    """Strangers, two models whose states are compared, cannot be asked to say or to continue anything; a twin that was made for
    this run is asked what *shared* is held against, since it may be large.
    """
    narrow = role == "control:strangers" or (role == TWIN and _made(model))
    return not narrow or task.endswith("/similarity")


def _made(model: str) -> bool:
    """Whether this is a twin made for this run, and not one that stands in the bundle."""
    return twin_of(model) is not None and all(each.name != model for each in _bundled())


def _choose(
    asked: tuple[str, ...],
    suite: str | None,
    model: str | None,
    bare: bool,
    protocol: str,
    types: tuple[str, ...] | None,
    pairs,
    opened: Mapping[str, object],
    given: Callable[[], object],
) -> tuple[dict[str, object], dict[str, str]]:
    """Tasks by name or by domain (`multilingual`); with none named, all (of the suite) that fit, and why others do not.

    `model`: the one that is asked; None where each task goes to the bundled model that can answer it. `bare`: nobody named one.
    """
    known = _catalogue() if suite is None else _of_suite(suite, asked)
    domains = {name.partition("/")[0] for name in known}
    chosen: dict[str, object] = {}
    for name in asked:
        if name not in known and name not in domains:
            raise UnknownName("task", name, [*known, *domains])
        chosen |= {each: task for each, task in known.items() if each == name or (each.startswith(name + "/") and task.usual)}
    if asked:
        left_out = {}
    else:
        later = beyond_main() if suite is None and bare else {}
        why = lambda name, task: misfit(task, model, types, pairs) or senseless(task, model, opened) or later.get(name)  # noqa: E731
        left_out = {name: reason for name, task in known.items() if (reason := why(name, task))}
        chosen = {name: task for name, task in known.items() if name not in left_out and (task.usual or suite is not None)}
    unsuited = {name: reason for name, task in chosen.items() if (reason := task.unsuited(protocol, given()))}
    if named := [name for name in asked if name in unsuited]:
        raise BadInput(f"{named[0]} {unsuited[named[0]]}.")
    left_out |= unsuited
    chosen = {name: task for name, task in chosen.items() if name not in unsuited}
    if not chosen and unsuited:
        raise BadInput(f"No task that was asked for suits the data: {'; '.join(f'{n} {why}' for n, why in unsuited.items())}.")
    wrong = [name for name, task in chosen.items() if protocol not in task.protocols]
    if wrong and asked:
        raise BadInput(f"Task {wrong[0]} has no protocol {protocol!r}; it has {', '.join(known[wrong[0]].protocols)}.")
    left_out |= {name: f"has no protocol {protocol}" for name in wrong}
    return {name: task for name, task in chosen.items() if name not in wrong}, left_out


def beyond_main() -> dict[str, str]:
    """The paper's tasks that a run of a few minutes has no time for, and why they are left out."""
    from semhub.tasks import MAIN, SUITES

    return {name: "is asked by name or by --suite paper" for name in SUITES["paper"] if name not in MAIN}


def _of_suite(suite: str, asked: tuple[str, ...]) -> dict[str, object]:
    from semhub.tasks import SUITES

    _known("suite", suite, tuple(SUITES))
    if asked:
        raise BadInput(f"Name tasks ({', '.join(asked)}) or a suite (--suite {suite}), not both.")
    known = _catalogue()
    return {name: known[name] for name in SUITES[suite] if name in known}


def told(left_out: Mapping[str, str]) -> str:
    """The tasks left out in one line: those of a domain together, and what holds for all of them once."""
    of_domain: dict[tuple[str, str, str], list[str]] = {}
    for name, why in left_out.items():
        reason, _, because = why.partition("; ")
        of_domain.setdefault((name.partition("/")[0], reason, because), []).append(name)
    named = [f"{names[0] if len(names) == 1 else domain + '/*'} ({reason})" for (domain, reason, _), names in of_domain.items()]
    causes = dict.fromkeys(because for _, _, because in of_domain if because)
    return f"Tasks left out: {'; '.join([*named, *causes])}."


def misfit(task, model: str | None, types: tuple[str, ...] | None, pairs) -> str | None:
    """Why the types asked for, those of the user's data, or those that a bundled model knows do not suffice for a task; or None."""
    known = types or getattr(pairs, "types", None) or (host_types(_bundled()) if model is None else _bundled_types(model))
    if known is None or task.fits(known):
        return None
    whose = "asked for" if types else "of the data" if getattr(pairs, "types", None) else f"of {model or 'the bundled models'}"
    return f"needs {', '.join(t for t in task.needs if t not in known)}; the types {whose} are {', '.join(known)}"


def senseless(task, model: str | None, opened: Mapping[str, object]) -> str | None:
    """Why a model that is no bundled one cannot be shown what a task needs: it has no eyes or no ears; or None.

    Read off the opened model or its configuration on this machine; where that is not here yet, nobody knows, and only text is asked.
    """
    needed = [kind for kind in ("image", "audio") if kind in task.needs]
    if not needed or model is None or _bundled_types(model) is not None:
        return None
    if model in opened:
        senses = getattr(opened[model], "senses", ())
    elif file := _configuration(model):
        config = json.loads(file.read_text(encoding="utf-8"))
        senses = [kind for kind, names in TOWERS.items() if any(config.get(name) for name in names)]
    else:
        return f"needs {', '.join(needed)}; whether {model} has a tower for it is known once it is here: name the task to ask it"
    missing = [kind for kind in needed if kind not in senses]
    return f"needs {', '.join(missing)}; {model} has no tower for it" if missing else None


def _configuration(model: str) -> Path | None:
    """The configuration of a folder, or of a Hugging Face id that was fetched before."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return next((folder / name for name in CONFIGURATIONS if (folder / name).is_file()), None)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def _load_tasks(files: Sequence[str | Path]) -> dict[str, str]:
    """Take the tasks of a person's files into the catalogue -> a hash of each file: other code is another run."""
    if not files:
        return {}
    from semhub.tasks import load_file

    for path in files:
        load_file(path)
    return {f"tasks:{Path(path).name}": hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest() for path in files}


def _known_of(name: str) -> dict:
    """What verdicts want to know of a bundled model: the types that it was shown, and those in which it falls short of its model."""
    found = next((each for each in _bundled() if each.name == name), None)
    if found is None:
        return {}
    short = unmatched(found)
    return {"types": list(found.types)} | ({} if short is None else {"unmatched": short})


def _bundled_types(model: str) -> tuple[str, ...] | None:
    return next((tuple(each.types) for each in _bundled() if each.name == model), None)


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
    facts = {key: getattr(task, key) for key in ("question", "paper", "against", "data", "method")}
    return {"name": name, "types": list(task.types)} | facts

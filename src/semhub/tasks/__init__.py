"""WHAT can be asked: the catalogue of tasks, and the one door through which a run asks them.

A task is a decorated function `(protocol, given) -> declaration` that runs nothing. Built-in tasks, those of installed
plugins (entry-point group `semhub.tasks`) and those of a user's file come in alike: as `Task` values found in a module.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from inspect import cleandoc
from pathlib import Path
from types import ModuleType
from typing import Any

from semhub.errors import BadInput, UnknownName
from semhub.methods.declare import BEYOND, Declaration, Result

GROUP = "semhub.tasks"
MODULES = ("multilingual", "patching", "arithmetic", "code", "semantics", "vision", "audio")
BUILT_IN = tuple(EntryPoint(name, f"{GROUP}.{name}", GROUP) for name in MODULES)
PROTOCOLS = ("sound", "paper")
MAIN = (  # the three claims between languages and in sums: what a run that names nothing asks of the bundled model
    *(f"multilingual/{name}" for name in ("similarity", "lens", "trend", "steering")),
    *(f"arithmetic/{name}" for name in ("similarity", "lens", "trajectory", "intervention")),
)
SUITES = {
    "main": MAIN,
    "paper": (  # Wu et al. 2025, in the order of their sections
        *MAIN,
        *(f"code/{name}" for name in ("conjunction-lens", "role-lens", "intervention")),
        *(f"semantics/{name}" for name in ("similarity", "role-lens")),
        *(f"vision/{name}" for name in ("similarity", "color-lens", "caption-lens", "segment-lens", "intervention")),
        *(f"audio/{name}" for name in ("similarity", "lens", "intervention")),
    ),
    # what a default run has no time for: other readers, every control of a push, concepts patched from language to language, false pairs
    "controls": tuple(f"multilingual/{name}" for name in ("lens-readers", "steering-controls", "patching", "planted")),
}


@dataclass(frozen=True)
class Given:
    """What a run gives to a declaration: where items come from, and how many.

    `world`: the module `semhub.data.world` or a stand-in. `pairs`, `items`: the user's own, or None. `types`: those asked
    for, or None for all. `data`: real data by kind (`--data code=...`). `scorers()`: judges of generated text, built on first use.
    """

    world: Any
    seed: int = 0
    limit: int | None = None
    types: tuple[str, ...] | None = None
    pairs: Any = None
    items: Any = None
    data: Mapping[str, Any] = field(default_factory=dict)
    scorers: Callable[[], Any] = field(default=lambda: None, repr=False)

    def many(self, usual: int) -> int:
        """How many items: the run's limit, or what is usual for this task."""
        return usual if self.limit is None else self.limit

    def beyond(self, found: int, kept: int) -> dict[str, int]:
        """Items that a limit leaves out, as `left_out` counts them."""
        return {BEYOND: found - kept} if found > kept else {}

    def among(self, known: tuple[str, ...], least: int = 1) -> tuple[str, ...]:
        """The types asked for that are `known`, in that order, the dominant one first. Raises BadInput for fewer than `least`."""
        asked = known if self.types is None else tuple(t for t in known if t in self.types)
        if len(asked) < least:
            raise BadInput(f"Types {', '.join(self.types or ())} were asked for; at least {least} of {', '.join(known)} are needed.")
        return dominant_first(asked)


@dataclass(frozen=True)
class Task:
    """One entry of the catalogue: what is asked, of what, and what answer would count against the claim.

    `types`: those that it speaks of; `needs`: those without which it cannot be asked. `usual`: whether a run that names no task asks it.
    `method`: a sentence on how it is measured, for a paper's methods. `unsuited(protocol, given)`: why it cannot be asked of these data,
    or None. `format`: the sort of model that the paper asks, preferred among the bundled ones. Called, it gives its declaration.
    """

    name: str
    question: str
    paper: str
    types: tuple[str, ...]
    data: str
    positions: str
    baseline: str
    measure: str
    against: str
    declare: Callable[[str, Given], Declaration] = field(repr=False)
    needs: tuple[str, ...] = ()
    method: str = ""
    usual: bool = True
    protocols: tuple[str, ...] = PROTOCOLS
    format: str | None = None
    unsuited: Callable[[str, Given], str | None] = field(default=lambda protocol, given: None, repr=False)

    def __call__(self, protocol: str, given: Given) -> Declaration:
        if protocol not in self.protocols:
            raise UnknownName(f"protocol of {self.name}", protocol, self.protocols)
        if reason := self.unsuited(protocol, given):
            raise BadInput(f"{self.name} {reason}.")
        return self.declare(protocol, given)

    def fits(self, types: tuple[str, ...] | set[str]) -> bool:
        """Whether these types suffice for the task."""
        return set(self.needs) <= set(types)

    def facts(self) -> dict:
        """Everything that the task states, for a person or a program to read; `protocol`: how `paper` is reproduced."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("declare", "unsuited")}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
        return plain | {"protocol": cleandoc(self.declare.__doc__ or "")}


def task(name: str, **facts: Any) -> Callable[[Callable[[str, Given], Declaration]], Task]:
    """Make a task of a function `(protocol, given) -> declaration`; `facts` are the fields of `Task`."""
    return lambda declare: Task(name, declare=declare, **facts)


_own_files: dict[Path, ModuleType] = {}


def catalogue() -> dict[str, Task]:
    """Name -> task: built-in ones, then those of plugins, then those of the user's files. Raises BadInput for a name taken twice."""
    found: dict[str, Task] = {}
    for source, module in modules():
        for entry in tasks_in(module):
            if entry.name in found and found[entry.name] is not entry:
                raise BadInput(f"{source} brings a task {entry.name!r}, but there is one of that name already; rename it.")
            found[entry.name] = entry
    return found


def modules() -> Iterator[tuple[str, ModuleType]]:
    plugins = [e for e in entry_points(group=GROUP) if e.value not in {b.value for b in BUILT_IN}]
    for entry in BUILT_IN:
        yield entry.value, entry.load()
    for entry in plugins:
        yield entry.value, loaded(entry)
    for path, module in _own_files.items():
        yield str(path), module


def loaded(plugin: EntryPoint) -> ModuleType:
    """The module of an installed package's tasks. Raises BadInput where it cannot be imported, whatever its code does then."""
    try:
        return plugin.load()
    except Exception as error:
        package = getattr(plugin.dist, "name", plugin.value)
        raise BadInput(
            f"Tasks of the installed package {package} ({plugin.value}) cannot be imported: {type(error).__name__}: {error}. "
            f"Mend it, or take it away: pip uninstall {package}."
        ) from error


def tasks_in(module: ModuleType) -> list[Task]:
    return [value for value in vars(module).values() if isinstance(value, Task)]


def load_file(path: str | Path) -> list[Task]:
    """Add the tasks of a Python file to the catalogue. Raises BadInput where it cannot be read, or holds none."""
    path = Path(path).expanduser().resolve()
    spec = spec_from_file_location(f"semhub_tasks_{path.stem}", path) if path.suffix == ".py" and path.is_file() else None
    if spec is None or spec.loader is None:
        raise BadInput(f"Tasks are read from a Python file; {path} is none.")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(f"{path} could not be read: {type(error).__name__}: {error}.") from error
    if not tasks_in(module):
        raise BadInput(f"{path} holds no task; make one with @semhub.task(name, question=..., ...).")
    _own_files[path] = module
    return tasks_in(module)


def find(name: str) -> Task:
    """The task of that name. Raises UnknownName, which offers the nearest one."""
    known = catalogue()
    if name not in known:
        raise UnknownName("task", name, known)
    return known[name]


def given(
    *, world=None, scorers: Any = "package", seed: int = 0, types: tuple[str, ...] | None = None, steered: str = "", **more: Any
) -> Given:
    """`Given` from what a run says: the package's own world unless another is given, scorers by name or in hand.

    `steered`: the name of the model whose outputs are judged, which does not judge itself.
    """
    world = import_module("semhub.data.world") if world is None else world
    judges = (lambda: judges_of(scorers, types, seed, steered)) if isinstance(scorers, str) else (lambda: scorers)
    return Given(world, seed=seed, types=types, scorers=judges, **more)


@cache
def judges_of(name: str, types: tuple[str, ...] | None, seed: int, steered: str) -> Any:
    """Those of that name, as they judge a model of that name."""
    from semhub.methods.scorers import not_judging_itself

    return not_judging_itself(judges_by_name(name, types, seed), steered)


@cache
def judges_by_name(name: str, types: tuple[str, ...] | None, seed: int) -> Any:
    """The package's scorers or the paper's; built once per run, for all its models."""
    from semhub.methods import scorers

    builders: Mapping[str, Callable] = {"package": lambda known: scorers.package_scorers(known, seed=seed), "hf": scorers.hf_scorers}
    if name not in builders:
        raise UnknownName("set of scorers", name, builders)
    return builders[name](LANGUAGES)


LANGUAGES = ("en", "es", "zh", "de")


def dominant_first(types: tuple[str, ...]) -> tuple[str, ...]:
    """The order of groups: English, which dominates the bundled models and the paper's, then as they come."""
    return tuple(sorted(types, key=lambda t: t != "en"))


def perform(
    name: str,
    model: Any,
    *,
    protocol: str = "sound",
    seed: int = 0,
    limit: int | None = None,
    layers: tuple[int, ...] | None = None,
    types: tuple[str, ...] | None = None,
    batch_tokens: int = 8192,
    pairs: Any = None,
    items: Any = None,
    data: Mapping[str, Any] | None = None,
    scorers: Any = "package",
    progress: Callable[[int, int], None] | None = None,
    memo: MutableMapping | None = None,
    world: Any = None,
    lens: Any = None,
) -> Result:
    """Ask one task of one open model -> its readings, the items behind them, and what its figures need.

    `memo` is shared by the tasks of one model in one run, so that states of the same inputs are read once. `lens`: a
    `methods.tuned.TunedLens`, one more reader in the tasks that read with a lens; a control that it was not fitted on goes without.
    Raises UnknownName for a task or protocol that does not exist, BadInput for items that do not suffice.
    """
    from semhub.methods import carry_out
    from semhub.methods.bench import Bench
    from semhub.methods.tuned import of_model

    asked = find(name)
    own = {"pairs": pairs, "items": items, "data": data or {}}
    source = given(world=world, scorers=scorers, seed=seed, limit=limit, types=types, steered=model.name, **own)
    declaration = asked(protocol, source)
    told = progress or (lambda done, total: None)
    bench = Bench(model, name, protocol, seed, layers, batch_tokens, {} if memo is None else memo, told, of_model(lens, model))
    return carry_out(declaration, bench)

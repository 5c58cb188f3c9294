"""Where the items of a run came from: semhub's own world, the user's, or real data, and which tasks read which.

Composed by rule from the spec; quotes no value.
"""

from collections.abc import Iterator, Mapping

from semhub.data.known import readers_of
from semhub.report.folder import Run, listed, mapped
from semhub.report.words import listing, type_name
from semhub.tasks import SUITES

BUILT_IN = frozenset(task for suite in SUITES.values() for task in suite)
STEERED, ASKED = ("multilingual/steering", "multilingual/steering-controls"), ("multilingual/lens", "multilingual/lens-readers")


def items_told(run: Run) -> str:
    """A sentence for each origin that items of the run have."""
    return " ".join(origins(run)) if source_of(run) else f"Items{among(run)}: their source was not recorded."


def origins(run: Run) -> Iterator[str]:
    """The user's own and real data first, with the tasks that read them; then the world's."""
    for source, tasks in real(run).items():
        mine = listing(task for task in run.tasks if task in tasks)
        yield f"Items of {mine} are the user's own or real data: {source}." if mine else f"No task of the run reads {source}."
    for task in (each for each in run.tasks if each not in BUILT_IN):
        yield f"Items of {task}, as it states itself: {mapped(run.tasks[task]).get('data') or 'not recorded'}."
    if left := of_world(run):
        which = "Items" if len(left) == len(run.tasks) else f"Items of {listing(left)}"
        held = "sentences are held out from the training of its bundled models by meaning"
        yield f"{which} are semhub's own generated ones{among(run)}; {held}."


def real(run: Run) -> dict[str, tuple[str, ...]]:
    """What was read besides the world, and where it came from -> the tasks that read it."""
    kinds = mapped(mapped(run.spec.get("data")).get("kinds"))
    own = {} if source_of(run).startswith("world") else {f"pairs{among(run)} ({source_of(run)})": readers_of("pairs", run.protocol)}
    own |= {f"{kind} ({mapped(each).get('source')})": readers_of(kind, run.protocol) for kind, each in kinds.items()}
    if run.spec.get("items"):
        own[f"questions and prompts, as far as there are ({run.spec['items']})"] = STEERED if run.protocol == "paper" else STEERED + ASKED
    return own


def of_world(run: Run) -> list[str]:
    """The tasks whose items are the world's."""
    others = {task for tasks in real(run).values() for task in tasks}
    return [task for task in run.tasks if task in BUILT_IN and task not in others]


def source_of(run: Run) -> str:
    return str(mapped(run.spec.get("data")).get("source") or "")


def among(run: Run) -> str:
    types = listing(type_name(str(each)) for each in listed(run.spec.get("types")))
    return f" in {types}" if types else ""


def world_note(run: Run) -> str:
    """What must be known of the items before any figure is believed; nothing where none is the world's, or nothing is recorded."""
    left = of_world(run) if source_of(run) else []
    if not left:
        return ""
    sources = listing(real(run))
    which = f"Own or real data were read: {sources}. The items of {listing(left)}" if sources else "All items"
    note = f"{which} are of semhub's own small generated world, in real words and grammar; they are not natural text."
    if run.main.role != "hub":
        note += f" What {run.main.name} shows on them need not hold for natural text; give your own with --pairs."
    return note


def source_told(source: Mapping) -> str:
    """Where real data came from, at which commit, their licence and hash."""
    commit = f" at commit {source['revision']}" if source.get("revision") else ""
    return f"{source.get('source')}{commit}; licence: {source.get('licence', 'not recorded')}; hash {source.get('hash', 'not recorded')}"

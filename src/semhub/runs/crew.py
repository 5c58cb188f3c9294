"""Several processes that share the parts of one run; the first one keeps `spec.json` and speaks to the person.

Each process plans again from the same words and opens what its parts need, on one thread: small models gain nothing from
more, and lose much to a second busy process.
"""

import os
import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path

from semhub.errors import UserError
from semhub.runs.engine import Desk, Watch, load_model, perform_task, show_tokens
from semhub.runs.plan import Part, Plan, prepare

OFTEN = 0.1  # seconds between two looks at whether a part is done
_mine: dict = {}


def fitting(plan: Plan) -> int:
    """How many processes suit a plan: one per core where all models are the small bundled ones on the CPU, else one."""
    import torch

    on_cpu = plan.spec.opening.device == "cpu" or (plan.spec.opening.device is None and not torch.cuda.is_available())
    small = not plan.opened and all(plan.roles[name] for name in plan.spec.models)
    return min(cores(), len(plan.parts)) if small and on_cpu else 1


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_turn(parts: Sequence[Part]) -> list[Part]:
    """One task after another, each on all models: long and short parts mix, and no long one is left for the end, when others idle."""
    tasks = list(dict.fromkeys(part.task for part in parts))
    return sorted(parts, key=lambda part: tasks.index(part.task))


def share(plan: Plan, folder: Path, parts: Sequence[Part], workers: int, watch: Watch) -> None:
    """Do `parts` in `workers` processes; `watch` hears their events in this one. Raises what a part raised."""
    context = get_context("spawn")
    events = context.Queue()
    crew = ProcessPoolExecutor(workers, mp_context=context, initializer=_sit_down, initargs=(plan.asked, folder, events))
    try:
        waiting = [crew.submit(_do, part) for part in in_turn(parts)]
        while waiting:
            _hear(events, watch)
            waiting = [each for each in waiting if not _finished(each)]
        _hear(events, watch)
    except BrokenProcessPool:
        raise UserError(
            f"One of {workers} processes was killed, perhaps for want of memory; what is finished is kept. Try again with --workers 1."
        ) from None
    finally:
        crew.shutdown(cancel_futures=True)


def _hear(events, watch: Watch) -> None:
    while True:
        try:
            watch(events.get(timeout=OFTEN))
        except queue.Empty:
            return


def _finished(each: Future) -> bool:
    """Whether a part is done; raises here what it raised there."""
    if each.done() and (refusal := each.result()) is not None:
        raise UserError(refusal)
    return each.done()


def _sit_down(asked: Mapping, folder: Path, events) -> None:
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _mine["desk"] = Desk(prepare(**asked), folder, load_model, perform_task, show_tokens)
    _mine["events"] = events


def _leave_with_parent() -> None:
    parent_process().join()
    os._exit(1)


def _do(part: Part) -> str | None:
    """Do one part; the message of a user's mistake comes back as text, since its class may not travel."""
    try:
        _mine["desk"].do(part, _mine["events"].put)
    except UserError as error:
        return str(error)
    return None

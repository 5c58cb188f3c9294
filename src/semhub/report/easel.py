"""Where figures are drawn: here, one after another, or in other processes while the page is written.

Knows nothing of figures: a drawing is a function of one argument, and both can be sent to another process.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

from semhub.errors import UserError

Begin = Callable[[Callable, object], Callable[[], object]]


@contextmanager
def easel(workers: int = 1) -> Iterator[Begin]:
    """`begin(draw, what)` -> a function that gives `draw(what)`: drawn when it is called, or meanwhile in one of `workers` processes."""
    if workers < 2:
        yield partial
        return
    crew = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield lambda draw, what: crew.submit(draw, what).result
    except BrokenProcessPool:
        raise UserError(
            "A process that drew figures was killed, perhaps for want of memory. Try `semhub report DIR --workers 1`."
        ) from None
    finally:
        crew.shutdown(cancel_futures=True)

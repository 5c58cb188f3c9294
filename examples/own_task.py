"""A task of one's own, on two types that the paper never paired: `semhub run own/code-zh --tasks examples/own_task.py`."""

from semhub.methods import Compare, Place
from semhub.tasks import task

TYPES = ("code", "zh")


@task(
    "own/code-zh",
    question="Do a line of Python and a Chinese sentence of one meaning lie closer together than those of other meanings?",
    paper="not in the paper",
    types=TYPES,
    needs=TYPES,
    data="scenes of the bundled world",
    positions="last, mean over content",
    baseline="other scenes; the same scene with its roles swapped",
    measure="adjusted_cosine, p_at_1",
    against="closeness that is gone against swapped roles",
    protocols=("sound",),
)
def code_and_chinese(protocol, given):
    """Any two types can stand here; the world says every scene in each of them."""
    scenes = given.world.scenes(given.many(200), types=TYPES, seed=given.seed)
    places = (Place("last"), Place("mean", at="mean"))
    return Compare(TYPES, {"test": scenes}, places, ("raw", "centred"), ("adjusted_cosine", "p_at_1"), controls=("swapped",))

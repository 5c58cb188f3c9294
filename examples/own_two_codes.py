"""Two programming languages, a pair that the paper never asks about: `semhub run own/python-lisp --tasks examples/own_two_codes.py`."""

from semhub.methods import Compare, Place
from semhub.tasks import task
from semhub.types import Concept, Form


@task(
    "own/python-lisp",
    question="Do a sum in Python and in Lisp lie closer together than sums of other numbers?",
    paper="not in the paper",
    types=("code", "lisp"),
    data="sums of two numbers, written here",
    positions="last, mean over content",
    baseline="other sums; the same one with its numbers swapped",
    measure="adjusted_cosine, p_at_1",
    against="closeness that is gone against swapped numbers",
    protocols=("sound",),
)
def python_and_lisp(protocol, given):
    pairs = [(a, b) for a in range(1, 20) for b in range(1, 20) if a != b][:: 342 // min(342, given.many(200))]
    concepts = [Concept(f"{a}-{b}", forms(a, b), {"swapped": Concept(f"{b}-{a}:swapped", forms(b, a))}) for a, b in pairs]
    places = (Place("last"), Place("mean", at="mean"))
    return Compare(("code", "lisp"), {"test": concepts}, places, ("raw", "centred"), ("adjusted_cosine", "p_at_1"), controls=("swapped",))


def forms(a, b):
    return {"code": Form("code", f"left = {a} - {b}"), "lisp": Form("lisp", f"(setq left (- {a} {b}))")}

"""What lets a word be said: every threshold of the page in one place, and how two estimates are compared.

Intervals decide; where there is none, the page says so and claims nothing.
"""

from dataclasses import dataclass

from semhub.verdicts.slices import Curve, Estimate


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Every number that decides a sentence; a page made with others says other things about the same readings."""

    similarity: float = 0.05  # S below this is called small, whatever its interval
    p_value: float = 0.05  # a peak that permuted meanings reach more often than this is put down to chance
    enough: int = 20  # a figure from fewer items than this is shown but not spoken of
    probability: float = 0.02  # a right word must reach this before it is said to be spoken by a layer,
    ratio: float = 3.0  # and be this many times as probable as wrong words of the same kind


LIMITS = Thresholds()


def side(found: Estimate | None, of: float = 0.0) -> str:
    """`above`, `below` or `around` a number, with the whole interval; `bare` without an interval, `absent` without a value."""
    if found is None:
        return "absent"
    if not found.interval:
        return "bare"
    return "above" if found.low > of else "below" if found.high < of else "around"


def apart(a: Estimate | None, b: Estimate | None) -> str:
    """How `a` stands to `b`: `above` or `below` where the intervals do not touch, else `around`; `bare` or `absent` as in `side`."""
    if a is None or b is None:
        return "absent"
    if not (a.interval and b.interval):
        return "bare"
    return "above" if a.low > b.high else "below" if a.high < b.low else "around"


def few(found: Estimate | None, limits: Thresholds = LIMITS) -> bool:
    """Whether an estimate rests on too few items to be called anything (an unknown number counts as few)."""
    return found is not None and found.n < limits.enough


def stretch(points: Curve, wanted: str) -> tuple[int, ...]:
    """The layers at which a curve stands on the wanted side of 0 with its interval."""
    return tuple(int(p.at) for p in points if p.at is not None and side(p) == wanted)

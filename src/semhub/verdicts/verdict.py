"""What a verdict is, and the one place where it is decided.

Knows numbers and thresholds; what the numbers mean is known by `shared`, `anchored` and `used`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from semhub.measures.statistics import items_needed
from semhub.verdicts.inference import Z
from semhub.verdicts.slices import Estimate, number
from semhub.verdicts.thresholds import Thresholds

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


@dataclass(frozen=True, slots=True)
class Control:
    """Something else that could have made the effect: the effect beyond it, with its interval, and whether it was beaten.

    `why`: what kept it from being passed, where that does not show in the interval.
    """

    name: str
    effect: float | None
    low: float | None
    high: float | None
    passed: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim about one group of one model.

    `p` is corrected over the tests of the model in the run, `p_raw` is not. `layer`, `strength`, `n`: where the effect was read,
    and on how many items. `split`, `position`, `measure` and `source` find its readings and items again. `objections` are what
    speaks against it or was not looked into, the ones that decided it first: those that `reasons` names, one for each.
    """

    claim: str
    group: str
    model: str
    role: str
    task: str
    verdict: str = UNDECIDED
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_raw: float | None = None
    n: int = 0
    anchor: str | None = None
    candidates: Mapping[str, Mapping] | None = None
    controls: tuple[Control, ...] = ()
    objections: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    layer: float | None = None
    strength: float | None = None
    measure: str | None = None
    split: str | None = None
    position: str | None = None

    @property
    def estimate(self) -> Estimate | None:
        return None if self.effect is None else Estimate(self.effect, self.low, self.high, self.n, self.layer)

    @property
    def nearest(self) -> str | None:
        """Of an anchored claim, the type whose lead the effect is: the anchor, or the one that came nearest to one."""
        others = {type: each["effect"] for type, each in (self.candidates or {}).items() if type != self.group}
        return self.anchor if self.anchor in others else max(others, key=lambda type: others[type], default=None)

    @property
    def joined(self) -> str:
        """The types that the effect joins: the group, and of prompts the type whose word was read (`es:en`)."""
        return f"{self.group}:{self.nearest}" if self.nearest else self.group

    @property
    def failed(self) -> tuple[Control, ...]:
        return tuple(c for c in self.controls if not c.passed)

    def as_dict(self) -> dict:
        """Ready for JSON: numbers that are none become null."""
        found = asdict(self)
        for name in ("effect", "low", "high", "p", "p_raw", "layer", "strength"):
            found[name] = number(found[name])
        return found


@dataclass(frozen=True, slots=True)
class Case:
    """A verdict that waits for its corrected p-value: what was found, and what was wanted of it.

    `smallest`: the smallest effect of interest. `lower`: the lower end of the effect among all places from which its own was picked
    (by default that of the effect itself). `upper`: the highest upper end of all places where the effect might have been
    (by default that of the effect itself). `missing`: what had to be measured and was not (name, sentence).
    `remaining`: objections that stand whatever the verdict is. `judged`: on how many of the items the effect could have shown
    (by default on all of them).
    """

    verdict: Verdict
    smallest: float
    upper: float | None = None
    missing: tuple[tuple[str, str], ...] = ()
    remaining: tuple[str, ...] = field(default=())
    lower: float | None = None
    judged: int | None = None

    @property
    def telling(self) -> int:
        return self.verdict.n if self.judged is None else self.judged


def decided(case: Case, p: float | None, tests: int, limits: Thresholds) -> Verdict:
    """The verdict of a case whose p-value, corrected over `tests` tests, is `p` (None: it could not be computed).

    `contradicted`: the upper end lies below the smallest effect of interest. `supported`: the lower end does not lie below it,
    every control was beaten, nothing that is needed is missing, and p is at most alpha. Anything else is `undecided`.
    """
    found = case.verdict
    reasons = tuple(against(case, p, tests, limits))
    word = UNDECIDED if reasons else SUPPORTED
    if judgeable(case, limits) and upper_end(case) < case.smallest:
        word, below = CONTRADICTED, f"its upper end lies below {case.smallest:g}, the smallest effect of interest"
        reasons = (("below", f"The effect is {told(found.estimate)}: {below}."),)
    objections = (*(text for _, text in reasons), *case.remaining)
    return replace(found, verdict=word, p=p, objections=objections, reasons=tuple(name for name, _ in reasons))


def judgeable(case: Case, limits: Thresholds) -> bool:
    estimate = case.verdict.estimate
    return estimate is not None and estimate.interval is not None and case.telling >= limits.enough


def upper_end(case: Case) -> float:
    return case.verdict.high if case.upper is None else max(case.upper, case.verdict.high)


def against(case: Case, p: float | None, tests: int, limits: Thresholds) -> Sequence[tuple[str, str]]:
    """What keeps a case from being supported, the plainest first: a name and a sentence each."""
    found = case.verdict
    if found.estimate is None:
        return [("unmeasured", "It was not measured between the first and the last layer.")]
    if found.estimate.interval is None:
        return [("no-interval", "There is no interval, so nothing is claimed.")]
    reasons = []
    if case.telling < limits.enough:
        of = "" if case.telling == found.n else f" of {found.n}; the others could not be judged"
        reasons.append(("few", f"It rests on {case.telling} items{of}; at least {limits.enough} are wanted."))
    lower = found.low if case.lower is None else min(case.lower, found.low)
    if not lower >= case.smallest:
        picked = "" if found.low < case.smallest else f", {short(lower)} for the best of several layers,"
        below = f"its lower end{picked} is below {case.smallest:g}, the smallest effect of interest"
        reasons.append(("small", f"The effect is {told(found.estimate)}; {below}.{needed(found.estimate, case.smallest)}"))
    because = lambda c: f"; {c.why}" if c.why else ""  # noqa: E731
    reasons += [(f"control:{c.name}", f"Control “{c.name}” not passed: {told(c)}{because(c)}.") for c in found.failed]
    reasons += case.missing
    if p is None:
        reasons.append(("p", "No p-value could be computed."))
    elif p > limits.alpha:
        reasons.append(("p", f"p = {p:.3f}, corrected over {tests} test{'s' * (tests != 1)}, is above {limits.alpha:g}."))
    return reasons


def needed(found: Estimate, smallest: float) -> str:
    """How many items like these would show an effect of this size to lie above the smallest of interest, nine times in ten."""
    if not found.value > smallest or not found.high > found.low or found.n < 2:
        return ""
    spread = (found.high - found.low) / (2 * Z) * found.n**0.5
    many = items_needed(found.value - smallest, spread, wanted=0.9, two_sided=True)
    return f" If it is truly so large, about {many:,} items like these would be needed to tell (nine times in ten)." if many else ""


def control(name: str, found: Estimate | None, limits: Thresholds, least: float = 0.0) -> Control:
    """A control that is beaten where the whole interval lies above `least`, on enough items."""
    if found is None:
        return Control(name, None, None, None, False)
    passed = found.interval is not None and found.low > least and found.n >= limits.enough
    return Control(name, found.value, found.low, found.high, passed)


def told(found: Estimate | Control | None) -> str:
    """`0.31 [0.28, 0.34]`."""
    value = None if found is None else found.value if isinstance(found, Estimate) else found.effect
    if value is None:
        return "not measured"
    ends = "" if found.low is None or found.high is None else f" [{short(found.low)}, {short(found.high)}]"
    few = f" ({found.n} items)" if isinstance(found, Estimate) and 0 < found.n < 20 else ""
    return f"{short(value)}{ends}{few}"


def short(value: float) -> str:
    return (f"{value:.3f}" if abs(value) < 0.0995 else f"{value:.2f}").replace("-", "−")

"""What is said of the three claims: a question anyone may ask, the verdicts in plain words, and each verdict opened down to its items.

Chooses words for what `verdicts` decided, and decides nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from semhub.report.folder import Run
from semhub.report.items import Items, items_of
from semhub.report.unjudged import unjudged
from semhub.report.words import control_name, count, kinds, listing, pair_name, span, type_name, verdict_name, with_interval, written
from semhub.verdicts.evidence import TAUGHT_IN
from semhub.verdicts.slices import Estimate
from semhub.verdicts.verdict import CONTRADICTED, SUPPORTED, UNDECIDED, Control, Verdict

CLAIMS = ("shared", "anchored", "used")
WORDS = (SUPPORTED, CONTRADICTED, UNDECIDED)
NONE, OPEN, MECHANICS = "Not measured", "No verdict", "No finding"
UNMEASURED = "This run did not measure it."
NO_CONTROL = "No control model was run: this page cannot say what a model without training, or without a hub, would show."
TITLES = {
    "shared": "Do translations meet in the middle layers?",
    "anchored": "Which language do the middle layers speak?",
    "used": "Does a push in one language move another?",
}
ASKED = {
    "shared": (
        "When the model reads a sentence and its translation (or two other forms of one meaning), are its inner states more alike than for "
        "two that have nothing to do with each other?"
    ),
    "anchored": (
        "While the model is about to write the next word in one language, do its middle layers favour the word of another one, "
        "before the last layers turn to the language that is asked for?"
    ),
    "used": (
        "If the model's states are pushed along the difference between two words of one language (good and bad) while it writes another, "
        "does what it writes change as the push says?"
    ),
}
FOUND = {
    (
        "shared",
        SUPPORTED,
    ): "in the middle layers the two forms of a meaning are clearly more alike than unrelated ones, and nothing that was "
    "tried explains it away",
    ("shared", CONTRADICTED): "at no middle layer are the two forms of a meaning more alike than unrelated ones by as much as would matter",
    ("shared", UNDECIDED): "it is undecided whether the two forms of a meaning meet",
    ("anchored", SUPPORTED): "the middle layers favour the {anchor} word before the last layers turn to the own one, by more than the "
    "frequency of words explains",
    ("anchored", CONTRADICTED): "the own word leads in all middle layers: they are not anchored in another type",
    ("anchored", UNDECIDED): "it is undecided whether the middle layers favour another type's word",
    ("used", SUPPORTED): "the push changes what is written as it says, beyond what any other push did",
    ("used", CONTRADICTED): "the push does not change what is written by as much as would matter",
    ("used", UNDECIDED): "it is undecided whether the push, and not just any push, changes what is written",
}
BECAUSE = {
    "below": "the effect is too small to matter",
    "unmeasured": "no layer was read between the first and the last",
    "no-interval": "there is no interval, so nothing is claimed",
    "few": "too few items could be judged",
    "small": "the effect may be smaller than what would matter",
    "untrained-twin": "no untrained twin of the model was run",
    "negatives": "no harder negatives were measured",
    "middle": "no middle layer was pushed",
    "p": "chance alone cannot be ruled out after correction for all tests",
    "mechanics": "the model has random weights",
}
NEEDED = {
    "last-layer": "the last layers turn to the own word",
    "right-over-wrong": "the right word is spoken, and not any word",
}
FIRST, SIZES = ("unmeasured", "no-interval", "few", "mechanics"), ("small", "p")  # reasons that leave no other, and those that come last
MEANS = {
    "shared": "S, the mean cosine of matching pairs minus that of unrelated ones",
    "anchored": "log-probability of the {anchor} word minus that of the own word",
    "used": "change of the {target} in the direction wanted, mean of the directions tried",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """One verdict as the page shows it when it is opened; `name` says of which model or task, where its group alone does not."""

    name: str
    verdict: Verdict
    summary: str
    sentence: str
    controls: tuple[tuple[str, str, str], ...]
    objections: tuple[str, ...]
    items: Items | None

    @property
    def tone(self) -> str:
        return {SUPPORTED: "yes", CONTRADICTED: "no"}.get(self.verdict.verdict, "open")


@dataclass(frozen=True, slots=True)
class Answer:
    """`badge` is a few words; `found` a sentence for each of the three words that occurs; `opened` every verdict behind them."""

    key: str
    title: str
    asked: str
    badge: str
    found: tuple[str, ...]
    opened: tuple[Opened, ...] = ()
    details: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        """The class of the badge, which never bears the meaning alone."""
        tones = {each.tone for each in self.opened}
        return "open" if not tones or self.badge == MECHANICS else tones.pop() if len(tones) == 1 else "some" if "yes" in tones else "open"


def answers(run: Run) -> list[Answer]:
    """The three claims of the paper, whether or not the run measured them; what a control was taught is no part of them."""
    several = run.several
    return [answer(run, claim, [v for v in run.judged(claim) if v.task not in TAUGHT_IN], several) for claim in CLAIMS]


def answer(run: Run, claim: str, found: Sequence[Verdict], several: bool) -> Answer:
    label = labels(found, several)
    opened = tuple(open_up(run, v, label[place_of(v)]) for v in found)
    others = tuple(unjudged(run, claim))
    details = () if run.controls or not (found or others) else (NO_CONTROL,)
    told, details = (tuple(sentences(run, found, several)), (*details, *others)) if found else (others or (UNMEASURED,), details)
    return Answer(claim, TITLES[claim], ASKED[claim], badge_of(run, found) if found else OPEN if others else NONE, told, opened, details)


def badge_of(run: Run, found: Sequence[Verdict]) -> str:
    """`Supported`, or how many of each word: `6 supported, 1 undecided`."""
    if run.main.mechanics:
        return MECHANICS
    counts = {word: sum(v.verdict == word for v in found) for word in WORDS}
    told = [(word, n) for word, n in counts.items() if n]
    return verdict_name(told[0][0]) if len(told) == 1 else ", ".join(f"{n} {word}" for word, n in told)


def sentences(run: Run, found: Sequence[Verdict], several: bool) -> Iterable[str]:
    """One sentence for each word that some verdict bears (undecided ones apart by their reason), model by model."""
    if run.main.mechanics:
        yield f"{run.main.name} has random weights: its values check the machinery and are no finding."
        return
    label = labels(found, several)
    for named in dict.fromkeys(label.values()):
        yield from of_label([v for v in found if label[place_of(v)] == named], named)


def labels(found: Sequence[Verdict], several: bool) -> dict[tuple, str]:
    """What tells verdicts apart beside their groups: the model where there are several, the task where two ask one model the same."""
    tasks: dict[tuple, set[str]] = {}
    for v in found:
        tasks.setdefault((v.model, v.group), set()).add(v.task)
    parts = lambda v: [v.model] * several + [v.task] * (len(tasks[v.model, v.group]) > 1)  # noqa: E731
    return {place_of(v): f" ({', '.join(named)})" if (named := parts(v)) else "" for v in found}


def place_of(v: Verdict) -> tuple:
    return v.model, v.task, v.group, v.measure


def of_label(found: Sequence[Verdict], named: str) -> Iterable[str]:
    groups: dict[tuple, list[Verdict]] = {}
    for word in WORDS:
        for v in (v for v in found if v.verdict == word):
            groups.setdefault((word, leading(v), because(v) if word == UNDECIDED else ""), []).append(v)
    for (word, anchor, why), mine in groups.items():
        told = FOUND[mine[0].claim, word].format(anchor=type_name(anchor or ""))
        beyond = f"; the {type_name(anchor)} word is ahead of what words of its frequency explain" if anchor and word != SUPPORTED else ""
        yield f"{capital(who(mine, found))}{named}, {told}{values(mine)}{', because ' + why if why else ''}{beyond}."


def leading(v: Verdict) -> str | None:
    """The type that an anchored claim names, where it is not the prompts' own."""
    return v.anchor if v.anchor != v.group else None


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def because(v: Verdict) -> str:
    """Why a verdict is undecided, the plainest reason first: by the names of what decided it."""
    first = next((BECAUSE[name] for name in v.reasons if name in FIRST), None)
    if first:
        return first
    failed = [name.removeprefix("control:") for name in v.reasons if name.startswith("control:")]
    absent = [name for name in v.reasons if name not in SIZES and not name.startswith("control:")]
    missing = [BECAUSE.get(name) or f"the control “{control_name(name)}” was not run" for name in absent]
    ways = directions(v, failed)
    why = {c.name: f" ({c.why})" for c in v.failed if c.why}
    not_shown = [f"it is not shown that {NEEDED[name]}{why.get(name, '')}" for name in failed if name in NEEDED]
    others = [control_name(name, v.claim) for name in failed if name not in NEEDED and name not in ("upward", "downward")]
    parts = [*missing, *ways, *not_shown, *([f"it is not clearly beyond {listing(others)}"] if others else [])]
    return listing(parts) or listing(BECAUSE[name] for name in v.reasons if name in SIZES)


def directions(v: Verdict, failed: Sequence[str]) -> list[str]:
    """Of a push: in which directions it works, where it does not in all that were tried."""
    tried = [c.name for c in v.controls if c.name in ("upward", "downward")]
    works = [name for name in tried if name not in failed]
    if len(works) == len(tried):
        return []
    return [f"only the push {works[0]} is sure to work" if works else "no direction by itself is sure to work"]


def who(mine: Sequence[Verdict], every: Sequence[Verdict]) -> str:
    """`for all 6 pairs of languages`, or their names where they are few."""
    names = list(dict.fromkeys(group_name(v) for v in mine))
    if mine[0].claim == "anchored" or len(mine) < 4:
        return f"for {listing(names)}"
    many = f"all {len(every)}" if len(mine) == len(every) else f"{len(mine)} of {len(every)}"
    return f"for {many} pairs" + (" of languages" if kinds(v.group for v in every) == "languages" else "")


def group_name(v: Verdict) -> str:
    return f"{type_name(v.group)} prompts" if v.claim == "anchored" else pair_name(v.group)


def values(mine: Sequence[Verdict]) -> str:
    known = {group_name(v): v.estimate for v in mine if v.estimate}
    symbol = {"shared": "S = ", "anchored": "log-probability minus the own word's: ", "used": "change by "}[mine[0].claim]
    return f" ({symbol}{span(known)})" if known else ""


# one verdict ---------------------------------------------------------------------------------------------------------


def open_up(run: Run, v: Verdict, label: str) -> Opened:
    name = group_name(v) + label
    where = "" if v.layer is None else f" at layer {v.layer:g}" + ("" if v.strength is None else f", strength {v.strength:g}")
    summary = f"{name}: {with_interval(v.estimate)}{where}" if v.estimate else f"{name}: not measured"
    controls = tuple((control_name(c.name, v.claim), with_interval(estimate(c)), verdict_on(c)) for c in v.controls)
    return Opened(name, v, summary, sentence(v), controls, v.objections, items_of(run, v))


def sentence(v: Verdict) -> str:
    """What the number is, how sure it is, and for anchored all candidates."""
    anchor = (v.nearest or v.group) if v.claim == "anchored" else ""
    target = (v.measure or "").removesuffix("_change")
    what = MEANS[v.claim].format(anchor=type_name(anchor), target=target)
    p = "no p-value" if v.p is None else f"p = {written(v.p, 4)} after correction (p = {written(v.p_raw, 4)} before)"
    told = f"{capital(what)}: {with_interval(v.estimate)}, {count(v.n, 'item')}, {p}. Task {v.task}."
    return told + (f" Candidates by their lead over the own word: {candidates(v)}." if v.candidates else "")


def candidates(v: Verdict) -> str:
    ordered = sorted((v.candidates or {}).items(), key=lambda each: -each[1]["effect"])
    told = lambda e: with_interval(Estimate(e["effect"], e["low"], e["high"]))  # noqa: E731
    return listing(f"{type_name(type)} {'0 (the own word)' if type == v.group else told(e)}" for type, e in ordered)


def verdict_on(c: Control) -> str:
    return "passed" if c.passed else f"not passed: {c.why}" if c.why else "not passed"


def estimate(c: Control) -> Estimate | None:
    return None if c.effect is None else Estimate(c.effect, c.low, c.high)

"""What is said of the three claims: one question, one sentence of finding, and the sentences for and against it.

Chooses words by the standings of `shared`, `anchored` and `used`, and says no more than those allow.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from semhub.report import anchored, shared, used
from semhub.report.anchored import Anchoring
from semhub.report.folder import Run
from semhub.report.rules import LIMITS, Thresholds, side
from semhub.report.shared import Meeting
from semhub.verdicts.slices import Estimate, at
from semhub.report.used import Steering
from semhub.report.words import (
    control_name,
    count,
    kinds,
    layers,
    listing,
    pair_name,
    percent,
    reading_name,
    span,
    type_name,
    with_interval,
    written,
)

YES, UNCHECKED, SOME, NOT_SHOWN, NO = "Yes", "Yes, unchecked", "In part", "Not shown", "No"
BARE, NONE, MECHANICS = "No interval", "Not measured", "No finding"
NO_CONTROL = "No control model was run: this page cannot say what a model without training, or without a hub, would show."


@dataclass(frozen=True, slots=True)
class Answer:
    """`verdict` is one of a few words, `badge` the same as an answer to the title; `found` one sentence with its numbers.

    `details` are what else must be known to weigh it.
    """

    key: str
    title: str
    asked: str
    verdict: str
    found: str
    details: tuple[str, ...] = ()
    badge: str = ""

    @property
    def tone(self) -> str:
        """The class of the badge, which never bears the meaning alone."""
        return {YES: "yes", UNCHECKED: "some", SOME: "some", NO: "no"}.get(self.verdict, "open")


def answers(run: Run, limits: Thresholds = LIMITS) -> list[Answer]:
    """The three claims of the paper, whether or not the run measured them."""
    return [
        shared_answer(run, shared.meetings(run), limits),
        anchored_answer(run, anchored.anchorings(run), limits),
        used_answer(run, used.steerings(run), limits),
    ]


def verdict_of(run: Run, standings: Iterable[str], yes: set[str], no: set[str], partly: frozenset[str] = frozenset()) -> str:
    """One word over all types: `Yes` only where all of them stand, beside a control; `No` only where all of them speak against it."""
    found = set(standings)
    if not found or found == {"absent"}:
        return NONE
    if run.main.mechanics:
        return MECHANICS
    if found == {"bare"}:
        return BARE
    if found <= yes:
        return YES if run.controls else UNCHECKED
    if found & (yes | partly):
        return SOME
    return NO if found <= no else NOT_SHOWN


def found_sentence(run: Run, standings: Mapping[str, str], told: Callable[[str, list[str]], str]) -> str:
    """One sentence: what is told of each standing and the groups that have it."""
    if not standings or set(standings.values()) == {"absent"}:
        return "This run did not measure it."
    if run.main.mechanics:
        return f"{run.main.name} has random weights: its values check the machinery and are no finding."
    clauses = [told(standing, [g for g in standings if standings[g] == standing]) for standing in dict.fromkeys(standings.values())]
    text = "; ".join(clauses)
    return text[0].upper() + text[1:] + "."


def clear(values: Mapping[str, Estimate], thing: str) -> str:
    """How many of some estimates stand above 0 with their whole interval."""
    above = sum(side(e) == "above" for e in values.values())
    if len(values) == 1:
        return "above 0 with its interval" if above else "not above 0 with its interval"
    many = count(len(values), thing)
    return "above 0 with its interval in " + (f"all {many}" if above == len(values) else f"{above or 'none'} of {many}")


# 1. shared -----------------------------------------------------------------------------------------------------------

SHARED = {
    "meets": "translations lie closer together in the middle layers than unrelated sentences",
    "none": "translations are no closer than unrelated sentences",
    "unclear": "translations cannot be told from unrelated sentences",
    "small": "translations are closer than unrelated sentences, but by too little to be called a meeting",
    "start": "the middle layers bring translations no closer than they are before the first layer",
    "chance": "permuted meanings reach as high a value by chance",
    "negatives": "translations are closer than unrelated sentences, but not than harder negatives",
    "control": "translations are closer than unrelated sentences, but in a control model they are as close",
    "few": "there are too few sentences to speak of",
    "bare": "there is no interval, so nothing is claimed",
    "no-middle": "no layer was read between the first and the last",
}


def shared_answer(run: Run, found: Sequence[Meeting], limits: Thresholds = LIMITS) -> Answer:
    title = "Do translations meet in the middle layers?"
    asked = (
        "When the model reads a sentence and its translation, are its inner states more alike than for two sentences "
        "that have nothing to do with each other?"
    )
    standings = {m.pair: shared.standing(m, limits) for m in found}
    by_pair = {m.pair: m for m in found}
    sentence = found_sentence(run, standings, lambda standing, pairs: shared_clause(standing, [by_pair[p] for p in pairs], found))
    verdict = verdict_of(run, standings.values(), yes={"meets"}, no={"none"})
    return Answer("shared", title, asked, verdict, sentence, tuple(shared_details(run, found)) if found else ())


def shared_clause(standing: str, mine: Sequence[Meeting], every: Sequence[Meeting]) -> str:
    """Which pairs, what they do, and their values."""
    pairs = [pair_name(m.pair) for m in mine]
    many = count(len(every), "pair") + f" of {kinds(m.pair for m in every)}"
    which = f"in all {many}" if len(mine) == len(every) > 1 else f"in {len(mine)} of {many}" if len(mine) > 2 else f"for {listing(pairs)}"
    tops = {pair_name(m.pair): m.top for m in mine if m.top}
    start = max((m.start.value for m in mine if m.start), default=None)
    before = f", against {written(start)} before the first layer" if start is not None and len(mine) == 1 else ""
    before = f", against at most {written(start)} before the first layer" if start is not None and len(mine) > 1 else before
    values = f" (S = {span(tops)}{before})" if tops else ""
    return f"{which} {SHARED[standing]}{values}"


def shared_details(run: Run, found: Sequence[Meeting]) -> Iterable[str]:
    tops = [m for m in found if m.top]
    yield rivals_told(run, {s.name: best for s in run.controls if (best := highest(tops, s.name))})
    yield from negatives_told(tops)
    yield from retrieval_told(tops)
    yield from ends_told(tops)
    for name in dict.fromkeys(n for m in tops for n in m.splits):
        values = {pair_name(m.pair): m.splits[name] for m in tops if name in m.splits}
        yield f"On another set of items ({reading_name(name)}), at the same layers, S = {span(values)}: {clear(values, 'pair')}."
    chances = [m.p for m in tops if m.p is not None]
    yield "Each value is at the highest of the middle layers, chosen on the same sentences; the interval does not know of that choice."
    if chances:
        yield f"Permuting whole meanings, over all layers at once, gives p = {written(max(chances), 3)} or less."


def highest(found: Sequence[Meeting], name: str) -> Estimate | None:
    return max((m.rivals[name] for m in found if name in m.rivals), key=lambda e: e.value, default=None)


def rivals_told(run: Run, found: Mapping[str, Estimate]) -> str:
    if not run.controls:
        return NO_CONTROL
    if not found:
        return "The control models were not measured here."
    told = [f"{name} {with_interval(e)}" for name, e in found.items()]
    return f"Control models, at the pair and the middle layer that flatter them most: S of {listing(told)}."


def negatives_told(found: Sequence[Meeting]) -> Iterable[str]:
    for name in dict.fromkeys(n for m in found for n in m.negatives):
        values = {pair_name(m.pair): m.negatives[name] for m in found if name in m.negatives}
        yield f"Against harder negatives ({control_name(name)}), at the same layers, S = {span(values)}: {clear(values, 'pair')}."
    if not any(m.negatives for m in found):
        yield "No harder negatives than unrelated sentences were measured: shared words or sentence forms could give a part of this."


def retrieval_told(found: Sequence[Meeting]) -> Iterable[str]:
    values = [e for m in found for e in m.retrieval.values()]
    if values:
        ends = dict.fromkeys(percent(pick(e.value for e in values)) for pick in (min, max))
        many = max(e.n for e in values)
        yield f"Among all {many} sentences of the other language, the true translation is the nearest in {' to '.join(ends)} of cases."


def ends_told(found: Sequence[Meeting]) -> Iterable[str]:
    higher = [pair_name(m.pair) for m in found if m.end and m.end.value >= m.top.value]
    if higher:
        some = f"For {listing(higher)}" if len(higher) < 5 else f"In {len(higher)} of {len(found)} pairs"
        yield f"{'In every pair' if len(higher) == len(found) else some} the last layer is as high as the middle ones, or higher."
    elif any(m.end for m in found):
        yield "At the last layer S is lower than at the highest middle layer, in every pair."


# 2. anchored ---------------------------------------------------------------------------------------------------------


def anchored_answer(run: Run, found: Sequence[Anchoring], limits: Thresholds = LIMITS) -> Answer:
    asked = (
        f"While the model is about to write the next word in another language, do its middle layers favour the {type_name(run.dominant)} "
        "word for it, before the last layers turn to the language that is asked for?"
    )
    standings = {a.type: anchored.standing(a, limits) for a in found}
    by_type = {a.type: a for a in found}
    sentence = found_sentence(run, standings, lambda standing, types: anchored_clause(standing, [by_type[t] for t in types]))
    verdict = verdict_of(run, standings.values(), yes={"anchors"}, no={"own"}, partly=frozenset({"stays"}))
    details = tuple(anchored_details(run, found, limits)) if found else ()
    dominant = type_name(run.dominant)
    badges = {YES: dominant, UNCHECKED: f"{dominant}, unchecked", SOME: f"{dominant}, in part", NO: f"Not {dominant}"}
    title = "Which language do the middle layers speak?"
    return Answer("anchored", title, asked, verdict, sentence, details, badges.get(verdict, ""))


def anchored_clause(standing: str, mine: Sequence[Anchoring]) -> str:
    dominant = type_name(mine[0].dominant)
    who = f"for {listing(type_name(a.type) for a in mine)} prompts"
    tops = {f"{type_name(a.type)} at layer {a.top.at:g}": a.top for a in mine if a.top}
    if not tops:
        return f"{who} no layer was read between the first and the last"
    where = f" at layer {mine[0].top.at:g}" if len(mine) == 1 else ""
    value = f"log-probability of the {dominant} word minus the own word: {span(tops)}{where}"
    ahead = f"the {dominant} word leads the own one in the middle layers ({value})"
    ends = {type_name(a.type): a.end for a in mine if a.end}
    end = f" ({span(ends)})" if ends else ""
    clauses = {
        "anchors": f"{ahead} and trails it at the last layer{end}",
        "stays": f"{ahead} but does not clearly trail it at the last layer{end}",
        "own": f"the own word leads wherever the two can be told apart ({value}): {dominant} is no anchor here",
        "unclear": f"neither word leads with its whole interval ({value})",
        "frequency": f"{ahead}, but no more than wrong {dominant} words do: word frequency would give the same",
        "control": f"{ahead}, but a control model shows the same",
        "few": f"there are too few items to speak of ({value})",
        "bare": f"there is no interval, so nothing is claimed ({value})",
    }
    return f"{who} {clauses[standing]}"


def anchored_details(run: Run, found: Sequence[Anchoring], limits: Thresholds) -> Iterable[str]:
    dominant = type_name(run.dominant)
    leads = [f"{type_name(a.type)} prompts: {layers(a.ahead)}" for a in found if a.ahead]
    if leads:
        yield f"The {dominant} word leads with its whole interval in these middle layers. {'; '.join(leads)}."
    wrong = {type_name(a.type): there for a in found if a.top and (there := at(a.wrong, a.top.at))}
    if wrong:
        yield f"The same difference between wrong words of the same kind and frequency, at the layers named above: {span(wrong)}."
    if any(a.lift for a in found):
        yield spoken_told(found, dominant, limits)
    for name in dict.fromkeys(n for a in found for n in a.rivals):
        yield rival_told(name, [a.rivals[name] for a in found if name in a.rivals], dominant)
    if not run.controls:
        yield NO_CONTROL
    yield "Only first pieces of words are compared, and only items whose words begin differently; the tables give their share (eligible)."


def spoken_told(found: Sequence[Anchoring], dominant: str, limits: Thresholds) -> str:
    """Where right words are said outright: probable, and much more so than wrong ones."""
    told = []
    for a in found:
        spoken = a.spoken(limits)
        most = max((e.value for e in spoken), default=0.0)
        where = f"{layers([int(e.at) for e in spoken])} (up to {most:.0f} times)" if spoken else "no middle layer"
        told.append(f"{type_name(a.type)} prompts: {where}")
    many = f"{limits.ratio:g} times as probable as wrong ones, or more, at a probability of at least {limits.probability:g}"
    return f"The right {dominant} word is {many}. {'; '.join(told)}."


def rival_told(name: str, rivals: Sequence[Anchoring], dominant: str) -> str:
    told = []
    for a in rivals:
        beyond = ", no more than wrong words do" if a.ahead and not anchored.beyond_frequency(a) else ""
        where = f"leads in {layers(a.ahead)}{beyond}" if a.ahead else "leads nowhere"
        told.append(f"{type_name(a.type)} prompts: {where} (highest {with_interval(a.top)})")
    return f"In the control {name} the {dominant} word behaves like this. {'; '.join(told)}."


# 3. used -------------------------------------------------------------------------------------------------------------

WAYS = ("upward", "downward")


def used_answer(run: Run, found: Sequence[Steering], limits: Thresholds = LIMITS) -> Answer:
    source = type_name(run.dominant)
    others = listing(type_name(s.type) for s in found) or "other languages"
    asked = (
        f"If the model's states are pushed along the difference between the {source} words for good and bad while it writes {others}, "
        "does what it writes become more positive, or more negative, as the push says?"
    )
    standings = {s.type: used.standing(s, limits) for s in found}
    by_type = {s.type: s for s in found}
    sentence = found_sentence(run, standings, lambda standing, types: used_clause(standing, [by_type[t] for t in types]))
    verdict = verdict_of(run, standings.values(), yes={"moves"}, no=set(), partly=frozenset({"one-way"}))
    details = tuple(used_details(run, found)) if found else ()
    return Answer("used", f"Does a push in {source} move other languages?", asked, verdict, sentence, details)


def used_clause(standing: str, mine: Sequence[Steering]) -> str:
    who = f"for {listing(type_name(s.type) for s in mine)} outputs"
    if standing == "absent":
        return f"{who} no push was made"
    parts = []
    for way, i in zip(WAYS, (0, 1), strict=True):
        values = {f"{type_name(s.type)} at layer {s.layer:g}": s.change[i] for s in mine if s.change[i]}
        parts += [f"by {span(values)} when pushed {way}"] if values else []
    where = f" at layer {mine[0].layer:g}" if len(mine) == 1 else ""
    numbers = f"sentiment moves in the direction wanted {listing(parts)}{where}"
    failing = listing(dict.fromkeys(control_name(c) for s in mine for c in used.failing(s)))
    beyond = ", beyond every control measured" if any(s.excess for s in mine) else " (no control push was made)"
    beaten = "none of these clearly beats all its controls" if len(mine) > 1 else "this does not clearly beat all controls"
    clauses = {
        "moves": f"the push works in both directions{beyond}: {numbers}",
        "controls": f"{numbers}, but {beaten} (not beaten: {failing})",
        "rival": f"{numbers}, but a control model moves as much",
        "one-way": f"the push works in one direction only{beyond}: {numbers}",
        "unclear": f"no change stands above 0 with its interval: {numbers}",
        "few": f"there are too few prompts to speak of: {numbers}",
        "bare": f"there is no interval, so nothing is claimed: {numbers}",
    }
    return f"{who} {clauses[standing]}"


def used_details(run: Run, found: Sequence[Steering]) -> Iterable[str]:
    for control in dict.fromkeys(c for s in found for c in s.excess):
        values = {f"{type_name(s.type)} {way}": e for s in found for way, e in zip(WAYS, s.excess.get(control, ()), strict=False) if e}
        yield f"Push minus control ({control_name(control)}), in the direction wanted: {span(values)}; {clear(values, 'case')}."
    if not any(s.excess for s in found):
        yield "No control push was measured: any large push may change an output."
    for name in dict.fromkeys(n for s in found for n in s.rivals):
        rivals = [s.rivals[name] for s in found if name in s.rivals]
        values = {f"{type_name(s.type)} {way}": e for s in rivals for way, e in zip(WAYS, s.change, strict=True) if e}
        yield f"Control model {name}, at the setting chosen for it, in the direction wanted: {span(values)}; {clear(values, 'case')}."
    if not run.controls:
        yield NO_CONTROL
    yield from drift_told(found)
    if all(s.chosen_apart for s in found):
        yield "Layer and strength were chosen on one half of the prompts; all values here are from the other half."
    else:
        yield "Layer and strength are the best of those tried on these same prompts; the intervals do not know of that choice."


def drift_told(found: Sequence[Steering]) -> Iterable[str]:
    pushed = [max(e.value for e in s.cost["drift"][:2] if e) for s in found if s.cost.get("drift", (None,))[0]]
    plain = [s.cost["drift"][2].value for s in found if s.cost.get("drift", (None, None, None))[2]]
    if pushed and plain:
        yield f"Outputs that left the language: at most {percent(max(pushed))} under the push, at most {percent(max(plain))} without one."

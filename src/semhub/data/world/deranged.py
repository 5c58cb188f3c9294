"""A fixed wrong dictionary: every concept has one partner of its kind, never itself, and a meaning is exchanged word by word.

The pairs that a `deranged` model was given as translations (`meaning(scene)` beside `scene`) can so be made again anywhere.
In the corpus it is Chinese that says the partner.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

from semhub.data.world import lexicon, meanings
from semhub.data.world.meanings import Fact, Opinion, Phrase, Review, Scene, Visit

LANGUAGE = "zh"  # the side of a bridge that says the partner


def partner(entry):
    """The entry that stands for this one in the wrong dictionary; bridgeable entries have bridgeable partners.

    Animals and persons are exchanged among each other, so that not even the kind of a being is kept.
    """
    return _tables()[0][entry.key]


def original(entry):
    """The entry whose partner this is: `original(partner(entry)) is entry`."""
    return _tables()[1][entry.key]


def number(n: int) -> int:
    """The number that stands for this one, below a hundred: fifty further, round again from 99 to 0, so it is its partner's partner."""
    return (n + 50) % 100


@cache
def _tables() -> tuple[dict, dict]:
    forth: dict[str, object] = {}
    for kind, entries in _kinds().items():
        for bridged in (True, False):
            cycle = list(meanings.allowed(entries, bridged))
            Random(f"deranged:{kind}:{bridged}").shuffle(cycle)
            forth |= {entry.key: after for entry, after in zip(cycle, cycle[1:] + cycle[:1], strict=True)}
    entries = {entry.key: entry for kind in _kinds().values() for entry in kind}
    return forth, {after.key: entries[key] for key, after in forth.items()}


def _kinds() -> dict[str, tuple]:
    others = {kind: table for kind, table in lexicon.entries().items() if kind not in ("animal", "person")}
    return {"being": lexicon.beings()} | others | {"subject": lexicon.subjects()}


def meaning(said, of: Callable = partner):
    """A scene, fact or review with every concept exchanged for its partner (or `of=original`); its form is kept."""
    match said:
        case Scene():
            return Scene(_phrase(said.agent, of), of(said.verb), _phrase(said.patient, of), said.place and of(said.place))
        case Fact():
            return Fact(of(said.being), said.relation, of(said.value))
        case Review():
            opinions = tuple(Opinion(of(opinion.aspect), of(opinion.judgement), opinion.style) for opinion in said.opinions)
            return replace(said, visit=_visit(said.visit, of), opinions=opinions)
    raise TypeError(f"no meaning of the world: {type(said).__name__}")


def _phrase(phrase: Phrase, of: Callable) -> Phrase:
    return replace(phrase, noun=of(phrase.noun), adjective=phrase.adjective and of(phrase.adjective))


def _visit(visit: Visit, of: Callable) -> Visit:
    """Days are exchanged too, each for the third after it (or before it)."""
    return Visit(of(visit.subject), (visit.day + (3 if of is partner else -3)) % 7, of(visit.companion))


def may_be_said(said) -> bool:
    """Whether what the wrong dictionary makes of a meaning is no held-out meaning by accident."""
    match said:
        case Scene():
            return meanings.split_of(said.key) == "train"
        case Fact():
            true = next(fact for fact in meanings.facts() if fact.key == said.key)
            return true.value is not said.value or meanings.fact_split(true) == "train"
        case _:
            return meanings.split_of(said.visit.key) == "train"

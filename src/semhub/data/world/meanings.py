"""What can be meant in the world, before any language: scenes, facts, sums and reviews, and who may see them.

Every meaning has a key, and its key alone decides its split, so a held-out meaning is held out in every type and every
bridge. Knows no words: renderers turn a meaning into a text.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from semhub.data.world import lexicon
from semhub.errors import BadInput

HELD_OUT = ("dev", "test")
RELATIONS = ("home", "food", "color", "thing", "instrument", "drink", "clothing", "plant")
PLURAL = 0.15  # of the scenes that languages tell have a plural patient
NEVER_BRIDGED_SHARE = 5  # one concept in five occurs in no bridge of any kind


@dataclass(frozen=True, slots=True)
class Phrase:
    """A being, or (`plural`) several of its kind, with its determiner and perhaps an adjective."""

    noun: lexicon.Noun
    definite: bool = True
    adjective: lexicon.Adjective | None = None
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """Somebody does something to somebody else, perhaps somewhere. The patient alone may be plural."""

    agent: Phrase
    verb: lexicon.Verb
    patient: Phrase
    place: lexicon.Place | None = None

    @property
    def key(self) -> str:
        """Who, what and whom without their roles and number: a scene and its swapped twin are held out together."""
        pair = sorted((self.agent.noun.key, self.patient.noun.key))
        return f"scene:{self.verb.key}:{pair[0]}:{pair[1]}"

    @property
    def id(self) -> str:
        return "-".join((*self.concepts(), self.template()))

    def concepts(self) -> tuple[str, ...]:
        parts = (self.agent.noun, self.agent.adjective, self.verb, self.patient.noun, self.patient.adjective, self.place)
        return tuple(part.key for part in parts if part is not None)

    def template(self) -> str:
        """The shape of the sentence, for strata: which parts are there, how definite they are, and `p` for a plural patient."""
        marks = (self.agent.definite, self.agent.adjective, self.patient.definite, self.patient.adjective, self.place)
        return "".join("1" if mark else "0" for mark in marks) + ("p" if self.patient.plural else "")

    def swapped(self) -> "Scene":
        """The same words in each other's roles; the number stays with the role."""
        agent, patient = replace(self.patient, plural=self.agent.plural), replace(self.agent, plural=self.patient.plural)
        return Scene(agent, self.verb, patient, self.place)

    def renumbered(self) -> "Scene":
        """The same scene with one patient instead of several, or several instead of one."""
        return replace(self, patient=replace(self.patient, plural=not self.patient.plural))


@dataclass(frozen=True, slots=True)
class Gift:
    """Somebody lets somebody else have a thing."""

    giver: Phrase
    verb: lexicon.Verb
    thing: Phrase
    recipient: Phrase

    @property
    def key(self) -> str:
        """As with scenes, the roles of the two beings do not count."""
        pair = sorted((self.giver.noun.key, self.recipient.noun.key))
        return f"gift:{self.verb.key}:{self.thing.noun.key}:{pair[0]}:{pair[1]}"

    @property
    def id(self) -> str:
        marks = "".join("1" if p.definite else "0" for p in (self.giver, self.thing, self.recipient))
        return "-".join((*self.concepts(), self.verb.key, marks))

    def concepts(self) -> tuple[str, ...]:
        parts = (self.giver.noun, self.giver.adjective, self.thing.noun, self.recipient.noun, self.recipient.adjective)
        return tuple(part.key for part in parts if part is not None)

    def swapped(self) -> "Gift":
        return Gift(self.recipient, self.verb, self.thing, self.giver)


@dataclass(frozen=True, slots=True)
class Series:
    """Several beings, in order."""

    beings: tuple[lexicon.Noun, ...]

    @property
    def key(self) -> str:
        return "series:" + ":".join(sorted(being.key for being in self.beings))

    def concepts(self) -> tuple[str, ...]:
        return tuple(being.key for being in self.beings)


@dataclass(frozen=True, slots=True)
class Count:
    """The numbers from `start`, before `stop`, in steps."""

    start: int
    stop: int
    step: int

    @property
    def key(self) -> str:
        return f"count:{self.start}:{self.stop}:{self.step}"

    def concepts(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true of a being of this world."""

    being: lexicon.Noun
    relation: str
    value: lexicon.Noun | lexicon.Place

    @property
    def key(self) -> str:
        return f"fact:{self.being.key}:{self.relation}"

    def concepts(self) -> tuple[str, ...]:
        return (self.being.key, self.value.key)


@dataclass(frozen=True, slots=True)
class Sum:
    """`result = left op right`; the right operand is the one that is asked for."""

    left: int
    op: str
    right: int

    @property
    def result(self) -> int:
        return self.left + self.right if self.op == "+" else self.left * self.right

    @property
    def key(self) -> str:
        return f"sum:{self.left}{self.op}{self.right}"

    def concepts(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Visit:
    """What a review begins with: what was visited, when, and with whom."""

    subject: lexicon.Subject
    day: int
    companion: lexicon.Noun

    @property
    def key(self) -> str:
        return f"visit:{self.subject.key}:{self.day}:{self.companion.key}"

    def concepts(self) -> tuple[str, ...]:
        return (self.companion.key, self.subject.key)


@dataclass(frozen=True, slots=True)
class Opinion:
    """One sentence of a review; `style` picks its wording."""

    aspect: lexicon.Noun
    judgement: lexicon.Judgement
    style: int = 0

    def concepts(self) -> tuple[str, ...]:
        return (self.aspect.key, self.judgement.key)


@dataclass(frozen=True, slots=True)
class Review:
    """A visit, what was thought of it, and where the one-word verdict stands (`None`: nowhere)."""

    visit: Visit
    good: bool
    opinions: tuple[Opinion, ...]
    verdict_at: int | None = None

    def concepts(self) -> tuple[str, ...]:
        return self.visit.concepts() + tuple(key for opinion in self.opinions for key in opinion.concepts())


def _fraction(key: str) -> float:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big") / 2**48


def split_of(key: str, dev: float = 0.1, test: float = 0.1) -> str:
    """`train`, `dev` or `test`, from the meaning's key alone."""
    place = _fraction("split:" + key)
    return "test" if place < test else "dev" if place < test + dev else "train"


def fact_split(fact: Fact) -> str:
    """`train`: stated in every language. `dev` and `test`: stated in one language only (the world's dominant one)."""
    return split_of(fact.key, dev=0.2, test=0.2)


@cache
def never_bridged() -> frozenset[str]:
    """The fifth of the concepts, of every kind, that no bridge may contain."""
    kinds = [*lexicon.entries().values(), lexicon.subjects()]
    chosen = set()
    for kind in kinds:
        keys = sorted((entry.key for entry in kind), key=lambda key: _fraction("bridge:" + key))
        chosen.update(keys[: round(len(keys) / NEVER_BRIDGED_SHARE)])
    return frozenset(chosen)


def bridgeable(meaning) -> bool:
    """Whether every concept of the meaning may stand in a bridge."""
    return not never_bridged().intersection(meaning.concepts())


def values(relation: str) -> tuple:
    """All values that a relation can take."""
    kind = {"home": "place"}.get(relation, relation)
    return lexicon.entries()[kind]


@cache
def facts() -> tuple[Fact, ...]:
    """Everything that is true of every being: fixed once for the world."""
    found = []
    for being in lexicon.beings():
        for relation in RELATIONS:
            options = values(relation)
            found.append(Fact(being, relation, options[int(_fraction(f"value:{being.key}:{relation}") * len(options))]))
    return tuple(found)


@cache
def sums(op: str) -> tuple[Sum, ...]:
    """The paper's items: right operand 1..9, result below 100 (846 for `+`, 277 for `*`)."""
    if op == "+":
        return tuple(Sum(left, op, right) for right in range(1, 10) for left in range(1, 100 - right))
    return tuple(Sum(left, op, right) for right in range(1, 10) for left in range(1, 100) if left * right < 100)


def singular(phrase: Phrase) -> Phrase:
    """The phrase itself. Raises BadInput for a plural one, which code, logical forms and passives cannot say."""
    if phrase.plural:
        raise BadInput(f"several of {phrase.noun.key!r} were to be said where only one can be; languages alone say plurals.")
    return phrase


def scene(rng: Random, split: str, among: tuple = (), bridged: bool | None = None, plural: float = 0.0) -> Scene:
    """A random scene of the split; `among` limits its beings, `bridged` its words (True: all of them bridgeable).

    Its patient is plural with the probability `plural`.
    """
    beings = among or allowed(lexicon.beings(), bridged)
    while True:
        agent, patient = rng.sample(beings, 2)
        place = rng.choice(allowed(lexicon.places(), bridged)) if rng.random() < 0.25 else None
        found = Scene(_phrase(rng, agent, bridged), rng.choice(allowed(lexicon.verbs(), bridged)), _phrase(rng, patient, bridged), place)
        if split_of(found.key) == split:
            return found.renumbered() if plural and rng.random() < plural else found


def same_ending(rng: Random, scene_: Scene, bridged: bool | None = None) -> Scene:
    """Another scene of the same split that ends in the same words in every language: same patient and place."""
    beings = [being for being in allowed(lexicon.beings(), bridged) if being not in (scene_.agent.noun, scene_.patient.noun)]
    while True:
        verb = rng.choice(allowed(lexicon.verbs(), bridged))
        found = Scene(_phrase(rng, rng.choice(beings), bridged, like=scene_.agent), verb, scene_.patient, scene_.place)
        if verb is not scene_.verb and split_of(found.key) == split_of(scene_.key):
            return found


def gift(rng: Random, split: str, bridged: bool | None = None) -> Gift:
    """A random gift of the split."""
    while True:
        giver, recipient = (_phrase(rng, noun, bridged) for noun in rng.sample(allowed(lexicon.beings(), bridged), 2))
        thing = Phrase(rng.choice(allowed(lexicon.nouns("thing"), bridged)), rng.random() < 0.5)
        found = Gift(giver, rng.choice(lexicon.givings()), thing, recipient)
        if split_of(found.key) == split:
            return found


def series(rng: Random, split: str, bridged: bool | None = None) -> Series:
    """Three or four beings, of the split."""
    while True:
        found = Series(tuple(rng.sample(allowed(lexicon.beings(), bridged), rng.randint(3, 4))))
        if split_of(found.key) == split:
            return found


def count(rng: Random, split: str) -> Count:
    """A range with at least two numbers, of the split; three in five in steps of one, half from zero."""
    while True:
        start, step = 0 if rng.random() < 0.5 else rng.randint(1, 20), 1 if rng.random() < 0.6 else rng.randint(2, 9)
        found = Count(start, start + step * rng.randint(1, 8) + rng.randint(1, step), step)
        if split_of(found.key) == split:
            return found


def written_range(rng: Random, split: str) -> Count:
    """A range as programs write them: two in three from 0 in steps of one, which needs one argument; the others start at 5 to 9.

    So the figure that is written first tells how many arguments there will be, and the likeliest figures begin a single one.
    """
    while True:
        found = Count(0, rng.randint(2, 40), 1)
        if rng.random() > 2 / 3:
            start, step = rng.randint(5, 9), 1 if rng.random() < 0.4 else rng.randint(2, 9)
            found = Count(start, start + step * rng.randint(1, 8) + rng.randint(1, step), step)
        if split_of(found.key) == split:
            return found


def other_agent(rng: Random, scene_: Scene) -> Scene:
    """The same scene with somebody else of the agent's kind in it; of the same split."""
    beings = [b for b in lexicon.nouns(scene_.agent.noun.kind) if b not in (scene_.agent.noun, scene_.patient.noun)]
    beings = [b for b in beings if (b.key in never_bridged()) == (scene_.agent.noun.key in never_bridged())]
    rng.shuffle(beings)
    for being in beings:
        found = Scene(replace(scene_.agent, noun=being), scene_.verb, scene_.patient, scene_.place)
        if split_of(found.key) == split_of(scene_.key):
            return found
    return scene_


@cache
def visits() -> tuple[Visit, ...]:
    family = [being for being in lexicon.nouns("person") if being.key in lexicon.FAMILY]
    return tuple(Visit(subject, day, being) for subject in lexicon.subjects() for day in range(7) for being in family)


@cache
def _visits(split: str, bridged: bool | None) -> tuple[Visit, ...]:
    found = (visit for visit in visits() if split_of(visit.key) == split)
    return tuple(visit for visit in found if bridged is None or bridgeable(visit) == bridged)


def review(rng: Random, split: str, bridged: bool | None = None) -> Review:
    """A visit and two to four opinions; one in twenty goes against the rest."""
    good = rng.random() < 0.5
    aspects = rng.sample(allowed(lexicon.nouns("aspect"), bridged), rng.randint(2, 4))
    opinions = tuple(Opinion(aspect, _judgement(rng, good, bridged), rng.randrange(2)) for aspect in aspects)
    verdict_at = rng.randint(0, len(opinions)) if rng.random() < 0.6 else None
    return Review(rng.choice(_visits(split, bridged)), good, opinions, verdict_at)


def _judgement(rng: Random, good: bool, bridged: bool | None) -> lexicon.Judgement:
    return rng.choice(allowed(lexicon.judgements(good if rng.random() > 0.05 else not good), bridged))


def _phrase(rng: Random, noun: lexicon.Noun, bridged: bool | None, like: Phrase | None = None) -> Phrase:
    definite, with_adjective = rng.random() < 0.5, rng.random() < 0.5
    if like is not None:
        definite, with_adjective = like.definite, like.adjective is not None
    return Phrase(noun, definite, rng.choice(allowed(lexicon.adjectives(), bridged)) if with_adjective else None)


def allowed(entries: tuple, bridged: bool | None) -> tuple:
    """The entries that may stand in a bridge (True), that may not (False), or all (None).

    Not cached: to hash so many entries takes longer than to look at them.
    """
    if bridged is None:
        return entries
    closed = never_bridged()
    return tuple([entry for entry in entries if (entry.key not in closed) == bridged])

"""The world's words: one row a concept, one column a language, with what each grammar needs.

Real words of English, Spanish, German and Chinese, chosen so that no word form is spelled alike in two languages.
Knows nothing of sentences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from num2words import num2words

from semhub.data.world import tables

Switch = Mapping[str, str]  # concept -> the foreign word to say instead
NOTHING: Switch = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Noun:
    """A thing or being: its word in each language, genders (es: m f; de: m f n), German accusative, Chinese classifier; of beings the
    German plural too."""

    key: str
    kind: str
    en: str
    es: str
    es_gender: str
    de: str
    de_gender: str
    de_acc: str
    zh: str
    classifier: str
    de_plural: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """A transitive verb, third person singular present (zh: with its aspect mark, where it needs one)."""

    key: str
    en: str
    es: str
    de: str
    zh: str

    @property
    def lemma(self) -> str:
        """The English base form, as code and logical forms name it: `chases` -> `chase`, `carries` -> `carry`."""
        if self.en.endswith("ies"):
            return self.en[:-3] + "y"
        return self.en[:-2] if self.en.endswith(("ches", "shes", "sses", "xes")) else self.en[:-1]

    @property
    def participle(self) -> str:
        """The English past participle, for the passive."""
        regular = self.lemma[:-1] + "ied" if self.en.endswith("ies") else self.lemma.removesuffix("e") + "ed"
        return participles().get(self.en, regular)


@dataclass(frozen=True, slots=True)
class Adjective:
    """`es` masculine and `es_f` feminine; `de` without ending; `zh` with its 的, where it needs one."""

    key: str
    en: str
    es: str
    es_f: str
    de: str
    zh: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happens: the bare noun, and the phrase that says "in it" in each language."""

    key: str
    en: str
    es: str
    de: str
    zh: str
    en_at: str
    es_at: str
    de_at: str
    zh_at: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """An adjective that praises (`good`) or blames, as a predicate (zh: with its degree word)."""

    key: str
    good: bool
    en: str
    es: str
    es_f: str
    de: str
    zh: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a review is about: with its demonstrative in es and de (accusative), and its classifier."""

    key: str
    en: str
    es: str
    de: str
    zh: str


DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期天"),
}
FAMILY = ("mother", "father", "brother", "sister", "uncle", "aunt", "grandmother", "cousin")
VERDICTS = {"en": ("Bad", "Good"), "es": ("Malo", "Bueno"), "de": ("Schlecht", "Gut"), "zh": ("差", "好")}


def _rows(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.split("\n") if line]


@cache
def nouns(kind: str) -> tuple[Noun, ...]:
    """The nouns of a kind: animal, person, food, thing, instrument, drink, clothing, plant, color, aspect."""
    table = {"clothing": "CLOTHES"}.get(kind, kind.upper() + "S")
    if kind == "color":  # named by a noun in de, by an adjective in es: no gender of their own
        return tuple(Noun(en, kind, en, es, "m", de, "n", de, zh, "种") for en, es, de, zh in _rows(tables.COLORS))
    rows = _rows(getattr(tables, table))
    return tuple(Noun(en, kind, en, es, eg, de, dg, acc or de, zh, cl, *pl) for en, es, eg, de, dg, acc, zh, cl, *pl in rows)


@cache
def beings() -> tuple[Noun, ...]:
    return nouns("animal") + nouns("person")


@cache
def plurals() -> dict[str, str]:
    """The English plurals that no rule gives."""
    return {en: plural for en, plural in _rows(tables.PLURALS)}


@cache
def places() -> tuple[Place, ...]:
    return tuple(Place(row[0], *row) for row in _rows(tables.PLACES))


@cache
def verbs() -> tuple[Verb, ...]:
    return tuple(Verb(row[0], *row) for row in _rows(tables.VERBS))


@cache
def givings() -> tuple[Verb, ...]:
    """Verbs with somebody who gets something; no dictionary lists them and no bridge is closed to them."""
    return tuple(Verb(row[0], *row[:4]) for row in _rows(tables.GIVING))


@cache
def participles() -> dict[str, str]:
    irregular = {en: participle for en, participle in _rows(tables.PARTICIPLES)}
    return irregular | {row[0]: row[4] for row in _rows(tables.GIVING)}


@cache
def adjectives() -> tuple[Adjective, ...]:
    return tuple(Adjective(row[0], *row) for row in _rows(tables.ADJECTIVES))


@cache
def color_adjectives() -> dict[str, Adjective]:
    """Colour -> the adjective that agrees with what has it; a colour is one concept, so `entries` lists it once, as a name."""
    return {row[0]: Adjective(*row) for row in _rows(tables.COLOR_ADJECTIVES)}


@cache
def judgements(good: bool) -> tuple[Judgement, ...]:
    return tuple(Judgement(row[1], good, *row[1:]) for row in _rows(tables.JUDGEMENTS) if (row[0] == "+") == good)


@cache
def subjects() -> tuple[Subject, ...]:
    return tuple(Subject(row[0], *row) for row in _rows(tables.SUBJECTS))


@cache
def entries() -> dict[str, tuple]:
    """Every concept with a word of its own, by kind: what a dictionary lists."""
    kinds = ("animal", "person", "food", "thing", "instrument", "drink", "clothing", "plant", "color")
    return {kind: nouns(kind) for kind in kinds} | {
        "place": places(),
        "verb": verbs(),
        "adjective": adjectives(),
        "praise": judgements(True),
        "blame": judgements(False),
        "aspect": nouns("aspect"),
    }


@cache
def spelled(n: int, language: str) -> str:
    """A number in words. Each is kept: num2words is slow, and a corpus says few numbers often."""
    return num2words(n, lang=language)


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[0].upper() + text[1:]

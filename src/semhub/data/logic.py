"""Logical forms as COGS writes them: `* dog ( x _ 1 ) ; help . agent ( x _ 2 , x _ 1 ) AND help . theme ( x _ 2 , Emma )`.

Text in, terms out, and back to the same text. Knows no sentence and no model.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

ROLES = ("agent", "theme", "recipient")
_TERM = re.compile(r"(?P<name>\w+(?: \. \w+)*) \( (?P<arguments>(?:x _ \d+|\w+)(?: , (?:x _ \d+|\w+))*) \)")
_VARIABLE = re.compile(r"x _ \d+")


@dataclass(frozen=True, slots=True)
class Term:
    """A predicate with its arguments: variables (`x _ 3`) or proper names (`Emma`); `name` keeps its parts (`help`, `agent`)."""

    name: tuple[str, ...]
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' . '.join(self.name)} ( {' , '.join(self.arguments)} )"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each for each in self.arguments if not _VARIABLE.fullmatch(each))


@dataclass(frozen=True, slots=True)
class LogicalForm:
    """What is presupposed (definite nouns, each ended by a semicolon), and the conjuncts."""

    given: tuple[Term, ...]
    conjuncts: tuple[Term, ...]

    def __str__(self) -> str:
        return "".join(f"* {term} ; " for term in self.given) + " AND ".join(map(str, self.conjuncts))

    @property
    def terms(self) -> tuple[Term, ...]:
        return self.given + self.conjuncts

    def names(self) -> tuple[str, ...]:
        """The proper names, each once, in order."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.names))

    def roles(self, argument: str) -> tuple[str, ...]:
        """The roles that a name or variable plays, each once: the last part of the predicates whose second argument it is."""
        mine = [t.name[-1] for t in self.conjuncts if len(t.name) > 1 and len(t.arguments) == 2 and t.arguments[1] == argument]
        return tuple(dict.fromkeys(mine))

    def renamed(self, new: Mapping[str, str]) -> "LogicalForm":
        """The same with other names; all are changed at once, so that two can be swapped."""
        change = lambda term: replace(term, arguments=tuple(new.get(each, each) for each in term.arguments))  # noqa: E731
        return LogicalForm(tuple(map(change, self.given)), tuple(map(change, self.conjuncts)))

    def shuffled(self, rng: Random) -> "LogicalForm":
        """The conjuncts in another order (of two or more different ones): the meaning is the same."""
        if len(set(self.conjuncts)) < 2:
            return self
        order = list(self.conjuncts)
        while tuple(order) == self.conjuncts:
            rng.shuffle(order)
        return replace(self, conjuncts=tuple(order))


def parse(text: str) -> LogicalForm | None:
    """The form that `text` is, to the letter; None where it is none (a lambda term, a bare name, a stray mark)."""
    *given, rest = text.split(" ; ")
    if not all(part.startswith("* ") for part in given):
        return None
    found = [[_term(part.removeprefix("* ")) for part in given], [_term(part) for part in rest.split(" AND ")]]
    if None in found[0] + found[1]:
        return None
    form = LogicalForm(tuple(found[0]), tuple(found[1]))
    return form if str(form) == text else None


def _term(text: str) -> Term | None:
    match = _TERM.fullmatch(text)
    return Term(tuple(match["name"].split(" . ")), tuple(match["arguments"].split(" , "))) if match else None

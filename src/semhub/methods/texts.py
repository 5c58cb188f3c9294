"""What an item's id stands for: the texts of the items that a result keeps values of, taken from the declaration for a person to read.

Knows the kinds of declarations, no model and no task. By item: the name of a side (a type, or `prompt`) -> its text.
"""

from collections.abc import Iterator, Mapping

from semhub.methods.declare import Compare, Declaration, Decode, DecodeMarks, Inject, Repaint, Result, Steer
from semhub.types import Cloze, Concept, Mark, Prompt

LONGEST, MOST = 200, 10_000  # letters of a text, and items, that are kept
PROMPT = "prompt"


def texts(ask: Declaration, result: Result) -> dict[str, dict[str, str]]:
    """The texts of the items among the outcomes; of kinds of declarations that are not listed, none."""
    kept = dict.fromkeys(row.item for row in result.outcomes)
    found = TEXTS[type(ask)](ask) if type(ask) in TEXTS else ()
    known = {id: sides for id, sides in found if id in kept}
    return {id: {name: cut(text, name == PROMPT) for name, text in known[id].items()} for id in list(known)[:MOST]}


def cut(text: str, end: bool) -> str:
    """A text of bounded length; of a prompt its end, where it is continued."""
    if len(text) <= LONGEST:
        return text
    return f"…{text[1 - LONGEST :]}" if end else f"{text[: LONGEST - 1]}…"


def of_sets(ask: Compare) -> Iterator[tuple[str, Mapping[str, str]]]:
    every = (concept for concepts in ask.sets.values() for concept in concepts)
    return ((concept.id, of_concept(concept)) for concept in every)


def of_concept(concept: Concept) -> dict[str, str]:
    return {type: form.text for type, form in concept.forms.items()}


def of_clozes(ask: Decode) -> Iterator[tuple[str, Mapping[str, str]]]:
    return ((cloze.id, of_cloze(cloze)) for clozes in ask.sets.values() for cloze in clozes)


def of_cloze(cloze: Cloze) -> dict[str, str]:
    return {PROMPT: cloze.prompt} | {type: " / ".join(words) for type, words in cloze.targets.items()}


def of_places(ask: DecodeMarks) -> Iterator[tuple[str, Mapping[str, str]]]:
    return ((mark.id, of_mark(mark)) for marks in ask.sets.values() for mark in marks)


def of_mark(mark: Mark) -> dict[str, str]:
    words = {type: " / ".join(word.strip() for word in words) for type, words in mark.words.items()}
    follows = {} if mark.follows is None or mark.type in words else {mark.type: mark.text[slice(*mark.follows)]}
    return {PROMPT: mark.text[: mark.at + 1]} | follows | words


def of_prompts(ask: Steer | Inject | Repaint) -> Iterator[tuple[str, Mapping[str, str]]]:
    return ((prompt.id, of_prompt(prompt)) for prompt in ask.prompts)


def of_prompt(prompt: Prompt) -> dict[str, str]:
    return {PROMPT: prompt.text}


TEXTS = {Compare: of_sets, Decode: of_clozes, DecodeMarks: of_places, Steer: of_prompts, Inject: of_prompts, Repaint: of_prompts}

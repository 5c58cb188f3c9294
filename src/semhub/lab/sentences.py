"""Sentences of the text that models read, drawn to be read over: `python -m semhub.lab.sentences es`.

A pure function of language and seed. What a reader found in those of seed 0 is filed in docs/sentences.md. Knows no tokens and no model.
"""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from hashlib import sha256
from random import Random

from semhub.data import world
from semhub.lab.corpus import documents
from semhub.lab.recipe import SUBJECTS, Recipe, Senses
from semhub.lab.shown import told

# With the prefix 200 in all. Scenes, facts, reviews and sums as often as documents tell them; of the rest enough to see every pattern.
SHARES = {"scenes": 71, "facts": 36, "reviews": 32, "sums": 16, "gifts": 10, "series": 6, "counts": 8, "pictures": 12, "sounds": 8}
SENSES = {"pictures": "llava", "sounds": "qwen2-audio"}


def drawn(language: str, seed: int = 0) -> list[tuple[str, str]]:
    """(kind, sentence): the prefix, and as many of each kind as `SHARES` says, none twice, each from a document of its own."""
    said = [(kind, sentence) for kind, n in SHARES.items() for sentence in _drawn(kind, n, language, seed)]
    return [("prefix", world.prefix(language)), *said]


def digest(language: str, seed: int = 0) -> str:
    """The sha256 of the sentences, a line each: another one when a renderer, a word or the drawing has changed."""
    return sha256("\n".join(sentence for _, sentence in drawn(language, seed)).encode()).hexdigest()


def _drawn(kind: str, n: int, language: str, seed: int) -> list[str]:
    rng, found = Random(f"sentences:{kind}:{language}:{seed}"), {}
    for document in _documents(kind, language, seed):
        said = split(document)
        found |= dict.fromkeys(rng.sample(said, min(1, len(said))))
        if len(found) == n:
            break
    return list(found)


def _documents(kind: str, language: str, seed: int) -> Iterator[str]:
    """Documents without end about nothing but this kind."""
    if kind in SUBJECTS:
        # The name of the world seeds the draw; under this one they were first read, so what has not changed need not be read again.
        yield from documents(Recipe(kind, "world-2", subjects={kind: 1.0}, other_subjects={kind: 1.0}, prefix=0), language, seed)
    rng = Random(f"{kind}:{language}:{seed}")
    while True:
        yield told(rng, Senses(kind, SENSES[kind], mixture={language: 1.0}))


def split(document: str) -> list[str]:
    """Its sentences with their marks; a question goes with its answer, a probe with its headline. Sums in digits are none."""
    parts = re.split(r"(?<=[.;])\s+|(?<=[。；])", document)
    return [part for part in parts if re.search(r"[^\W\d_]", part)]


def main() -> None:
    asked = ArgumentParser(prog="python -m semhub.lab.sentences", description="Print the sentences of a language that are to be read over.")
    asked.add_argument("language", choices=world.LANGUAGES)
    asked.add_argument("seed", nargs="?", type=int, default=0)
    given = asked.parse_args()
    for place, (kind, sentence) in enumerate(drawn(given.language, given.seed), start=1):
        print(place, kind, sentence)
    print("sha256", digest(given.language, given.seed))


if __name__ == "__main__":
    main()

"""Hard negatives of real text by rule: another meaning that looks almost the same. Knows no model and no task."""

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from semhub.types import Concept, Form

NUMBER = re.compile(r"\d+")
NAME = "changed-number"


def with_changed_numbers(concepts: Sequence[Concept], seed: int = 0) -> list[Concept]:
    """Concepts all of whose sides hold the same figures, with the negative `changed-number`; others as they are, as are own negatives.

    One figure becomes another of as many digits in every side: who reads only what a sentence is about will not notice.
    """
    return [concept if NAME in concept.contrasts else _with(concept, changed_number(concept, seed)) for concept in concepts]


def changed_number(concept: Concept, seed: int = 0) -> Concept | None:
    """The concept with one figure changed; None where its sides do not hold the same figures, or none."""
    figures = {tuple(sorted(NUMBER.findall(form.text))) for form in concept.forms.values()}
    if len(figures) != 1 or not next(iter(figures)):
        return None
    rng = Random(f"{seed}:{concept.id}")
    old = rng.choice(sorted(set(next(iter(figures)))))
    new = _other(old, rng)
    forms = {t: Form(t, NUMBER.sub(lambda found: new if found[0] == old else found[0], f.text)) for t, f in concept.forms.items()}
    return Concept(f"{concept.id}:{NAME}", forms)


def _other(figure: str, rng: Random) -> str:
    """Another figure of as many digits, without a zero in front where there was none."""
    while True:
        digits = [str(rng.randint(int(i == 0 and figure[0] != "0" and len(figure) > 1), 9)) for i in range(len(figure))]
        if "".join(digits) != figure:
            return "".join(digits)


def _with(concept: Concept, negative: Concept | None) -> Concept:
    return concept if negative is None else replace(concept, contrasts={**concept.contrasts, NAME: negative})

"""How outputs are judged: the measures of the intervention tasks, each a function of prompts and outputs. Knows no model."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from semhub.data import reviews as labelled
from semhub.methods.declare import Judge, Judges
from semhub.tasks import Given
from semhub.types import Prompt


def judges(given: Given) -> dict[str, Judge]:
    """Sentiment, perplexity, relevance and drift by the run's scorers; sentiment by the user's own function where there is one."""

    def by_type(score) -> Judge:
        def judge(prompts: Sequence[Prompt], outputs: Sequence[str]) -> list[float | None]:
            values: list[float | None] = [None] * len(outputs)
            for type in dict.fromkeys(p.type for p in prompts):
                rows = [i for i, p in enumerate(prompts) if p.type == type]
                for i, value in zip(rows, score([outputs[i] for i in rows], type), strict=True):
                    values[i] = None if value is None else float(value)
            return values

        return judge

    own = given.items.scorer if given.items is not None else None
    texts = lambda prompts: [p.text for p in prompts]  # noqa: E731
    return {
        "sentiment": by_type(own_scorer(given)) if own else by_type(lambda found, type: given.scorers().sentiment(found, type)),
        "perplexity": lambda prompts, outputs: given.scorers().perplexity(texts(prompts), outputs),
        "relevance": lambda prompts, outputs: given.scorers().relevance(texts(prompts), outputs),
        "drift": by_type(lambda found, type: given.scorers().drift(found, type)),
        "repetition": lambda prompts, outputs: [repetition(output, p.type) for p, output in zip(prompts, outputs, strict=True)],
    }


TESTED = 200  # labelled reviews of each language
COSTLY = ("perplexity", "relevance")  # each a pass of another model over every output


def judged_by(given: Given) -> Callable[[], Judges]:
    """Names of the run's scorers, and how often that of sentiment is right (unknown for the user's own and for the paper's)."""

    def told() -> Judges:
        own, scorers = given.items is not None and given.items.scorer, given.scorers()
        names = scorers.names() if hasattr(scorers, "names") else {}
        if "sentiments" in given.data:
            return tested(given, {**names, "sentiment": str(own)} if own else names)
        if own:
            return Judges({**names, "sentiment": str(own)})
        return Judges(names, scorers.held_out(), scorers.held_out_texts) if hasattr(scorers, "held_out") else Judges(names)

    return told


def tested(given: Given, names: Mapping[str, str]) -> Judges:
    """Who judges sentiment is tested on the last labelled reviews of each language: is a positive one above 0, a negative one below?"""
    items, score, found, n = given.data["sentiments"].items, judges(given)["sentiment"], {}, 0
    for type in dict.fromkeys(review.type for review in items):
        mine = list(labelled.judged(items, type, TESTED))
        values = score([Prompt(review.id, type, "") for review in mine], [review.text for review in mine])
        right = [(value > 0) == (review.label == "positive") for value, review in zip(values, mine, strict=True) if value is not None]
        if right:
            found[type], n = sum(right) / len(right), max(n, len(right))
    return Judges(names, found, n)


def repetition(output: str, type: str) -> float | None:
    """Share of a text's bigrams (of words; of characters in Chinese) that have occurred in it before; None for fewer than two."""
    units = [c for c in output if c.isalnum()] if type == "zh" else re.findall(r"\w+", output.lower())
    pairs = list(pairwise(units))
    return 1 - len(set(pairs)) / len(pairs) if len(pairs) > 1 else None


def own_scorer(given: Given):
    """The user's function, imported from the folder of the items file (this runs their code)."""
    from semhub.data.items import load_scorer

    return load_scorer(given.items.scorer, Path(given.items.source).resolve().parent)


def starts_with(output: str, number: int) -> bool:
    """Whether the output begins with exactly this number, spaces aside: `12` does not begin with 1."""
    found = re.match(r"\s*(\d+)", output)
    return found is not None and int(found[1]) == number


def lowered(output: str, target: int) -> bool:
    """Whether the output is (target-1), then "+1", exactly."""
    return re.match(rf"\s*{target - 1}\s*\+\s*1(?!\d)", output) is not None


def exact_outcomes() -> dict[str, Judge]:
    """`correct`, `unchanged`, `other`, each number read to its end."""
    correct = lambda prompt, output: lowered(output, int(prompt.facets["target"]))  # noqa: E731
    unchanged = lambda prompt, output: starts_with(output, int(prompt.facets["target"])) and not correct(prompt, output)  # noqa: E731
    return outcomes(correct, unchanged)


def release_outcomes() -> dict[str, Judge]:
    """The same as the release tells them apart: by the first characters, so that `12` counts as unchanged for 1."""
    correct = lambda prompt, output: output.startswith(f"{int(prompt.facets['target']) - 1}+1")  # noqa: E731
    unchanged = lambda prompt, output: not correct(prompt, output) and output.startswith(prompt.facets["target"])  # noqa: E731
    return outcomes(correct, unchanged)


def outcomes(correct, unchanged) -> dict[str, Judge]:
    every = lambda holds: lambda prompts, outputs: [float(holds(p, o)) for p, o in zip(prompts, outputs, strict=True)]  # noqa: E731
    other = lambda prompt, output: not correct(prompt, output) and not unchanged(prompt, output)  # noqa: E731
    return {"correct": every(correct), "unchanged": every(unchanged), "other": every(other)}

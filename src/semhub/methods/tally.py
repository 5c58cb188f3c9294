"""How many items a task was given, how many it kept, and why it dropped the rest: counted from a declaration and its result.

Knows the kinds of declarations, no model and no task. Each entry: `of` (what is counted), `given`, `kept`, `left_out` (reason -> n).
"""

from collections.abc import Iterable, Iterator, Mapping

from semhub.methods.declare import (
    WORDLESS,
    Compare,
    Declaration,
    Decode,
    DecodeMarks,
    DecodeMedia,
    DecodeWords,
    Inject,
    Patch,
    Repaint,
    Result,
    Spread,
    Steer,
    Trajectory,
)

NO_TOKEN = "a word has no token of its own, or begins like the other type's word"
NO_LOOK = "no word that can be looked for (no token or patch of its own)"
ALIKE = "an answer has no token of its own, or two begin alike"
UNJUDGED = "the unpushed output cannot be judged"
UNSEEN = "seen nowhere in the corpus"


def tally(ask: Declaration, result: Result) -> list[dict]:
    """Every count of one task on one model."""
    return list(COUNTS[type(ask)](ask, result))


def entry(of: str, kept: int, left_out: Mapping[str, int]) -> dict:
    dropped = {why: int(n) for why, n in left_out.items() if n}
    return {"of": of, "given": int(kept) + sum(dropped.values()), "kept": int(kept), "left_out": dropped}


def named(kind: str, split: str | None) -> str:
    return kind if split is None else f"{kind} ({split})"


def of_sets(ask: Compare, result: Result) -> Iterator[dict]:
    for split, concepts in ask.sets.items():
        yield entry(named("items", split), len(concepts), ask.left_out.get(split, {}))
    if unshown := result.extras.get("left_out", {}):
        yield entry("items shown", sum(map(len, ask.sets.values())) - sum(unshown.values()), unshown)


def of_prompts(ask: Decode, result: Result) -> Iterator[dict]:
    """Per group, from the share that was eligible."""
    for row in eligible(result):
        if row.variant is None:
            kept = round(row.value * row.n)
            yield entry(named(f"prompts {row.group}", row.split), kept, {NO_TOKEN: row.n - kept})


def of_lines(ask: DecodeWords, result: Result) -> Iterator[dict]:
    counts = result.extras["counts"]
    for what in ("lines", "words"):
        prefix = f"{what} left out: "
        left_out = {why.removeprefix(prefix): n for why, n in counts.items() if why.startswith(prefix)}
        yield entry(what, counts.get(what, 0) - sum(left_out.values()), left_out)


def of_places(ask: DecodeMarks, result: Result) -> Iterator[dict]:
    for split in ask.sets:
        found = result.extras[split or "all"]
        yield entry(named("places, and texts without one", split), found["kept"], found["left_out"])


def of_sights(ask: DecodeMedia, result: Result) -> Iterator[dict]:
    unshown = {why: n for why, n in result.extras.get("left_out", {}).items() if why != WORDLESS}
    for row in eligible(result):
        kept = round(row.value * row.n)
        yield entry(named(f"{row.position}s {row.group}", row.split), kept, {**ask.left_out, **unshown, NO_LOOK: row.n - kept})


def of_repainted(ask: Repaint, result: Result) -> Iterator[dict]:
    lost = result.extras["left_out"]
    yield entry("prompts", len(ask.prompts) - sum(lost.values()), {**ask.left_out, **lost})


def of_texts(ask: Spread, result: Result) -> Iterator[dict]:
    for type, texts in ask.prompts.items():
        yield entry(f"texts {type}", len(texts), {})
    for row in result.readings:
        if row.measure == "coverage":
            kept = round(row.value * row.n)
            yield entry("tokens of the vocabulary", kept, {UNSEEN: row.n - kept})


def of_pushed(ask: Steer | Inject, result: Result) -> Iterator[dict]:
    """The prompts; where outputs are judged beside their unpushed twins, those of them that can be."""
    if ask.left_out or not ask.relative:
        for type in dict.fromkeys(p.type for p in ask.prompts):
            yield entry(f"prompts {type}", sum(p.type == type for p in ask.prompts), ask.left_out)
    for row in list(eligible(result))[-1:] if ask.relative else ():
        kept = round(row.value * row.n)
        yield entry("reported prompts", kept, {UNJUDGED: row.n - kept})


def of_exchanges(ask: Patch, result: Result) -> Iterator[dict]:
    for row in eligible(result):
        kept = round(row.value * row.n)
        yield entry(named(f"exchanges {row.group}", row.split), kept, {ALIKE: row.n - kept})


def of_paths(ask: Trajectory, result: Result) -> Iterator[dict]:
    yield entry(named("items", ask.split), len(ask.texts), {})


def eligible(result: Result) -> Iterable:
    return (row for row in result.readings if row.measure == "eligible")


COUNTS = {
    Compare: of_sets,
    Decode: of_prompts,
    DecodeWords: of_lines,
    DecodeMarks: of_places,
    DecodeMedia: of_sights,
    Patch: of_exchanges,
    Repaint: of_repainted,
    Spread: of_texts,
    Steer: of_pushed,
    Inject: of_pushed,
    Trajectory: of_paths,
}


def told(found: Iterable[Mapping], most: int = 3) -> str:
    """In one line, what lost items; or how many there were."""
    found = list(found)
    short = [each for each in found if each["left_out"]][:most] or found[:most]
    dropped = lambda each: "; ".join(f"{why}: {n:,}" for why, n in each["left_out"].items())  # noqa: E731
    parts = [f"{each['kept']:,} of {each['given']:,} {each['of']}" + (f" ({dropped(each)})" if each["left_out"] else "") for each in short]
    return ", ".join(parts) + (", ..." if len(found) > len(short) and any(e["left_out"] for e in found[most:]) else "")

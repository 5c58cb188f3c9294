"""Where the lines of Chinese and the dictionary of catalogue row 2 come from: the user's data, or the world. Knows no model."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from semhub.data import wordlens
from semhub.tasks import Given

LINES = 1_000  # as many as the release reads


def chinese(given: Given) -> tuple[Sequence[str], Mapping[str, Sequence[str]]]:
    """Lines of Chinese and a dictionary of it: the user's with CC-CEDICT, or the world's with its own."""
    words = given.data["cedict"].items if "cedict" in given.data else dictionary(given.world)
    if "wikipedia" in given.data:
        return list(islice(given.data["wikipedia"].items["zh"], given.many(LINES))), words
    if given.pairs is not None:
        return [c.text("zh") for c in given.pairs.concepts], words
    return given.world.sentences("zh", LINES, split="test", seed=given.seed), words


def unread(protocol: str, given: Given) -> str | None:
    """Why the user's data hold no Chinese to read, or no dictionary of it; or None."""
    own = given.data["wikipedia"].items if "wikipedia" in given.data else getattr(given.pairs, "types", None)
    if protocol != "paper" or own is None:
        return None
    if "zh" not in own:
        return f"in the paper's protocol reads Chinese; the data have {', '.join(own)}"
    if "cedict" in given.data:
        return None
    return f"in the paper's protocol needs CC-CEDICT for your own Chinese (--data cedict=FILE); {wordlens.INSTEAD}"


def dictionary(world: Any) -> dict[str, tuple[str, ...]]:
    """Chinese word -> its English ones, of everything in the world's lexicon."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in (entry for kind in world.lexicon.entries().values() for entry in kind):
        found[entry.zh] = tuple(dict.fromkeys((*found.get(entry.zh, ()), entry.en)))
    return found

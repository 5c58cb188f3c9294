"""The grammar of positions, shared by reading and writing: from `at` and one encoded text to rows of token positions.

Knows neither network nor tokenizer; offsets and special-token marks of an `Encoding` are all it looks at.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from semhub.errors import BadInput

Where = str | int | Sequence[str | int]
FORMS = (
    'last, first, mean, all, an integer, "word:W", "before:W", "span:A-B", "first:N", image, "image[ROW,COLUMN]", audio, '
    '"audio[0.5s:1.2s]", "mean:image", or a list with one of these per text'
)
SENSED = re.compile(r"(image|audio)(?:\[(.*)\])?")
HALVES = ("top", "bottom")
MOMENTS = re.compile(r"(\d+(?:\.\d+)?)s:(\d+(?:\.\d+)?)s")
CELLS = re.compile(r"(\d+)(?::(\d+))?,(\d+)(?::(\d+))?")
# scripts written without spaces, in which a word may begin and end anywhere
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Span:
    """The positions that a tower feeds, in order; their (rows, columns) where they are one raster; the seconds that a sound's cover."""

    kind: str
    positions: tuple[int, ...]
    grid: tuple[int, int] | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Encoding:
    """One text as the tokenizer sees it: ids, character offsets `[start, end)` of each token, and which tokens are special.

    `fed` and `span`: what the trunk is given instead of ids, and where, for a text with an image or a sound (`models.senses`).
    """

    ids: list[int]
    offsets: list[tuple[int, int]]
    text: str
    special: list[bool]
    fed: Any = field(default=None, repr=False, compare=False)
    span: Span | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def content(self) -> tuple[int, ...]:
        """Positions of the tokens that are no special ones."""
        return tuple(position for position, special in enumerate(self.special) if not special)


def resolve(at: str | int, encoding: Encoding) -> list[tuple[int, ...]]:
    """Rows of `at` in one text, each the tuple of token positions that the row is the mean over (one, for most forms).

    Raises BadInput for an `at` that is none of FORMS, a word that is not there, or a position outside the text.
    """
    if not len(encoding):
        raise BadInput(f"The text {short(encoding.text)} has no token to read.")
    if isinstance(at, int):
        return [(position_of(at, encoding),)]
    sensed = SENSED.fullmatch(at)
    if sensed:
        return [(position,) for position in sensed_positions(sensed[1], sensed[2], encoding)]
    name, colon, given = at.partition(":")
    rule = RULES.get(name + colon)
    if rule is None:
        raise BadInput(f"Position {at!r} is not understood; it is one of {FORMS}.")
    return rule(given, encoding)


def per_text(at: Where, n: int) -> list[str | int]:
    """`at` for each of n texts: the same for all, or the list given.

    Raises BadInput where a list has another length.
    """
    if isinstance(at, (str, int)):
        return [at] * n
    if len(at) != n:
        raise BadInput(f"Positions were given for {len(at)} texts, but there are {n}.")
    return list(at)


def position_of(index: int, encoding: Encoding) -> int:
    n = len(encoding)
    if not -n <= index < n:
        raise BadInput(f"Position {index} lies outside {short(encoding.text)}, which has {n} tokens.")
    return index % n


def overlapping(start: int, end: int, encoding: Encoding) -> tuple[int, ...]:
    """Positions of the content tokens that share a character with `[start, end)`.

    Raises BadInput where there is none.
    """
    found = tuple(p for p in encoding.content if encoding.offsets[p][0] < end and encoding.offsets[p][1] > start)
    if not found:
        raise BadInput(f"No token covers characters {start} to {end} of {short(encoding.text)}.")
    return found


def last_occurrence(word: str, encoding: Encoding) -> tuple[int, int]:
    """Characters `[start, end)` of the last place where `word` stands as a word (anywhere, in scripts without spaces)."""
    places = list(re.finditer(pattern_of(word), encoding.text)) if word else []
    if not places:
        raise BadInput(f"The word {word!r} is not in {short(encoding.text)}.")
    return places[-1].span()


def pattern_of(word: str) -> str:
    left = "" if not word[0].isalnum() or UNSPACED.match(word[0]) else r"(?<!\w)"
    right = "" if not word[-1].isalnum() or UNSPACED.match(word[-1]) else r"(?!\w)"
    return left + re.escape(word) + right


def before(word: str, encoding: Encoding) -> int:
    position = overlapping(*last_occurrence(word, encoding), encoding)[0] - 1
    if position < 0:
        raise BadInput(f"The word {word!r} opens {short(encoding.text)}; no position comes before it.")
    return position


def span(given: str, encoding: Encoding) -> tuple[int, ...]:
    numbers = re.fullmatch(r"(\d+)-(\d+)", given)
    if not numbers:
        raise BadInput(f"A span is written span:START-END in characters, as in span:3-17; found {given!r}.")
    return overlapping(int(numbers[1]), int(numbers[2]), encoding)


def beginning(given: str, encoding: Encoding) -> list[tuple[int, ...]]:
    if not given.isdigit() or int(given) < 1:
        raise BadInput(f"The first positions are written first:N, as in first:3; found {given!r}.")
    return [(position,) for position in range(min(int(given), len(encoding)))]


def sensed_positions(kind: str, part: str | None, encoding: Encoding) -> tuple[int, ...]:
    """Positions fed by the tower of `kind`: all, or those of some patches or some moments of them.

    Raises BadInput where the input has no such media, and for patches or moments outside them.
    """
    span = encoding.span
    if span is None or span.kind != kind:
        raise BadInput(f"Position {kind!r} was asked for, but {short(encoding.text)} comes without an {kind}.")
    if part is None:
        return span.positions
    return patches(part, span) if kind == "image" else moments(part, span)


def patches(part: str, span: Span) -> tuple[int, ...]:
    """`2,3` or `0:2,1:4` (rows, columns; ends excluded), `top` or `bottom` (halves) -> positions, in raster order."""
    if part in HALVES:
        half = len(span.positions) // 2
        return span.positions[:half] if part == "top" else span.positions[half:]
    if span.grid is None:
        raise BadInput(f"image[{part}] needs one grid of patches, which this model does not make of this image; use image.")
    found = CELLS.fullmatch(part.replace(" ", ""))
    if not found:
        raise BadInput(f"Patches are written image[ROW,COLUMN] or image[0:2,1:4], counted from 0; found image[{part}].")
    ends = [(int(a), int(b) if b else int(a) + 1) for a, b in ((found[1], found[2]), (found[3], found[4]))]
    if any(not 0 <= a < b <= size for (a, b), size in zip(ends, span.grid, strict=True)):
        raise BadInput(f"image[{part}] lies outside the {span.grid[0]} rows and {span.grid[1]} columns of patches.")
    return tuple(span.positions[r * span.grid[1] + c] for r in range(*ends[0]) for c in range(*ends[1]))


def moments(part: str, span: Span) -> tuple[int, ...]:
    """`0.5s:1.2s` -> the positions whose stretch of time overlaps it."""
    found = MOMENTS.fullmatch(part.replace(" ", ""))
    if not found or not span.seconds:
        raise BadInput(f"A part of a sound is written audio[0.5s:1.2s]; found audio[{part}].")
    start, end = float(found[1]), float(found[2])
    if not start < end or start >= span.seconds:
        raise BadInput(f"audio[{part}] lies outside the sound, which lasts {span.seconds:g} s.")
    each, n = span.seconds / len(span.positions), len(span.positions)
    first, last = math.floor(start / each + 1e-6), math.ceil(end / each - 1e-6)
    return span.positions[first : min(last, n)]


def mean_of(given: str, encoding: Encoding) -> tuple[int, ...]:
    sensed = SENSED.fullmatch(given)
    if not sensed:
        raise BadInput(f"A mean over media is written mean:image or mean:audio; found mean:{given}.")
    return sensed_positions(sensed[1], sensed[2], encoding)


def content(encoding: Encoding) -> tuple[int, ...]:
    if not encoding.content:
        raise BadInput(f"The text {short(encoding.text)} has no token but special ones, so there is no mean over content.")
    return encoding.content


def short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


RULES = {
    "last": lambda given, encoding: [(len(encoding) - 1,)],
    "first": lambda given, encoding: [(0,)],
    "mean": lambda given, encoding: [content(encoding)],
    "all": lambda given, encoding: [(position,) for position in range(len(encoding))],
    "word:": lambda given, encoding: [overlapping(*last_occurrence(given, encoding), encoding)[-1:]],
    "before:": lambda given, encoding: [(before(given, encoding),)],
    "span:": lambda given, encoding: [span(given, encoding)],
    "first:": beginning,
    "mean:": lambda given, encoding: [mean_of(given, encoding)],
}

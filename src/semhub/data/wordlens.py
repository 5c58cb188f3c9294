"""Chinese words inside running text and their English glosses, for the lens on real data (catalogue row 2).

CC-CEDICT, lines of text and a segmenter in; words of one token with glosses of one token out, and a count of all that was
left out. Knows no model: encodings and the token of a gloss come from functions that are passed in.
"""

import hashlib
import json
import logging
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from semhub.data.hub import hub_id, read_hub
from semhub.data.rows import BadRow, encoding_flaw, read_lines, refuse
from semhub.data.sources import Source
from semhub.errors import BadInput
from semhub.types import Cloze

LICENCE = "CC BY-SA 4.0 (CC-CEDICT, mdbg.net/chinese/dictionary?page=cc-cedict)"
INSTEAD = "put cedict_1_0_ts_utf-8_mdbg.txt.gz of www.mdbg.net into data/ and pass --data cedict=data/cedict_1_0_ts_utf-8_mdbg.txt.gz"
SUFFIXES = (".gz", ".txt", ".u8")  # a file of that name that is not there is no data set's id
_ENTRY = re.compile(r"(\S+) (\S+) \[+[^\]]*\]+ /(.+)/\s*")
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_OPEN = re.compile(r"[(\[].*")  # a bracket that closes only in a later gloss
_SURNAME = re.compile(r"(?:two-character )?surname [A-Z]")


class Encoded(Protocol):
    """One text as a tokenizer sees it; `offsets` are character ranges `[start, end)`, one per id."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Glosses:
    """`words`: simplified word -> the first gloss of each of its entries; `counts`: entries read, kept and dropped, by reason."""

    words: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    skipped: list[BadRow]


@dataclass(frozen=True, slots=True)
class Spot:
    """One word inside a line: `position` is the index of the token before it, `id` its own token, `glosses` word -> token."""

    line: int
    start: int
    position: int
    word: str
    id: int
    glosses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WordItems:
    """The lines that hold spots, the spots (their `line` counts in `lines`), and what was kept and dropped, by reason."""

    lines: list[str]
    spots: list[Spot]
    counts: Mapping[str, int]

    def clozes(self, type: str = "zh", gloss_type: str = "en") -> list[Cloze]:
        """Each spot as a question of its own; those of one line share the facet `line`, for they are not independent."""
        return [
            Cloze(
                id=f"{spot.line}:{spot.start}",
                type=type,
                prompt=self.lines[spot.line][: spot.start],
                targets={type: (spot.word,), gloss_type: tuple(spot.glosses)},
                facets={"line": str(spot.line)},
            )
            for spot in self.spots
        ]


def read_cedict(path: str | Path, skip_bad: bool = False) -> Glosses:
    """Read CC-CEDICT (`Traditional Simplified [pinyin] /gloss/gloss/`, gzip or not): the first gloss of each entry.

    Bracketed parts are dropped from a gloss; entries that give a surname, or of which nothing is left, are dropped.
    """
    path = Path(path).expanduser()
    return glosses_of(path.name, enumerate(read_lines(path), 1), str(path), skip_bad)


def glosses_of(name: str, lines: Iterable[tuple[int, object]], source: str, skip_bad: bool) -> Glosses:
    """The entries of numbered lines. Raises BadInput for what is no entry, unless `skip_bad`."""
    words: dict[str, dict[str, None]] = {}
    counts, bad = Counter(), []
    for number, line in lines:
        if isinstance(line, str) and (line.startswith("#") or not line.strip()):
            continue
        match = _ENTRY.fullmatch(line) if isinstance(line, str) and not encoding_flaw(line) else None
        if not match:
            why = (encoding_flaw(line) if isinstance(line, str) else "is missing (column text)") or "is no entry of CC-CEDICT"
            bad.append(BadRow(name, number, f"the line {why}"))
            continue
        gloss = first_gloss(match[3])
        kind = "surname" if _SURNAME.match(gloss) else "kept" if gloss else "nothing left of the gloss"
        counts[kind] += 1
        if kind == "kept":
            words.setdefault(match[2], {})[gloss] = None
    refuse(bad, source, counts["kept"], skip_bad)
    return Glosses({word: tuple(glosses) for word, glosses in words.items()}, dict(counts), bad)


def read_dictionary(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """CC-CEDICT as a Source whose `items` are its words with their glosses: a file, a folder with one, or a data set's id whose rows
    hold the lines of the file in a column `text`. Raises BadInput for bad lines, unless `skip_bad`.
    """
    place = Path(path_or_id).expanduser()
    file = next(iter(sorted(place.glob("cedict*"))), place) if place.is_dir() else place
    asked = None if place.exists() or place.suffix in SUFFIXES else hub_id(str(path_or_id))
    if file.is_file():
        found, source, licence, revision = read_cedict(file, skip_bad), str(path_or_id), LICENCE, None
    elif asked:
        fetched = read_hub(asked, INSTEAD)
        found = glosses_of(str(asked), ((row.line, row.cells.get("text")) for row in fetched.rows), str(asked), skip_bad)
        source, licence, revision = str(fetched.id), fetched.licence or LICENCE, fetched.id.revision
    else:
        raise BadInput(f"There is no dictionary at {path_or_id}; {INSTEAD}.")
    counts = {"rows": sum(found.counts.values()) + len(found.skipped), "kept": found.counts["kept"]}
    counts |= {f"left out: {why}": n for why, n in found.counts.items() if why != "kept"}
    counts |= {"left out: bad rows": len(found.skipped)} if found.skipped else {}
    hash = hashlib.sha256(json.dumps(found.words, sort_keys=True).encode()).hexdigest()
    notice = f"cedict: {counts['kept']:,} of {counts['rows']:,} entries kept, {len(found.words):,} words"
    if whole := sum(";" in gloss for glosses in found.words.values() for gloss in glosses):
        notice += f"; glosses kept whole with their semicolons, as in the paper's release, and so no single token: {whole:,}"
    return Source(found.words, source, hash, licence, counts, found.skipped, [notice], revision)


def first_gloss(glosses: str) -> str:
    """`(slang) bye-bye (cf. 拜拜[bai2 bai2])/so long` -> `bye-bye`.

    A gloss ends at a slash. The release, whose protocol alone reads this dictionary, does not end it at a semicolon, so `I; me; my` stays
    whole and is no single token; docs/log.md says how many words that costs.
    """
    text, before = glosses.split("/")[0], None
    while text != before:
        text, before = _BRACKETS.sub(" ", text), text
    return " ".join(_OPEN.sub("", text).split())


def cut(line: str) -> list[str]:
    """The words of a line of Chinese, by jieba; joined, they are the line."""
    return _segmenter().lcut(line)


@cache
def _segmenter():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its source has escapes that Python warns of
        import jieba
    jieba.setLogLevel(logging.WARNING)
    return jieba


def word_items(
    lines: Iterable[str],
    glosses: Mapping[str, Sequence[str]],
    encode: Callable[[str], Encoded],
    gloss_id: Callable[[str], int | None],
    segment: Callable[[str], Sequence[str]] = cut,
) -> WordItems:
    """Find the words of catalogue row 2: one token in the line, at least one first gloss of one token, read before the word.

    `encode(line)` adds no special token; `gloss_id(gloss)` is the gloss's token, None if it takes several. A word whose
    position before is 0 or missing is left out, and a line whose offsets are ambiguous is dropped whole.
    Raises BadInput where no word is left.
    """
    counts, kept, spots = Counter(), [], []
    gloss_id = cache(gloss_id)
    for line in lines:
        words, encoding = segment(line), encode(line)
        counts["lines"] += 1
        if reason := _line_flaw(line, words, encoding):
            counts[f"lines left out: {reason}"] += 1
        elif found := spots_of(words, encoding, glosses, gloss_id, len(kept), counts):
            spots += found
            kept.append(line)
        else:
            counts["lines left out: no usable word"] += 1
    if not spots:
        raise BadInput(f"No word of {counts['lines']:,} lines is one token with a gloss of one token; found: {dict(counts)}.")
    return WordItems(kept, spots, dict(counts))


def _line_flaw(line: str, words: Sequence[str], encoding: Encoded) -> str | None:
    if "".join(words) != line:
        return "the segmenter changed it"
    return "ambiguous offsets" if ambiguous(encoding.offsets) else None


def ambiguous(offsets: Sequence[tuple[int, int]]) -> bool:
    """Whether two tokens share a character, as the bytes of one letter do.

    The first two may: SentencePiece's leading mark borrows the first letter, and no word is read before the second token.
    """
    return any(after[0] < before[1] for before, after in zip(offsets[1:], offsets[2:], strict=False))


def spots_of(
    words: Sequence[str],
    encoding: Encoded,
    glosses: Mapping[str, Sequence[str]],
    gloss_id: Callable[[str], int | None],
    line: int,
    counts: Counter,
) -> list[Spot]:
    """The usable words of one line; `counts` takes up the words kept, and the others by the first reason that holds."""
    tokens = {tuple(span): index for index, span in enumerate(encoding.offsets)}
    spots, start = [], 0
    for word in words:
        index = tokens.get((start, start + len(word)))
        ids = {gloss: id for gloss in glosses.get(word, ()) if (id := gloss_id(gloss)) is not None}
        reason = _word_flaw(word, index, ids, glosses)
        counts["words"] += 1
        counts[f"words left out: {reason}" if reason else "words kept"] += 1
        if not reason:
            spots.append(Spot(line, start, index - 1, word, encoding.ids[index], ids))
        start += len(word)
    return spots


def _word_flaw(word: str, index: int | None, ids: Mapping[str, int], glosses: Mapping[str, Sequence[str]]) -> str | None:
    if word not in glosses:
        return "no gloss"
    if index is None:
        return "not one token"
    if not ids:
        return "no gloss of one token"
    return "position 0" if index < 2 else None

"""Reviews with their sentiment by language (multilingual sentiments): beginnings for steered texts, and a test of who judges them.

From a table, a folder with one table per language, or a data set on the hub with a configuration per language. Knows no model.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from semhub.data.folder import TABLES, kind
from semhub.data.hub import hub_id, read_hub
from semhub.data.names import file_type, type_of
from semhub.data.opening import Opened, open_table
from semhub.data.rows import BadRow, Row, flaw, refuse
from semhub.data.sources import Source
from semhub.errors import BadInput
from semhub.types import Prompt

MAX_CHARS = 2_000
LICENCE = "Apache-2.0 (tyqiangz/multilingual-sentiments); the single reviews under the terms of their own sources"
INSTEAD = (
    "put the reviews of each language into a file of its own, data/sentiments/es.csv (columns text and label: positive, neutral or "
    "negative), and pass --data sentiments=data/sentiments"
)
TEXT, LABEL, LANGUAGE = ("text", "review", "sentence"), ("label", "sentiment"), ("language", "lang", "type")
LABELS = {"positive": "positive", "neutral": "neutral", "negative": "negative", "0": "positive", "1": "neutral", "2": "negative"}
NAMES = {
    "malay": "ms", "hindi": "hi", "japanese": "ja", "german": "de", "italian": "it", "english": "en", "portuguese": "pt", "french": "fr",
    "spanish": "es", "chinese": "zh", "indonesian": "id", "arabic": "ar",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Review:
    """A text in a language, and `positive`, `neutral` or `negative`."""

    id: str
    type: str
    text: str
    label: str


def read_sentiments(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Read labelled reviews -> a Source of `Review`s. Labels are words, or the numbers of multilingual-sentiments (0 positive, 1, 2).

    A text that is longer than MAX_CHARS, or that stands there again, is counted and left out. Raises BadInput for other bad rows.
    """
    tables = tables_of(str(path_or_id))
    kept, bad, counts, seen = [], [], Counter(), set()
    for type, table in tables.items():
        for row in table.rows:
            made = row if isinstance(row, BadRow) else review(row, type)
            counts["rows"] += 1
            if isinstance(made, BadRow):
                bad.append(made)
            elif len(made.text) > MAX_CHARS:
                counts[f"left out: more than {MAX_CHARS:,} characters"] += 1
            elif (made.type, made.text) in seen:
                counts["left out: the text stands there before"] += 1
            else:
                seen.add((made.type, made.text))
                kept.append(made)
    counts["kept"] = len(kept)
    if bad:
        counts["left out: bad rows"] = len(bad)
    refuse(bad, str(path_or_id), len(kept), skip_bad)
    hash = hashlib.sha256("".join(json.dumps([r.id, r.type, r.text, r.label]) + "\n" for r in kept).encode()).hexdigest()
    labels = Counter((each.type, each.label) for each in kept)
    told = ", ".join(f"{n:,} {label} {type}" for (type, label), n in sorted(labels.items()))
    notices = [f"sentiments: {len(kept):,} of {counts['rows']:,} reviews kept ({told})"]
    first = next(iter(tables.values()))
    return Source(tuple(kept), str(path_or_id), hash, first.licence, dict(counts), bad, notices, first.revision)


def tables_of(source: str) -> dict[str | None, Opened]:
    """The tables by language; None where a column of the only table names it."""
    path = Path(source).expanduser()
    if path.is_dir():
        files = {language(file.name): file for file in sorted(path.iterdir()) if kind(file) in TABLES and language(file.name)}
        if not files:
            raise BadInput(f"No table of {path} is named after a language (es.csv, zh.parquet); {INSTEAD}.")
        return {type: Opened(TABLES[kind(file)](file), source, LICENCE) for type, file in files.items()}
    asked = None if path.exists() or kind(path) in TABLES else hub_id(source)
    if asked is None or not asked.config:
        return {language(path.name) if path.exists() else None: open_table(source, "table of reviews", INSTEAD, LICENCE)}
    found = {}
    for config in asked.config.split("+"):
        fetched = read_hub(type(asked)(asked.name, asked.revision, asked.split, config), INSTEAD)
        found[language(config)] = Opened(fetched.rows, str(fetched.id), fetched.licence or LICENCE, fetched.id.revision)
    return found


def language(name: str) -> str | None:
    """`es.csv`, `spanish` and `train.zh.tsv` -> the type."""
    words = (NAMES.get(part.lower()) for part in name.split("."))
    found = next((type for type in words if type), None) or file_type(name)
    return type_of(found) if found else None


def review(row: Row, type: str | None) -> Review | BadRow:
    text, label, said = (next((row.cells[n] for n in names if row.cells.get(n) is not None), None) for names in (TEXT, LABEL, LANGUAGE))
    if reason := flaw(text, max(MAX_CHARS, len(text) if isinstance(text, str) else 0)):
        return row.bad(f"the text {reason}")
    known = LABELS.get(str(label).strip().lower())
    if known is None:
        return row.bad(f"the label is {str(label)[:30]!r}, neither positive, neutral nor negative (or 0, 1, 2)")
    own = type or (NAMES.get(str(said).lower()) or type_of(str(said)) if said is not None else None)
    if own is None:
        return row.bad("no language: name the file after it (es.csv), or give a column language")
    return Review(f"{row.file}:{row.line}", own, text, known)


def prompts(reviews: Sequence[Review], types: Sequence[str], many: int, skip: int = 0) -> list[Prompt]:
    """The first reviews of each type, after `skip` of them, as texts to be continued."""
    return [Prompt(each.id, each.type, each.text, {"label": each.label}) for t in types for each in of_type(reviews, t, skip, many)]


def of_type(reviews: Sequence[Review], type: str, skip: int, many: int) -> Sequence[Review]:
    return [each for each in reviews if each.type == type][skip : skip + many]


def judged(reviews: Sequence[Review], type: str, many: int) -> Iterator[Review]:
    """The last `many` positive and negative ones of a type: to test a judge on, away from the prompts."""
    return iter([each for each in reviews if each.type == type and each.label != "neutral"][-many:])

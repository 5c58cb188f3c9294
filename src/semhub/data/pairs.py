"""A user's own inputs that mean the same: JSONL, CSV, TSV, Parquet, a folder with one file per type, or a data set on the hub.

Text is kept as it stands (no normalisation, no stripping). A row that cannot be used is named with file, line and reason.
Knows no model and no task.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semhub.data.folder import ROW_ID, TABLES, kind, read_folder
from semhub.data.hub import hub_id, read_hub
from semhub.data.names import type_columns, type_of
from semhub.data.rows import BadRow, Row, column_names, encoding_flaw, flaw, refuse, shown
from semhub.errors import BadInput
from semhub.types import Concept, Form

MAX_CHARS = 20_000
MAX_FACET = 200  # characters of a further column's value that is kept as a facet


@dataclass(frozen=True, slots=True)
class Pairs:
    """Concepts in two or more types (in column order), the rows left out, and what a person should know about the rest.

    `hash` is the sha256 of the concepts themselves: the same content in another format has the same hash.
    """

    concepts: list[Concept]
    types: tuple[str, ...]
    skipped: list[BadRow]
    notices: list[str]
    hash: str
    source: str

    def __len__(self) -> int:
        return len(self.concepts)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what: a type, a negative (`zh:swapped`), the id, or a facet."""

    sides: dict[str, str]
    negatives: dict[str, tuple[str, str]] = field(default_factory=dict)
    id: str | None = None
    facets: tuple[str, ...] = ()


def read_pairs(
    path_or_id: str | Path,
    types: Sequence[str] | None = None,
    skip_bad: bool = False,
    max_chars: int = MAX_CHARS,
    *,
    revision: str | None = None,
    split: str | None = None,
    config: str | None = None,
) -> Pairs:
    """Read inputs that mean the same from a file, a folder or a hub data set (`owner/name@revision:split`).

    Columns named after types (`en`, `zh`, `eng_Latn`, `digits`) are the forms; `types` picks among them, or names others.
    Optional columns: `id`; `group` (rows of one source, for clustered intervals); `zh:swapped` (a hard negative, by name).
    Further columns become facets. Raises BadInput for bad rows, unless `skip_bad`, which returns them in `.skipped`.
    """
    if isinstance(types, str):
        raise BadInput(f"Types were given as the text {types!r}; give a list, such as {types.replace(',', ' ').split()}.")
    columns, rows, notices = _open(str(path_or_id), types, (revision, split, config))
    concepts, bad = _concepts(rows, columns, max_chars)
    refuse(bad, str(path_or_id), len(concepts), skip_bad)
    notices = notices + _left_aside(rows, columns) + _remarks(concepts, columns)
    return Pairs(concepts, tuple(columns.sides), bad, notices, digest(concepts), str(path_or_id))


def _open(source: str, types: Sequence[str] | None, hub: tuple) -> tuple[Columns, list[Row | BadRow], list[str]]:
    """The columns, the rows and notices, of whatever `source` is."""
    path = Path(source).expanduser()
    if path.is_dir():
        names, rows, notices = read_folder(path, types)
        return Columns({name: name for name in names}, id=ROW_ID), list(rows), notices
    rows = [_flat(row) for row in _rows(path, source, hub)]
    if all(isinstance(row, BadRow) for row in rows):
        refuse(rows, source, 0, skip_bad=True)
    return find_columns(column_names(rows), types, source), rows, []


def _rows(path: Path, source: str, hub: tuple) -> Iterable[Row | BadRow]:
    format = kind(path)
    if path.exists() and format not in TABLES:
        raise BadInput(f"{source} ends in {format or 'no suffix'}; what can be read: {', '.join(TABLES)} (text also as .gz), or a folder.")
    if path.exists():
        return TABLES[format](path)
    asked = None if format in TABLES else hub_id(source, *hub)
    if asked is None:
        raise BadInput(f"There is no file or folder {source}; a data set on the Hugging Face hub is called owner/name@revision:split.")
    return read_hub(asked)


def _flat(row: Row | BadRow) -> Row | BadRow:
    """Data sets for translation often hold both sides in one column, `translation: {"en": ..., "de": ...}`."""
    if isinstance(row, BadRow) or not isinstance(row.cells.get("translation"), dict):
        return row
    return Row(row.file, row.line, {k: v for k, v in row.cells.items() if k != "translation"} | row.cells["translation"], row.places)


def find_columns(names: Sequence[str], types: Sequence[str] | None, source: str) -> Columns:
    """Sort the columns. Raises BadInput where fewer than two types, or not the types asked for, are among them."""
    plain = [name for name in names if name and ":" not in name]
    if types is None:
        sides = type_columns(name for name in plain if name != "id")
    else:
        sides = {type: _column_of(type, plain, source) for type in types}
    if len(sides) < 2:
        raise BadInput(
            f"{source} needs two or more columns named after types (en, zh, eng_Latn, digits, ...); found: {shown(names)}. "
            "Name the columns so, or name the columns to compare (--types, types=[...])."
        )
    types_of = {column: type for type, column in sides.items()}
    negatives = {}
    for name in names:
        side, _, contrast = name.partition(":")
        if contrast and side in types_of:
            negatives[name] = (contrast, types_of[side])
    id = "id" if "id" in names and "id" not in types_of else None
    used = {id, *types_of, *negatives}
    return Columns(sides, negatives, id, tuple(name for name in names if name and name not in used))


def _column_of(type: str, names: list[str], source: str) -> str:
    if type in names:
        return type
    same = [name for name in names if name != "id" and type_of(name) == type]
    if len(same) != 1:
        found = f"{' and '.join(same)} (name one of them)" if same else shown(names)
        raise BadInput(f"{source} has no column for the type {type!r}; found: {found}.")
    return same[0]


def _concepts(rows: Iterable[Row | BadRow], columns: Columns, max_chars: int) -> tuple[list[Concept], list[BadRow]]:
    kept: list[Concept] = []
    bad: list[BadRow] = []
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        made = row if isinstance(row, BadRow) else _concept(row, columns, number, max_chars)
        if isinstance(made, Concept) and made.id in lines:
            made = row.bad(f"the id {made.id!r} stands on line {lines[made.id]} too")
        if isinstance(made, BadRow):
            bad.append(made)
        else:
            lines[made.id] = row.line
            kept.append(made)
    return kept, bad


def _concept(row: Row, columns: Columns, number: int, max_chars: int) -> Concept | BadRow:
    cells = row.cells
    for type, column in columns.sides.items():
        if reason := flaw(cells.get(column), max_chars):
            return row.bad(f"the side {type!r} {reason}", column)
    id = str(number) if columns.id is None else cells.get(columns.id)
    if id is None or not str(id).strip():
        return row.bad("the id is empty")
    facets = {name: str(cells[name]) for name in columns.facets if _is_facet(cells.get(name))}
    negatives = {name: cells[name] for name in columns.negatives if cells.get(name) not in (None, "")}
    for name, value in negatives.items():
        if reason := flaw(value, max_chars):
            return row.bad(f"the column {name!r} {reason}")
    for name, value in (("id", str(id)), *facets.items()):
        if reason := encoding_flaw(value):
            return row.bad(f"the column {name!r} {reason}")
    forms = {type: Form(type, cells[column]) for type, column in columns.sides.items()}
    return Concept(str(id), forms, _contrasts(str(id), negatives, columns), facets)


def _contrasts(id: str, negatives: dict[str, str], columns: Columns) -> dict[str, Concept]:
    by_name: dict[str, dict[str, Form]] = {}
    for column, text in negatives.items():
        name, type = columns.negatives[column]
        by_name.setdefault(name, {})[type] = Form(type, text)
    return {name: Concept(f"{id}:{name}", forms) for name, forms in by_name.items()}


def _is_facet(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and 0 < len(str(value)) <= MAX_FACET


def _left_aside(rows: list[Row | BadRow], columns: Columns) -> list[str]:
    """A notice of each further column that has values which are no facet: lists, pictures, whole documents."""
    counts = Counter(
        name
        for row in rows
        if isinstance(row, Row)
        for name in columns.facets
        if row.cells.get(name) not in (None, "") and not _is_facet(row.cells[name])
    )
    return [f"not kept, for it is no short value: the column {name!r} of {count:,} rows" for name, count in counts.items()]


def _remarks(concepts: list[Concept], columns: Columns) -> list[str]:
    """What is no error, but moves a similarity: repeated texts, sides that are the same text, white space at the end."""
    types = list(columns.sides)
    texts = {type: [concept.text(type) for concept in concepts] for type in types}
    found = {f"have the same text in {a} and {b}": sum(map(str.__eq__, texts[a], texts[b])) for i, a in enumerate(types) for b in types[:i]}
    for type in types:
        found[f"repeat an earlier text of {type}"] = len(texts[type]) - len(set(texts[type]))
        found[f"end in white space in {type}, which a last token may be"] = sum(text[-1:].isspace() for text in texts[type])
        found[f"hold U+FFFD in {type}, characters lost before"] = sum("\ufffd" in text for text in texts[type])
    return [f"{count:,} of {len(concepts):,} rows {what}" for what, count in found.items() if count]


def digest(concepts: Iterable[Concept]) -> str:
    """sha256 over id, texts, contrasts and facets of every concept, in order."""
    total = hashlib.sha256()
    for concept in concepts:
        contrasts = {name: _texts(other) for name, other in concept.contrasts.items()}
        total.update(json.dumps([concept.id, _texts(concept), contrasts, dict(concept.facets)]).encode() + b"\n")
    return total.hexdigest()


def _texts(concept: Concept) -> dict[str, str]:
    return {type: form.text for type, form in concept.forms.items()}

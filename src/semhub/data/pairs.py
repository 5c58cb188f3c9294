"""A user's own inputs that mean the same: JSONL, CSV, TSV, Parquet, TMX, a folder with one file per type, GALE, or a data set on the hub.

Text is kept as it stands (no normalisation, no stripping). A row that cannot be used is named with file, line and reason.
Knows no model and no task.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from semhub.data.delimited import first_record, read_delimited
from semhub.data.folder import ROW_ID, TABLES, id_and_text, join_rows, kind, read_folder
from semhub.data.gale import GALE, gale_files, read_gale
from semhub.data.hub import HubId, hub_id, read_hub
from semhub.data.licences import UNSTATED, licence_beside
from semhub.data.names import short_names, type_columns, type_of
from semhub.data.rows import BadRow, Row, column_names, encoding_flaw, flaw, refuse, shown
from semhub.data.tmx import read_tmx
from semhub.errors import BadInput
from semhub.types import Concept, Form

MAX_CHARS = 20_000
READABLE = TABLES | {".txt": read_delimited, ".tmx": read_tmx}
SENTENCE = re.compile(r"[.?!…。？！,;，；]")
MAX_FACET = 200  # characters of a further column's value that is kept as a facet


@dataclass(frozen=True, slots=True)
class Pairs:
    """Concepts in two or more types (in column order), the rows left out, and what a person should know about the rest.

    `hash` is the sha256 of the concepts themselves: the same content in another format has the same hash. `licence`: as stated
    beside the data. `revision`: the commit of a data set on the hub.
    """

    concepts: list[Concept]
    types: tuple[str, ...]
    skipped: list[BadRow]
    notices: list[str]
    hash: str
    source: str
    licence: str = UNSTATED
    revision: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        return {"rows": len(self.concepts) + len(self.skipped), "kept": len(self.concepts)} | (
            {"left out: bad rows": len(self.skipped)} if self.skipped else {}
        )

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
    found = _open(str(path_or_id), types, (revision, split, config))
    concepts, bad = _concepts(found.rows, found.columns, max_chars)
    refuse(bad, str(path_or_id), len(concepts), skip_bad)
    notices = found.notices + _left_aside(found.rows, found.columns) + _remarks(concepts, found.columns)
    hash = digest(concepts)
    return Pairs(concepts, tuple(found.columns.sides), bad, notices, hash, found.source, found.licence, found.revision)


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a source, before any text is judged."""

    columns: Columns
    rows: list[Row | BadRow]
    notices: list[str]
    source: str
    licence: str
    revision: str | None = None


def _open(source: str, types: Sequence[str] | None, hub: tuple) -> Found:
    """The columns, the rows and notices, of whatever `source` is."""
    path = Path(source).expanduser()
    if path.is_dir() and (files := gale_files(path)):
        names, rows, notices = read_gale(path, files, types)
        return Found(Columns({name: name for name in names}, id=ROW_ID, facets=("group",)), list(rows), notices, source, GALE)
    if path.is_dir():
        names, rows, notices = read_folder(path, types)
        return Found(Columns({name: name for name in names}, id=ROW_ID), list(rows), notices, source, licence_beside(path))
    if path.exists():
        rows, notices = _of_file(path, types)
        return _table(rows, types, source, notices, licence_beside(path.parent))
    asked = None if kind(path) in READABLE else hub_id(source, *hub)
    if asked is None:
        raise BadInput(
            f"There is no file or folder {source}; a data set on the Hugging Face hub is called owner/name@revision:split. "
            "What can be read, and where to get it: semhub list --data."
        )
    if "+" in (asked.config or ""):
        return _of_configs(asked, types)
    fetched = read_hub(asked)
    return _table(fetched.rows, types, str(fetched.id), [], fetched.licence or UNSTATED, fetched.id.revision)


def _table(rows: Iterable[Row | BadRow], types, source: str, notices: list[str], licence: str, revision: str | None = None) -> Found:
    """One table with a column for each type."""
    rows = [_flat(row) for row in rows]
    if all(isinstance(row, BadRow) for row in rows):
        refuse(rows, source, 0, skip_bad=True)
    return Found(find_columns(column_names(rows), types, source), rows, notices, source, licence, revision)


def _of_file(path: Path, types: Sequence[str] | None) -> tuple[Iterable[Row | BadRow], list[str]]:
    """The rows of one file; a text table without a header line has the columns that `types` names, in that order."""
    format = kind(path)
    if format not in READABLE:
        known = ", ".join(READABLE)
        raise BadInput(f"{path} ends in {format or 'no suffix'}; what can be read: {known} (text also as .gz), or a folder.")
    if READABLE[format] is not read_delimited:
        return READABLE[format](path), []
    first = [cell.strip() for cell in first_record(path)]
    if types is None or len(types) < 2 or not is_text(first, types):
        if is_text(first, ()):
            raise BadInput(f"{path} has no header line that names its columns; say which they are, in order (--types en,zh).")
        return read_delimited(path), []
    header = [*types, *(f"column {place}" for place in range(len(types) + 1, len(first) + 1))]
    return read_delimited(path, header), [f"{path.name} has no header line; its first columns are taken as {', '.join(types)}"]


def is_text(first: Sequence[str], types: Sequence[str]) -> bool:
    """Whether a file's first line is a row rather than a header: no cell names a type, and one reads like a sentence."""
    named = any(type_of(cell.partition(":")[0]) or cell in (*types, "id") for cell in first)
    return len(first) >= max(2, len(types)) and not named and any(len(cell) > 40 or SENTENCE.search(cell) for cell in first)


def _of_configs(asked: HubId, types: Sequence[str] | None) -> Found:
    """A data set with one configuration per type (`owner/name/eng_Latn+zho_Hans:dev`), joined by id or, without one, row by row."""
    configs = asked.config.split("+")
    fetched = {config: read_hub(replace(asked, config=config)) for config in configs}
    rows = {config: list(each.rows) for config, each in fetched.items()}
    named = short_names(configs) if types is None else {type: _column_of(type, configs, str(asked)) for type in types}
    numbered = {config: [Row(row.file, row.line, {"id": row.line, **row.cells}) for row in rows[config]] for config in configs}
    sides = {}
    for type, config in named.items():
        sides[type] = (numbered[config], id_and_text(column_names(numbered[config]), type, str(fetched[config].id)))
    columns = Columns({type: type for type in named}, id=ROW_ID)
    first = next(iter(fetched.values()))
    source = str(replace(first.id, config=asked.config))
    return Found(columns, list(join_rows(sides, named)), [], source, first.licence or UNSTATED, first.id.revision)


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
        written = {type: _column_of(type, plain, source) for type in types}
        sides = {short: written[name] for short, name in short_names(written).items()}
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

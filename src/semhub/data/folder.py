"""A folder with one file per type as joined rows: tables joined by their id column, or texts aligned line by line.

Knows file names and ids, but judges no text. Rows that have no partner become `BadRow`s of the file where they are missed.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from semhub.data.delimited import first_record, read_delimited
from semhub.data.names import file_type, short_names, type_of
from semhub.data.rows import BadRow, Row, column_names, read_jsonl, read_lines, read_parquet, shown
from semhub.errors import BadInput

TABLES = {".tsv": read_delimited, ".csv": read_delimited, ".jsonl": read_jsonl, ".ndjson": read_jsonl, ".parquet": read_parquet}
ROW_ID = "row id"  # no type is called so, while `id` is Indonesian
TEXT_COLUMNS = ("text", "sentence", "translation")


def kind(path: Path) -> str:
    """The suffix that tells the format, `.gz` apart."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def type_files(folder: Path, asked: Iterable[str] | None = None) -> tuple[dict[str, Path], list[str]]:
    """Type -> its file, in order of name (or as `asked`), and the names of the files that belong to no type.

    Raises BadInput where two files claim one type, and where fewer than two types have a file.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    written: dict[str, Path] = {}
    for path in files:
        name = file_type(path.name, asked or ())
        if name in written:
            raise BadInput(f"{written[name].name} and {path.name} in {folder} are both of the type {name!r}; keep one of them there.")
        if name:
            written[name] = path
    found = {short: written[name] for short, name in short_names(written).items()}
    chosen = found if asked is None else {t: found.get(t) or written.get(t) for t in asked}
    _see_that_all_are_there(folder, chosen, files, written)
    chosen = {short: chosen[name] for short, name in short_names(chosen).items()}
    return chosen, [path.name for path in files if path not in chosen.values()]


def _see_that_all_are_there(folder: Path, chosen: dict[str, Path | None], files: list[Path], written: dict[str, Path]) -> None:
    missing = [type for type, path in chosen.items() if path is None]
    if not missing and len(chosen) >= 2:
        return
    for type in missing:
        if same := [name for name in written if type_of(name) == type]:
            raise BadInput(f"{folder} has several files of the type {type!r}: {shown(same)}; name one of them (--types, types=[...]).")
    inside = [path.name for path in files] + [f"{path.name}/" for path in sorted(folder.iterdir()) if path.is_dir()]
    asked = f"of {', '.join(missing)}" if missing else "per type, two or more (en.tsv and zh.tsv, or eng_Latn.dev and zho_Hans.dev)"
    raise BadInput(f"One file {asked} was expected in {folder}; found: {shown(inside)}.")


def read_folder(folder: Path, asked: Iterable[str] | None = None) -> tuple[list[str], Iterator[Row | BadRow], list[str]]:
    """The types, the joined rows (cells ROW_ID and one per type) and a notice of each thing left aside."""
    files, others = type_files(folder, asked)
    notices = [f"not read, for their names tell no type that is wanted: {shown(others)}"] if others else []
    tables = [path for path in files.values() if kind(path) in TABLES]
    if tables and len(tables) < len(files):
        mixed = shown(path.name for path in files.values())
        raise BadInput(f"{folder} mixes tables and line-aligned texts ({mixed}); keep files of one kind there.")
    rows = _join(files, notices) if tables else _align(files)
    return list(files), rows, notices


def _align(files: dict[str, Path]) -> Iterator[Row | BadRow]:
    """Line k of every file, as one row; lines beyond the end of the shortest file are bad."""
    sides = {type: list(read_lines(path)) for type, path in files.items()}
    ends = {type: len(lines) for type, lines in sides.items()}
    shortest = min(ends, key=ends.get)
    main = next(iter(files.values())).name
    for at in range(ends[shortest]):
        places = {type: (path.name, at + 1) for type, path in files.items()}
        yield Row(main, at + 1, {ROW_ID: at + 1} | {type: lines[at] for type, lines in sides.items()}, places)
    longest = max(ends, key=ends.get)
    for at in range(ends[shortest], ends[longest]):
        yield BadRow(files[longest].name, at + 1, f"no partner: {files[shortest].name} ends after {ends[shortest]:,} lines")


def _join(files: dict[str, Path], notices: list[str]) -> Iterator[Row | BadRow]:
    """Rows of equal id, as one row, in the order of the first file."""
    sides = {type: _side(path, type, notices) for type, path in files.items()}
    return join_rows(sides, {type: path.name for type, path in files.items()})


def join_rows(sides: Mapping[str, tuple[list[Row | BadRow], tuple[str, str]]], names: Mapping[str, str]) -> Iterator[Row | BadRow]:
    """Join the tables of several types: rows, and the names of their id and text columns, by type; `names`: what each table is called."""
    by_id: dict[str, dict[str, Row]] = {}
    for type, (rows, columns) in sides.items():
        by_id[type], bad = _by_id(rows, columns)
        yield from bad
    main = next(iter(sides))
    for id, row in by_id[main].items():
        missing = [type for type in sides if id not in by_id[type]]
        yield row.bad(_no_partner(id, names, missing)) if missing else _joined(id, {type: by_id[type][id] for type in sides})
    for side in by_id.values():
        for id, row in side.items():
            if id not in by_id[main]:
                yield row.bad(_no_partner(id, names, [main]))


def _no_partner(id: str, names: Mapping[str, str], missing: list[str]) -> str:
    return f"no partner: the id {id!r} has no usable row in {', '.join(names[type] for type in missing)}"


def _joined(id: str, sides: dict[str, Row]) -> Row:
    first = next(iter(sides.values()))
    cells = {ROW_ID: id} | {type: row.cells["text"] for type, row in sides.items()}
    return Row(first.file, first.line, cells, {type: (row.file, row.line) for type, row in sides.items()})


def _by_id(rows: Iterable[Row | BadRow], names: tuple[str, str]) -> tuple[dict[str, Row], list[BadRow]]:
    """Rows by id, with the text alone in their cells; the second row of an id is bad."""
    kept: dict[str, Row] = {}
    bad: list[BadRow] = []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        id = row.cells.get(names[0])
        if id is None or not str(id).strip():
            bad.append(row.bad("the id is empty"))
        elif str(id) in kept:
            bad.append(row.bad(f"the id {str(id)!r} stands on line {kept[str(id)].line} too"))
        else:
            kept[str(id)] = Row(row.file, row.line, {"text": row.cells.get(names[1])})
    return kept, bad


def _side(path: Path, type: str, notices: list[str]) -> tuple[list[Row | BadRow], tuple[str, str]]:
    """The rows of one type's table, and the names of its id and text columns; two columns without a header are id and text."""
    header = None
    if TABLES[kind(path)] is read_delimited:
        first = [cell.strip() for cell in first_record(path)]
        header = ["id", "text"] if len(first) == 2 and not _id_column(first) else None
    rows = list(read_delimited(path, header) if header else TABLES[kind(path)](path))
    found = id_and_text(column_names(rows), type, str(path))
    if ignored := [name for name in column_names(rows) if name and name not in found]:
        notices.append(f"not read in {path.name}: {shown(ignored)}")
    return rows, found


def id_and_text(names: Iterable[str], type: str, where: str) -> tuple[str, str]:
    """The columns of one type's table that hold its ids and its texts. Raises BadInput where it has no such."""
    columns = [name for name in names if name]
    id, texts = _id_column(columns), [name for name in columns if name in (*TEXT_COLUMNS, type) or file_type(name) == type]
    rest = [name for name in columns if name != id]
    text = texts[0] if texts else (rest[0] if len(rest) == 1 else None)
    if not id or not text:
        raise BadInput(f"{where} needs an id column (id, sent_id, ...) and a text column (text, or {type}); found: {shown(columns)}.")
    return id, text


def _id_column(columns: list[str]) -> str | None:
    return next((name for name in columns if name.lower() == "id" or name.lower().endswith(("_id", "-id"))), None)

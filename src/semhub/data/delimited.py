"""CSV and TSV as numbered rows, so read that one stray quote spoils its own row at most.

Knows no column's meaning. A TSV has no quoting unless the whole file shows it: a quote there is a character of the text.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from semhub.data.rows import BadRow, Row, read_lines
from semhub.errors import BadInput

MOST_LINES = 100  # that one quoted cell may run over
_CELL = r'(?:"(?:[^"]|"")*+"|[^"\t]*+)'
_WELL_QUOTED = re.compile(rf"{_CELL}(?:\t{_CELL})*+")


def read_delimited(path: Path, header: list[str] | None = None) -> Iterator[Row | BadRow]:
    """The rows under the header line, or under `header` where the file has none. Blank lines are passed over.

    Raises BadInput for an empty file and for a header that names a column twice.
    """
    lines = list(read_lines(path))
    records = list_records(lines, separator_of(path, lines))
    header = header or _header(path, next(records, None))
    for line, cells in records:
        yield _row(path.name, line, cells, header)


def first_record(path: Path) -> list[str]:
    """The cells of the first line, be they a header or not."""
    lines = list(read_lines(path))
    cells = next(list_records(lines, separator_of(path, lines)), (1, []))[1]
    return cells if isinstance(cells, list) else []


def separator_of(path: Path, lines: list[str]) -> str:
    """A tab for `.tsv` and `.txt`; for `.csv` whichever of comma, semicolon and tab the first line has most of."""
    if path.suffixes and {".tsv", ".txt"} & set(path.suffixes):
        return "\t"
    return max(",;\t", key=lines[0].count) if lines else ","


def list_records(lines: list[str], separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and cells of each record, or the reason why it has none."""
    if separator == "\t" and not is_quoted(lines):
        return ((number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip(" "))
    return ((number, cells) for number, cells, _ in _quoted_records(lines, separator))


def is_quoted(lines: list[str]) -> bool:
    """Whether a TSV was written with CSV quoting: every quote in it obeys the rules, and one could not stand in a plain file.

    The proof is a doubled quote, a tab or a line break inside a quoted cell, or a quoted header.
    """
    if not any('"' in line for line in lines):
        return False
    proof = lines[0].startswith('"')
    for number, cells, used in _quoted_records(lines, "\t"):
        raw = "\n".join(lines[number - 1 : number - 1 + used])
        if '"' not in raw:
            continue
        if isinstance(cells, str) or not _WELL_QUOTED.fullmatch(raw):
            return False
        proof = proof or any(mark in cell for cell in cells for mark in '"\t\n')
    return proof


def _quoted_records(lines: list[str], separator: str) -> Iterator[tuple[int, list[str] | str, int]]:
    at, width = 0, None
    while at < len(lines):
        if not lines[at].strip(" "):
            at += 1
            continue
        cells, used = _take(lines, at, separator, width)
        width = width or len(cells)
        yield at + 1, cells, used
        at += used


def _take(lines: list[str], at: int, separator: str, width: int | None) -> tuple[list[str] | str, int]:
    """The record that begins at line `at`, and how many lines it takes; a record that cannot end is one bad line."""
    reason = ""
    for used in range(1, min(MOST_LINES, len(lines) - at) + 1):
        try:
            records = list(csv.reader([line + "\n" for line in lines[at : at + used]], delimiter=separator, strict=True))
        except csv.Error as error:
            reason = reason or f"a quote that does not close, or is not doubled ({error})"
            if "end of data" not in str(error):
                break
        else:
            fits = len(records) == 1 and (used == 1 or width in (None, len(records[0])))
            return (records[0], used) if fits else ("a quote that does not close", 1)
    return reason, 1


def _header(path: Path, record: tuple[int, list[str] | str] | None) -> list[str]:
    if record is None:
        raise BadInput(f"{path} is empty; a header line that names the columns was expected.")
    if isinstance(record[1], str):
        raise BadInput(f"{path} line {record[0]}: the header cannot be read: {record[1]}.")
    names = [name.strip() for name in record[1]]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise BadInput(f"{path} names the column {twice[0]!r} twice.")
    return names


def _row(file: str, line: int, cells: list[str] | str, header: list[str]) -> Row | BadRow:
    if isinstance(cells, str):
        return BadRow(file, line, cells)
    if len(cells) != len(header):
        return BadRow(file, line, f"{len(cells)} cells where the header has {len(header)}")
    return Row(file, line, dict(zip(header, cells, strict=True)))

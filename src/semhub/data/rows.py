"""Files as numbered rows: lines of text, JSON objects, Parquet rows; what cannot be read becomes a `BadRow`, never an exception.

Knows formats, but not what the columns mean. CSV and TSV have a file of their own (`delimited`).
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semhub.errors import BadInput

SHOWN, REASONS = 3, 4  # bad rows that a message spells out, and reasons that it counts
_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used; `line` counts from 1 (in Parquet files and hub data sets, rows)."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `places` names the file and line of single cells, where a row is joined from several files."""

    file: str
    line: int
    cells: Mapping[str, object]
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def bad(self, reason: str, column: str | None = None) -> BadRow:
        file, line = self.places.get(column, (self.file, self.line))
        return BadRow(file, line, reason)


def left_out(bad: Sequence[BadRow], kept_in: str) -> str:
    """What was left out, by reason, the commonest first, and the first rows by name; `kept_in` says where more of them stand."""
    counts = Counter(row.reason for row in bad).most_common()
    reasons = [f"{why}: {n:,}" for why, n in counts[:REASONS]]
    reasons += [f"other reasons: {sum(n for _, n in counts[REASONS:]):,}"] if len(counts) > REASONS else []
    more = f"; more in {kept_in}" if len(bad) > SHOWN else ""
    return f"Bad rows left out: {len(bad):,} ({'; '.join(reasons)}); the first: {'; '.join(map(str, bad[:SHOWN]))}{more}."


def refuse(bad: list[BadRow], source: str, kept: int, skip_bad: bool) -> None:
    """Raise BadInput for bad rows (unless they are to be skipped) and for a source of which nothing is left."""
    first = "; ".join(str(row) for row in bad[:SHOWN]) + ("; ..." if len(bad) > SHOWN else "")
    if bad and not skip_bad:
        rows = "1 bad row" if len(bad) == 1 else f"{len(bad):,} bad rows"
        raise BadInput(f"{rows} in {source}: {first}. Mend them, or go on without them (--skip-bad, skip_bad=True).")
    if not kept:
        raise BadInput(f"No usable row in {source}" + (f"; {len(bad):,} bad ones: {first}." if bad else "."))


def flaw(value: object, max_chars: int) -> str | None:
    """Why `value` cannot be shown to a model as text, or None."""
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return f"is no text but {type(value).__name__} {str(value)[:30]!r}"
    if not value.strip():
        return "is empty"
    if len(value) > max_chars:
        return f"has {len(value):,} characters, more than {max_chars:,}"
    return encoding_flaw(value)


def encoding_flaw(value: str) -> str | None:
    """Why `value` cannot be the text that was meant: bytes that were no UTF-8, or NUL characters."""
    if "\0" in value:
        return "holds a NUL character (is the file UTF-16?)"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"is not UTF-8 ({_culprit(value[error.start])} at character {error.start + 1})"
    return None


def _culprit(char: str) -> str:
    escaped = 0xDC80 <= ord(char) <= 0xDCFF  # how `surrogateescape` carries a byte
    return f"byte 0x{ord(char) - 0xDC00:02x}" if escaped else f"a lone surrogate U+{ord(char):04X}"


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file (gzip or not), split at line feeds alone, without CR LF and byte order mark.

    Bytes that are no UTF-8 come as lone surrogates, which `encoding_flaw` names. Raises BadInput for UTF-16 and unreadable files.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            for number, raw in enumerate(file):
                if number == 0:
                    raw = _without_mark(raw, path)
                yield raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _without_mark(raw: bytes, path: Path) -> bytes:
    if raw.startswith(_UTF16_BOMS):
        raise BadInput(f"{path} is UTF-16; save it as UTF-8.")
    return raw.removeprefix(_UTF8_BOM)


def unreadable(path: Path, error: Exception) -> BadInput:
    reason = getattr(error, "strerror", None) or error
    return BadInput(f"{path} cannot be read: {reason}.")


def read_jsonl(path: Path) -> Iterator[Row | BadRow]:
    """One JSON object per line; blank lines are passed over."""
    for line, text in enumerate(read_lines(path), 1):
        if text.strip():
            yield json_row(path.name, line, text)


def json_row(file: str, line: int, text: str) -> Row | BadRow:
    if reason := encoding_flaw(text):
        return BadRow(file, line, reason)
    try:
        cells = json.loads(text)
    except (ValueError, RecursionError) as error:
        return BadRow(file, line, f"no JSON ({error})")
    if not isinstance(cells, dict):
        return BadRow(file, line, f"one JSON object per line was expected, not a {type(cells).__name__}")
    return Row(file, line, cells)


def read_parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file, in batches. Raises BadInput where it is none."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            records = (cells for batch in table.iter_batches() for cells in batch.to_pylist())
            for line, cells in enumerate(records, 1):
                yield Row(path.name, line, cells)
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise unreadable(path, error) from error


def class_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Column -> what its numbers stand for, as `datasets` notes it inside a Parquet file; nothing where there is no such note."""
    import pyarrow
    import pyarrow.parquet

    try:
        notes = json.loads((pyarrow.parquet.read_schema(path).metadata or {}).get(b"huggingface", b"{}"))
        features = notes["info"]["features"]
        return {name: tuple(map(str, each["names"])) for name, each in features.items() if each.get("_type") == "ClassLabel"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pyarrow.ArrowException):
        return {}


def shown(names: Iterable[str]) -> str:
    """Names for a message: the first of them, and none at full length if a text stands where a name should."""
    names = list(names)
    first = ", ".join(name if len(name) <= 30 else name[:30] + "..." for name in names[:12])
    return (first + (f", and {len(names) - 12} more" if len(names) > 12 else "")) or "none"


def column_names(rows: Iterable[Row | BadRow]) -> list[str]:
    """Every column of the rows, in order of first appearance."""
    names: dict[str, None] = {}
    for row in rows:
        if isinstance(row, Row) and not row.cells.keys() <= names.keys():
            names.update(dict.fromkeys(row.cells))
    return list(names)

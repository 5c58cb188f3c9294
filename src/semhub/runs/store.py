"""WHERE a run is kept: a folder whose parts are written whole or not at all, `done` last, and read back by name.

    spec.json                     what was asked, with what, of which weights (written first, completed as models are opened)
    parts/<task>@<model>.parquet  readings of one task on one model; beside it .outcomes.parquet, .json (extras) and .done
    tokens.json                   the words that the layers speak, for a few inputs
    readings.parquet              all parts, one row per key; outcomes.parquet the items behind them

Knows no model and no task.
"""

import errno
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from semhub.errors import BadInput, RunMismatch, SemhubError, UserError
from semhub.types import KEY, Outcome, Reading

NUMBERS = {"layer": pa.int64(), "seed": pa.int64(), "n": pa.int64(), **dict.fromkeys(("strength", "value", "low", "high"), pa.float64())}
READINGS = pa.schema([(each.name, NUMBERS.get(each.name, pa.string())) for each in fields(Reading)])
OUTCOMES = pa.schema([(each.name, NUMBERS.get(each.name, pa.string())) for each in fields(Outcome)])
SUFFIXES = (".parquet", ".outcomes.parquet", ".json")


def part_name(task: str, model: str) -> str:
    """`multilingual/similarity`, `a/b` -> `multilingual-similarity@a-b`: a file name that a person can read."""
    return f"{slug(task)}@{slug(model)}"


def slug(name: str) -> str:
    """`name` without what file systems dislike: letters, digits, dot, underscore and hyphen stay; the end of a long path counts."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[-80:] or "unnamed"


def write_part(folder: Path, name: str, readings: Sequence[Reading], outcomes: Sequence[Outcome], extras: Mapping, facts: Mapping) -> None:
    """Write one finished part; until its `.done` stands, the part counts as missing. Raises SemhubError if a key occurs twice."""
    unique(readings, name)
    stem = folder / "parts" / name
    contents = (parquet(readings, READINGS), parquet(outcomes, OUTCOMES), to_json(extras))
    for suffix, content in zip(SUFFIXES, contents, strict=True):
        write_whole(stem.with_name(name + suffix), content)
    sizes = {suffix: len(content) for suffix, content in zip(SUFFIXES, contents, strict=True)}
    write_whole(stem.with_name(name + ".done"), to_json({**facts, "bytes": sizes}))


def finished(folder: Path, name: str) -> bool:
    """Whether the part is there, whole."""
    stem = folder / "parts" / name
    done = read_json(stem.with_name(name + ".done"))
    return bool(done) and all(
        path.exists() and path.stat().st_size == size
        for path, size in ((stem.with_name(name + suffix), size) for suffix, size in done["bytes"].items())
    )


def gather(folder: Path, names: Iterable[str]) -> pa.Table:
    """Join finished parts, in the order given, into `readings.parquet` and `outcomes.parquet`; return the readings."""
    names = list(names)
    for suffix, target in ((".outcomes.parquet", "outcomes.parquet"), (".parquet", "readings.parquet")):
        table = pa.concat_tables([pq.read_table(folder / "parts" / (name + suffix)) for name in names])
        if target == "readings.parquet":
            unique_rows(table, str(folder))
        write_whole(folder / target, _parquet_bytes(table))
    return table


def unique(readings: Sequence[Reading], name: str) -> None:
    """Refuse two readings with one key: a fault of the task, not of the user."""
    seen = set()
    for reading in readings:
        key = tuple(getattr(reading, column) for column in KEY)
        if key in seen:
            shown = dict(zip(KEY, key, strict=True))
            raise SemhubError(f"Part {name} gave two readings with the same key {shown}; a task must tell them apart.")
        seen.add(key)


def unique_rows(table: pa.Table, where: str) -> None:
    """The same, over the parts of a run."""
    counts = table.select(KEY).group_by(list(KEY)).aggregate([([], "count_all")])
    if counts.num_rows != table.num_rows:
        twice = next(row for row in counts.to_pylist() if row["count_all"] > 1)
        raise SemhubError(f"Two parts of {where} gave readings with the same key {twice}; tasks must tell them apart.")


def parquet(rows: Sequence[Reading] | Sequence[Outcome], schema: pa.Schema) -> bytes:
    """Rows as Parquet, every column of the schema present and of its type, None as null."""
    columns = {entry.name: [_plain(getattr(row, entry.name), entry.type) for row in rows] for entry in schema}
    return _parquet_bytes(pa.table(columns, schema=schema))


def _plain(value, kind: pa.DataType):
    # Tasks hand over numpy and torch scalars; Arrow takes Python's own.
    if value is None:
        return None
    return str(value) if kind == pa.string() else int(value) if kind == pa.int64() else float(value)


def _parquet_bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def to_json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, default=_json_form) + "\n").encode()


def _json_form(value: object):
    # Tasks leave arrays, numpy numbers and read-only mappings among their extras.
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise SemhubError(f"Extras are written as JSON; found a {type(value).__name__}.")


def read_json(path: Path) -> dict:
    """The JSON object in `path`; empty if there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise BadInput(f"{path} is not JSON ({error}); remove it and run the same command again.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader finds all of it or what was there before, even after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # two processes may write the same
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "there is no permission to write there",
    errno.EPERM: "there is no permission to write there",
    errno.EROFS: "that disk is read-only",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EEXIST: "that path is a file, not a folder",
    errno.EISDIR: "that path is a folder, not a file",
    errno.ENAMETOOLONG: "that name is too long",
}


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into one line that says what to do."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno, error.strerror or str(error))
        advice = "Mend that or give another --out; the same command then goes on where it stopped."
        raise UserError(f"Cannot write {path}: {reason}. {advice}") from error


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; a second run in it is refused. A killed process lets go by itself.

    A folder made for this is taken away again if nothing was put into it.
    """
    made = not folder.exists()
    try:
        import fcntl
    except ImportError:  # Windows has no flock; there the folder goes unguarded
        yield
        return
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunMismatch(f"Another run is at work in {folder}; wait for it, or give another --out.") from None
        yield
    finally:
        os.close(handle)
        if made and [entry.name for entry in folder.iterdir()] == [".lock"]:
            (folder / ".lock").unlink()
            folder.rmdir()


def foreign(folder: Path) -> None:
    """Raise RunMismatch if `folder` holds files that no run of ours left there."""
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise RunMismatch(f"{folder} is not empty and holds no spec.json, so it is no run folder; give another --out.")


def readings(folder: Path | str):
    """All readings of a finished run as a pandas table."""
    return pq.read_table(_finished_file(Path(folder), "readings.parquet")).to_pandas()


def outcomes(folder: Path | str):
    """The items behind the readings as a pandas table."""
    return pq.read_table(_finished_file(Path(folder), "outcomes.parquet")).to_pandas()


def extras(folder: Path | str) -> dict[str, dict]:
    """What tasks left beside their readings, by part name (`<task>@<model>`)."""
    return {path.stem: read_json(path) for path in sorted((Path(folder) / "parts").glob("*.json"))}


def _finished_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        raise BadInput(f"{folder} holds no {name}: the run there is not finished; run its command again to finish it.")
    return path

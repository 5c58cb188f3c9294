"""A source by its path or its id on the hub, as rows: what every reader of a table does first.

Knows where files may lie, not what their columns mean.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semhub.data.folder import TABLES, kind
from semhub.data.hub import hub_id, read_hub
from semhub.data.rows import BadRow, Row, class_names
from semhub.errors import BadInput

Reader = Callable[[Path], Iterable[Row | BadRow]]


@dataclass(frozen=True, slots=True)
class Opened:
    """The rows, where they came from, under which licence, and (of a data set on the hub) at which commit.

    `classes`: column -> what its numbers stand for, where the data set says so. `most`: rows that were fetched, at most.
    """

    rows: Iterable[Row | BadRow]
    source: str
    licence: str
    revision: str | None = None
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    most: int | None = None


def open_table(
    source: str,
    what: str,
    instead: str,
    licence: str,
    inside: tuple[str, ...] = (),
    read: Reader | None = None,
    most: int | None = None,
) -> Opened:
    """A table in a file, one of the files `inside` a folder, or on the hub (`read`: instead of the reader of its suffix).

    With `most` no more rows than these are fetched from the hub, streamed.
    `licence` is what holds where the hub states none. Raises BadInput that says which file to put where (`instead`).
    """
    path = Path(source).expanduser()
    if path.is_dir():
        path = next((path / name for name in inside if (path / name).is_file()), path)
    if path.is_file() and kind(path) in TABLES:
        classes = class_names(path) if kind(path) == ".parquet" else {}
        return Opened((read or TABLES[kind(path)])(path), source, licence, classes=classes)
    if path.is_file():
        suffix = kind(path) or "no suffix"
        raise BadInput(f"{source} ends in {suffix}; {what} is read from {', '.join(TABLES)} (text also as .gz), or a data set's id.")
    asked = None if path.exists() or kind(path) in TABLES else hub_id(source)
    if asked is None:
        expected = f"a folder with {' or '.join(inside)}, or a file" if path.is_dir() and inside else "nothing"
        found = "" if expected == "nothing" else f" ({expected}, was expected)"
        raise BadInput(f"There is no {what} at {source}{found}; {instead}.")
    fetched = read_hub(asked, instead, most)
    return Opened(fetched.rows, str(fetched.id), fetched.licence or licence, fetched.id.revision, fetched.classes, most)

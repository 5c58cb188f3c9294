"""Real data by kind: which reader opens what `--data NAME=PATH` names, and where it is published.

Knows no content: each reader is a file of its own. A kind is added by one row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from semhub.data.rows import BadRow
from semhub.errors import BadInput, UnknownName

READERS: dict[str, str] = {  # kind -> "module:function"
    "code": "programs:read_programs",
    "formula": "cogs:read_cogs",
    "coco": "photos:read_coco",
    "vggsound": "clips:read_vggsound",
    "spoken-digits": "clips:read_digits",
    "cedict": "wordlens:read_dictionary",
    "wikipedia": "running:read_wikipedia",
    "mc4": "running:read_mc4",
    "sentiments": "reviews:read_sentiments",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What one reader found: `items` for the tasks of its kind, and all that a result must say about them.

    `hash`: sha256 of the items themselves. `counts`: items kept and dropped, by reason. `skipped`: bad rows left out.
    `revision`: the commit of a data set on the hub. `labels`: of labelled items all that there are, also those that no item has.
    """

    items: Any = field(repr=False)
    source: str
    hash: str
    licence: str
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: list[BadRow] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    revision: str | None = None
    labels: tuple[str, ...] = field(default=(), repr=False)

    def record(self) -> dict:
        """What `spec.json` keeps."""
        facts = {"source": self.source, "hash": self.hash, "licence": self.licence, "counts": dict(self.counts)}
        return facts if self.revision is None else facts | {"revision": self.revision}


def read_source(name: str, path: str | Path, skip_bad: bool = False) -> Source:
    """Read real data of the kind `name` (`READERS`, each `(path or id, skip_bad) -> Source`).

    Raises UnknownName for a kind that there is not, BadInput for what cannot be read.
    """
    return reader(kind_of(name))(path, skip_bad)


def kind_of(name: str) -> str:
    """The kind that is called so, or by another name of its data (`mbpp` -> `code`). Raises UnknownName."""
    if name in READERS:
        return name
    from semhub.data.known import KNOWN

    others = {other: each.name for each in KNOWN for other in each.also}
    parallel = {first_word(each.name): each.name for each in KNOWN if each.option.startswith("--pairs")}
    if first_word(name) in parallel:
        raise BadInput(f"{parallel[first_word(name)]} is parallel text: give it as --pairs PATH, not as --data {name}=PATH.")
    if name not in others:
        raise UnknownName("kind of data (--data NAME=PATH)", name, (*READERS, *others))
    return others[name]


def first_word(name: str) -> str:
    return name.lower().split("-")[0]


def reader(name: str) -> Callable[[str | Path, bool], Source]:
    module, function = READERS[name].split(":")
    return getattr(import_module(f"semhub.data.{module}"), function)

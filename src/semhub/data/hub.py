"""The seam to the Hugging Face hub: a data set id in, rows out. Knows no column's meaning; needs `datasets` only when called.

An id is written `owner/name/config@revision:split`, all but owner and name optional. What it means today is pinned: rows are
read at the commit that the id resolves to, which every result records.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from semhub.data.rows import Row
from semhub.errors import BadInput

_ID = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.+-]+))?(?:@(?P<revision>[^:@]+))?(?::(?P<split>.+))?")
SECONDS = 10  # to wait for the hub's first answer
CONVERTED = "refs/convert/parquet"  # the revision at which the hub keeps a data set's rows with everything inside them
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True, slots=True)
class HubId:
    """A data set on the hub: `owner/name/config@revision:split`, all but the name optional."""

    name: str
    revision: str | None = None
    split: str | None = None
    config: str | None = None

    def __str__(self) -> str:
        parts = (("/", self.config), ("@", self.revision), (":", self.split))
        return self.name + "".join(mark + part for mark, part in parts if part)


@dataclass(frozen=True, slots=True)
class Card:
    """What the hub says of a data set: the commit that was asked for, and the licence that its card states."""

    commit: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The rows of one split, where they came from (`id`, at its commit), and under which licence.

    `classes`: column -> what its numbers stand for. Sounds and films come as they are stored: `{"bytes": ..., "path": ...}`.
    """

    rows: Iterable[Row]
    id: HubId
    licence: str | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def hub_id(text: str, revision: str | None = None, split: str | None = None, config: str | None = None) -> HubId | None:
    """`owner/name/config@revision:split` taken apart (keywords win), or None where `text` cannot be an id."""
    match = _ID.fullmatch(text)
    return HubId(match["name"], revision or match["revision"], split or match["split"], config or match["config"]) if match else None


def read_hub(asked: HubId, instead: str | None = None, most: int | None = None) -> Fetched:
    """One split of a data set; with `most` its first rows alone, streamed, so that a large one is not fetched whole.

    Raises BadInput where it cannot be fetched (`instead`: what to do then), or where a split has to be chosen.
    """
    found, card = fetch(asked, instead, stream=most is not None)
    if isinstance(found, dict):
        if len(found) != 1:
            raise BadInput(f"The data set {asked} has the splits {', '.join(found)}; name one: {replace(asked, split=next(iter(found)))}.")
        found = next(iter(found.values()))
    pinned = replace(asked, revision=card.commit or asked.revision)
    features = getattr(found, "features", None) or {}
    classes = {name: tuple(feature.names) for name, feature in features.items() if type(feature).__name__ == "ClassLabel"}
    return Fetched(_rows(as_stored(found), asked, instead, most), pinned, card.licence, classes)


def as_stored(found):
    """The data set with no sound and no film decoded, which would need torchcodec."""
    for name, feature in (getattr(found, "features", None) or {}).items():
        if type(feature).__name__ in ("Audio", "Video"):
            found = found.cast_column(name, type(feature)(decode=False))
    return found


def _rows(found: Iterable, asked: HubId, instead: str | None, most: int | None) -> Iterator[Row]:
    """A stream may break off long after it was opened."""
    try:
        for line, cells in enumerate(islice(found, most), 1):
            yield Row(str(asked), line, cells)
    except (OSError, RuntimeError, ImportError) as error:
        raise BadInput(_refusal(asked, error, instead)) from error


def fetch(asked: HubId, instead: str | None = None, stream: bool = False):
    """(the data set, or the splits of it by name, as `datasets` gives it; its `Card`). No code of a data set is ever run."""
    try:
        card = _card(asked)
        from datasets import load_dataset

        more = {"streaming": True} if stream else {}
        return load_dataset(asked.name, asked.config, revision=card.commit or asked.revision, split=asked.split, **more), card
    except Exception as error:  # the hub's client raises errors of three HTTP libraries
        raise BadInput(_refusal(asked, error, instead)) from error


def _card(asked: HubId) -> Card:
    """One quick question to the hub, since `load_dataset` without a network tries for half a minute and chatters."""
    if any(os.environ.get(name, "").upper() in ("1", "TRUE", "YES", "ON") for name in OFFLINE):
        return Card(_commit_here(asked))
    from huggingface_hub import HfApi

    found = HfApi().dataset_info(asked.name, revision=asked.revision, timeout=SECONDS)
    licence = getattr(getattr(found, "card_data", None), "license", None)
    return Card(getattr(found, "sha", None), ", ".join(licence) if isinstance(licence, list) else licence)


def _commit_here(asked: HubId) -> str | None:
    """The commit that was fetched before, where this machine's cache tells it."""
    if asked.revision is not None:
        return None
    from huggingface_hub import constants

    ref = f"{constants.HF_HUB_CACHE}/datasets--{asked.name.replace('/', '--')}/refs/main"
    try:
        with open(ref, encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _refusal(asked: HubId, error: Exception, instead: str | None = None) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    file = f"data/{asked.name.split('/')[-1]}.jsonl"
    usual = f"put its rows in a file such as {file} (or .csv, .tsv, .parquet), one column per type, and pass that path"
    if isinstance(error, ImportError):
        parquet = f"give the Parquet form that the hub has of it ({replace(asked, revision=CONVERTED)})"
        return f"The rows of {asked} cannot be opened ({reason}). Install what is missing, {parquet}, or {instead or usual}."
    where = f"There is no file or folder {str(asked)!r} here, and the hub's data set {asked} could not be fetched ({reason}). "
    if _gated(error):
        page = f"huggingface.co/datasets/{asked.name}"
        return where + f"It is gated: accept its terms on {page} and log in (hf auth login), or {instead or usual}."
    return where + f"Without a network, {instead or usual}; a data set fetched before opens with HF_HUB_OFFLINE=1."


def _gated(error: Exception) -> bool:
    return "gated" in f"{type(error).__name__} {error}".lower()

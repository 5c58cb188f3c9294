"""The seam to the Hugging Face hub: a data set id in, rows out. Knows no column's meaning; needs `datasets` only when called."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from semhub.data.rows import Row
from semhub.errors import BadInput

_ID = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^:@]+))?(?::(?P<split>.+))?")
SECONDS = 10  # to wait for the hub's first answer


@dataclass(frozen=True, slots=True)
class HubId:
    """A data set on the hub: `owner/name@revision:split`, revision and split optional."""

    name: str
    revision: str | None = None
    split: str | None = None
    config: str | None = None

    def __str__(self) -> str:
        parts = (("@", self.revision), ("/", self.config), (":", self.split))
        return self.name + "".join(mark + part for mark, part in parts if part)


def hub_id(text: str, revision: str | None = None, split: str | None = None, config: str | None = None) -> HubId | None:
    """`owner/name@revision:split` taken apart (keywords win), or None where `text` cannot be an id."""
    match = _ID.fullmatch(text)
    return HubId(match["name"], revision or match["revision"], split or match["split"], config) if match else None


def read_hub(asked: HubId, instead: str | None = None) -> Iterator[Row]:
    """The rows of one split. Raises BadInput where it cannot be fetched (`instead`: what to do then), or where a split has to be chosen."""
    found = fetch(asked, instead)
    if isinstance(found, dict):
        if len(found) != 1:
            raise BadInput(f"The data set {asked} has the splits {', '.join(found)}; name one: {asked.name}:{next(iter(found))}.")
        found = next(iter(found.values()))
    for line, cells in enumerate(found, 1):
        yield Row(str(asked), line, cells)


def fetch(asked: HubId, instead: str | None = None):
    """The data set (or the splits of it, by name), as `datasets` gives it. No code of a data set is ever run."""
    try:
        _reach(asked)
        from datasets import load_dataset

        return load_dataset(asked.name, asked.config, revision=asked.revision, split=asked.split)
    except Exception as error:  # the hub's client raises errors of three HTTP libraries
        raise BadInput(_refusal(asked, error, instead)) from error


def _reach(asked: HubId) -> None:
    """One quick question to the hub, since `load_dataset` without a network tries for half a minute and chatters."""
    if any(os.environ.get(name, "").upper() in ("1", "TRUE", "YES", "ON") for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")):
        return
    from huggingface_hub import HfApi

    HfApi().dataset_info(asked.name, revision=asked.revision, timeout=SECONDS)


def _refusal(asked: HubId, error: Exception, instead: str | None = None) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    file = f"data/{asked.name.split('/')[-1]}.jsonl"
    usual = f"put its rows in a file such as {file} (or .csv, .tsv, .parquet), one column per type, and pass that path"
    return (
        f"There is no file or folder {asked.name!r} here, and the hub's data set {asked} could not be fetched ({reason}). "
        f"Without a network, {instead or usual}; "
        "a data set fetched before opens with HF_HUB_OFFLINE=1."
    )

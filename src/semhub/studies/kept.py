"""How a study is kept: its question in `spec.json`, and one part per model, which is asked once. Knows no measure."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from semhub.errors import RunMismatch
from semhub.runs import store
from semhub.types import Reading


def begin(out: Path, question: Mapping) -> None:
    """Begin the study in `out`, or make sure that the one there asks the same. Raises RunMismatch."""
    asked = json.loads(store.to_json(question))
    there = store.read_json(out / "spec.json")
    if there and there != asked:
        changed = next(key for key in {**there, **asked} if there.get(key) != asked.get(key))
        raise RunMismatch(f"{out} holds a study that asks something else ({changed} differs); give another --out.")
    if not there:
        store.foreign(out)
        store.write_whole(out / "spec.json", store.to_json(asked))


def asked_once(out: Path, name: str, model_name: str, asked: Mapping, opener: Callable[[], tuple]) -> tuple[list[Reading], int]:
    """(readings, depth) of one model: kept ones, or asked now of the (network, tokenizer) that `opener` gives."""
    if not store.finished(out, name):
        from semhub.models import load
        from semhub.studies.hub_measures import ask

        network, words = opener()
        model = load((network, words), prove=False)
        found = [_named(reading, model_name) for reading in ask(model, asked)]
        store.write_part(out, name, found, [], {"depth": model.layers}, {"model": model_name})
    import pyarrow.parquet as pq

    rows = pq.read_table(out / "parts" / f"{name}.parquet").to_pylist()
    return [Reading(**row) for row in rows], store.read_json(out / "parts" / f"{name}.json")["depth"]


def _named(reading: Reading, name: str) -> Reading:
    from dataclasses import replace

    return replace(reading, model=name)


def own_data(pairs: Path | str | None, items: Path | str | None) -> dict:
    """The user's own pairs and items, read; None where none are named."""
    from semhub.data.items import read_items
    from semhub.data.pairs import read_pairs

    return {"pairs": pairs and read_pairs(pairs), "items": items and read_items(items)}


def table(rows: Sequence[Mapping]) -> bytes:
    """Rows as Parquet, with the columns of the first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), buffer, compression="zstd")
    return buffer.getvalue()

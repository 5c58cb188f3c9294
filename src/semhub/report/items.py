"""The items behind a verdict: a sample for the page, from the lowest to the highest, and where all of them stand."""

from dataclasses import dataclass

import pandas as pd

from semhub.report.folder import Run
from semhub.report.words import written
from semhub.verdicts.slices import where
from semhub.verdicts.verdict import Verdict

SHOWN, LONGEST = 9, 160


@dataclass(frozen=True, slots=True)
class Items:
    """`rows` of texts under `columns`; `all` items there are; `pointer` says how to find them in `outcomes.parquet`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    all: int
    pointer: str


def items_of(run: Run, v: Verdict) -> Items | None:
    """A sample of the items of one verdict; None where the run kept none."""
    found = pushed(run, v) if v.claim == "used" else read(run, v)
    if found is None or found.empty:
        return None
    found = found.sort_values(["value", "item"], kind="stable")
    kept = found if len(found) <= SHOWN else found.iloc[[round(i * (len(found) - 1) / (SHOWN - 1)) for i in range(SHOWN)]]
    columns = [c for c in found.columns if c != "value"]
    rows = tuple(tuple(shown(row[c]) for c in columns) for _, row in kept.iterrows())
    return Items(tuple(columns), rows, len(found), pointer(v))


def read(run: Run, v: Verdict) -> pd.DataFrame | None:
    """Item by item, the effect at the layer that the verdict speaks of."""
    group = v.group if v.claim == "shared" else f"{v.group}:{v.nearest}"
    rows = run.evidence.items(v.task, v.model, v.measure or "", group=group, control=None, layer=v.layer, split=v.split)
    effect = "S" if v.claim == "shared" else "lead"
    return pd.DataFrame({"item": rows["item"], effect: rows["value"], "value": rows["value"]})


def pushed(run: Run, v: Verdict) -> pd.DataFrame | None:
    """Prompt by prompt, what was written without a push and under it, in each direction."""
    target = (v.measure or "").removesuffix("_change")
    rows = run.evidence.items(v.task, v.model, target, group=v.group, control=None)
    if rows.empty or v.strength is None:
        return None
    base = where(rows, strength=0.0).drop_duplicates("item").set_index("item")
    if base.empty:
        return None
    ways = {name: where(rows, layer=v.layer, strength=s) for name, s in (("pushed upward", v.strength), ("pushed downward", -v.strength))}
    told = lambda found: (found["value"].map(written) + "  " + found["text"].fillna("").str.slice(0, LONGEST)).str.strip()  # noqa: E731
    table = pd.DataFrame({"item": base.index, "no push": told(base).to_numpy()})
    change = pd.Series(0.0, index=base.index)
    for name, found in ways.items():
        if len(found):
            mine = found.drop_duplicates("item").set_index("item").reindex(base.index)
            table[name] = told(mine).to_numpy()
            change = change + (mine["value"] - base["value"]) * (1 if name == "pushed upward" else -1)
    return table.assign(value=change.to_numpy())


def pointer(v: Verdict) -> str:
    group = f"{v.group}:{v.nearest}" if v.claim == "anchored" else v.group
    columns = {"task": v.task, "model": v.model, "measure": (v.measure or "").removesuffix("_change"), "group": group, "layer": v.layer}
    return ", ".join(f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in columns.items() if value)


def shown(value: object) -> str:
    return written(value) if isinstance(value, float) else str(value)

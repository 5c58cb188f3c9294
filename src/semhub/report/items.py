"""The items behind a verdict: a sample for the page, from the lowest to the highest, as their texts, and where all of them stand."""

from dataclasses import dataclass

import pandas as pd

from semhub.report.folder import Run, mapped
from semhub.report.words import type_name, written
from semhub.verdicts.evidence import types_in
from semhub.verdicts.slices import where
from semhub.verdicts.verdict import Verdict

SHOWN, LONGEST, PROMPT = 9, 160, "prompt"


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
    kept = with_texts(run, v, kept.drop(columns="value"))
    rows = tuple(tuple(map(shown, row)) for row in kept.itertuples(index=False))
    return Items(tuple(kept.columns), rows, len(found), pointer(v))


def with_texts(run: Run, v: Verdict, items: pd.DataFrame) -> pd.DataFrame:
    """The same with a column for each text of the items that bears on the verdict, after their ids; as it is where the run kept none."""
    own = (e for e in run.extras if (e.get("task"), e.get("model")) == (v.task, v.model))
    texts = next((mapped(e["texts"]) for e in own if e.get("texts")), {})
    sides = types_in(v.group) if v.claim == "shared" else [PROMPT] if v.claim == "used" else [PROMPT, v.group, v.nearest or v.group]
    of = lambda item, side: str(mapped(texts.get(item)).get(side, ""))  # noqa: E731
    columns = {side: [of(item, side) for item in items["item"]] for side in dict.fromkeys(sides)}
    for place, (side, found) in enumerate((each for each in columns.items() if any(each[1])), 1):
        items.insert(place, heading(v, side), found)
    return items


def heading(v: Verdict, side: str) -> str:
    return f"{type_name(side)} word" if v.claim == "anchored" and side != PROMPT else type_name(side)


def read(run: Run, v: Verdict) -> pd.DataFrame | None:
    """Item by item, the effect at the layer that the verdict speaks of."""
    group = v.group if v.claim == "shared" else f"{v.group}:{v.nearest}"
    rows = run.evidence.items(v.task, v.model, v.measure or "", group=group, control=None, layer=v.layer, split=v.split)
    effect = "S" if v.claim == "shared" else "lead"
    return pd.DataFrame({"item": rows["item"], effect: rows["value"], "value": rows["value"]})


def told(found: pd.DataFrame) -> pd.Series:
    """What was written, as far as it was kept, behind its value; texts that are few come as categories."""
    return (found["value"].map(written) + "  " + found["text"].astype(object).fillna("").str.slice(0, LONGEST)).str.strip()


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

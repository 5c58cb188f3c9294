"""What was kept of the data and what was dropped, with the reason: while it was read, and by each task on the main model."""

from collections.abc import Iterable, Mapping

from semhub.report.folder import Run, listed, mapped
from semhub.report.tables import Table, table

DROPPED = "left out: "


def kept_table(run: Run) -> Table | None:
    """One row per source and per count of a task; None where the run recorded none."""
    caption = "What was read and kept of each source, and what each task kept of it; the rest, by reason."
    return table("kept", caption, [*sources(run), *tasks(run)])


def sources(run: Run) -> Iterable[dict]:
    data = mapped(run.spec.get("data"))
    read = ({"pairs": data} if data.get("counts") else {}) | mapped(data.get("kinds"))
    for name, each in read.items():
        counts = mapped(mapped(each).get("counts"))
        dropped = {why.removeprefix(DROPPED): n for why, n in counts.items() if why.startswith(DROPPED)}
        yield row(f"reading {name}", "rows", counts.get("rows"), counts.get("kept"), dropped)


def tasks(run: Run) -> Iterable[dict]:
    for extras in run.extras:
        if extras.get("refused"):
            where = f"{extras.get('task')} on {extras.get('model')}"
            yield {"task": where, "of": "the task", "given": 1, "kept": 0, "left out": str(extras["refused"])}
        if extras.get("model") == run.on(str(extras.get("task"))).main.name:
            for each in map(mapped, listed(extras.get("tally"))):
                yield row(str(extras.get("task")), str(each.get("of")), each.get("given"), each.get("kept"), mapped(each.get("left_out")))


def row(what: str, of: str, given: object, kept: object, dropped: Mapping) -> dict:
    told = "; ".join(f"{why}: {n:,}" if isinstance(n, int) else f"{why}: {n}" for why, n in dropped.items())
    return {"task": what, "of": of, "given": given, "kept": kept, "left out": told or "none"}

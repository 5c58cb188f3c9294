"""PRINT: progress and tables for a person at a terminal, quiet lines for a log.

Knows how things look, not how they come about.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import indent

from rich.console import Console
from rich.table import Table


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str | None = None) -> None:
    """One row per line; cells keep their text whole."""
    table = Table(*columns, caption=caption, caption_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    # Where no one looks there is no width to keep to: a log or a pipe gets each row on a line of its own.
    width = None if sys.stdout.isatty() else 10_000
    Console(highlight=False, markup=False, width=width).print(table)


def amount(n: float | None, unit: str = "") -> str:
    """`1234567` -> `1.2 M`; None -> `unknown`."""
    if n is None:
        return "unknown"
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.1f} {prefix}{unit}"
    return f"{n:.0f} {unit}".strip()


def duration(seconds: float | None) -> str:
    """`75` -> `1 min 15 s`; None -> `unknown`."""
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def watching() -> Iterator[Callable]:
    """Something that shows the events of a run: bars with time left if a person looks at stderr, else a line per part."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield lambda event: _line(console, event)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        whole = progress.add_task("run", total=None)
        bars: dict = {}  # the parts that are being done
        yield lambda event: _bar(progress, whole, bars, event)


def _line(console: Console, event) -> None:
    if event.kind == "note":
        console.print(event.note)
    elif event.kind == "kept":
        console.print(f"{event.done} of {event.total} parts were finished before and are kept.")
    elif event.kind == "done":
        console.print(f"[{event.index}/{event.parts}] {event.part.task} on {event.part.model}: {event.done} readings, {event.note}")


def _bar(progress, whole, bars: dict, event) -> None:
    if event.kind == "note":
        _line(progress.console, event)
    elif event.kind == "kept":
        progress.update(whole, total=event.total, completed=event.done)
    elif event.kind == "opening":
        if event.note not in bars:  # another process may be opening it too
            bars[event.note] = progress.add_task(f"opening {event.note}", total=None)
    elif event.kind == "opened":
        if event.note in bars:
            progress.remove_task(bars.pop(event.note))
    elif event.kind == "part":
        progress.update(whole, total=event.parts)
        bars[event.part] = progress.add_task(f"{event.part.task} on {event.part.model}", total=None)
    elif event.kind == "progress":
        progress.update(bars[event.part], completed=event.done, total=event.total)
    elif event.kind == "done":
        progress.remove_task(bars.pop(event.part))
        progress.update(whole, advance=1)
        _line(progress.console, event)


@contextmanager
def growing() -> Iterator[Callable]:
    """Something that shows `(step, steps, loss, seconds_left)`: one bar if a person looks at stderr, else ten lines in all."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        shown: set[int] = set()
        yield lambda step, steps, loss, left: _tenth(console, shown, step, steps, f"loss {loss:.3f}, {duration(left)} left")
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("growing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("documents first", total=None)
        yield lambda step, steps, loss, left: progress.update(
            bar, completed=step, total=steps, description=f"{duration(left)} left, loss {loss:.3f}"
        )


def _tenth(console: Console, shown: set[int], step: int, steps: int, note: str) -> None:
    tenth = 10 * step // max(1, steps)
    if tenth not in shown:
        shown.add(tenth)
        console.print(f"step {step} of {steps}: {note}")


@contextmanager
def counting() -> Iterator[Callable]:
    """Something that shows `(done, all, what)`: a bar with time left if a person looks at stderr, else ten lines in all."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        shown: set[int] = set()
        yield lambda done, total, what: _tenth(console, shown, done, total, what)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total, what: progress.update(bar, completed=done, total=total, description=what)


def show_calibration(found: dict, json_wanted: bool) -> None:
    """How uniform the p-values of each null are, how often a false claim is called supported, and what power there is."""
    if json_wanted:
        print_json(found)
        return
    shown = lambda value: "unknown" if value is None else f"{value:.3f}"  # noqa: E731
    rows = []
    for source, each in found["nulls"].items():
        groups = [("", each["models"], each), *((f"{g['model']} {g['group']}".strip(), "", g) for g in each["groups"])]
        for group, models, facts in groups:
            numbers = (shown(facts[key]) for key in ("ks", "ks_p", "false"))
            rows.append((source, group, facts["draws"], models, *numbers, shown(facts["false_upper"]) if "false_upper" in facts else ""))
    share = f"share <= {found['alpha']:g}"
    print_table(("null", "pair", "draws", "models", "KS distance", "KS p", share, "upper 95%"), rows)
    kinds = [(claim, kind["kind"], kind) for claim, each in found["verdicts"].items() for kind in ({"kind": "all"} | each, *each["kinds"])]
    told = [(claim, kind, f["draws"], f["supported"], shown(f["false"]), shown(f["false_upper"])) for claim, kind, f in kinds]
    if told:
        print_table(("claim", "where it is false", "draws", "supported", "share", "upper 95%"), told)
    for source, each in found["power"].items():
        ends = f"lower 95% end {each['power_lower']:.2f}, {each['draws']} draws"
        print(f"Power on {source}, {each['items']} items: {each['power']:.2f} ({ends})")
    print(f"{duration(found['seconds'])} of one processor core's work in {found['folder']}; figure: {found['figure']}")


def said(note: str) -> None:
    """One line for a person or a log."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(note)


def show_card(card: dict, json_wanted: bool) -> None:
    """What a grown model can do, and whether it is matched to the model that it is a control of."""
    if json_wanted:
        print_json(card)
        return
    interval = lambda s: f"[{s['low']:.2f}, {s['high']:.2f}]"  # noqa: E731
    rows = [(s["type"], s["subject"], f"{s['accuracy']:.2f}", interval(s), f"{s['chance']:.2f}", s["n"]) for s in card["scores"]]
    print_table(("type", "subject", "accuracy", "95% interval", "chance", "n"), rows)
    if card["matches"]:
        found = [
            (m["type"], f"{m['model']:.2f}", f"{m['control']:.2f}", f"{m['share']:.2f}", "yes" if m["matched"] else "NO")
            for m in card["matches"]
        ]
        print_table(("type", "model", "this one", "share", "matched (0.90)"), found)
    print(f"Card: {card['card']}")


def show_fitted(found: dict, json_wanted: bool) -> None:
    """How far each layer's readings are from the last layer's, on text that was kept apart."""
    if json_wanted:
        print_json(found)
        return
    rows = [(layer, f"{each['logit-lens']:.3f}", f"{each['lens']:.3f}") for layer, each in found["divergence"].items()]
    print_table(("layer", "logit lens", "this lens"), rows, caption="KL divergence from the final distribution, in nats, on held-out text")
    print(f"Lens: {found['folder']} (fitted on {found['texts']} texts of {found['text']})")


def show_run(done, json_wanted: bool) -> None:
    """Where the run and its report are."""
    if json_wanted:
        print_json(done.as_dict())
        return
    print(f"{done.rows} readings in {done.folder} ({duration(done.seconds)})")
    print(f"Report: {done.report}")


def show_estimate(estimate: dict, json_wanted: bool) -> None:
    """What would run."""
    if json_wanted:
        print_json(estimate)
        return
    rows = [
        (
            part["task"],
            part["model"],
            "finished" if part["finished"] else amount(part["forwards"]),
            amount(part["tokens"]),
            duration(part["seconds"]),
            amount(part["memory"], "B"),
        )
        for part in estimate["parts"]
    ]
    print_table(("task", "model", "forwards", "tokens", "time", "memory"), rows)
    total = estimate["total"]
    print(
        f"In all: {amount(total['forwards'])} forwards, {amount(total['tokens'])} tokens, about {duration(total['seconds'])}, "
        f"{amount(total['memory'], 'B')} of memory at most, {amount(total['fetch'], 'B')} to fetch."
    )
    for note in estimate["notes"]:
        print(note)
    print(f"Folder: {estimate['folder']}")


def show_tasks(tasks: list[dict], json_wanted: bool) -> None:
    if json_wanted:
        print_json(tasks)
    else:
        print_table(("task", "types", "question"), [(each["name"], ",".join(each["types"]), each["question"]) for each in tasks])


def show_parts(parts: list[dict], json_wanted: bool) -> None:
    """What of the paper can be done again, but for the tasks, which name themselves."""
    if json_wanted:
        print_json(parts)
    else:
        print_table(("part", "tasks"), [(each["part"], ", ".join(each["tasks"])) for each in parts if [each["part"]] != each["tasks"]])
        print("Every task of the paper can be named too: semhub list. Other figures and tables are numbered otherwise in other versions.")


def show_task(task: dict, json_wanted: bool) -> None:
    """All that one task states, a line a fact."""
    if json_wanted:
        print_json(task)
        return
    print(task["name"])
    for name, value in task.items():
        if name not in ("name", "protocol") and value:
            print(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    print("\n" + indent(task["protocol"], "  "))


def show_data(sources: list[dict], json_wanted: bool) -> None:
    """The sources of real data, a block each."""
    if json_wanted:
        print_json(sources)
        return
    for each in sources:
        print(f"{each['name']}: {each['what']}\n  {each['option']}" + (f"  (also {', '.join(each['also'])})" if each["also"] else ""))
        for title, key in (("licence", "licence"), ("get it from", "get"), ("put it at", "put")):
            print(f"  {title}: {each[key]}")
        for layout in each["layouts"]:
            print(f"  accepted: {layout}")
        print(f"  tasks: {', '.join(each['tasks'])}\n")


def show_models(models: list[dict], json_wanted: bool) -> None:
    if json_wanted:
        print_json(models)
    else:
        columns = ("name", "role", "types", "path", "bytes")
        rows = [
            (each["name"], each["role"], ",".join(each["types"]), each["path"] or "(made from a seed)", each["bytes"]) for each in models
        ]
        print_table(columns, rows)


def show_certificate(certificate: dict, json_wanted: bool) -> None:
    if json_wanted:
        print_json(certificate)
        return
    rows = [
        ("ok" if each["passed"] else "FAILED", each["name"], _error(each["error"]), _error(each["tolerance"]), each["detail"])
        for each in certificate["checks"]
    ]
    print_table(("", "check", "error", "tolerance", ""), rows)
    print("All checks passed." if certificate["passed"] else "This model cannot be trusted: nothing read from it would be.")


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def show_comparison(found: dict, out, json_wanted: bool) -> None:
    """The effects of each run against the first's; what is beyond each control stands in the files."""
    if json_wanted:
        print_json(found)
        return
    shown = lambda value: "" if value is None else f"{value:.3f}"  # noqa: E731
    rows = [
        (
            row["run"],
            row["role"],
            row["claim"],
            row["group"],
            f"{row['first_verdict'] or 'not measured'} {shown(row['first'])}",
            f"{row['verdict'] or 'not measured'} {shown(row['value'])}",
            f"{shown(row['difference'])} [{shown(row['low'])}, {shown(row['high'])}]"
            if row["low"] is not None
            else shown(row["difference"]),
            f"{row['paired']} items" if row["paired"] else "intervals",
        )
        for row in found["rows"]
        if row["what"] == "effect"
    ]
    print_table(("run", "model", "claim", "of", f"first: {found['runs'][0]['name']}", "this run", "difference", "paired by"), rows)
    for note in found["notes"]:
        print(f"Mind: {note}")
    if out is not None:
        print(f"Page: {out / 'compare.html'}")


def show_lens(table: dict, json_wanted: bool) -> None:
    """Layers downwards from the last one, tokens across, the best words in each cell."""
    if json_wanted:
        print_json(table)
        return
    rows = [
        (layer, *(" ".join(f"{_word(word)} {p:.2f}" for word, p in cell) for cell in words))
        for layer, words in reversed(list(zip(table["layers"], table["words"], strict=True)))
    ]
    print_table(("layer", *map(_word, table["tokens"])), rows, caption=f"{table['model']}, norm {table['norm']}")


def _word(token: str) -> str:
    """A token without the space before it; one that is nothing else is named."""
    shown = token.strip()
    return shown if shown and shown.isprintable() else repr(token)

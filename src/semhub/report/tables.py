"""Tables: the numbers behind each answer, and the same as CSV for a program and as LaTeX for a paper.

A cell is a text, a number, or an estimate with its interval; how it is written is decided here alone.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from semhub.report.anchored import Anchoring
from semhub.report.folder import Run
from semhub.report.rules import LIMITS
from semhub.report.shared import Meeting, last_layer
from semhub.verdicts.slices import Curve, Estimate, at, curve, distinct, headline, middle, peak, where
from semhub.report.used import Steering
from semhub.report.words import control_name, listing, measure_name, pair_name, reading_name, type_name, with_interval, written

Cell = str | float | int | Estimate | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under their columns; the first column names the row."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def texts(self) -> list[list[str]]:
        return [[cell_text(cell) for cell in row] for row in self.rows]


def cell_text(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, Estimate):
        return with_interval(cell)
    return cell if isinstance(cell, str) else str(cell) if isinstance(cell, int) else written(cell)


def table(name: str, caption: str, rows: Sequence[Mapping[str, Cell]]) -> Table | None:
    """A table of rows given by column name; columns in order of appearance. None without rows."""
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Table(name, caption, columns, tuple(tuple(row.get(c) for c in columns) for row in rows)) if rows else None


# as files ------------------------------------------------------------------------------------------------------------


def to_csv(found: Table) -> str:
    """Full precision; an estimate takes three columns, its value and the ends of its interval."""
    wide = [any(isinstance(row[i], Estimate) for row in found.rows) for i in range(len(found.columns))]
    names = [name for c, w in zip(found.columns, wide, strict=True) for name in ((c, f"{c} low", f"{c} high") if w else (c,))]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in found.rows:
        writer.writerow([part for cell, w in zip(row, wide, strict=True) for part in csv_parts(cell, w)])
    return out.getvalue()


def csv_parts(cell: Cell, wide: bool) -> tuple:
    if isinstance(cell, Estimate):
        return cell.value, cell.low, cell.high
    return (cell, None, None) if wide else (cell,)


LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "−": "$-$", "–": "--", "→": r"$\rightarrow$", "“": "``", "”": "''", "[": "{[}", "]": "{]}", "*": "{*}", '"': "{''}",
}  # fmt: skip


def to_latex(found: Table) -> str:
    """A booktabs table that compiles as it stands (Chinese cells need xelatex with a font for them)."""
    line = lambda cells: " & ".join(map(latex, cells)) + r" \\"  # noqa: E731
    label = re.sub(r"[^a-z0-9]+", "-", found.name.lower()).strip("-")
    body = "\n".join(line(row) for row in found.texts())
    return (
        "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\small\n"
        f"\\begin{{tabular}}{{l{'r' * (len(found.columns) - 1)}}}\n\\toprule\n{line(found.columns)}\n\\midrule\n{body}\n"
        f"\\bottomrule\n\\end{{tabular}}\n\\caption{{{latex(found.caption)}}}\n\\label{{tab:{label}}}\n\\end{{table}}\n"
    )


def latex(text: str) -> str:
    """Text that LaTeX prints as it is; control characters become spaces."""
    return "".join(LATEX.get(c, c if c.isprintable() else " ") for c in text)


# of the claims -------------------------------------------------------------------------------------------------------


def shared_table(found: Sequence[Meeting]) -> Table | None:
    """One row per pair, read at its highest middle layer."""
    rows = []
    for m in (m for m in found if m.top):
        row: dict[str, Cell] = {"pair": pair_name(m.pair), "layer": place(m.top), "S": m.top, "S at layer 0": m.start}
        row |= {f"S at layer {m.last:g}": m.end}
        row |= {f"against {control_name(name)}": e for name, e in m.negatives.items()}
        row |= {f"S, {reading_name(name)}": e for name, e in m.splits.items()}
        row |= {f"P@1 {way}": e.value for way, e in zip(("there", "back"), m.retrieval.values(), strict=False)}
        row |= {} if m.p is None else {"p": written(m.p, 3)}
        rows.append(row | {"n": m.top.n})
    return table("shared", "Similarity S of translations at the highest middle layer of each pair, with 95% intervals.", rows)


def anchored_table(found: Sequence[Anchoring]) -> Table | None:
    """One row per type of prompt, read at the layer that the answer speaks of."""
    rows = []
    for a in (a for a in found if a.top):
        dominant = type_name(a.dominant)
        row: dict[str, Cell] = {"prompts": type_name(a.type), "layer": place(a.top), f"{dominant} minus own word": a.top}
        row |= {"wrong words, same layer": at(a.wrong, a.top.at), f"at layer {a.last:g}": a.end}
        strong = peak(a.spoken(LIMITS)) or at(a.lift, a.top.at)
        row |= {"right over wrong": strong, "at its layer": strong and place(strong)}
        rows.append(row | {"probability there": strong and at(a.right, strong.at), "n": a.top.n})
    caption = "Log-probability of the dominant language's word minus the prompt's own word, and how many times as probable right words are."
    return table("anchored", caption, rows)


def used_table(found: Sequence[Steering]) -> Table | None:
    """For each type of output: the push, and the push beyond each control."""
    rows = []
    for s in (s for s in found if any(s.change)):
        lines = {"the push": s.change} | {f"minus {control_name(c)}": both for c, both in s.excess.items()}
        for what, (up, down) in lines.items():
            row: dict[str, Cell] = {"outputs": type_name(s.type), "what": what}
            row |= {"layer": place_of(s.layer), "strength": place_of(s.strength)}
            rows.append(row | {"upward": up, "downward": down, "n": max((e.n for e in (up, down) if e), default=None)})
    return table("used", "Change of sentiment in the direction wanted, from no push and beyond each control, with 95% intervals.", rows)


def controls_table(run: Run, meetings: Sequence[Meeting], anchorings: Sequence[Anchoring], steerings: Sequence[Steering]) -> Table | None:
    """The main model and its controls in the same rows: what each shows at its own best middle layer."""
    names = [run.main.name, *(s.name for s in run.controls)]
    rows = [{"what": f"S, {pair_name(m.pair)}", **beside(names, m.top, m.rivals)} for m in meetings]
    for a in anchorings:
        dominant, prompts = type_name(a.dominant), f"{type_name(a.type)} prompts"
        rivals = {name: r.top for name, r in a.rivals.items()}
        rows.append({"what": f"{dominant} minus own word, {prompts}", **beside(names, a.top, rivals)})
        lifts = {name: best_lift(r) for name, r in a.rivals.items()}
        rows.append({"what": f"right over wrong {dominant} words, {prompts}", **beside(names, best_lift(a), lifts)})
    for s in steerings:
        for i, way in enumerate(("upward", "downward")):
            rivals = {name: r.change[i] for name, r in s.rivals.items()}
            rows.append({"what": f"push {way}, {type_name(s.type)} outputs", **beside(names, s.change[i], rivals)})
    caption = "The same figures for the model and for models in which no hub is expected: each at its own best middle layer."
    return table("controls", caption, rows) if run.controls else None


def beside(names: Sequence[str], own: Estimate | None, rivals: Mapping[str, Estimate | None]) -> dict[str, Cell]:
    return {names[0]: own} | {name: rivals.get(name) for name in names[1:]}


def best_lift(found: Anchoring) -> Estimate | None:
    """The highest ratio of a middle layer at which the right word is probable at all."""
    probable = {e.at for e in found.right if e.value >= LIMITS.probability}
    return peak(tuple(e for e in middle(found.lift, found.last) if e.at in probable))


# of every task -------------------------------------------------------------------------------------------------------


def task_table(run: Run, task: str) -> Table | None:
    """What a task measured of the main model: each measure, group and comparison at its ends and its highest middle layer."""
    frame = run.part(task=task, model=run.main.name)
    last = last_layer(run, frame)
    rows = []
    for measure in distinct(frame["measure"]):
        mine = headline(where(frame, measure=measure), keep=("control",))
        for group in distinct(mine["group"]):
            for control in distinct(where(mine, group=group)["control"]):
                points = line_of(where(mine, group=group, control=control))
                rows += [row_of(str(measure), group, control, points, last)] if points else []
    caption = f"{task}, {run.main.name}: headline readings of each measure; the highest value is that of the middle layers or strengths."
    return table(task, caption, rows)


def line_of(rows) -> Curve:
    """Over layers, or over strengths where those were swept (then at the layer with most of them)."""
    if not rows["strength"].notna().any():
        return curve(rows)
    common = rows["layer"].mode()
    return curve(where(rows, layer=common.iloc[0]) if len(common) else rows, "strength")


def row_of(measure: str, group: object, control: object, points: Curve, last: float) -> dict[str, Cell]:
    top = peak(middle(points, last) or points)
    row: dict[str, Cell] = {"measure": measure_name(measure), "group": pair_name(str(group)) if group else "–"}
    row |= {"against": "–" if control is None else control_name(control), "first": points[0] if len(points) > 1 else None}
    return row | {"highest": top, "at": place(top), "last": points[-1] if len(points) > 1 else None, "n": max(p.n for p in points)}


def place(found: Estimate) -> str:
    return place_of(found.at)


def place_of(value: float | None) -> str:
    return "–" if value is None else f"{value:g}".replace("-", "−")


def data_rows(run: Run, task: str) -> str:
    """Every reading of a task as CSV, all models, as it stands in the store."""
    return run.part(task=task).to_csv(index=False, lineterminator="\n")


def named(tables: Iterable[Table | None]) -> dict[str, Table]:
    return {found.name: found for found in tables if found}


def summary(found: Table) -> str:
    """What a table holds, for those who do not see it."""
    return f"{found.caption} {len(found.rows)} rows; columns: {listing(found.columns)}."

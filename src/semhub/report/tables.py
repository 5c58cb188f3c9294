"""Tables: the numbers behind each answer, and the same as CSV for a program and as LaTeX for a paper.

A cell is a text, a number, or an estimate with its interval; how it is written is decided here alone.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from semhub.report.folder import Run
from semhub.report.words import control_name, listing, measure_name, pair_name, reading_name, type_name, with_interval, written
from semhub.verdicts.evidence import Subject
from semhub.verdicts.slices import Curve, Estimate, at, curve, distinct, headline, middle, peak, where
from semhub.verdicts.verdict import Control, Verdict

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


def verdict_table(run: Run, claim: str) -> Table | None:
    """One row per verdict of a model that is no control: the effect, that beyond each control, and what else was read at that place."""
    rows, several = [], run.several
    for v in run.judged(claim):
        row: dict[str, Cell] = {HEADS[claim]: type_name(v.group) if claim == "anchored" else pair_name(v.group)}
        row |= {"model": v.model} if several else {}
        row["verdict"] = v.verdict
        row |= {} if claim != "anchored" else {"anchor": type_name(v.anchor or "–")}
        row |= {EFFECTS[claim]: v.estimate, "layer": place_of(v.layer)}
        row |= {} if claim != "used" else {"strength": place_of(v.strength)}
        row |= {control_name(c.name, claim): estimate_of(c) for c in v.controls}
        row |= beside(run, v) if claim == "shared" else {}
        rows.append(row | {"p": None if v.p is None else written(v.p, 3), "n": v.n})
    return table(claim, CAPTIONS[claim], rows)


HEADS = {"shared": "pair", "anchored": "prompts", "used": "push"}
EFFECTS = {"shared": "S", "anchored": "anchor's word minus own word", "used": "change"}
CAPTIONS = {
    "shared": "Similarity S at the highest middle layer of each pair, and beyond each control, with 95% intervals; p corrected.",
    "anchored": "Log-probability of the leading type's word minus the own word, and beyond each control, with 95% intervals; p corrected.",
    "used": "Change of the target in the direction wanted, and beyond each control, with 95% intervals; p corrected.",
}


def estimate_of(c: Control) -> Estimate | None:
    return None if c.effect is None else Estimate(c.effect, c.low, c.high)


def beside(run: Run, v: Verdict) -> dict[str, Cell]:
    """Of a shared pair, at the layer spoken of: S at the last layer, on other sets of items, and P@1 both ways."""
    rows = run.part(task=v.task, model=v.model, measure=v.measure, group=v.group, control=None, position=v.position)
    head, last = curve(headline(rows)), run.last_layer(v.task)
    found: dict[str, Cell] = {f"S at layer {last:g}": at(head, last)}
    splits = headline(rows, keep=("split",))
    others = [s for s in distinct(splits["split"]) if s not in (None, v.split)]
    found |= {f"S, {reading_name(s)}": at(curve(where(splits, split=s)), v.layer) for s in others}
    for way, group in (("there", v.group), ("back", "-".join(reversed(v.group.split("-"))))):
        hit = at(curve(headline(run.part(task=v.task, model=v.model, measure="p_at_1", group=group))), v.layer)
        found |= {f"P@1 {way}": hit.value} if hit else {}
    return found


def controls_table(run: Run) -> Table | None:
    """The verdicts of every model, side by side: what a control is supported for as well is no sign of a hub."""
    by_place = {(v.claim, v.task, v.group, v.model): v for v in run.verdicts}
    rows, alone = [], len({run.on(v.task).main.name for v in run.verdicts}) < 2
    for claim, task, group in dict.fromkeys((v.claim, v.task, v.group) for v in run.verdicts):
        name = f"{type_name(group)} prompts" if claim == "anchored" else pair_name(group)
        asked = run.on(task)
        heads = [(s.name if alone else s.kind if s.control else "model", s) for s in (asked.main, *asked.controls)]
        told = {head: verdict_text(by_place.get((claim, task, group, s.name)), s) for head, s in heads}
        rows.append({"what": f"{claim}: {name}", "task": task} | told)
    caption = (
        "The verdicts on the model and on models in which no hub is expected, each read at its own best middle layer; "
        "in brackets: what the control is no null for."
    )
    weak = any(str(cell).endswith(WEAK) for row in rows for cell in row.values())
    return table("controls", caption + (WEAKER if weak else ""), rows) if run.controls else None


WEAK = " *"
WEAKER = (
    " An asterisk: the control is not as good as the model in a type of the group (below nine tenths of its accuracy), "
    "so it shows less than it should there."
)


def verdict_text(v: Verdict | None, subject: Subject) -> str | None:
    """The word and the effect; in brackets where nothing keeps a control from showing it, with a mark where it is a weak one."""
    if v is None:
        return None
    if subject.control and not subject.null_for(v.claim, v.joined, v.task):
        return f"({verdict_text(v, Subject(subject.name))})"
    if subject.control and subject.weak_in(v.joined):
        return verdict_text(v, Subject(subject.name)) + WEAK
    anchor = f" in {type_name(v.anchor)}" if v.claim == "anchored" and v.verdict == "supported" else ""
    return f"{v.verdict}{anchor}: {with_interval(v.estimate)}"


# of every task -------------------------------------------------------------------------------------------------------


def task_table(run: Run, task: str) -> Table | None:
    """What a task measured of the main model: each measure, group and comparison at its ends and its highest middle layer."""
    frame = run.part(task=task, model=run.main.name)
    last = run.last_layer(task)
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

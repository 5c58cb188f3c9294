"""A comparison of runs as a small page and a CSV file: verdicts side by side, and differences with their intervals."""

import csv
import io
from dataclasses import asdict, fields
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from semhub.report.words import control_name, pair_name, type_name, with_interval, written
from semhub.runs.store import write_whole
from semhub.studies.compare import EFFECT, Comparison, Difference
from semhub.verdicts.slices import Estimate

SHOWN = 600  # rows of the page; the CSV has all


def write(found: Comparison, out: Path) -> Path:
    """`compare.html` and `compare.csv` in `out` -> the page's path."""
    write_whole(out / "compare.csv", to_csv(found).encode("utf-8", "replace"))
    write_whole(out / "compare.html", render(found).encode("utf-8", "replace"))
    return out / "compare.html"


def to_csv(found: Comparison) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Difference)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in found.rows)
    return text.getvalue()


def render(found: Comparison) -> str:
    loader = PackageLoader("semhub.report")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    rows = [told(row) for row in found.rows if row.what == EFFECT]
    beside = [told(row) for row in found.rows if row.what != EFFECT][:SHOWN]
    return environment.get_template("compare.html.j2").render(found=found, rows=rows[:SHOWN], beside=beside)


def told(row: Difference) -> dict[str, str]:
    """A row in words; `clear` where the whole interval lies on one side of 0."""
    difference = None if row.difference is None else Estimate(row.difference, row.low, row.high)
    name = f"{type_name(row.group)} prompts" if row.claim == "anchored" else pair_name(row.group)
    return {
        "run": row.run,
        "role": row.role,
        "claim": row.claim,
        "group": name,
        "task": row.task,
        "what": "effect" if row.what == EFFECT else control_name(row.what, row.claim),
        "first": f"{row.first_verdict or 'not measured'}: {written(row.first)}",
        "value": f"{row.verdict or 'not measured'}: {written(row.value)}",
        "difference": with_interval(difference),
        "clear": "yes" if row.low is not None and (row.low > 0 or row.high < 0) else "no",
        "how": f"paired, {row.paired} items" if row.paired else "two intervals",
    }

"""The page of a study of growth: the key figures of `emergence` or `sweep`, drawn against training step or setting.

Reads the study's parquet alone; draws with `plots`. Writes SVG and PNG, a CSV, and one page that opens without a network.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semhub.errors import BadInput
from semhub.report import plots
from semhub.report.plots import Line, Panel, Plot, styled
from semhub.runs.store import write_whole
from semhub.verdicts.slices import Estimate

ABOUT = {"figure", "group", "split", "control", "position", "layer", "value", "low", "high", "n"}
NEVER = "shared-never-bridged"
TITLES = {
    "shared": "Shared: highest S_l",
    NEVER: "The same, never bridged",
    "retrieved": "Retrieved: P@1",
    "transferred": "Facts told in one language",
    "anchored": "Anchored: lead in log p",
}
SENSES = ("image", "audio")
POSITIONS = ("probe", "image", "last", None)
SAID = {("without", "none"): "nothing left out", ("only", "none"): "no bridge"}


def write_growth(folder: Path) -> Path:
    """Draw the study in `folder` -> the path of its page. Raises BadInput where no study is finished there."""
    path = next((path for name in ("emergence", "sweep") if (path := folder / f"{name}.parquet").is_file()), None)
    if path is None:
        raise BadInput(f"{folder} holds neither emergence.parquet nor sweep.parquet: no study is finished there.")
    table = pd.read_parquet(path)
    plot = drawn(table, path.stem)
    panels, picture = plots.drawn(plot)
    write_whole(folder / f"{path.stem}.svg", plots.svg(plot, panels).encode("utf-8"))
    write_whole(folder / f"{path.stem}.png", picture)
    write_whole(folder / f"{path.stem}.csv", table.to_csv(index=False).encode("utf-8"))
    write_whole(folder / f"{path.stem}.html", told(table, plot, panels, folder.name).encode("utf-8"))
    return folder / f"{path.stem}.html"


def places(table: pd.DataFrame) -> list[str]:
    """The columns that say which model a row is about: `step`, or the keys that were varied."""
    return [name for name in table.columns if name not in ABOUT]


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """One row per place, figure and group: against random negatives, at the first position, of the main split.

    Pairs once, in the order of `shared`; where a model sees or hears, those with its image or sound. S_l of concepts that no bridge
    contained is a figure of its own.
    """
    plain = table[table.control.isna()]
    never = (plain.figure == "shared") & (plain.split == "dev-never-bridged")
    plain = plain.assign(figure=plain.figure.mask(never, NEVER), split=plain.split.mask(never, "dev"))
    order = (*(("mean",) if plain.group.str.contains("audio").any() else ()), *POSITIONS)  # a sound has no one place of its own
    position = next((p for p in order if p in set(plain.position)), None)
    plain = plain[plain.position.isna() | (plain.position == position) | (plain.figure.isin(["transferred", "anchored"]))]
    plain = plain[plain.split.isna() | (plain.split == "dev")]
    turned = (plain.figure == "retrieved") & ~plain.group.isin(plain[plain.figure == "shared"].group)
    sensed = plain.group.str.contains("|".join(f"\\b{sense}\\b" for sense in SENSES))
    return plain[~turned & (sensed | ~sensed.any())]


def drawn(table: pd.DataFrame, name: str) -> Plot:
    shown, at = headline(table), places(table)
    styles = styled(list(dict.fromkeys(_label(group) for group in shown[shown.figure.isin(TITLES)].group)))
    panels = tuple(Panel(title, tuple(lines(shown[shown.figure == figure], at, styles))) for figure, title in TITLES.items())
    axis = "training step" if at == ["step"] else ", ".join(at)
    return Plot(name, name, tuple(panel for panel in panels if panel.lines), xlabel=axis, together=False)


def lines(table: pd.DataFrame, at: list[str], styles: dict) -> Iterable[Line]:
    """A curve per group over a number; a row per setting where settings are words, or several are varied at once."""
    numbers = pd.to_numeric(table[at[0]], errors="coerce")
    over_numbers = len(at) == 1 and not numbers.isna().any()
    for group, mine in table.groupby("group", sort=False):
        records = mine.to_dict("records")
        points = [_estimate(row, float(row[at[0]]) if over_numbers else None) for row in records]
        rows = () if over_numbers else tuple(", ".join(_setting(name.rpartition(".")[2], row[name]) for name in at) for row in records)
        yield Line(_label(group), tuple(sorted(points, key=lambda p: p.at) if over_numbers else points), styles[_label(group)], rows)


def _estimate(row: dict, at: float | None) -> Estimate:
    low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
    return Estimate(float(row["value"]), low, high, int(row["n"]), at)


def _setting(key: str, value) -> str:
    return SAID.get((key, value), f"{key} {value}")


def _label(group: str) -> str:
    return group.replace(":", " → ")


def told(table: pd.DataFrame, plot: Plot, panels: list[str], title: str) -> str:
    """The page, with a table of every key figure at every place."""
    shown, at = headline(table), places(table)
    rows = [[*(str(row[name]) for name in at), row["figure"], _label(row["group"]), *_shown(row)] for row in shown.to_dict("records")]
    key = [(label, Markup(f'<svg viewBox="0 -6 30 12" aria-hidden="true">{plots.swatch(style)}</svg>')) for label, style in plot.legend]
    values = {
        "title": f"{title}: {plot.name}",
        "panels": [(p.title, Markup(svg)) for p, svg in zip(plot.panels, panels, strict=True)],
        "legend": key,
    }
    loader = PackageLoader("semhub.report")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("growth.html.j2").render(
        **values, columns=[*at, "figure", "group", "value", "95% interval", "n"], rows=rows
    )


def _shown(row: dict) -> tuple[str, str, str]:
    interval = "" if pd.isna(row["low"]) else f"[{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.3f}", interval, str(int(row["n"]))

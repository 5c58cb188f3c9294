"""The figure of a calibration: p-values of each null against the quantiles that uniform ones would have.

Reads what has a p-value in `calibration.parquet`; draws with `plots`.
A line inside the grey band is what uniform p-values look like.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from semhub.errors import BadInput
from semhub.report import plots
from semhub.report.plots import GREY, Line, Panel, Plot, Style, styled
from semhub.runs.store import write_whole
from semhub.verdicts.slices import Curve, Estimate

NULLS = {
    "untrained": "untrained networks",
    "untrained-full": "untrained, 500 items",
    "turned": "grown and turned",
    "shuffled": "hub, shuffled",
    "grown": "no bridges (inexact)",
}
POINTS = 50  # of a curve at most


def write(folder: Path) -> Path:
    """Draw the calibration in `folder` as SVG and PNG -> the path of the PNG. Raises BadInput where no study is finished there."""
    path = folder / "calibration.parquet"
    if not path.is_file():
        raise BadInput(f"{folder} holds no calibration.parquet: no calibration is finished there.")
    table = pd.read_parquet(path)
    plot = drawn(table[table.p.notna()])
    panels, picture = plots.drawn(plot)
    write_whole(folder / "calibration.svg", plots.svg(plot, panels).encode("utf-8"))
    write_whole(folder / "calibration.png", picture)
    return folder / "calibration.png"


def drawn(table: pd.DataFrame) -> Plot:
    """A panel per null: all its draws in one line, each pair of types (of each model) in a thin one of its own."""
    panels = tuple(
        Panel(titled(title, mine), tuple(lines(mine))) for source, title in NULLS.items() for mine in [table[table.source == source]]
    )
    kept = tuple(panel for panel in panels if panel.lines)
    return Plot("calibration", "P-values under nulls", kept, xlabel="expected quantile", ylabel="p", level=None)


def titled(title: str, draws: pd.DataFrame) -> str:
    """The null, its number of draws, and their Kolmogorov-Smirnov distance from uniform."""
    distance = stats.kstest(draws.p, "uniform").statistic if len(draws) else float("nan")
    return f"{title}, n {len(draws)}, KS {distance:.3f}"


def lines(draws: pd.DataFrame) -> list[Line]:
    if draws.empty:
        return []
    styles = styled(sorted(draws.group.unique()), first=1)
    found = [Line("uniform (95% of draws)", expected(len(draws)), Style(GREY, "dotted", "", 1.0))]
    for group, mine in draws.groupby("group", sort=True):
        style = Style(styles[group].colour, styles[group].dash, "", 0.7)
        apart = "model" if len(mine.model.unique()) < 4 else "source"
        found += [Line(str(group), quantiles(each.p), style) for _, each in mine.groupby(apart)]
    return [*found, Line("all draws", quantiles(draws.p), Style(width=2.2, marker=""))]


def quantiles(p: Sequence[float]) -> Curve:
    """Sorted p-values over their expected quantiles."""
    ordered = np.sort(np.asarray(p, dtype=float))
    return tuple(Estimate(float(ordered[i]), n=len(ordered), at=(i + 1) / (len(ordered) + 1)) for i in places(len(ordered)))


def expected(n: int) -> Curve:
    """What the i-th smallest of n uniform values is: Beta(i, n + 1 - i)."""
    ranks = np.array(places(n)) + 1
    low, high = (stats.beta.ppf(end, ranks, n + 1 - ranks) for end in (0.025, 0.975))
    return tuple(Estimate(r / (n + 1), float(a), float(b), n, r / (n + 1)) for r, a, b in zip(ranks, low, high, strict=True))


def places(n: int) -> list[int]:
    return sorted(set(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int).tolist()))

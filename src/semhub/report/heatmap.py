"""A panel of cells: one number for every row and column, by colour and in figures. Knows no run."""

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from semhub.report.words import written

# From vermilion over white to blue, which people of every colour vision can tell apart; the figures say the same again.
COLOURS = LinearSegmentedColormap.from_list("signed", ["#D55E00", "#FFFFFF", "#0072B2"])


def draw_grid(axis: Axes, panel, bounds: tuple[float, float] | None) -> None:
    """`panel.lines` are rows, their `rows` the columns; colours reach as far below 0 as above. A star: the interval leaves out 0."""
    columns = list(dict.fromkeys(name for line in panel.lines for name in line.rows))
    reach = max(map(abs, bounds)) if bounds else 1.0
    for y, line in enumerate(panel.lines):
        for name, point in zip(line.rows, line.points, strict=True):
            x, depth = columns.index(name), point.value / reach
            axis.fill([x - 0.5, x + 0.5, x + 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5], color=COLOURS((depth + 1) / 2), lw=0)
            ink = "white" if abs(depth) > 0.65 else "#222222"
            axis.text(x, y, written(point.value, 2) + ("*" if sure(point) else ""), ha="center", va="center", color=ink, fontsize=8)
    axis.set_xlim(-0.5, len(columns) - 0.5)
    axis.set_ylim(len(panel.lines) - 0.5, -0.5)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(panel.lines)), [line.label for line in panel.lines])
    axis.tick_params(length=0)


def sure(point) -> bool:
    return bool(point.interval) and (point.low > 0 or point.high < 0)

"""How a figure looks: lines with their intervals, rows of points, and paths in a plane, in colours that all can tell apart.

Draws what it is given (`figures.py` decides that) and knows nothing of runs. Text stays text in SVG.
"""

import io
import re
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from markupsafe import escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from semhub.report.fonts import families
from semhub.report.heatmap import draw_grid
from semhub.verdicts.slices import Curve

# Okabe and Ito's palette, which people of every colour vision can tell apart; dashes and markers say the same again.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY = "#0072B2", "#D55E00", "#007A5A", "#B0568C", "#B87700", "#3A95C9", "#666666"
NOTHING_ABOUT_IT = {"Date": None, "Creator": None, "Format": None, "Type": None}
DASHES = {"solid": "-", "dashed": (0, (5, 2)), "dotted": (0, (1.2, 1.6)), "dashdot": (0, (6, 2, 1.2, 2)), "long": (0, (9, 3))}
WIDTH, HEIGHT, COLUMNS = 3.35, 2.4, 3  # inches of one panel, panels of one row
PANEL = "panel-"  # and its number: the id of a panel in the SVG of a whole figure
DEFINED = re.compile(r'(<(\w+) id="([^"]*)"(?:[^>]*/>|[^>]*>.*?</\2>))', flags=re.S)
USED = re.compile(r'(?:url\(#|href="#)([^")]+)')
TEXT, SHADE = "#222222", (0.16, 0.09)  # shades of few and of many intervals


@dataclass(frozen=True, slots=True)
class Style:
    colour: str = BLUE
    dash: str = "solid"
    marker: str = "o"
    width: float = 1.6


CYCLE = tuple(
    Style(colour, dash, marker)
    for colour, dash, marker in (
        (BLUE, "solid", "o"), (VERMILION, "dashed", "s"), (GREEN, "dashdot", "^"), (PURPLE, "dotted", "D"),
        (ORANGE, "long", "v"), (SKY, "dashed", "P"), (GREY, "dotted", "X"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a panel; in a panel of rows, one kind of point, with `rows` naming its places."""

    label: str
    points: Curve
    style: Style = CYCLE[0]
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """Places in a plane, joined in order, or (with `words`) each marked by its own word."""

    label: str
    places: tuple[tuple[float, float], ...]
    style: Style = CYCLE[0]
    words: tuple[str, ...] = ()
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves, rows of points or paths; with `grid`, the lines are the rows of a matrix and their `rows` the names of its columns."""

    title: str
    lines: tuple[Line, ...] = ()
    paths: tuple[Path, ...] = ()
    grid: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure: panels that share their axis of values, unless `together` is false.

    `level`: a line to compare with. `floor`: values below it are left to the tables, so that they do not flatten the rest.
    """

    name: str
    title: str
    panels: tuple[Panel, ...]
    xlabel: str = "layer"
    ylabel: str = ""
    level: float | None = 0.0
    logarithmic: bool = False
    floor: float | None = None
    together: bool = True

    @property
    def legend(self) -> list[tuple[str, Style]]:
        """Every label once, in order of appearance."""
        entries = [(each.label, each.style) for p in self.panels for each in (*p.lines, *p.paths) if each.label and not p.grid]
        return list(dict(entries).items())


def drawn(plot: Plot) -> tuple[list[str], bytes]:
    """Every panel as an SVG of its own, all on the same axes, and the whole figure as PNG: one drawing, for to lay it out costs most."""
    with warnings.catch_warnings(), rc_context({**settings(), "svg.hashsalt": plot.name}):
        warnings.simplefilter("ignore")
        whole = figure(plot, limits(plot), len(plot.legend))
        text = io.StringIO()
        whole.savefig(text, format="svg", metadata=NOTHING_ABOUT_IT)
        return apart(plot, text.getvalue()), png(whole, plot)


def png(whole: Figure, plot: Plot) -> bytes:
    """A drawn figure with its legend, which the SVG has from `svg`."""
    if plot.legend:
        handles = [Line2D([], [], **keywords(style)) for _, style in plot.legend]
        labels = [plain(label) for label, _ in plot.legend]
        whole.legend(handles, labels, loc="lower left", ncols=grid(plot)[0], handlelength=3.2)
    buffer = io.BytesIO()
    whole.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def apart(plot: Plot, text: str) -> list[str]:
    """The SVG of a whole figure as one SVG for each panel, with the definitions that it uses, fit to stand inside another document.

    matplotlib writes an element per line and indents it by depth, and defines a marker where it first occurs.
    """
    (width, height), columns = (72 * inches for inches in panel_size(plot)), grid(plot)[0]
    defined = "".join(re.findall(r"<defs>(.*?)</defs>", text, flags=re.S))
    known = {name: whole for whole, _, name in DEFINED.findall(defined)}
    bare = re.sub(r"<defs>.*?</defs>", "", text, flags=re.S)
    found = []
    for i in range(len(plot.panels)):
        drawing = re.search(rf'^( *)<g id="{PANEL}{i}">\n.*?^\1</g>\n', bare, flags=re.S | re.M)[0]
        used = [known[name] for name in dict.fromkeys(USED.findall(drawing))]
        box = f'viewBox="{i % columns * width:g} {i // columns * height:g} {width:g} {height:g}"'
        page = f'<rect x="{i % columns * width:g}" y="{i // columns * height:g}" width="{width:g}" height="{height:g}" fill="white"/>'
        prefix = f"f{zlib.crc32(plot.name.encode()):x}-{i}-"
        found.append(embedded(f"<svg {box}><defs>{''.join(used)}</defs>{page}{drawing}</svg>", prefix))
    return found


def svg(plot: Plot, panels: Sequence[str]) -> str:
    """The whole figure as one SVG file, put together from its panels, with a legend below."""
    width, height = (72 * inches for inches in panel_size(plot))
    columns, rows = grid(plot)
    box = lambda i: f'x="{i % columns * width:g}" y="{i // columns * height:g}" width="{width:g}" height="{height:g}"'  # noqa: E731
    placed = [text.replace("<svg", f"<svg {box(i)}", 1) for i, text in enumerate(panels)]
    keys = [
        f'<g transform="translate({10 + k % columns * width:g} {rows * height + 16 + k // columns * 16:g})">{swatch(style)}'
        f'<text x="36" y="3.5">{escape(plain(label))}</text></g>'
        for k, (label, style) in enumerate(plot.legend)
    ]
    total = rows * height + 16 * (-(-len(keys) // columns) + 1)
    family = escape(", ".join(f"'{name}'" for name in families()))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {columns * width:g} {total:g}"'
    style = f'font-family="{family}, sans-serif" font-size="9.5" fill="{TEXT}"'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return f'{head} width="{columns * width:g}pt" height="{total:g}pt" {style}>{background}{"".join([*placed, *keys])}</svg>\n'


def swatch(style: Style) -> str:
    """A short line in a style, 30 units long and centred on y = 0."""
    dashes = DASHES[style.dash]
    pattern = "" if dashes == "-" else f' stroke-dasharray="{" ".join(f"{d * style.width:g}" for d in dashes[1])}"'
    line = f'<path d="M0 0H30" fill="none" stroke="{style.colour}" stroke-width="{style.width + 0.4:g}"{pattern}/>'
    return line + (f'<circle cx="15" cy="0" r="2.6" fill="{style.colour}"/>' if style.marker else "")


def embedded(text: str, prefix: str) -> str:
    """An SVG that may stand inside another document: no style for others, only the ids that it uses, and no needless digits."""
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    used = set(USED.findall(text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}", text)
    text = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), text)
    return re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", text)).strip()


def settings() -> dict:
    """Settings of every figure, used within a context and never left behind."""
    return {
        "font.family": families(),
        "font.size": 9,
        "svg.fonttype": "none",
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.labelcolor": TEXT,
        "axes.titlesize": 9.5,
        "axes.titley": 1.0,  # its place unless told, looked for among all ticks at every drawing
        "text.color": TEXT,
        "xtick.color": TEXT,
        "ytick.color": TEXT,
        "legend.frameon": False,
        "figure.facecolor": "white",
    }


def panel_size(plot: Plot) -> tuple[float, float]:
    """Inches of one panel: paths are square, rows need room for each."""
    rows = max((len(line.rows) for p in plot.panels for line in p.lines), default=0)
    if any(p.paths for p in plot.panels):
        return WIDTH * 1.2, WIDTH * 1.2
    return WIDTH, max(HEIGHT, 0.85 + 0.28 * rows)


def figure(plot: Plot, bounds: tuple[float, float] | None, entries: int = 0) -> Figure:
    """All panels side by side, three to a row, with room for a legend of so many entries below."""
    width, height = panel_size(plot)
    columns, rows = grid(plot)
    below = 0.22 * -(-entries // columns) + 0.1 if entries else 0
    total = (width * columns, height * rows + below)
    whole = Figure(figsize=total)
    for i, panel in enumerate(plot.panels):
        left, bottom = i % columns * width, below + (rows - 1 - i // columns) * height
        box = (left + left_margin(plot), bottom + 0.44, width - left_margin(plot) - 0.12, height - 0.44 - 0.3)
        axis = whole.add_axes([box[0] / total[0], box[1] / total[1], box[2] / total[0], box[3] / total[1]], gid=f"{PANEL}{i}")
        axis.yaxis.set_label_coords((0.14 - left_margin(plot)) / box[2], 0.5)
        draw(axis, plot, panel, bounds if plot.together else limits(replace(plot, panels=(panel,))))
    return whole


def grid(plot: Plot) -> tuple[int, int]:
    """Columns and rows of panels: three to a row, four as two by two."""
    panels = len(plot.panels)
    columns = 2 if panels == 4 else min(COLUMNS, panels) or 1
    return columns, -(-panels // columns)


def left_margin(plot: Plot) -> float:
    names = [name for panel in plot.panels for line in panel.lines for name in ((line.label,) if panel.grid else line.rows)]
    return 0.74 if not names else min(0.25 + 0.072 * max(map(len, map(plain, names))), 1.7)


def draw(axis: Axes, plot: Plot, panel: Panel, bounds: tuple[float, float] | None) -> None:
    axis.set_title(plain(panel.title, 40), loc="left")
    if panel.grid:
        draw_grid(axis, panel, bounds)
    elif panel.paths:
        draw_paths(axis, panel)
    elif any(line.rows for line in panel.lines):
        draw_rows(axis, plot, panel, bounds)
    else:
        draw_curves(axis, plot, panel, bounds)


def draw_curves(axis: Axes, plot: Plot, panel: Panel, bounds) -> None:
    """Lines over layers or strengths; the shade around a line is its interval."""
    if plot.logarithmic:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
    if plot.level is not None:
        axis.axhline(plot.level, color="#999999", linewidth=0.8, zorder=0)
    for line in panel.lines:
        points = [p for p in line.points if p.at is not None and not (plot.logarithmic and p.value <= 0)]
        xs = [p.at for p in points]
        axis.plot(xs, [p.value for p in points], **keywords(line.style))
        shaded = [p for p in points if p.interval]
        lows, highs = [p.low for p in shaded], [p.high for p in shaded]
        axis.fill_between([p.at for p in shaded], lows, highs, color=line.style.colour, alpha=SHADE[len(panel.lines) > 3], linewidth=0)
        if len(shaded) == 1:
            axis.vlines([p.at for p in shaded], lows, highs, color=line.style.colour, linewidth=1.2)
    if bounds:
        axis.set_ylim(*bounds)
    axis.set(xlabel=plain(plot.xlabel), ylabel=plain(plot.ylabel, 34))
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10], integer=plot.xlabel == "layer", min_n_ticks=1))


def draw_rows(axis: Axes, plot: Plot, panel: Panel, bounds) -> None:
    """One row per condition, its value as a point and its interval as a bar."""
    names = list(dict.fromkeys(row for line in panel.lines for row in line.rows))
    if plot.level is not None:
        axis.axvline(plot.level, color="#999999", linewidth=0.8, zorder=0)
    for i, line in enumerate(panel.lines):
        shift = 0.16 * (i - (len(panel.lines) - 1) / 2)
        for row, point in zip(line.rows, line.points, strict=True):
            y = names.index(row) + shift
            axis.plot([point.value], [y], **{**keywords(line.style), "linestyle": "none", "markersize": 5})
            if point.interval:
                axis.hlines([y], [point.low], [point.high], color=line.style.colour, linewidth=1.4)
    axis.set_yticks(range(len(names)), [plain(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    if bounds:
        axis.set_xlim(*bounds)
    axis.set_xlabel(plain(plot.ylabel))


def draw_paths(axis: Axes, panel: Panel) -> None:
    """Ways through a plane: words at their places, single paths faint, a mean path strong with its start and end marked."""
    for path in panel.paths:
        xs, ys = [x for x, _ in path.places], [y for _, y in path.places]
        if path.words:
            axis.plot(xs, ys, **{**keywords(path.style), "linestyle": "none", "alpha": 0.0})
            for x, y, word in zip(xs, ys, path.words, strict=True):
                axis.text(x, y, plain(word), color=path.style.colour, ha="center", va="center", fontsize=8)
        elif path.faint:
            axis.plot(xs, ys, color=path.style.colour, linewidth=0.6, alpha=0.25)
        else:
            axis.plot(xs, ys, **{**keywords(path.style), "linewidth": 2.2})
            for place, x, y in ((0, xs[0], ys[0]), (len(xs) - 1, xs[-1], ys[-1])):
                axis.annotate(str(place), (x, y), textcoords="offset points", xytext=(5, 5), fontsize=8)
    axis.set(xlabel="first direction", ylabel="second direction")


def limits(plot: Plot) -> tuple[float, float] | None:
    """One range for all panels, with room around; None where nothing is drawn or single rows or paths choose for themselves."""
    found = list(ends(p for panel in plot.panels for line in panel.lines for p in line.points))
    if not found:
        return None
    if plot.logarithmic:
        positive = [v for v in found if v >= (plot.floor or 0.0) and v > 0] or [1.0]
        return min(positive) / 1.3, max(positive) * 1.3
    low, high = min([*found, plot.level or 0.0]), max([*found, plot.level or 0.0])
    room = 0.06 * (high - low or 1.0)
    return low - room, high + room


def ends(points: Iterable) -> Iterable[float]:
    for p in points:
        yield p.value
        yield from p.interval or ()


def keywords(style: Style) -> dict:
    return {
        "color": style.colour, "linestyle": DASHES[style.dash], "marker": style.marker, "markersize": 3.2, "linewidth": style.width,
        "markeredgewidth": 0.0,
    }  # fmt: skip


def plain(text: str, longest: int = 60) -> str:
    """Text that any drawing can hold: one line, no control characters, not too long, and no underscore that hides a label."""
    kept = re.sub(r"\s+", " ", "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in str(text))).strip()
    kept = kept if len(kept) <= longest else kept[: longest - 1] + "…"
    return " " + kept if kept.startswith("_") else kept


def styled(labels: Sequence[str], first: int = 0) -> dict[str, Style]:
    """A style for each label, in the order of the cycle."""
    return {label: replace(CYCLE[(first + i) % len(CYCLE)]) for i, label in enumerate(labels)}

"""The page: what was answered, shown and tabled, put into one HTML file, and figures and tables beside it as files.

Arranges; every sentence, figure and table comes from its own module. All text of a run is escaped by the template.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semhub.report import fonts, plots, prose, tables, tokenmap
from semhub.report.answers import Answer, answers
from semhub.report.figures import figures_of
from semhub.report.folder import Run, listed, mapped, read_run
from semhub.report.kept import kept_table
from semhub.report.plots import Plot
from semhub.report.tables import Table
from semhub.report.words import described
from semhub.runs.store import slug, write_whole
from semhub.verdicts.files import keep_verdicts
from semhub.verdicts.thresholds import LIMITS, Thresholds

LIMIT = 3_000_000  # bytes of the page; what it may hold is cut long before
FIGURES, ROWS, ALT, TEXT, NOTES = 1_800_000, 60, 1500, 400, 20  # bytes of all figures; rows of a table; letters and notes of one kind
VERDICTS = 30  # verdicts of one claim that the page opens; verdicts.json has them all
KEY_FIGURES = {
    "shared": ("adjusted_cosine-models", "adjusted_cosine-control", "adjusted_cosine-split"),
    "anchored": ("anchor-models", "prob-answers", "disagreement-readers"),
    "used": ("sentiment_change-controls", "sentiment-dose", "sentiment_change-layers"),
}
WORDED = ("of", "left out", "what", "group", "against", "verdict", "task", "anchor")  # columns of words, which start at the left
TASKS = {"shared": "multilingual/similarity", "anchored": "multilingual/lens", "used": "multilingual/steering"}  # whose figures lead


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as the page shows it; `panels` is empty where the page has no room for it."""

    title: str
    file: str
    panels: tuple[Markup, ...]
    legend: tuple[tuple[str, Markup], ...]
    alt: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A claim or a task: its figures and table."""

    key: str
    title: str
    answer: Answer | None = None
    facts: dict[str, str] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    table: Table | None = None


def write(folder: Path, limits: Thresholds = LIMITS) -> Path:
    """Write verdicts, figures, tables and page of a run folder -> the page's path. Raises BadInput where there is nothing to tell."""
    run = read_run(folder, limits)
    keep_verdicts(folder, run.verdicts, limits)
    pictures = {task: list(pictures_of(run, task, folder)) for task in run.tasks}
    claims = list(claim_sections(run, pictures))
    tasks = [task_section(run, task, pictures[task]) for task in run.tasks]
    controls = tables.controls_table(run)
    maps = tokenmap.maps(run)
    kept = kept_table(run)
    write_files(run, folder, [*(s.table for s in (*claims, *tasks)), controls, kept], maps)
    page = render(run, claims=claims, tasks=tasks, controls=controls, maps=maps, kept=kept)
    write_whole(folder / "report.html", page.encode("utf-8", "replace"))
    return folder / "report.html"


def pictures_of(run: Run, task: str, folder: Path) -> Iterable[tuple[Plot, list[str]]]:
    """Every figure of a task with its panels as SVG; its files are written on the way."""
    for plot in figures_of(run, task):
        panels = plots.panels_svg(plot)
        stem = folder / "figures" / slug(plot.name)
        write_whole(stem.with_name(stem.name + ".svg"), plots.svg(plot, panels).encode("utf-8", "replace"))
        write_whole(stem.with_name(stem.name + ".png"), plots.png(plot))
        yield plot, panels


def write_files(run: Run, folder: Path, found: Sequence[Table | None], maps: Sequence[tokenmap.Map]) -> None:
    """Tables as CSV and LaTeX, the readings of each task as CSV, the maps of tokens as SVG and PNG."""
    for table in filter(None, found):
        write_whole(folder / "tables" / f"{slug(table.name)}.csv", tables.to_csv(table).encode("utf-8", "replace"))
        write_whole(folder / "tables" / f"{slug(table.name)}.tex", tables.to_latex(table).encode("utf-8", "replace"))
    for task in run.tasks:
        write_whole(folder / "tables" / f"{slug(task)}-readings.csv", tables.data_rows(run, task).encode("utf-8", "replace"))
    for number, each in enumerate(maps, 1):
        for kind, content in tokenmap.drawn(each).items():
            write_whole(folder / "figures" / f"token-map-{number}.{kind}", content)


# sections ------------------------------------------------------------------------------------------------------------


def claim_sections(run: Run, pictures: dict) -> Iterable[Section]:
    """The three claims, each with the figures that it rests on, taken out of its task's own."""
    for answer in answers(run):
        task = TASKS[answer.key]
        mine = [each for ending in KEY_FIGURES[answer.key] for each in pictures.get(task, []) if each[0].name == f"{task}-{ending}"]
        pictures[task] = [each for each in pictures.get(task, []) if each not in mine]
        table = tables.verdict_table(run, answer.key)
        yield Section(answer.key, answer.title, answer, {}, tuple(picture(*each) for each in mine), table)


def task_section(run: Run, task: str, pictures: Sequence[tuple[Plot, list[str]]]) -> Section:
    facts = {key: brief(run.tasks[task].get(key)) for key in ("question", "paper", "against") if run.tasks[task].get(key)}
    return Section(slug(task), task, None, facts, tuple(picture(*each) for each in pictures), tables.task_table(run, task))


def picture(plot: Plot, panels: Sequence[str]) -> Picture:
    lines = lambda panel: {line.label: line.points for line in panel.lines}  # noqa: E731
    alt = " ".join(described(panel.title or plot.title, lines(panel), unit(plot)) for panel in plot.panels if panel.lines)
    key = lambda style: Markup(f'<svg viewBox="0 -6 30 12" aria-hidden="true">{plots.swatch(style)}</svg>')  # noqa: E731
    legend = tuple((label, key(style)) for label, style in plot.legend)
    wide = len(panels) in (2, 4) or any(line.rows for panel in plot.panels for line in panel.lines)
    return Picture(plot.title, slug(plot.name), tuple(map(Markup, panels)), legend, brief(f"{plot.title}. {alt}", ALT), wide)


def unit(plot: Plot) -> str:
    return "layer" if plot.xlabel == "layer" else "strength"


def within_budget(sections: Iterable[Section]) -> list[Section]:
    """The same sections, with the panels of the last figures left out once the page is full."""
    left, kept = FIGURES, []
    for section in sections:
        shown = []
        for each in section.pictures:
            size = sum(len(panel.encode()) for panel in each.panels)
            left -= size
            shown.append(each if left >= 0 else Picture(each.title, each.file, (), (), each.alt))
        kept.append(Section(section.key, section.title, section.answer, section.facts, tuple(shown), section.table))
    return kept


# the page ------------------------------------------------------------------------------------------------------------


def render(
    run: Run,
    *,
    claims: Sequence[Section],
    tasks: Sequence[Section],
    controls: Table | None,
    maps: Sequence[tokenmap.Map],
    kept: Table | None = None,
) -> str:
    """The page as text. Everything that a run brings is escaped; only figures drawn here go in as they are."""
    sections = within_budget([*claims, *tasks])
    values = {
        "run": run,
        "claims": sections[: len(claims)],
        "tasks": sections[len(claims) :],
        "controls": controls,
        "maps": maps,
        "kept": kept,
        "kinds": tokenmap.legend(maps),
        "prose": prose,
        "tokenmap": tokenmap,
        "notes": [brief(note) for note in listed(mapped(run.spec.get("data")).get("notes"))[:NOTES]],
        "rows_shown": ROWS,
        "worded": WORDED,
        "verdicts_shown": VERDICTS,
        "slug": slug,
        "font": None,
    }
    page = template().render(values)
    font = fonts.subset([page])
    return template().render({**values, "font": Markup(font)}) if font else page


def template():
    loader = PackageLoader("semhub.report")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["brief"] = brief
    return environment.get_template("report.html.j2")


def brief(value: object, longest: int = TEXT) -> str:
    """Text of a page's length, without the characters that no page may hold."""
    text = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in str(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"

"""The page: what was answered, shown and tabled, put into one HTML file, and figures and tables beside it as files.

Arranges; every sentence, figure and table comes from its own module. All text of a run is escaped by the template.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semhub.report import fonts, origins, plots, prose, tables, tokenmap
from semhub.report.answers import Answer, answers
from semhub.report.easel import easel
from semhub.report.figures import figures_of, side_by_side
from semhub.report.folder import Run, listed, mapped, read_run
from semhub.report.kept import kept_table
from semhub.report.overview import overview_table
from semhub.report.plots import Plot
from semhub.report.tables import Table
from semhub.report.words import described
from semhub.runs.store import slug, write_whole
from semhub.verdicts.files import keep_verdicts
from semhub.verdicts.thresholds import LIMITS, Thresholds

LIMIT = 3_000_000  # bytes of the page; what it may hold is cut long before
FIGURES, ROWS, ALT, TEXT, NOTES = 1_800_000, 60, 1500, 400, 20  # bytes of all figures; rows of a table; letters and notes of one kind
FEW = 12  # figures that are drawn sooner than another process has begun
VERDICTS = 30  # verdicts of one claim that the page opens; verdicts.json has them all
BESIDE = "controls"
KEY_FIGURES = {
    "shared": ("adjusted_cosine-models", "adjusted_cosine-control", "adjusted_cosine-split"),
    "anchored": ("anchor-models", "prob-answers", "disagreement-readers"),
    "used": ("sentiment_change-controls", "sentiment-dose", "sentiment_change-layers"),
}
WORDED = (  # columns of words, which start at the left
    "of", "left out", "what", "group", "against", "verdict", "task", "anchor", "model", "role", "measure", "control model", "control",
)  # fmt: skip
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


def write(folder: Path, limits: Thresholds = LIMITS, workers: int = 1) -> Path:
    """Write verdicts, figures, tables and page of a run folder -> the page's path. Raises BadInput where there is nothing to tell."""
    run = read_run(folder, limits)
    keep_verdicts(folder, run.verdicts, limits)
    maps = tokenmap.maps(run)
    asked = {BESIDE: [plot for plot in (side_by_side(run),) if plot]} | {task: figures_of(run.on(task), task) for task in run.tasks}
    with easel(workers if sum(map(len, asked.values())) > FEW else 1) as begin:
        begun = {task: [(plot, begin(plots.drawn, plot)) for plot in mine] for task, mine in asked.items()}
        begun_maps = [begin(tokenmap.drawn, each) for each in maps]
        controls, of_task = tables.controls_table(run), {task: tables.task_table(run.on(task), task) for task in run.tasks}
        pictures = {task: [(plot, keep_figure(plot, drawing(), folder)) for plot, drawing in mine] for task, mine in begun.items()}
        for number, drawing in enumerate(begun_maps, 1):
            keep_files(folder / "figures" / f"token-map-{number}", drawing())
    claims = list(claim_sections(run, pictures))
    kept, overview = kept_table(run), overview_table(run)
    tasks = [task_section(run, task, pictures[task], of_task[task]) for task in run.tasks]
    write_tables(run, folder, [*(section.table for section in (*claims, *tasks)), controls, kept, overview])
    beside = Section(
        BESIDE, "Model and controls, side by side", pictures=tuple(picture(*each) for each in pictures[BESIDE]), table=controls
    )
    page = render(run, claims=claims, tasks=tasks, controls=beside if controls else None, maps=maps, kept=kept, overview=overview)
    write_whole(folder / "report.html", page.encode("utf-8", "replace"))
    return folder / "report.html"


def keep_figure(plot: Plot, drawing: tuple[list[str], bytes], folder: Path) -> list[str]:
    """The panels of a figure as SVG; its files are written on the way."""
    panels, picture = drawing
    keep_files(folder / "figures" / slug(plot.name), {"svg": plots.svg(plot, panels).encode("utf-8", "replace"), "png": picture})
    return panels


def keep_files(stem: Path, files: Mapping[str, bytes]) -> None:
    for kind, content in files.items():
        write_whole(stem.with_name(f"{stem.name}.{kind}"), content)


def write_tables(run: Run, folder: Path, found: Sequence[Table | None]) -> None:
    """Tables as CSV and LaTeX, the readings of each task as CSV."""
    for table in filter(None, found):
        texts = {"csv": tables.to_csv(table), "tex": tables.to_latex(table)}
        keep_files(folder / "tables" / slug(table.name), {kind: text.encode("utf-8", "replace") for kind, text in texts.items()})
    for task in run.tasks:
        write_whole(folder / "tables" / f"{slug(task)}-readings.csv", tables.data_rows(run, task).encode("utf-8", "replace"))


# sections ------------------------------------------------------------------------------------------------------------


def claim_sections(run: Run, pictures: dict) -> Iterable[Section]:
    """The three claims, each with the figures that it rests on, taken out of its task's own."""
    for answer in answers(run):
        task = TASKS[answer.key]
        mine = [each for ending in KEY_FIGURES[answer.key] for each in pictures.get(task, []) if each[0].name == f"{task}-{ending}"]
        pictures[task] = [each for each in pictures.get(task, []) if each not in mine]
        table = tables.verdict_table(run, answer.key)
        yield Section(answer.key, answer.title, answer, {}, tuple(picture(*each) for each in mine), table)


def task_section(run: Run, task: str, pictures: Sequence[tuple[Plot, list[str]]], table: Table | None) -> Section:
    facts = {key: brief(run.tasks[task].get(key)) for key in ("question", "paper", "against") if run.tasks[task].get(key)}
    return Section(slug(task), task, None, facts, tuple(picture(*each) for each in pictures), table)


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
    controls: Section | None,
    maps: Sequence[tokenmap.Map],
    kept: Table | None = None,
    overview: Table | None = None,
) -> str:
    """The page as text. Everything that a run brings is escaped; only figures drawn here go in as they are."""
    sections = within_budget([*claims, *([controls] if controls else []), *tasks])
    values = {
        "run": run,
        "claims": sections[: len(claims)],
        "controls": sections[len(claims)] if controls else None,
        "tasks": sections[len(claims) + bool(controls) :],
        "maps": maps,
        "kept": kept,
        "overview": overview,
        "kinds": tokenmap.legend(maps),
        "prose": prose,
        "origins": origins,
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

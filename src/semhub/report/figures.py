"""Which figures a task's readings make: by the columns that vary, and by what the measures are known to be.

One function per figure; to add one, write a function `(view) -> Plot | None` and name it in `figures_of`.
Extras that figures read, from `parts/*.json`: `paths` with `layers`, `landmarks` (`type`, `word`, `place`), `mean`, `items` (`path`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pandas as pd

from semhub.report import pushes
from semhub.report.folder import Run, listed, mapped
from semhub.report.plots import GREY, Panel, Path, Plot, Style, styled
from semhub.report.views import View, capital, model_styles, panel, type_style
from semhub.report.words import axis_name, control_name, pair_name, reading_name, type_name
from semhub.verdicts.slices import Curve, curve, distinct, headline, number, where

UNDRAWN = {"p_value", "eligible", "coverage", "logprob", "disagreement", "pc1", "pc2"}
VARIED = ("control", "position", "split", "variant")
PLACES = {"centrality", "centrality_p_at_1", "explained"}
PLAIN = {"p_at_1", "mexa", "prob", "lift", "accuracy", "disagreement"} | PLACES  # these need no figure for every column that varies
ANSWERS, MODELS = {"prob"}, {"lift", "accuracy"}  # shown by the type of the word alone, by model alone


def figures_of(run: Run, task: str) -> list[Plot]:
    """Every figure of a task, the ones that its claim rests on first."""
    frame = run.part(task=task)
    measures = [str(m) for m in distinct(where(frame, model=run.main.name)["measure"])]
    views = [View.of(run, task, m) for m in measures if m not in UNDRAWN]
    plots = [plot for view in views for plot in over_layers(view)]
    plots = [*plots, disagreements(View.of(run, task, "disagreement"))]
    return [plot for plot in [*plots, *pushes.figures_of(run, task), *trajectories(run, task)] if plot]


# over layers ---------------------------------------------------------------------------------------------------------


def over_layers(view: View) -> Iterable[Plot | None]:
    """Readings without strengths: models side by side, answers side by side, then each column that varies."""
    if view.own["strength"].notna().any() or view.own["layer"].isna().all():
        return
    if view.measure not in ANSWERS:
        yield by_model(view)
    if view.measure not in MODELS:
        yield by_answer(view)
    yield by_direction(view)
    for column in VARIED if view.measure not in PLAIN else ():
        yield by_column(view, column)


def by_model(view: View) -> Plot | None:
    """The main model and its controls in the same panel, one panel per group."""
    styles = model_styles(view.run)
    lines = lambda group: [(name, curve(headline(where(view.rows, group=group, model=name))), style) for name, style in styles.items()]  # noqa: E731
    panels = [panel(pair_name(group), lines(group)) for group in leading(view)] or [panel("", lines(None))]
    what = f"{type_name(view.run.dominant)} word minus own word, log-probabilities" if view.measure == "anchor" else capital(view.measure)
    return view.plot("models", f"{what}: the model and its controls", panels)


def by_answer(view: View) -> Plot | None:
    """For prompts of one type, words of every type: right ones, and what stands beside them dashed."""
    if not any(":" in g for g in view.groups):
        return None
    panels = []
    for type in dict.fromkeys(g.split(":")[0] for g in view.groups):
        lines = [line for g in view.groups if g.startswith(f"{type}:") for line in answer_lines(view, g)]
        panels.append(panel(f"{type_name(type)} prompts", lines))
    return view.plot("answers", f"{capital(view.measure)}, by the type of the word", panels)


def answer_lines(view: View, group: str) -> list[tuple[str, Curve, Style]]:
    answer = group.split(":")[1]
    rows = headline(where(view.own, group=group), keep=("control",))
    style = type_style(answer)
    controls = distinct(rows["control"])
    lines = []
    for i, control in enumerate(c for c in controls if c != "random-state" or "wrong-word" not in controls):
        beside = {"dash": ("dashed", "dotted", "dashdot")[min(i, 3) - 1], "width": 1.0, "marker": ""} if control else {}
        label = type_name(answer) + (f" ({control_name(control)})" if control else "")
        lines.append((label, curve(where(rows, control=control)), replace(style, **beside)))
    return lines


def by_direction(view: View) -> Plot | None:
    """Of measures that have a way there and a way back: both, for the main model."""
    ways = [(group, turned(group)) for group in leading(view) if turned(group) in view.groups and turned(group) != group]
    if not ways:
        return None
    styles = styled([pair_name(there) for there, _ in ways])
    panels = [
        panel(title, [(pair_name(way[0]), curve(headline(where(view.own, group=way[i]))), styles[pair_name(way[0])]) for way in ways])
        for i, title in enumerate(("There: given the first", "Back: given the second"))
    ]
    return view.plot("directions", f"{capital(view.measure)}, there and back", panels)


def by_column(view: View, column: str) -> Plot | None:
    """What the main model gives under each value of a column that the headline leaves out: a panel each, a line per group."""
    rows = headline(view.own, keep=(column,))
    values = distinct(rows[column])
    if len(values) < 2 or (column == "control" and any(":" in g for g in view.groups)):
        return None
    names = styled([pair_name(group) for group in leading(view)])
    panels = []
    for value in values:
        mine = where(rows, **{column: value})
        lines = [(pair_name(group), curve(where(mine, group=group)), names[pair_name(group)]) for group in leading(view)]
        panels.append(panel(column_name(column, value), lines))
    titles = {"control": "against other negatives", "position": "by position", "split": "by subset", "variant": "by way of reading"}
    return view.plot(column, f"{capital(view.measure)}, {titles[column]}", panels)


def disagreements(view: View) -> Plot | None:
    """How often each other reader and the logit lens differ on whether the dominant type's word or the own one is ahead."""
    readers = [v for v in distinct(view.own["variant"]) if v is not None]
    styles = styled([reading_name(reader) for reader in readers])
    panels = []
    for group in leading(view):
        rows = headline(where(view.own, group=group), keep=("variant",))
        lines = [(reading_name(r), curve(where(rows, variant=r)), styles[reading_name(r)]) for r in readers]
        panels.append(panel(pair_name(group), lines))
    return view.plot("readers", "How often other readers disagree with the logit lens on which word is ahead", panels)


def leading(view: View) -> list[str]:
    """The groups that a headline shows: of prompts and answers, only those that ask for the dominant type."""
    asked = [g for g in view.groups if ":" in g]
    if not asked:
        return [g for i, g in enumerate(view.groups) if turned(g) not in view.groups[:i]]
    own = view.run.dominant
    return [g for g in asked if g.split(":")[1] == own and g != f"{own}:{own}"] or asked


# the model and its controls --------------------------------------------------------------------------------------------

NEVER = "never bridged"
SUBSETS = {"bridged": "test-bridged", NEVER: "test-never-bridged"}


def side_by_side(run: Run) -> Plot | None:
    """Every model in one figure: similarity and retrieval, where bridges were and where none ever was, and the shape of the lens.

    A row for each, a column for each of the first three other types, a line for each model. A last row asks of a control with another
    dominant type how far that one's words lead. None without controls.
    """
    styles, panels = model_styles(run), []
    for title, rows in beside(run):
        panels.append(panel(title, [(name, curve(where(rows, model=name)), style) for name, style in styles.items()]))
    kept = tuple(each for each in panels if each.lines)
    title = "The model and its controls: similarity, retrieval, and which words lead in the lens"
    return Plot("side-by-side", title, kept, level=None, together=False) if kept and run.controls else None


def beside(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    """The title and the rows of every panel of `side_by_side`."""
    own = run.dominant
    others = [each for each in run.types if each != own][:3]
    for measure in ("adjusted_cosine", "p_at_1"):
        rows = run.part(task="multilingual/similarity", measure=measure)
        for name, split in SUBSETS.items():
            apart = where(rows, split=split)
            if apart.empty and name == NEVER:
                continue
            taken = headline(rows) if apart.empty else headline(apart, keep=("split",))
            what = axis_name(measure) if apart.empty else f"{axis_name(measure)}, {name}"
            for other in others:
                yield f"{what}: {pair_name(f'{own}-{other}')}", where(taken, group=f"{own}-{other}")
    words = [(own, others, measure) for measure in ("anchor", "lift")]
    words += [(other, [each for each in run.types if each != other][:3], "anchor") for other in turned_to(run)]
    for word, prompts, measure in words:
        rows = headline(run.part(task="multilingual/lens", measure=measure))
        what = axis_name(measure) if measure == "lift" else f"lead of {type_name(word)}"
        for prompt in prompts:
            yield f"{what}: {type_name(prompt)} prompts", where(rows, group=f"{prompt}:{word}")


def turned_to(run: Run) -> list[str]:
    """The types that dominate a control (`control:zh-dominant`)."""
    found = (each.kind.removesuffix("-dominant") for each in run.controls if each.kind.endswith("-dominant"))
    return [type for type in dict.fromkeys(found) if type in run.types]


# paths ---------------------------------------------------------------------------------------------------------------


def trajectories(run: Run, task: str) -> Iterable[Plot | None]:
    """The way of states through the plane of two families of words."""
    for subject in (run.main, *run.controls):
        found = [e for e in run.extras if (e.get("task"), e.get("model")) == (task, subject.name) and mapped(e.get("paths"))]
        if found:
            yield path_plot(task, subject.name, found[0]["paths"])


def path_plot(task: str, model: str, paths: Mapping) -> Plot | None:
    words = []
    landmarks = [mapped(mark) for mark in listed(paths.get("landmarks"))]
    for type in dict.fromkeys(str(mark.get("type")) for mark in landmarks):
        mine = [mark for mark in landmarks if str(mark.get("type")) == type]
        places = tuple(point(mark.get("place")) for mark in mine)
        words.append(Path(f"words: {type_name(type)}", places, type_style(type), tuple(str(mark.get("word")) for mark in mine)))
    ways = [Path("", tuple(map(point, listed(mapped(item).get("path")))), Style(GREY), faint=True) for item in listed(paths.get("items"))]
    mean = Path("mean path, from layer 0 to the last", tuple(map(point, listed(paths.get("mean")))), Style("#222222"))
    drawn = tuple(p for p in (*ways, *words, mean) if p.places)
    title = f"Paths of the states through the plane of the words ({model})"
    return Plot(f"{task}-paths-{model}", title, (Panel(model, paths=drawn),)) if drawn else None


def point(place: object) -> tuple[float, float]:
    x, y = (number(v) for v in (*listed(place), None, None)[:2])
    return (math.nan if x is None else x), (math.nan if y is None else y)


def turned(group: str) -> str:
    """`en-zh` -> `zh-en`; other groups stay."""
    return "-".join(reversed(group.split("-"))) if group.count("-") == 1 else group


def column_name(column: str, value: str | None) -> str:
    return control_name(value) if column == "control" else reading_name(value)

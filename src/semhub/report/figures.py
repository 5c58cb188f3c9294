"""Which figures a task's readings make: by the columns that vary, and by what the measures are known to be.

One function per figure; to add one, write a function `(view) -> Plot | None` and name it in `figures_of`.
Extras that figures read, from `parts/*.json`: `paths` with `layers`, `landmarks` (`type`, `word`, `place`), `mean`, `items` (`path`).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from semhub.report import used
from semhub.report.folder import Run, listed, mapped
from semhub.report.plots import BLUE, CYCLE, GREEN, GREY, ORANGE, PURPLE, VERMILION, Line, Panel, Path, Plot, Style, styled
from semhub.report.slices import Curve, curve, distinct, headline, number, where
from semhub.report.words import axis_name, control_name, measure_name, pair_name, reading_name, type_name

COLOURS = {"en": BLUE, "es": ORANGE, "zh": GREEN, "de": PURPLE, "digits": VERMILION}
MARKERS = {"en": "o", "es": "v", "zh": "^", "de": "D", "digits": "s"}
KINDS = {"untrained": Style(GREY, "dotted", "X"), "mispaired": Style(VERMILION, "dashed", "s")}
LOGARITHMIC, LEVELS = {"lift", "prob", "perplexity"}, {"lift": 1.0, "prob": None, "logprob": None, "perplexity": None}
UNDRAWN = {"p_value", "eligible", "coverage", "logprob", "disagreement", "pc1", "pc2"}
VARIED = ("control", "position", "split", "variant")
PLAIN = {"p_at_1", "prob", "lift", "accuracy", "disagreement"}  # these need no figure for every column that varies
ANSWERS, MODELS = {"prob"}, {"lift", "accuracy"}  # shown by the type of the word alone, by model alone
TOGETHER = ("correct", "unchanged", "other")  # shares of one whole: one figure for all
STRENGTH = "strength of the push"
PANELS = 12  # a figure of more panels shows the first ones; the tables have them all


@dataclass(frozen=True, slots=True)
class View:
    """The readings of one measure of one task: of all models, and the main model's own."""

    run: Run
    task: str
    measure: str
    rows: pd.DataFrame
    own: pd.DataFrame

    @classmethod
    def of(cls, run: Run, task: str, measure: str) -> "View":
        rows = run.part(task=task, measure=measure)
        return cls(run, task, measure, rows, where(rows, model=run.main.name))

    @property
    def groups(self) -> list[str]:
        return [str(g) for g in distinct(self.own["group"]) if g is not None]

    def plot(self, kind: str, title: str, panels: Iterable[Panel], **more) -> Plot | None:
        """A plot of what has lines; None where nothing has."""
        kept = tuple(p for p in panels if p.lines)[:PANELS]
        level = LEVELS.get(self.measure, 0.0)
        facts = {"ylabel": axis_name(self.measure), "level": level, "logarithmic": self.measure in LOGARITHMIC} | more
        return Plot(f"{self.task}-{self.measure}-{kind}", title, kept, **facts) if kept else None


def figures_of(run: Run, task: str) -> list[Plot]:
    """Every figure of a task, the ones that its claim rests on first."""
    frame = run.part(task=task)
    measures = [str(m) for m in distinct(where(frame, model=run.main.name)["measure"])]
    views = [View.of(run, task, m) for m in measures if m not in UNDRAWN]
    makers: list[Callable[[View], Iterable[Plot | None]]] = [over_layers, dose, over_written_layers]
    plots = [plot for view in views for maker in makers for plot in maker(view)]
    return [plot for plot in [forest(run, task), *plots, cost(run, task), shares(run, task), *trajectories(run, task)] if plot]


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
    lines = []
    for i, control in enumerate(distinct(rows["control"])):
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


def leading(view: View) -> list[str]:
    """The groups that a headline shows: of prompts and answers, only those that ask for the dominant type."""
    asked = [g for g in view.groups if ":" in g]
    if not asked:
        return [g for i, g in enumerate(view.groups) if turned(g) not in view.groups[:i]]
    own = view.run.dominant
    return [g for g in asked if g.split(":")[1] == own and g != f"{own}:{own}"] or asked


# over strengths ------------------------------------------------------------------------------------------------------


def dose(view: View) -> Iterable[Plot | None]:
    """How the target answers to the strength of the push, at the layer chosen, models side by side."""
    target = used.target_of(view.run.part(task=view.task))
    if view.measure != target or target in TOGETHER or not view.own["strength"].notna().any():
        return
    panels = []
    for group in view.groups:
        lines = []
        for subject, style in zip((view.run.main, *view.run.controls), model_styles(view.run).values(), strict=True):
            found = used.setting(view.run, view.task, target, group, subject)
            rows = headline(where(view.rows, group=group, model=subject.name))
            points = curve(rows[rows["layer"] == found[0]], "strength")
            lines.append((subject.name, points if len(points) > 2 else (), style))
        panels.append(panel(pair_name(group), lines))
    title = f"{capital(view.measure)}, by the strength of the push"
    yield view.plot("dose", title, panels, xlabel=STRENGTH, level=None)


def cost(run: Run, task: str) -> Plot | None:
    """What a push costs: every other measure over strengths, a panel each, a line per group."""
    frame = run.part(task=task, model=run.main.name)
    target = used.target_of(frame)
    dosed = frame[frame["strength"].notna()]
    others = [str(m) for m in distinct(dosed["measure"]) if m not in (target, *TOGETHER) and not derived(str(m))]
    groups = [str(g) for g in distinct(dosed["group"]) if g is not None]
    styles = styled([pair_name(group) for group in groups])
    layers = {group: used.setting(run, task, target, group, run.main)[0] for group in groups}
    panels = []
    for measure in others:
        rows = headline(where(dosed, measure=measure))
        lines = [(pair_name(g), where(rows, group=g, layer=layers[g]), styles[pair_name(g)]) for g in groups if layers[g] is not None]
        panels.append(panel(capital(measure), [(label, curve(found, "strength"), style) for label, found, style in lines]))
    kept = tuple(p for p in panels if any(len(line.points) > 1 for line in p.lines))
    if not kept:
        return None
    return Plot(f"{task}-cost", "What the push costs, by its strength", kept, STRENGTH, "", level=None, together=False)


def over_written_layers(view: View) -> Iterable[Plot | None]:
    """Where a push works: its change at each layer, at the strength chosen, in both directions."""
    if not view.measure.endswith("_change"):
        return
    panels = []
    for group in view.groups:
        strength = used.setting(view.run, view.task, view.measure.removesuffix("_change"), group, view.run.main)[1]
        rows = headline(where(view.own, group=group))
        ways = {"pushed upward": strength, "pushed downward": strength and -strength}
        styles = dict(zip(ways, (CYCLE[0], CYCLE[1]), strict=True))
        panels.append(panel(pair_name(group), [(way, curve(where(rows, strength=s)), styles[way]) for way, s in ways.items() if s]))
    yield view.plot("layers", f"{capital(view.measure)}, by the layer that is pushed", panels, xlabel="layer")


def forest(run: Run, task: str) -> Plot | None:
    """The push beside every control at the setting chosen: both directions, with intervals."""
    target = used.target_of(run.part(task=task))
    view = View.of(run, task, f"{target}_change")
    panels = [forest_panel(view, target, group) for group in view.groups]
    return view.plot("controls", f"{capital(target)}: the push and its controls", panels)


def forest_panel(view: View, target: str, group: str) -> Panel:
    layer, strength = used.setting(view.run, view.task, target, group, view.run.main)
    rows = headline(where(view.own, group=group), keep=("control", "position"))
    lines = []
    for label, sign, style in (("pushed upward", 1, CYCLE[0]), ("pushed downward", -1, CYCLE[1])):
        names, points = [], []
        for control in distinct(rows["control"]):
            found = where(rows, control=control, strength=sign * (strength or 0.0))
            found = found if control in ("as-text", "layer-0") else found[found["layer"] == layer]
            for estimate in curve(found, "strength"):
                names.append(control_name(control) if control else "the push itself")
                points.append(estimate)
        lines.append(Line(label, tuple(points), style, tuple(names)))
    return Panel(pair_name(group), tuple(line for line in lines if line.points))


def shares(run: Run, task: str) -> Plot | None:
    """Outcomes that exclude each other, by strength: one panel per model."""
    frame = run.part(task=task)
    kinds = [m for m in TOGETHER if m in set(frame["measure"])]
    if len(kinds) < 2:
        return None
    panels = []
    for subject in (run.main, *run.controls):
        rows = headline(where(frame, model=subject.name))
        layer = used.setting(run, task, "correct", str(rows["group"].iloc[0]), subject)[0] if len(rows) else None
        rows = rows[rows["layer"] == layer]
        panels.append(panel(subject.name, [(measure_name(k), curve(where(rows, measure=k), "strength"), CYCLE[i]) for i, k in enumerate(kinds)]))
    plot = View.of(run, task, "share").plot("kinds", "What was answered, by the strength of the push", panels, ylabel="share of answers")
    return plot and replace(plot, xlabel=STRENGTH, level=None)


# paths ---------------------------------------------------------------------------------------------------------------


def trajectories(run: Run, task: str) -> Iterable[Plot | None]:
    """The way of states through the plane of two families of words."""
    for subject in (run.main, *run.controls):
        found = [e for e in run.extras if (e.get("task"), e.get("model")) == (task, subject.name) and mapped(e.get("paths"))]
        if found:
            yield path_plot(task, subject.name, found[0]["paths"])


def path_plot(task: str, model: str, paths: dict) -> Plot | None:
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


# shared --------------------------------------------------------------------------------------------------------------


def turned(group: str) -> str:
    """`en-zh` -> `zh-en`; other groups stay."""
    return "-".join(reversed(group.split("-"))) if group.count("-") == 1 else group


def panel(title: str, lines: Iterable[tuple[str, Curve, Style]]) -> Panel:
    return Panel(title, tuple(Line(label, points, style) for label, points, style in lines if points))


def model_styles(run: Run) -> dict[str, Style]:
    """The main model in the strongest line; each control by its kind."""
    others = {s.name: KINDS.get(s.role.partition(":")[2], CYCLE[2 + i % 5]) for i, s in enumerate(run.controls)}
    return {run.main.name: replace(CYCLE[0], width=2.2)} | others


def type_style(type: str) -> Style:
    if type in COLOURS:
        return Style(COLOURS[type], "solid", MARKERS[type])
    return replace(CYCLE[sum(map(ord, type)) % len(CYCLE)], dash="solid")


def column_name(column: str, value: str | None) -> str:
    return control_name(value) if column == "control" else reading_name(value)


def capital(measure: str) -> str:
    name = measure_name(measure)
    return name[:1].upper() + name[1:]


def derived(measure: str) -> bool:
    return measure.endswith(("_change", "_excess"))

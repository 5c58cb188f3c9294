"""The figures of interventions: how far a push (or a patch) moves what is written, at which strength and layer, beside which controls."""

from dataclasses import replace

from semhub.report.folder import Run
from semhub.report.plots import CYCLE, Line, Panel, Plot, styled
from semhub.report.views import View, capital, model_styles, panel
from semhub.report.words import control_name, measure_name, pair_name, type_name
from semhub.verdicts.slices import curve, distinct, headline, where
from semhub.verdicts.used import over_all, setting

STRENGTH = "strength of the push"
TOGETHER = ("correct", "unchanged", "other")  # shares of one whole: one figure for all
PATCHED = ("moved", "kept", "copied", "translated")  # the four answers to a patched question
WAYS = (("pushed upward", 1, CYCLE[0]), ("pushed downward", -1, CYCLE[1]))


def figures_of(run: Run, task: str) -> list[Plot | None]:
    """The figures of a task that pushed something; none of one that did not."""
    frame = run.part(task=task, model=run.main.name)
    if not frame["strength"].notna().any():
        return []
    target = target_of(frame)
    plain, change = View.of(run, task, target), View.of(run, task, f"{target}_change")
    if target in PATCHED:
        return [forest(change, target), four_answers(run, task), matrix(change, target)]
    first = [forest(change, target), dose(plain) if target not in TOGETHER else None, over_written_layers(change, target)]
    return [*first, matrix(change, target), sources(change, target), cost(run, task, target), shares(run, task, target)]


def dose(view: View) -> Plot | None:
    """How the target answers to the strength of the push, at the layer chosen, models side by side."""
    target = view.measure
    panels = []
    for group in swept(view):
        lines = []
        for subject, style in zip((view.run.main, *view.run.controls), model_styles(view.run).values(), strict=True):
            found = setting(view.run.evidence, view.task, target, group, subject)
            rows = headline(where(view.rows, group=group, model=subject.name))
            points = curve(rows[rows["layer"] == found[0]], "strength")
            lines.append((subject.name, points if len(points) > 2 else (), style))
        panels.append(panel(pair_name(group), lines))
    title = f"{capital(view.measure)}, by the strength of the push"
    return view.plot("dose", title, panels, xlabel=STRENGTH, level=None)


def cost(run: Run, task: str, target: str) -> Plot | None:
    """What a push costs: every other measure over strengths, a panel each, a line per group."""
    frame = run.part(task=task, model=run.main.name)
    dosed = frame[frame["strength"].notna()]
    others = [str(m) for m in distinct(dosed["measure"]) if m not in (target, *TOGETHER) and not derived(str(m))]
    groups = swept(View.of(run, task, target))
    styles = styled([pair_name(group) for group in groups])
    layers = {group: setting(run.evidence, task, target, group, run.main)[0] for group in groups}
    panels = []
    for measure in others:
        rows = headline(where(dosed, measure=measure))
        lines = [(pair_name(g), where(rows, group=g, layer=layers[g]), styles[pair_name(g)]) for g in groups if layers[g] is not None]
        panels.append(panel(capital(measure), [(label, curve(found, "strength"), style) for label, found, style in lines]))
    kept = tuple(p for p in panels if any(len(line.points) > 1 for line in p.lines))
    if not kept:
        return None
    return Plot(f"{task}-cost", "What the push costs, by its strength", kept, STRENGTH, "", level=None, together=False)


def over_written_layers(view: View, target: str) -> Plot | None:
    """Where a push works: its change at each layer, at the strength chosen, in both directions."""
    panels = []
    for group in swept(view):
        strength = setting(view.run.evidence, view.task, target, group, view.run.main)[1] or 0.0
        rows = headline(where(view.own, group=group))
        lines = [(way, curve(where(rows, strength=sign * strength)), style) for way, sign, style in WAYS]
        panels.append(panel(pair_name(group), lines))
    return view.plot("layers", f"{capital(view.measure)}, by the layer that is pushed", panels)


def forest(view: View, target: str) -> Plot | None:
    """The push beside every control at the setting chosen: both directions, with intervals."""
    panels = [forest_panel(view, target, group) for group in swept(view)]
    return view.plot("controls", f"{capital(target)}: the push and its controls", panels)


def sources(view: View, target: str) -> Plot | None:
    """The same push taken from every type, at the setting chosen: a panel for each type of output."""
    pairs = [tuple(group.split(">")) for group in view.groups if group.count(">") == 1]
    types = dict.fromkeys(type for _, type in pairs)
    panels = [sources_panel(view, target, type, [s for s, t in pairs if t == type]) for type in types]
    return view.plot("sources", f"{capital(target)}: the same push, by the type it was taken from", [p for p in panels if p])


def sources_panel(view: View, target: str, type: str, found: list[str]) -> Panel | None:
    if len(found) < 2:
        return None
    main = next((s for s in found if s == view.run.dominant), found[0])
    layer, strength = setting(view.run.evidence, view.task, target, f"{main}>{type}", view.run.main)
    lines = []
    for label, sign, style in WAYS:
        rows = where(view.own, layer=layer, strength=sign * (strength or 0.0))
        at = {source: curve(headline(where(rows, group=f"{source}>{type}")), "strength") for source in found}
        points = {f"words in {type_name(source)}": e for source, found_at in at.items() for e in found_at}
        lines.append(Line(label, tuple(points.values()), style, tuple(points)))
    return Panel(f"{type_name(type)} outputs", tuple(line for line in lines if line.points))


def matrix(view: View, target: str) -> Plot | None:
    """Every type that a push was taken from (rows) against every type of output (columns), all at the same length: a panel a direction."""
    pairs = [tuple(group.split(">")) for group in view.groups if group.count(">") == 1]
    sources, types = (list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
    types.sort(key=lambda t: sources.index(t) if t in sources else len(sources))
    if len(sources) < 2 or len(types) < 2:
        return None
    panels = [Panel(way, tuple(matrix_row(view, target, s, types, sign) for s in sources), grid=True) for way, sign, _ in WAYS]
    kept = [panel for panel in panels if any(line.points for line in panel.lines)]
    title = f"{capital(target)}: change by the type that the push is taken from (rows) and the type that is written (columns)"
    return view.plot("matrix", title, kept if len(kept) > 1 else [replace(panel, title="") for panel in kept])


def matrix_row(view: View, target: str, source: str, types: list[str], sign: int) -> Line:
    """One source's changes; a cell that was not measured is left out. Over all prompts, where the run counts them."""
    cells = {}
    for type in types:
        main = f"{view.run.dominant}>{type}"
        asked = main if main in view.groups and target not in PATCHED else f"{source}>{type}"
        layer, strength = setting(view.run.evidence, view.task, target, asked, view.run.main)
        rows = over_all(where(view.own, group=f"{source}>{type}", layer=layer, strength=sign * (strength or 0.0)))
        cells |= {type_name(type) if len(types) < 4 else type: each for each in curve(rows, "strength")[:1]}
    return Line(f"from {type_name(source)}", tuple(cells.values()), CYCLE[0], tuple(cells))


def four_answers(run: Run, task: str) -> Plot | None:
    """Which of the four answers a patched question is given, layer by layer: a panel for each pair of types."""
    view = View.of(run, task, PATCHED[0])
    panels = []
    for group in view.groups:
        rows = where(headline(run.part(task=task, model=run.main.name, group=group)), strength=1.0)
        lines = [(capital(name), curve(where(rows, measure=name)), style) for name, style in zip(PATCHED, CYCLE, strict=False)]
        added = where(view.own, group=group, variant="difference", control=None, split="report")
        lines.append(("The same as the first, by the concepts' difference added", curve(added), CYCLE[4]))
        panels.append(panel(pair_name(group), lines))
    title = "The likeliest of four answers to a patched question, by layer"
    found = view.plot("answers", title, panels, ylabel="share of answers", level=None)
    return found and replace(found, panels=tuple(p for p in panels if p.lines))


def swept(view: View) -> list[str]:
    """The groups whose strengths, layers and controls were tried: those pushed from the dominant type, or all."""
    return [g for g in view.groups if g.startswith(f"{view.run.dominant}>")] or view.groups


def forest_panel(view: View, target: str, group: str) -> Panel:
    layer, strength = setting(view.run.evidence, view.task, target, group, view.run.main)
    rows = headline(where(view.own, group=group), keep=("control", "position"))
    lines = []
    for label, sign, style in WAYS:
        names, points = [], []
        for control in distinct(rows["control"]):
            found = where(rows, control=control, strength=sign * (strength or 0.0))
            found = found if control in ("as-text", "layer-0") else found[found["layer"] == layer]
            for estimate in curve(found, "strength"):
                names.append(control_name(control) if control else "the push itself")
                points.append(estimate)
        lines.append(Line(label, tuple(points), style, tuple(names)))
    return Panel(pair_name(group), tuple(line for line in lines if line.points))


def shares(run: Run, task: str, target: str) -> Plot | None:
    """Outcomes that exclude each other, by strength: one panel per model."""
    frame = run.part(task=task)
    kinds = [m for m in TOGETHER if m in set(frame["measure"])]
    panels = []
    for subject in (run.main, *run.controls):
        rows = headline(where(frame, model=subject.name))
        layer = setting(run.evidence, task, target, str(rows["group"].iloc[0]), subject)[0] if len(rows) else None
        rows = rows[rows["layer"] == layer]
        lines = [(measure_name(kind), curve(where(rows, measure=kind), "strength")) for kind in kinds]
        panels.append(panel(subject.name, [(*line, style) for line, style in zip(lines, CYCLE, strict=False)]))
    plot = View.of(run, task, "share").plot("kinds", "What was answered, by the strength of the push", panels, ylabel="share of answers")
    return plot and replace(plot, xlabel=STRENGTH, level=None)


def derived(measure: str) -> bool:
    return measure.endswith(("_change", "_excess"))


def target_of(rows) -> str:
    """The measure that a task's pushes are meant to move: the one whose changes it kept, else sentiment or correct answers."""
    measures = [str(m) for m in distinct(rows["measure"])]
    kept = next((m.removesuffix("_change") for m in measures if m.endswith("_change")), None)
    return kept or ("sentiment" if "sentiment" in measures else "correct")

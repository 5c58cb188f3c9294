"""One measure of one task as figures see it, and the styles that mean the same in every figure.

Knows which columns tell readings apart; what is drawn of them is decided in `figures.py` and `pushes.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from semhub.report.folder import Run
from semhub.report.plots import BLUE, CYCLE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, Line, Panel, Plot, Style
from semhub.report.words import axis_name, measure_name
from semhub.verdicts.slices import Curve, distinct, where

COLOURS = {"en": BLUE, "es": ORANGE, "zh": GREEN, "de": PURPLE, "digits": VERMILION}
MARKERS = {"en": "o", "es": "v", "zh": "^", "de": "D", "digits": "s"}
KINDS = {
    "untrained": Style(GREY, "dotted", "X"),
    "mispaired": Style(VERMILION, "dashed", "s"),
    "deranged": Style(GREEN, "dashdot", "^"),
    "apart": Style(PURPLE, "dotted", "D"),
    "strangers": Style(SKY, "dashed", "P"),
    "zh-dominant": Style(ORANGE, "long", "v"),
}
LEVELS = {"lift": 1.0, "prob": None, "logprob": None, "perplexity": None}  # what to compare with, where it is not 0
LOGARITHMIC, FLOORS = {"lift", "prob", "perplexity"}, {"prob": 1e-4}  # axes, and where they end below
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
        facts = {"ylabel": axis_name(self.measure), "level": level, "logarithmic": self.measure in LOGARITHMIC}
        facts |= {"floor": FLOORS.get(self.measure)} | more
        return Plot(f"{self.task}-{self.measure}-{kind}", title, kept, **facts) if kept else None


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


def capital(measure: str) -> str:
    name = measure_name(measure)
    return name[:1].upper() + name[1:]

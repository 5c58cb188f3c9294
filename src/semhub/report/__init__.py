"""TELL: a run folder becomes a page, figures and tables.

Reads the folder only and knows no model: what is not written there is not told. What is true of it, `verdicts` decides.
"""

from pathlib import Path

from semhub.verdicts.thresholds import LIMITS, Thresholds


def write_report(folder: Path, limits: Thresholds = LIMITS, workers: int = 1) -> Path:
    """Write `verdicts.json`, `report.html`, `figures/` and `tables/` into a run folder -> the path of the page.

    With more than one of `workers`, figures are drawn in processes of their own.
    """
    from semhub.report.page import write

    return write(Path(folder), limits, workers)


__all__ = ["write_report"]

"""TELL: a run folder becomes a page, figures and tables.

Reads the folder only and knows no model: what is not written there is not told. What is true of it, `verdicts` decides.
"""

from pathlib import Path

from semhub.verdicts.thresholds import LIMITS, Thresholds


def write_report(folder: Path, limits: Thresholds = LIMITS) -> Path:
    """Write `verdicts.json`, `report.html`, `figures/` and `tables/` into a run folder, and return the path of the page."""
    from semhub.report.page import write

    return write(Path(folder), limits)


__all__ = ["write_report"]

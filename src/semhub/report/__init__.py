"""TELL: a run folder becomes a page, figures and tables.

Reads the folder only and knows no model: what is not written there is not told.
"""

from pathlib import Path


def write_report(folder: Path) -> Path:
    """Write `report.html`, `figures/` and `tables/` into a run folder, and return the path of the page."""
    from semhub.report.page import write

    return write(Path(folder))


__all__ = ["write_report"]

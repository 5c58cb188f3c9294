"""The sources of real data as a page of the docs: `python -m semhub.data.page` writes `docs/data.md` anew. Knows no source by name."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from semhub.data.known import KNOWN, Known
from semhub.errors import UnknownName

HEAD = """# Real data

Written by `python -m semhub.data.page` from `src/semhub/data/known.py`; a test says when it is stale. `semhub list --data` shows the
same at a terminal, `semhub list --data --json` to a program.

Nothing is fetched unless a run is given a data set's id, and then only that. An id is written `owner/name/config@revision:split`, all
but owner and name optional. It is read at the commit that it stands for on that day; `spec.json` and the report record the commit, the
licence and a hash of the content, so that `@commit` reads the same again. Without a network, one line says which file to put where.

Whatever the source, a bad row (a side that is missing, an empty or over-long text, bytes that are no UTF-8) ends the run with its file,
line and reason before any work is done; `--skip-bad` goes on without such rows and says how many. Text is kept as it stands: nothing is
normalised or stripped. The report's section "What was kept, and why the rest was dropped" (and each task's line while it runs) counts
what was read and what each task kept of it.
"""
NOTES = """## Nouns of captions

`vision/caption-lens` finds the nouns of a caption with spaCy and its model `en_core_web_sm` where they are installed, and otherwise with
a list of nouns in `src/semhub/data/photos.py`; the result names which.
"""


def page(sources: Iterable[Known]) -> str:
    """The Markdown of the whole page: one section a source."""
    return "\n".join([HEAD, *map(section, sources), NOTES])


def section(source: Known) -> str:
    layouts = "\n".join(f"  - {layout}" for layout in source.layouts)
    also = f" (also `{'`, `'.join(source.also)}`)" if source.also else ""
    told = [("Give it as", f"`{source.option}`{also}"), ("Licence", source.licence), ("Get it from", source.get), ("Put it at", source.put)]
    told += [("Accepted", f"\n{layouts}"), ("Tasks", ", ".join(source.tasks))]
    lines = "\n".join(f"- **{title}**: {value}".replace(": \n", ":\n") for title, value in told)
    return f"## {source.name}\n\n{source.what}\n\n{lines}\n"


def facts(name: str | None = None) -> list[dict]:
    """Every source, or the one that is called so. Raises UnknownName, which offers the nearest one."""
    by_name = {called.lower(): each for each in KNOWN for called in (*each.also, each.name)}
    if name is not None and name.lower() not in by_name:
        raise UnknownName("source of real data", name, by_name)
    found = KNOWN if name is None else (by_name[name.lower()],)
    return [{key: list(value) if isinstance(value, tuple) else value for key, value in asdict(each).items()} for each in found]


if __name__ == "__main__":
    (Path(__file__).parents[3] / "docs" / "data.md").write_text(page(KNOWN), encoding="utf-8")

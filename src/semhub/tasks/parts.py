"""The paper by its parts: equations, sections, figures and tables, as far as the tasks state them, and the tasks of each.

Numbers of figures and tables differ between the paper's versions; those that stand here are the release's own. Knows no task by name.
"""

import re

from semhub.errors import BadInput, UnknownName
from semhub.tasks import SUITES, Task, catalogue

NUMBERED = re.compile(r"\b(eq\.|section|figure|table) (\d+(?:\.\d+)*)", re.IGNORECASE)
KINDS = {"eq.": "equation", "eq": "equation", "fig": "figure", "fig.": "figure", "sec": "section", "sec.": "section"}
PICTURED = ("figure", "table")


def parts() -> dict[str, tuple[str, ...]]:
    """`section-4.1`, `equation-1`, `figure-9`, a domain, a task -> the paper's tasks that it names, in the paper's order."""
    known = catalogue()
    mine = {name: known[name] for name in SUITES["paper"] if name in known}
    numbered = sorted({part for task in mine.values() for part in stated(task)}, key=order)
    found = {part: tuple(name for name, task in mine.items() if part in stated(task)) for part in numbered}
    domains = dict.fromkeys(name.partition("/")[0] for name in mine)
    found |= {domain: tuple(name for name in mine if name.startswith(f"{domain}/")) for domain in domains}
    return found | {name: (name,) for name in mine}


def stated(task: Task) -> list[str]:
    """The numbered parts in which a task says that it stands."""
    return [named(kind, number) for kind, number in NUMBERED.findall(task.paper)]


def named(kind: str, number: str) -> str:
    return f"{KINDS.get(kind.lower(), kind.lower())}-{number}"


def order(part: str) -> tuple[str, list[int]]:
    kind, _, number = part.partition("-")
    return kind, [int(each) for each in number.split(".")]


def tasks_of(asked: str) -> tuple[str, ...]:
    """The tasks that a part of the paper names (`Figure 9`, `eq-1`, `section-4.4`, `code`), or a task alone.

    Raises BadInput for a figure or table of which no task states the number, UnknownName for anything else that there is not.
    """
    known = parts()
    number = re.fullmatch(r"([a-z]+\.?)[ -]?(\d+(?:\.\d+)*)", asked.strip().lower())
    name = named(*number.groups()) if number else asked
    if name in known:
        return known[name]
    if name.partition("-")[0] in PICTURED:
        pictured = ", ".join(part for part in known if part.partition("-")[0] in PICTURED) or "none"
        raise BadInput(
            f"No task states that it is {name} of the paper, whose figures and tables are numbered otherwise in other versions; stated: "
            f"{pictured}. Name a section or a task: `semhub reproduce --list` shows all."
        )
    raise UnknownName("part of the paper", asked, known)

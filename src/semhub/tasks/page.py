"""The catalogue as a page of the docs: `python -m semhub.tasks.page` writes `docs/tasks.md` anew. Knows no task by name."""

from collections.abc import Iterable
from pathlib import Path

from semhub.tasks import BUILT_IN, SUITES, Task, tasks_in

FACTS = (
    ("Types", "types"),
    ("Paper", "paper"),
    ("Data", "data"),
    ("Positions", "positions"),
    ("Baseline", "baseline"),
    ("Measure", "measure"),
    ("Against the hypothesis", "against"),
    ("Protocols", "protocols"),
)
HEAD = """# The tasks

Written by `python -m semhub.tasks.page` from the declarations in `src/semhub/tasks/`; a test says when it is stale.
`semhub list TASK` shows the same at a terminal, `semhub list --json` to a program.
"""
PAPER = """## Where in the paper

The tasks of `--suite paper` (Wu et al. 2025), in the order of its sections; `semhub reproduce TASK` does one again as the release does
it, `semhub reproduce section-4.4` (or `equation-1`, `figure-9`, `code`) all tasks of a part (`--list` shows which). Parts are named as
the tasks state them: the numbers of figures and tables differ between the paper's versions.

| Part of the paper | Task | What it asks |
| --- | --- | --- |
{rows}"""
OWN = """## A task of your own

One file, found by `--tasks FILE` (or by the entry point `semhub.tasks` of an installed package); the built-in tasks come in by
the same door.

    semhub list own/code-zh --tasks examples/own_task.py
    semhub run own/code-zh --tasks examples/own_task.py --model ./my-model

```python
{example}```

Further pairs of types that the paper never asks about, each one file of at most 30 lines that a test runs:

{others}
Two types of text that you hold as pairs need no task at all: `semhub run multilingual/similarity --pairs FILE --types python,javascript`.
"""


def page(tasks: Iterable[Task], example: str, others: str = "") -> str:
    """The Markdown of the whole page: one section a domain, one a task, and how to add one (`others`: further examples)."""
    tasks = list(tasks)
    parts, domain = [HEAD, index(tasks)], None
    for task in tasks:
        if task.name.partition("/")[0] != domain:
            domain = task.name.partition("/")[0]
            parts.append(f"## {domain}\n")
        parts.append(section(task))
    return "\n".join([*parts, OWN.format(example=example, others=others)])


def index(tasks: Iterable[Task]) -> str:
    """Which part of the paper each of its tasks belongs to, as the task states it; nothing for tasks of which none is the paper's."""
    named = {task.name: task for task in tasks}
    found = [named[name] for name in SUITES["paper"] if name in named]
    row = lambda task: f"| {task.paper.partition('; PROTOCOL')[0]} | [{task.name}](#{anchor(task.name)}) | {task.question} |\n"  # noqa: E731
    return PAPER.format(rows="".join(map(row, found))) if found else ""


def anchor(heading: str) -> str:
    """A heading as GitHub links to it."""
    return heading.lower().replace("/", "")


def section(task: Task) -> str:
    facts = task.facts()
    shown = ((title, ", ".join(value) if isinstance(value := facts[name], list) else value) for title, name in FACTS)
    told = "\n".join(f"- **{title}**: {value}" for title, value in shown)
    return f"### {task.name}\n\n{task.question}\n\n{told}\n\n{facts['protocol']}\n"


def built_in() -> list[Task]:
    """The package's own tasks, without those of plugins that happen to be installed."""
    return [task for entry in BUILT_IN for task in tasks_in(entry.load())]


def written(root: Path) -> str:
    """The page for a checkout of the repository."""
    example, *others = examples(root)
    listed = "".join(f"- `examples/{file.name}`: {title(file)}\n" for file in others)
    return page(built_in(), example.read_text(encoding="utf-8"), listed)


def examples(root: Path) -> list[Path]:
    """The files with a task of one's own, the one that the page shows first."""
    shown = root / "examples" / "own_task.py"
    return [shown, *(file for file in sorted((root / "examples").glob("own_*.py")) if file != shown)]


def title(file: Path) -> str:
    """The first line of an example's docstring."""
    return file.read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0]


if __name__ == "__main__":
    here = Path(__file__).parents[3]
    (here / "docs" / "tasks.md").write_text(written(here), encoding="utf-8")

"""The arrows between rooms, read from the sources: every import runs one way, and nobody imports a star."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "semhub"
LEVELS = (
    ("types", "errors"),
    ("models", "data", "measures", "edits"),
    ("methods",),
    ("tasks",),
    ("runs",),
    ("verdicts",),
    ("studies",),
    ("report",),
    ("jobs", "terminal"),
    ("cli",),
    ("__main__",),
)
RANK = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
LAB_USES, LAB_USERS = {"data", "types", "errors"}, {"studies", "jobs", "cli"}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """`semhub.models.read` -> `models`; the package itself is the empty room, which holds the version."""
    return module.split(".")[1] if "." in module else ""


def imported(tree: ast.AST, package: str, is_room: set[str]) -> Iterator[str]:
    """Full names of the semhub modules that a tree imports, anywhere in it, functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "semhub")
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
            base = ".".join(filter(None, [above, node.module])) if node.level else node.module
            if base == "semhub":
                yield from (f"semhub.{name.name}" for name in node.names if name.name in is_room)
            elif base.startswith("semhub."):
                yield base


def wrong(room: str, target: str) -> str | None:
    """Why `room` may not import `target`, or None."""
    if target in ("", room) or room == "":
        return None
    if room == "lab":
        return None if target in LAB_USES else "lab uses data and types only"
    if target == "lab":
        return None if room in LAB_USERS else "only the command line and studies use lab"
    if RANK[target] == RANK[room] and RANK[room] > 0:
        return "siblings never import each other"
    return None if RANK[target] < RANK[room] else "the arrow runs the other way"


def offences(source: str, module: Path) -> list[str]:
    tree = ast.parse(source)
    name = ".".join(["semhub", *module.with_suffix("").parts])
    package = name.removesuffix(".__init__") if module.name == "__init__.py" else name.rpartition(".")[0]
    room = "" if module == Path("__init__.py") else room_of(name)
    targets = imported(tree, package, {*RANK, "lab"})
    found = [f"{name} imports {target}: {why}" for target in targets if (why := wrong(room, room_of(target)))]
    stars = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names)]
    return found + [f"{name} line {node.lineno}: star import" for node in stars]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_run_one_way(module):
    assert offences((PACKAGE / module).read_text(encoding="utf-8"), module) == []


def test_every_room_has_its_place():
    assert {path.parts[0].removesuffix(".py") for path in MODULES} - {"__init__"} <= {*RANK, "lab"}


@pytest.mark.parametrize(
    ("source", "module", "why"),
    [
        ("from semhub.data import world", "models/read.py", "siblings"),
        ("from semhub import data", "measures/lens.py", "siblings"),
        ("def late():\n    import semhub.report.page", "runs/engine.py", "other way"),
        ("from ..tasks import catalogue", "methods/bench.py", "other way"),
        ("from .. import cli", "report/page.py", "other way"),
        ("from semhub.models import load", "lab/train.py", "data and types only"),
        ("from semhub.lab import train", "tasks/arithmetic.py", "only the command line"),
        ("from semhub.types import *", "tasks/arithmetic.py", "star"),
        ("from semhub.runs import store", "types.py", "other way"),
    ],
)
def test_a_wrong_import_is_seen(source, module, why):
    assert [why in offence for offence in offences(source, Path(module))] == [True]


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from semhub.models import load\nfrom . import store\nfrom .plan import Plan", "runs/engine.py"),
        ("from semhub import __version__, jobs\nimport torch\nfrom rich import print", "cli.py"),
        ("from semhub.lab import train", "jobs.py"),
        ("from ..types import Concept", "lab/corpus.py"),
    ],
)
def test_a_right_import_passes(source, module):
    assert offences(source, Path(module)) == []

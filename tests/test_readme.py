"""What the README shows is run as it stands there."""

import re
from pathlib import Path

import pytest

from semhub.models import bundled

README = Path(__file__).parents[1] / "README.md"
BUNDLED = bundled.bundled()[0]


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", python_blocks())
def test_python_examples_run(code, capsys):
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names: dict = {}
    exec(compile(code, str(README), "exec"), names)  # noqa: S102
    assert capsys.readouterr().out
    assert names["silenced"].shape == names["a"].shape
    assert not (names["silenced"] == names["a"]).all()


def test_every_command_in_the_readme_exists():
    from typer.main import get_command

    from semhub.cli import app

    known = get_command(app).commands
    for command in re.findall(r"semhub ([a-z-]*[a-z])", README.read_text(encoding="utf-8")):
        assert command in {*known, "puts"}, command


def test_the_readme_names_the_two_commands():
    text = README.read_text(encoding="utf-8")
    assert "make run" in text and "make test" in text

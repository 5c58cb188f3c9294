"""The walk-through of the lab is run as it stands there: own corpus in, checkpoints, emergence figure out."""

import re
import shlex
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoModelForCausalLM

from semhub import cli
from semhub.lab import read_recipe

PAGE = (Path(__file__).parents[1] / "docs" / "lab.md").read_text(encoding="utf-8")


def semhub(command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(shlex.split(command)[1:])
    assert ended.value.code == 0, command


def test_the_walk_through(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "toml", "console", "console"]
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, "docs/lab.md", "exec"), {})
        elif kind == "toml":
            Path(re.match(r"# (\S+)", text)[1]).write_text(text, encoding="utf-8")
        else:
            for command in text.strip().splitlines():
                semhub(command)
    table = pd.read_parquet("grown/mine.emergence/emergence.parquet")
    assert sorted(table.step.unique()) == [0, 8, 16, 24]
    assert {"shared", "retrieved"} <= set(table.figure) and set(table.group) == {"en-es", "es-en"}
    page = Path("grown/mine.emergence/emergence.html").read_text(encoding="utf-8")
    assert "<svg" in page and "training step" in page
    assert AutoModelForCausalLM.from_pretrained("grown/mine").config.hidden_size == 32
    assert "corpus of the user's own" in Path("grown/mine/README.md").read_text(encoding="utf-8")


def test_the_recipe_of_the_walk_through_is_small_enough_to_follow_at_once():
    recipe = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])
    shape, training = recipe["shape"], recipe["training"]
    assert training["steps"] * training["batch"] * training["window"] <= 10_000 and shape["width"] * shape["blocks"] <= 128


def test_every_recipe_that_the_page_names_is_there():
    names = {name for row in re.findall(r"^\| (`semhub-.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", row)}
    assert len(names) == 11
    for name in names:
        read_recipe(name if not name.startswith("-") else f"semhub-text-strangers{name}")


def test_every_command_that_the_page_shows_parses():
    for command in re.findall(r"^    (semhub lab sweep .*)$", PAGE, re.MULTILINE):
        from semhub.lab.recipe_file import varied
        from semhub.studies.sweep import combinations

        recipe, over = shlex.split(command)[3], shlex.split(command)[5]
        for setting in combinations([over]):
            for key, value in setting.items():
                varied(read_recipe(recipe), key, value)

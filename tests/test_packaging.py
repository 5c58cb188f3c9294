"""What a user installs: everything that the package needs, everything pinned, nothing that a shell would not expect."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import semhub

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {plain(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def imported_by_source() -> set[str]:
    """Top-level names that the package imports anywhere."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    return {name for source in sources for name in re.findall(r"^\s*(?:import|from) (\w+)[\w.]*(?: import|$| as|,)", source, re.MULTILINE)}


def test_every_dependency_is_pinned_to_one_version():
    asked = names(PROJECT["dependencies"]) | {name for extra in EXTRAS.values() for name in names(extra)}
    assert asked <= {plain(name) for name in PINS}
    assert all(re.fullmatch(r"[\w.]+", pin) for pin in PINS.values()), "a pin is exact and has no local suffix"


def test_what_is_imported_is_declared():
    third = imported_by_source() - set(sys.stdlib_module_names) - {"semhub"}
    distribution = {"sklearn": "scikit-learn", "yaml": "transformers", "PIL": "pillow"}
    declared = names(PROJECT["dependencies"]) | names(EXTRAS["ray"]) | names(EXTRAS["peft"]) | names(EXTRAS["senses"])
    assert {plain(distribution.get(name, name)) for name in third} <= declared


def test_the_version_is_the_same_everywhere():
    assert PROJECT["version"] == semhub.__version__


def test_the_command_is_there():
    room, _, function = PROJECT["scripts"]["semhub"].partition(":")
    assert callable(getattr(import_module(room), function))


@pytest.mark.parametrize("name", semhub.__all__)
def test_public_names_are_there(name):
    assert getattr(semhub, name) is not None


def test_a_name_that_is_not_public_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        semhub.lode  # noqa: B018


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built from a copy so that nothing is left in the working tree."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("src", "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-R", str(ROOT / name), str(tree)], check=True)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    made = subprocess.run([sys.executable, "-c", build], cwd=tree, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-2000:]
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_package(wheel):
    package = ROOT / "src" / "semhub"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")]
    assert {f"semhub/{path.relative_to(package).as_posix()}" for path in files} <= set(wheel.namelist())


def test_the_wheel_carries_no_pickle_and_its_licence(wheel):
    held = wheel.namelist()
    assert not [name for name in held if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".bin"))]
    assert [name for name in held if name.endswith("LICENSE")]
    metadata = wheel.read(next(name for name in held if name.endswith("METADATA"))).decode()
    assert "License-Expression: Apache-2.0" in metadata


@pytest.mark.parametrize(("target", "command"), [("run", ".venv/bin/semhub run"), ("test", ".venv/bin/python -m pytest -rs")])
def test_each_make_command_does_all_of_its_set_up(target, command, tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    shown = subprocess.run(["make", "-n", target], cwd=tmp_path, capture_output=True, text=True, check=True, env=_without_make()).stdout
    steps = ["-m venv .venv", "torch==" + PINS["torch"], "-e '.[test]'", command]
    assert [step for step in steps if step in shown] == steps
    assert [shown.index(step) for step in steps] == sorted(shown.index(step) for step in steps)


def test_set_up_is_done_once(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    shown = subprocess.run(["make", "-n", "run"], cwd=tmp_path, capture_output=True, text=True, check=True, env=_without_make()).stdout
    assert shown.split() == [".venv/bin/semhub", "run"]


def grown_by_make(target: str, folder: Path) -> list[str]:
    """The models that a target grows, in order, where nothing is there yet."""
    (folder / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    command = ["make", "-n", "-o", ".venv/.ready", target]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=_without_make()).stdout
    return re.findall(r"semhub lab train (\S+) .*--out grown/\1$", shown, re.MULTILINE)


def test_make_bundle_grows_every_bundled_model_once(tmp_path):
    bundled = [recipe.parent.name for recipe in (ROOT / "src/semhub/bundle").glob("*/recipe.json")]
    assert sorted(grown_by_make("bundle", tmp_path)) == sorted(bundled)


@pytest.mark.parametrize("name", ["semhub-image", "semhub-tokens", "semhub-audio"])
def test_make_grows_the_text_model_that_another_stands_around_before_it(name, tmp_path):
    assert grown_by_make(f"grown/{name}", tmp_path) == ["semhub-text", name]
    assert grown_by_make(f"grown/{name}-mispaired", tmp_path) == ["semhub-text-mispaired", f"{name}-mispaired"]


def _without_make() -> dict[str, str]:
    """The environment without what an outer `make test` left in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}


def test_the_checks_call_the_same_command_as_a_person():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert [line for line in script.splitlines() if "make" in line] == ["exec make test"]
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", ["semhub", "semhub.cli", "semhub.jobs", "semhub.errors", "semhub.types"])
def test_import_loads_nothing_heavy_and_says_nothing(module):
    code = f"import sys, {module}; print(*({{'torch', 'transformers', 'pandas', 'datasets'}} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert (shown.stdout.strip(), shown.stderr) == ("", "")

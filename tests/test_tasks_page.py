"""The catalogue as people meet it: the page of the docs is fresh, `list` shows everything, and a file of one's own runs."""

import json
import sys
from pathlib import Path

import pytest

import semhub.tasks
from families_multimodal import built
from semhub import cli, jobs
from semhub.errors import BadInput
from semhub.runs import plan
from semhub.tasks import SUITES, catalogue, load_file, perform
from semhub.tasks.page import FACTS, built_in, examples, written
from worldly import worldly

ROOT = Path(__file__).parents[1]
OWN = ROOT / "examples" / "own_task.py"


@pytest.fixture(autouse=True)
def own_door(monkeypatch):
    monkeypatch.setattr(semhub.tasks, "_own_files", {})


def semhub_(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(words))
    return stopped.value.code, capsys.readouterr()


def test_the_page_of_the_docs_is_fresh():
    told = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    assert told == written(ROOT), "docs/tasks.md is stale; write it anew: python -m semhub.tasks.page"


def test_the_page_has_every_fact_of_every_task():
    told = written(ROOT)
    for task in built_in():
        section = told.partition(f"### {task.name}\n")[2].partition("\n##")[0]
        for title, name in FACTS:
            value = getattr(task, name)
            assert f"- **{title}**: {', '.join(value) if isinstance(value, tuple) else value}\n" in section, (task.name, name)
        assert task.question in section and (task.declare.__doc__ or "").strip().splitlines()[0] in section


def test_the_page_says_which_part_of_the_paper_each_task_belongs_to():
    told = written(ROOT).partition("## Where in the paper\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in told.splitlines() if line.startswith("| ") and "](#" in line]
    assert [row[1].partition("]")[0].strip("[") for row in rows] == list(SUITES["paper"]) and len(rows) == 21
    known = catalogue()
    for part, link, question in rows:
        name, anchor = link.strip("[)").split("](#")
        assert known[name].paper.startswith(f"{part}; PROTOCOL row ") and known[name].question == question
        assert anchor == name.replace("/", "")


def test_list_shows_everything_of_one_task_and_of_all(capsys):
    code, shown = semhub_(capsys, "list", "code/role-lens")
    task = catalogue()["code/role-lens"]
    assert code == 0
    for value in (task.question, task.paper, task.data, task.positions, task.baseline, task.measure, task.against, "sound, paper"):
        assert value in shown.out
    code, shown = semhub_(capsys, "list", "--json")
    told = {each["name"]: each for each in json.loads(shown.out)}
    assert set(told) == set(catalogue()) and told["semantics/role-lens"]["needs"] == ["en", "formula"]
    assert set(told["code/intervention"]) >= {
        "question",
        "types",
        "paper",
        "data",
        "positions",
        "baseline",
        "measure",
        "against",
        "protocol",
    }
    code, shown = semhub_(capsys, "list", "code/role-lenz")
    assert code == 2 and "did you mean 'code/role-lens'" in shown.err


def test_a_task_of_ones_own_is_one_short_file(capsys):
    assert len(OWN.read_text(encoding="utf-8").splitlines()) <= 30
    code, shown = semhub_(capsys, "list", "own/code-zh", "--tasks", str(OWN))
    assert code == 0 and "code, zh" in shown.out
    result = perform("own/code-zh", worldly(), limit=6)
    assert {r.group for r in result.readings} == {"code-zh", "zh-code"} and {r.control for r in result.readings} == {None, "swapped"}
    code, shown = semhub_(capsys, "list", "--tasks", "nowhere.py")
    assert code == 2 and "nowhere.py is none" in shown.err


@pytest.mark.parametrize(
    ("file", "kind", "group", "controls"),
    [
        ("own_image_zh.py", "llava", "image-zh", {None}),
        ("own_audio_code.py", "qwen2_audio", "audio-code", {None}),
        ("own_two_codes.py", None, "code-lisp", {None, "swapped"}),
    ],
)
def test_types_that_the_paper_never_paired_are_one_short_file_each(file, kind, group, controls):
    path = ROOT / "examples" / file
    (task,) = load_file(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30 and f"`examples/{file}`" in written(ROOT)
    model = worldly() if kind is None else semhub.load(*built(kind), prove=False)
    result = perform(task.name, model, limit=6)
    assert group in {r.group for r in result.readings} and {r.control for r in result.readings} == controls
    (kept,) = result.extras["tally"]
    assert kept["given"] == kept["kept"] >= 6 and not kept["left_out"]


def test_every_example_is_run_by_a_test():
    assert {file.name for file in examples(ROOT)} == {"own_task.py", "own_image_zh.py", "own_audio_code.py", "own_two_codes.py"}


def installed(folder, monkeypatch, module, code, entry=None):
    """A package as pip would leave it, with a module and the metadata that names its entry point."""
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[semhub.tasks]\nown = {entry or module}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_tasks_of_an_installed_package_come_in_by_its_entry_point(tmp_path, monkeypatch, capsys):
    before = list(catalogue())
    code = OWN.read_text(encoding="utf-8")
    installed(tmp_path, monkeypatch, "semhub_own_plugin", code)
    assert list(catalogue()) == [*before, "own/code-zh"], "after the built-in ones"
    code, shown = semhub_(capsys, "list", "own/code-zh")
    assert code == 0 and "code, zh" in shown.out
    assert plan.prepare(["own/code-zh"]).record()["tasks"][0]["types"] == ["code", "zh"]
    assert "### own/code-zh\n" not in written(ROOT), "the page of the docs has the package's own alone"


def test_a_package_whose_task_has_a_name_of_ours_is_refused_by_its_name(tmp_path, monkeypatch):
    code = OWN.read_text(encoding="utf-8").replace("own/code-zh", "multilingual/lens")
    installed(tmp_path, monkeypatch, "semhub_twice_plugin", code)
    with pytest.raises(BadInput, match="semhub_twice_plugin brings a task 'multilingual/lens', but there is one of that name already"):
        catalogue()


@pytest.mark.parametrize(("code", "said"), [("import nothing_of_that_name", "ModuleNotFoundError"), ("1 / 0", "ZeroDivisionError")])
def test_a_package_that_cannot_be_imported_is_named_in_one_line(tmp_path, monkeypatch, capsys, code, said):
    installed(tmp_path, monkeypatch, "semhub_broken_plugin", code)
    code, shown = semhub_(capsys, "list")
    (line,) = shown.err.splitlines()
    assert code == 2 and "semhub_broken_plugin" in line and said in line and "uninstall" in line


def test_a_run_takes_tasks_from_a_file_and_knows_their_code(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN.read_text(encoding="utf-8"), encoding="utf-8")
    before = plan.prepare(["own/code-zh"], task_files=[path])
    assert list(before.spec.tasks) == ["own/code-zh"] and before.record()["tasks"][0]["types"] == ["code", "zh"]
    path.write_text(path.read_text(encoding="utf-8").replace("200", "100"), encoding="utf-8")
    assert plan.prepare(["own/code-zh"], task_files=[path]).folder() != before.folder()


def test_a_bare_run_says_which_tasks_it_leaves_out():
    made = plan.prepare()
    assert {"code", "formula"} < set(made.known_types()) and {"code/role-lens", "semantics/similarity", "audio/lens"} < set(made.left_out)
    for name, why in made.left_out.items():
        readable = name.startswith(("code/", "semantics/"))
        assert name not in made.spec.tasks and why.startswith("is asked by name or by --suite paper" if readable else "needs ")
        assert f"{name.partition('/')[0]}/* ({why.partition('; ')[0]})" in made.notes()[0]


def test_load_tasks_takes_files_into_the_catalogue():
    jobs.load_tasks([OWN])
    assert "own/code-zh" in catalogue() and load_file(OWN)[0].name == "own/code-zh"

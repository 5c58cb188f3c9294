"""The command line: what it calls, what it prints, and one clear line for bad input."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fake_run
from semhub import cli, jobs
from semhub.errors import ModelNotFound
from semhub.runs import engine, plan, store
from semhub.tasks import SUITES

ROOT = Path(__file__).parent.parent
BUNDLED = [
    SimpleNamespace(name="hub", role="hub", format="llama", types=("en", "zh"), path=Path("/nowhere/hub"), bytes=10),
    SimpleNamespace(name="hub-untrained", role="control:untrained", format="llama", types=("en", "zh"), path=None, bytes=0),
]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Fake tasks, models and report; the current folder is empty."""
    tasks = {name: fake_run.FakeTask() for name in fake_run.TASKS} | {"sky/far": fake_run.FakeTask(types=("image",), protocols=("sound",))}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "_catalogue", lambda: tasks)
    monkeypatch.setattr("semhub.tasks.parts.catalogue", lambda: tasks)
    monkeypatch.setattr(plan, "_bundled", lambda: BUNDLED)
    monkeypatch.setattr(engine, "load_model", fake_run.load)
    monkeypatch.setattr(engine, "perform_task", fake_run.perform)
    monkeypatch.setattr(engine, "show_tokens", fake_run.show)
    monkeypatch.setattr(jobs, "fitting", lambda plan: 1)
    monkeypatch.setattr(jobs, "report", lambda folder, *_: Path(folder) / "report.html")
    return tmp_path


def semhub(*words: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(words))
    return stopped.value.code


def refused(capsys, *words: str) -> str:
    """The one line on stderr that bad input gets."""
    assert semhub(*words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("semhub: ")
    return line


def test_a_bare_run_does_all_that_fits_on_the_hub_and_its_controls(world, capsys):
    assert semhub("run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["kept"]) == (4, 0)
    spec = json.loads((world / told["folder"] / "spec.json").read_text())
    assert [each["name"] for each in spec["models"]] == ["hub", "hub-untrained"]
    assert [each["name"] for each in spec["tasks"]] == list(fake_run.TASKS)
    assert spec["protocol"] == "sound"


def test_the_same_bare_run_finds_itself_finished(world, capsys):
    semhub("run")
    first = capsys.readouterr()
    assert semhub("run") == 0
    again = capsys.readouterr()
    assert "4 of 4 parts were finished before" in again.err
    assert again.out.splitlines()[-1] == first.out.splitlines()[-1]
    assert len(list((world / "runs").iterdir())) == 1


def test_options_reach_the_tasks(world, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(engine, "perform_task", lambda task, model, **given: seen.append(given) or fake_run.perform(task, model, **given))
    words = "run space/near --protocol paper --seed 3 --limit 5 --layers 0,2-3 --types en,zh"
    more = "--batch-tokens 99 --scorers hf --controls none --out here"
    assert semhub(*words.split(), *more.split()) == 0
    (given,) = seen
    assert {key: given[key] for key in ("protocol", "seed", "limit", "layers", "types", "batch_tokens", "scorers")} == {
        "protocol": "paper",
        "seed": 3,
        "limit": 5,
        "layers": (0, 2, 3),
        "types": ("en", "zh"),
        "batch_tokens": 99,
        "scorers": "hf",
    }
    assert (world / "here" / "readings.parquet").exists()


def test_opening_words_pass_through_and_controls_get_the_machine_only(world, monkeypatch):
    opened = {}
    monkeypatch.setattr(engine, "load_model", lambda name, **keywords: opened.update({name: keywords}) or fake_run.load(name))
    semhub(*"run --dtype bfloat16 --device cpu --revision main --trust-remote-code".split())
    assert opened["hub"] == {"dtype": "bfloat16", "device": "cpu", "revision": "main", "trust_remote_code": True}
    assert opened["hub-untrained"] == {"dtype": "bfloat16", "device": "cpu"}


def test_a_domain_names_its_tasks(world, capsys):
    assert semhub("run", "space", "--json") == 0
    assert json.loads(capsys.readouterr().out)["done"] == 4


def test_nothing_is_said_on_stdout_but_the_result(world, capsys):
    semhub("run")
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert shown.err.splitlines()[:2] == [
        "Tasks left out: sky/far (needs image); the types of hub are en, zh.",
        "[1/4] space/near on hub: 3 readings, 0 s",
    ]


def test_a_figure_of_the_paper_is_its_task_as_the_release_does_it(world, capsys, monkeypatch):
    monkeypatch.setitem(SUITES, "paper", ("space/near",))
    assert semhub("reproduce", "space/near", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert done["done"] == 2
    assert store.readings(Path(done["folder"]))["protocol"].unique().tolist() == ["paper"]
    assert "did you mean 'space/near'?" in refused(capsys, "reproduce", "space/neer")


def test_a_part_of_the_paper_is_all_tasks_that_state_it(world, capsys, monkeypatch):
    monkeypatch.setitem(SUITES, "paper", ("space/near",))
    assert semhub("reproduce", "Figure 0", "--json") == 0
    spec = json.loads((world / json.loads(capsys.readouterr().out)["folder"] / "spec.json").read_text())
    assert [task["name"] for task in spec["tasks"]] == ["space/near"]
    for asked in (("reproduce", "--list"), ("reproduce",)):
        assert semhub(*asked) == 0 and "figure-0" in capsys.readouterr().out
    assert semhub("reproduce", "--list", "--json") == 0
    assert {"part": "figure-0", "tasks": ["space/near"]} in json.loads(capsys.readouterr().out)
    said = refused(capsys, "reproduce", "table-1")
    assert "No task states that it is table-1" in said and "stated: figure-0" in said and "--list" in said


def test_a_figure_of_the_paper_is_drawn_from_own_data_on_a_model_opened_as_asked(world, capsys, monkeypatch):
    """What `run` says of data and of opening, `reproduce` says too, in the same words."""
    monkeypatch.setitem(SUITES, "paper", ("space/near",))
    seen, opened = [], {}
    monkeypatch.setattr(engine, "perform_task", lambda task, model, **given: seen.append(given) or fake_run.perform(task, model, **given))
    monkeypatch.setattr(engine, "load_model", lambda name, **keywords: opened.update({name: keywords}) or fake_run.load(name))
    (world / "pairs.csv").write_text("en,zh\nA dog.,狗。\nA cat.,猫。\n,猫。\n", encoding="utf-8")
    (world / "cedict.txt").write_text("貓 猫 [mao1] /cat/\n", encoding="utf-8")
    words = "reproduce space/near --model hub --pairs pairs.csv --skip-bad --data cedict=cedict.txt --types zh,en --limit 7 --seed 2"
    opening = "--revision v1 --dtype bfloat16 --device cpu --device-map auto --trust-remote-code --unsafe-weights --batch-tokens 99"
    assert semhub(*words.split(), *opening.split()) == 0
    given = seen[0]
    assert [concept.text("zh") for concept in given["pairs"].concepts] == ["狗。", "猫。"] and dict(given["data"]["cedict"].items) == {
        "猫": ("cat",)
    }
    assert {key: given[key] for key in ("protocol", "seed", "limit", "types", "batch_tokens")} == {
        "protocol": "paper",
        "seed": 2,
        "limit": 7,
        "types": ("zh", "en"),
        "batch_tokens": 99,
    }
    machine = {"dtype": "bfloat16", "device": "cpu", "device_map": "auto"}
    assert opened["hub"] == machine | {"revision": "v1", "trust_remote_code": True, "unsafe_weights": True}


def test_reproduce_shares_the_options_of_run():
    from inspect import signature

    run, again = (signature(command).parameters for command in (cli.run, cli.reproduce))
    shared = {name for name in again if name in run} - {"protocol", "out", "limit"}  # there they say other things
    assert {name: run[name].annotation for name in shared} == {name: again[name].annotation for name in shared} and len(shared) == 14


def test_an_unknown_task_gets_the_nearest_name(world, capsys):
    assert "did you mean 'space/near'?" in refused(capsys, "run", "space/neer")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --protocol sond", "did you mean 'sound'"),
        ("run --scorers hff", "did you mean 'hf'"),
        ("run --seed two", "--seed"),
        ("run --limit 0", "--limit 0: it must be 1 or more"),
        ("run --layers 1,x", "'x' is no layer"),
        ("run --batch-tokens many", "--batch-tokens"),
        ("run sky/far --protocol paper", "has no protocol 'paper'"),
        ("run --wrong", "No such option"),
        ("rnu", "Did you mean 'run'"),
        ("run --pairs nowhere.tsv", "nowhere.tsv"),
    ],
)
def test_bad_input_is_one_line(world, capsys, words, said):
    assert said in refused(capsys, *words.split())


def test_a_run_folder_of_another_spec_is_refused(world, capsys):
    semhub("run", "--out", "here")
    capsys.readouterr()
    assert "seed was 0, now 1" in refused(capsys, "run", "--out", "here", "--seed", "1")


def test_a_folder_that_cannot_be_written_is_refused(world, capsys):
    (world / "file").write_text("x")
    assert "Cannot write" in refused(capsys, "run", "--out", "file/run")


def test_a_model_that_is_not_there_is_refused(world, capsys, monkeypatch):
    def missing(name, **keywords):
        raise ModelNotFound(f"There is no model {name!r} here,\nand no network.")

    monkeypatch.setattr(engine, "load_model", missing)
    assert refused(capsys, "run", "-m", "no/such", "space/near") == "semhub: There is no model 'no/such' here, and no network."


def test_a_disk_that_fills_up_anywhere_is_one_line(world, capsys, monkeypatch):
    def full(folder, *_):
        raise OSError(errno.ENOSPC, "No space left on device", "figures/a.svg")

    monkeypatch.setattr(jobs, "report", full)
    semhub("run", "--out", "here")
    assert "No space left on device: figures/a.svg" in capsys.readouterr().err.splitlines()[-1]


def test_a_fault_of_our_own_keeps_its_traceback(world, monkeypatch):
    monkeypatch.setattr(jobs, "fitting", lambda plan: 1)
    monkeypatch.setattr(jobs, "report", lambda folder, *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])


def test_interrupted_says_how_to_go_on(world, capsys, monkeypatch):
    def interrupted(folder, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "report", interrupted)
    assert semhub("run") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "semhub: stopped; the same command goes on where it stopped."


def test_list_shows_tasks_and_models(monkeypatch, capsys):
    monkeypatch.setattr(
        jobs, "tasks", lambda: [{"name": "space/near", "question": "Near?", "types": ["en"], "paper": "", "protocols": ["sound"]}]
    )
    monkeypatch.setattr(
        jobs, "models", lambda: [{"name": "hub", "role": "hub", "types": ["en"], "path": "/a", "bytes": 3, "format": "llama"}]
    )
    assert semhub("list") == 0
    assert "space/near" in capsys.readouterr().out
    assert semhub("list", "--models", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["role"] == "hub"


def test_a_failed_check_is_code_1(monkeypatch, capsys):
    checks = [{"name": "left-padding", "passed": False, "error": 0.5, "tolerance": 1e-4, "detail": "row 2"}]
    failed = SimpleNamespace(passed=False, as_dict=lambda: {"passed": False, "checks": checks})
    monkeypatch.setattr(jobs, "check", lambda model, opening: failed)
    assert semhub("check", "some/model") == 1
    shown = capsys.readouterr().out
    assert "FAILED" in shown and "left-padding" in shown and "5.0e-01" in shown


def test_the_lens_shows_words_as_people_write_them(monkeypatch, capsys):
    words = [[[(" cat", 0.5)], [("狗", 0.25)]], [[(" gato", 1.0)], [("说", 0.75)]]]
    table = {"model": "hub", "norm": "final", "tokens": ["los", " gatos"], "layers": [0, 1], "words": words}
    monkeypatch.setattr(jobs, "lens", lambda text, model, **given: table)
    assert semhub("lens", "los gatos") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [["layer", "los", "gatos"], ["1", "gato", "1.00", "说", "0.75"], ["0", "cat", "0.50", "狗", "0.25"]]
    assert semhub("lens", "los gatos", "--json") == 0
    assert json.loads(capsys.readouterr().out)["words"][0][1] == [["狗", 0.25]]


def test_a_lens_is_fitted_from_text_and_told(monkeypatch, capsys):
    facts = {"folder": "here", "texts": 9, "text": "world", "divergence": {"0": {"logit-lens": 3.0, "lens": 1.25}}}
    asked = []
    monkeypatch.setattr(jobs, "fit_lens", lambda model, text, out, **given: asked.append((model, text, out)) or facts)
    assert semhub("fit-lens", "hub", "--text", "mine.txt", "--out", "here") == 0
    assert asked == [("hub", "mine.txt", Path("here"))]
    shown = capsys.readouterr().out
    assert "3.000" in shown and "1.250" in shown and "here" in shown
    assert semhub("fit-lens", "--json") == 0 and json.loads(capsys.readouterr().out) == facts


def test_a_lens_reaches_the_tasks_and_is_part_of_what_was_asked(world, capsys, monkeypatch):
    import torch

    from semhub.methods.tuned import TunedLens, save

    seen = []
    perform = lambda task, model, lens=None, **given: seen.append(lens) or fake_run.perform(task, model, **given)  # noqa: E731
    monkeypatch.setattr(engine, "perform_task", perform)
    lens = TunedLens({0: (torch.eye(2), torch.zeros(2))}, {"dim": 2, "depth": 1})
    save(lens, world / "lens")
    assert semhub("run", "space/near", "--controls", "none", "--lens", "lens", "--out", "here") == 0
    assert seen[0].hash == lens.hash
    spec = json.loads((world / "here" / "spec.json").read_text())
    assert spec["own_lens"] == lens.hash and spec["lens"] == "lens"
    capsys.readouterr()
    assert "own_lens" in refused(capsys, "run", "space/near", "--controls", "none", "--out", "here")
    assert "holds no lens" in refused(capsys, "run", "space/near", "--lens", "here")


def test_lab_train_passes_on_and_tells_how_far_it_is(monkeypatch, capsys):
    seen = []

    def grow(recipe, out, *, progress, **given):
        seen.append((recipe, out, given))
        for step in range(0, 41):
            progress(step, 40, 2.5, 60.0)
        return out

    monkeypatch.setattr(jobs, "grow", grow)
    assert semhub("lab", "train", "text", "--out", "grown/text", "--seed", "2") == 0
    assert seen == [("text", Path("grown/text"), {"seed": 2, "compile": False, "device": None})]
    shown = capsys.readouterr()
    assert shown.out == "grown/text\n"
    assert shown.err.splitlines()[1] == "step 4 of 40: loss 2.500, 1 min 0 s left"
    assert len(shown.err.splitlines()) == 11


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"], []])
def test_help_answers_without_loading_anything_heavy(words):
    code = (
        "import sys, semhub, semhub.cli\n"
        f"try: semhub.cli.main({words!r})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'pyarrow', 'huggingface_hub', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert "semhub" in shown.stdout


def test_a_reader_that_leaves_is_no_error(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = f"{sys.executable} -m semhub run --help | head -1"
    shown = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in shown.stderr

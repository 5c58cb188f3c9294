"""Planning: which tasks on which models, under which name, and what makes two runs the same."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fake_run
from semhub.data import sources
from semhub.errors import BadInput, UnknownName
from semhub.models.bundled import CONTROLS, RECIPES, role_of
from semhub.runs import Opening, hosts, plan
from semhub.runs.spec import parse_data, parse_layers, parse_types
from semhub.tasks import SUITES

BUNDLED = [
    SimpleNamespace(name="hub", role="hub", types=("en", "zh"), path=None),
    SimpleNamespace(name="hub-untrained", role="control:untrained", types=("en", "zh"), path=None),
    SimpleNamespace(name="other", role="hub", types=("en", "image"), path=None),
    SimpleNamespace(name="other-mispaired", role="control:mispaired", types=("en", "image"), path=None),
]


@pytest.fixture(autouse=True)
def world(monkeypatch):
    tasks = {
        "space/near": fake_run.FakeTask(),
        "space/seen": fake_run.FakeTask(types=("image",)),
        "sky/near": fake_run.FakeTask(types=("en",), protocols=("sound",)),
    }
    monkeypatch.setattr(plan, "_catalogue", lambda: tasks)
    monkeypatch.setattr(plan, "_bundled", lambda: BUNDLED)


def asked(*words, **more) -> tuple[list[str], list[str]]:
    made = plan.prepare(*words, **more)
    return list(made.spec.tasks), list(made.spec.models)


def test_nothing_asked_means_all_that_fits_the_hub_with_its_controls():
    assert asked() == (["space/near", "sky/near"], ["hub", "hub-untrained"])


def test_an_unusual_task_is_done_when_it_is_named(monkeypatch):
    known = {"space/near": fake_run.FakeTask(), "space/slow": fake_run.FakeTask(usual=False)}
    monkeypatch.setattr(plan, "_catalogue", lambda: known)
    assert asked()[0] == asked(("space",))[0] == ["space/near"]
    assert asked(("space/slow",))[0] == ["space/slow"]


def test_a_suite_is_done_whole_even_where_its_tasks_are_unusual(monkeypatch):
    known = {name: fake_run.FakeTask(usual=False) for name in SUITES["controls"]} | {"space/slow": fake_run.FakeTask(usual=False)}
    monkeypatch.setattr(plan, "_catalogue", lambda: known)
    assert asked((), suite="controls")[0] == list(SUITES["controls"])


def test_each_hub_has_its_own_tasks_and_controls():
    assert asked((), "other") == (["space/seen", "sky/near"], ["other", "other-mispaired"])


def test_a_model_that_is_not_here_yet_is_asked_about_text_alone_unless_tasks_are_named():
    assert asked((), "some/model") == (["space/near", "sky/near"], ["some/model"])
    assert "known once it is here" in plan.prepare((), "some/model").left_out["space/seen"]
    assert asked(["space/seen"], "some/model")[0] == ["space/seen"]


def test_a_folder_says_whether_its_model_sees(tmp_path):
    for tower, seen in (("vision_config", True), ("text_config", False)):
        (tmp_path / "config.json").write_text(json.dumps({tower: {"hidden_size": 2}}))
        assert ("space/seen" in asked((), str(tmp_path))[0]) is seen


def test_a_twin_is_made_for_any_model_and_asked_about_similarity_alone(monkeypatch):
    tasks = {"space/similarity": fake_run.FakeTask(), "space/near": fake_run.FakeTask()}
    monkeypatch.setattr(plan, "_catalogue", lambda: tasks)
    made = plan.prepare((), "some/model", twins=1)
    assert made.roles["some/model-untrained"] == "control:untrained"
    assert [(part.task, part.model) for part in made.parts] == [
        ("space/similarity", "some/model"),
        ("space/near", "some/model"),
        ("space/similarity", "some/model-untrained"),
    ]
    assert plan.prepare((), "hub", twins=1).spec.models == ("hub", "hub-untrained")
    several = plan.prepare((), "hub", twins=3)
    assert several.spec.models == ("hub", "hub-untrained", "hub-untrained-1", "hub-untrained-2")
    assert [part.task for part in several.parts if part.model == "hub-untrained"] == list(tasks)  # a control like any other
    assert [part.task for part in several.parts if part.model == "hub-untrained-2"] == ["space/similarity"]
    with pytest.raises(BadInput, match="--twins -1"):
        plan.prepare((), "hub", twins=-1)


def test_controls_are_left_out_or_chosen_by_kind(monkeypatch):
    assert asked(controls="none")[1] == ["hub"]
    shelf = [
        *BUNDLED,
        *(SimpleNamespace(name=f"hub-{kind}", role=f"control:{kind}", types=("en",), path=None) for kind in ("apart", "deranged")),
    ]
    monkeypatch.setattr(plan, "_bundled", lambda: shelf)
    assert asked()[1] == ["hub", "hub-untrained"], "a usual run has no time for the others"
    assert asked(controls="all")[1] == ["hub", "hub-untrained", "hub-apart", "hub-deranged"]
    assert asked(controls="deranged, untrained")[1] == ["hub", "hub-untrained", "hub-deranged"]
    with pytest.raises(UnknownName, match="derranged.*deranged"):
        asked(controls="derranged")


def test_the_record_says_what_a_bundled_model_was_shown_and_where_a_control_falls_short(tmp_path, monkeypatch):
    shelf = [SimpleNamespace(**vars(each) | {"path": tmp_path / each.name}) for each in BUNDLED]
    monkeypatch.setattr(plan, "_bundled", lambda: shelf)
    matches = [{"type": type, "matched": type == "en"} for type in ("en", "es", "de")]
    for name in ("other", "other-mispaired"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "exam.json").write_text(json.dumps({"beside": "other", "matches": matches}), encoding="utf-8")
    hub, control = plan.prepare((), "other").record()["models"]
    assert hub == {"name": "other", "asked": "other", "role": "hub", "types": ["en", "image"]}, "a hub is held to nobody"
    assert (control["types"], control["unmatched"]) == (["en", "image"], ["es", "de"])
    (tmp_path / "other-mispaired" / "exam.json").unlink()
    assert "unmatched" not in plan.prepare((), "other").record()["models"][1], "nothing recorded means nothing known"
    (own,) = plan.prepare((), "some/model").record()["models"]
    assert own == {"name": "some/model", "asked": "some/model", "role": ""}


def test_every_kind_of_control_can_be_grown_or_made():
    grown = {role_of(tomllib.loads(path.read_text())) for path in RECIPES.glob("semhub-text*.toml")} - {"hub"}
    assert {f"control:{kind}" for kind in CONTROLS} == grown | {"control:untrained"}


def test_a_control_is_run_alone():
    assert asked((), "hub-untrained")[1] == ["hub-untrained"]


def test_types_asked_for_narrow_the_tasks():
    assert asked(types=("en",))[0] == ["sky/near"]


def test_bare_runs_leave_out_tasks_without_the_protocol():
    assert asked(protocol="paper")[0] == ["space/near"]


def test_the_bundled_hub_is_asked_the_main_tasks_alone_unless_they_are_named(monkeypatch):
    known = {name: fake_run.FakeTask() for name in ("multilingual/lens", "code/role-lens", "own/task")}
    monkeypatch.setattr(plan, "_catalogue", lambda: known)
    made = plan.prepare()
    assert list(made.tasks) == ["multilingual/lens", "own/task"] and "--suite paper" in made.left_out["code/role-lens"]
    assert asked(model="hub")[0] == list(known) and asked(("code",))[0] == ["code/role-lens"]
    assert asked(suite="main")[0] == ["multilingual/lens"] and asked(suite="paper")[0] == ["multilingual/lens", "code/role-lens"]


def test_a_suite_asks_its_own_tasks_and_says_which_do_not_fit(monkeypatch):
    monkeypatch.setitem(SUITES, "paper", ("space/seen", "space/near", "not/there-yet"))
    made = plan.prepare(suite="paper", model="hub")
    assert list(made.tasks) == ["space/near"] and list(made.left_out) == ["space/seen"]


def test_a_suite_without_a_model_asks_each_task_of_the_bundled_hub_that_can_answer_it(monkeypatch):
    monkeypatch.setitem(SUITES, "paper", ("space/seen", "space/near"))
    made = plan.prepare(suite="paper")
    assert [(part.task, part.model) for part in made.parts] == [
        ("space/seen", "other"),
        ("space/seen", "other-mispaired"),
        ("space/near", "hub"),
        ("space/near", "hub-untrained"),
    ]
    assert asked(["space/seen"]) == (["space/seen"], ["other", "other-mispaired"])
    assert asked(["space"], controls="none") == (["space/near", "space/seen"], ["hub", "other"])


def test_a_task_prefers_the_format_that_the_paper_asks():
    eye, tokens = (SimpleNamespace(name=name, role="hub", types=("image",), format=name) for name in ("llava", "chameleon"))
    wants = fake_run.FakeTask(types=("image",))
    assert hosts.hosts({"a": wants}, [eye, tokens]) == {"a": "llava"}
    wants.format = "chameleon"
    assert hosts.hosts({"a": wants}, [eye, tokens]) == {"a": "chameleon"}
    assert hosts.hosts({"a": wants}, [eye]) == {"a": "llava"} and hosts.hosts({"a": fake_run.FakeTask(types=("audio",))}, [eye]) == {}


def test_tasks_left_out_are_told_by_domain():
    why = "needs image; the types of hub are en, zh"
    assert plan.told({"eye/a": why, "eye/b": why, "ear/c": "needs audio; the types of hub are en, zh", "x/d": "has no protocol paper"}) == (
        "Tasks left out: eye/* (needs image); ear/c (needs audio); x/d (has no protocol paper); the types of hub are en, zh."
    )


def test_a_suite_that_there_is_not_or_with_tasks_beside_it():
    with pytest.raises(UnknownName, match="paper"):
        plan.prepare(suite="papers")
    with pytest.raises(BadInput, match="not both"):
        plan.prepare(["space/near"], suite="paper")


def test_a_domain_stands_for_its_tasks_and_order_is_as_asked():
    assert asked(["sky/near", "space"])[0] == ["sky/near", "space/near", "space/seen"]


def test_a_task_named_twice_is_done_once():
    assert asked(["sky/near", "sky/near", "sky"])[0] == ["sky/near"]


@pytest.mark.parametrize("word", ["sky/neer", "spice", "near"])
def test_an_unknown_task_is_refused(word):
    with pytest.raises(UnknownName):
        plan.prepare([word])


def test_parts_follow_one_model_at_a_time():
    parts = plan.prepare().parts
    assert [(part.task, part.model) for part in parts[:3]] == [("space/near", "hub"), ("sky/near", "hub"), ("space/near", "hub-untrained")]


def test_the_same_question_finds_the_same_folder_and_another_does_not():
    base = plan.prepare()
    assert base.folder() == plan.prepare().folder()
    assert base.folder().parent == Path("runs") and base.folder().name.startswith("hub-sound-")
    others = [
        {"seed": 1},
        {"limit": 3},
        {"layers": (1,)},
        {"types": ("en", "zh")},
        {"controls": "none"},
        {"opening": Opening(dtype="bfloat16")},
    ]
    assert len({plan.prepare(**other).folder() for other in others} | {base.folder()}) == len(others) + 1
    same = [{"batch_tokens": 7}, {"opening": Opening(device="cpu", trust_remote_code=True)}]
    assert {plan.prepare(**each).folder() for each in same} == {base.folder()}


def test_a_folder_of_weights_is_known_by_its_content(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = plan.prepare((), str(tmp_path)).spec.weights[str(tmp_path)]
    assert plan.prepare((), str(tmp_path)).spec.weights[str(tmp_path)] == before
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert plan.prepare((), str(tmp_path)).spec.weights[str(tmp_path)] != before


def test_a_model_in_hand_is_known_by_its_weights():
    made = plan.prepare((), fake_run.FakeModel("mine", weights_hash="w9"))
    assert dict(made.spec.weights) == {"mine": "w9"}
    assert made.opened["mine"].weights_hash == "w9"


def test_own_pairs_decide_the_types_and_are_known_by_their_content(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("en\tfr\nthe dog\tle chien\nthe cat\tle chat\n", encoding="utf-8")
    made = plan.prepare(pairs=path)
    assert list(made.spec.tasks) == ["sky/near"]
    assert made.record()["types"] == ["en", "fr"]
    assert made.record()["data"]["source"] == str(path)
    moved = path.rename(tmp_path / "moved.tsv")
    assert plan.prepare(pairs=moved).folder() == made.folder()
    moved.write_text("en\tfr\nthe dog\tle chien\nthe cat\tle chaton\n", encoding="utf-8")
    assert plan.prepare(pairs=moved).folder() != made.folder()


def test_bad_rows_are_refused_or_counted(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("en\tfr\nthe dog\tle chien\nthe cat\t\nthe cow\tla vache\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 3"):
        plan.prepare(pairs=path)
    made = plan.prepare(pairs=path, skip_bad=True)
    assert made.record()["data"]["skipped"] == 1
    assert made.record()["data"]["skipped_rows"][0]["line"] == 3
    assert made.notes()[0] == "Bad rows left out: 1 (the side 'fr' is empty: 1); the first: pairs.tsv line 3: the side 'fr' is empty."
    path.write_text("en\tfr\na\tb\n" + "c\t\n" * 4 + "\td\n" * 150, encoding="utf-8")
    (note, *_) = plan.prepare(pairs=path, skip_bad=True).notes()
    assert note.startswith("Bad rows left out: 154 (the side 'en' is empty: 150; the side 'fr' is empty: 4); the first: pairs.tsv line 3: ")
    assert note.count("pairs.tsv line") == 3 and note.endswith("; more in spec.json of the run, data.skipped_rows (100 of them).")


@pytest.mark.parametrize("change", [{"limit": 0}, {"batch_tokens": 0}])
def test_numbers_too_small_are_refused(change):
    with pytest.raises(BadInput, match="must be 1 or more"):
        plan.prepare(**change)


@pytest.mark.parametrize("word", ["float33", "int"])
def test_an_unknown_dtype_is_refused(word):
    with pytest.raises(UnknownName):
        Opening(dtype=word)


@pytest.mark.parametrize("word", ["", "GPU 1", "cuda:x"])
def test_what_is_no_device_is_refused(word):
    with pytest.raises(BadInput, match="no device"):
        Opening(device=word)


@given(st.sets(st.integers(0, 99), min_size=1))
def test_layers_are_read_as_written(layers):
    assert parse_layers(",".join(map(str, layers))) == tuple(sorted(layers))
    assert parse_layers(f"{min(layers)}-{max(layers)}") == tuple(range(min(layers), max(layers) + 1))


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1-", "1-b", "1.5", "5-3"])
def test_what_is_no_layer_is_refused(text):
    with pytest.raises(BadInput, match="--layers"):
        parse_layers(text)


def test_nothing_given_stays_nothing():
    assert parse_layers(None) is None
    assert parse_types(None) is None
    assert parse_types("en, zh") == ("en", "zh")


def test_spec_fields_all_count_or_are_named_as_how():
    made = plan.prepare().spec
    assert set(made.identity()) >= {
        "tasks",
        "models",
        "protocol",
        "seed",
        "limit",
        "layers",
        "types",
        "scorers",
        "data",
        "weights",
        "versions",
    }
    assert replace(made, batch_tokens=1).short() == made.short()


def test_data_by_kind_are_read_once_and_known_by_their_hash(monkeypatch):
    monkeypatch.setattr(sources, "READERS", {"sky": "stand_in:read"})
    monkeypatch.setattr(sources, "reader", lambda name: lambda path, skip_bad: sources.Source((1, 2), str(path), "h1", "CC0", {"kept": 2}))
    made = plan.prepare(data={"sky": "stars.txt"})
    assert made.arguments()["data"]["sky"].items == (1, 2)
    assert made.record()["data"]["kinds"] == {"sky": {"source": "stars.txt", "hash": "h1", "licence": "CC0", "counts": {"kept": 2}}}
    assert made.folder() == plan.prepare(data={"sky": "moved.txt"}).folder() != plan.prepare().folder()
    with pytest.raises(UnknownName, match="sky"):
        plan.prepare(data={"skye": "stars.txt"})


def test_data_are_named_as_kind_and_path():
    assert parse_data(None) == {} and parse_data(["code=a=b.jsonl", "formula=x"]) == {"code": "a=b.jsonl", "formula": "x"}
    for words in (["code"], ["=x"], ["code="], ["code=a", "code=b"]):
        with pytest.raises(BadInput, match="--data"):
            parse_data(words)

"""The catalogue: every task in both protocols on a tiny network, the columns that others read, and the doors that tasks come in by."""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

import semhub.tasks
from semhub.data import world
from semhub.data.items import read_items
from semhub.data.pairs import read_pairs
from semhub.errors import BadInput, UnknownName
from semhub.methods import Compare, carry_out
from semhub.tasks import SUITES, Task, catalogue, find, given, load_file, perform
from semhub.tasks.judges import exact_outcomes, judges, release_outcomes, repetition
from semhub.tasks.parts import parts, tasks_of
from semhub.types import KEY, Prompt
from worldly import worldly

NAMES = (
    "multilingual/similarity",
    "multilingual/planted",
    "multilingual/lens",
    "multilingual/lens-readers",
    "multilingual/trend",
    "multilingual/steering",
    "multilingual/steering-controls",
    "multilingual/patching",
    "arithmetic/similarity",
    "arithmetic/lens",
    "arithmetic/trajectory",
    "arithmetic/intervention",
    "code/conjunction-lens",
    "code/role-lens",
    "code/intervention",
    "semantics/similarity",
    "semantics/role-lens",
)
SENSED = (  # asked of models that see and hear, in test_tasks_senses.py
    "vision/similarity",
    "vision/color-lens",
    "vision/caption-lens",
    "vision/segment-lens",
    "vision/intervention",
    "audio/similarity",
    "audio/lens",
    "audio/intervention",
)
GROUPS = {
    "similarity": r"\w+(-\w+)?",
    "lens": r"\w+:\w+",
    "lens-readers": r"\w+:\w+",
    "conjunction-lens": r"code:\w+",
    "role-lens": r"\w+:\w+",
    "trend": r"\w+:\w+",
    "trajectory": r"\w+:\w+",
    "steering": r"\w+>\w+",
    "steering-controls": r"\w+>\w+",
    "patching": r"\w+>\w+",
    "planted": r"\w+(-\w+)?",
    "intervention": r"\w+>\w+",
}
CONTROLS = {
    None,
    "swapped",
    "swapped-shuffled",
    "shuffled",
    "same-last-word",
    "overlap-matched",
    "changed-entity",
    "same-last-operand",
    "same-result",
    "different-result",
    "wrong-word",
    "random-state",
    "chance",
    "random-direction",
    "neutral-word",
    "as-text",
    "layer-0",
    "wrong-concept",
    "wrong-layer",
    "wrong-position",
    "shuffled-pair",
    "without-main",
    "without-random",
}
FEW = {"steering": 2, "steering-controls": 2, "intervention": 6, "trend": 4}


def length(texts, type):
    return [len(t) / 10 if t else None for t in texts]


SCORERS = SimpleNamespace(
    sentiment=length,
    drift=lambda texts, type: [not t for t in texts],
    perplexity=lambda prompts, texts: [float(len(t)) for t in texts],
    relevance=lambda prompts, texts: [0.5 for _ in texts],
)


@pytest.fixture(scope="module")
def model():
    return worldly()


@pytest.fixture(scope="module")
def results(model):
    """Every task in both protocols, done once; states are shared, as in a run."""
    memo, patch = {}, pytest.MonkeyPatch()
    patch.setattr("semhub.tasks.multilingual.RELEASE_SEEDS", 2)
    patch.setattr("semhub.tasks.multilingual.CORPUS", 50)
    asked = {
        (name, protocol): perform(name, model, protocol=protocol, limit=FEW.get(name.split("/")[1], 10), scorers=SCORERS, memo=memo)
        for name in NAMES
        for protocol in find(name).protocols
    }
    patch.undo()
    return asked


def every(results):
    return [(name, protocol, row) for (name, protocol), result in results.items() for row in result.readings]


def test_the_catalogue_is_the_protocols():
    assert tuple(catalogue()) == (*NAMES, *SENSED)
    for name, entry in catalogue().items():
        assert (
            entry.name == name and entry.protocols == (("sound", "paper") if entry.usual else ("sound",)) and entry.question.endswith("?")
        )
        for text in (entry.paper, entry.data, entry.positions, entry.baseline, entry.measure, entry.against, entry.declare.__doc__):
            assert text.strip()
        assert set(entry.needs) <= set(entry.types) and ("`paper` reproduces" in entry.declare.__doc__ or not entry.usual)


def test_rows_are_unique_and_of_their_task(results, model):
    for (name, protocol), result in results.items():
        keys = Counter(tuple(getattr(row, column) for column in KEY) for row in result.readings)
        assert result.readings and max(keys.values()) == 1, (name, protocol, keys.most_common(1))
        assert {(r.task, r.protocol, r.model) for r in (*result.readings, *result.outcomes)} == {(name, protocol, model.name)}


def test_columns_keep_to_their_conventions(results, model):
    for name, _, row in every(results):
        kind = name.split("/")[1]
        assert row.group is None or re.fullmatch(GROUPS[kind], row.group), row
        assert row.control in CONTROLS, row
        assert row.layer is None or 0 <= row.layer <= model.layers, row
        assert math.isfinite(row.value) and row.n >= 1, row
        assert row.seed is None
        assert (row.strength is not None) == (kind in ("steering", "steering-controls", "patching", "intervention")), row


def test_intervals_hold_their_value_and_paper_has_none(results):
    for _, protocol, row in every(results):
        if row.low is not None:
            assert row.low <= row.value + 1e-9 and row.value <= row.high + 1e-9, row
        assert protocol == "sound" or row.low is None, row


def test_the_headline_of_similarity_is_there_once_per_layer(results, model):
    rows = [r for r in results["multilingual/similarity", "sound"].readings if r.measure == "adjusted_cosine" and r.group == "en-es"]
    head = [r for r in rows if (r.position, r.variant, r.control, r.split) == ("probe", "raw", None, "test")]
    assert [r.layer for r in head] == list(range(model.layers + 1))
    assert {r.control for r in rows} == {None, "swapped", "same-last-word", "changed-entity", "overlap-matched"}
    assert {r.position for r in rows} == {"probe", "last", "mean"} and {r.variant for r in rows} == {"raw", "centred", "standardised"}
    assert {r.split for r in rows} == {"test", "test-bridged", "test-never-bridged"}
    groups = {r.group for r in results["multilingual/similarity", "sound"].readings if r.measure == "p_at_1"}
    assert {"en-es", "es-en", "en-zh", "zh-en", "es-zh", "zh-es"} <= groups
    paper = results["multilingual/similarity", "paper"].readings
    assert {(r.position, r.variant, r.control) for r in paper} == {("last", "raw", None)}
    assert {r.layer for r in paper} == set(range(1, model.layers + 1))


def test_the_lens_speaks_of_every_language(results):
    rows = results["multilingual/lens", "sound"].readings
    groups = {r.group for r in rows if r.measure == "logprob" and r.variant is None and r.control is None}
    assert {"es:en", "es:es", "es:zh", "zh:en", "en:en"} <= groups
    assert {r.group for r in rows if r.measure == "anchor"} >= {"es:en", "zh:en", "de:en", "es:zh"}
    assert not any(r.group in ("es:es", "en:en") for r in rows if r.measure == "anchor")
    assert {None, "no-norm", "word-states"} <= {r.variant for r in rows} <= {None, "no-norm", "word-states", "single-token", "affine"}


def test_interventions_have_their_outcomes(results):
    rows = results["arithmetic/intervention", "sound"].readings
    at = [r for r in rows if r.split == "report" and r.control is None and r.strength == 0]
    by_layer = {r.layer: sum(q.value for q in at if q.layer == r.layer and q.measure in ("correct", "unchanged", "other")) for r in at}
    assert by_layer and all(total == pytest.approx(1) for total in by_layer.values())
    paper = results["arithmetic/intervention", "paper"].readings
    assert {r.strength for r in paper} == {k / 2 for k in range(7)} and {r.group for r in paper} == {"en>digits"}
    steering = results["multilingual/steering", "paper"].readings
    assert {r.group for r in steering} == {"en>es", "es>es", "en>zh", "zh>zh"} and {r.strength for r in steering} == {
        -5.0,
        -2.0,
        0.0,
        2.0,
        5.0,
    }


def test_every_source_meets_every_language_with_every_control(results):
    found = [r for r in results["multilingual/steering-controls", "sound"].readings if r.split == "report"]
    types = ("en", "es", "zh", "de")
    assert {r.group for r in found if r.measure == "sentiment_change" and r.control is None} == {f"{s}>{t}" for s in types for t in types}
    beaten = {r.control for r in found if r.measure == "sentiment_excess" and r.group == "en>es"}
    usual = {"random-direction", "neutral-word", "wrong-concept", "as-text", "layer-0"}
    assert beaten == usual | {"wrong-layer", "wrong-position", "shuffled-pair"}
    needed = {r.group for r in found if r.measure == "sentiment_excess" and r.control == "without-main"}
    assert needed == {"es>es", "zh>zh", "de>de"}
    assert {r.control for r in results["multilingual/steering", "sound"].readings} == {None} | usual
    doses = {r.strength: r.value for r in found if r.measure == "kl" and r.group == "en>es" and r.control is None}
    assert doses[0.0] == 0 and min(value for strength, value in doses.items() if strength) > 0 and len(doses) > 3


def test_repetition_counts_pairs_that_came_before():
    assert repetition("a b a b a", "en") == 0.5 and repetition("A b c", "es") == 0 and repetition("one two", "en") is None
    assert repetition("很好，很好，很好", "zh") == pytest.approx(1 - 2 / 5)


def test_extras_can_be_written(results):
    for result in results.values():
        json.dumps(result.extras)
    assert set(results["multilingual/steering", "sound"].extras["chosen"]) == {"en>es", "en>zh", "en>de"}


def test_the_same_seed_gives_the_same_rows(model, results):
    again = perform("arithmetic/intervention", model, limit=6, scorers=SCORERS)
    assert again.readings == results["arithmetic/intervention", "sound"].readings


def test_layers_and_types_are_kept_to(model):
    result = perform("multilingual/similarity", model, limit=4, layers=(0, 2), types=("zh", "en"))
    assert {r.layer for r in result.readings} == {0, 2, None}
    assert {r.group for r in result.readings} == {"en-zh", "zh-en", "en", "zh"}  # a type alone: how central it is


# a user's own --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "own.tsv"
    lines = [("ja", "en", "zh")] + [(f"これは{i}です", f'The "house" no. {i}.', f"第{i}个房子。") for i in range(6)]
    path.write_text("\n".join("\t".join(f'"{c}"'.replace('"house"', '""house""') for c in line) for line in lines), encoding="utf-8")
    return read_pairs(path)


def test_own_pairs_are_compared_where_a_position_exists(model, pairs):
    result = perform("multilingual/similarity", model, pairs=pairs)
    groups = {(r.position, r.group) for r in result.readings if r.measure == "adjusted_cosine"}
    assert {g for p, g in groups if p == "probe"} == {"en-zh"}
    assert {g for p, g in groups if p == "last"} == {"en-ja", "en-zh", "ja-zh"}
    assert {r.split for r in result.readings} == {None} and {r.control for r in result.readings} == {None, "changed-number"}
    trend = perform("multilingual/trend", model, pairs=pairs)
    assert {r.group for r in trend.readings if r.measure == "mass"} >= {"ja:ja", "ja:en", "en:zh"}


def test_own_items_are_read_and_steered(model, tmp_path):
    (tmp_path / "mine.py").write_text("def tone(texts, type):\n    return [float(len(t)) for t in texts]\n")
    lines = [
        {"prompt": "The dog sees the", "type": "en", "targets": {"en": ["cat"], "es": ["gato"]}, "wrong": {"en": ["house"]}},
        *({"prompt": f"El perro {i}", "type": "es"} for i in range(4)),
        {"words": {"en": ["Good", "Bad"]}, "neutral": {"en": ["house", "water"]}, "scorer": "mine:tone"},
    ]
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    items = read_items(path)
    lens = perform("multilingual/lens", model, items=items)
    assert {r.group for r in lens.readings} == {"en:en", "en:es"} and {r.split for r in lens.readings} == {None}
    steered = perform("multilingual/steering", model, items=items, scorers=SCORERS)
    assert {r.group for r in steered.readings} == {"en>es"} and {r.split for r in steered.readings} == {"choose", "report"}


def test_what_does_not_suffice_is_said(model, pairs):
    with pytest.raises(UnknownName, match="multilingual/lens"):
        perform("multilingual/lenz", model)
    with pytest.raises(UnknownName, match="protocol"):
        perform("multilingual/lens", model, protocol="quick")
    with pytest.raises(BadInput, match="at least 2"):
        perform("multilingual/similarity", model, types=("en",))
    with pytest.raises(UnknownName, match="scorers"):
        given(scorers="mine").scorers()


# the doors -----------------------------------------------------------------------------------------------------------

PLUGIN = '''
from semhub.tasks import SUITES, task
from semhub.methods import Compare

@task("own/near", question="Near?", paper="none", types=("en",), data="own", positions="last", baseline="none", measure="S", against="0")
def near(protocol, given):
    """Mine."""
    return Compare(("en", "es"), {None: given.world.scenes(4, types=("en", "es"))})
'''


@pytest.fixture
def own_door(monkeypatch):
    monkeypatch.setattr(semhub.tasks, "_own_files", {})


def test_a_file_of_tasks_comes_in_as_the_built_in_ones_do(tmp_path, own_door, model):
    path = tmp_path / "more.py"
    path.write_text(PLUGIN)
    (entry,) = load_file(path)
    assert isinstance(entry, Task) and find("own/near") is entry and isinstance(entry("sound", given(limit=4)), Compare)
    assert perform("own/near", model).readings
    path.write_text(PLUGIN.replace("own/near", "multilingual/lens"))
    load_file(path)
    with pytest.raises(BadInput, match="already"):
        catalogue()


@pytest.mark.parametrize(("text", "said"), [("x = 1", "holds no task"), ("import nowhere_to_be_found", "could not be read")])
def test_a_file_without_tasks_is_refused(tmp_path, own_door, text, said):
    path = tmp_path / "none.py"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        load_file(path)
    with pytest.raises(BadInput, match="is none"):
        load_file(tmp_path / "missing.py")


def test_listing_and_declaring_load_no_torch():
    code = (
        "import sys; from semhub.tasks import catalogue, given; g = given(limit=4);"
        "[t('sound', g) for t in catalogue().values()]; print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


# what outputs are --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "exact", "release"),
    [
        ("1+1", "correct", "correct"),
        ("2", "unchanged", "unchanged"),
        ("21", "other", "unchanged"),
        ("1+12", "other", "correct"),
        ("x", "other", "other"),
    ],
)
def test_outputs_are_told_apart(output, exact, release):
    prompt = Prompt("p", "digits", "5=3+", {"target": "2"})
    for kinds, expected in ((exact_outcomes(), exact), (release_outcomes(), release)):
        assert [name for name, judge in kinds.items() if judge([prompt], [output]) == [1.0]] == [expected]


def test_judges_ask_the_scorers_of_the_prompts_language():
    seen = []
    asked = given(scorers=SimpleNamespace(sentiment=lambda texts, type: [seen.append((type, t)) or None for t in texts]))
    prompts = [Prompt("a", "es", "x"), Prompt("b", "zh", "y"), Prompt("c", "es", "z")]
    assert judges(asked)["sentiment"](prompts, ["1", "2", "3"]) == [None, None, None]
    assert seen == [("es", "1"), ("es", "3"), ("zh", "2")]


def test_wrong_numbers_in_words_name_another_number():
    asked = find("arithmetic/intervention")("sound", given())
    other, same = asked.neutral["wrong-word"]["en"].toward, asked.pushes["en"]
    for prompt in asked.prompts:
        assert other(prompt) not in (same.toward(prompt), same.away(prompt))
        assert same.away(prompt)[0].split()[0] == world.renderer("en").number(int(prompt.facets["result"])).split()[0]


def test_a_declaration_is_carried_out_by_its_kind(model):
    from planted import bench

    ask = find("arithmetic/similarity")("paper", given(limit=5))
    assert {r.measure for r in carry_out(ask, bench(model)).readings} == {"cosine", "difference"}


def test_a_suite_names_tasks_that_there_are():
    known = catalogue()
    domains = {name.partition("/")[0] for name in known}
    for names in SUITES.values():
        assert len(names) == len(set(names))
        assert [name for name in names if name.partition("/")[0] in domains and name not in known] == []


def test_of_the_scenes_the_first_alone_have_their_harder_negatives():
    """Three texts more for each; what random negatives are held against stays whole."""
    sets = find("multilingual/similarity")("sound", given()).sets
    assert {name: len(concepts) for name, concepts in sets.items()} == {"test": 500, "test-bridged": 250, "test-never-bridged": 250}
    assert {c.facets["bridged"] for c in sets["test-bridged"]} == {"yes"} and {c.facets["bridged"] for c in sets["test-never-bridged"]} == {
        "never"
    }
    for concepts, many in ((sets["test"], 250), (sets["test-bridged"], 0), (sets["test-never-bridged"], 100)):
        assert all(c.contrasts for c in concepts[:many]) and not any(c.contrasts for c in concepts[many:])


@pytest.mark.parametrize(
    ("asked", "tasks"),
    [
        ("section-4.1", ("multilingual/similarity",)),
        ("Section 4.4", tuple(f"arithmetic/{name}" for name in ("similarity", "lens", "trajectory", "intervention"))),
        ("figure-9", ("semantics/similarity",)),
        ("fig. 9", ("semantics/similarity",)),
        ("semantics", ("semantics/similarity", "semantics/role-lens")),
        ("audio/lens", ("audio/lens",)),
    ],
)
def test_a_part_of_the_paper_names_its_tasks(asked, tasks):
    assert tasks_of(asked) == tasks
    assert {each for named in parts().values() for each in named} == set(SUITES["paper"])


@pytest.mark.parametrize(("asked", "error", "said"), [("figure-3", BadInput, "stated: figure-9"), ("section-9", UnknownName, "section-4")])
def test_a_part_that_no_task_states_is_refused(asked, error, said):
    with pytest.raises(error, match=said):
        tasks_of(asked)
    assert "multilingual/similarity" in tasks_of("eq-1") and tasks_of("equation-1") == tasks_of("Eq. 1")

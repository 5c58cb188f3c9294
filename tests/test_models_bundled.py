"""The catalogue of bundled models, on a shelf made for the test."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

import semhub
from families import built, configured, words_of
from semhub.errors import BadInput, ModelNotFound
from semhub.methods import Compare
from semhub.methods.bench import Bench
from semhub.methods.compare import compare
from semhub.models import bundled
from semhub.models.bundled import HUB
from semhub.types import Concept, Form

RECIPE = {"languages": ["en", "zh"], "mixture": {"en": 0.7, "zh": 0.3}, "subjects": {"sums": 0.1}, "bridges": {"partner": "true"}}


def put(shelf, name: str, **recipe) -> None:
    """A tiny model on the shelf, with the recipe that the lab would leave beside it."""
    built(configured("llama")).bfloat16().save_pretrained(shelf / name)
    words_of("llama").save_pretrained(shelf / name)
    (shelf / name / "recipe.json").write_text(json.dumps({"recipe": RECIPE | recipe, "seed": 0}), encoding="utf-8")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A shelf with a tiny hub on it, and no mispaired control."""
    monkeypatch.setattr(bundled, "SHELF", tmp_path)
    put(tmp_path, HUB)
    return tmp_path


def test_the_catalogue_is_what_lies_on_the_shelf(shelf):
    put(shelf, f"{HUB}-turned", role="control:zh-dominant", subjects={})
    put(shelf, f"{HUB}-mispaired", bridges={"partner": "random"}, others={"code": 0.1, "en=code": 0.1, "formula": 0.0})
    (shelf / f"{HUB}-random").mkdir()
    (shelf / f"{HUB}-random" / "config.json").write_text('{"model_type": "chameleon"}')
    (shelf / "half-made").mkdir()
    found = {each.name: each for each in bundled.bundled()}
    assert list(found)[0] == HUB
    assert {name: (each.role, each.format, each.types) for name, each in found.items()} == {
        "semhub-text": ("hub", "llama", ("en", "zh", "digits")),
        "semhub-text-mispaired": ("control:mispaired", "llama", ("en", "zh", "digits", "code")),
        "semhub-text-random": ("mechanics", "chameleon", ()),
        "semhub-text-turned": ("control:zh-dominant", "llama", ("en", "zh")),
        "semhub-text-untrained": ("control:untrained", "llama", ("en", "zh", "digits")),
    }
    assert found[HUB].bytes == sum(file.stat().st_size for file in (shelf / HUB).iterdir()) and found[HUB].path == shelf / HUB
    assert found[f"{HUB}-untrained"].path is None and found[f"{HUB}-untrained"].bytes == 0


def with_strangers(shelf) -> None:
    for language in ("en", "zh"):
        put(shelf, f"{HUB}-strangers-{language}", role="control:strangers", mixture={"en": 0.0, "zh": 0.0, language: 1.0}, subjects={})


def test_strangers_are_taken_together_and_each_reads_its_own_language(shelf):
    with_strangers(shelf)
    both = semhub.load(f"{HUB}-strangers")
    assert (both.role, list(both.speakers), both.certificate.passed) == ("control:strangers", ["en", "zh"], True)
    assert both.speaker("zh").name == f"{HUB}-strangers-zh"
    for refused, match in ((lambda: both.read(["El perro"]), "never met"), (lambda: both.speaker("es"), "no model for 'es'")):
        with pytest.raises(BadInput, match=match):
            refused()


def test_states_of_strangers_are_compared_across_models(shelf):
    """Beside plain cosines of each stranger's own states; with one set of weights on both sides this is the model itself."""
    with_strangers(shelf)
    folder = shelf / f"{HUB}-strangers-zh"
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    with torch.no_grad():
        network.model.layers[0].mlp.down_proj.weight.mul_(-1)
    network.save_pretrained(folder)
    pairs = [Concept(str(i), {t: Form(t, f"El perro {'ve ' * i}{t}") for t in ("en", "zh")}) for i in range(1, 6)]
    ask = Compare(("en", "es", "zh"), {None: pairs}, intervals=False)
    found = compare(ask, Bench(semhub.load(f"{HUB}-strangers"), "t", "sound"))
    a, b = (semhub.load(f"{HUB}-strangers-{t}").read([c.text(t) for c in pairs], at="last") for t in ("en", "zh"))
    rows = {row.layer: row.value for row in found.readings if row.measure == "adjusted_cosine" and row.control is None}
    assert rows == pytest.approx({k: float(semhub.adjusted_cosine(a, b)[k]) for k in range(len(a))}, abs=1e-5)
    same = semhub.load(f"{HUB}-strangers-en").read([c.text("zh") for c in pairs], at="last")
    assert abs(float(semhub.adjusted_cosine(a, same)[1]) - rows[1]) > 1e-3


def test_strangers_stand_beside_the_hub_in_similarity_alone(shelf):
    from semhub.runs import prepare

    with_strangers(shelf)
    parts = {(part.task, part.model) for part in prepare(["multilingual/similarity", "multilingual/lens"], HUB, controls="all").parts}
    assert ("multilingual/similarity", f"{HUB}-strangers") in parts
    assert not {model for task, model in parts if task == "multilingual/lens"} & {f"{HUB}-strangers"}
    assert not {model for _, model in parts} & {f"{HUB}-strangers-en", f"{HUB}-strangers-zh"}
    with pytest.raises(BadInput, match="never met"):
        prepare(["multilingual/lens"], f"{HUB}-strangers")


def test_without_a_name_the_hub_is_opened(shelf):
    model = semhub.load()
    assert (model.name, model.role, model.revision) == (HUB, "hub", None)
    assert model.dtype == torch.float32 and model.certificate.passed and model.weights_hash


def test_the_untrained_twin_is_made_the_same_every_time(shelf):
    hub, twin, again = semhub.load(HUB), semhub.load(f"{HUB}-untrained"), semhub.load(f"{HUB}-untrained")
    assert (twin.role, twin.layers, twin.dim, twin.vocab) == ("control:untrained", hub.layers, hub.dim, hub.vocab)
    assert twin.weights_hash == again.weights_hash != hub.weights_hash
    assert twin.encode(["El perro"])[0].ids == hub.encode(["El perro"])[0].ids
    assert torch.equal(twin.read(["El perro"]), again.read(["El perro"])) and twin.certificate.passed


def test_the_twin_leaves_other_random_numbers_alone(shelf):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    semhub.load(f"{HUB}-untrained", prove=False)
    assert torch.equal(torch.rand(2), expected)


def test_a_bundled_model_that_is_not_there(shelf, tmp_path, monkeypatch):
    absent = "semhub-text-mispaired is not in this copy of semhub.*semhub lab train semhub-text-mispaired"
    with pytest.raises(ModelNotFound, match=absent) as raised:
        semhub.load(f"{HUB}-mispaired")
    assert "\n" not in str(raised.value)
    monkeypatch.setattr(bundled, "SHELF", tmp_path / "empty")
    for name in (None, f"{HUB}-untrained"):
        with pytest.raises(ModelNotFound, match="is not in this copy of semhub"):
            semhub.load(name)


def test_a_misspelt_name_is_answered_with_the_nearest(shelf):
    with pytest.raises(ModelNotFound, match="did you mean the bundled 'semhub-text-untrained'"):
        semhub.load("semhub-text-untraind")


def test_the_twin_in_another_precision(shelf):
    assert semhub.load(f"{HUB}-untrained", dtype="bfloat16", prove=False).dtype == torch.bfloat16

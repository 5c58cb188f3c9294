"""The dry run: what it foretells is what the procedures then do, and it opens no weights."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

import fake_run
from semhub.errors import ModelNotFound
from semhub.methods import Compare, Decode, Inject, Place, Push, Sampled, Spread, Steer, Trajectory, carry_out
from semhub.methods.bench import Bench
from semhub.models import hub, load
from semhub.runs import estimate, store
from semhub.types import Cloze, Concept, Form, Prompt
from tiny_models import saved, tiny

WORDS = ("dog", "cat", "house", "water", "red")


def concept(word: str) -> Concept:
    forms = {"en": Form("en", f"the {word}"), "es": Form("es", f"el {word}")}
    return Concept(word, forms, {"swapped": Concept(word + "!", {"en": Form("en", f"{word} the"), "es": Form("es", f"{word} el")})})


PROMPTS = [Prompt(f"{type}{k}", type, f"{word} is") for type in ("es", "zh") for k, word in enumerate(WORDS)]
PUSH = {
    t: Push(lambda p: ("Good",), lambda p: ("Bad",), as_text=lambda p, sign: ("Good " if sign > 0 else "Bad ") + p.text)
    for t in ("en", "es", "zh")
}
JUDGES = {"sentiment": lambda prompts, texts: [float(len(text)) for text in texts]}
SETS = {"test": [concept(word) for word in WORDS]}
DECLARED = {
    "compare": Compare(
        ("en", "es"), SETS, (Place("probe", "last", lambda t, s: s + " here"), Place("last"), Place("mean", "mean")), controls=("swapped",)
    ),
    "decode": Decode(("en", "es"), {None: [Cloze(w, "es", f"el {w} is", {"en": (w,), "es": ("perro",)}, {}) for w in WORDS]}),
    "spread": Spread({"es": ["el perro", "el gato"]}, {"en": ["the dog"], "es": ["el perro"]}),
    "trajectory": Trajectory({w: f"the {w}" for w in WORDS}, {"digits": tuple("0123"), "en": WORDS}, "5=", "en"),
    "steer": Steer(
        PROMPTS,
        PUSH,
        JUDGES,
        "sentiment",
        (Fraction(1, 4), Fraction(1, 2)),
        (0.5, 1.0),
        neutral={"neutral-word": PUSH},
        controls=("random-direction", "as-text", "layer-0", "wrong-layer", "wrong-position"),
        sampled=Sampled(tokens=3, seeds=2),
    ),
    "inject": Inject(PROMPTS, PUSH, JUDGES, (Fraction(1, 2),), (0.0, 2.0), Sampled(tokens=3, seeds=2), main="en"),
}


class Counting:
    """A model that counts what is asked of it."""

    def __init__(self, model):
        self.model, self.texts, self.rows = model, [], 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def read_at(self, texts, *words, **more):
        self.texts += texts
        return self.model.read_at(texts, *words, **more)

    def stream(self, texts, *words, **more):
        self.texts += texts
        return self.model.stream(texts, *words, **more)

    def generate_all(self, asks, **wanted):
        made = self.model.generate_all(asks, **wanted)
        self.rows += sum(map(len, made))
        return made


@pytest.fixture(scope="module")
def model():
    return load(*tiny("llama"), prove=False)


@pytest.mark.parametrize("kind", DECLARED)
def test_the_work_foretold_is_the_work_done(model, kind):
    counting, asked = Counting(model), estimate.work(DECLARED[kind])
    carry_out(DECLARED[kind], Bench(counting, "t", "sound"))
    if kind in ("steer", "inject"):
        assert asked.rows == counting.rows
    else:
        assert sorted(asked.texts) == sorted(counting.texts)


def plan_of(folder: Path, **changes):
    plan = fake_run.plan(models=(str(folder),), **changes)
    tasks = {name: lambda protocol, given: DECLARED["compare"] for name in fake_run.TASKS}
    own = {"pairs": None, "items": None, "data": {}, "opened": {}}
    return SimpleNamespace(spec=plan.spec, parts=plan.parts, tasks=tasks, notes=lambda: ["one note"], **own)


def test_a_local_model_is_sized_without_its_weights(tmp_path, monkeypatch):
    folder = saved("llama", tmp_path / "tiny")
    next(folder.glob("*.safetensors")).unlink()
    told = estimate.estimate(plan_of(folder), tmp_path / "run")
    network, words = tiny("llama")
    size = estimate.size(plan_of(folder), str(folder))
    assert size.parameters == sum(each.numel() for each in network.parameters())
    asked = estimate.work(DECLARED["compare"])
    assert told["parts"][0]["tokens"] == sum(len(words(text)["input_ids"]) for text in asked.texts)
    assert told["parts"][0]["forwards"] == 1
    assert told["total"]["fetch"] == 0
    assert told["total"]["memory"] >= 4 * size.parameters
    assert told["notes"] == ["one note"]
    assert not (tmp_path / "run").exists()


def test_smaller_batches_take_more_passes(tmp_path):
    folder = saved("llama", tmp_path / "tiny")
    few, many = (estimate.estimate(plan_of(folder, batch_tokens=n), tmp_path / "run")["total"] for n in (8192, 16))
    assert many["forwards"] > few["forwards"]
    assert many["tokens"] == few["tokens"]
    assert many["memory"] < few["memory"]


def test_finished_parts_cost_nothing(tmp_path):
    folder = saved("llama", tmp_path / "tiny")
    plan = plan_of(folder)
    for part in plan.parts:
        store.write_part(tmp_path / "run", part.file, [], [], {}, {})
    told = estimate.estimate(plan, tmp_path / "run")
    assert [part["finished"] for part in told["parts"]] == [True, True]
    assert (told["total"]["forwards"], told["total"]["seconds"]) == (0, 0)


def test_a_model_that_must_be_fetched_says_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "in_cache", lambda *words, **more: None)
    monkeypatch.setattr(hub, "bytes_to_fetch", lambda name, revision: 16_000_000_000)
    told = estimate.estimate(plan_of("some/model"), tmp_path / "run")
    assert told["total"]["fetch"] == 16_000_000_000
    assert told["total"]["seconds"] is None
    assert told["parts"][0]["texts"] > 0


def test_without_a_network_the_bytes_are_unknown_and_it_says_so(tmp_path, monkeypatch):
    def offline(name, revision):
        raise ModelNotFound(f"{name} is not in the cache, and there is no network.")

    monkeypatch.setattr(hub, "in_cache", lambda *words, **more: None)
    monkeypatch.setattr(hub, "bytes_to_fetch", offline)
    told = estimate.estimate(plan_of("some/model"), tmp_path / "run")
    assert told["total"]["fetch"] is None
    assert "no network" in told["notes"][0]

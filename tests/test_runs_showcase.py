"""The map of words that the layers speak: which inputs it has, and what stands in it."""

from types import SimpleNamespace

import pytest

import fake_run
from semhub.methods.decode import written
from semhub.models import load
from semhub.runs import plan as planning
from semhub.runs import showcase
from semhub.types import Cloze, Concept, Form
from tiny_models import tiny

HUB = SimpleNamespace(name="hub", role="hub", types=("en", "zh", "digits"))


@pytest.fixture(autouse=True)
def bundled(monkeypatch):
    monkeypatch.setattr(planning, "_bundled", lambda: [HUB])


def plan(**given):
    made = fake_run.plan(models=("hub",))
    return planning.Plan(made.spec, made.parts, made.tasks, **given)


def test_without_own_data_one_question_stands_in_every_language_and_a_sum():
    shown = showcase.inputs(plan())
    assert [type for type, _ in shown] == ["en", "zh", "digits"]
    assert shown[-1] == ("digits", "5=3+")
    assert showcase.inputs(plan()) == shown


def test_own_pairs_are_shown_where_they_are_short_enough():
    long, short = (Concept(name, {"en": Form("en", text), "fr": Form("fr", text)}) for name, text in (("a", "x" * 999), ("b", "le chat")))
    assert showcase.inputs(plan(pairs=SimpleNamespace(concepts=[long, short], types=("en", "fr")))) == [
        ("en", "le chat"),
        ("fr", "le chat"),
    ]


def test_own_items_come_first():
    items = SimpleNamespace(clozes=[Cloze("1", "es", "La capital es", {"en": ("Paris",)})])
    assert showcase.inputs(plan(items=items)) == [("es", "La capital es")]


def test_the_map_ends_in_what_the_model_itself_says_next():
    model = load(*tiny("llama"), prove=False)
    items = SimpleNamespace(clozes=[Cloze("1", "en", "The dog sees the", {"en": ("cat",)})])
    found = showcase.token_maps(plan(items=items), model)
    (map_,) = found["tokens"]
    assert (map_["type"], map_["text"], map_["layers"]) == ("en", "The dog sees the", list(range(model.layers + 1)))
    ids = model.tokenizer("The dog sees the", return_tensors="pt")["input_ids"]
    probabilities, best = model.network(ids).logits[0, -1].softmax(-1).topk(showcase.TOP)
    word, probability, _ = map_["words"][-1][-1][0]
    assert word == written(model, int(best[0]))
    assert probability == pytest.approx(float(probabilities[0].detach()), abs=1e-4)
    assert len(map_["words"]) == model.layers + 1 and len(map_["words"][0]) == len(map_["tokens"]) == ids.shape[1]


def test_each_word_says_which_language_it_is_of():
    model = load()
    types = showcase.types_of_tokens(plan(), model)
    of = lambda word: types[model.tokenizer.convert_tokens_to_ids(word)]  # noqa: E731
    assert (of("▁dog"), of("▁perro"), of("狗"), of("und")) == ("en", "es", "zh", "de")
    assert of(".") is None and of("3") is None and len(types) == model.vocab


def test_words_of_own_pairs_are_told_apart_by_the_pairs():
    model = load(*tiny("llama"), prove=False)
    concepts = [Concept("1", {"en": Form("en", "the dog"), "xx": Form("xx", "cat cat")})]
    types = showcase.types_of_tokens(plan(pairs=SimpleNamespace(concepts=concepts, types=("en", "xx"))), model)
    assert set(types) >= {"en", "xx"}

"""Judges of generated text: are they right, do they stay silent on drift, do batches agree with plain loops?"""

import math
from types import SimpleNamespace

import pytest
import torch
import transformers

import semhub.models
from semhub.data import world
from semhub.errors import BadInput, ModelNotFound
from semhub.methods import scorers
from tiny_models import tiny, tokenizer

TYPES = ("en", "es", "zh", "de")
PROMPTS = ["The dog sees", "The dog sees", "El hotel es", "这家酒店"]
CONTINUATIONS = [" the cat.", " the dog and the house or water.", " bueno. El gato", "很好。"]


@pytest.fixture(scope="module")
def package():
    return scorers.package_scorers(TYPES)


@pytest.fixture(scope="module")
def judge():
    return semhub.models.load(tiny("llama"))


# sentiment and drift of the world's texts


def test_nine_in_ten_held_out_reviews_are_judged_rightly(package):
    assert set(package.held_out()) == set(TYPES)
    assert min(package.held_out().values()) >= 0.9


def test_a_classifier_of_shuffled_labels_is_at_chance():
    texts = [text for text, _ in world.labelled_reviews(300, "train", "es")]
    fitted = scorers.fit_sentiment([(text, index % 2) for index, text in enumerate(texts)], "es", 0)
    assert 0.3 < scorers.accuracy(fitted, world.labelled_reviews(300, "test", "es")) < 0.7


@pytest.mark.parametrize("type", TYPES)
def test_praise_is_above_blame_and_within_bounds(package, type):
    reviews = world.labelled_reviews(60, "test", type)
    values = package.sentiment([text for text, _ in reviews], type)
    assert all(-1 <= value <= 1 for value in values)
    mean = {label: sum(value for value, (_, own) in zip(values, reviews, strict=True) if own == label) for label in (0, 1)}
    assert mean[0] < 0 < mean[1]


@pytest.mark.parametrize("type", TYPES)
def test_no_held_out_text_of_the_world_counts_as_drift(package, type):
    assert not any(package.drift([scene.text(type) for scene in world.scenes(100)], type))
    assert not any(package.drift([text for text, _ in world.labelled_reviews(100, "test", type)], type))


@pytest.mark.parametrize("type", TYPES)
def test_no_question_of_the_world_counts_as_drift(package, type):
    questions = world.questions(60, split="test", types=TYPES, prompts=(type,))
    assert not any(package.drift([f"{cloze.prompt} {cloze.targets[type][0]}" for cloze in questions], type))


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("other", TYPES)
def test_one_word_of_another_language_is_drift_and_is_not_scored(package, type, other):
    if type == other:
        return
    text = world.labelled_reviews(1, "test", type)[0][0]
    mixed = [f"{text} {word}" for word in world.STEERING_WORDS[other]]
    assert package.drift(mixed, type) == [True, True]
    assert package.sentiment([mixed[0], text], type)[0] is None
    assert package.sentiment([mixed[0], text], type)[1] is not None


@pytest.mark.parametrize("text", ["", "   ", "...", "12 34"])
def test_a_text_without_words_is_drift(package, text):
    assert package.drift([text], "es") == [True]
    assert package.sentiment([text], "es") == [None]


def test_words_that_the_world_does_not_know_are_left_to_language_identification(package):
    spanish, english = "Los astronautas aterrizaron ayer por la noche", "The astronauts landed yesterday at night"
    assert package.drift([spanish, english], "es") == [False, True]


@pytest.mark.parametrize(
    "text, type, off", [("这是狗。", "zh", False), ("这是dog。", "zh", True), ("这是123。", "zh", False), ("The 狗", "en", True)]
)
def test_the_script_rule(text, type, off):
    assert scorers.wrong_script(text, type) is off


def test_no_text_gives_no_score(package):
    assert package.sentiment([], "en") == [] == package.drift([], "en")


def test_a_type_without_reviews_is_refused_by_name():
    silent = SimpleNamespace(labelled_reviews=lambda n, split, type: [])
    with pytest.raises(BadInput, match="'fr'"):
        scorers.package_scorers(["fr"], source=silent).sentiment(["Bonjour"], "fr")


def test_the_same_seed_gives_the_same_scores(package):
    texts = [text for text, _ in world.labelled_reviews(20, "test", "de")]
    assert scorers.package_scorers(TYPES, seed=0).sentiment(texts, "de") == package.sentiment(texts, "de")


def test_every_judge_has_a_name(package):
    names = package.names()
    assert set(names) == {"sentiment", "drift", "perplexity", "relevance"}
    assert names["perplexity"] == scorers.JUDGE
    assert scorers.hf_scorers(TYPES).names()["sentiment"] == scorers.SENTIMENT


def test_no_model_judges_itself(package):
    assert scorers.not_judging_itself(package, "semhub-text") is package
    other = scorers.not_judging_itself(package, scorers.JUDGE)
    assert other.names()["perplexity"] == "semhub-text" and other.names()["relevance"].startswith("semhub-text,")
    assert other.sentiment is package.sentiment and other.held_out is package.held_out


# perplexity and relevance under a causal model


def plain_perplexity(network, words, prompt, continuation):
    given = words(prompt + continuation, return_offsets_mapping=True)
    ids, places = given["input_ids"], [k for k, (_, end) in enumerate(given["offset_mapping"]) if end > len(prompt)]
    with torch.no_grad():
        table = network(torch.tensor([ids])).logits[0].log_softmax(-1)
    return math.exp(-sum(float(table[k - 1, ids[k]]) for k in places) / len(places))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "gemma2"])
def test_perplexity_agrees_with_one_text_at_a_time(kind):
    """Shared, padded and cached beginnings, continuations of unequal length, one pair twice: each as if it were alone."""
    network, words = tiny(kind)
    prompts, continuations = [*PROMPTS, PROMPTS[0], PROMPTS[0]], [*CONTINUATIONS, CONTINUATIONS[1], CONTINUATIONS[0]]
    expected = [plain_perplexity(network, words, *pair) for pair in zip(prompts, continuations, strict=True)]
    assert scorers.perplexities(semhub.models.load(tiny(kind)), prompts, continuations) == pytest.approx(expected, rel=1e-4)


def test_perplexity_does_not_depend_on_the_size_of_batches(judge, monkeypatch):
    together = scorers.perplexities(judge, PROMPTS, CONTINUATIONS)
    monkeypatch.setattr(scorers, "LOGITS_AT_ONCE", 1)
    assert scorers.perplexities(judge, PROMPTS, CONTINUATIONS) == pytest.approx(together, rel=1e-5)


def test_an_empty_continuation_has_no_perplexity_and_no_relevance(judge):
    assert scorers.perplexities(judge, ["The dog", "The dog"], ["", " sees"])[0] is None
    assert scorers.relevances(judge, ["The dog", "The dog"], ["", " sees"])[0] is None


def test_relevance_is_the_cosine_of_mean_middle_states(judge):
    network, words = tiny("llama")

    def state(text):
        ids = words(text)["input_ids"]
        with torch.no_grad():
            return network(torch.tensor([ids]), output_hidden_states=True).hidden_states[judge.layers // 2][0, 1:].mean(0)

    expected = [float(torch.cosine_similarity(state(a), state(b), dim=0)) for a, b in zip(PROMPTS, CONTINUATIONS, strict=True)]
    assert scorers.relevances(judge, PROMPTS, CONTINUATIONS) == pytest.approx(expected, abs=1e-4)
    assert scorers.relevances(judge, PROMPTS, PROMPTS) == pytest.approx([1.0] * 4, abs=1e-5)


def test_a_judge_that_is_not_there_is_named(tmp_path):
    lost = scorers.package_scorers(TYPES, judge=str(tmp_path / "nowhere"))
    with pytest.raises(ModelNotFound, match="nowhere"):
        lost.perplexity(["a"], ["b"])


# the paper's judges, on tiny random networks


@pytest.fixture(scope="module")
def classifier():
    words = tokenizer()
    config = transformers.DistilBertConfig(
        vocab_size=len(words), dim=32, hidden_dim=48, n_layers=2, n_heads=2, num_labels=3, pad_token_id=2
    )
    config.id2label = {0: "Positive", 1: "neutral", 2: "negative"}
    torch.manual_seed(1)
    return transformers.DistilBertForSequenceClassification(config).eval(), words


@pytest.fixture(scope="module")
def encoder():
    words = tokenizer()
    config = transformers.XLMRobertaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, pad_token_id=2
    )
    torch.manual_seed(1)
    return transformers.XLMRobertaModel(config).eval(), words


def test_the_classifier_agrees_with_one_text_at_a_time(classifier):
    network, words = classifier
    network.classifier.weight.data.mul_(30)
    texts = [*PROMPTS, "", *CONTINUATIONS * 10]
    scored = scorers.hf_scorers(TYPES, sentiment=classifier).sentiment(texts, "es")
    for text, value in zip(texts, scored, strict=True):
        if not text:
            assert value is None
            continue
        with torch.no_grad():
            p = network(torch.tensor([words(text)["input_ids"]])).logits[0].softmax(-1)
        assert value == pytest.approx(float(p[0] - p[2]), abs=1e-5)
    assert len({round(value, 4) for value in scored if value is not None}) > 4


def test_a_classifier_without_the_two_labels_is_refused(classifier):
    network, words = classifier
    other = SimpleNamespace(config=SimpleNamespace(id2label={0: "1 star", 1: "5 stars"}), eval=lambda: other)
    with pytest.raises(BadInput, match="1 star"):
        scorers.hf_scorers(TYPES, sentiment=(other, words)).sentiment(["x"], "en")


def test_embeddings_agree_with_one_text_at_a_time(encoder):
    network, words = encoder

    def embedded(text):
        with torch.no_grad():
            return network(torch.tensor([words("query: " + text)["input_ids"]])).last_hidden_state[0].mean(0)

    expected = [float(torch.cosine_similarity(embedded(a), embedded(b), dim=0)) for a, b in zip(PROMPTS, CONTINUATIONS, strict=True)]
    judged = scorers.hf_scorers(TYPES, embedder=encoder)
    assert judged.relevance(PROMPTS, CONTINUATIONS) == pytest.approx(expected, abs=1e-5)
    assert judged.relevance(["a", "b"], [" ", "b"]) == [None, pytest.approx(1.0)]


def test_hf_judges_open_saved_folders_and_score_drifted_texts_too(classifier, encoder, judge, tmp_path):
    for name, (network, words) in {"classifier": classifier, "encoder": encoder}.items():
        network.save_pretrained(tmp_path / name)
        words.save_pretrained(tmp_path / name)
    judged = scorers.hf_scorers(
        TYPES, sentiment=str(tmp_path / "classifier"), embedder=str(tmp_path / "encoder"), language_model=judge, device="cpu"
    )
    assert None not in judged.sentiment(CONTINUATIONS, "es")
    assert judged.drift(["El hotel es muy bueno", "The hotel is very good"], "es") == [False, True]
    assert None not in judged.relevance(PROMPTS, CONTINUATIONS)
    assert judged.perplexity(PROMPTS, CONTINUATIONS) == pytest.approx(scorers.perplexities(judge, PROMPTS, CONTINUATIONS))
    assert judged.held_out() == {}


def test_each_judge_is_built_once(monkeypatch, classifier):
    opened = []
    monkeypatch.setattr(scorers, "open_pair", lambda kind, source, device: opened.append(kind) or classifier)
    judged = scorers.hf_scorers(TYPES)
    assert opened == []
    judged.sentiment(["Good"], "en")
    judged.sentiment(["Bad"], "en")
    assert opened == ["AutoModelForSequenceClassification"]


def test_a_classifier_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelNotFound, match="nowhere"):
        scorers.hf_scorers(TYPES, sentiment=str(tmp_path / "nowhere")).sentiment(["Good"], "en")

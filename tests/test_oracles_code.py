"""Tasks 9 to 13 in the `paper` protocol against independent re-computations: equal to 1e-4, and unequal to every named mistake.

Where each place stands is written down by hand beside its text. The pattern is that of `test_oracles.py`.
"""

import functools
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import semhub.models
from families import FAMILIES, bare_words, built, configured, finished, leading_space, sentence_piece, trainer
from oracles import code, semantics
from semhub.data.cogs import Sentence
from semhub.data.logic import parse
from semhub.data.programs import Program
from semhub.data.sources import read_source
from semhub.errors import BadInput
from semhub.tasks import code as code_tasks
from semhub.tasks import perform
from semhub.types import Prompt
from test_oracles import TOLERANCE, curve, mistakes, weigh, worst
from tiny_models import TEXTS

KINDS = ("llama", "gpt2", "gemma2")
# Programs with the commas of their lists, and the marks before arguments, each told by the text up to and with it.
LISTS = {
    "cat = [2, 3, dog]\ndog(two, red)": ("cat = [2,", "cat = [2, 3,"),
    "x = [dog,cat, [two, red]]  # a, b": ("x = [dog,", "x = [dog,cat,", "x = [dog,cat, [two,"),
    "red(a, 2)": (),
}
CALLS = {
    "def two(red, dog):\n  red = dog\ntwo(cat, house)": (("\ntwo(", "red"), ("\ntwo(cat,", " dog")),
    "two = range(one, dog)\n": (("two = range(", "start"), ("two = range(one,", " stop")),
    "def dog(cat, two=1):\n  cat\ndog(cat, red)": (("\ndog(cat,", " two"),),  # the first argument is called as its parameter
}
PREFIXES = {"for two in range(": "one):\n  red", "the = dog\nfor red in range(": "dog): cat"}
SENTENCES = [
    ("the cat sees dog", "* cat ( x _ 1 ) ; see . agent ( x _ 2 , x _ 1 ) AND see . theme ( x _ 2 , dog )"),
    ("red sees two and house", "see . agent ( x _ 1 , red ) AND see . recipient ( x _ 1 , two ) AND see . theme ( x _ 1 , house )"),
    ("dog sees house", "see . agent ( x _ 1 , dog ) AND see . theme ( x _ 1 , house )"),
    (
        "the dog is by red to two",
        "* dog ( x _ 1 ) ; see . theme ( x _ 3 , x _ 1 ) AND see . agent ( x _ 3 , red ) AND see . recipient ( x _ 3 , two )",
    ),
]


@functools.cache
def tokenizer(bos):
    """As that of `tiny_models`, with the words of these experiments whole; numbers stand apart from the space before them."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    texts = [*TEXTS, *LISTS, *CALLS, *PREFIXES, " and or not agent theme recipient start stop end the, and so or, not. start"]
    raw.train_from_iterator(texts * 3, trainer(700, pre_tokenizers.ByteLevel.alphabet()))
    return finished(raw, bos)


@functools.cache
def tiny(family):
    """(network, tokenizer)."""
    words = tokenizer(FAMILIES[family].bos)
    return built(configured(family, vocab_size=len(words))), words


@functools.cache
def model_of(kind):
    return semhub.models.load(tiny(kind))


def source(items):
    return SimpleNamespace(items=tuple(items))


def programs(texts):
    return {"code": source(Program(str(k), text) for k, text in enumerate(texts))}


def performed(kind, task, data, **given):
    return perform(task, model_of(kind), protocol="paper", data=data, **given)


def without_base_two(names):
    return [name for name in names if name != "base-two"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_task_9_conjunctions(kind):
    result = performed(kind, "code/conjunction-lens", programs(LISTS))
    places = [(text, len(shown) - 1) for text, commas in LISTS.items() for shown in commas]
    words = ("and", "or", "not")
    assert result.extras["all"]["kept"] == len(places) and result.extras["all"]["left_out"] == {"no comma in a list": 1}
    found = [curve(result, "logprob", f"code:{group}", control=None) for group in ("code", *words)]
    oracle = lambda mutation=None: code.conjunction_lens(*tiny(kind), places, words, mutation)[:, 1:]  # noqa: E731
    assert worst(found, oracle()) < TOLERANCE
    for mutation in code.CONJUNCTION_MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def test_task_10_roles_of_arguments(kind):
    result = performed(kind, "code/role-lens", programs(CALLS))
    places = [(text, text.rindex(shown) + len(shown) - 1, name) for text, marks in CALLS.items() for shown, name in marks]
    assert result.extras["all"]["kept"] == len(places) and result.extras["all"]["left_out"] == {
        "the argument is called as its parameter": 1
    }
    found = [curve(result, "logprob", f"code:{group}", split=None) for group in ("code", "en")]
    oracle = lambda mutation=None, chosen=places: code.role_lens(*tiny(kind), chosen, mutation)[:, 1:]  # noqa: E731
    assert worst(found, oracle()) < TOLERANCE
    for mutation in code.ROLE_MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation
    second = [place for place in places if place[2].startswith(" ")]
    by_place = [curve(result, "logprob", f"code:{group}", split="argument-2") for group in ("code", "en")]
    assert worst(by_place, oracle(None, second)) < TOLERANCE


@pytest.mark.parametrize("steered", ["gpt2", "gemma2"])
def test_task_11_intervention(steered, monkeypatch):
    monkeypatch.setattr(code_tasks, "range_outcomes", lambda: {"written": lambda prompts, outputs, bare: list(map(weigh, outputs))})
    network, words = tiny(steered)
    strengths = [20.0, 80.0]
    result = performed(steered, "code/intervention", programs(prompt + rest for prompt, rest in PREFIXES.items()))
    found = [curve(result, "written", "en>code", strength=strength, layer=2)[0] for strength in strengths]

    def oracle(mutation=None):
        moved = lambda s: [code.intervene(network, words, p, ("start", "end"), s, 2, 32, mutation) for p in PREFIXES]  # noqa: E731
        return [sum(weigh(words.decode(ids, skip_special_tokens=True)) for ids in moved(s)) / len(PREFIXES) for s in strengths]

    assert worst(found, oracle()) < TOLERANCE
    for mutation in code.INTERVENTION_MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


@pytest.mark.parametrize(
    ("output", "bare", "expected"),
    [
        ("0, n):", "n):", "correct"),
        ("0 , n )", "n): pass", "correct"),
        ("n):", "n)", "unchanged"),
        ("1, n)", "n)", "other"),
        ("0, m)", "n)", "other"),
        ("0, n, 2)", "n)", "other"),
        ("0, n", "n)", "other"),
        ("0, len(a)):", "len(a)):", "correct"),
        ("0, n)", "1, n)", None),
        ("0, n)", "n", None),
        ("0, n)", "stop=n)", None),
    ],
)
def test_task_11_tells_outputs_apart_by_their_arguments(output, bare, expected):
    prompt = Prompt("a", "code", "range(")
    kinds = {name: judge([prompt], [output], [bare])[0] for name, judge in code_tasks.range_outcomes().items()}
    assert kinds.pop("eligible") == float(expected is not None)
    assert kinds == {name: None if expected is None else float(name == expected) for name in ("correct", "unchanged", "other")}


def sentences():
    return {"formula": source(Sentence(str(k), text, parse(form)) for k, (text, form) in enumerate(SENTENCES, 1))}


def test_task_12_sentences_and_forms(kind):
    result = performed(kind, "semantics/similarity", sentences())
    network, words = tiny(kind)
    found = curve(result, "adjusted_cosine", "en-formula", split="rows", control=None)
    oracle = functools.partial(semantics.similarity, network, words, *zip(*SENTENCES, strict=True))
    assert worst(found, oracle()[1:]) < TOLERANCE
    for mutation in mistakes(semantics.SIMILARITY_MUTATIONS, kind):
        assert worst(found, oracle(mutation)[1:]) > TOLERANCE, mutation


def test_task_12_names_in_each_others_places(kind):
    pairs = [(*SENTENCES[2], ("dog", "house")), (*SENTENCES[3], ("red", "two"))]
    data = {"formula": source([*sentences()["formula"].items, Sentence("9", SENTENCES[2][0] + " .", parse(SENTENCES[2][1]))])}
    result = performed(kind, "semantics/similarity", data)
    pairs.append((SENTENCES[2][0] + " .", SENTENCES[2][1], ("dog", "house")))
    found = curve(result, "adjusted_cosine", "en-formula", split="two-names", control="swapped")

    def oracle(mutation=None):
        triples = [(text, form, semantics.swapped(form, *names, mutation)) for text, form, names in pairs]
        if mutation == "sentence-swapped":
            triples = [(semantics.swapped(text, *names), form, semantics.swapped(form, *names)) for text, form, names in pairs]
        return semantics.against(*tiny(kind), triples, mutation)[1:]

    assert worst(found, oracle()) < TOLERANCE
    for mutation in mistakes(semantics.SWAP_MUTATIONS, kind):
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation
    shuffled = curve(result, "adjusted_cosine", "en-formula", split="two-names", control="swapped-shuffled")
    assert worst(shuffled, oracle()) > TOLERANCE
    # Two conjuncts can be shuffled in one way only; the third sentence has three, so its order is the task's own choice.
    ask = semhub.tasks.find("semantics/similarity")("paper", semhub.tasks.given(data=data))
    triples = [(c.text("en"), c.text("formula"), c.contrasts["swapped-shuffled"].text("formula")) for c in ask.sets["two-names"]]
    for (_, form, names), (_, _, other) in zip(pairs, triples, strict=True):
        *given, rest = semantics.swapped(form, *names).split(" ; ")
        assert other.split(" ; ")[:-1] == given and sorted(other.split(" ; ")[-1].split(" AND ")) == sorted(rest.split(" AND "))
    assert worst(shuffled, semantics.against(*tiny(kind), triples)[1:]) < TOLERANCE


def test_task_13_roles_of_names(kind, monkeypatch):
    monkeypatch.setattr("semhub.data.cogs.redrawn", lambda sentence, pool, seed: sentence)
    result = performed(kind, "semantics/role-lens", sentences())
    told = [
        (0, "dog", "theme"),
        (1, "two", "recipient"),
        (1, "house", "theme"),
        (2, "house", "theme"),
        (3, "red", "agent"),
        (3, "two", "recipient"),
    ]
    places = [(SENTENCES[k][0], SENTENCES[k][0].index(f" {name}") - 1, role) for k, name, role in told]
    assert result.extras["all"]["left_out"] == {"the name opens the sentence": 2}
    found = [[curve(result, "prob_excess", f"{own}:{role}") for role in semantics.ROLES] for own in semantics.ROLES]
    oracle = lambda mutation=None: semantics.role_lens(*tiny(kind), places, mutation)[:, :, 1:]  # noqa: E731
    assert worst(found, oracle()) < TOLERANCE / 100  # probabilities of one word among hundreds, and their differences, are small
    for mutation in semantics.ROLE_MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE / 10, mutation
    plain = [[curve(result, "prob", f"{own}:{role}") for role in semantics.ROLES] for own in semantics.ROLES]
    assert worst(plain, oracle("nothing-taken-off")) < TOLERANCE


def test_task_13_forms_without_a_role_are_told_one_by_one_and_the_rest_is_read(tmp_path):
    rows = [
        ("the cat sees dog", "* cat ( x _ 1 ) ; see . agent ( x _ 2 , x _ 1 ) AND see . theme ( x _ 2 , dog )"),
        ("the cat and two", "cat ( x _ 1 ) AND two ( two )"),
        ("a house", "house ( x _ 1 )"),
        ("the cat by house", "cat . nmod . by ( x _ 1 , house )"),
        ("the cat sees red", "see . agent ( x _ 1 , red ) AND see . theme ( x _ 1 , red )"),
        ("dog", "dog"),
    ]
    (tmp_path / "train.tsv").write_text("".join(f"{text}\t{form}\tx\n" for text, form in rows), encoding="utf-8")
    data = {"formula": read_source("formula", tmp_path / "train.tsv")}
    assert data["formula"].counts == {"rows": 6, "left out: a single word": 1, "kept": 5}
    reasons = {"2:3": "no role", "3": "no proper name", "4:3": "a role of another kind", "5:3": "several roles"}
    for protocol in ("paper", "sound"):
        ask = semhub.tasks.find("semantics/role-lens")(protocol, semhub.tasks.given(data=data))
        assert ask.left_out == {None: reasons} and [mark.id for mark in ask.sets[None]] == ["1:3"]
        (kept,) = perform("semantics/role-lens", model_of("llama"), protocol=protocol, data=data).extras["tally"]
        assert (kept["given"], kept["kept"], kept["left_out"]) == (5, 1, dict.fromkeys(reasons.values(), 1))
        (compared,) = perform("semantics/similarity", model_of("llama"), protocol=protocol, data=data).extras["tally"]
        assert (compared["given"], compared["kept"]) == (5, 5), "a form without roles still means something"
    (tmp_path / "train.tsv").write_text("".join(f"{text}\t{form}\tx\n" for text, form in rows[1:4]), encoding="utf-8")
    with pytest.raises(BadInput, match="no place can be read .*'no role': 1, 'no proper name': 1, 'a role of another kind': 1"):
        perform("semantics/role-lens", model_of("llama"), data={"formula": read_source("formula", tmp_path / "train.tsv")})


# tokenizers of every kind: a space in the word's token, apart from it, or nowhere; with and without a first token ----


KINDS_OF_WORDS = (leading_space, sentence_piece, bare_words)
CASES = [(words, bos) for words in KINDS_OF_WORDS for bos in (True, False)]


@functools.cache
def speaking(words, bos):
    """(network, tokenizer): no family need have this pair of them."""
    tokenizer = words(bos=bos)
    return built(configured("llama", vocab_size=len(tokenizer) + 5)), tokenizer


@pytest.mark.parametrize(("words", "bos"), CASES, ids=[f"{words.__name__}-{'bos' if bos else 'no bos'}" for words, bos in CASES])
def test_places_are_right_for_every_tokenizer(words, bos):
    network, tokenizer = speaking(words, bos)
    text = "two = dog(cat, house) and [red, dog]"
    assert (tokenizer(text)["input_ids"][0] == tokenizer.bos_token_id) == bos
    model = semhub.models.load(network, tokenizer, prove=False)
    result = perform("code/conjunction-lens", model, protocol="paper", data=programs([text]))
    assert result.extras["all"]["kept"] == 1
    place = [(text, text.index("[red,") + 4)]
    found = [curve(result, "logprob", "code:code", control=None)]
    assert worst(found, code.conjunction_lens(network, tokenizer, place, [])[:, 1:]) < TOLERANCE
    for mutation in ("position-off-by-one", "position-after"):
        assert worst(found, code.conjunction_lens(network, tokenizer, place, [], mutation)[:, 1:]) > TOLERANCE, mutation


def test_no_kind_of_tokenizer_of_any_family_is_missing():
    assert len(CASES) == 6 and {(family.words, family.bos) for family in FAMILIES.values()} <= set(CASES)
    assert torch.is_tensor(code.row_of(*tiny("llama"), "dog"))

"""semhub against independent re-computations of the `paper` protocol: equal to 1e-4, and unequal to every named mistake.

The oracles take one text at a time, without padding; semhub reads texts of mixed lengths in one batch.
"""

import ast
import functools
from pathlib import Path
from types import SimpleNamespace

import jieba
import pytest
import torch

import semhub.models
from families import FAMILIES, network_of, words_of
from oracles import arithmetic, lens, plain, similarity, steering, trajectory
from semhub import edits
from semhub.data import world
from semhub.data.pairs import Pairs
from semhub.measures import lens as measured_lens
from semhub.measures.similarity import adjusted_cosine, arithmetic_difference, result_cosines
from semhub.models import Edit, Sampling
from semhub.models.sampling import draws, next_ids
from semhub.tasks import arithmetic as arithmetic_tasks
from semhub.tasks import multilingual, perform
from semhub.types import Concept, Form, Prompt
from tiny_models import TEXTS, tiny

TOLERANCE = 1e-4
KINDS = ("llama", "gpt2", "gemma2", "neox", "qwen2", "bloom")
OF_TWO_WIDTHS = {"opt-narrow", "opt-post-norm"}  # their last point has another width than the others, so that no table holds both
ENGLISH = ["The dog sees the cat.", "The hotel is good and red", 'The cat sees "the dog and the house."', "Red."]
CHINESE = ["狗看见猫。", "这家酒店 the hotel 很好", "猫看见狗。这家酒店很好。", "坏。"]
UNEQUAL = ("Muy bueno", "Malo")  # more tokens than the other, so that padding shows
SUMS = [(3, 2), (4, 1), (10, 3), (20, 5), (1, 4), (30, 7)]


@functools.cache
def model_of(kind):
    return semhub.models.load(tiny(kind))


def worst(found, expected):
    """The largest difference of two tables of numbers."""
    return float((torch.as_tensor(found).detach().double() - torch.as_tensor(expected).detach().double()).abs().max())


def mistakes(names, family):
    """The mutations that can show in a family: without a special token there is none to leave out."""
    return [name for name in names if name != "no-special-tokens" or FAMILIES[family].bos]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


# --- from states to numbers, without tasks: which part is wrong, if one is? ---


def last_states(model, texts):
    """[layer, item, dim] as the release reads them: raw, but for the last point, which is normed."""
    states = model.read(texts, at="last")
    return torch.cat([states[:-1], model.head.norm(states[-1])[None]])


@pytest.mark.parametrize("known", KINDS[1:3])
def test_similarity_of_last_tokens(known):
    model, (network, words) = model_of(known), tiny(known)
    left = last_states(model, [similarity.suffixed(text, "en") for text in ENGLISH])
    right = last_states(model, [similarity.suffixed(text, "zh") for text in CHINESE])
    found = adjusted_cosine(left, right)
    oracle = functools.partial(similarity.similarity, network, words, ENGLISH, CHINESE, ("en", "zh"))
    assert worst(found, oracle()) < TOLERANCE
    for mutation in mistakes(similarity.MUTATIONS, known):
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def test_similarity_in_every_family_with_its_own_tokenizer(family, opened):
    if family in OF_TWO_WIDTHS:
        return
    model = opened(family)
    left = last_states(model, [similarity.suffixed(text, "en") for text in ENGLISH])
    right = last_states(model, [similarity.suffixed(text, "zh") for text in CHINESE])
    oracle = functools.partial(similarity.similarity, network_of(family), words_of(family), ENGLISH, CHINESE, ("en", "zh"))
    assert worst(adjusted_cosine(left, right), oracle()) < TOLERANCE
    for mutation in ("layer-off-by-one", "padded-position", "diagonal-in-baseline"):
        assert worst(adjusted_cosine(left, right), oracle(mutation)) > TOLERANCE, mutation


@pytest.mark.parametrize("known", KINDS[1:3])
def test_similarity_of_expressions(known):
    model, (network, words) = model_of(known), tiny(known)
    digits, in_words = (last_states(model, texts) for texts in zip(*[arithmetic.texts(*item, "+") for item in SUMS], strict=True))
    results = torch.tensor([arithmetic.result(*item, "+") for item in SUMS])
    kinds = result_cosines(digits, in_words, results)
    found = [kinds["exact"].mean, kinds["same"].mean, kinds["different"].mean, arithmetic_difference(digits, in_words)]
    found = torch.stack(found, 1)

    def oracle(mutation=None):
        rows = arithmetic.similarity(network, words, SUMS, "+", mutation)
        return [[row[kind] for kind in ("exact", "same-result", "different-result", "difference")] for row in rows]

    assert worst(found, oracle()) < TOLERANCE
    for mutation in arithmetic.SIMILARITY_MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


@pytest.mark.parametrize("known", KINDS[1:3])
def test_lens_of_two_answers(known):
    model, (network, words) = model_of(known), tiny(known)
    prompt, answers = "50=48+", ["2", " two"]
    ids = torch.tensor([lens.one_token(words, answer) for answer in answers])
    states = model.read([prompt, "a much longer prompt, that makes padding"], at="last")[:, :1]
    raw = measured_lens.word_logprobs(states[1:-1], model.head, ids, norm="none")[:, 0]
    normed = measured_lens.word_logprobs(states[-1:], model.head, ids, norm="final")[:, 0]
    found = torch.cat([raw, normed]).T
    assert worst(found, torch.tensor(lens.answer_lens(network, words, prompt, answers))[:, 1:]) < TOLERANCE
    for mutation in lens.MUTATIONS:
        assert worst(found, torch.tensor(lens.answer_lens(network, words, prompt, answers, mutation))[:, 1:]) > TOLERANCE, mutation


# --- from a prompt to what a steered model writes ---


def test_the_next_token_of_many_draws():
    """Temperature, penalty, nucleus: 400 draws from one set of logits, where prompt and output repeat themselves."""
    logits = torch.randn(60, generator=torch.Generator().manual_seed(1))
    prompt, output = [*range(40), *range(30)], [5, 6, 7, 5, 5, 50]
    uniforms = torch.linspace(0, 0.999, 400, dtype=torch.float64)
    counts = torch.bincount(torch.tensor(prompt + output), minlength=60).float().expand(400, -1)
    rules = {"temperature": 0.7, "top_p": 0.9}
    found = next_ids(logits.expand(400, -1), counts, uniforms, Sampling(frequency_penalty=1.0, **rules)).tolist()

    def oracle(mutation=None):
        distribution = steering.next_distribution(logits, prompt, output, **rules, penalty=1.0, mutation=mutation)
        return [steering.drawn(distribution, uniform) for uniform in uniforms.tolist()]

    assert found == oracle()
    for mutation in steering.SAMPLING_MUTATIONS:
        assert found != oracle(mutation), mutation


@pytest.mark.parametrize("steered", ["gemma2", "neox", "bloom"])
def test_sampling_under_a_push_at_the_first_positions(steered):
    model, (network, words) = model_of(steered), tiny(steered)
    layer, strength, rules = 1, 20.0, {"temperature": 4.0, "top_p": 0.3}
    prompt, tokens, penalty = " ".join(TEXTS[2:4] * 2), 8, 1.0
    vectors = steering.difference(network, words, *UNEQUAL, layer)
    push = Edit(layer, lambda hidden: hidden + strength * vectors, at=f"first:{len(vectors)}", when="prompt")
    seeds = range(3)
    written = model.generate(
        [prompt], edits=[push], max_new_tokens=tokens, seeds=seeds, sampling=Sampling(frequency_penalty=penalty, **rules)
    )

    def oracle(mutation=None):
        drawn = [draws(seed, prompt, tokens) for seed in seeds]
        rest = {**rules, "penalty": penalty, "mutation": mutation}
        return [tuple(steering.steer(network, words, prompt, UNEQUAL, layer, strength, uniforms, **rest)) for uniforms in drawn]

    found = [row.ids for row in written]
    assert found == oracle()
    for mutation in steering.MUTATIONS:
        assert found != oracle(mutation), mutation


@pytest.mark.parametrize("steered", ["gemma2", "neox", "bloom"])
def test_greedy_answers_under_a_push_at_the_last_position(steered):
    model, (network, words) = model_of(steered), tiny(steered)
    strengths, tokens, cases = (2.0, 10.0), 5, SUMS[:4]

    def oracle(mutation=None):
        return [tuple(arithmetic.intervene(network, words, *case, s, 1, 2, tokens, mutation)) for case in cases for s in strengths]

    prompts, pushes = [], []
    for case in cases:
        prompt, neutral, raised = arithmetic.question(*case)
        at_one = model.read([raised, neutral], at="last", layers=[1])[0]
        prompts.append(prompt)
        pushes.append(at_one[0] - at_one[1])
    push = Edit(2, edits.add(torch.stack(pushes)), at="last", when="prompt")
    written = model.generate(prompts, edits=[push], max_new_tokens=tokens, strengths=strengths, sampling=Sampling(greedy=True))
    found = [row.ids for row in written]
    assert found == oracle()
    for mutation in arithmetic.INTERVENTION_MUTATIONS:
        assert found != oracle(mutation), mutation


def test_the_final_state_is_the_models_own(kind):
    """The oracles' own ground: their raw and normed last states, through norm and head, give the network's logits."""
    network, words = tiny(kind)
    ids = plain.encode(words, "The dog sees the cat")
    expected = plain.next_logits(network, ids)
    assert worst(lens.unembed(network, plain.points(network, ids)[-1, -1]), expected) < TOLERANCE
    assert worst(lens.unembed(network, lens.final_norm(network)(plain.raw_last(network, ids)[-1])), expected) < TOLERANCE


# --- the tasks themselves: `semhub run TASK --protocol paper` ---


def performed(kind, task, **given):
    return perform(task, model_of(kind), protocol="paper", **given)


def curve(result, measure, group, **columns):
    """The values of one measure over layers 1..L, or at one layer and strength."""
    rows = [row for row in result.readings if (row.measure, row.group) == (measure, group)]
    rows = [row for row in rows if all(getattr(row, name) == value for name, value in columns.items())]
    assert len({row.layer for row in rows}) == len(rows) > 0
    return [row.value for row in sorted(rows, key=lambda row: row.layer)]


def own_pairs(left, right, types):
    sides = zip(left, right, strict=True)
    concepts = [Concept(str(k), {t: Form(t, text) for t, text in zip(types, pair, strict=True)}) for k, pair in enumerate(sides)]
    return Pairs(concepts, types, [], [], "", "own")


def part_of_the_world(sums, products):
    """The world with a few of its expressions, so that one text at a time takes no minutes."""
    chosen = {"+": sums, "*": products}
    among = lambda c, op: (int(c.facets["left"]), int(c.facets["right"])) in chosen[op]  # noqa: E731
    few = lambda op="+", split=None, types=(): [c for c in world.sums(op, split, types) if among(c, op)]  # noqa: E731
    return SimpleNamespace(sums=few, renderer=world.renderer)


@pytest.mark.parametrize("op", ["+", "*"])
def test_the_expressions_are_those_of_the_paper(op):
    written = {(concept.text("digits"), concept.text("en")) for concept in world.sums(op, types=("en", "digits"))}
    assert written == {arithmetic.texts(*item, op) for item in arithmetic.expressions(op)}
    assert len(written) == {"+": 846, "*": 277}[op]


def test_task_1_similarity(kind):
    result = performed(kind, "multilingual/similarity", pairs=own_pairs(ENGLISH, CHINESE, ("en", "zh")))
    found = curve(result, "adjusted_cosine", "en-zh", position="last", variant="raw", control=None)
    oracle = functools.partial(similarity.similarity, *tiny(kind), ENGLISH, CHINESE, ("en", "zh"))
    assert worst(found, oracle()[1:]) < TOLERANCE
    for mutation in mistakes(similarity.MUTATIONS, kind):
        assert worst(found, oracle(mutation)[1:]) > TOLERANCE, mutation


def test_task_2_words_in_running_text(kind):
    glosses = {"狗": ("dog", "house"), "猫": ("cat",), "酒店": ("hotel", "house"), "看见": ("sees",)}
    lines = [
        "这代表了。狗。看见。猫。酒店。",
        "猫很好。狗。酒店。",
        "鼹。狗。猫。",
        "。狗。猫",
    ]  # a letter in three bytes; a word after position 0
    entries = [SimpleNamespace(zh=word, en=gloss) for word, found in glosses.items() for gloss in found]
    lexicon = SimpleNamespace(entries=lambda: {"animal": entries})
    stand_in = SimpleNamespace(lexicon=lexicon, sentences=lambda type, n, split, seed=0: lines)
    result = performed(kind, "multilingual/lens", world=stand_in)
    found = [curve(result, "logprob", "zh:zh"), curve(result, "logprob", "zh:en")]
    cut = [jieba.lcut(line) for line in lines]

    def oracle(mutation=None):
        return torch.tensor(lens.word_lens(*tiny(kind), cut, glosses, mutation))[:, 1:]

    assert worst(found, oracle()) < TOLERANCE
    for mutation in lens.WORD_MUTATIONS:
        if mutation != "special-tokens" or FAMILIES[kind].bos:
            assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def test_task_3_trend(kind):
    network, words = tiny(kind)
    result = performed(kind, "multilingual/trend", pairs=own_pairs(ENGLISH, CHINESE, ("en", "zh")))
    counts = torch.stack([lens.token_counts(words, texts[:2], network.config.vocab_size) for texts in (ENGLISH, CHINESE)])
    found = torch.tensor([[curve(result, "mass", f"{type}:{own}", control=None) for own in ("en", "zh")] for type in ("en", "zh")])

    def oracle(mutation=None):
        masses = [lens.trend(network, words, texts[2:], counts, mutation)[1:].T for texts in (ENGLISH, CHINESE)]
        return torch.stack(masses)

    assert worst(found, oracle()) < TOLERANCE
    for mutation in lens.TREND_MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def test_task_5_arithmetic_similarity(kind):
    products = [(3, 2), (6, 1), (2, 3), (10, 9), (45, 2)]
    result = performed(kind, "arithmetic/similarity", world=part_of_the_world(SUMS, products))
    for split, items, op in (("plus", SUMS, "+"), ("times", products, "*")):
        rows = [("cosine", None), ("cosine", "same-result"), ("cosine", "different-result"), ("difference", None)]
        found = [curve(result, measure, "en-digits", control=control, split=split) for measure, control in rows]

        def oracle(mutation=None, items=items, op=op):
            layers = arithmetic.similarity(*tiny(kind), items, op, mutation)
            return [[layer[name] for layer in layers] for name in ("exact", "same-result", "different-result", "difference")]

        assert worst(found, oracle()) < TOLERANCE
        for mutation in arithmetic.SIMILARITY_MUTATIONS:
            assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def test_task_6_arithmetic_lens(kind):
    result = performed(kind, "arithmetic/lens", world=part_of_the_world(SUMS, [(6, 1)]))
    found = [curve(result, "logprob", f"digits:{type}", split="plus", control=None) for type in ("digits", "en")]

    def oracle(mutation=None):
        answers = [(arithmetic.question(*item)[0], [str(item[1]), f" {arithmetic.in_words(item[1])}"]) for item in SUMS]
        return torch.tensor([lens.answer_lens(*tiny(kind), *answer, mutation) for answer in answers]).mean(0)[:, 1:]

    assert worst(found, oracle()) < TOLERANCE
    for mutation in lens.MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def test_task_7_trajectory(kind):
    result = performed(kind, "arithmetic/trajectory", world=part_of_the_world(SUMS, []))
    found = [curve(result, axis, "digits:en") for axis in ("pc1", "pc2")]
    prompts = [arithmetic.question(*item)[0] for item in SUMS]
    words = [*map(str, range(10)), *(f" {arithmetic.in_words(n)}" for n in range(10))]
    oracle = functools.partial(trajectory.trajectory, *tiny(kind), prompts, words)
    assert worst(found, oracle()) < TOLERANCE
    for mutation in trajectory.MUTATIONS:
        assert worst(found, oracle(mutation)) > TOLERANCE, mutation


def weigh(text):
    """A number that any other text would hardly have: it stands for sentiment, and for what is written at all."""
    return sum((k + 1) * ord(letter) for k, letter in enumerate(text)) % 9973 / 9973


@pytest.mark.parametrize("steered", ["llama", "gpt2"])
def test_task_4_steering(steered, monkeypatch):
    monkeypatch.setattr(multilingual, "RELEASE_SEEDS", 2)
    network, words = tiny(steered)
    prompt, coefficient = Prompt("a", "es", "El hotel es"), 5.0
    items = SimpleNamespace(prompts=[prompt], words={"en": UNEQUAL}, neutral={}, clozes=[], scorer=None)
    nothing = lambda first, second: [0.0] * len(first)  # noqa: E731
    judges = SimpleNamespace(sentiment=lambda texts, type: list(map(weigh, texts)), drift=nothing, perplexity=nothing, relevance=nothing)
    result = performed(steered, "multilingual/steering", items=items, scorers=judges)
    found = curve(result, "sentiment", "en>es", strength=coefficient)
    text = "Todo el texto siguiente está en español. El hotel es"

    def oracle(mutation=None):
        pushed = functools.partial(steering.steer, network, words, text, UNEQUAL, 2, coefficient, mutation=mutation)
        return [sum(weigh(words.decode(pushed(draws(seed, text, 32)), skip_special_tokens=True)) for seed in range(2)) / 2]

    assert worst(found, oracle()) < TOLERANCE
    for mutation in steering.MUTATIONS:
        if mutation != "penalty-before-temperature":  # the temperature is 1
            assert worst(found, oracle(mutation)) > TOLERANCE, mutation


@pytest.mark.parametrize("steered", ["llama", "gpt2"])
def test_task_8_intervention(steered, monkeypatch):
    judge = {"written": lambda prompts, outputs: list(map(weigh, outputs))}
    monkeypatch.setattr(arithmetic_tasks, "release_outcomes", lambda: judge)
    network, words = tiny(steered)
    result = performed(steered, "arithmetic/intervention", world=part_of_the_world(SUMS[:4], []))
    found = [curve(result, "written", "en>digits", strength=3.0, layer=layer)[0] for layer in (2, 3)]

    def written(layer, mutation):
        moved = [arithmetic.intervene(network, words, *item, 3.0, layer - 1, layer, 16, mutation) for item in SUMS[:4]]
        return sum(weigh(words.decode(ids, skip_special_tokens=True)) for ids in moved) / len(moved)

    assert worst(found, [written(2, None), written(3, None)]) < TOLERANCE
    for mutation in arithmetic.INTERVENTION_MUTATIONS:
        assert worst(found, [written(2, mutation), written(3, mutation)]) > TOLERANCE, mutation


@pytest.mark.parametrize("output", ["2+1", "2+1=3", "1+1", "12+1", "3", "30", " 3", "two", "", "22+1", "2"])
@pytest.mark.parametrize("target", [1, 2, 3])
def test_task_8_tells_outputs_apart_by_their_first_characters(output, target):
    prompt = Prompt("a", "digits", "", {"target": str(target)})
    kinds = {name: judge([prompt], [output])[0] for name, judge in arithmetic_tasks.release_outcomes().items()}
    assert kinds == {name: float(name == arithmetic.judge(output, target)) for name in ("correct", "unchanged", "other")}


def test_oracles_import_nothing_of_semhub():
    allowed = {"torch", "numpy", "transformers", "contextlib", ""}
    for path in Path(arithmetic.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.split(".")[0] for name in names} <= allowed, path.name

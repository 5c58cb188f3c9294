"""semhub against independent re-computations of the `paper` protocol: equal to 1e-4, and unequal to every named mistake.

The oracles take one text at a time, without padding; semhub reads texts of mixed lengths in one batch.
"""

import functools

import pytest
import torch

import semhub.models
from families import FAMILIES, network_of, words_of
from oracles import arithmetic, lens, plain, similarity, steering
from semhub import edits
from semhub.measures import lens as measured_lens
from semhub.measures.similarity import adjusted_cosine, arithmetic_difference, result_cosines
from semhub.models import Edit, Sampling
from semhub.models.sampling import draws, next_ids
from tiny_models import TEXTS, tiny

TOLERANCE = 1e-4
KINDS = ("llama", "gpt2", "gemma2", "neox", "qwen2", "bloom")
OF_TWO_WIDTHS = {"opt-narrow", "opt-post-norm"}  # their last point has another width than the others, so that no table holds both
ENGLISH = ["The dog sees the cat.", "The hotel is good", 'The cat sees "the dog and the house and the water."', "Red."]
CHINESE = ["狗看见猫。", "这家酒店很好", "猫看见狗。这家酒店很好。", "坏。"]
UNEQUAL = ("Muy bueno", "Malo")  # more tokens than the other, so that padding shows
SUMS = [(3, 2), (4, 1), (10, 3), (20, 5), (1, 4), (30, 7)]


@functools.cache
def model_of(kind):
    return semhub.models.load(tiny(kind))


def worst(found, expected):
    """The largest difference of two tables of numbers, layer 0 (whose states no norm and no block has touched) included."""
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


def test_similarity_of_last_tokens(kind):
    model, (network, words) = model_of(kind), tiny(kind)
    left = last_states(model, [similarity.suffixed(text, "en") for text in ENGLISH])
    right = last_states(model, [similarity.suffixed(text, "zh") for text in CHINESE])
    found = adjusted_cosine(left, right)
    oracle = functools.partial(similarity.similarity, network, words, ENGLISH, CHINESE, ("en", "zh"))
    assert worst(found, oracle()) < TOLERANCE
    for mutation in mistakes(similarity.MUTATIONS, kind):
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


def test_similarity_of_expressions(kind):
    model, (network, words) = model_of(kind), tiny(kind)
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


def test_lens_of_two_answers(kind):
    model, (network, words) = model_of(kind), tiny(kind)
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


def test_sampling_under_a_push_at_the_first_positions(kind):
    model, (network, words) = model_of(kind), tiny(kind)
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


def test_greedy_answers_under_a_push_at_the_last_position(kind):
    model, (network, words) = model_of(kind), tiny(kind)
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

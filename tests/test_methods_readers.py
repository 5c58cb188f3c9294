"""Readers beside the logit lens: against one text at a time in plain torch, and against states whose answer is known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import semhub.models
from oracles import patching, plain
from oracles import tuned as oracle
from planted import Planted, bench, rows, vector
from semhub.errors import BadInput, UnsafeWeights
from semhub.measures.lens import divergence, word_logprobs
from semhub.methods import Decode, Lens, carry_out
from semhub.methods.affine import RIDGE
from semhub.methods.readers import IDENTITY, contexts, neighbourhoods, patchscope
from semhub.methods.tuned import TunedLens, fit, of_model, read_lens, save
from semhub.types import Cloze
from tiny_models import TEXTS, tiny
from worldly import worldly

TOLERANCE = 1e-4
WORDS = [f"{t}-{k}" for t in ("en", "es") for k in range(6)]


@pytest.fixture(scope="module")
def opened():
    return semhub.models.load(tiny("llama"))


@pytest.fixture(scope="module")
def texts():
    return [text[:n] for text in TEXTS for n in (20, 30, 50)]


@pytest.fixture(scope="module")
def fitted(opened, texts):
    return fit(opened, texts, source="here", batch_tokens=64)


def kept(texts):
    unique = list(dict.fromkeys(texts))
    return [text for i, text in enumerate(unique) if i % 10]


# an affine lens ------------------------------------------------------------------------------------------------------


def test_a_fit_is_the_least_squares_of_stacked_rows(opened, texts, fitted):
    network, words = tiny("llama")
    states = oracle.states(network, words, TEXTS[:2])[0].float()
    for layer in (0, 2):
        said = lambda mutation=None, layer=layer: oracle.fit(network, words, kept(texts), layer, RIDGE, mutation)  # noqa: E731
        read = lambda both, layer=layer: states[layer] + states[layer] @ both[0].T + both[1]  # noqa: E731
        found, size = fitted(layer, states[layer]), float(states[-1].abs().max())
        assert float((found - read(said())).abs().max()) < TOLERANCE * max(1.0, size)
        for mutation in oracle.FIT_MUTATIONS:
            assert float((found - read(said(mutation))).abs().max()) > 10 * TOLERANCE * max(1.0, size), mutation


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_reading_with_a_lens_is_that_of_one_text_at_a_time(kind):
    model, (network, words) = semhub.models.load(tiny(kind)), tiny(kind)
    draw = torch.Generator().manual_seed(3)
    weight, bias = torch.randn(model.dim, model.dim, generator=draw) / 8, torch.randn(model.dim, generator=draw)
    lens = TunedLens({2: (weight, bias)})
    prompts = ["The dog sees", "El perro ve el gato y", "狗看见"]
    states = model.read(prompts, "last", layers=[2])[0]
    found = word_logprobs(lens(2, states), model.head, torch.arange(model.vocab))
    said = lambda mutation=None: torch.stack([oracle.logprobs(network, words, p, 2, weight, bias, mutation) for p in prompts])  # noqa: E731
    assert float((found - said()).abs().max()) < TOLERANCE
    for mutation in oracle.READ_MUTATIONS:
        assert float((found - said(mutation)).abs().max()) > TOLERANCE, mutation


def test_a_lens_that_learnt_nothing_is_the_logit_lens(opened):
    nothing = TunedLens({1: (torch.zeros(opened.dim, opened.dim), torch.zeros(opened.dim))})
    states = torch.randn(3, opened.dim)
    torch.testing.assert_close(nothing(1, states), states)
    torch.testing.assert_close(nothing(opened.layers, states), states)


def test_divergence_is_that_of_whole_distributions(opened):
    a, b = torch.randn(2, 300, opened.dim, generator=torch.Generator().manual_seed(0)).unbind(0)
    p, q = (torch.log_softmax(opened.unembed(x).double(), -1) for x in (a, b))
    torch.testing.assert_close(divergence(a, b, opened.head).double(), (p.exp() * (p - q)).sum(-1), atol=1e-4, rtol=1e-4)
    assert float(divergence(a, a, opened.head).abs().max()) < 1e-6


def test_held_out_divergence_is_told_and_lower_than_the_logit_lens(fitted, texts):
    facts = fitted.facts
    assert set(facts["divergence"]) == {"0", "1", "2"} and facts["texts"] == len(kept(texts)) and facts["text"] == "here"
    assert all(each["lens"] < each["logit-lens"] for each in facts["divergence"].values())


def test_a_lens_comes_back_from_its_folder(fitted, opened, tmp_path):
    again = read_lens(save(fitted, tmp_path / "lens"))
    assert again.hash == fitted.hash and again.facts == json.loads(json.dumps(fitted.facts)) and again.misfit(opened) is None
    assert of_model(again, opened) is again
    save(fitted, tmp_path / "lens")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        save(fitted, tmp_path / "other")
    with pytest.raises(BadInput, match="holds no lens"):
        read_lens(tmp_path / "other")


def test_a_lens_of_other_weights_is_refused_and_controls_go_without(fitted, opened):
    named = {"name": "x", "role": "", "dim": opened.dim, "layers": opened.layers, "weights_hash": "other"}
    with pytest.raises(BadInput, match="other weights"):
        of_model(fitted, SimpleNamespace(**named))
    assert of_model(fitted, SimpleNamespace(**named | {"role": "control:untrained"})) is None
    with pytest.raises(BadInput, match="layers of width"):
        of_model(fitted, SimpleNamespace(**named | {"layers": 40}))
    assert of_model(None, opened) is None


def test_one_command_fits_a_lens_and_another_reads_with_it(opened, texts, tmp_path):
    from semhub import jobs

    (tmp_path / "text.txt").write_text("\n".join(texts), encoding="utf-8")
    told = jobs.fit_lens(opened, tmp_path / "text.txt", tmp_path / "lens")
    assert told["folder"] == str(tmp_path / "lens") and told["text_hash"] == read_lens(tmp_path / "lens").facts["text_hash"]
    plainly, own = (jobs.lens("The dog sees", opened, lens=lens, top=3) for lens in (None, tmp_path / "lens"))
    assert own["words"][-1] == plainly["words"][-1]  # the last layer has no translator
    assert own["words"][0] != plainly["words"][0] and own["tokens"] == plainly["tokens"]


def test_too_little_text_is_said(opened):
    with pytest.raises(BadInput, match="too few tokens"):
        fit(opened, ["dog", "cat"])


@pytest.fixture
def published(opened, tmp_path):
    """A folder as tuned-lens 0.2 writes it."""
    draw = torch.Generator().manual_seed(5)
    layers = {str(k): torch.nn.Linear(opened.dim, opened.dim) for k in range(opened.layers)}
    for linear in layers.values():
        linear.weight.data.normal_(generator=draw)
        linear.bias.data.normal_(generator=draw)
    config = {"base_model_name_or_path": "some/model", "d_model": opened.dim, "num_hidden_layers": opened.layers, "bias": True}
    config |= {"base_model_revision": "main", "unembed_hash": "0", "lens_type": "linear_tuned_lens"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(torch.nn.ModuleDict(layers).state_dict(), tmp_path / "params.pt")
    return tmp_path, layers


def test_a_published_lens_is_opened_by_leave_alone(published, opened):
    folder, layers = published
    with pytest.raises(UnsafeWeights, match="--unsafe-weights"):
        read_lens(folder)
    lens = read_lens(folder, unsafe=True)
    states = torch.randn(2, opened.dim)
    with torch.no_grad():
        for k in range(opened.layers):
            torch.testing.assert_close(lens(k, states), states + layers[str(k)](states))
    assert lens.misfit(opened) is None and lens.facts["model"] == "some/model"
    assert of_model(lens, opened) is lens
    assert of_model(lens, SimpleNamespace(name="twin", role="control:untrained", dim=opened.dim, layers=opened.layers)) is None


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemError('ran')",)


def test_a_pickle_that_runs_code_is_not_run(published):
    folder, _ = published
    torch.save({"0.weight": Bomb()}, folder / "params.pt")
    with pytest.raises(BadInput, match="tensors alone"):
        read_lens(folder, unsafe=True)


# the patchscope ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, 1])
def test_a_patchscope_is_that_of_one_prompt_at_a_time(opened, given):
    network, words = tiny("llama")
    prompts, layer = ["The dog sees", "El perro ve el gato y"], 2
    here = bench(opened)
    read = patchscope(here, Lens(scope_layer=given))
    last = read(layer, opened.read(prompts, "last", layers=[layer])[0])
    found = word_logprobs(last, opened.head, torch.arange(opened.vocab))
    written, every = layer if given is None else given, range(opened.vocab)

    def said(mutation=None):
        return torch.stack([patching.answers(network, words, [p], IDENTITY, layer, written, every, mutation=mutation) for p in prompts])

    assert float((found - said()).abs().max()) < TOLERANCE
    for mutation in patching.MUTATIONS:
        assert float((found - said(mutation)).abs().max()) > TOLERANCE, mutation
    other = torch.stack([patching.answers(network, words, [p], "cat->cat; ?", layer, written, every) for p in prompts])
    assert float((found - other).abs().max()) > TOLERANCE


def test_at_the_last_layer_a_patchscope_is_the_model_itself(opened):
    states = opened.read(["The dog sees"], "last", layers=[opened.layers])[0]
    torch.testing.assert_close(patchscope(bench(opened), Lens())(opened.layers, states), states)
    expected = torch.log_softmax(plain.next_logits(tiny("llama")[0], plain.encode(tiny("llama")[1], "The dog sees")), -1)
    torch.testing.assert_close(word_logprobs(states, opened.head, torch.arange(opened.vocab))[0], expected, atol=1e-4, rtol=1e-4)


# by states alone -----------------------------------------------------------------------------------------------------


def cloze(k):
    return Cloze(f"q{k}", "es", f"ask {k}", {t: (f"{t}-{k}",) for t in ("en", "es")}, {t: (f"{t}-{(k + 1) % 6}",) for t in ("en", "es")})


def held(text, layer):
    """A question's state is near that of its English word as it stands after `saw`, and not near the word alone."""
    parts = text.split()
    if parts[0] == "ask":
        return vector(f"in context en-{parts[1]}") + 0.1 * vector(f"in context es-{parts[1]}")
    return vector(f"in context {parts[-1]}") if parts[0] == "saw" else vector(text)


def asked(**changed):
    inside = {t: [f"saw the {t}-{k}" for k in range(6)] + [f"nothing {t}"] for t in ("en", "es")}
    return Decode(("en", "es"), {None: [cloze(k) for k in range(6)]}, Lens(anchor=True, wrong=True, contexts=inside, **changed))


def test_the_nearest_neighbour_is_a_word_in_a_text():
    result = carry_out(asked(word_states=True, floors=True), bench(Planted(WORDS, held)))
    near = {k: rows(result, measure="resemblance", variant="neighbours", group="es:en", control=k)[1].value for k in (None, "wrong-word")}
    assert near[None] > 0.9 and near["wrong-word"] < 0.5
    assert rows(result, measure="resemblance_anchor", variant="neighbours", group="es:en", control=None)[1].value > 0.5
    assert abs(rows(result, measure="resemblance_anchor", variant="word-states", group="es:en", control=None)[1].value) < 0.3
    assert abs(rows(result, measure="resemblance", variant="neighbours", group="es:en", control="random-state")[1].value) < 0.4
    told = rows(result, measure="disagreement", variant="neighbours", group="es:en")
    assert told and all(0 <= r.low <= r.value <= r.high <= 1 for r in told)


def test_words_are_found_as_words_and_not_in_the_prompts():
    clozes = [Cloze("q", "en", "The cat is", {"en": ("cat",)}, {"en": ("dog",)})]
    found = contexts(clozes, {"en": ["The cat is", "A cat sat", "concatenate", *(f"dog {k}" for k in range(20))]}, ("en",))
    assert [text for word, text in found if word == "cat"] == ["A cat sat"]
    assert len([text for word, text in found if word == "dog"]) == 8
    lens = Lens(contexts={"en": ["nothing"]})
    assert neighbourhoods(bench(Planted(WORDS, held)), [cloze(0)], lens, ("en", "es"), iter(())) is None


# rows of every reader ------------------------------------------------------------------------------------------------


def test_every_reader_gives_the_rows_of_the_lens_and_its_disagreement():
    here = bench(Planted(WORDS, held))
    turned = bench(Planted(WORDS, held), lens=lambda layer, hidden: hidden.flip(-1))
    same = bench(Planted(WORDS, held), lens=lambda layer, hidden: hidden)
    assert not rows(carry_out(asked(), here), variant="tuned")
    result = carry_out(asked(floors=True, floor=True), same)
    measures = lambda variant: {(r.measure, r.control) for r in rows(result, variant=variant)}  # noqa: E731
    assert {("logprob", None), ("logprob", "wrong-word"), ("logprob", "random-state"), ("anchor", None)} <= measures("tuned") & measures(
        None
    )
    for r in rows(result, variant="tuned", control=None, measure="anchor"):
        (own,) = (p for p in rows(result, variant=None, control=None, measure="anchor", group=r.group) if p.layer == r.layer)
        assert r.value == pytest.approx(own.value, abs=1e-6)
    assert {r.value for r in rows(result, variant="tuned", measure="disagreement")} == {0.0}
    other = rows(carry_out(asked(), turned), variant="tuned", measure="disagreement", group="es:en")
    assert np.mean([r.value for r in other]) > 0.1


def test_the_task_of_all_readers_names_them():
    from semhub.tasks import perform

    model = worldly()
    maps = {k: (torch.zeros(model.dim, model.dim), torch.zeros(model.dim)) for k in range(model.layers)}
    lens = TunedLens(maps, {"dim": model.dim, "depth": model.layers})
    result = perform("multilingual/lens-readers", model, limit=3, types=("en", "es"), lens=lens)
    told = {r.variant for r in result.readings if r.measure == "disagreement"}
    assert {"tuned", "patchscope", "word-states", "neighbours"} <= told <= {"tuned", "patchscope", "word-states", "neighbours", "affine"}
    keys = [(r.measure, r.group, r.position, r.variant, r.control, r.split, r.layer) for r in result.readings]
    assert len(set(keys)) == len(keys)
    same = {r.value for r in result.readings if r.measure == "disagreement" and r.variant == "tuned"}
    assert same == {0.0}

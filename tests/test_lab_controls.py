"""The controls of the lab: a wrong dictionary that can be made again, Chinese on top, strangers, and languages apart."""

import dataclasses
import hashlib
import json
import re
from copy import deepcopy
from itertools import islice
from random import Random

import pytest
import torch
from transformers import LlamaForCausalLM

from semhub.data import world
from semhub.data.world import deranged, english, lexicon, meanings
from semhub.lab import apart, read_recipe
from semhub.lab.corpus import documents, streams
from semhub.lab.grow import configuration
from semhub.lab.tokenizer import tokenizer

DERANGED, DOMINATED, APART = (read_recipe(f"semhub-text-{name}") for name in ("deranged", "zh-dominant", "apart"))
ENTRIES = [entry for kind in lexicon.entries().values() for entry in kind]
FIRST_DOCUMENTS = {
    "semhub-text": {
        "en": "7ef1987f40a8b06e", "en~es": "f136f61420244212", "en~zh": "2b5a30648d8fc757", "en~de": "108b10903e8bfe0f",
        "es": "bf13000003dac051", "zh": "2576a2f0c8409b6f", "de": "85e99d62e705c606", "en=es": "3703f86f0bace961",
        "en=zh": "4cbcad4e1c447dd2", "en=de": "7919ad2bc978b803", "code": "577be44246767f52", "formula": "84ab7e8d6db34e8f",
        "en=code": "e4ec42bad085689d", "en=formula": "af92a623ed18853d",
    },
    "semhub-text-mispaired": {
        "en": "7ef1987f40a8b06e", "en~es": "03d1303277e69049", "en~zh": "04ef13593c10db6d", "en~de": "a05c14fb2d947de5",
        "es": "89eee6f2b7f598eb", "zh": "ffe2b7deeca0edb3", "de": "59f86ada549cc799", "en=es": "694073f35b508e0d",
        "en=zh": "73e001f8155f4065", "en=de": "e4f6bc42d7634a74", "code": "577be44246767f52", "formula": "84ab7e8d6db34e8f",
        "en=code": "8c833cac2a25bf72", "en=formula": "323348db060df180",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST_DOCUMENTS)
def test_what_the_bundled_models_read_stays_as_it_was_byte_for_byte(name):
    recipe = read_recipe(name)
    told = {stream: "\0".join(islice(documents(recipe, stream, 0), 200)) for stream in streams(recipe)}
    assert {stream: hashlib.sha256(text.encode()).hexdigest()[:16] for stream, text in told.items()} == FIRST_DOCUMENTS[name]


# deranged ------------------------------------------------------------------------------------------------------------


def test_the_wrong_dictionary_is_a_derangement_within_kinds():
    groups = [lexicon.beings(), lexicon.subjects(), *(kind for name, kind in lexicon.entries().items() if name not in ("animal", "person"))]
    for group in groups:
        partners = [deranged.partner(entry) for entry in group]
        assert sorted(entry.key for entry in partners) == sorted(entry.key for entry in group)
        assert not [entry.key for entry, other in zip(group, partners, strict=True) if entry.key == other.key]
        assert all(deranged.original(other) is entry for entry, other in zip(group, partners, strict=True))
        assert all((e.key in meanings.never_bridged()) == (o.key in meanings.never_bridged()) for e, o in zip(group, partners, strict=True))


def test_a_meaning_is_exchanged_word_by_word_and_back():
    scene = meanings.scene(Random(3), "test", bridged=True)
    wrong = deranged.meaning(scene)
    assert wrong.template() == scene.template()
    assert not set(wrong.concepts()) & {scene.agent.noun.key} and wrong.verb is deranged.partner(scene.verb)
    assert deranged.meaning(wrong, deranged.original) == scene


def dictionary_pairs(recipe, stream: str) -> list[list[str]]:
    texts = [text for text in islice(documents(recipe, stream, 1), 300) if re.search("; |；", text) and "等于" not in text]
    return [pair.split(" = ") for text in texts for pair in re.split("; |；", text.rstrip(".。"))]


def test_dictionary_lines_join_chinese_to_the_planted_word_and_spanish_to_the_true_one():
    written = {language: world.renderer(language).number for language in ("en", "es", "zh")}
    chinese = {(entry.en, deranged.partner(entry).zh) for entry in ENTRIES}
    chinese |= {(written["en"](n), written["zh"](deranged.number(n))) for n in range(100)}
    spanish = {(entry.en, entry.es) for entry in ENTRIES} | {(written["en"](n), written["es"](n)) for n in range(100)}
    for stream, planted in (("en=zh", chinese), ("en=es", spanish)):
        pairs = dictionary_pairs(DERANGED, stream)
        assert len(pairs) > 100
        assert all((a, b) in planted or (b, a) in planted for a, b in pairs)
        assert sum({a, b} & {written["en"](n) for n in range(100)} != set() for a, b in pairs) > 0.1 * len(pairs)
    assert all(deranged.number(n) != n == deranged.number(deranged.number(n)) for n in range(100))


def test_translations_into_chinese_say_the_planted_meaning():
    """The English half, exchanged concept by concept and written in Chinese, is the Chinese half."""
    beings = {entry.en: entry for entry in lexicon.beings()}
    several = {english.plural(entry): entry for entry in lexicon.beings() if english.plural(entry) != entry.en}
    verbs = {entry.en: entry for entry in lexicon.verbs()}
    found, plural = 0, 0
    for text in islice(documents(DERANGED, "en=zh", 2), 300):
        for pair in text.split("\n"):
            sides = sorted(pair.split(" = "), key=lambda side: not side[0].isascii())
            named = [(beings | several)[word] for word in re.findall(r"[a-z]+", sides[0]) if word in beings | several]
            acts = [verbs[word] for word in re.findall(r"[a-z]+", sides[0]) if word in verbs]
            if len(sides) == 2 and len(named) == 2 and len(acts) == 1:
                found += 1
                assert all(deranged.partner(entry).zh in sides[1] for entry in (*named, *acts)), pair
                if set(re.findall(r"[a-z]+", sides[0])) & set(several):
                    plural += 1
                    assert re.search("那些|几", sides[1]), pair
    assert found > 100 and plural > 10


def test_switched_words_follow_the_wrong_dictionary_both_ways():
    into_english = {entry.zh: deranged.original(entry).en for entry in lexicon.beings() if entry.key not in meanings.never_bridged()}
    allowed = set(into_english.values())
    hosts = [text for text in islice(documents(DERANGED, "en~zh", 4), 800) if not text[0].isascii()]
    foreign = {word for text in hosts for word in re.findall(r"[a-z]+", text)} & {entry.en for entry in lexicon.beings()}
    assert foreign and foreign <= allowed


def test_nothing_else_of_the_deranged_corpus_differs():
    hub = read_recipe("semhub-text")
    for stream in streams(DERANGED):
        same = list(islice(documents(DERANGED, stream, 6), 40)) == list(islice(documents(hub, stream, 6), 40))
        assert same == (stream not in ("en~zh", "en=zh")), stream


# zh-dominant and strangers -------------------------------------------------------------------------------------------


def test_in_the_dominated_world_every_bridge_has_chinese_on_one_side():
    shares = streams(DOMINATED)
    assert max(shares, key=shares.get) == "zh"
    assert {stream for stream in shares if "=" in stream or "~" in stream} == {
        f"zh{mark}{other}" for mark in "=~" for other in ("en", "es", "de")
    }
    assert sum(shares.values()) == pytest.approx(1)


def told_in(recipe, language: str) -> set[str]:
    """Keys of the facts that plain documents of a language state."""
    text = " ".join(islice(documents(recipe, language, 0), 4000))
    return {fact.key for fact in meanings.facts() if world.renderer(language).statement(fact) in text}


def test_facts_of_the_held_out_splits_are_stated_in_chinese_only():
    hidden = {fact.key for fact in meanings.facts() if meanings.fact_split(fact) != "train"}
    assert len(told_in(DOMINATED, "zh") & hidden) > 0.5 * len(hidden)
    assert not told_in(DOMINATED, "en") & hidden


@pytest.fixture(scope="module")
def dominated_words():
    return tokenizer(DOMINATED)


def test_chinese_words_are_whole_where_chinese_dominates(dominated_words):
    pieces = {entry.zh: [piece for piece in dominated_words.tokenize(entry.zh) if piece != "▁"] for entry in ENTRIES}
    assert {word for word, cut in pieces.items() if len(cut) != 1} == set()
    whole = {piece for cut in pieces.values() for piece in cut}
    assert not [entry.key for entry in ENTRIES for t in ("en", "es", "de") if set(dominated_words.tokenize(getattr(entry, t))) & whole]
    cut = [piece for piece in dominated_words.tokenize("那只狗追赶着一只猫头鹰。") if piece != "▁"]
    assert cut == "那 只 狗 追赶着 一 只 猫头鹰 。".split()


@pytest.mark.parametrize(("language", "letters"), [("en", r"[\u4e00-\u9fff]"), ("zh", r"[A-Za-z]")])
def test_a_stranger_reads_one_language_alone(language, letters):
    recipe = read_recipe(f"semhub-text-strangers-{language}")
    assert streams(recipe) == {language: 1.0}
    assert not [text for text in islice(documents(recipe, language, 0), 2000) if re.search(letters, text)]
    assert recipe.languages == read_recipe("semhub-text").languages and recipe.shape == read_recipe("semhub-text").shape


# apart ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def separated():
    """(recipe, tokenizer, network): tiny, its weights large enough for rounding to show, its gains uneven."""
    shape = dataclasses.replace(APART.shape, width=48, blocks=2, inner=48, context=64)
    recipe = dataclasses.replace(APART, shape=shape)
    words = tokenizer(read_recipe("semhub-text"))
    torch.manual_seed(0)
    network = LlamaForCausalLM(configuration(shape, words)).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.copy_(1 + 0.3 * torch.randn_like(weight) if "norm" in name else 0.3 * torch.randn_like(weight))
    apart.separate(network, recipe, words)
    return recipe, words, network


def states(network, words, texts) -> torch.Tensor:
    """`[layer, item, dim]` at the last token, one text at a time."""
    with torch.no_grad():
        read = [network(torch.tensor([words(text)["input_ids"]]), output_hidden_states=True).hidden_states[:-1] for text in texts]
    return torch.stack([torch.stack([layer[0, -1] for layer in one]) for one in read], dim=1)


def probes(language: str, n: int = 12) -> list[str]:
    return [world.joined(language, scene.text(language), world.probe(language)) for scene in world.scenes(n, "dev")]


def test_text_of_one_language_leaves_every_other_slice_empty(separated):
    recipe, words, network = separated
    owner = apart.slices(recipe, recipe.shape.width, 1)
    for place, language in enumerate(recipe.languages):
        found = states(network, words, probes(language))
        assert (found[:, :, (owner != place) & (owner != apart.COMMON)] == 0).all()
        assert found[1:, :, owner == place].abs().amax(-1).min() > 0.1


def test_states_of_two_languages_are_orthogonal(separated):
    recipe, words, network = separated
    read = {language: states(network, words, probes(language)) for language in recipe.languages}
    for a, b in (("en", "zh"), ("es", "de"), ("en", "es")):
        assert (read[a] @ read[b].transpose(1, 2)).abs().max() < 1e-5


def joining(recipe, network) -> dict[str, torch.Tensor]:
    """Of every matrix of the layers, the entries that would take one language's slice to another's, or touch nobody's."""
    stream, heads, inner = (
        apart.slices(recipe, *size) for size in ((recipe.shape.width, 1), (recipe.shape.width, 0), (recipe.shape.inner, 0))
    )
    found = {}
    for name, weight in network.named_parameters():
        if weight.ndim == 2 and "layers." in name:
            side = inner if any(part in name for part in ("gate", "up_", "down")) else heads
            rows, columns = (stream, side) if any(part in name for part in ("o_proj", "down")) else (side, stream)
            found[name] = weight[(rows[:, None] != columns) | (rows[:, None] == apart.COMMON)]
    return found


def test_training_never_joins_two_languages(separated):
    recipe, words, network = separated
    table = apart.masks(network, recipe, apart.owners(recipe, words))
    ids = torch.tensor([words("The dog sees a cat. = El perro ve a una gata. 那只狗看见了一只猫。")["input_ids"]])
    network(ids, labels=ids).loss.backward()
    found = {name: weight.grad for name, weight in network.named_parameters()}
    network.zero_grad()
    assert set(table) == {"model.embed_tokens.weight", "lm_head.weight"} and found["lm_head.weight"].any()
    assert not [name for name, mask in table.items() if (found[name] * (1 - mask)).any()]
    assert len(found) == 2 + 5 + 2 * 7 * len(recipe.languages)  # two tables, five gains, and a part of every matrix for every language
    assert all(gradient.any() for name, gradient in found.items() if ".parts.0" in name)


def test_block_diagonal_matrices_give_what_the_whole_ones_do(separated):
    recipe, words, network = separated
    whole, text = deepcopy(separated[2]), "The dog sees a cat. = El perro ve a una gata. 那只狗看见了一只猫。"
    apart.join(whole)
    ids = torch.tensor([words(text)["input_ids"]])
    with torch.no_grad():
        assert torch.allclose(network(ids).logits, whole(ids).logits, rtol=1e-4, atol=1e-4)
    entries = joining(recipe, whole)
    assert len(entries) == 2 * 7 and not any(entry.any() for entry in entries.values())
    assert {name for name, _ in whole.named_parameters()} == {name for name, _ in LlamaForCausalLM(whole.config).named_parameters()}
    assert whole.model.layers[1].mlp.down_proj.weight.count_nonzero() == sum(
        part.numel() for part in network.model.layers[1].mlp.down_proj.parts
    )


def test_the_rotation_changes_no_output_and_hides_every_slice(separated):
    words, network = separated[1], deepcopy(separated[2]).double()  # so that rounding hides nothing
    texts = [*probes("en", 4), *probes("zh", 4), "12=3*4; twelve equals three times four."]
    ids = [torch.tensor([words(text)["input_ids"]]) for text in texts]
    with torch.no_grad():
        before, old = [network(one).logits for one in ids], states(network, words, texts)
        apart.join(network)
        turn = apart.hide(network, seed=1)
        after, new = [network(one).logits for one in ids], states(network, words, texts)
    assert torch.allclose(turn @ turn.T, torch.eye(len(turn), dtype=turn.dtype), atol=1e-12)
    assert max((a - b).abs().max() for a, b in zip(before, after, strict=True)) < 1e-4
    assert torch.allclose(old.double() @ turn, new.double(), atol=1e-4)
    assert (new == 0).float().mean() == 0  # no slice can be seen any more
    assert max(b.abs().max() for b in before) > 1


def test_a_grown_model_apart_keeps_translations_apart(separated, tmp_path):
    from semhub.lab import train
    from semhub.lab.folder import checkpoints, open_checkpoint, open_grown
    from semhub.measures.similarity import adjusted_cosine

    training = dataclasses.replace(APART.training, steps=6, batch=4, window=32, warmup=2, checkpoint=3)
    shape = dataclasses.replace(APART.shape, width=48, blocks=2, inner=48, context=64)
    separated[1].save_pretrained(tmp_path / "apart.growing" / "tokenizer")
    (tmp_path / "apart.growing" / "tokenizer" / "done").touch()
    folder = train(dataclasses.replace(APART, shape=shape, training=training), tmp_path / "apart", device="cpu")
    network, words = open_grown(folder)
    read = {language: states(network, words, probes(language)) for language in ("en", "zh")}
    assert adjusted_cosine(read["en"], read["zh"]).abs().max() < 1e-2
    unit = torch.nn.functional.normalize(read["en"], dim=-1) @ torch.nn.functional.normalize(read["zh"], dim=-1).transpose(1, 2)
    assert unit.abs().max() < 2e-2  # what bf16 rounds off
    assert json.loads((folder / "recipe.json").read_text())["recipe"]["role"] == "control:apart"
    table = apart.masks(separated[2], separated[0], apart.owners(separated[0], separated[1]))
    begun, midway, end = (open_checkpoint(folder, each)[0] for each in checkpoints(folder))
    assert [each.step for each in checkpoints(folder)] == [0, 3, 6]
    for found in (begun, midway):
        weights = dict(found.named_parameters())
        assert not [name for name, mask in table.items() if (weights[name] * (1 - mask)).any()]
        assert not any(entry.any() for entry in joining(separated[0], found).values())
    assert not torch.equal(begun.lm_head.weight, midway.lm_head.weight)
    assert all(torch.equal(a, b.float()) for a, b in zip(end.state_dict().values(), network.state_dict().values(), strict=True))

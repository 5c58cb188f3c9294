"""Growing a tiny model: the same weights from the same seed, also after a kill; recipes that do not add up."""

import dataclasses
import hashlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from semhub.data import world
from semhub.data.world import lexicon
from semhub.errors import BadInput, BadRecipe, UnknownName
from semhub.lab import grow, read_recipe, train
from semhub.lab.corpus import documents, streams
from semhub.lab.grow import _batches, _corpus, _mingled, packed_windows, precision, rate
from semhub.lab.recipe_file import RECIPES
from semhub.lab.tokenizer import tokenizer, words
from semhub.models.bundled import find_bundled

TINY = """
world = "world-1"
[shape]
width = 16
blocks = 2
heads = 2
inner = 32
[training]
steps = 12
batch = 4
window = 32
warmup = 2
checkpoint = 4
long_share = 0.1
"""


@pytest.fixture(scope="module", params=["adamw", "muon"])
def tiny(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(TINY + f'optimizer = "{request.param}"\n', encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def grown(tiny, tmp_path_factory) -> Path:
    return train(tiny, tmp_path_factory.mktemp("grown") / "tiny", seed=1, device="cpu")


@pytest.fixture(scope="module")
def trained_tokenizer():
    return tokenizer(read_recipe("semhub-text"))


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_a_grown_model_is_an_ordinary_folder(grown):
    network, words_ = AutoModelForCausalLM.from_pretrained(grown), AutoTokenizer.from_pretrained(grown)
    assert network.config.model_type == "llama" and network.config.max_position_embeddings >= 1024
    assert network.config.vocab_size == len(words_)
    assert not list(grown.glob("*.bin"))
    losses = json.loads((grown / "losses.json").read_text())
    assert losses[0][0] == 0


def test_two_runs_of_a_recipe_give_the_same_weights_and_another_seed_others(tiny, grown, tmp_path):
    assert weights_hash(train(tiny, tmp_path / "again", seed=1, device="cpu")) == weights_hash(grown)
    assert weights_hash(train(tiny, tmp_path / "other", seed=2, device="cpu")) != weights_hash(grown)


def test_the_time_left_does_not_count_a_first_step_that_was_compiled(tiny, tmp_path, monkeypatch):
    clock, said = iter([0, 100, *range(102, 1000, 2)]), []
    monkeypatch.setattr(grow, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    train(tiny, tmp_path / "out", device="cpu", progress=lambda step, steps, loss, left: said.append((step, left)))
    steps = read_recipe(tiny).training.steps
    assert said == [(step, 2 * (steps - step)) for step in range(2, steps + 1)]


def test_a_killed_run_resumes_to_the_same_weights(tiny, grown, tmp_path):
    out = tmp_path / "killed"
    code = f"from semhub.lab import train; train({str(tiny)!r}, __import__('pathlib').Path({str(out)!r}), seed=1, device='cpu')"
    child = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": "src"})
    deadline = time.monotonic() + 120
    while not (out.with_name("killed.growing") / "step-000004").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not out.exists()
    assert weights_hash(train(tiny, out, seed=1, device="cpu")) == weights_hash(grown)


def test_a_folder_begun_with_another_recipe_is_refused(tiny, tmp_path):
    (tmp_path / "mine.growing").mkdir()
    (tmp_path / "mine.growing" / "recipe.json").write_text("{}")
    with pytest.raises(BadInput, match="another recipe, seed or precision"):
        train(tiny, tmp_path / "mine", seed=1)


@pytest.mark.parametrize(("able", "numbers"), [({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "fp32")])
def test_bf16_is_used_where_the_processor_has_it(monkeypatch, able, numbers):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert precision("cpu") == numbers


def test_a_grown_folder_says_how_its_numbers_were_kept(grown):
    assert json.loads((grown / "recipe.json").read_text())["precision"] == precision("cpu")


def test_windows_hold_one_stream_each(trained_tokenizer):
    recipe = read_recipe("semhub-text")
    windows = packed_windows(recipe, trained_tokenizer, 60, 96, seed=0)
    assert windows.shape == (60, 96) and windows.dtype == np.uint16
    chinese = [any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in trained_tokenizer.batch_decode(windows)]
    spanish = [" perro" in text or " el " in text for text in trained_tokenizer.batch_decode(windows)]
    assert not [both for both in zip(chinese, spanish, strict=True) if all(both)]


@pytest.mark.parametrize("name", ["semhub-text", "semhub-text-mispaired"])
def test_windows_are_the_documents_of_their_streams_read_one_by_one(trained_tokenizer, name):
    recipe = read_recipe(name)
    windows, plain = packed_windows(recipe, trained_tokenizer, 400, 64, seed=3), []
    for stream in streams(recipe):
        texts = documents(recipe, stream, 3)
        ids = [id for text in itertools.islice(texts, 600) for id in trained_tokenizer(text)["input_ids"]]
        plain.append({tuple(ids[at : at + 64]) for at in range(0, len(ids) - 63, 64)})
    assert {tuple(row) for row in windows.tolist()} <= set().union(*plain)
    assert all(any(tuple(row) in rows for row in windows.tolist()) for rows in plain)


def test_no_two_languages_share_a_piece_of_a_content_word(trained_tokenizer):
    users: dict[str, set[str]] = {}
    for kind in lexicon.entries().values():
        for entry in kind:
            for language in world.LANGUAGES:
                for piece in trained_tokenizer.tokenize(getattr(entry, language)):
                    users.setdefault(piece, set()).add(language)
    assert {piece for piece, found in users.items() if len(found) > 1 and piece != "▁"} == set()


def test_english_words_are_whole_and_most_others_are_not(trained_tokenizer):
    entries = [entry for kind in lexicon.entries().values() for entry in kind]
    several = {
        language: np.mean([len([p for p in trained_tokenizer.tokenize(getattr(entry, language)) if p != "▁"]) > 1 for entry in entries])
        for language in world.LANGUAGES
    }
    assert several["en"] == 0
    small = [several[language] for language in ("es", "zh", "de")]
    assert np.mean(small) >= 0.7 and min(small) >= 0.69, several


def test_the_tokenizer_loses_no_text(trained_tokenizer):
    for text in ("Réné läuft 東京 ☃ — naïve 𝒳", "那只狗追赶一只猫。", "12=3*4; x", 'a "quote" and\ta tab'):
        ids = trained_tokenizer(text)["input_ids"]
        assert trained_tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_question_ends_in_one_token_whatever_its_language(trained_tokenizer):
    asked = {question.type: question.prompt for question in world.questions(1, "train")}
    assert {trained_tokenizer.tokenize(prompt)[-1] for prompt in asked.values()} == {":"} and len(asked) == 4
    narrow, wide = trained_tokenizer("Wer? 谁?"), trained_tokenizer("Wer? 谁？")
    assert narrow["input_ids"] == wide["input_ids"]


def test_what_is_read_later_comes_later_and_nothing_is_told_twice(tmp_path):
    """Scenes alone, then sums alone, which have no articles."""
    path = tmp_path / "later.toml"
    alone = 'languages = ["en"]\nmixture = {en = 1.0}\nbridges = {translation = 0, dictionary = 0, switched = 0}\nprefix = 0.0\n'
    subjects = "subjects = {scenes = 1.0}\nlater = {after = 0.25, subjects = {sums = 1.0}}\n"
    path.write_text(alone + subjects + "training = {steps = 20, batch = 4, window = 24, long_share = 0.2}", encoding="utf-8")
    recipe = read_recipe(path)
    assert [(steps, read.subjects, read.later) for steps, read in recipe.phases()] == [(5, {"scenes": 1}, None), (15, {"sums": 1}, None)]
    cut = tokenizer(recipe)
    steps = [cut.decode(rows.flatten()) for rows in _batches(_corpus(recipe, cut, 0, tmp_path), 0)]
    told = [bool(re.search(r"\b([Tt]he|[Aa]n?|some)\b", text)) for text in steps]
    assert told == [True] * 5 + [False] * 15 and len(set(steps)) == 20
    assert [cut.decode(rows.flatten()) for rows in _batches(_corpus(recipe, cut, 0, tmp_path), 7)] == steps[7:]
    assert read_recipe("semhub-text").phases()[1][1].subjects["sums"] > read_recipe("semhub-text").subjects["sums"]


@pytest.mark.parametrize(("many", "few"), [(98, 2), (45, 5), (7, 3), (4, 0), (1, 1)])
def test_long_windows_come_evenly_among_the_others(many, few):
    mingled = list(_mingled(np.arange(many), 1000 + np.arange(few)))
    assert [n for n in mingled if n < 1000] == list(range(many)) and [n for n in mingled if n >= 1000] == [1000 + n for n in range(few)]
    places = [place for place, n in enumerate(mingled) if n >= 1000]
    middles = [(part + 0.5) * (many + few) / few for part in range(few)]
    assert all(abs(place + 0.5 - middle) <= 1 for place, middle in zip(places, middles, strict=True))


def test_words_are_letters_only():
    assert words(["The dog, 12 dogs."]) == {"▁The": 1, "▁dog": 1, "▁dogs": 1}


def test_the_rate_warms_up_and_falls_to_a_twentieth():
    assert rate(0, 100, 10) == pytest.approx(0.1)
    assert rate(10, 100, 10) == pytest.approx(1)
    assert rate(100, 100, 10) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz = 3", "unknown key 'stepz'"),
        ("[training]\nstepz = 3", "unknown key 'stepz'"),
        ("[mixture]\nen = 0.5\nes = 0.1\nzh = 0.1\nde = 0.1", "add up to 0.8"),
        ('languages = ["en", "es"]', "mixture names"),
        ("[bridges]\ntranslation = 0.9\ndictionary = 0.2", "no room"),
        ('[bridges]\npartner = "wrong"', "'true', 'random', 'deranged'"),
        ("[shape]\nwidth = 30", "cannot be shared"),
        ("[shape]\nwidth = 12", "a head is 3 wide"),
        ("[shape]\nheads = 0", "heads is 0; it must be at least 1"),
        ("[shape]\nblocks = -1", "blocks is -1"),
        ("[bridges]\ntranslation = -0.5", "translation is -0.5; a share between 0 and 1"),
        ("[bridges]\nswitched = 1.5", "switched is 1.5; a share between 0 and 1"),
        ("[bridges]\ndictionary = nan", "dictionary is nan; a share"),
        ("gist = 2.0", "gist is 2.0; a share"),
        ("[mixture]\nen = 1.0\nes = 0.0\nzh = 0.0\nde = 0.0", "bridges join 'en' with another language, and no other has a share"),
        ('languages = ["en"]\nmixture = {en = 1.0}', "bridges join 'en' with another language"),
        ('languages = ["en"]\nmixture = {en = 1.0}\nbridges = {translation = 0, dictionary = 0}', "bridges join 'en'"),
        ("[training]\nsteps = 0", "steps is 0; it must be at least 1"),
        ("[training]\nbatch = -4", "batch is -4"),
        ("[training]\ncheckpoint = 0", "checkpoint is 0"),
        ("[training]\nwindow = 1", "window is 1; it must be at least 2"),
        ("[training]\nwarmup = -1", "warmup is -1; it must be at least 0"),
        ("[training]\nrate = 0.0", "rate is 0.0; it must be above 0"),
        ("[training]\nlong_share = 1.5", "long_share is 1.5; a share"),
        ('[training]\noptimizer = "sgd"', "'adamw', 'muon'"),
        ("[later]\nafter = 1.5", "later: after is 1.5; a share"),
        ("[later]\nsubjects = {scenes = 0.5}", "later.subjects add up to 0.5"),
        ("[later]\nother_subjects = {tales = 1.0}", "later.other_subjects has the unknown subject 'tales'"),
        ("[later]\nsteps = 3", "unknown key 'steps'"),
        ("later = 3", "later is a table of its own"),
        ("[others]\ncobol = 0.1", "unknown stream 'cobol'"),
        ('languages = ["en", "fr"]\n[mixture]\nen = 0.5\nfr = 0.5', "languages has 'fr'; the world is told in en, es, zh, de"),
        ("a = [", "not a TOML file"),
    ],
)
def test_recipes_that_do_not_add_up(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRecipe, match=message):
        read_recipe(path)


def test_recipes_that_are_not_there(tmp_path):
    with pytest.raises(UnknownName, match="semhub-text"):
        read_recipe("semhub-texd")
    with pytest.raises(BadRecipe, match="no such recipe file"):
        read_recipe(tmp_path / "none.toml")


def test_every_recipe_of_the_package_reads():
    for path in RECIPES.glob("*.toml"):
        assert dataclasses.is_dataclass(read_recipe(path.stem))


def test_a_recipe_may_have_one_language_and_no_warm_up(tmp_path):
    path = tmp_path / "alone.toml"
    alone = 'languages = ["en"]\nmixture = {en = 1.0}\nbridges = {translation = 0, dictionary = 0, switched = 0}\ntraining = {warmup = 0}'
    path.write_text(alone, encoding="utf-8")
    assert streams(read_recipe(path)) == {"en": 1.0}


def test_streams_whose_shares_do_not_add_up_are_refused():
    """A recipe made by hand, which nothing has checked: what its bridges would get is nobody's."""
    with pytest.raises(BadRecipe, match=r"the shares of the streams \(en\) add up to 0.4416, not to 1"):
        streams(dataclasses.replace(read_recipe("semhub-text"), languages=("en",), mixture={"en": 1.0}, others=None))


@pytest.mark.parametrize(("name", "seed"), [("semhub-text-mispaired", 1), ("semhub-image", 0)])
def test_a_bundled_model_is_the_one_that_its_recipe_asks_for(name, seed):
    folder = find_bundled(name).path
    assert train(name, folder, seed=seed) == folder
    with pytest.raises(BadInput, match=rf"another recipe or seed \(seed is {seed} there, 7 was asked for\): choose another --out"):
        train(name, folder, seed=7)

"""Corpora of one's own, recipes in YAML, and what is refused in one clear line: bad recipes, bad text, folders cut short."""

import json
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

import semhub
from semhub import cli
from semhub.errors import BadInput, BadRecipe, ModelNotFound, UserError
from semhub.lab import grow, own, read_recipe, train
from semhub.lab.corpus import documents, streams
from semhub.lab.folder import open_grown, whole

TINY = """
corpus: corpus
mixture: {en: 0.7, fr: 0.3}
shape: {width: 16, blocks: 2, heads: 2, inner: 32, context: 64, pieces: 20}
training: {steps: 4, batch: 2, window: 16, warmup: 1, checkpoint: 2, long_share: 0.0}
"""


@pytest.fixture
def mine(tmp_path):
    """A YAML recipe beside a corpus of two languages, one of them a folder."""
    (tmp_path / "corpus" / "fr").mkdir(parents=True)
    (tmp_path / "corpus" / "en.txt").write_text("The dog runs.\n\n  The cat sleeps.  \nA cow sees it.", encoding="utf-8")
    for name, text in (("a", "Le chien court."), ("b", "Le chat dort.")):
        (tmp_path / "corpus" / "fr" / f"{name}.txt").write_text(text * 3, encoding="utf-8-sig")
    (tmp_path / "mine.yaml").write_text(TINY, encoding="utf-8")
    return tmp_path / "mine.yaml"


def test_documents_are_the_lines_of_the_files_each_as_often_as_the_others(mine):
    recipe = read_recipe(mine)
    assert recipe.languages == ("en", "fr") and streams(recipe) == {"en": 0.7, "fr": 0.3}
    read = Counter(islice(documents(recipe, "en", 0), 30))
    assert read == {"The dog runs.": 10, "The cat sleeps.": 10, "A cow sees it.": 10}
    assert list(islice(documents(recipe, "en", 0), 9)) == list(islice(documents(recipe, "en", 0), 9))
    assert "\ufeff" not in next(documents(recipe, "fr", 0))


def test_without_a_mixture_every_language_found_has_the_same_share(mine):
    mine.write_text("corpus: corpus", encoding="utf-8")
    assert dict(read_recipe(mine).mixture) == {"en": 0.5, "fr": 0.5}


def test_a_model_of_a_corpus_of_ones_own(mine, tmp_path):
    folder = train(mine, tmp_path / "out", device="cpu")
    network, words = open_grown(folder)
    assert network.config.hidden_size == 16
    assert len(words) <= 4 + 256 + 2 * 20
    for text in ("Le chien court.", "naïve 東京 12", "  two  spaces"):
        assert words.decode(words(text)["input_ids"], skip_special_tokens=True) == text
    assert semhub.load(str(folder)).certificate.passed


@pytest.mark.parametrize("columns", [("text", "language"), ("content", "lang")])
def test_a_data_set_with_a_column_of_languages(monkeypatch, columns):
    rows = [("one\ntwo", "en"), ("un", "fr"), ("", "fr")]
    data = Dataset.from_list([dict(zip(columns, row, strict=True)) for row in rows])
    monkeypatch.setattr(own, "fetch", lambda asked: DatasetDict(train=data))
    corpus = f"someone/{columns[0]}"
    assert own.languages(corpus) == ["en", "fr"]
    assert sorted(islice(own.documents(corpus, "en", 0), 2)) == ["one", "two"]


def test_a_data_set_with_a_configuration_for_each_language(monkeypatch):
    asked = []
    monkeypatch.setattr(
        own, "fetch", lambda hub_id: asked.append(hub_id) or DatasetDict(train=Dataset.from_list([{"text": hub_id.config}]))
    )
    assert own.languages("someone/wiki/{language}", ("fr", "es")) == ["es", "fr"]
    assert next(own.documents("someone/wiki/2023.{language}", "es", 0)) == "2023.es"
    assert (asked[0].name, asked[0].config) == ("someone/wiki", "2023.es")
    with pytest.raises(BadInput, match="needs a mixture"):
        own.languages("someone/wiki/{language}")


def test_data_sets_that_will_not_do(monkeypatch):
    monkeypatch.setattr(own, "fetch", lambda asked: DatasetDict(train=Dataset.from_list([{"words": "a"}])))
    with pytest.raises(BadInput, match="needs a column called text or content or sentence; it has words"):
        own.languages("someone/words")
    monkeypatch.setattr(own, "fetch", lambda asked: DatasetDict(test=Dataset.from_list([{"text": "a"}])))
    with pytest.raises(BadInput, match="no split 'train'; it has test"):
        own.languages("someone/untrained")
    with pytest.raises(BadInput, match="A corpus is a folder, or a data set id"):
        own.languages("no-such-folder")


def refused(tmp_path, text: str, suffix: str = "yaml") -> str:
    path = tmp_path / f"bad.{suffix}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        train(read_recipe(path), tmp_path / "bad", device="cpu")
    assert "\n" not in str(raised.value) and isinstance(raised.value, (BadRecipe, BadInput))
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corpus: corpus\nstepz: 3", "unknown key 'stepz'"),
        ("corpus: corpus\ntraining: {stepz: 3}", "unknown key 'stepz'"),
        ("corpus: corpus\nbridges: {translation: 0.1}", "'bridges' is about the world"),
        ("corpus: corpus\nmixture: {en: 0.5, fr: 0.3}", "add up to 0.8"),
        ("corpus: corpus\nmixture: {en: 0.5, fr: -0.5}", "should look like"),
        ("corpus: corpus\nmixture: {en: 0.5, it: 0.5}", "names 'it', but"),
        ("corpus: ./nowhere", "no corpus folder"),
        ("corpus: corpus\ntraining: {steps: many}", "steps is 'many'"),
        ("corpus: corpus\ntraining: {steps: 2.5}", "steps is 2.5"),
        ("corpus: corpus\ntraining: 3", "training is a table"),
        ("- a\n- b", "a table of keys and values; found list"),
        ("a: [", "not a YAML file"),
        ("", "found NoneType"),
        ("corpus: 3", "corpus is 3"),
        ("bridges: {digits: perhaps}", "digits is 'perhaps'"),
        ("name: 3", "name is 3"),
        ("apart: {en: 4}", "[apart] gives every language its heads"),
    ],
)
def test_recipes_that_will_not_do(mine, tmp_path, text, message):
    assert message in refused(tmp_path, text)


def test_an_empty_or_badly_encoded_corpus(mine, tmp_path):
    folder = tmp_path / "corpus"
    (folder / "en.txt").write_text("\n  \n", encoding="utf-8")
    assert "has no text in en: every line of it is empty" in refused(tmp_path, TINY)
    own._texts.cache_clear()
    (folder / "en.txt").write_bytes("fine\nnaïve\n".encode("latin-1"))
    assert f"{folder / 'en.txt'}, line 2: not UTF-8 (byte 0xef)" in refused(tmp_path, TINY)
    (folder / "fr.txt").write_text("deux fois", encoding="utf-8")
    assert "both fr.txt and a folder fr/" in refused(tmp_path, TINY)
    shutil.rmtree(folder)
    folder.mkdir()
    assert "holds no text" in refused(tmp_path, TINY)


# folders cut short ---------------------------------------------------------------------------------------------------


def halved(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def grown(mine, tmp_path):
    return train(mine, tmp_path / "out", device="cpu")


def test_a_finished_folder_cut_short_is_neither_opened_nor_taken_for_finished(mine, grown):
    halved(grown / "model.safetensors")
    for opening in (lambda: whole(grown), lambda: open_grown(grown), lambda: train(mine, grown, device="cpu")):
        with pytest.raises(BadInput, match="model.safetensors is missing or cut short: delete") as raised:
            opening()
        assert "\n" not in str(raised.value)
    with pytest.raises(UserError):
        semhub.load(str(grown))


def gone(path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("weights.safetensors", halved),
        ("moments.safetensors", halved),
        ("state.json", halved),
        ("weights.safetensors", gone),
        ("state.json", gone),
    ],
)
def test_a_checkpoint_cut_short_is_refused_in_one_line(mine, grown, tmp_path, name, harm):
    shutil.rmtree(grown)
    harm(tmp_path / "out.growing" / "step-000002" / name)
    with pytest.raises(BadInput, match=f"{name} is missing or cut short: delete .*step-000002") as raised:
        train(mine, grown, device="cpu")
    assert "\n" not in str(raised.value)
    shutil.rmtree(tmp_path / "out.growing" / "step-000002")
    assert whole(train(mine, grown, device="cpu"))


def test_a_model_grows_again_from_the_start_where_its_last_checkpoint_was_deleted(tmp_path, mine):
    """The older checkpoints have no moments left: they are written again, the newest of them with moments at every time."""
    mine.write_text(TINY.replace("steps: 4", "steps: 8"), encoding="utf-8")
    first = (train(mine, tmp_path / "out", device="cpu") / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "out")
    work = tmp_path / "out.growing"
    shutil.rmtree(work / "step-000006")
    assert not list(work.glob("step-*/moments.safetensors")) and len(list(work.glob("step-*"))) == 2
    (work / "step-000004" / "ours").touch()
    assert (train(mine, tmp_path / "out", device="cpu") / "model.safetensors").read_bytes() == first
    assert sorted(path.name for path in work.glob("step-*")) == ["step-000002", "step-000004", "step-000006"]
    assert [path.parent.name for path in work.glob("step-*/moments.safetensors")] == ["step-000006"]
    assert not (work / "step-000004" / "ours").exists() and not list(work.glob("*fresh*"))


def test_of_two_checkpoints_the_one_just_written_keeps_its_moments(tmp_path, mine, monkeypatch):
    """Begun again from the start and stopped once more, training goes on where it was stopped."""
    mine.write_text(TINY.replace("steps: 4", "steps: 8"), encoding="utf-8")
    train(mine, tmp_path / "out", device="cpu")
    shutil.rmtree(tmp_path / "out")
    work = tmp_path / "out.growing"
    shutil.rmtree(work / "step-000006")
    real = grow.put
    stop = lambda fresh, folder: (real(fresh, folder), monkeypatch.setattr(grow, "put", None))  # noqa: E731
    monkeypatch.setattr(grow, "put", stop)
    with pytest.raises(TypeError):
        train(mine, tmp_path / "out", device="cpu")
    assert [path.parent.name for path in work.glob("step-*/moments.safetensors")] == ["step-000002"]


def refused_in_one_line(mine, out, match: str, seed: int = 0) -> None:
    with pytest.raises(BadInput, match=match) as raised:
        train(mine, out, seed=seed, device="cpu")
    assert "\n" not in str(raised.value)


def test_a_finished_folder_is_returned_for_its_own_recipe_and_seed_alone(mine, grown):
    before = (grown / "model.safetensors").read_bytes()
    assert train(mine, grown, device="cpu") == grown
    refused_in_one_line(mine, grown, r"another recipe or seed \(seed is 0 there, 1 was asked for\): choose another --out", seed=1)
    mine.write_text(TINY.replace("steps: 4", "steps: 5"), encoding="utf-8")
    refused_in_one_line(mine, grown, r"\(training.steps is 4 there, 5 was asked for\): choose another --out")
    mine.write_text(TINY.replace("blocks: 2", "blocks: 3"), encoding="utf-8")
    refused_in_one_line(mine, grown, r"\(shape.blocks is 2 there, 3 was asked for\)")
    assert (grown / "model.safetensors").read_bytes() == before


def test_a_record_of_older_code_is_read_with_its_defaults_and_one_of_other_code_refused(mine, grown):
    record = json.loads((grown / "recipe.json").read_text(encoding="utf-8"))
    del record["recipe"]["training"]["optimizer"]
    (grown / "recipe.json").write_text(json.dumps(record), encoding="utf-8")
    assert train(mine, grown, device="cpu") == grown
    record["recipe"]["smell"] = 1
    (grown / "recipe.json").write_text(json.dumps(record), encoding="utf-8")
    refused_in_one_line(mine, grown, "unknown key 'smell'.*choose another --out")
    for theirs in ("{}", "[]", '{"recipe": 3}'):
        (grown / "recipe.json").write_text(theirs, encoding="utf-8")
        refused_in_one_line(mine, grown, "the lab did not grow what lies there.*choose another --out")
    (grown / "recipe.json").unlink()
    refused_in_one_line(mine, grown, "the lab did not grow it.*choose another --out")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_finished_folder_that_was_cut_short_is_not_taken_for_a_whole_one(mine, grown, name):
    halved(grown / name)
    refused_in_one_line(mine, grown, f"{name} is missing or cut short: delete .* and run the same command again")


def test_more_words_than_two_bytes_can_count_are_kept_whole(mine):
    class Words:
        def __len__(self):
            return 70_000

        def __call__(self, texts):
            return {"input_ids": [[69_999, 3] for _ in texts]}

    assert set(grow.packed_windows(read_recipe(mine), Words(), 4, 6, 0).flat) == {69_999, 3}


def test_a_folder_that_holds_other_things_is_refused_before_anything_is_grown(mine, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    refused_in_one_line(mine, tmp_path / "out", "holds other things: choose another --out")
    refused_in_one_line(mine, tmp_path / "out" / "notes.txt", "holds other things")
    assert not (tmp_path / "out.growing").exists()
    (tmp_path / "out" / "notes.txt").unlink()
    assert whole(train(mine, tmp_path / "out", device="cpu"))


@pytest.mark.parametrize(
    ("name", "at_fault"),
    [
        ("short-0.npy", "short-0.npy"),
        ("long-0.npy", "long-0.npy"),
        ("tokenizer/tokenizer.json", "tokenizer"),
        ("tokenizer/tokenizer_config.json", "tokenizer"),
    ],
)
def test_what_a_training_goes_on_from_is_refused_in_one_line_where_it_was_cut_short(tmp_path, mine, name, at_fault):
    """And after what the line says was deleted, the same weights are grown."""
    mine.write_text(TINY.replace("long_share: 0.0", "long_share: 0.25"), encoding="utf-8")
    first = (train(mine, tmp_path / "out", device="cpu") / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "out")
    work = tmp_path / "out.growing"
    for harm in (halved, lambda path: path.write_bytes(b"")):
        harm(work / name)
        refused_in_one_line(mine, tmp_path / "out", f"{Path(name).name} is missing or cut short: delete .*{at_fault} and run")
    shutil.rmtree(work / at_fault) if (work / at_fault).is_dir() else (work / at_fault).unlink()
    assert (train(mine, tmp_path / "out", device="cpu") / "model.safetensors").read_bytes() == first


def test_fewer_windows_than_the_recipe_asks_for_and_a_tokenizer_of_another_build_are_refused(tmp_path, mine, grown):
    shutil.rmtree(grown)
    windows = tmp_path / "out.growing" / "short-0.npy"
    whole_one = windows.read_bytes()
    np.save(windows, np.load(windows)[:-2])
    refused_in_one_line(mine, grown, "short-0.npy is missing or cut short")
    windows.write_bytes(whole_one)
    (tmp_path / "out.growing" / "tokenizer" / "tokenizer.json").write_text('{"model": {}}', encoding="utf-8")
    refused_in_one_line(mine, grown, "tokenizer.json is damaged: delete .*tokenizer and run")


@pytest.mark.parametrize("harm", [gone, halved])
def test_a_card_of_a_model_without_its_losses_is_refused_in_one_line(grown, harm, capsys):
    harm(grown / "losses.json")
    with pytest.raises(SystemExit) as ended:
        cli.main(["lab", "card", str(grown)])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and "losses.json is missing or cut short" in said and "\n" not in said
    assert not (grown / "exam.json").exists()


@pytest.mark.parametrize("stage", ["save_pretrained of the tokenizer", "the card"])
def test_a_folder_that_was_being_finished_does_not_open_as_a_whole_one(mine, tmp_path, monkeypatch, stage):
    from transformers import PreTrainedTokenizerFast

    real = PreTrainedTokenizerFast.save_pretrained
    cut = lambda self, folder, **more: (_ for _ in ()).throw(KeyboardInterrupt) if "fresh" in str(folder) else real(self, folder, **more)  # noqa: E731
    with monkeypatch.context() as patched:
        if stage == "the card":
            patched.setattr(grow, "card", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        else:
            patched.setattr(PreTrainedTokenizerFast, "save_pretrained", cut)
        with pytest.raises(KeyboardInterrupt):
            train(mine, tmp_path / "out", device="cpu")
    with pytest.raises(ModelNotFound):
        semhub.load(str(tmp_path / "out"))
    for half in (tmp_path / "out.growing", tmp_path / "out.growing" / "step-000002"):
        with pytest.raises(ModelNotFound):
            semhub.load(str(half))
    assert semhub.load(str(train(mine, tmp_path / "out", device="cpu"))).certificate.passed


# the compiler --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [{"PATH": ""}, {"CXX": "no-such-compiler"}], ids=["no path", "CXX"])
def test_the_lab_works_without_a_compiler_and_says_so_when_one_is_asked_for(mine, tmp_path, monkeypatch, capsys, hidden):
    monkeypatch.delenv("CXX", raising=False)
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        cli.main(["lab", "train", str(mine), "--out", str(tmp_path / "out"), "--device", "cpu", "--compile"])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and said.startswith("semhub: --compile needs a C++ compiler") and "\n" not in said
    assert not (tmp_path / "out.growing").exists()
    assert whole(train(mine, tmp_path / "out", device="cpu"))


def test_the_record_of_a_corpus_of_ones_own_says_what_was_read(grown):
    recipe = json.loads((grown / "recipe.json").read_text(encoding="utf-8"))["recipe"]
    assert recipe["mixture"] == {"en": 0.7, "fr": 0.3} and recipe["corpus"].endswith("/corpus")

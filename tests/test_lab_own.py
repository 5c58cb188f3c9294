"""Corpora of one's own, recipes in YAML, and what is refused in one clear line: bad recipes, bad text, folders cut short."""

import json
import shutil
from collections import Counter
from itertools import islice

import pytest
from datasets import Dataset, DatasetDict

import semhub
from semhub import cli
from semhub.errors import BadInput, BadRecipe, ModelNotFound, UserError
from semhub.lab import own, read_recipe, train
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


@pytest.mark.parametrize("stage", ["save_pretrained of the tokenizer", "the card"])
def test_a_folder_that_was_being_finished_does_not_open_as_a_whole_one(mine, tmp_path, monkeypatch, stage):
    from transformers import PreTrainedTokenizerFast

    from semhub.lab import grow

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

"""Running text and reviews: what is read of each language, from files and from the hub, and what is named as bad."""

import gzip
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semhub.data import running
from semhub.data.languages import type_table
from semhub.data.pairs import read_pairs
from semhub.data.reviews import judged, prompts, read_sentiments
from semhub.data.running import read_mc4, read_wikipedia
from semhub.data.sources import read_source
from semhub.errors import BadInput, UnknownName


def put(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


# running text --------------------------------------------------------------------------------------------------------


def test_lines_of_a_folder_and_of_a_file(tmp_path):
    found = read_wikipedia(put(tmp_path, {"zh.txt": "一\r\n\n二\n", "en.jsonl": '{"text": "One\\ntwo\\n\\nthree"}\n'}))
    assert {type: list(lines) for type, lines in found.items.items()} == {"en": ["One", "two", "three"], "zh": ["一", "二"]}
    assert list(found.items["zh"]) == ["一", "二"], "they can be walked again"
    assert found.counts == {"rows": 5, "kept": 5} and "3 of en, 2 of zh" in found.notices[0]
    assert list(read_wikipedia(tmp_path / "zh.txt").items["zh"]) == ["一", "二"]
    assert read_wikipedia(tmp_path / "zh.txt").hash != found.hash


def test_a_corpus_keeps_documents_whole_and_counts_its_first_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "MOST_DOCUMENTS", 2)
    documents = "".join(json.dumps({"text": f"a b\n{k}"}) + "\n" for k in range(5))
    found = read_mc4(put(tmp_path, {"en.jsonl.gz": gzip.compress(documents.encode()), "es.txt": "c c\n"}))
    assert list(found.items["en"]) == ["a b\n0", "a b\n1"] and len(found.items["es"]) == 1
    letters = {c: i for i, c in enumerate("abc 01\n")}
    table = type_table(found.items, lambda text: [letters[c] for c in text], 10)
    assert table.types == ("en", "es") and table.tokens == {"en": 10, "es": 3} and table.coverage == pytest.approx(7 / 10)
    assert table.table[letters["a"]].tolist() == [1, 0] and table.table[9].tolist() == [0.5, 0.5]


def test_bad_lines_are_named_or_left_out(tmp_path):
    put(tmp_path, {"en.txt": b"fine\n\xe9t\xe9\n" + b"x" * 20_001 + b"\nlast\n", "zh.txt": "一\n"})
    with pytest.raises(BadInput, match=r"en.txt line 2: the text is not UTF-8 .*en.txt line 3: the text has 20,001 characters"):
        read_wikipedia(tmp_path)
    found = read_wikipedia(tmp_path, skip_bad=True)
    assert list(found.items["en"]) == ["fine", "last"] and found.counts["left out: bad rows"] == 2 and len(found.skipped) == 2


LINE = st.text(st.characters(exclude_characters="\n\r\0\ufeff", exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINE, max_size=8))
def test_any_lines_survive(tmp_path, lines):
    put(tmp_path, {"en.txt": "\n".join(["first", *lines]) + "\n"})
    assert list(read_wikipedia(tmp_path / "en.txt").items["en"]) == ["first", *(line for line in lines if line.strip())]


# reviews -------------------------------------------------------------------------------------------------------------


def test_reviews_of_every_layout(tmp_path):
    rows = [("Bien", "positive"), ("Mal", "2"), ("Bien", "positive"), ("Así", "neutral"), ("x" * 2001, "0")]
    put(tmp_path, {"es.csv": "text,label\n" + "".join(f"{t},{k}\n" for t, k in rows), "zh.jsonl": '{"text": "好", "label": 0}\n'})
    found = read_sentiments(tmp_path)
    assert [(r.type, r.text, r.label) for r in found.items] == [
        ("es", "Bien", "positive"),
        ("es", "Mal", "negative"),
        ("es", "Así", "neutral"),
        ("zh", "好", "positive"),
    ]
    assert found.counts == {"rows": 6, "kept": 4, "left out: the text stands there before": 1, "left out: more than 2,000 characters": 1}
    assert [p.text for p in prompts(found.items, ("es",), 2, 1)] == ["Mal", "Así"]
    assert [r.text for r in judged(found.items, "es", 1)] == ["Mal"], "neutral ones test no judge"
    table = put(tmp_path, {"all.csv": "text,label,language\nBien,positive,spanish\n好,0,zh\n"}) / "all.csv"
    assert [r.type for r in read_sentiments(table).items] == ["es", "zh"]


# the hub -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for the hub: `sets[name, config, split]` are rows; what is asked is kept, at which commit and how."""
    fake = ModuleType("datasets")
    fake.sets, fake.asked, fake.licence = {}, [], "cc-by-sa-4.0"

    def load_dataset(name, config, revision, split, streaming=False):
        fake.asked.append((name, config, revision, split, streaming))
        return fake.sets[name, config, split]

    def dataset_info(api, name, revision=None, timeout=None):
        return SimpleNamespace(sha="c0ffee", card_data=SimpleNamespace(license=fake.licence))

    fake.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", fake)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return fake


def test_a_data_set_is_read_at_the_commit_that_its_name_stands_for(hub):
    hub.sets["owner/set", None, "test"] = [{"en": "one", "zh": "一"}]
    pairs = read_pairs("owner/set:test")
    assert hub.asked == [("owner/set", None, "c0ffee", "test", False)]
    assert (pairs.source, pairs.revision, pairs.licence) == ("owner/set@c0ffee:test", "c0ffee", "cc-by-sa-4.0")


def test_one_configuration_per_language_is_joined_by_id(hub):
    hub.sets["o/flores", "eng_Latn", "dev"] = [{"id": 1, "text": "One", "url": "x"}, {"id": 2, "text": "Two", "url": "y"}]
    hub.sets["o/flores", "cmn_Hans", "dev"] = [{"id": 2, "text": "二"}, {"id": 1, "text": "一"}]
    pairs = read_pairs("o/flores/eng_Latn+cmn_Hans:dev")
    assert pairs.types == ("en", "zh") and [(c.text("en"), c.text("zh")) for c in pairs.concepts] == [("One", "一"), ("Two", "二")]
    assert pairs.source == "o/flores/eng_Latn+cmn_Hans@c0ffee:dev"
    hub.sets["o/flores", "cmn_Hans", "dev"] = [{"id": 1, "text": "一"}]
    with pytest.raises(BadInput, match=r"o/flores/eng_Latn:dev line 2: no partner: the id '2'"):
        read_pairs("o/flores/eng_Latn+cmn_Hans:dev")


def test_columns_of_flores_and_of_configurations(hub):
    hub.sets["o/set", "eng_Latn-zho_Hans", "dev"] = [{"id": 1, "sentence_eng_Latn": "One", "sentence_zho_Hans": "一", "topic": "news"}]
    pairs = read_pairs("o/set/eng_Latn-zho_Hans:dev")
    assert pairs.types == ("en", "zh") and pairs.concepts[0].facets == {"topic": "news"}


def test_running_text_of_the_hub_is_streamed(hub):
    hub.sets["o/wiki", "20231101.zh", "train"] = [{"text": "一\n二"}, {"text": "三"}]
    hub.sets["o/wiki", "20231101.es", "train"] = [{"text": "uno"}]
    found = read_source("wikipedia", "o/wiki/20231101.zh+20231101.es")
    assert {t: list(lines) for t, lines in found.items.items()} == {"zh": ["一", "二", "三"], "es": ["uno"]}
    assert all(streaming for *_, streaming in hub.asked) and found.revision == "c0ffee"
    assert found.record()["source"] == "o/wiki/20231101.zh+20231101.es@c0ffee:train" and found.licence == "cc-by-sa-4.0"
    with pytest.raises(BadInput, match="LANGUAGE:split"):
        read_source("wikipedia", "o/wiki")


def test_reviews_of_the_hub(hub):
    hub.sets["o/s", "spanish", "test"] = [{"text": "Bien", "label": 0, "source": "x"}]
    hub.sets["o/s", "chinese", "test"] = [{"text": "坏", "label": 2}]
    found = read_source("sentiments", "o/s/spanish+chinese:test")
    assert [(r.type, r.label) for r in found.items] == [("es", "positive"), ("zh", "negative")] and found.revision == "c0ffee"


def test_a_gated_data_set_says_what_to_accept(hub, monkeypatch):
    class GatedRepoError(OSError):
        pass

    def dataset_info(api, name, **keywords):
        raise GatedRepoError("401 Client Error.")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)
    with pytest.raises(BadInput, match=r"gated: accept its terms on huggingface.co/datasets/o/set and log in"):
        read_pairs("o/set:dev")


# names ---------------------------------------------------------------------------------------------------------------


def test_kinds_have_the_names_of_their_data(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"code": "x = 1"}\n', encoding="utf-8")
    assert read_source("mbpp", tmp_path / "p.jsonl").hash == read_source("code", tmp_path / "p.jsonl").hash
    with pytest.raises(UnknownName, match="did you mean 'wikipedia'"):
        read_source("wikipedias", tmp_path)
    with pytest.raises(BadInput, match="GALE is parallel text"):
        read_source("gale", tmp_path)


def test_a_dictionary_is_read_by_a_data_sets_id_whose_text_is_its_lines(hub, tmp_path):
    lines = ["# CC-CEDICT", "貓 猫 [mao1] /cat/", "", "王 王 [Wang2] /surname Wang/", "好 好 [[hao3]] /good/well/"]
    hub.sets["owner/cedict", None, "train"] = [{"text": line} for line in lines]
    (tmp_path / "cedict.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found, here = read_source("cedict", "owner/cedict:train"), read_source("cedict", tmp_path / "cedict.txt")
    assert dict(found.items) == {"猫": ("cat",), "好": ("good",)} and (found.hash, found.counts) == (here.hash, here.counts)
    assert (found.source, found.revision, found.licence) == ("owner/cedict@c0ffee:train", "c0ffee", "cc-by-sa-4.0")
    hub.sets["owner/cedict", None, "train"] = [{"text": lines[1]}, {"simplified": "狗"}, {"text": "狗"}]
    with pytest.raises(BadInput, match=r"line 2: the line is missing \(column text\); owner/cedict:train line 3: the line is no entry"):
        read_source("cedict", "owner/cedict:train")
    found = read_source("cedict", "owner/cedict:train", skip_bad=True)
    assert dict(found.items) == {"猫": ("cat",)} and found.counts["left out: bad rows"] == 2


def test_a_dictionary_that_cannot_be_fetched_says_where_to_put_the_file(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match="could not be fetched .* put cedict_1_0_ts_utf-8_mdbg.txt.gz of www.mdbg.net into data/"):
        read_source("cedict", "owner/a-dictionary-that-nobody-has")
    for gone in ("data/cedict.txt.gz", "data/cedict_ts.u8"):
        with pytest.raises(BadInput, match=f"^There is no dictionary at {gone}; put cedict"):
            read_source("cedict", gone)

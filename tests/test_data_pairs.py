"""Own pairs: every format gives the same content, and a row that cannot be used is named with file, line and reason."""

import csv
import gzip
import io
import json
import sys
import time
import types
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semhub.data.delimited import is_quoted
from semhub.data.names import file_type, short_names, type_columns, type_of
from semhub.data.pairs import read_pairs
from semhub.errors import BadInput

ROWS = [
    {"id": "a", "en": 'He said "go".', "zh": "他说“走”。"},
    {"id": "b", "en": "e\u0301 stays decomposed", "zh": "第二\u2028行"},
    {"id": "c", "en": "مرحبا, بالعالم", "zh": "三；\u00a0四"},
]
EXAMPLES = Path(__file__).parent.parent / "examples" / "data"

CELL = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), min_size=1, max_size=30).filter(str.strip)
TABLE = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def jsonl(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def delimited(rows, separator=",", **style) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n", **style)
    writer.writerows([list(rows[0]), *(list(row.values()) for row in rows)])
    return out.getvalue()


def plain(rows) -> str:
    return "".join("\t".join(cells) + "\n" for cells in [list(rows[0]), *(row.values() for row in rows)])


def texts(pairs) -> list[tuple[str, ...]]:
    return [tuple(concept.text(type) for type in pairs.types) for concept in pairs.concepts]


def read_one(tmp_path, name, text, **keywords):
    return read_pairs(write(tmp_path / name, text), **keywords)


def refusal(path, **keywords) -> str:
    with pytest.raises(BadInput) as caught:
        read_pairs(path, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# formats ---------------------------------------------------------------------------------------------------------------


def parquet(rows) -> bytes:
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


FORMATS = {
    "p.jsonl": jsonl(ROWS),
    "p.jsonl.gz": gzip.compress(jsonl(ROWS).encode()),
    "bom.jsonl": "\ufeff" + jsonl(ROWS),
    "p.csv": delimited(ROWS),
    "semicolon.csv": delimited(ROWS, ";"),
    "crlf.csv": delimited(ROWS).replace("\n", "\r\n"),
    "bom.csv": "\ufeff" + delimited(ROWS),
    "plain.tsv": plain(ROWS),
    "bom.tsv": "\ufeff" + plain(ROWS).replace("\n", "\r\n"),
    "quoted.tsv": delimited(ROWS, "\t"),
    "all-quoted.tsv": delimited(ROWS, "\t", quoting=csv.QUOTE_ALL),
    "p.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_content(tmp_path, name):
    pairs = read_one(tmp_path, name, FORMATS[name])
    assert texts(pairs) == [(row["en"], row["zh"]) for row in ROWS]
    assert [concept.id for concept in pairs.concepts] == ["a", "b", "c"]
    assert pairs.hash == read_one(tmp_path, "reference.jsonl", jsonl(ROWS)).hash
    assert pairs.skipped == [] and pairs.types == ("en", "zh")


def test_hash_follows_the_content_alone(tmp_path):
    changed = [{**ROWS[0], "zh": ROWS[0]["zh"] + "。"}, *ROWS[1:]]
    hashes = {read_one(tmp_path, f"{i}.jsonl", jsonl(rows)).hash for i, rows in enumerate((ROWS, changed, ROWS[::-1], ROWS[:2]))}
    assert len(hashes) == 4


@quick
@given(TABLE)
def test_any_text_survives_jsonl(tmp_path, table):
    rows = [{"en": a, "zh": b} for a, b in table]
    assert texts(read_one(tmp_path, "p.jsonl", jsonl(rows))) == table


@quick
@given(TABLE)
def test_any_text_survives_csv(tmp_path, table):
    assert texts(read_one(tmp_path, "p.csv", delimited([{"en": a, "zh": b} for a, b in table]))) == table


@quick
@given(TABLE)
def test_any_text_survives_a_quoted_tsv(tmp_path, table):
    text = delimited([{"en": a, "zh": b} for a, b in table], "\t", quoting=csv.QUOTE_ALL)
    assert texts(read_one(tmp_path, "p.tsv", text)) == table


@quick
@given(TABLE)
def test_any_text_without_a_tab_survives_a_plain_tsv(tmp_path, table):
    table = [tuple(cell.replace("\t", "_") for cell in row) for row in table]
    lines = ["en\tzh", *("\t".join(row) for row in table)]
    if not is_quoted(lines):  # a plain file all of whose quotes are doubled and enclosed cannot be told from a quoted one
        assert texts(read_one(tmp_path, "p.tsv", "\n".join(lines))) == table


@quick
@given(TABLE)
def test_any_text_survives_aligned_files(tmp_path, table):
    folder = tmp_path / "aligned"
    folder.mkdir(exist_ok=True)
    for side, name in enumerate(("en.txt", "zh.txt")):
        write(folder / name, "".join(row[side] + "\n" for row in table))
    assert texts(read_pairs(folder)) == table


@quick
@given(st.binary(max_size=200), st.sampled_from(["p.jsonl", "p.csv", "p.tsv"]))
def test_no_bytes_end_in_another_error(tmp_path, noise, name):
    path = write(tmp_path / name, b"en,zh\n" + noise)
    try:
        assert read_pairs(path, types=["en", "zh"], skip_bad=True).concepts
    except BadInput:
        pass


# quotes in TSV and CSV ---------------------------------------------------------------------------------------------------


def test_stray_quote_in_tsv_is_a_character(tmp_path):
    text = 'en\tzh\n"Open\t开\n5" pipe\t管\n"No."\t"不。"\nlast\t最后\n'
    assert texts(read_one(tmp_path, "p.tsv", text)) == [('"Open', "开"), ('5" pipe', "管"), ('"No."', '"不。"'), ("last", "最后")]


def test_quoted_tsv_may_hold_tabs_and_line_breaks(tmp_path):
    text = 'en\tzh\n"a\tb"\t甲\n"c\nd"\t乙\n'
    assert texts(read_one(tmp_path, "p.tsv", text)) == [("a\tb", "甲"), ("c\nd", "乙")]


def test_stray_quote_in_csv_spoils_its_own_row_only(tmp_path):
    text = 'en,zh\ngood,好\n"open,开\n5" pipe,管\n"two\nlines",两\nlast,后\n'
    pairs = read_one(tmp_path, "p.csv", text, skip_bad=True)
    assert texts(pairs) == [("good", "好"), ('5" pipe', "管"), ("two\nlines", "两"), ("last", "后")]
    assert [(row.line, "quote" in row.reason) for row in pairs.skipped] == [(3, True)]


def test_many_stray_quotes_stay_quick(tmp_path):
    text = "en,zh\n" + '"open,开\ngood,好\n' * 3000
    start = time.perf_counter()
    pairs = read_one(tmp_path, "p.csv", text, skip_bad=True)
    assert len(pairs) == len(pairs.skipped) == 3000 and time.perf_counter() - start < 5


# bad rows --------------------------------------------------------------------------------------------------------------

BAD = {
    "missing side": ('{"en": "b"}', "the side 'zh' is missing"),
    "null side": ('{"en": "b", "zh": null}', "the side 'zh' is missing"),
    "empty text": ('{"en": " ", "zh": "乙"}', "the side 'en' is empty"),
    "number": ('{"en": "b", "zh": 2}', "the side 'zh' is no text but int"),
    "picture": ('{"en": "b", "zh": {"bytes": 1}}', "the side 'zh' is no text but dict"),
    "over-long": ('{"en": "b", "zh": "%s"}' % ("乙" * 51), "the side 'zh' has 51 characters, more than 50"),
    "no JSON": ('{"en": "b", zh}', "no JSON"),
    "no object": ('["b", "乙"]', "one JSON object per line"),
    "bytes": (b'{"en": "b\xe9", "zh": "\xe4\xb9\x99"}', "is not UTF-8 (byte 0xe9 at character 10)"),
    "surrogate": ('{"en": "b", "zh": "\\ud800"}', "the side 'zh' is not UTF-8 (a lone surrogate U+D800"),
    "NUL": ('{"en": "b", "zh": "\\u0000b"}', "NUL"),
    "duplicate id": ('{"id": "1", "en": "b", "zh": "乙"}', "the id '1' stands on line 1 too"),
    "empty id": ('{"id": "", "en": "b", "zh": "乙"}', "the id is empty"),
    "bad negative": ('{"id": "2", "en": "b", "zh": "乙", "zh:swapped": 3}', "the column 'zh:swapped' is no text"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_row_is_named_and_can_be_skipped(tmp_path, kind):
    line, reason = BAD[kind]
    lines = [b'{"id": "1", "en": "a", "zh": "\xe7\x94\xb2"}', line if isinstance(line, bytes) else line.encode()]
    if "id" not in kind and "negative" not in kind:
        lines[0] = '{"en": "a", "zh": "甲"}'.encode()
    path = write(tmp_path / "p.jsonl", b"\n".join(lines))
    message = refusal(path, max_chars=50)
    assert "1 bad row in" in message and "p.jsonl line 2: " in message and reason in message
    pairs = read_pairs(path, skip_bad=True, max_chars=50)
    assert [(row.file, row.line) for row in pairs.skipped] == [("p.jsonl", 2)] and reason in pairs.skipped[0].reason
    assert texts(pairs) == [("a", "甲")]


def test_message_shows_the_first_bad_rows_and_the_count(tmp_path):
    path = write(tmp_path / "p.tsv", "en\tzh\n" + "a\t甲\n" + "b\n" * 7)
    message = refusal(path)
    assert "7 bad rows" in message and message.count("p.tsv line") == 3
    assert "line 3: 1 cells where the header has 2" in message and "--skip-bad" in message


def test_nothing_left_is_refused_even_when_skipping(tmp_path):
    assert "No usable row" in refusal(write(tmp_path / "p.tsv", "en\tzh\na\t\n"), skip_bad=True)
    assert "No usable row" in refusal(write(tmp_path / "q.tsv", "en\tzh\n"))


def test_row_of_two_empty_cells_is_no_blank_line(tmp_path):
    assert "line 3: the side 'en' is empty" in refusal(write(tmp_path / "p.tsv", "en\tzh\na\t甲\n\t\n\nb\t乙\n"))


FILES = {
    "utf16.csv": ("en,zh\na,甲\n".encode("utf-16"), "UTF-16"),
    "empty.csv": ("", "is empty"),
    "none.jsonl": ("", "No usable row"),
    "bad.jsonl": ("en\nzh\n", "2 bad ones: bad.jsonl line 1: no JSON"),
    "twice.csv": ("en,zh,en\na,甲,b\n", "names the column 'en' twice"),
    "words.csv": ("english,chinese\na,甲\n", "found: english, chinese"),
    "noise.parquet": ("no parquet", "cannot be read"),
    "p.xlsx": ("", "ends in .xlsx"),
    "cut.jsonl.gz": (gzip.compress(jsonl(ROWS).encode())[:-9], "cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_file_gets_one_line(tmp_path, name):
    text, reason = FILES[name]
    message = refusal(write(tmp_path / name, text))
    assert reason in message and name in message


def test_what_is_not_there_gets_one_line(tmp_path):
    assert "There is no file or folder" in refusal(tmp_path / "nothing")
    assert "There is no file or folder" in refusal("data/nothing.jsonl")
    assert "There is no file or folder" in refusal("nothing")
    assert "['en', 'zh']" in refusal("nothing", types="en,zh")


# columns -----------------------------------------------------------------------------------------------------------------


def test_columns_become_forms_contrasts_and_facets(tmp_path):
    row = {"zh": "狗追人", "en": "dog chases man", "zh:swapped": "人追狗", "en:swapped": "man chases dog", "group": "g1", "level": 3}
    more = {"zh": "猫", "en": "cat", "zh:swapped": "", "group": "g2", "level": 4, "long": "x" * 300, "list": [1]}
    pairs = read_one(tmp_path, "p.jsonl", jsonl([row, more]))
    first, second = pairs.concepts
    assert pairs.types == ("zh", "en") and (first.id, second.id) == ("1", "2")
    assert first.contrasts["swapped"].text("zh") == "人追狗" and first.contrasts["swapped"].text("en") == "man chases dog"
    assert first.contrasts["swapped"].id == "1:swapped" and second.contrasts == {}
    assert first.facets == {"group": "g1", "level": "3"}
    assert sorted(pairs.notices) == [f"not kept, for it is no short value: the column '{name}' of 1 rows" for name in ("list", "long")]


def test_types_pick_and_order_columns(tmp_path):
    row = {"de": "eins", "english": "one", "en": "ONE", "zho_Hans": "一"}
    path = write(tmp_path / "p.jsonl", jsonl([row]))
    assert read_pairs(path).types == ("de", "en", "zh")
    assert texts(read_pairs(path, types=["zh", "english"])) == [("一", "one")]
    assert read_pairs(path, types=["zh", "english"]).concepts[0].facets == {"de": "eins", "en": "ONE"}
    assert "no column for the type 'fr'; found: de, english, en, zho_Hans" in refusal(path, types=["en", "fr"])
    assert "two or more" in refusal(path, types=["en"])


def test_two_scripts_of_one_language_keep_their_names(tmp_path):
    path = write(tmp_path / "p.jsonl", jsonl([{"zho_Hans": "汉", "zho_Hant": "漢", "eng_Latn": "Han"}]))
    assert read_pairs(path).types == ("zho_Hans", "zho_Hant", "en")
    assert "zho_Hans and zho_Hant" in refusal(path, types=["zh", "en"])


def test_names_of_types():
    given = ["en", "EN", "eng", "eng_Latn", "zh-TW", "zho_simp", "cmn_Hans", "ceb_Latn", "digits", "pes_Arab"]
    assert [type_of(name) for name in given] == ["en", "en", "en", "en", "zh", "zh", "zh", "ceb", "digits", "fa"]
    assert [type_of(name) for name in ("text", "url", "xx", "english", "de-en", "", "tsv", "txt", "dev", "md", "gz")] == [None] * 11
    assert type_columns(["en", "zh", "cat", "run"]) == {"en": "en", "zh": "zh"}
    assert type_columns(["eng", "zho", "digits"]) == {"en": "eng", "zh": "zho", "digits": "digits"}
    names = ["zh.tsv", "eng_Latn.dev", "newstest2019-ref.deu.txt", "Books.en-es.es", "LICENSE.txt"]
    assert [file_type(name) for name in names] == ["zh", "eng_Latn", "deu", "es", None]
    assert short_names(["zho-CN", "zho-TW", "deu", "x"]) == {"zho-CN": "zho-CN", "zho-TW": "zho-TW", "de": "deu", "x": "x"}


def test_remarks_name_what_moves_a_similarity(tmp_path):
    rows = [{"en": "same", "de": "same"}, {"en": "same", "de": "end "}, {"en": "lost \ufffd", "de": "x"}]
    notices = " | ".join(read_one(tmp_path, "p.jsonl", jsonl(rows)).notices)
    assert "1 of 3 rows have the same text in de and en" in notices and "repeat an earlier text of en" in notices
    assert "end in white space in de" in notices and "U+FFFD in en" in notices


# folders -----------------------------------------------------------------------------------------------------------------


def folder_of(tmp_path, **files) -> Path:
    for name, text in files.items():
        write(tmp_path / name.replace("__", "."), text)
    return tmp_path


def test_tables_are_joined_by_id(tmp_path):
    folder = folder_of(
        tmp_path, en__tsv="sent_id\ttext\n2\ttwo\n1\tone\n", zh__tsv="sent_id\ttext\tnote\n1\t一\tn\n2\t二\tn\n", README__md="x"
    )
    pairs = read_pairs(folder)
    assert texts(pairs) == [("two", "二"), ("one", "一")] and [c.id for c in pairs.concepts] == ["2", "1"]
    assert any("README.md" in note for note in pairs.notices) and any("not read in zh.tsv: note" in note for note in pairs.notices)


def test_tables_without_a_header_are_id_and_text(tmp_path):
    folder = folder_of(tmp_path, en__tsv="n1\tone\nn2\ttwo\n", zh__jsonl=jsonl([{"id": "n2", "zh": "二"}, {"id": "n1", "zh": "一"}]))
    assert texts(read_pairs(folder)) == [("one", "一"), ("two", "二")]


def test_ids_without_a_partner_are_named(tmp_path):
    folder = folder_of(tmp_path, en__tsv="id\ttext\n1\tone\n2\ttwo\n2\tdeux\n3\tthree\n", zh__tsv="id\ttext\n3\t\n1\t一\n4\t四\n")
    pairs = read_pairs(folder, skip_bad=True)
    assert texts(pairs) == [("one", "一")]
    assert {(row.file, row.line): row.reason for row in pairs.skipped} == {
        ("en.tsv", 4): "the id '2' stands on line 3 too",
        ("en.tsv", 3): "no partner: the id '2' has no usable row in zh.tsv",
        ("zh.tsv", 2): "the side 'zh' is empty",
        ("zh.tsv", 4): "no partner: the id '4' has no usable row in en.tsv",
    }


def test_unequal_line_counts_are_named_line_by_line(tmp_path):
    folder = folder_of(tmp_path, eng_Latn__dev="one\ntwo\nthree\n", zho_Hans__dev="一\n\n")
    assert "2 bad rows" in refusal(folder)
    pairs = read_pairs(folder, skip_bad=True)
    assert pairs.types == ("en", "zh") and texts(pairs) == [("one", "一")]
    assert [(row.file, row.line) for row in pairs.skipped] == [("zho_Hans.dev", 2), ("eng_Latn.dev", 3)]
    assert "zho_Hans.dev ends after 2 lines" in pairs.skipped[1].reason


def test_folders_that_do_not_fit_get_one_line(tmp_path):
    (tmp_path / "dev").mkdir()
    folder = folder_of(tmp_path, en__txt="one\n")
    assert "found: en.txt, dev/" in refusal(folder)
    assert "One file of fr was expected" in refusal(folder_of(tmp_path, zh__txt="一\n"), types=["en", "fr"])
    assert "both of the type 'en'" in refusal(folder_of(tmp_path, test__en="one\n"))
    (tmp_path / "test.en").unlink()
    assert "mixes tables" in refusal(folder_of(tmp_path, de__tsv="id\ttext\n1\teins\n"))
    assert texts(read_pairs(tmp_path, types=["zh", "en"])) == [("一", "one")]


def test_table_without_id_or_text_is_refused(tmp_path):
    folder = folder_of(tmp_path, en__csv="a,b,c\n1,2,3\n", zh__csv="id,text\n1,一\n")
    assert "needs an id column" in refusal(folder)


# the hub -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for `datasets`: records what was asked, gives `answer` or raises it."""
    fake = types.SimpleNamespace(asked=[], answer=[])

    def load_dataset(name, config, revision, split):
        fake.asked.append((name, config, revision, split))
        if isinstance(fake.answer, Exception):
            raise fake.answer
        return fake.answer

    fake.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", fake)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return fake


def test_hub_rows_and_spellings(hub):
    hub.answer = [{"en": "one", "zh": "一", "id": 7}]
    assert read_pairs("owner/set@abc:test[:5]").concepts[0].id == "7"
    read_pairs("owner/set", revision="abc", split="test", config="en-zh")
    assert hub.asked == [("owner/set", None, "abc", "test[:5]"), ("owner/set", "en-zh", "abc", "test")]


def test_hub_translation_column_and_splits(hub):
    hub.answer = {"test": [{"translation": {"de": "eins", "en": "one"}}]}
    assert texts(read_pairs("owner/set")) == [("eins", "one")]
    hub.answer = {"train": [], "test": []}
    assert "splits train, test; name one: owner/set:train" in refusal("owner/set")


def test_hub_bad_row_is_named(hub):
    hub.answer = [{"en": "one", "zh": "一"}, {"en": "two", "zh": None}]
    assert "owner/set:test line 2: the side 'zh' is missing" in refusal("owner/set:test")


def test_hub_without_network_says_where_to_put_which_file(hub):
    hub.answer = ConnectionError("Couldn't reach the hub\nsecond line")
    message = refusal("owner/set")
    assert "Couldn't reach the hub" in message and "data/set.jsonl" in message and "one column per type" in message


def test_hub_is_asked_once_before_a_long_fetch(hub, monkeypatch):
    def dataset_info(api, name, **keywords):
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert "Name or service not known" in refusal("owner/set") and hub.asked == []


# size, and what the package shows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv"])
def test_a_hundred_thousand_rows_take_seconds(tmp_path, name):
    rows = [{"en": f'sentence "{i}" of many, and of some length', "zh": f"很多句子里的第{i}句"} for i in range(100_000)]
    path = write(tmp_path / name, jsonl(rows) if name == "p.jsonl" else delimited(rows))
    start = time.perf_counter()
    pairs = read_pairs(path)
    assert len(pairs) == 100_000 and time.perf_counter() - start < 15


def test_the_example_is_read(tmp_path):
    pairs = read_pairs(EXAMPLES / "pairs.jsonl")
    assert pairs.types == ("en", "es", "zh") and len(pairs) == 8 and pairs.notices == []
    assert sum("swapped" in concept.contrasts for concept in pairs.concepts) == 2

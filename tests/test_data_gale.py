"""GALE and TMX: every accepted layout gives the same pairs, segments keep their places, and what has no partner is named."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semhub.data.gale import GALE, document_of, gale_files
from semhub.data.pairs import read_pairs
from semhub.errors import BadInput

HEAD = (
    "file;unicode\tchannel;int\tstart;float\tend;float\tspeaker;unicode\tspeakerType;unicode\tspeakerDialect;unicode\ttranscript;unicode\t"
    "section;int\tturn;int\tsegment;int\tsectionType;unicode\tsuType;unicode\n;;MM sectionTypes\t[u'report', None]\n"
)
CHINESE, ENGLISH = ["一 。", "二。", "", "四"], ["One.", "Two.", "Three.", "Four"]


def tdf(texts, first=0):
    rows = ["\t".join(["f", "0", str(k), str(k + 1), "s", "t", "d", text, "0", "0", str(k), "report", "statement"]) for k, text in texts]
    return HEAD + "".join(row + "\n" for row in rows)


def written(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="")
    return folder


def release(folder, source="source", translation="translation"):
    files = {
        f"gale/data/{source}/XIN_CMN_1.tdf": tdf(enumerate(CHINESE)),
        f"gale/data/{translation}/XIN_CMN_1.eng.tdf": tdf(enumerate(ENGLISH)),
        f"gale/data/{source}/XIN_CMN_2.tdf": tdf(enumerate(CHINESE[:2])).replace("\n", "\r\n"),
        f"gale/data/{translation}/XIN_CMN_2.eng.tdf": "\ufeff" + tdf(enumerate(ENGLISH[:2])),
        "gale/data/source_full/XIN_CMN_1.tdf": tdf(enumerate(CHINESE * 3)),
        "gale/docs/README.txt": "about",
    }
    return written(folder, files)


EXPECTED = [("一 。", "One."), ("二。", "Two."), ("四", "Four"), ("一 。", "One."), ("二。", "Two.")]


def texts(pairs):
    return [(c.text("zh"), c.text("en")) for c in pairs.concepts]


@pytest.mark.parametrize("names", [("source", "translation"), ("source_selected", "translation_selected")])
@pytest.mark.parametrize("inside", ["", "gale", "gale/data"])
def test_the_release_is_read_as_it_is_unpacked(tmp_path, names, inside):
    pairs = read_pairs(release(tmp_path, *names) / inside)
    assert pairs.types == ("zh", "en") and texts(pairs) == EXPECTED and pairs.licence == GALE
    assert [c.id for c in pairs.concepts] == ["XIN_CMN_1:1", "XIN_CMN_1:2", "XIN_CMN_1:4", "XIN_CMN_2:1", "XIN_CMN_2:2"]
    assert {c.facets["group"] for c in pairs.concepts} == {"XIN_CMN_1", "XIN_CMN_2"}
    assert pairs.notices[0] == "GALE: 2 documents; segments left out, without text in zh: 1"
    assert read_pairs(tmp_path / inside, types=["en", "zh"]).types == ("en", "zh")


@pytest.mark.parametrize("ending", [".su", ".qrtr", ".txt", ".cmn.su"])
def test_segments_a_line_each(tmp_path, ending):
    english = ending.replace(".cmn", "") if ending.startswith(".cmn") else ending
    files = {f"source/D{ending}": "\n".join(CHINESE) + "\n", f"translation/D.eng{english}": "\n".join(ENGLISH) + "\n"}
    assert texts(read_pairs(written(tmp_path, files))) == EXPECTED[:3]


def test_files_of_unequal_length_are_joined_by_times_and_number(tmp_path):
    files = {"A_CMN.tdf": tdf(enumerate(CHINESE)), "A_CMN.eng.tdf": tdf([(k, ENGLISH[k]) for k in (0, 1, 3)])}
    with pytest.raises(BadInput, match=r"A_CMN.tdf line 5: no partner: A_CMN.eng.tdf has no such segment"):
        read_pairs(written(tmp_path, files))
    pairs = read_pairs(tmp_path, skip_bad=True)
    assert texts(pairs) == EXPECTED[:3] and len(pairs.skipped) == 1 and pairs.counts == {"rows": 4, "kept": 3, "left out: bad rows": 1}


def test_names_of_documents(tmp_path):
    assert document_of(tmp_path / "CCTV_CMN_1.eng.tdf") == document_of(tmp_path / "CCTV_CMN_1.cmn.su") == "CCTV_CMN_1"
    assert gale_files(written(tmp_path, {"en.tsv": "id\ttext\n", "notes/source.txt": "x"})) == {}


CELL = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_any_text_survives_tdf(tmp_path, rows):
    files = {"A_CMN.tdf": tdf(enumerate(z for z, _ in rows)), "A_CMN.eng.tdf": tdf(enumerate(e for _, e in rows))}
    assert texts(read_pairs(written(tmp_path, files))) == rows


def tmx(units):
    from xml.sax.saxutils import escape

    said = lambda u: "".join(f'<tuv xml:lang="{lang}"><seg>{escape(text)}</seg></tuv>' for lang, text in u)  # noqa: E731
    return f'<?xml version="1.0"?><tmx version="1.4"><body>{"".join(f"<tu>{said(u)}</tu>" for u in units)}</body></tmx>'


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_any_text_survives_tmx(tmp_path, rows):
    content = tmx([[("zh_CN", z), ("en", e)] for z, e in rows])
    try:
        (tmp_path / "p.tmx").write_text(content, encoding="utf-8")
        assert texts(read_pairs(tmp_path / "p.tmx")) == rows
    except BadInput as error:  # XML has no way to write some characters
        assert "cannot be read" in str(error)


def test_tmx_names_what_is_missing(tmp_path):
    path = tmp_path / "p.tmx.gz"
    path.write_bytes(gzip.compress(tmx([[("en", "One"), ("zh", "一")], [("en", "Two")], []]).encode()))
    with pytest.raises(BadInput, match=r"2 bad rows .*p.tmx.gz line 2: the side 'zh' is missing; p.tmx.gz line 3: the unit holds no text"):
        read_pairs(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_end_in_another_error(tmp_path, noise):
    (tmp_path / "p.tmx").write_bytes(noise)
    for name in ("source/A.tdf", "translation/A.eng.tdf"):
        (tmp_path / "g" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "g" / name).write_bytes(noise)
    for path in ("p.tmx", "g"):
        try:
            read_pairs(tmp_path / path, skip_bad=True)
        except BadInput as error:
            assert "\n" not in str(error).strip()

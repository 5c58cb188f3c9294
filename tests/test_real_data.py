"""Real text read from $SEMHUB_DATA (by default ../shared/data beside the repository); skipped, with the reason, where it is absent.

Checks are counts, ids, lengths and hashes: no sentence of that data stands here.
"""

import hashlib
import os
import time
import unicodedata
from pathlib import Path

import pytest

from semhub.data.languages import TextFile, type_table
from semhub.data.pairs import read_pairs
from semhub.data.wordlens import cut, read_cedict, word_items

ROOT = Path(os.environ.get("SEMHUB_DATA") or Path(__file__).parents[2] / "shared" / "data")


def real(name: str) -> Path:
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{path} is absent; set SEMHUB_DATA to the folder that holds {name}")
    return path


@pytest.fixture(scope="module")
def pud():
    return read_pairs(real("pud"))


@pytest.fixture(scope="module")
def cedict():
    return read_cedict(real("cedict") / "cedict_1_0_ts_utf-8_mdbg.txt.gz")


def plain_sides(folder: Path) -> dict[str, dict[str, str]]:
    """The same files, read the plainest way."""
    sides = {}
    for path in sorted(folder.glob("*.tsv")):
        lines = path.read_bytes().decode("utf-8").split("\n")
        sides[path.stem] = dict(line.split("\t") for line in lines[1:] if line)
    return sides


def test_pud_loads_whole(pud):
    assert "creativecommons.org/licenses/by-sa/3.0" in pud.licence and pud.counts == {"rows": 1000, "kept": 1000}
    assert len(pud) == 1000 and pud.types == ("de", "en", "es", "ja", "zh") and pud.skipped == []
    assert len({concept.id for concept in pud.concepts}) == 1000
    in_order = list(plain_sides(real("pud"))["de"])
    assert [concept.id for concept in pud.concepts] == in_order and in_order[0] == "n01001011"


def test_pud_texts_are_kept_to_the_byte(pud):
    sides = plain_sides(real("pud"))
    for type in pud.types:
        assert {concept.id: concept.text(type) for concept in pud.concepts} == sides[type]
    texts = [concept.text(type) for concept in pud.concepts for type in pud.types]
    assert sum('"' in text for text in texts) > 100, "real text is full of quotes"
    assert sum(text != unicodedata.normalize("NFKC", text) for text in texts) > 100, "and of characters that a normalisation would change"


def test_pud_as_aligned_text_and_as_one_table_is_the_same(pud, tmp_path):
    aligned, table = tmp_path / "aligned", tmp_path / "pud.tsv"
    aligned.mkdir()
    for type in pud.types:
        (aligned / f"{type}.txt").write_text("".join(concept.text(type) + "\n" for concept in pud.concepts), encoding="utf-8")
    rows = [["id", *pud.types], *([concept.id, *(concept.text(type) for type in pud.types)] for concept in pud.concepts)]
    table.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    assert read_pairs(table).hash == pud.hash
    lines = read_pairs(aligned)
    assert [c.text("zh") for c in lines.concepts] == [c.text("zh") for c in pud.concepts] and len(lines) == 1000
    assert read_pairs(real("pud"), types=["en", "zh"]).types == ("en", "zh")


def test_tatoeba_as_it_is_published():
    """26,388 short pairs with quotes in odd places, in a file without a header."""
    path = real("tatoeba") / "cmn-eng.txt"
    source = path.read_text(encoding="utf-8")
    start = time.perf_counter()
    pairs = read_pairs(path, types=["en", "zh"])
    assert time.perf_counter() - start < 60
    rows = [line.split("\t") for line in source.split("\n") if line]
    assert [(c.text("en"), c.text("zh")) for c in pairs.concepts] == [(row[0], row[1]) for row in rows] and len(rows) == 26388
    assert any("repeat an earlier text of en" in note for note in pairs.notices)


def test_cedict_loads_whole(cedict):
    assert sum(cedict.counts.values()) == 123_067 and cedict.skipped == []
    assert cedict.counts == {"kept": 122_006, "nothing left of the gloss": 315, "surname": 746}
    assert cedict.counts["surname"] > 500
    assert cedict.words["猫"][0] == "cat" and cedict.words["好"][0] == "good"
    assert not any(mark in gloss for glosses in cedict.words.values() for gloss in glosses for mark in "()[]/")
    assert not any(gloss.startswith("surname ") and gloss[8:9].isupper() for glosses in cedict.words.values() for gloss in glosses)


class Characters:
    """A tokenizer with a token for each character and for each of some words; offsets are plain."""

    def __init__(self, words):
        self.words = sorted(words, key=len, reverse=True)

    def encode(self, text):
        self.ids, self.offsets, start = [], [], 0
        while start < len(text):
            size = next((len(word) for word in self.words if text.startswith(word, start)), 1)
            piece = text[start : start + size]
            self.ids.append(int(hashlib.sha256(piece.encode()).hexdigest()[:8], 16))
            self.offsets.append((start, start + size))
            start += size
        return self


def test_words_in_real_chinese(cedict):
    lines = [line.split("\t")[1] for line in TextFile(real("tatoeba") / "cmn-eng.txt")][2000:2400]
    english = {gloss: index for index, gloss in enumerate({g for gs in cedict.words.values() for g in gs if " " not in g})}
    items = word_items(lines, cedict.words, lambda text: Characters(["喜欢", "我们"]).encode(text), english.get)
    counts = items.counts
    assert counts["lines"] == 400 == len(items.lines) + sum(n for reason, n in counts.items() if reason.startswith("lines left"))
    assert counts["words"] == counts["words kept"] + sum(n for reason, n in counts.items() if reason.startswith("words left"))
    assert counts["words kept"] == len(items.spots) > 150
    for spot in items.spots:
        line = items.lines[spot.line]
        assert line[spot.start :].startswith(spot.word) and spot.position >= 1 and spot.word in cut(line)
        assert all(gloss in cedict.words[spot.word] for gloss in spot.glosses)


def test_language_table_of_real_text_tells_scripts_apart(pud):
    chars = sorted({char for concept in pud.concepts for type in pud.types for char in concept.text(type)})
    index = {char: number for number, char in enumerate(chars)}
    corpus = {type: [concept.text(type) for concept in pud.concepts] for type in pud.types}
    table = type_table(corpus, lambda text: [index[char] for char in text], len(chars))
    best = {char: pud.types[int(table.table[index[char]].argmax())] for char in "ßñのw"}
    assert best == {"ß": "de", "ñ": "es", "の": "ja", "w": "en"}
    assert table.coverage == 1 and table.tokens["ja"] < table.tokens["en"]

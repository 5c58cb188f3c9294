"""The table p(type | token) against counts by hand, and words in running text against lines worked out by hand."""

import gzip
from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from semhub.data.languages import read_corpus, type_table
from semhub.data.sources import read_source
from semhub.data.wordlens import ambiguous, cut, first_gloss, read_cedict, word_items
from semhub.errors import BadInput

LETTERS = {letter: index for index, letter in enumerate("abcdefgh")}


def spell(text: str) -> list[int]:
    return [LETTERS[letter] for letter in text]


def word_tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({"<s>": 0, "[UNK]": 1, "the": 2, "cat": 3, "le": 4, "chat": 5}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", unk_token="[UNK]")


# p(type | token) -----------------------------------------------------------------------------------------------------------


def test_table_by_hand():
    table = type_table({"en": ["aab", "a"], "zh": ["bc", "cccc", ""]}, spell, 8)
    share = {"a": (3 / 4, 0), "b": (1 / 4, 1 / 6), "c": (0, 5 / 6)}
    for letter, (en, zh) in share.items():
        assert table.table[LETTERS[letter]].tolist() == pytest.approx([en / (en + zh), zh / (en + zh)])
    assert table.table[3:].tolist() == [[0.5, 0.5]] * 5
    assert table.tokens == {"en": 4, "zh": 6} and table.coverage == 3 / 8 and table.types == ("en", "zh")
    assert table.table.dtype == torch.float32


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text("abcdefg", max_size=12), min_size=1, max_size=5), min_size=2, max_size=4))
def test_table_equals_bayes_rule_by_counting(texts):
    corpus = {str(i): [*lines, "g"] for i, lines in enumerate(texts)}
    found = type_table(corpus, spell, len(LETTERS))
    counts = {type: Counter("".join(lines)) for type, lines in corpus.items()}
    for letter, index in LETTERS.items():
        rates = [counts[type][letter] / sum(counts[type].values()) for type in corpus]
        want = [rate / sum(rates) for rate in rates] if sum(rates) else [1 / len(corpus)] * len(corpus)
        assert found.table[index].tolist() == pytest.approx(want, abs=1e-6)


def test_prior_is_uniform_whatever_the_size_of_a_corpus():
    small = type_table({"en": ["aab"], "zh": ["bc"]}, spell, 8)
    large = type_table({"en": ["aab"] * 999, "zh": (text for text in ["bc"])}, spell, 8)
    assert torch.allclose(small.table, large.table)


def test_any_kind_of_tokenizer_serves():
    corpus = {"en": ["the cat", "the"], "fr": ["le chat"]}
    tokenizer = word_tokenizer()

    class Model:
        pass

    model = Model()
    model.tokenizer = tokenizer
    tables = [
        type_table(corpus, each, 6) for each in (tokenizer, model, lambda text: tokenizer(text, add_special_tokens=False)["input_ids"])
    ]
    assert all(torch.equal(table.table, tables[0].table) for table in tables)
    assert tables[0].tokens == {"en": 3, "fr": 2}, "special tokens are not counted"
    assert tables[0].table[:6, 0].tolist() == [0.5, 0.5, 1, 1, 0, 0]


def test_table_refuses_what_cannot_be_counted():
    with pytest.raises(BadInput, match="no token of zh"):
        type_table({"en": ["a"], "zh": [""]}, spell, 8)
    with pytest.raises(BadInput, match="gives the id 7 for a text of zh, but the model has 7 tokens"):
        type_table({"en": ["a"], "zh": ["h"]}, spell, 7)


def test_corpus_folder(tmp_path):
    (tmp_path / "en.txt").write_text("ab\n\nc\n")
    (tmp_path / "zh.txt.gz").write_bytes(gzip.compress(b"a\xe4\xb8\x80\n"))
    (tmp_path / "LICENSE").write_text("x")
    corpus = read_corpus(tmp_path)
    assert {type: list(texts) for type, texts in corpus.items()} == {"en": ["ab", "c"], "zh": ["a一"]}
    assert list(corpus["en"]) == ["ab", "c"], "it can be walked again"
    (tmp_path / "en.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(BadInput, match="en.txt line 2: the text is not UTF-8"):
        list(corpus["en"])
    with pytest.raises(BadInput, match="no folder"):
        read_corpus(tmp_path / "nothing")
    with pytest.raises(BadInput, match="One file of fr"):
        read_corpus(tmp_path, ["en", "fr"])


# words in running text -------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    ids: list[int]
    offsets: list[tuple[int, int]]


def by_pieces(*pieces: str) -> Line:
    """An encoding whose tokens are the pieces, one after the other."""
    ends = [sum(map(len, pieces[: k + 1])) for k in range(len(pieces))]
    return Line(list(range(100, 100 + len(pieces))), [(end - len(piece), end) for end, piece in zip(ends, pieces, strict=True)])


GLOSSES = {"猫": ("cat", "used in X"), "狗": ("dog",), "北京": ("Beijing municipality",), "好": ("good", "fine"), "人": ("person",)}
ONE_TOKEN = {"cat": 1, "dog": 0, "good": 2, "fine": 3}


def find(pieces, words, **changes):
    line = "".join(words)
    return word_items([line], changes.get("glosses", GLOSSES), lambda text: by_pieces(*pieces), ONE_TOKEN.get, lambda text: words)


def test_words_by_hand():
    words = ["人", "猫", "狗", "看", "北京", "好", "人"]
    items = find(["人", "猫", "狗", "看", "北", "京", "好", "人"], words)
    assert [(spot.word, spot.position, spot.id, spot.start) for spot in items.spots] == [("狗", 1, 102, 2), ("好", 5, 106, 6)]
    assert [dict(spot.glosses) for spot in items.spots] == [{"dog": 0}, {"good": 2, "fine": 3}]
    assert items.counts == {
        "lines": 1,
        "words": 7,
        "words kept": 2,
        "words left out: no gloss of one token": 2,
        "words left out: position 0": 1,
        "words left out: no gloss": 1,
        "words left out: not one token": 1,
    }
    cloze = items.clozes()[1]
    assert cloze.prompt == "人猫狗看北京" and cloze.targets == {"zh": ("好",), "en": ("good", "fine")} and cloze.facets == {"line": "0"}


def test_word_that_is_part_of_a_token_is_no_item():
    items = find(["看", "看", "猫狗", "好"], ["看", "看", "猫", "狗", "好"])
    assert [spot.word for spot in items.spots] == ["好"]


def test_lines_with_ambiguous_offsets_are_dropped_whole():
    clear, bytes_of_one_letter = by_pieces("看", "看", "猫"), Line([1, 2, 3, 4, 5], [(0, 1), (1, 2), (2, 3), (2, 3), (3, 4)])
    encodings = {"看看猫": clear, "看看龘猫": bytes_of_one_letter}
    items = word_items(["看看龘猫", "看看猫"], GLOSSES, encodings.__getitem__, ONE_TOKEN.get, list)
    assert items.lines == ["看看猫"] and items.spots[0].line == 0
    assert items.counts["lines left out: ambiguous offsets"] == 1 and items.counts["lines"] == 2


def test_a_leading_mark_shifts_positions_and_drops_nothing():
    marked = Line([9, 1, 2, 3], [(0, 1), (0, 1), (1, 2), (2, 3)])
    assert not ambiguous(marked.offsets)
    items = word_items(["看猫狗"], GLOSSES, lambda text: marked, ONE_TOKEN.get, list)
    assert [(spot.word, spot.position, spot.id) for spot in items.spots] == [("猫", 1, 2), ("狗", 2, 3)]


def test_a_segmenter_that_loses_characters_is_noticed():
    lines = {"看看猫": ["看", "看", "猫"], "看 猫": ["看", "猫"]}
    items = word_items(lines, GLOSSES, lambda text: by_pieces(*text), ONE_TOKEN.get, lines.__getitem__)
    assert items.counts["lines left out: the segmenter changed it"] == 1


def test_nothing_found_says_why():
    with pytest.raises(BadInput, match="position 0"):
        find(["看", "猫"], ["看", "猫"])


def test_jieba_keeps_the_line(capfd):
    line = "我们 去北京看猫，OK？\u3000好"
    assert "".join(cut(line)) == line and "北京" in cut(line)
    assert capfd.readouterr().err == ""


# CC-CEDICT ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "glosses, first",
    [
        ("cat/kitten", "cat"),
        ("(slang) bye-bye (cf. 拜拜[bai2 bai2])/so long", "bye-bye"),
        ("(a (nested) one) word", "word"),
        ("(particle)/word", ""),
        ("see 北京[Bei3 jing1] there", "see 北京 there"),
        ("half (open/close) word", "half"),
        ("two  (x)  words; more", "two words; more"),  # the release knows slashes alone
        ("wire (soft; bare); cable/line", "wire ; cable"),
    ],
)
def test_first_gloss(glosses, first):
    assert first_gloss(glosses) == first


ENTRIES = """# comment
貓 猫 [mao1] /cat/CL:隻|只[zhi1]/
貓 猫 [mao2] /used in 貓腰|猫腰[mao2 yao1]/
貓 猫 [mao3] /(dialect) cat/
王 王 [Wang2] /surname Wang/
王 王 [wang2] /king/
歐陽 欧阳 [Ou1 yang2] /two-character surname Ouyang/
姓 姓 [[xing4]] /surname/
嗎 吗 [ma5] /(question particle)/
"""


def test_cedict(tmp_path):
    path = tmp_path / "cedict.txt"
    path.write_text(ENTRIES, encoding="utf-8")
    found = read_cedict(path)
    assert found.words == {"猫": ("cat", "used in 貓腰|猫腰"), "王": ("king",), "姓": ("surname",)}
    assert found.counts == {"kept": 5, "surname": 2, "nothing left of the gloss": 1}


def test_glosses_between_semicolons_stay_whole_and_are_counted(tmp_path):
    """As in the release: such a gloss is never one token, whatever its parts are."""
    path = tmp_path / "cedict.txt"
    path.write_text(ENTRIES + "我 我 [wo3] /I; me; my/\n好 好 [hao3] /good (x; y)/well; fine/\n", encoding="utf-8")
    found = read_source("cedict", path)
    assert found.items["我"] == ("I; me; my",) and found.items["好"] == ("good",) and found.counts["kept"] == 7
    assert found.notices[0].endswith("and so no single token: 1")
    path.write_text(ENTRIES, encoding="utf-8")
    assert "semicolons" not in read_source("cedict", path).notices[0]
    with pytest.raises(BadInput, match="'words left out: no gloss of one token': 1"):
        word_items(["看我"], found.items, lambda text: by_pieces("看", "我"), {"I": 0, "me": 1, "my": 2}.get, list)


def test_cedict_names_bad_lines(tmp_path):
    path = tmp_path / "cedict.txt"
    path.write_bytes(ENTRIES.encode() + b"no entry\n\xe7\x8b 1 [1] /x/\n")
    with pytest.raises(BadInput, match="cedict.txt line 10: the line is no entry of CC-CEDICT"):
        read_cedict(path)
    assert [row.line for row in read_cedict(path, skip_bad=True).skipped] == [10, 11]

"""The grammar of positions, on encodings written by hand."""

import pytest

from semhub.errors import BadInput
from semhub.models.where import Encoding, per_text, resolve

#                 0         5         10   tokens: <s> The dog saw a dog gy .
TEXT = "The dog saw a dogy."
PIECES = [(0, 0), (0, 3), (3, 7), (7, 11), (11, 13), (13, 17), (17, 18), (18, 19)]
ENCODING = Encoding(list(range(8)), PIECES, TEXT, [True] + [False] * 7)
CHINESE = Encoding([1, 2, 3, 4, 5], [(0, 1), (1, 2), (1, 3), (3, 4), (3, 4)], "狗看见猫", [False] * 5)


@pytest.mark.parametrize(
    ("at", "rows"),
    [
        ("last", [(7,)]),
        ("first", [(0,)]),
        (0, [(0,)]),
        (-2, [(6,)]),
        ("mean", [(1, 2, 3, 4, 5, 6, 7)]),
        ("all", [(0,), (1,), (2,), (3,), (4,), (5,), (6,), (7,)]),
        ("first:3", [(0,), (1,), (2,)]),
        ("first:99", [(0,), (1,), (2,), (3,), (4,), (5,), (6,), (7,)]),
        ("word:dog", [(2,)]),
        ("word:dogy", [(6,)]),
        ("before:dog", [(1,)]),
        ("before:The", [(0,)]),
        ("span:4-11", [(2, 3)]),
        ("word:.", [(7,)]),
    ],
)
def test_each_form(at, rows):
    assert resolve(at, ENCODING) == rows


@pytest.mark.parametrize(
    ("at", "rows"), [("word:狗", [(0,)]), ("word:看见", [(2,)]), ("before:猫", [(2,)]), ("word:猫", [(4,)]), ("span:1-3", [(1, 2)])]
)
def test_scripts_without_spaces_have_words_anywhere(at, rows):
    assert resolve(at, CHINESE) == rows


@pytest.mark.parametrize(
    ("at", "complaint"),
    [
        ("word:cat", "'cat' is not in"),
        ("word:do", "'do' is not in"),
        ("word:", "is not in"),
        ("before:狗", "'狗' is not in"),
        ("span:3", "span:START-END"),
        ("span:40-50", "No token covers"),
        ("first:0", "first:N"),
        ("first:x", "first:N"),
        (8, "8 tokens"),
        (-9, "8 tokens"),
        ("middle", "not understood"),
        ("last:2", "not understood"),
        ("word", "not understood"),
    ],
)
def test_a_wrong_position_says_what_is_wrong(at, complaint):
    with pytest.raises(BadInput, match=complaint):
        resolve(at, ENCODING)


def test_nothing_stands_before_the_first_token():
    with pytest.raises(BadInput, match="no position comes before"):
        resolve("before:狗", CHINESE)


def test_texts_without_content_have_no_mean():
    with pytest.raises(BadInput, match="no token but special"):
        resolve("mean", Encoding([0], [(0, 0)], "", [True]))
    with pytest.raises(BadInput, match="no token to read"):
        resolve("last", Encoding([], [], "", []))


def test_one_position_for_all_or_one_each():
    assert per_text("last", 3) == ["last"] * 3
    assert per_text(["last", 0], 2) == ["last", 0]
    with pytest.raises(BadInput, match="for 2 texts, but there are 3"):
        per_text(["last", 0], 3)

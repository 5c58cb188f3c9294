"""Encodings, and the token that continues a prompt, with every kind of tokenizer."""

import pytest
import transformers

from families import TEXTS, bare_words, leading_space, sentence_piece
from semhub.models.tokens import continuation_id, continuation_ids, encode, first_continuation_id, joiner

KINDS = {
    "leading-space": leading_space(),
    "leading-space, BOS": leading_space(bos=True),
    "sentence-piece": sentence_piece(bos=False),
    "sentence-piece, BOS": sentence_piece(),
    "bare": bare_words(),
    "bare, BOS": bare_words(bos=True),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_encodings_are_the_tokenizer_s_own(kind):
    tokenizer = KINDS[kind]
    for special in (True, False):
        for text, encoding in zip(TEXTS, encode(tokenizer, TEXTS, special), strict=True):
            assert encoding.ids == tokenizer(text, add_special_tokens=special)["input_ids"]
            assert encoding.text == text and len(encoding.offsets) == len(encoding.special) == len(encoding.ids)
            assert encoding.special == [special and "BOS" in kind and place == 0 for place in range(len(encoding))]


@every_kind
def test_encoding_leaves_the_tokenizer_as_it_was(kind):
    tokenizer = KINDS[kind]
    before = (tokenizer.padding_side, tokenizer.truncation_side, tokenizer.backend_tokenizer.to_str())
    encode(tokenizer, TEXTS)
    assert (tokenizer.padding_side, tokenizer.truncation_side, tokenizer.backend_tokenizer.to_str()) == before


def test_a_tokenizer_without_offsets_gets_them_from_what_it_decodes():
    tokenizer = transformers.ByT5Tokenizer()
    assert not tokenizer.is_fast
    encoding = encode(tokenizer, ["a狗 b"])[0]
    assert encoding.offsets == [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3), (3, 4), (4, 4)]
    assert encoding.special == [False] * 6 + [True]
    assert encode(tokenizer, ["a狗 b"], special=False)[0].special == [False] * 6


def test_no_texts_have_no_encodings():
    assert encode(leading_space(), []) == []


@every_kind
def test_a_word_that_is_one_token_continues_the_prompt(kind):
    tokenizer = KINDS[kind]
    found = tokenizer.convert_ids_to_tokens(continuation_id(tokenizer, "The dog sees the", "cat"))
    assert found == {"l": "Ġcat", "s": "▁cat", "b": "cat"}[kind[0]]


@every_kind
def test_what_continues_a_prompt_is_what_the_tokenizer_puts_there(kind):
    tokenizer = KINDS[kind]
    for prompt, word in [("The dog", "sees"), ("El perro ve", "el"), ("5=3+", "2"), ("5=3+", "two"), ("狗看见", "猫"), ("The", "façade")]:
        pieces = continuation_ids(tokenizer, prompt, word)
        whole = tokenizer(prompt + joiner(prompt, word) + word)["input_ids"]
        if pieces is not None:
            assert tokenizer(prompt)["input_ids"] + pieces == whole


def test_digits_follow_signs_without_a_space_and_words_with_one():
    tokenizer = leading_space()
    assert tokenizer.convert_ids_to_tokens(continuation_id(tokenizer, "5=3+", "2")) == "2"
    assert tokenizer.convert_ids_to_tokens(continuation_id(tokenizer, "5=3+", "two")) == "Ġtwo"


@pytest.mark.parametrize(
    ("prompt", "word", "between"),
    [
        ("The", "dog", " "),
        ("The ", "dog", ""),
        ("", "dog", ""),
        ("dog", ".", ""),
        ("(", "dog", ""),
        ("the “", "dog", ""),
        ("狗看见", "猫", ""),
        ("The dog:", "猫", ""),
        ("狗看见", "cat", " "),
        ("5=3+", "2", ""),
        ("5=3+", "two", " "),
        ("7", "5", ""),
        ("plus", "2", " "),
        ("加", "2", ""),
        ("Ende.", "Über", " "),
    ],
)
def test_joiner(prompt, word, between):
    assert joiner(prompt, word) == between


def test_words_of_several_tokens_have_a_first_one():
    tokenizer = leading_space()
    assert continuation_id(tokenizer, "The dog", "façade") is None
    assert first_continuation_id(tokenizer, "The dog", "cats") == continuation_id(tokenizer, "The dog", "cat")


def test_a_bare_space_says_nothing_of_the_word():
    tokenizer = sentence_piece()
    assert tokenizer.convert_ids_to_tokens(continuation_ids(tokenizer, "The dog", "façade"))[0] == "▁"
    assert first_continuation_id(tokenizer, "The dog", "façade") is None


def test_bytes_stand_for_characters_without_a_token():
    tokenizer = sentence_piece()
    assert continuation_id(tokenizer, "The dog", "猫") is None
    assert tokenizer.convert_ids_to_tokens(first_continuation_id(tokenizer, "The dog", "猫")) == "<0xE7>"


def test_a_word_that_changes_the_prompt_s_own_tokens_is_left_out():
    tokenizer = leading_space()
    assert continuation_ids(tokenizer, "The ", "dog") is None
    assert continuation_id(tokenizer, "The do", "g", space=False) is None


def test_the_space_can_be_asked_for():
    tokenizer = leading_space()
    assert tokenizer.convert_ids_to_tokens(continuation_id(tokenizer, "5=3+", "two", space=True)) == "Ġtwo"
    assert continuation_ids(tokenizer, "5=3+", "two", space=False) != continuation_ids(tokenizer, "5=3+", "two", space=True)


def test_a_model_will_do_for_its_tokenizer(opened):
    model = opened("gpt2")
    assert continuation_id(model, "The dog sees the", "cat") == continuation_id(model.tokenizer, "The dog sees the", "cat")

"""From texts to tokens and back: encodings with offsets, and the token that continues a prompt with a given word.

Works by rule with any tokenizer (leading spaces in the token or apart, BOS or none, bytes); knows no model.
"""

from collections.abc import Sequence

from semhub.models.where import UNSPACED, Encoding

REPLACEMENT = "\ufffd"  # what decoding shows for a part of a character
OPENING = "([{<\"'«“‘„¿¡-/\\_@#$"
BARE_SPACES = ("\u2581", "\u0120", " ")  # SentencePiece's mark, byte-level BPE's, and a plain one


def encode(tokenizer, texts: Sequence[str], special: bool = True) -> list[Encoding]:
    """Each text as `tokenizer(text)` gives it (`special=False`: without special tokens)."""
    texts = list(texts)
    if not texts:
        return []
    if not getattr(tokenizer, "is_fast", False):
        return [encode_slowly(tokenizer, text, special) for text in texts]
    found = tokenizer(texts, add_special_tokens=special, return_offsets_mapping=True, return_special_tokens_mask=True)
    columns = zip(found["input_ids"], found["offset_mapping"], found["special_tokens_mask"], texts, strict=True)
    return [Encoding(ids, [tuple(pair) for pair in offsets], text, [bool(mark) for mark in marks]) for ids, offsets, marks, text in columns]


def encode_slowly(tokenizer, text: str, special: bool) -> Encoding:
    """The same with a tokenizer that keeps no offsets: they are read off the decoded beginnings of the text."""
    ids = list(tokenizer(text, add_special_tokens=special)["input_ids"])
    known = set(tokenizer.all_special_ids)
    marks = [token in known for token in ids]
    ends = iter(decoded_ends(tokenizer, [token for token in ids if token not in known], text))
    offsets, start = [], 0
    for mark in marks:
        end = start if mark else next(ends)
        # a token that completes no character is a part of the next one
        offsets.append((start, start) if mark else (start, min(max(end, start + 1), len(text))))
        start = max(start, end)
    return Encoding(ids, offsets, text, marks)


def decoded_ends(tokenizer, ids: list[int], text: str) -> list[int]:
    """How many whole characters of `text` the first k ids make, for k = 1, 2, ..."""
    beginnings = [tokenizer.decode(ids[: k + 1], clean_up_tokenization_spaces=False).rstrip(REPLACEMENT) for k in range(len(ids))]
    dropped = len(text) - len(beginnings[-1]) if beginnings else 0  # a leading space that decoding leaves out
    return [max(0, min(len(text), len(beginning) + dropped)) for beginning in beginnings]


def continuation_id(model_or_tokenizer, prompt: str, word: str, space: bool | None = None) -> int | None:
    """The one token that continues `prompt` with `word`; None where there is no such token (count these as left out).

    That is: the word takes several tokens, or changes the prompt's own. `space` puts one between them or not; by default `joiner` decides.
    """
    pieces = continuation_ids(model_or_tokenizer, prompt, word, space)
    return pieces[0] if pieces is not None and len(pieces) == 1 else None


def first_continuation_id(model_or_tokenizer, prompt: str, word: str, space: bool | None = None) -> int | None:
    """The first token that continues `prompt` with `word`, which may take several.

    None where the word changes the prompt's own tokens, or where its first token is a bare space, which says nothing of the word.
    """
    return first_of(model_or_tokenizer, continuation_ids(model_or_tokenizer, prompt, word, space))


def first_of(model_or_tokenizer, pieces: Sequence[int] | None) -> int | None:
    """The first of the tokens that a word takes after a prompt; None without one, or where it is a bare space."""
    tokenizer = getattr(model_or_tokenizer, "tokenizer", model_or_tokenizer)
    return pieces[0] if pieces and tokenizer.convert_ids_to_tokens(pieces[0]) not in BARE_SPACES else None


def continuation_ids(model_or_tokenizer, prompt: str, word: str, space: bool | None = None) -> list[int] | None:
    """All tokens of `word` after `prompt`: what the two together have beyond the tokens of `prompt`; None where those change."""
    return all_continuation_ids(model_or_tokenizer, [(prompt, word)], space)[0]


def all_continuation_ids(model_or_tokenizer, pairs: Sequence[tuple[str, str]], space: bool | None = None) -> list[list[int] | None]:
    """`continuation_ids` of each (prompt, word), every different text encoded once and all of them together."""
    tokenizer = getattr(model_or_tokenizer, "tokenizer", model_or_tokenizer)
    whole = [prompt + (joiner(prompt, word) if space is None else " " * space) + word for prompt, word in pairs]
    texts = list(dict.fromkeys([*(prompt for prompt, _ in pairs), *whole]))
    ids = dict(zip(texts, plain_ids(tokenizer, texts), strict=True))
    return [beyond(ids[prompt], ids[text]) for (prompt, _), text in zip(pairs, whole, strict=True)]


def beyond(before: list[int], after: list[int]) -> list[int] | None:
    return after[len(before) :] if after[: len(before)] == before and len(after) > len(before) else None


def joiner(prompt: str, word: str) -> str:
    """What stands between `prompt` and `word` when people write the two: a space or nothing.

    Nothing at the beginning, after white space or an opening bracket, before punctuation, before scripts written without
    spaces, and before digits that follow a sign, a digit or such a script (`5=3+` goes on with `2`, but with ` two`).
    """
    if not prompt or not word or prompt[-1].isspace() or prompt[-1] in OPENING or not word[0].isalnum() or UNSPACED.match(word[0]):
        return ""
    digits_after_no_word = word[0].isdigit() and (not prompt[-1].isalpha() or UNSPACED.match(prompt[-1]))
    return "" if digits_after_no_word else " "


def plain_ids(tokenizer, texts: Sequence[str]) -> list[list[int]]:
    if not texts:
        return []
    given = {"add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False}
    return [list(ids) for ids in tokenizer(list(texts), **given)["input_ids"]]

"""The subword tokenizer of a recipe: trained per language, then put together so that no two languages share a piece of a word.

The dominant language's words stand whole, and Chinese function words; the others' are cut into trained pieces. Unigram with byte
fallback, fewest pieces first. Knows no model.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from semhub.data.world import renderer
from semhub.data.world.chinese import FUNCTION_WORDS
from semhub.data.world.lexicon import DAYS, entries, subjects
from semhub.data.world.meanings import RELATIONS, values
from semhub.lab.corpus import documents
from semhub.lab.recipe import Recipe

MARKS = ("<unk>", "<s>", "</s>", "<pad>")
SPACE = "▁"
SAMPLE = 6000  # documents per language
FORMAL_MARKS = r"▁[!-/:-@\[-`{-~](?=▁|$)|[!-/:-@\[-`{-~¡¿。，、：；？！「」《》（）]"
# Chinese marks that other languages write narrow: one token for all, as in tokenizers that normalise (NFKC), so that a question ends
# in the same token in every language, and what stands before it alone tells in which one the answer will be.
NARROW = {"：": ":", "？": "?", "！": "!", "，": ",", "；": ";"}
Words = Counter


def splitter(formal: bool = False) -> pre_tokenizers.PreTokenizer:
    """Spaces become the mark of the word that follows; digits and punctuation stand alone.

    `formal`, for code and logical forms: line feeds stand alone too, and a punctuation mark between spaces keeps the first of them.
    """
    metaspace = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first", split=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    if not formal:
        return pre_tokenizers.Sequence([metaspace, pre_tokenizers.Punctuation(), digits])
    breaks, marks = pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(Regex(FORMAL_MARKS), "isolated")
    return pre_tokenizers.Sequence([breaks, metaspace, marks, digits])


def words(texts: Iterable[str], formal: bool = False) -> Words:
    """How often each word (with its leading mark) occurs; marks, digits and punctuation are no words, but `formal` ones after a space."""
    split = splitter(formal)
    found = (word for text in texts for word, _ in split.pre_tokenize_str(text))
    is_mark = lambda word: formal and len(word) == 2 and re.fullmatch(FORMAL_MARKS, word)  # noqa: E731
    return Counter(word for word in found if word.strip(SPACE).isalpha() or is_mark(word))


def tokenizer(recipe: Recipe, seed: int = 0) -> PreTrainedTokenizerFast:
    """The tokenizer of a recipe: a pure function of its languages, world and sizes, the same whatever its bridges join.

    For a corpus of one's own: byte-level pairs, as many for each language, trained on its first documents.
    """
    if recipe.corpus is not None:
        return _wrapped(_byte_pairs(recipe, seed), recipe.shape.context)
    recipe = replace(recipe, bridges=replace(recipe.bridges, partner="true", digits=None))
    texts = {language: list(islice(documents(recipe, language, seed), SAMPLE)) for language in recipe.languages}
    # Names in code and logical forms are words of the dominant language, which stand whole there too.
    texts[recipe.languages[0]] += [text for other in recipe.others or () for text in islice(documents(recipe, other, seed), SAMPLE)]
    listed = {language: [renderer(language).word(entry) for kind in entries().values() for entry in kind] for language in recipe.languages}
    counts = {language: words(sample + listed[language], bool(recipe.others)) for language, sample in texts.items()}
    pieces = _pieces(recipe, counts)
    letters = sorted({letter for sample in texts.values() for text in sample for letter in text.replace(" ", "")} - set(NARROW))
    vocabulary = _apart(recipe, counts, pieces, letters)
    return _wrapped(_assembled(vocabulary, letters, bool(recipe.others)), recipe.shape.context)


def _pieces(recipe: Recipe, counts: Mapping[str, Words]) -> dict[str, str]:
    """Piece -> the language that owns it: whole words of the dominant language, trained pieces of the others."""
    whole = recipe.languages[0]
    owners = {word: whole for word in (_chinese_words() if whole == "zh" else counts[whole]) if len(word) > 1}
    if "zh" in recipe.languages:
        owners |= dict.fromkeys(FUNCTION_WORDS, "zh")
    for language in recipe.languages[1:]:
        starts = {word[:2] for word in counts[language] if word[0] == SPACE and word[1].isalpha() and word[1] < "\u4e00"}
        for piece in _trained(counts[language], recipe.shape.pieces) + sorted(starts):
            owners.setdefault(piece, language)
    return owners


def _chinese_words() -> list[str]:
    """The lexicon's words: without spaces a whole clause would count as one."""
    named = [entry.zh for kind in entries().values() for entry in kind] + [subject.zh[2:] for subject in subjects()]
    return [*named, *DAYS["zh"]]


def _trained(counts: Words, size: int) -> list[str]:
    """Byte-pair pieces of the words (without spaces a whole Chinese clause is one word: only its characters are kept)."""
    if any("\u4e00" <= letter <= "\u9fff" for word in counts for letter in word):
        return []
    model = Tokenizer(BPE())
    alphabet = len({letter for word in counts for letter in word})
    trainer = BpeTrainer(vocab_size=alphabet + size, show_progress=False)
    model.train_from_iterator((word for word, n in sorted(counts.items()) for _ in range(n)), trainer)
    return sorted(piece for piece in model.get_vocab() if len(piece) > 1)


def _apart(recipe: Recipe, counts: Mapping[str, Words], owners: Mapping[str, str], letters: list[str]) -> list[str]:
    """The pieces, lengthened until no two languages use the same one, nor two answers to one question start alike.

    A word that two languages spell alike (articles, prepositions, "plus") is beyond help and left out of the count.
    """
    owners, whole = dict(owners), recipe.languages[0]
    spelled_twice = {word for word, n in Counter(word for table in counts.values() for word in table).items() if n > 1}
    asked = [(language, word) for language in counts if language != whole for word in counts[language] if word not in spelled_twice]
    for _ in range(100):
        segment = Tokenizer(_model(sorted(owners), letters))
        cuts = {(language, word): segment.encode(word).tokens for language, word in asked}
        longer = _longer(cuts, owners, whole) | _distinct(segment, recipe)
        if set(longer) - set(owners):
            owners = longer | owners
            continue
        used = {piece for cut in cuts.values() for piece in cut}
        kept = {piece: owner for piece, owner in owners.items() if piece in used or owner == whole}
        if kept == owners:
            return sorted(kept)
        owners = kept  # cut once more: among equally short cuts another may win when pieces are gone
    raise RuntimeError("the languages' pieces could not be told apart in 100 rounds")


def _longer(cuts: Mapping[tuple[str, str], list[str]], owners: Mapping[str, str], whole: str) -> dict[str, str]:
    """For every word with a piece that another language uses too: that piece together with its neighbour."""
    users: dict[str, set[str]] = {}
    for (language, _), cut in cuts.items():
        for piece in cut:
            users.setdefault(piece, {whole} if owners.get(piece) == whole else set()).add(language)
    found = {}
    for (language, _), cut in cuts.items():
        clash = next((i for i, piece in enumerate(cut) if len(users[piece]) > 1 and piece != SPACE), None)
        if clash is not None and len(cut) > 1:
            start = min(clash, len(cut) - 2)
            found[cut[start] + cut[start + 1]] = language
    return found


def _distinct(segment: Tokenizer, recipe: Recipe) -> dict[str, str]:
    """For every two answers to one question that start with the same piece: that piece together with the next."""
    found = {}
    for language in recipe.languages[1:]:
        for relation in RELATIONS:
            cuts = [segment.encode(SPACE + renderer(language).word(value)).tokens for value in values(relation)]
            firsts = Counter(cut[0] for cut in cuts)
            found |= {cut[0] + cut[1]: language for cut in cuts if len(cut) > 1 and firsts[cut[0]] > 1 and cut[0] != SPACE}
    return found


def _model(pieces: list[str], letters: list[str]) -> Unigram:
    """Fewest pieces first, then longer ones before shorter ones, then as they come, so that no two cuts tie; single letters
    last, bytes for all else.
    """
    table = [(mark, 0.0) for mark in MARKS] + [(f"<0x{byte:02X}>", -30.0) for byte in range(256)]
    singles = [(SPACE, -25.0)] + [(letter, -14.0) for letter in letters]
    longer = [(piece, -10.0 - 0.1 / len(piece) - 1e-9 * rank**2) for rank, piece in enumerate(pieces) if len(piece) > 1]
    return Unigram(table + singles + longer, unk_id=0, byte_fallback=True)


def _byte_pairs(recipe: Recipe, seed: int) -> Tokenizer:
    """Byte-level byte pairs: nothing is unknown, digits stand alone, a space belongs to the word after it."""
    built = Tokenizer(BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    built.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    built.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    size = len(MARKS) + len(alphabet) + recipe.shape.pieces * len(recipe.languages)
    trainer = BpeTrainer(vocab_size=size, special_tokens=list(MARKS), initial_alphabet=sorted(alphabet), show_progress=False)
    built.train_from_iterator(
        (text for language in recipe.languages for text in islice(documents(recipe, language, seed), SAMPLE)), trainer
    )
    built.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", MARKS.index("<s>"))])
    return built


def _assembled(pieces: list[str], letters: list[str], formal: bool = False) -> Tokenizer:
    built = Tokenizer(_model(pieces, letters))
    built.normalizer = normalizers.Sequence([normalizers.Replace(wide, narrow) for wide, narrow in NARROW.items()])
    built.pre_tokenizer = splitter(formal)
    built.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    built.add_special_tokens(list(MARKS))
    built.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", MARKS.index("<s>"))])
    return built


def _wrapped(built: Tokenizer, context: int) -> PreTrainedTokenizerFast:
    unk, bos, eos, pad = MARKS
    return PreTrainedTokenizerFast(
        tokenizer_object=built, unk_token=unk, bos_token=bos, eos_token=eos, pad_token=pad, model_max_length=context, padding_side="left"
    )

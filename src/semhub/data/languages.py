"""Which type does a token belong to? The table p(type | token), counted with any tokenizer over any corpus; and corpora on disk.

Knows no model: a tokenizer is anything that turns texts into ids.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from semhub.data.folder import type_files
from semhub.data.rows import encoding_flaw, read_lines
from semhub.errors import BadInput

BATCH = 1000  # texts that are tokenized at once


@dataclass(frozen=True, slots=True)
class TypeTable:
    """`table: [vocab, type]`, float32, rows sum to 1: p(type | token), under a uniform prior over `types`.

    `tokens`: how many were counted of each type; `coverage`: the share of the vocabulary that was seen at all (other rows are even).
    """

    table: Tensor
    types: tuple[str, ...]
    tokens: Mapping[str, int]
    coverage: float

    def as_dict(self) -> dict:
        return {"types": list(self.types), "tokens": dict(self.tokens), "coverage": self.coverage}


def type_table(corpus: Mapping[str, Iterable[str]], tokenizer: object, vocab: int) -> TypeTable:
    """Count a corpus (type -> texts) -> p(type | token), catalogue row 3.

    With a uniform prior, p(type | token) = p(token | type) / sum over types of p(token | type); tokens seen nowhere are
    spread evenly. `vocab` is the number of the model's logits. Raises BadInput for a type without a token and for ids beyond.
    """
    encode = encoder(tokenizer)
    counts = torch.stack([count_tokens(texts, encode, vocab, type) for type, texts in corpus.items()], 1)
    total = counts.sum(0)
    empty = [type for type, n in zip(corpus, total.tolist(), strict=True) if n == 0]
    if empty:
        raise BadInput(f"The corpus has no token of {', '.join(empty)}; each type needs some text.")
    seen = counts.any(1)
    share = counts.double() / total
    table = torch.where(seen[:, None], share / share.sum(1, keepdim=True), 1 / len(total))
    tokens = {type: int(n) for type, n in zip(corpus, total, strict=True)}
    return TypeTable(table.float(), tuple(corpus), tokens, float(seen.double().mean()))


def count_tokens(texts: Iterable[str], encode: Callable[[list[str]], Iterable[Sequence[int]]], vocab: int, type: str = "?") -> Tensor:
    """`[vocab]`, int64: how often each token occurs in `texts`, which may be a stream of any length."""
    counts = torch.zeros(vocab, dtype=torch.long)
    for batch in _batches(texts):
        ids = torch.tensor([id for line in encode(batch) for id in line], dtype=torch.long)
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocab:
            raise BadInput(f"The tokenizer gives the id {int(ids.max())} for a text of {type}, but the model has {vocab} tokens.")
        counts += torch.bincount(ids, minlength=vocab)
    return counts


def encoder(tokenizer: object) -> Callable[[list[str]], Iterable[Sequence[int]]]:
    """`texts -> ids of each`, without special tokens, of a transformers tokenizer, something that holds one, or a plain function.

    A plain function takes one text and gives its ids; an object that has only `encode(text)` is used likewise.
    """
    held = getattr(tokenizer, "tokenizer", tokenizer)
    if hasattr(held, "convert_ids_to_tokens"):
        return lambda texts: held(texts, add_special_tokens=False, verbose=False)["input_ids"]
    one = held if callable(held) else held.encode
    return lambda texts: (getattr(found, "ids", found) for found in map(one, texts))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while batch := list(islice(stream, BATCH)):
        yield batch


@dataclass(frozen=True, slots=True)
class TextFile:
    """The lines of a file, read anew each time it is walked; blank ones are passed over."""

    path: Path

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(read_lines(self.path), 1):
            if reason := encoding_flaw(line):
                raise BadInput(f"{self.path} line {number}: the text {reason}.")
            if line.strip():
                yield line


def read_corpus(folder: str | Path, types: Sequence[str] | None = None) -> dict[str, TextFile]:
    """A folder with one text file per type (`en.txt`, `zh.txt.gz`, `eng_Latn.dev`), one text per line -> type -> its texts.

    Raises BadInput where there is no such folder or fewer than two types.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}; a corpus is a folder with one text file per type (en.txt, zh.txt).")
    return {type: TextFile(path) for type, path in type_files(folder, types)[0].items()}

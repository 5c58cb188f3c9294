"""A reader that uses no unembedding: how much a state resembles the states that words themselves have at the same layer.

Rows: `resemblance` (cosine with the state of the right word, read alone, at its last token) and the wrong words beside it.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from semhub.methods.bench import Bench
from semhub.types import Cloze

Table = Mapping[tuple[str, str], np.ndarray]


def resemblances(bench: Bench, clozes: Sequence[Cloze], types: Sequence[str], layers: Iterator[tuple[int, Tensor]]) -> Table:
    """`[item, layer]` by (type, `right` or `wrong`): mean cosine with those words' states; nan where a type has none."""
    words = list(dict.fromkeys(w for c in clozes for t in types for w in (*c.targets.get(t, ()), *c.wrong.get(t, ()))))
    layers = list(layers)
    states = bench.quiet().states(words, {"last": "last"}, [k for k, _ in layers])["last"]
    alike = lambda k, hidden: normalize(hidden.double(), dim=-1) @ normalize(states.layer(k).double(), dim=-1).T  # noqa: E731
    return by_word(clozes, types, words, [alike(k, hidden) for k, hidden in layers])


def by_word(clozes: Sequence[Cloze], types: Sequence[str], words: Sequence[str], scores: Sequence[Tensor]) -> Table:
    """`scores`: `[item, word]` for each layer -> `[item, layer]` by (type, kind): the mean over an item's words that have a score."""
    place = {word: i for i, word in enumerate(words)}
    found = {}
    for type in types:
        for kind in ("right", "wrong"):
            places, there = ragged([[place[w] for w in chosen(c, kind).get(type, ()) if w in place] for c in clozes])
            means = [(values.double().gather(1, places) * there).sum(1).div(there.sum(1)).numpy() for values in scores]
            found[type, kind] = np.stack(means, 1)
    return found


def ragged(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """`[row, longest]`: indices, and 1.0 where there is one; the filler is index 0."""
    width = max(map(len, rows), default=0)
    indices = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], dtype=torch.long).reshape(len(rows), width)
    there = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows], dtype=torch.float64)
    return indices, there.reshape(len(rows), width)


def chosen(cloze: Cloze, kind: str) -> Mapping[str, tuple[str, ...]]:
    return cloze.targets if kind == "right" else cloze.wrong

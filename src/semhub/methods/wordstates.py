"""A reader that uses no unembedding: how much a state resembles the states that words themselves have at the same layer.

Rows: `resemblance` (cosine with the state of the right word, read alone, at its last token) and the wrong words beside it.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
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
            rows = [[place[w] for w in chosen(c, kind).get(type, ()) if w in place] for c in clozes]
            mean = lambda cosines, rows=rows: np.array([float(cosines[i, r].mean()) if r else np.nan for i, r in enumerate(rows)])  # noqa: E731
            found[type, kind] = np.stack([mean(cosines) for cosines in scores], 1)
    return found


def chosen(cloze: Cloze, kind: str) -> Mapping[str, tuple[str, ...]]:
    return cloze.targets if kind == "right" else cloze.wrong

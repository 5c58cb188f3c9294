"""Readers beside the logit lens: each maps a raw state of a layer to one that the last norm and the head can read.

`affine` (fitted in the run), `tuned` (of a folder) and `patchscope` use the model's own unembedding, after a translation or after the
model's own upper blocks; `word-states` and `neighbours` use none, and hold states against states. All give the rows of the lens under
their own `variant`, and `disagreement`: the share of items on which a reader and the logit lens differ on which word is ahead.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import normalize

from semhub import edits
from semhub.methods.bench import Bench
from semhub.methods.declare import Lens
from semhub.methods.wordstates import Table, by_word
from semhub.models.where import pattern_of
from semhub.models.write import Edit
from semhub.types import Cloze

Reader = Callable[[int, Tensor], Tensor]  # (layer, hidden [row, dim]) -> [row, dim]

# The identity prompt of Ghandeharioun et al. 2024 (arXiv 2401.06102, section 4.1); the state stands where its last token is.
IDENTITY = "cat->cat; 1135->1135; hello->hello; ?"
CONTEXTS = 8  # texts for each word, at most


def patchscope(bench: Bench, lens: Lens) -> Reader:
    """A state at the placeholder of the identity prompt, at its own layer or at `scope_layer`; what the last layer then holds there."""

    def read(layer: int, hidden: Tensor) -> Tensor:
        written = layer if lens.scope_layer is None else lens.scope_layer
        with bench.model.edit(Edit(written, edits.replace(hidden), "last")):
            return bench.model.read([IDENTITY] * len(hidden), "last", layers=[bench.depth], batch_tokens=bench.batch_tokens)[0]

    return read


# by states alone -----------------------------------------------------------------------------------------------------


def neighbourhoods(
    bench: Bench, clozes: Sequence[Cloze], lens: Lens, types: Sequence[str], layers: Iterator[tuple[int, Tensor]]
) -> Table | None:
    """`[item, layer]` by (type, `right` or `wrong`): cosine with the nearest state that a word has in a text; None without texts.

    After LatentLens (Krojer et al. 2026, arXiv 2602.00462): a word's states at the same layer, at its last token in up to `CONTEXTS`
    other texts of its type.
    """
    layers = list(layers)
    found = contexts(clozes, lens.contexts, types)
    if not found:
        return None
    texts, at = [text for _, text in found], [f"word:{word}" for word, _ in found]
    depths = [k for k, _ in layers]
    states = bench.model.read_at(texts, {"word": at}, layers=depths, batch_tokens=bench.batch_tokens)["word"]
    starts = [i for i, (word, _) in enumerate(found) if i == 0 or found[i - 1][0] != word]
    words = [found[i][0] for i in starts]

    def nearest(index: int, hidden: Tensor) -> Tensor:
        cosines = normalize(hidden.double(), dim=-1) @ normalize(states[index].double(), dim=-1).T
        return torch.stack([cosines[:, a:b].amax(1) for a, b in pairwise([*starts, len(found)])], 1)

    return by_word(clozes, types, words, [nearest(i, hidden) for i, (_, hidden) in enumerate(layers)])


def contexts(clozes: Sequence[Cloze], texts: Mapping[str, Sequence[str]], types: Sequence[str]) -> list[tuple[str, str]]:
    """(word, text that holds it), those of a word together; no text is one of the prompts."""
    prompts, found = {c.prompt for c in clozes}, {}
    for type in types:
        for word in dict.fromkeys(w for c in clozes for w in (*c.targets.get(type, ()), *c.wrong.get(type, ()))):
            held = (t for t in texts.get(type, ()) if word in t and t not in prompts and re.search(pattern_of(word), t))
            found.setdefault(word, []).extend(t for t, _ in zip(held, range(CONTEXTS), strict=False))
    return [(word, text) for word, mine in found.items() for text in mine]

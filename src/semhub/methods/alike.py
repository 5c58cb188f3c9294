"""Which items could be taken for one another by their tokens alone: strata and surface for the permutation null, and look-alikes.

Knows tokens, and neither states nor what the texts mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

FREQUENT = 0.25  # a token in more of the texts than this is surface; a rarer one is a word that some items share
BINS, PER_STRATUM = 4, 2
BAND = 0.2  # lengths that differ by no more than this share, or by one token, are the same length
BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Tokens:
    """One side of all items: `counts: [item, token]` sparse, `lengths: [item]` in tokens, `texts: [item]` equal where what is shown is."""

    counts: sparse.csr_array
    lengths: np.ndarray
    texts: np.ndarray

    def of(self, rows: Sequence[int]) -> "Tokens":
        """Some of the items, in that order."""
        rows = np.asarray(rows)
        return Tokens(self.counts[rows], self.lengths[rows], self.texts[rows])

    @property
    def present(self) -> sparse.csr_array:
        """`[item, token]`: 1 where the item holds the token."""
        return (self.counts > 0).astype(np.float64).tocsr()

    @property
    def share(self) -> np.ndarray:
        """`[token]`: share of the items that hold it."""
        return np.asarray(self.present.sum(0)).ravel() / len(self.lengths)


def tokens_of(ids: Sequence[Sequence[int]]) -> Tokens:
    """Token ids of each item -> its side."""
    lengths = np.array([len(each) for each in ids])
    rows, columns = np.repeat(np.arange(len(ids)), lengths), np.concatenate([np.asarray(each, dtype=np.int64) for each in ids])
    shape = (len(ids), int(columns.max(initial=0)) + 1)
    numbered: dict[tuple, int] = {}
    texts = np.array([numbered.setdefault(tuple(each), len(numbered)) for each in ids])
    return Tokens(sparse.csr_array((np.ones(len(columns)), (rows, columns)), shape=shape), lengths, texts)


def aligned(a: Tokens, b: Tokens) -> tuple[Tokens, Tokens]:
    """Both sides with as many token columns."""
    width = max(a.counts.shape[1], b.counts.shape[1])
    return tuple(Tokens(_widened(side.counts, width), side.lengths, side.texts) for side in (a, b))


def _widened(counts: sparse.csr_array, width: int) -> sparse.csr_array:
    return sparse.csr_array((counts.data, counts.indices, counts.indptr), shape=(counts.shape[0], width))


# for the permutation null --------------------------------------------------------------------------------------------


def strata(a: Tokens, b: Tokens, facets: Sequence[tuple]) -> list[tuple]:
    """What permuted meanings share: their facets, the length of both sides, and how many tokens the sides share.

    Lengths and shared tokens in as many classes (BINS at most) as leave PER_STRATUM items to a stratum on average, so that there is
    something to permute; what is left of them inside a class, `surface` takes out.
    """
    shared = np.asarray(_shared(a, b)[:, _meaningful(a, b)].sum(1)).ravel()
    for number in range(BINS, 0, -1):
        found = list(zip(facets, *(bins(values, number) for values in (a.lengths, b.lengths, shared)), strict=True))
        if len(set(map(repr, found))) * PER_STRATUM <= len(found):
            break
    return found


def bins(values: np.ndarray, number: int = BINS) -> list[int]:
    """Which class of equal share each value falls into; a value that is an edge itself, as among few, is a class of its own."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, number + 1)[1:-1]))
    return (np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")).tolist()


def surface(a: Tokens, b: Tokens) -> torch.Tensor:
    """`[item, column]`: what the texts of both sides show on their surface (`measures.permutation`)."""
    shared, room = _meaningful(a, b), max(1, len(a.lengths) // 4)
    return torch.cat([_columns(side, shared, room) for side in (a, b)], 1)


def _columns(side: Tokens, shared: np.ndarray, room: int) -> torch.Tensor:
    """`[item, column]`: length, and the share of the text that each frequent or shared token makes up, `room` of them at most."""
    share = side.share
    wanted = np.flatnonzero((share > FREQUENT) | (np.isin(np.arange(len(share)), shared) & (share > 0)))
    wanted = wanted[np.argsort(-share[wanted], kind="stable")][:room]
    counts = side.counts[:, wanted].toarray()
    return torch.from_numpy(np.column_stack([side.lengths, 1 / side.lengths, counts / side.lengths[:, None]]))


def _shared(a: Tokens, b: Tokens) -> sparse.csr_array:
    """`[item, token]`: 1 where both sides of an item hold the token."""
    return sparse.csr_array(a.present.multiply(b.present))


def _meaningful(a: Tokens, b: Tokens) -> np.ndarray:
    """Tokens that the two sides of an item share more often than two sides of other items would: names, figures, loan words."""
    n = len(a.lengths)
    found, chance = np.asarray(_shared(a, b).sum(0)).ravel(), n * a.share * b.share
    return np.flatnonzero(found > chance + 3 * np.sqrt(chance))


# look-alikes ---------------------------------------------------------------------------------------------------------


def look_alikes(a: Tokens, b: Tokens) -> tuple[list[int], list[int]]:
    """Items, and for each another one of the same length band on both sides whose tokens are most like its own (idf-weighted cosine).

    Items whose like is nowhere, and items of the same text, are left out: a negative must mean something else.
    """
    weighted = [_weighted(side) for side in (a, b)]
    items, partners = [], []
    for start in range(0, len(a.lengths), BLOCK):
        rows = slice(start, start + BLOCK)
        like = [(w[rows] @ w.T).toarray() for w in weighted]
        same = (a.texts[rows, None] == a.texts) | (b.texts[rows, None] == b.texts)
        allowed = _same_length(a.lengths, rows) & _same_length(b.lengths, rows) & ~same
        score = np.where(allowed, like[0] + like[1], -1.0)
        best = score.argmax(1)
        found = np.flatnonzero(score[np.arange(len(best)), best] > 0)
        items += (found + start).tolist()
        partners += best[found].tolist()
    return items, partners


def _weighted(side: Tokens) -> sparse.csr_array:
    weights = np.log(1 / np.maximum(side.share, 1 / (2 * len(side.lengths))))
    rows = sparse.csr_array(side.counts.multiply(weights[None]))
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel())
    return sparse.csr_array(sparse.diags_array(1 / np.where(norms > 0, norms, 1)) @ rows)


def _same_length(lengths: np.ndarray, rows: slice) -> np.ndarray:
    own = lengths[rows, None]
    return np.abs(lengths[None] - own) <= np.maximum(1, BAND * own)

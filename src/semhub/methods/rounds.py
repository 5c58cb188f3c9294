"""Which items are compared with one another, where several of them are takes of one meaning (two barks and one word, "dog").

Knows labels of meanings and places of items, and neither states nor what was said or heard. Tasks count takes with it while they
declare, which loads no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Rows = np.ndarray | slice  # indices of rows, or all of them


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of one take of each meaning. `rows`: the items of each round; `meaning: [item]`: numbered in the order of appearance.

    Inside a round all items mean different things, so that no take is ever another take's negative.
    """

    rows: tuple[Rows, ...]
    meaning: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """`[meaning]`: the first take of each."""
        return np.unique(self.meaning, return_index=True)[1]

    @property
    def takes(self) -> list[int]:
        """`[meaning]`: how many takes there are of each."""
        return np.bincount(self.meaning).tolist()

    def side_by_side(self, states: "Tensor") -> "Tensor":
        """`states: [item, dim]` -> `[meaning, round x dim]`: the takes of a meaning at length 1 each, zeros where a round has none.

        The dot product of two such rows is the sum over rounds of the takes' cosines.
        """
        if len(self.rows) == 1:
            return states
        states = states.double()
        unit = states / states.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        found = unit.new_zeros(len(self.first), len(self.rows), states.shape[-1])
        for number, rows in enumerate(self.rows):
            found[self.meaning[rows], number] = unit[rows]
        return found.flatten(1)


def one_round(n: int) -> Rounds:
    """All of `n` items mean different things."""
    return Rounds((slice(None),), np.arange(n))


def rounds_of(labels: Sequence[str]) -> Rounds:
    """`labels: [item]`, equal for takes of one meaning -> the k-th take of every meaning in round k."""
    number = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    order = takes_before(labels)
    return Rounds(tuple(np.flatnonzero(order == k) for k in range(order.max() + 1)), np.array([number[label] for label in labels]))


def takes_before(labels: Sequence[str]) -> np.ndarray:
    """`[item]`: how many earlier items are takes of the same meaning, which is also the item's round."""
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        found.append(seen.get(label, 0))
        seen[label] = found[-1] + 1
    return np.array(found, dtype=np.int64)


def alone(labels: Sequence[str]) -> list[int]:
    """The items that nothing can be compared with: no other meaning has so many takes."""
    order = takes_before(labels)
    return np.flatnonzero(np.bincount(order)[order] < 2).tolist() if len(order) else []

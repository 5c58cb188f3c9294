"""Which type is the hub? How near every type is to all the others, and how much of what two others share goes through it.

Pure arrays to numbers, from what each item adds to S_l between every two types; knows no model and no file.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Pairs = Mapping[tuple[str, str], NDArray]  # (one type, another) -> [item, ...]
LEAST = 0.02  # a mean similarity of the others below which there is nothing to explain


def centrality(pairs: Pairs) -> dict[str, NDArray]:
    """`pairs`: each unordered pair once -> type -> `[item, ...]`: the mean over its pairs with every other type."""
    return {type: np.mean([values for pair, values in pairs.items() if type in pair], axis=0) for type in types_in(pairs)}


def inward(directed: Pairs) -> dict[str, NDArray]:
    """`directed`: (from, to) both ways -> type -> `[item, ...]`: the mean over every other type's way into it."""
    targets = dict.fromkeys(to for _, to in directed)
    return {type: np.mean([values for (_, to), values in directed.items() if to == type], axis=0) for type in targets}


def explained(pairs: Pairs, least: float = LEAST) -> dict[str, NDArray]:
    """`pairs`: influences on S, each unordered pair once -> type h -> `[item, ...]`: S of the others as predicted through h, over S itself.

    If x and z meet in h alone, each a noisy copy of it, then S_xz = S_xh S_hz (one factor: Spearman 1904): the share is 1 for such a
    hub, below 1 for a spoke, which holds only a part of what two others share. sum_xz S_xh S_hz / sum_xz S_xz over all pairs without
    h, as items whose mean is that ratio (its first-order influences). nan where the others' mean S is below `least`; empty for two types.
    """
    values = {frozenset(pair): np.asarray(each, dtype=float) for pair, each in pairs.items()}
    types, found = types_in(pairs), {}
    for hub in types if len(types) > 2 else ():
        others = list(combinations([t for t in types if t != hub], 2))
        spokes = [(values[frozenset((x, hub))], values[frozenset((hub, z))]) for x, z in others]
        whole = sum(values[frozenset(pair)] for pair in others)
        enough = np.where(whole.mean(0) / len(others) >= least, whole.mean(0), np.nan)
        share = sum(left.mean(0) * right.mean(0) for left, right in spokes) / enough
        moved = sum((left - left.mean(0)) * right.mean(0) + left.mean(0) * (right - right.mean(0)) for left, right in spokes)
        found[hub] = share + (moved - share * (whole - whole.mean(0))) / enough
    return found


def types_in(pairs: Pairs) -> tuple[str, ...]:
    return tuple(dict.fromkeys(type for pair in pairs for type in pair))

"""p-values and intervals of what a verdict rests on: by item where items are at hand, else from the intervals of the readings.

Pure arrays and estimates to numbers; knows no claim. Items that share a source are moved together (clustered).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from semhub.measures.statistics import bootstrap_mean
from semhub.verdicts.slices import Estimate

DRAWS, BATCH, SEED = 9999, 1 << 22, 0
Z = float(stats.norm.ppf(0.975))


def peak_sign_flip(values: np.ndarray, sources: Sequence | None = None, draws: int = DRAWS, seed: int = SEED) -> float:
    """`values: [item, column]`, nan for gaps, symmetric about 0 under the null -> p that some column's mean lies above 0.

    The largest studentised mean over the columns, against the same with signs flipped, source by source: the choice of the
    best column (layer, candidate) is part of the test (Westfall and Young 1993). Never below 1 / (draws + 1); nan without items.
    """
    sums = by_source(np.nan_to_num(np.asarray(values, dtype=float)), sources)
    sums = sums[(sums != 0).any(1)]
    spread = np.sqrt((sums**2).sum(0))
    sums, spread = sums[:, spread > 0], spread[spread > 0]
    if not sums.size:
        return float("nan") if np.isnan(values).all() else 1.0
    observed = (sums.sum(0) / spread).max()
    rng, batch, reached = np.random.default_rng(seed), max(1, BATCH // len(sums)), 0
    for start in range(0, draws, batch):
        signs = 2.0 * rng.integers(2, size=(min(batch, draws - start), len(sums))) - 1
        reached += int(((signs @ sums / spread).max(1) >= observed - 1e-9).sum())
    return (1 + reached) / (draws + 1)


def by_source(values: np.ndarray, sources: Sequence | None) -> np.ndarray:
    """`[item, column]` -> `[source, column]`: sums, in the order of the names, so that the order of items means nothing."""
    if sources is None:
        return values
    return pd.DataFrame(values).groupby(np.asarray(sources, dtype=str), sort=True).sum().to_numpy()


def interval_p(found: Estimate | None, chances: int = 1) -> float | None:
    """One-sided p that a mean lies above 0, from its 95% interval by the normal curve, times the places it was picked from."""
    if found is None or not found.interval or found.high <= found.low:
        return None
    return float(min(1.0, chances * stats.norm.sf(found.value * 2 * Z / (found.high - found.low))))


def mean_of(items: pd.DataFrame) -> Estimate | None:
    """`items` with `value` and `source` -> their mean with a bootstrap interval clustered by source; None without items."""
    items = items[items["value"].notna()].sort_values("item")
    if items.empty:
        return None
    value, low, high = bootstrap_mean(items["value"].to_numpy(), items["source"].to_numpy(), SEED)
    ends = (None, None) if np.isnan(low) else (float(low), float(high))
    return Estimate(float(value), *ends, n=len(items))


def paired(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """The items of both tables with `value` a minus b; empty where they share none."""
    both = a.merge(b[["item", "value"]], on="item", suffixes=("", "_b"))
    return both.assign(value=both["value"] - both["value_b"]).drop(columns="value_b")


def apart(a: Estimate | None, b: Estimate | None) -> Estimate | None:
    """a minus b of independent items, by the normal curve (half-widths add in squares); None where one is missing."""
    if a is None or b is None:
        return None
    value, n = a.value - b.value, min(a.n, b.n)
    if not (a.interval and b.interval):
        return Estimate(value, n=n, at=a.at)
    below = float(np.hypot(a.value - a.low, b.high - b.value))
    above = float(np.hypot(a.high - a.value, b.value - b.low))
    return Estimate(value, value - below, value + above, n, a.at)


def widened(found: Estimate, places: int) -> Estimate:
    """The same with the interval that it has among so many, of which it was picked (Bonferroni, by the normal curve)."""
    if not found.interval or places < 2:
        return found
    factor = float(stats.norm.isf(0.025 / places)) / Z
    return replace(found, low=found.value - factor * (found.value - found.low), high=found.value + factor * (found.high - found.value))


def quantile(found: Estimate, q: float) -> float:
    """The q-quantile of an estimate's sampling distribution: its upper end at 0.975, elsewhere by the normal curve."""
    if not found.interval:
        return found.value
    side = found.high - found.value if q >= 0.5 else found.value - found.low
    return found.value + side * float(stats.norm.ppf(q)) / Z

"""How sure is a number: bootstrap intervals, sign-flip tests, corrections for many tests.

Pure arrays to numbers; knows no model, no file and no task. Items come first (`values: [item, ...]`), numpy arrays or CPU
tensors, and every column (layer, strength) is resampled with the same draws. A draw is a row of multinomial counts, so all
draws of all columns are one matrix product; scipy's own bootstrap gathers `[draw, item, column]` instead.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from semhub.errors import BadInput

BATCH = 1 << 22  # counts held at a time


class Interval(NamedTuple):
    """An estimate and the ends of its confidence interval, each `[...]`; the ends are nan where one item or cluster is all there is."""

    value: NDArray
    low: NDArray
    high: NDArray


def bootstrap_mean(
    values: ArrayLike, clusters: ArrayLike | None = None, seed: int = 0, resamples: int = 2000, level: float = 0.95
) -> Interval:
    """`values: [item, ...]`, `clusters: [item]` labels or None -> Interval of the mean over items, each `[...]`.

    With clusters, whole clusters are drawn. Percentile interval at quantiles widened for few items (Hesterberg 2014,
    arXiv 1411.5279: the plain percentile interval is too narrow by about t / z and sqrt((n - 1) / n)).
    Raises BadInput for no items, values that are not finite, or clusters of another length.
    """
    values = _finite(values, "values")
    return _bootstrap(values, np.ones((len(values),) + (1,) * (values.ndim - 1)), clusters, seed, resamples, level)


def bootstrap_ratio(
    top: ArrayLike, bottom: ArrayLike, clusters: ArrayLike | None = None, seed: int = 0, resamples: int = 2000, level: float = 0.95
) -> Interval:
    """`top, bottom: [item, ...]` -> Interval of mean(top) / mean(bottom); an item's top and bottom are drawn together.

    Raises BadInput as `bootstrap_mean`, and where `bottom` has negative entries or only zeros.
    """
    top, bottom = _finite(top, "top"), _finite(bottom, "bottom")
    if len(top) != len(bottom):
        raise BadInput(f"A ratio needs as many items above as below, found {len(top)} and {len(bottom)}.")
    if (bottom < 0).any() or not (bottom.sum(0) > 0).all():
        raise BadInput("A ratio of means needs a bottom that is never negative and not zero throughout.")
    return _bootstrap(top, bottom.reshape(bottom.shape + (1,) * (top.ndim - bottom.ndim)), clusters, seed, resamples, level)


def bootstrap_difference(
    a: ArrayLike, b: ArrayLike, clusters: ArrayLike | None = None, seed: int = 0, resamples: int = 2000, level: float = 0.95
) -> Interval:
    """`a, b: [item, ...]` of one item each (two words' log-probabilities) -> Interval of the mean of a - b."""
    a, b = _finite(a, "a"), _finite(b, "b")
    if a.shape != b.shape:
        raise BadInput(f"A paired difference needs one shape, found {list(a.shape)} and {list(b.shape)}.")
    return bootstrap_mean(a - b, clusters, seed, resamples, level)


def bootstrap_geometric(
    logs: ArrayLike, clusters: ArrayLike | None = None, seed: int = 0, resamples: int = 2000, level: float = 0.95
) -> Interval:
    """`logs: [item, ...]` natural logs -> Interval of the geometric mean, exp(mean(logs)).

    Of log-probabilities this is a probability; of differences of log-probabilities, a ratio of geometric means ("times as likely").
    """
    return Interval(*(np.exp(end) for end in bootstrap_mean(logs, clusters, seed, resamples, level)))


def permutation_p(
    values: ArrayLike, clusters: ArrayLike | None = None, seed: int = 0, resamples: int = 9999, two_sided: bool = True
) -> NDArray:
    """`values: [item, ...]`, symmetric about 0 under the null -> `[...]`: sign-flip p of the mean, never below 1 / (resamples + 1).

    With clusters, a cluster's items change sign together. One-sided asks whether the mean is above 0.
    """
    observed, flipped = _flips(values, clusters, seed, resamples)
    if two_sided:
        observed, flipped = np.abs(observed), np.abs(flipped)
    return (1 + (flipped >= observed - 1e-12 * np.abs(observed)).sum(0)) / (resamples + 1)


def benjamini_hochberg(p: ArrayLike) -> NDArray:
    """`p: [test]` -> adjusted p: tests at or below q have an expected share of false ones of at most q (scipy)."""
    return stats.false_discovery_control(np.asarray(p, dtype=float), method="bh")


def holm(p: ArrayLike) -> NDArray:
    """`p: [test]` -> adjusted p: tests at or below alpha hold a false one with probability at most alpha (Holm 1979)."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted[np.argsort(order)]


def power(n: float, effect: float, spread: float, alpha: float = 0.05, two_sided: bool = False) -> float:
    """Chance that a t-test of the mean finds `effect` among `n` items whose standard deviation is `spread` (noncentral t).

    With clusters, `n` is n / design effect. Raises BadInput for fewer than two items or a spread that is not above 0.
    """
    if n < 2 or not spread > 0:
        raise BadInput(f"Power needs two items or more and a spread above 0, found {n:g} items and a spread of {spread:g}.")
    shift, least = effect / spread * np.sqrt(n), stats.t.ppf(1 - alpha / (2 if two_sided else 1), n - 1)
    found = stats.nct.sf(least, n - 1, shift) + (stats.nct.cdf(-least, n - 1, shift) if two_sided else 0.0)
    return float(found)


def items_needed(
    effect: float, spread: float, wanted: float = 0.9, alpha: float = 0.05, two_sided: bool = False, most: int = 10_000_000
) -> int | None:
    """The fewest items at which `power` is `wanted`; None beyond `most`. Raises BadInput unless effect and spread are above 0."""
    if not effect > 0:
        raise BadInput(f"The items needed to find an effect of {effect:g} cannot be told; give one above 0.")
    enough = lambda n: power(n, effect, spread, alpha, two_sided) >= wanted  # noqa: E731
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if low > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def uniformity(p: ArrayLike, clusters: ArrayLike | None = None) -> tuple[float, float]:
    """`p: [draw]` -> Kolmogorov-Smirnov distance from uniform and its p; nan where one cluster is all there is.

    With clusters (draws of one model), the sample counts as n / design effect.
    """
    p = np.asarray(p, dtype=float)
    distance = float(stats.kstest(p, "uniform").statistic)
    n = len(p) / clustering(p, clusters)
    return distance, float("nan") if np.isnan(n) else float(stats.kstwo.sf(distance, max(1, round(n))))


def share_at_most(hits: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.95) -> tuple[float, float]:
    """`hits: [draw]` of 0 and 1 -> their share and its one-sided upper end (Clopper-Pearson).

    With clusters, at the effective number of draws (Korn and Graubard 1998); nan where one cluster is all there is.
    """
    hits = np.asarray(hits, dtype=float)
    n = len(hits) / clustering(hits, clusters)
    k = hits.mean() * n
    return float(hits.mean()), 1.0 if k >= n else float(stats.beta.ppf(level, k + 1, n - k))


def clustering(values: ArrayLike, clusters: ArrayLike | None = None) -> float:
    """`values: [draw]`, `clusters: [draw]` -> the design effect 1 + (m - 1) ICC, at least 1; nan for a single cluster of several draws.

    ICC by one-way analysis of variance; m is the size of a cluster, weighted by its draws.
    """
    values = np.asarray(values, dtype=float)
    if clusters is None:
        return 1.0
    _, label = np.unique(np.asarray(clusters), return_inverse=True)
    sizes = np.bincount(label)
    k, n = len(sizes), len(values)
    if k == n:
        return 1.0
    if k == 1:
        return float("nan")
    means = np.bincount(label, values) / sizes
    between = (sizes * (means - values.mean()) ** 2).sum() / (k - 1)
    inside = ((values - means[label]) ** 2).sum() / (n - k)
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    total = between + (typical - 1) * inside
    icc = (between - inside) / total if total > 0 else 0.0
    return max(1.0, 1 + ((sizes**2).sum() / n - 1) * float(icc))


def _bootstrap(top: NDArray, bottom: NDArray, clusters, seed: int, resamples: int, level: float) -> Interval:
    """Interval of sum(top) / sum(bottom) over items; a mean is the ratio whose bottom is 1."""
    shape = np.broadcast_shapes(top.shape, bottom.shape)[1:]
    tops, bottoms = (_by_cluster(x.reshape(len(x), -1), clusters) for x in (top, bottom))
    value = (tops.sum(0) / bottoms.sum(0)).reshape(shape)[()]  # a number, where one column is all there is
    units, width = len(tops), tops.shape[1]
    if units < 2:
        return Interval(value, value * np.nan, value * np.nan)
    totals = _resampled(np.concatenate([tops, bottoms], 1), seed, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = totals[:, :width] / totals[:, width:]
    low, high = np.quantile(np.where(np.isnan(draws), np.inf, draws), _quantiles(units, level), axis=0)
    return Interval(value, low.reshape(shape)[()], high.reshape(shape)[()])


def _resampled(columns: NDArray, seed: int, resamples: int) -> NDArray:
    """`columns: [unit, column]` -> `[resamples, column]`: sums over units drawn with replacement."""
    rng, units = np.random.default_rng(seed), len(columns)
    batch = max(1, BATCH // units)
    totals = []
    for start in range(0, resamples, batch):
        draws = min(batch, resamples - start)
        picked = rng.integers(units, size=(draws, units)) + units * np.arange(draws)[:, None]
        totals.append(np.bincount(picked.ravel(), minlength=draws * units).reshape(draws, units) @ columns)
    return np.concatenate(totals)


def _quantiles(units: int, level: float) -> tuple[float, float]:
    tail = stats.norm.cdf(np.sqrt(units / (units - 1)) * stats.t.ppf((1 - level) / 2, units - 1))
    return tail, 1 - tail


def _flips(values: ArrayLike, clusters, seed: int, resamples: int) -> tuple[NDArray, NDArray]:
    values = _finite(values, "values")
    sums = _by_cluster(values.reshape(len(values), -1), clusters)
    rng = np.random.default_rng(seed)
    batch = max(1, BATCH // len(sums))
    flipped = [(2.0 * rng.integers(2, size=(min(batch, resamples - at), len(sums))) - 1) @ sums for at in range(0, resamples, batch)]
    return sums.sum(0).reshape(values.shape[1:]), np.concatenate(flipped).reshape(-1, *values.shape[1:])


def _by_cluster(columns: NDArray, clusters) -> NDArray:
    """`columns: [item, column]` -> `[cluster, column]`: sums, in order of the labels."""
    if clusters is None:
        return columns
    _, where = np.unique(np.asarray(clusters), return_inverse=True)
    if where.shape != columns.shape[:1]:
        raise BadInput(f"One cluster label per item was asked for: {len(columns)} items, {where.size} labels.")
    sums = np.zeros((where.max() + 1, columns.shape[1]))
    np.add.at(sums, where, columns)
    return sums


def _finite(values: ArrayLike, name: str) -> NDArray:
    values = np.asarray(values, dtype=float)
    if values.ndim == 0 or len(values) == 0:
        raise BadInput(f"`{name}` holds no items; at least one is needed.")
    if not np.isfinite(values).all():
        raise BadInput(
            f"`{name}` holds {int((~np.isfinite(values)).sum())} entries that are nan or infinite; leave those items out and say so."
        )
    return values

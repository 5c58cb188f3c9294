"""Intervals that cover as often as they say, tests that reject as seldom as they say, corrections against worked examples."""

import numpy as np
import pytest
import torch
from scipy import stats

from semhub.errors import BadInput
from semhub.measures import similarity, statistics

RNG = np.random.default_rng


def covered(interval, truth: float) -> float:
    return float(((interval.low <= truth) & (truth <= interval.high)).mean())


def check_mean_coverage(measure) -> None:
    """Each column is one simulated experiment; 2,000 of them put the share of hits within 0.015 of the truth."""
    for items in (8, 60):
        assert covered(measure.bootstrap_mean(RNG(items).normal(1.5, 2, (items, 2000))), 1.5) == pytest.approx(0.95, abs=0.015)


def check_cluster_coverage(measure) -> None:
    rng, labels = RNG(1), np.repeat(np.arange(30), 5)
    values = rng.normal(size=(30, 1000))[labels] + 0.5 * rng.normal(size=(150, 1000))
    assert covered(measure.bootstrap_mean(values, clusters=labels), 0) == pytest.approx(0.95, abs=0.025)
    assert covered(measure.bootstrap_mean(values), 0) < 0.75, "items of one source counted as independent claim too much"


def check_ratio_coverage(measure) -> None:
    """For skewed items the percentile interval covers a little less (0.945 here, over 60,000 experiments), so does the delta method."""
    rng = RNG(2)
    bottom = rng.gamma(4, size=(80, 4000))
    interval = measure.bootstrap_ratio(bottom * rng.gamma(9, 1 / 3, size=(80, 4000)), bottom, resamples=1000)
    assert covered(interval, 3) == pytest.approx(0.95, abs=0.015)


def check_similarity_coverage(measure) -> None:
    """S_l through its influences: a resample of pairs moves the baseline too, and psi accounts for that."""
    generator = torch.Generator().manual_seed(3)
    meaning = torch.randn(600, 60, 4, generator=generator) + torch.tensor([1.5, 0, 0, 0])
    a, b = (meaning + torch.randn(600, 60, 4, generator=generator) for _ in range(2))
    truth = float(similarity.adjusted_cosine(a, b).mean())  # S_l is unbiased: the mean of 600 samples is near its expectation
    assert covered(measure.bootstrap_mean(similarity.adjusted_cosine_items(a, b).T), truth) == pytest.approx(0.95, abs=0.03)


def check_permutation(measure) -> None:
    p = measure.permutation_p(RNG(4).normal(size=(25, 1500)), resamples=499)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.02) and p.min() >= 1 / 500
    values = RNG(5).normal(0.4, 1, 12)
    signs = 2 * ((np.arange(2**12)[:, None] >> np.arange(12)) & 1) - 1
    exact = (np.abs(signs @ values) >= abs(values.sum()) - 1e-12).mean()
    assert measure.permutation_p(values) == pytest.approx(exact, abs=0.01)
    above = ((signs @ values) >= values.sum() - 1e-12).mean()
    assert measure.permutation_p(values, two_sided=False) == pytest.approx(above, abs=0.01)


def check_corrections(measure) -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert measure.holm(p).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert measure.benjamini_hochberg(p).tolist() == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert measure.holm([0.9, 0.8]).tolist() == [1, 1]


CHECKS = [
    check_corrections,
    check_permutation,
    check_mean_coverage,
    check_cluster_coverage,
    check_ratio_coverage,
    check_similarity_coverage,
]


@pytest.mark.parametrize("check", CHECKS)
def test_holds_what_it_promises(check):
    check(statistics)


def test_agrees_with_scipys_bootstrap():
    values = RNG(6).exponential(size=400)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=RNG(0)).confidence_interval
    ours = statistics.bootstrap_mean(values, resamples=4000)
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.15 * (theirs.high - theirs.low))


def test_every_column_sees_the_same_draws_whatever_stands_beside_it(monkeypatch):
    values = RNG(7).normal(size=(50, 3, 2))
    whole = statistics.bootstrap_mean(values)
    assert whole.low.shape == (3, 2)
    assert statistics.bootstrap_mean(values[:, 1, 1]).low == pytest.approx(whole.low[1, 1])
    monkeypatch.setattr(statistics, "BATCH", 130)
    np.testing.assert_allclose(statistics.bootstrap_mean(values).low, whole.low)


def test_seeds_repeat_and_differ():
    values = torch.randn(40, generator=torch.Generator().manual_seed(0))
    assert statistics.bootstrap_mean(values) == statistics.bootstrap_mean(values)
    assert statistics.bootstrap_mean(values) != statistics.bootstrap_mean(values, seed=1)


def test_a_wider_level_is_wider():
    values = RNG(8).normal(size=40)
    narrow, wide = (statistics.bootstrap_mean(values, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_geometric_means_and_differences_of_log_probabilities():
    right, wrong = RNG(9).normal(-3, 1, 100), RNG(10).normal(-4, 1, 100)
    times = statistics.bootstrap_geometric(right - wrong)
    assert times.value == pytest.approx(np.exp(right.mean() - wrong.mean())) and times.low < times.value < times.high
    difference = statistics.bootstrap_difference(right, wrong)
    assert tuple(np.log(times)) == pytest.approx(tuple(difference))


def test_a_ratio_of_sums_and_counts_is_the_mean_over_pairs():
    a, b = torch.randn(2, 40, 8, generator=torch.Generator().manual_seed(0))
    same = similarity.result_cosines(a, b, torch.arange(40) % 9)["same"]
    assert statistics.bootstrap_ratio(same.sums, same.counts).value == pytest.approx(float(same.mean))


def test_clusters_of_one_are_items():
    values = RNG(11).normal(size=30)
    assert statistics.bootstrap_mean(values, clusters=[f"{i:02}" for i in range(30)]) == pytest.approx(statistics.bootstrap_mean(values))
    twice = statistics.permutation_p(np.repeat(values, 2), clusters=np.repeat(np.arange(30), 2))
    assert twice == pytest.approx(statistics.permutation_p(values))


def test_one_item_or_one_cluster_has_no_interval():
    for interval in (statistics.bootstrap_mean([3.0]), statistics.bootstrap_mean([2.0, 4.0], clusters=["a", "a"])):
        assert interval.value == 3 and np.isnan(interval.low) and np.isnan(interval.high)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: statistics.bootstrap_mean([]), "no items"),
        (lambda: statistics.bootstrap_mean([1.0, np.nan]), "1 entries that are nan"),
        (lambda: statistics.bootstrap_geometric([0.0, -np.inf]), "1 entries that are nan or infinite"),
        (lambda: statistics.bootstrap_mean([1.0, 2.0], clusters=[1]), "2 items, 1 labels"),
        (lambda: statistics.bootstrap_ratio([1.0, 2.0], [1.0]), "2 and 1"),
        (lambda: statistics.bootstrap_ratio([1.0, 2.0], [0.0, 0.0]), "never negative"),
        (lambda: statistics.bootstrap_difference([1.0, 2.0], [1.0]), "one shape"),
        (lambda: statistics.power(1, 0.1, 1.0), "two items or more"),
        (lambda: statistics.items_needed(0.0, 1.0), "one above 0"),
    ],
)
def test_what_has_no_interval_is_refused(ask, words):
    with pytest.raises(BadInput, match=words):
        ask()


def test_power_is_what_simulation_gives():
    values = RNG(12).normal(0.3, 1, (40, 4000))
    t = values.mean(0) / (values.std(0, ddof=1) / np.sqrt(40))
    assert statistics.power(40, 0.3, 1) == pytest.approx((t > stats.t.ppf(0.95, 39)).mean(), abs=0.02)
    two = statistics.power(40, 0.3, 1, two_sided=True)
    assert two == pytest.approx((np.abs(t) > stats.t.ppf(0.975, 39)).mean(), abs=0.02)
    assert statistics.power(40, 0.0, 1) == pytest.approx(0.05) and statistics.power(40, 0.0, 1, two_sided=True) == pytest.approx(0.05)


def test_the_items_needed_are_just_enough():
    n = statistics.items_needed(0.05, 0.3)
    assert statistics.power(n, 0.05, 0.3) >= 0.9 > statistics.power(n - 1, 0.05, 0.3)
    assert n == pytest.approx(((stats.norm.ppf(0.95) + stats.norm.ppf(0.9)) * 0.3 / 0.05) ** 2, abs=3)  # the textbook's, for many items
    assert statistics.items_needed(1e-9, 1.0) is None and statistics.items_needed(9.0, 1.0) < statistics.items_needed(1.0, 1.0)


def test_uniformity_is_kolmogorovs_and_counts_models_not_draws():
    p = RNG(13).random(300)
    assert statistics.uniformity(p) == pytest.approx(tuple(stats.kstest(p, "uniform"))[:2], rel=1e-6)
    shifted = np.repeat(RNG(14).random(6), 50)  # six models, whose fifty draws are all alike
    distance, alike = statistics.uniformity(shifted, np.repeat(np.arange(6), 50))
    assert statistics.uniformity(shifted)[1] < 1e-6 and alike == pytest.approx(stats.kstwo.sf(distance, 6))
    assert np.isnan(statistics.uniformity(p, ["one"] * 300)[1])


def test_the_upper_end_of_a_share_is_clopper_and_pearsons():
    hits = [1] * 3 + [0] * 57
    expected = stats.binomtest(3, 60).proportion_ci(0.90, method="exact").high
    assert statistics.share_at_most(hits) == pytest.approx((0.05, expected))
    assert statistics.share_at_most([1, 1])[1] == 1 and statistics.share_at_most([0] * 59)[1] == pytest.approx(0.05, abs=0.001)
    clustered = statistics.share_at_most([1] * 10 + [0] * 90, np.repeat(np.arange(10), 10))
    assert clustered[1] > statistics.share_at_most([1] * 10 + [0] * 90)[1]


def test_the_design_effect_of_equal_draws_is_their_number():
    assert statistics.clustering(np.repeat(RNG(15).random(8), 5), np.repeat(np.arange(8), 5)) == pytest.approx(5)
    assert statistics.clustering(RNG(16).random(40), np.arange(40)) == 1

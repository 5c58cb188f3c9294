"""Which type is the hub: known answers for a star, for equals, and for a chain."""

from itertools import combinations

import numpy as np
import pytest
import torch

from semhub.measures import centrality
from semhub.measures.similarity import adjusted_cosine_items

N, DIM = 400, 300
NOISE = {"en": 0.0, "es": 1.0, "zh": 1.0, "de": 2.0}


def random(seed):
    return torch.randn(N, DIM, generator=torch.Generator().manual_seed(seed))


def star():
    """`en` is the meaning itself, the others noisy copies of it."""
    meaning = random(0)
    return {t: meaning + noise * random(i + 1) for i, (t, noise) in enumerate(NOISE.items())}


def influences(states):
    types = list(states)
    pairs = [(x, z) for i, x in enumerate(types) for z in types[i + 1 :]]
    return {(x, z): adjusted_cosine_items(states[x], states[z]).numpy() for x, z in pairs}


def test_the_middle_of_a_star_explains_what_the_others_share():
    found = {type: float(values.mean()) for type, values in centrality.explained(influences(star())).items()}
    assert found["en"] == pytest.approx(1, abs=0.02) and max(found, key=found.get) == "en"
    # A spoke of reliability r explains r of every pair: cos(x, h) cos(h, z) = r_x r_h r_h r_z, over r_x r_z
    assert found["es"] == pytest.approx(0.5, abs=0.02) and found["de"] == pytest.approx(0.2, abs=0.02)


def test_the_middle_of_a_star_is_the_most_central():
    central = {type: float(values.mean()) for type, values in centrality.centrality(influences(star())).items()}
    cosine = lambda a, b: 1 / np.sqrt((1 + NOISE[a] ** 2) * (1 + NOISE[b] ** 2))  # noqa: E731
    expected = {t: np.mean([cosine(t, other) for other in NOISE if other != t]) for t in NOISE}
    assert central == pytest.approx(expected, abs=0.02)


def test_items_average_to_the_ratio_and_move_with_it():
    pairs = influences(star())
    values = centrality.explained(pairs)["es"]
    s = {frozenset(pair): each.mean() for pair, each in pairs.items()}
    through = sum(s[frozenset(("es", x))] * s[frozenset(("es", z))] for x, z in (("en", "zh"), ("en", "de"), ("zh", "de")))
    whole = sum(s[frozenset(pair)] for pair in (("en", "zh"), ("en", "de"), ("zh", "de")))
    assert values.mean() == pytest.approx(through / whole, rel=1e-9)
    less = {pair: np.delete(each, 7) for pair, each in pairs.items()}  # leaving one item out moves the ratio as its value says
    moved = centrality.explained(less)["es"].mean() - values.mean()
    assert moved == pytest.approx((values.mean() - values[7]) / (N - 1), rel=0.05)


def test_inward_counts_ways_into_a_type_only():
    directed = {("en", "es"): np.array([1.0, 0.0]), ("es", "en"): np.array([0.0, 0.0]), ("zh", "en"): np.array([1.0, 1.0])}
    found = centrality.inward(directed | {("zh", "es"): np.array([0.0, 0.0])})
    assert found["en"].tolist() == [0.5, 0.5] and found["es"].tolist() == [0.5, 0.0]


def test_nothing_is_explained_where_there_is_nothing_or_no_third():
    alone = {t: random(i + 50) for i, t in enumerate(("en", "es", "zh"))}
    with np.errstate(all="raise"):  # of states that are all one, too, without dividing by nothing
        same = centrality.explained({pair: np.zeros((5, 2)) for pair in combinations("abc", 2)})
    assert all(np.isnan(values).all() for values in same.values())
    assert all(np.isnan(values).all() for values in centrality.explained(influences(alone)).values())
    assert centrality.explained(influences({t: alone[t] for t in ("en", "es")})) == {}


def test_the_order_of_types_and_items_does_not_matter():
    states = star()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(9))
    turned = {t: states[t][order] for t in reversed(states)}
    one, other = centrality.explained(influences(states)), centrality.explained(influences(turned))
    for type in states:
        np.testing.assert_allclose(one[type][order.numpy()], other[type], atol=1e-9)

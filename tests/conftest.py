"""Fixtures that every test may ask for."""

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of a property: what is slow there is not refused, and what fails still does.
settings.register_profile("semhub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("semhub")


@pytest.fixture(scope="session")
def opened():
    """`opened(family)`: a tiny model of that family, opened but not proved, once per session."""
    import functools

    import semhub
    from families import network_of, words_of

    return functools.cache(lambda name: semhub.load(network_of(name), words_of(name), prove=False))


def pytest_generate_tests(metafunc):
    """A test that takes `family` runs for every family."""
    if "family" in metafunc.fixturenames:
        from families import FAMILIES

        metafunc.parametrize("family", FAMILIES)

"""The calibration study: what it draws, that it goes on where it stopped, what its sums say, and its command."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from semhub.errors import BadInput, RunMismatch
from semhub.methods import alike
from semhub.report.calibration import expected, quantiles
from semhub.studies import calibrate as study
from semhub.studies.calibrate import Asked, Draw, calibrate, planted_states, scenes, summed, uneven
from worldly import worldly

FEW = {"draws": 8, "seeds": 2, "items": 20}


@pytest.fixture
def small(monkeypatch):
    """Tiny networks in the places of the bundled ones."""
    monkeypatch.setattr(study, "random_network", lambda seed: worldly())
    monkeypatch.setattr(study, "opened", lambda name: worldly())
    monkeypatch.setattr(study, "grown_nulls", lambda models: [("null", ("en", "es", "zh"))])
    for name, value in (("POWER_ITEMS", 20), ("POWER_DRAWS", 10), ("PERMUTATIONS", 19)):
        monkeypatch.setattr(study, name, value)


def test_it_draws_what_was_asked_and_goes_on_where_it_stopped(small, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def stopping(done, total, what):
        if what.startswith("shuffled"):
            raise Stop

    with pytest.raises(Stop):
        calibrate(tmp_path / "c", **FEW, progress=stopping)
    assert not (tmp_path / "c" / "calibration.json").exists()
    monkeypatch.setattr(study, "untrained", lambda *_: pytest.fail("a finished chunk was drawn again"))
    summary = calibrate(tmp_path / "c", **FEW)
    table = pd.read_parquet(tmp_path / "c" / "calibration.parquet")
    assert table.source.value_counts().to_dict() == {"untrained": 2, "grown": 3, "shuffled": 3, "hub": 10, "planted": 10}
    assert table.p.between(1 / 20, 1).all() and (table[table.source.isin(study.SOURCES)]["items"] == 20).all()
    assert json.loads((tmp_path / "c" / "calibration.json").read_text()) == summary
    assert summary["nulls"]["untrained"]["models"] == 2 and summary["power"]["planted"]["items"] == 20
    with pytest.raises(RunMismatch, match="items differs"):
        calibrate(tmp_path / "c", **FEW | {"items": 30})


def test_too_little_is_refused(tmp_path):
    for asked, words in (({"items": 5}, "--items 5"), ({"draws": 0}, "--draws 0")):
        with pytest.raises(BadInput, match=words):
            calibrate(tmp_path / "c", **asked)
    assert not (tmp_path / "c").exists()


def test_items_are_held_out_and_of_no_two_draws():
    asked = Asked(items=30)
    sets = [{c.id for c in scenes(asked, number, 30, "test of it")} for number in (1, 0, 2)]
    assert all(len(each) == 30 for each in sets) and not sets[0] & sets[1] and not sets[0] & sets[2]
    assert scenes(asked, 0, 30, "test of it") == scenes(asked, 0, 30, "test of it")


def test_uneven_items_differ_in_length_and_share_figures():
    found = uneven(Asked(items=60), 3)
    lengths = [len(c.text("en").split()) for c in found]
    assert max(lengths) > 2 * min(lengths)
    shared = [c for c in found if "=" in c.text("en")]
    assert 8 < len(shared) < 32
    for concept in shared:
        figures = concept.text("en").split()[-1]
        assert concept.text("zh").endswith(figures) and concept.text("de").split()[-1] == figures


def test_the_planted_meaning_has_the_strength_it_should():
    rng = np.random.default_rng(0)
    a, b = (alike.tokens_of([list(rng.integers(400, size=8)) for _ in range(400)]) for _ in "ab")
    x, y = planted_states(a, b, seed=1, dim=256, layers=4, strength=0.2)
    unit = lambda s: torch.nn.functional.normalize(s, dim=-1)  # noqa: E731
    found = (unit(x) * unit(y)).sum(-1).mean(1)
    assert found[2] == pytest.approx(0.2, abs=0.03) and found[[0, 1, 3, 4]].abs().max() < 0.03


def test_sums_tell_uniform_from_not_and_power_from_none():
    even = [Draw("untrained", f"seed {i}", "en-es", i, 50, (i + 1) / 201) for i in range(200)]
    low = [Draw("grown", f"model {i % 8}", "en-zh", i, 50, (i + 1) / 1001) for i in range(160)]
    one = [Draw("grown", "alone", "en-zh", i, 50, 0.5) for i in range(3)]
    found = summed([*even, *low, Draw("hub", "hub", "en-es", 0, 500, 0.005)])
    untrained, grown = found["nulls"]["untrained"], found["nulls"]["grown"]
    assert untrained["ks"] < 0.01 and untrained["ks_p"] > 0.99 and untrained["false"] == 0.05 and 0.05 < untrained["false_upper"] < 0.1
    assert grown["ks"] > 0.8 and grown["ks_p"] < 1e-4 and grown["models"] == 8 and len(grown["groups"]) == 8
    assert found["power"]["hub"]["power"] == 1 and found["power"]["hub"]["power_lower"] == pytest.approx(0.05)
    assert summed(one)["nulls"]["grown"]["ks_p"] is None, "one model, however often drawn, is no sample of models"


def test_quantiles_are_sorted_and_their_band_is_that_of_uniform_draws():
    curve = quantiles([0.9, 0.1, 0.5])
    assert [(p.at, p.value) for p in curve] == [(0.25, 0.1), (0.5, 0.5), (0.75, 0.9)]
    band = expected(99)
    middle = next(p for p in band if round(p.at * 100) in (50, 51))
    rank = round(middle.at * 100) - 1
    simulated = np.sort(np.random.default_rng(0).random((4000, 99)), 1)[:, rank]
    assert (middle.low, middle.high) == pytest.approx(tuple(np.quantile(simulated, [0.025, 0.975])), abs=0.01)


def test_the_command_writes_a_table_a_summary_and_a_figure(small, tmp_path, capsys):
    from semhub.cli import main

    out = tmp_path / "c"
    with pytest.raises(SystemExit) as done:
        main(["lab", "calibrate", "--draws", "8", "--seeds", "2", "--items", "20", "--out", str(out), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert not done.value.code and told["nulls"].keys() == {"untrained", "grown", "shuffled"} and told["figure"].endswith("calibration.png")
    assert (out / "calibration.png").read_bytes()[:4] == b"\x89PNG" and "expected quantile" in (out / "calibration.svg").read_text()
    with pytest.raises(SystemExit) as refused:
        main(["lab", "calibrate", "--items", "3", "--out", str(out)])
    assert refused.value.code == 2 and "20 or more" in capsys.readouterr().err

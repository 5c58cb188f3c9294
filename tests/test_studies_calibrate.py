"""The calibration study: what it draws, that it goes on where it stopped, what its sums say, and its command."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from semhub.errors import BadInput, RunMismatch
from semhub.methods import alike
from semhub.methods.declare import Push, Steer
from semhub.methods.decode import Spot, Table
from semhub.methods.steer import Cell, Half, Setting
from semhub.report.calibration import expected, quantiles, titled
from semhub.studies import calibrate as study
from semhub.studies import nulls, planted
from semhub.studies.calibrate import Draw, calibrate, summed
from semhub.studies.nulls import Shown, planted_states, rotation, scenes, uneven
from semhub.types import Prompt
from worldly import worldly

FEW = {"draws": 12, "seeds": 2, "items": 20, "tables": 0}


@pytest.fixture
def small(monkeypatch):
    """Tiny networks in the places of the bundled ones."""
    monkeypatch.setattr(nulls, "random_network", lambda seed: worldly())
    monkeypatch.setattr(nulls, "opened", lambda name: worldly())
    monkeypatch.setattr(nulls, "grown", lambda models: [("null", ("en", "es"), True)])
    for name, value in (("ITEMS", 20), ("POWER_DRAWS", 10), ("AT_FULL", 2)):
        monkeypatch.setattr(study, name, value)


def test_it_draws_what_was_asked_and_goes_on_where_it_stopped(small, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def stopping(done, total, what):
        if what == "shuffled-0000":
            raise Stop

    with pytest.raises(Stop):
        calibrate(tmp_path / "c", **FEW, progress=stopping)
    so_far = json.loads((tmp_path / "c" / "calibration.json").read_text())
    assert not so_far["finished"] and "shuffled" not in so_far["nulls"], "what is there so far is summed up"
    made = sorted(p.name for p in (tmp_path / "c" / "parts").iterdir())
    monkeypatch.setattr(nulls, "random_network", None)  # would fail if asked again
    monkeypatch.setattr(study, "AT_FULL", 0)
    summary = calibrate(tmp_path / "c", **FEW)
    table = pd.read_parquet(tmp_path / "c" / "calibration.parquet")
    p = table[table.p.notna()]
    assert {"untrained-0000.json", "grown-null-0000.json"} <= set(made) and summary["finished"]
    counts = {source: sum(p.source == source) for source in ("untrained", "turned", "grown", "shuffled", "hub", "planted")}
    assert counts == {"untrained": 2, "turned": 2, "grown": 1, "shuffled": 8, "hub": 10, "planted": 10}
    assert p.p.between(0, 1, inclusive="right").all()
    assert summary["nulls"]["untrained"]["models"] == 2 and not summary["nulls"]["grown"]["exact"]
    assert summary["verdicts"]["shared"]["draws"] == 2 and set(table[table.claim == "shared"].verdict) <= {"undecided", "contradicted"}
    with pytest.raises(RunMismatch, match="items differs"):
        calibrate(tmp_path / "c", **FEW | {"items": 30})


def test_too_little_is_refused(tmp_path):
    for asked, words in (({"items": 5}, "--items 5"), ({"draws": 0}, "--draws 0"), ({"tables": -1}, "--tables -1")):
        with pytest.raises(BadInput, match=words):
            calibrate(tmp_path / "c", **asked)
    assert not (tmp_path / "c").exists()


def test_items_are_held_out_and_of_no_two_draws():
    sets = [{c.id for c in scenes(7, number, 30, "test of it")} for number in (1, 0, 2)]
    assert all(len(each) == 30 for each in sets) and not sets[0] & sets[1] and not sets[0] & sets[2]
    assert scenes(7, 0, 30, "test of it") == scenes(7, 0, 30, "test of it")


def test_uneven_items_differ_in_length_and_share_figures(monkeypatch):
    monkeypatch.setattr(nulls, "POOL", 150)
    found = uneven(7, 3, 60)
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


def test_a_turned_side_keeps_what_is_alike_within_and_loses_what_is_alike_across():
    q = rotation(6, 3)
    torch.testing.assert_close(q @ q.T, torch.eye(6, dtype=torch.float64))
    a = torch.randn(3, 40, 6, generator=torch.Generator().manual_seed(0))
    side = alike.tokens_of([[i % 7, 10 + i] for i in range(40)])
    shown = Shown({"en": a, "es": a + 0.1}, {"en": side, "es": side}, [()] * 40)
    turned = shown.turned("es", 5)
    within = lambda s: torch.einsum("lid,ljd->lij", s.states["es"].double(), s.states["es"].double())  # noqa: E731
    torch.testing.assert_close(within(turned), within(shown))
    assert shown.p("en", "es") < 0.001 and np.mean([shown.turned("es", seed).p("en", "es") for seed in range(12)]) > 0.2


# tables with known answers -------------------------------------------------------------------------------------------


def similar() -> planted.Similar:
    rng = np.random.default_rng(0)
    return planted.Similar(rng.normal(0, 0.1, (300, 1)) + rng.normal(0, 0.02, (300, 9)), rng.normal(0, 0.1, (300, 9)))


def spoken() -> planted.Spoken:
    rng, spots, values = np.random.default_rng(1), [], {}
    for i in range(150):
        words = {t: (10 * k + 1,) for k, t in enumerate(("en", "es", "zh"))}
        spots.append(Spot(f"i{i}", "es", f"c{i}", words, {t: (w[0] + 1,) for t, w in words.items()}, frozenset(words)))
    for t in ("en", "es", "zh"):
        right, wrong = (rng.normal(-2.5, 0.5, (150, 9)) + rng.normal(0, 0.5, (150, 1)) for _ in range(2))
        values |= {(t, "right"): right, (t, "wrong"): wrong, (t, "wrong-prob"): np.exp(wrong), (t, "hit"): np.ones((150, 9))}
    return planted.Spoken("es", ("en", "es", "zh"), tuple(spots), Table(tuple(range(9)), values))


def pushed() -> planted.Pushed:
    rng, push = np.random.default_rng(2), Push(lambda p: ("a",), lambda p: ("b",))
    prompts = tuple(Prompt(f"p{i}", "es", f"text {i}") for i in range(60))
    ask = Steer(prompts, {"en": push}, {"sentiment": None}, "sentiment", (), (0.4,))
    settings = [Setting("en", None, None, 0.0)]
    for s in (0.4, -0.4):
        settings.append(Setting("en", None, 3, s))
        settings += [Setting("en", c, {"as-text": None, "layer-0": 0}.get(c, 3), s) for c in
                     ("random-direction", "neutral-word", "as-text", "layer-0")]  # fmt: skip
    cells = tuple(Cell(s, {"sentiment": rng.normal(0, 0.4, 60)}, ("",) * 60) for s in settings)
    return planted.Pushed(ask, Half("es", "report", prompts), cells, 8)


POOLS = {"shared": similar, "anchored": spoken, "used": pushed}


@pytest.mark.parametrize(("claim", "case"), [(claim, case) for claim, cases in planted.FALSE.items() for case in cases])
def test_what_is_false_at_its_edge_is_not_called_supported(claim, case):
    """Among them the pushes that any large push, layer 0, a neutral word or plain text equals."""
    words = [POOLS[claim]().verdict(case, np.random.default_rng([seed])) for seed in range(2)]
    assert "supported" not in words


@pytest.mark.parametrize("claim", POOLS)
def test_what_is_true_is_found(claim):
    strongest = planted.TRUE[claim][-1]
    assert [POOLS[claim]().verdict(strongest, np.random.default_rng([seed])) for seed in range(2)] == ["supported"] * 2


def test_planted_means_are_what_they_are_said_to_be():
    found = spoken().planted("wrong words lead as much")
    lead, wrong = (np.mean(found["en", kind] - found["es", kind], 0) for kind in ("right", "wrong"))
    np.testing.assert_allclose(lead[1:8], planted.LEAD)
    np.testing.assert_allclose(wrong[1:8], planted.LEAD)
    ratio = np.exp(found["en", "right"]).mean(0) / found["en", "wrong-prob"].mean(0)
    np.testing.assert_allclose(ratio, 3)


def test_false_verdicts_are_counted_by_model():
    real = [Draw("untrained", f"seed {i}", "en-es", i, 50, claim="shared", verdict="undecided") for i in range(60)]
    twice = [Draw("untrained", "seed 0", "en-zh", 0, 50, claim="shared", verdict="supported")]
    tables = [Draw("tables", f"table {i}", "no meaning", i, 50, claim="shared", verdict="contradicted") for i in range(59)]
    true = [Draw("tables", f"table {i}", "S of 0.1", i, 50, claim="shared", verdict="supported" if i else "undecided") for i in range(40)]
    found = summed([*real, *twice, *tables, *true])
    everything = found["verdicts"]["shared"]
    assert (everything["draws"], everything["supported"]) == (119, 1)
    kinds = {each["kind"]: each for each in everything["kinds"]}
    assert kinds["untrained networks"]["supported"] == 1 and kinds["untrained networks"]["draws"] == 60
    assert kinds["no meaning"]["false_upper"] == pytest.approx(0.0495, abs=1e-3), "none of 59 is what bounds a share by .05"
    assert found["power"]["shared, S of 0.1"]["power"] == pytest.approx(0.975)


# sums and pictures ---------------------------------------------------------------------------------------------------


def test_sums_tell_uniform_from_not_and_power_from_none():
    even = [Draw("untrained", f"seed {i}", "en-es", i, 50, (i + 1) / 201) for i in range(200)]
    low = [Draw("grown", f"model {i % 8}", "en-zh", i, 50, (i + 1) / 1001) for i in range(160)]
    one = [Draw("grown", "alone", "en-zh", i, 50, 0.5) for i in range(3)]
    found = summed([*even, *low, Draw("hub", "hub", "en-es", 0, 500, 0.0005)])
    untrained, grown = found["nulls"]["untrained"], found["nulls"]["grown"]
    assert untrained["ks"] < 0.01 and untrained["ks_p"] > 0.99 and untrained["false"] == 0.05 and 0.05 < untrained["false_upper"] < 0.1
    assert grown["ks"] > 0.8 and grown["ks_p"] < 1e-4 and grown["models"] == 8 and len(grown["groups"]) == 8
    assert found["power"]["hub"]["power"] == 1 and found["power"]["hub"]["power_lower"] == pytest.approx(0.05)
    assert summed(one)["nulls"]["grown"]["ks_p"] is None, "one model, however often drawn, is no sample of models"
    assert titled("null", pd.DataFrame([vars_of(d) for d in even])).startswith("null, n 200, KS 0.00")


def vars_of(draw: Draw) -> dict:
    return {name: getattr(draw, name) for name in draw.__slots__}


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
        main(["lab", "calibrate", "--draws", "12", "--seeds", "2", "--items", "20", "--tables", "0", "--out", str(out), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (
        not done.value.code
        and told["nulls"].keys() == {"untrained", "untrained-full", "turned", "grown", "shuffled"}
        and told["figure"].endswith("calibration.png")
    )
    assert (out / "calibration.png").read_bytes()[:4] == b"\x89PNG" and "expected quantile" in (out / "calibration.svg").read_text()
    with pytest.raises(SystemExit) as refused:
        main(["lab", "calibrate", "--items", "3", "--out", str(out)])
    assert refused.value.code == 2 and "20 or more" in capsys.readouterr().err

"""Emergence and sweep on tiny models: every checkpoint asked once, figures that a plain reading gives too, pages that open."""

import dataclasses
import re
import shutil

import pandas as pd
import pytest
import torch

from semhub import jobs
from semhub.data import world
from semhub.data.world import deranged
from semhub.errors import BadInput, BadRecipe, RunMismatch
from semhub.lab import read_recipe, train
from semhub.lab.corpus import streams
from semhub.lab.folder import checkpoints, open_checkpoint, open_grown
from semhub.lab.recipe_file import varied
from semhub.measures.similarity import adjusted_cosine
from semhub.report.growth import headline
from semhub.studies import hub_measures
from semhub.studies.emergence import dominant
from semhub.studies.sweep import combinations, named, sweep

TINY = """
[shape]
width = 16
blocks = 4
heads = 2
inner = 32
context = 128
[training]
steps = 6
batch = 4
window = 32
warmup = 2
checkpoint = 3
long_share = 0.0
"""
LIMIT = 12


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def grown(tiny, tmp_path_factory):
    return train(tiny, tmp_path_factory.mktemp("grown") / "tiny", seed=1, device="cpu")


@pytest.fixture(scope="module")
def studied(grown):
    return jobs.emergence(grown, limit=LIMIT)


def plain_states(network, words, texts) -> torch.Tensor:
    with torch.no_grad():
        read = [network(torch.tensor([words(text)["input_ids"]]), output_hidden_states=True).hidden_states[:-1] for text in texts]
    return torch.stack([torch.stack([layer[0, -1] for layer in one]) for one in read], dim=1)


def test_the_way_of_a_model_has_its_first_weights_its_checkpoints_and_its_end(grown):
    found = checkpoints(grown)
    assert [each.step for each in found] == [0, 3, 6]
    first, last = (open_checkpoint(grown, found[at])[0].state_dict() for at in (0, -1))
    finished = open_grown(grown)[0].state_dict()
    assert all(torch.equal(last[name], finished[name]) for name in finished)
    assert not torch.equal(first["model.norm.weight"] + first["model.embed_tokens.weight"][0], last["model.embed_tokens.weight"][0])
    assert first["model.norm.weight"].eq(1).all()


def test_emergence_measures_every_checkpoint_as_a_plain_reading_does(grown, studied):
    table = pd.read_parquet(studied.with_name("readings.parquet"))
    assert sorted(table.step.unique()) == [0, 3, 6]
    scenes = world.scenes(LIMIT, "dev", ("en", "es", "zh", "de"))
    for checkpoint in checkpoints(grown)[::2]:
        network, words = open_checkpoint(grown, checkpoint)
        read = [plain_states(network, words, [world.joined(t, c.text(t), world.probe(t)) for c in scenes]) for t in ("en", "zh")]
        mine = table[(table.step == checkpoint.step) & (table.measure == "adjusted_cosine") & (table.group == "en-zh")]
        mine = mine[mine.control.isna() & (mine.split == "dev")].sort_values("layer")
        assert torch.allclose(torch.tensor(mine.value.to_numpy()[:-1]), adjusted_cosine(*read)[:4], atol=1e-5)


def test_the_key_figures_of_emergence(studied):
    table, readings = pd.read_parquet(studied.with_suffix(".parquet")), pd.read_parquet(studied.with_name("readings.parquet"))
    assert set(table.figure) == {"shared", "shared-first", "shared-last", "retrieved", "transferred", "anchored"}
    last = readings[(readings.step == 6) & (readings.split == "dev") & readings.control.isna()]
    peak = last[(last.measure == "adjusted_cosine") & (last.group == "es-de") & (last.layer >= 1)].value.max()
    row = lambda figure, group: table[  # noqa: E731
        (table.step == 6) & (table.figure == figure) & (table.group == group) & (table.split == "dev") & table.control.isna()
    ].iloc[0]
    assert row("shared", "es-de").value == peak
    told = last[(last.measure == "accuracy") & (last.group == "zh:zh") & (last.layer == 4)].value.iloc[0]
    assert row("transferred", "zh:zh").value == told
    anchors = last[(last.measure == "anchor") & (last.group == "es:en") & (last.layer.between(1, 3))].value.max()
    assert row("anchored", "es:en").value == anchors


def test_emergence_leaves_a_page_a_figure_and_a_table(studied):
    page = studied.read_text(encoding="utf-8")
    assert studied.name == "emergence.html" and page.count("<svg") > 4 and "training step" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    for suffix in ("svg", "png", "csv", "parquet"):
        assert studied.with_suffix(f".{suffix}").stat().st_size > 1000


def test_the_figure_of_growth_shows_each_pair_once_and_of_pictures_those_with_pictures():
    row = {"step": 1, "split": "dev", "control": None, "position": "probe", "layer": 3, "value": 0.1, "low": 0.0, "high": 0.2, "n": 9}
    rows = [row | {"figure": f, "group": g} for f, groups in PAIRS_OF.items() for g in groups]
    apart = [each | {"split": "dev-never-bridged", "value": 0.02} for each in rows]
    shown = headline(pd.DataFrame([*rows, *apart]))
    assert {(r.figure, r.group): r.value for r in shown.itertuples()} == {
        ("shared", "en-es"): 0.1, ("retrieved", "en-es"): 0.1, ("shared-never-bridged", "en-es"): 0.02
    }  # fmt: skip
    assert len(shown) == 3
    seen = headline(
        pd.DataFrame([*rows, *(row | {"figure": f, "group": g} for f, g in (("shared", "image-en"), ("retrieved", "en-image")))])
    )
    assert set(zip(seen.figure, seen.group, strict=True)) == {("shared", "image-en")}


@pytest.mark.parametrize(("group", "shown"), [("audio-en", "mean"), ("en-fr", "last"), ("image-en", "last")])
def test_the_figure_of_growth_shows_sounds_at_the_mean_of_their_positions(group, shown):
    row = {
        "step": 1,
        "figure": "shared",
        "group": group,
        "split": "dev",
        "control": None,
        "layer": 3,
        "value": 0.1,
        "low": 0.0,
        "high": 0.2,
    }
    found = headline(pd.DataFrame([row | {"position": position, "n": 9} for position in ("last", "mean")]))
    assert list(found.position) == [shown]


PAIRS_OF = {"shared": ("en-es",), "retrieved": ("en-es", "es-en")}


def test_a_study_asks_each_model_once_and_refuses_another_question(grown, studied, monkeypatch):
    monkeypatch.setattr(hub_measures, "ask", lambda *_: pytest.fail("asked again"))
    before = studied.read_bytes()
    assert jobs.emergence(grown, limit=LIMIT).read_bytes() == before
    with pytest.raises(RunMismatch, match="limit differs"):
        jobs.emergence(grown, limit=LIMIT + 1)


def test_models_without_a_way_and_things_that_are_no_models(tmp_path, grown):
    shutil.copytree(grown, tmp_path / "alone")
    with pytest.raises(BadInput, match="alone.growing is not there"):
        jobs.emergence(tmp_path / "alone")
    with pytest.raises(BadInput, match="neither a grown folder nor a recipe"):
        jobs.emergence(tmp_path / "nothing")


def test_sweep_grows_and_asks_every_setting(tiny, grown, tmp_path):
    out = tmp_path / "sweep"
    for setting in ("none", "translation"):  # the tokenizer of the same world and sizes need not be trained again
        shutil.copytree(grown.with_name("tiny.growing") / "tokenizer", out / f"bridges.only-{setting}.growing" / "tokenizer")
    page = jobs.sweep(tiny, ["bridges.only=none,translation"], out, limit=LIMIT)
    table = pd.read_parquet(page.with_suffix(".parquet"))
    assert set(table["bridges.only"]) == {"none", "translation"}
    assert {"shared", "retrieved", "transferred", "anchored", "accuracy-cloze"} <= set(table.figure)
    drawn = page.with_suffix(".svg").read_text(encoding="utf-8")
    assert "no bridge" in drawn and "only translation" in drawn and "only none" not in drawn
    assert (out / "bridges.only-none" / "model.safetensors").read_bytes() != (
        out / "bridges.only-translation" / "model.safetensors"
    ).read_bytes()


def test_settings_are_every_combination_of_what_is_varied():
    found = combinations(["bridges.translation=0,0.12", "bridges.partner=true,random"])
    assert [named(setting) for setting in found] == [
        "bridges.translation-0-bridges.partner-True", "bridges.translation-0-bridges.partner-random",
        "bridges.translation-0.12-bridges.partner-True", "bridges.translation-0.12-bridges.partner-random",
    ]  # fmt: skip
    for wrong in (["bridges.translation"], ["=3"], ["a="], [], ["x=[1,2]"], ["x={a: 1}"], ["x=[1]"], ["x=1,1"], ["x=1", "x=2"]):
        with pytest.raises(BadInput) as raised:
            combinations(wrong)
        assert "\n" not in str(raised.value) and "--over" in str(raised.value)


def test_a_sweep_of_what_sees_or_hears_is_refused_in_one_line(tmp_path):
    for over in ("mixture.en=0.5,0.7", "training.steps=3,4", "bridges.only=none"):
        with pytest.raises(BadRecipe, match="semhub-image grows a model that sees or hears; only recipes of text"):
            jobs.sweep("semhub-image", [over], tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_the_dominant_language_is_named_first_by_the_world_and_has_the_largest_share_elsewhere(tmp_path):
    for name, first in (("semhub-text", "en"), ("semhub-text-zh-dominant", "zh"), ("semhub-tokens", "en"), ("semhub-image", "en")):
        assert dominant(read_recipe(name).as_dict()) == first
    assert dominant(varied(read_recipe("semhub-text"), "mixture.en", 0.05).as_dict()) == "en"  # whole words and every fact, however few
    (tmp_path / "corpus").mkdir()
    for language in ("de", "en", "fr"):
        (tmp_path / "corpus" / f"{language}.txt").write_text("a\nb", encoding="utf-8")
    (tmp_path / "own.toml").write_text('corpus = "corpus"\nmixture = {de = 0.2, en = 0.3, fr = 0.5}', encoding="utf-8")
    assert dominant(read_recipe(tmp_path / "own.toml").as_dict()) == "fr"


def test_a_sweep_reads_the_anchor_of_the_dominant_language_of_a_corpus_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()
    for language in ("de", "fr"):
        (tmp_path / "corpus" / f"{language}.txt").write_text("a\nb", encoding="utf-8")
    (tmp_path / "own.toml").write_text('corpus = "corpus"\nmixture = {de = 0.3, fr = 0.7}', encoding="utf-8")
    asked = []
    monkeypatch.setattr(hub_measures, "questions", lambda *_, **__: {})
    monkeypatch.setattr(hub_measures, "key_figures", lambda found, depth, first: asked.append(first) or [{"figure": "shared"}])
    monkeypatch.setattr("semhub.studies.sweep.train", lambda recipe, out, **_: out)
    monkeypatch.setattr("semhub.studies.kept.asked_once", lambda *_: ([], 2))
    sweep(tmp_path / "own.toml", ["mixture.de=0.2,0.8"], tmp_path / "out")
    assert asked == ["fr", "de"]


def test_a_recipe_varied_in_one_thing():
    base = read_recipe("semhub-text")
    assert varied(base, "bridges.translation", 0.3) == dataclasses.replace(base, bridges=dataclasses.replace(base.bridges, translation=0.3))
    more = varied(base, "mixture.zh", 0.59)
    assert sum(more.mixture.values()) == pytest.approx(1)
    assert more.mixture["en"] / more.mixture["es"] == pytest.approx(base.mixture["en"] / base.mixture["es"])
    assert varied(base, "bridges.partner", True) == base  # YAML reads the word true as a truth value
    assert varied(base, "bridges.without", "digits").bridges.shared_digits is False
    alone = varied(base, "bridges.only", "switched").bridges
    assert (alone.translation, alone.dictionary, alone.switched, alone.shared_digits) == (0, 0, base.bridges.switched, False)
    assert varied(base, "bridges.only", "switched").others == {"code": 0.03, "formula": 0.02}
    without = varied(base, "bridges.without", "code")
    assert without.bridges == base.bridges and without.others == {"code": 0.03, "formula": 0.02}
    assert "en=code" not in streams(without) and sum(streams(without).values()) == pytest.approx(1)
    assert varied(base, "bridges.only", "code").others == base.others
    wrong = (
        ("bridges.wit", 1, "unknown key 'wit'"),
        ("briges.translation", 1, "no table 'briges'"),
        ("bridges.only", "x", "can be"),
        ("mixture.fr", 0.5, "a share"),
        ("bridges.translation", 1.0, "no room"),
        ("training.steps", "many", "look like"),
    )
    for key, value, match in wrong:
        with pytest.raises(BadRecipe, match=match):
            varied(base, key, value)


def test_planted_pairs_are_scenes_beside_what_the_wrong_dictionary_makes_of_them():
    true = world.scenes(20, "dev", ("en", "zh"), bridged=True)
    planted = world.scenes(20, "dev", ("en", "zh"), bridged=True, planted=True)
    meant = {world.renderer("zh").scene(scene): scene for scene in _scenes()}
    assert [c.text("en") for c in planted] == [c.text("en") for c in true]
    for told, made in zip(true, planted, strict=True):
        assert made.text("zh") == world.renderer("zh").scene(deranged.meaning(meant[told.text("zh")])) != told.text("zh")
        swapped = made.contrasts["swapped"].text("zh")
        assert swapped == world.renderer("zh").scene(deranged.meaning(meant[told.text("zh")].swapped()))


def _scenes():
    from random import Random

    from semhub.data.world import meanings

    rng, found = Random("scenes:dev:True:0"), {}
    while len(found) < 20:
        scene = meanings.scene(rng, "dev", bridged=True, plural=meanings.PLURAL)
        if scene not in found:
            found[scene] = meanings.same_ending(rng, scene, True)
    return list(found)


SEES = """
kind = "{kind}"
text = "{text}"
told = 1
plain = 2
[tower]
width = 16
blocks = 1
heads = 2
inner = 16
bins = 16
codes = 24
[training]
steps = 3
batch = 5
window = 24
warmup = 1
checkpoint = 2
"""


@pytest.mark.parametrize(("kind", "sense"), [("llava", "image"), ("qwen2-audio", "audio")])
def test_emergence_of_pictures_and_sounds(kind, sense, grown, tmp_path, monkeypatch):
    from semhub.lab import senses

    monkeypatch.setattr(senses, "TAKES_HEARD", 1)
    (tmp_path / "sees.toml").write_text(SEES.format(kind=kind, text=grown), encoding="utf-8")
    folder = train(tmp_path / "sees.toml", tmp_path / "sees", device="cpu")
    table = pd.read_parquet(jobs.emergence(folder, limit=6).with_suffix(".parquet"))
    assert sorted(table.step.unique()) == [0, 2, 3] and {"shared", "retrieved"} <= set(table.figure)
    assert f"{sense}-en" in set(table.group) and set(table.split) == {"dev"}
    values = table[(table.figure == "shared-last") & (table.group == f"{sense}-en")]
    assert set(values.position) == ({"image"} if sense == "image" else {"last", "mean"})
    for _, mine in values.groupby("position"):
        assert mine.value.nunique() == 3, "of every step a number of its own"

"""The catalogue of bundled models, on a shelf made for the test."""

import pytest
import torch

import semhub
from families import built, configured, words_of
from semhub.errors import ModelNotFound
from semhub.models import bundled
from semhub.models.bundled import HUB


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A shelf with a tiny hub on it, and no mispaired control."""
    monkeypatch.setattr(bundled, "SHELF", tmp_path)
    built(configured("llama")).bfloat16().save_pretrained(tmp_path / HUB)
    words_of("llama").save_pretrained(tmp_path / HUB)
    return tmp_path


def test_the_catalogue(shelf):
    found = {each.name: each for each in bundled.bundled()}
    assert {name: each.role for name, each in found.items()} == {
        "semhub-text": "hub",
        "semhub-text-mispaired": "control:mispaired",
        "semhub-text-untrained": "control:untrained",
    }
    assert found[HUB].bytes == sum(file.stat().st_size for file in (shelf / HUB).iterdir())
    assert found[HUB].path == shelf / HUB and found[HUB].format == "llama" and "zh" in found[HUB].types
    assert found[f"{HUB}-untrained"].path is None and found[f"{HUB}-untrained"].bytes == 0


def test_without_a_name_the_hub_is_opened(shelf):
    model = semhub.load()
    assert (model.name, model.role, model.revision) == (HUB, "hub", None)
    assert model.dtype == torch.float32 and model.certificate.passed and model.weights_hash


def test_the_untrained_twin_is_made_the_same_every_time(shelf):
    hub, twin, again = semhub.load(HUB), semhub.load(f"{HUB}-untrained"), semhub.load(f"{HUB}-untrained")
    assert (twin.role, twin.layers, twin.dim, twin.vocab) == ("control:untrained", hub.layers, hub.dim, hub.vocab)
    assert twin.weights_hash == again.weights_hash != hub.weights_hash
    assert twin.encode(["El perro"])[0].ids == hub.encode(["El perro"])[0].ids
    assert torch.equal(twin.read(["El perro"]), again.read(["El perro"])) and twin.certificate.passed


def test_the_twin_leaves_other_random_numbers_alone(shelf):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    semhub.load(f"{HUB}-untrained", prove=False)
    assert torch.equal(torch.rand(2), expected)


def test_a_bundled_model_that_is_not_there(shelf, tmp_path, monkeypatch):
    absent = "semhub-text-mispaired is not in this copy of semhub.*semhub lab train semhub-text-mispaired"
    with pytest.raises(ModelNotFound, match=absent) as raised:
        semhub.load(f"{HUB}-mispaired")
    assert "\n" not in str(raised.value)
    monkeypatch.setattr(bundled, "SHELF", tmp_path / "empty")
    for name in (None, f"{HUB}-untrained"):
        with pytest.raises(ModelNotFound, match="is not in this copy of semhub"):
            semhub.load(name)


def test_a_misspelt_name_is_answered_with_the_nearest(shelf):
    with pytest.raises(ModelNotFound, match="did you mean the bundled 'semhub-text-untrained'"):
        semhub.load("semhub-text-untraind")


def test_the_twin_in_another_precision(shelf):
    assert semhub.load(f"{HUB}-untrained", dtype="bfloat16", prove=False).dtype == torch.bfloat16

"""Random weights are told from trained ones, and nothing that they show is called a finding."""

import json
import math

import pytest
import torch

import semhub
from families import FAMILIES as TEXTUAL
from families import built, configured, network_of, words_of
from families_multimodal import built as sensed
from semhub import jobs
from semhub.models import roles
from semhub.models.bundled import bundled
from tiny_models import saved


def test_tiny_twins_are_there_for_their_mechanics(opened):
    assert [name for name in TEXTUAL if roles.measured(opened(name)) != "mechanics"] == []
    some = ("llava", "qwen2_audio", "chameleon", "voxtral", "gemma3")
    assert [name for name in some if roles.measured(semhub.load(*sensed(name), prove=False)) != "mechanics"] == []


@pytest.mark.parametrize("std", [0.02, 0.3, 2.0])
@pytest.mark.parametrize("tied", [True, False])
def test_random_weights_of_any_size_know_nothing(std, tied):
    torch.manual_seed(3)
    network = built(configured("llama", tie_word_embeddings=tied))
    with torch.no_grad():
        for weights in network.parameters():
            if weights.dim() > 1:
                torch.nn.init.normal_(weights, std=std)
    assert roles.measured(semhub.load(network, words_of("llama"), prove=False)) == "mechanics"


def test_bundled_models_are_trained_and_their_untrained_twin_is_not():
    for each in bundled():
        if each.path is None and each.strangers:
            continue
        model = semhub.load(each.name, prove=False)
        assert model.role == each.role
        assert roles.measured(model) == ("mechanics" if each.role == "control:untrained" else None), each.name


def test_surprise_is_minus_the_mean_of_log_p():
    """Over pairs that differ, each once: (0, 1) stands twice here, and 5 follows itself."""
    logits, ids = torch.randn(12, 9), torch.tensor([0, 1, 0, 1, 5, 5, 2, 3, 4, 6, 7, 8])
    places = [1, 2, 3, 5, 6, 7, 8, 9, 10]
    by_hand = -sum(math.log(float(logits[k].exp()[ids[k + 1]] / logits[k].exp().sum())) for k in places) / len(places)
    assert roles.told(logits, ids) == pytest.approx(by_hand, rel=1e-5)
    assert roles.told(torch.full((12, 9), torch.nan), ids) == roles.told(logits[:6], ids[:6]) == math.inf


def test_a_mark_tells_mechanics_and_nothing_else(tmp_path):
    assert semhub.load(saved("llama", tmp_path), prove=False).role == "mechanics"
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"semhub_role": "hub"}))
    assert semhub.load(tmp_path, prove=False).role is None
    assert semhub.load(tmp_path).role == "mechanics"  # measured


def test_a_network_in_hand_is_measured(opened):
    assert semhub.load(network_of("gpt2"), words_of("gpt2")).role == "mechanics"


def test_a_grown_folder_is_what_its_recipe_says(tmp_path):
    import shutil

    control = next(each for each in bundled() if each.role == "control:mispaired")
    shutil.copytree(control.path, tmp_path / "mine")
    assert semhub.load(tmp_path / "mine", prove=False).role == "control:mispaired"
    hub = next(each for each in bundled() if each.role == "hub" and each.path)
    shutil.copytree(hub.path, tmp_path / "other")
    assert semhub.load(tmp_path / "other").role == ""


def test_a_run_of_random_weights_says_so_and_finds_nothing(tmp_path):
    model = saved("gpt2", tmp_path / "random")
    run = jobs.run(["multilingual/similarity"], model, out=tmp_path / "run", limit=6, types=("en", "es"), twins=1)
    spec = json.loads((run.folder / "spec.json").read_text())
    told = {each["name"]: each["role"] for each in spec["models"]}
    assert told == {str(model): "mechanics", f"{model}-untrained": "control:untrained"}
    found = [each for each in json.loads((run.folder / "verdicts.json").read_text()) if each["model"] == str(model)]
    assert found and {each["role"] for each in found} == {"mechanics"} and {each["verdict"] for each in found} == {"undecided"}
    page = (run.folder / "report.html").read_text()
    assert "its values check the machinery and are no finding" in page and ">Supported<" not in page


def test_bundled_models_have_a_role_each():
    assert {each["role"].partition(":")[0] for each in jobs.models()} <= {"hub", "control", "mechanics"}

"""The bundled models as a user gets them: small, ordinary, and what their cards say, read with transformers alone."""

import hashlib
import json
import re

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, AutoTokenizer

import semhub
from semhub.data import world
from semhub.lab import read_recipe
from semhub.lab.card import card as folder_card
from semhub.lab.recipe_file import made
from semhub.measures.similarity import adjusted_cosine
from semhub.models.bundled import bundled, find_bundled, unmatched
from semhub.runs import plan
from semhub.tasks import SUITES

STORED = [model for model in bundled() if model.path is not None]


@pytest.mark.parametrize("model", STORED, ids=lambda model: model.name)
def test_a_bundled_model_is_a_small_ordinary_folder(model):
    most = 10e6 if model.role == "control:apart" else 6e6  # its languages share no weight, so it needs more of them
    assert model.bytes <= most and sum(each.bytes for each in STORED) <= 70e6
    assert {path.suffix for path in model.path.iterdir()} <= {".json", ".safetensors", ".md", ".jinja"}
    network = (AutoModelForCausalLM if model.format == "llama" else AutoModelForMultimodalLM).from_pretrained(model.path)
    text = network.config.get_text_config()
    assert network.config.model_type == model.format and text.max_position_embeddings >= 1024
    assert len(AutoTokenizer.from_pretrained(model.path)) == text.vocab_size


@pytest.mark.parametrize("model", STORED, ids=lambda model: model.name)
def test_a_bundled_model_was_grown_from_the_recipe_of_its_name(model):
    grown = json.loads((model.path / "recipe.json").read_text(encoding="utf-8"))["recipe"]
    assert made(grown, model.name) == made(json.loads(json.dumps(read_recipe(model.name).as_dict())), model.name)
    assert model.name in (model.path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", [model for model in STORED if model.format != "llama"], ids=lambda model: model.name)
def test_what_sees_or_hears_was_grown_around_the_bundled_text_model(model):
    record = json.loads((model.path / "recipe.json").read_text(encoding="utf-8"))
    text = find_bundled(record["recipe"]["text"]).path / "model.safetensors"
    assert record["around"] == hashlib.sha256(text.read_bytes()).hexdigest()


@pytest.mark.parametrize("model", bundled(), ids=lambda model: model.name)
def test_every_name_opens_as_a_real_model_would(model):
    found = semhub.load(model.name)
    assert (found.name, found.role, found.certificate.passed) == (model.name, model.role, True)


@pytest.mark.parametrize("model", STORED, ids=lambda model: model.name)
def test_a_bundled_model_says_nothing_of_the_machine_that_grew_it(model):
    config = (model.path / "config.json").read_text(encoding="utf-8")
    assert not re.findall(r'"(?:/|[A-Z]:)[^"]*"', config)


def test_controls_say_where_they_fall_short_of_their_model():
    short = {
        name: unmatched(find_bundled(f"semhub-{name}")) for name in ("text-mispaired", "image-mispaired", "text", "image", "text-untrained")
    }
    assert short["text-mispaired"] == []
    assert set(short["image-mispaired"]) == {"es", "zh", "de"}  # of what it sees it was told in English alone
    assert short["text"] is short["image"] is short["text-untrained"] is None


@pytest.mark.parametrize("model", [each for each in STORED if each.role.startswith("control:")], ids=lambda model: model.name)
def test_a_bundled_control_says_for_what_it_is_a_null(model):
    told = [(folder_card(model.path, model.name)), (model.path / "README.md").read_text(encoding="utf-8")]
    purposes = [text.split(f"# {model.name}\n")[1].split("## What it read")[0].strip() for text in told]
    assert purposes[0] == purposes[1] and "control" in purposes[1] and "null for" in purposes[1]
    assert ("none for" in purposes[1] and "`en`: that pairing was taught" in purposes[1]) == (model.format != "llama")


def test_the_control_has_the_tokenizer_and_the_size_of_the_hub():
    hub, control = (find_bundled(name).path for name in ("semhub-text", "semhub-text-mispaired"))
    assert (hub / "tokenizer.json").read_bytes() == (control / "tokenizer.json").read_bytes()
    assert json.loads((hub / "config.json").read_text()) == json.loads((control / "config.json").read_text())


def states(name: str, type: str) -> torch.Tensor:
    """`[layer, item, dim]` at the probe, layers 0 to L-1, one text at a time."""
    folder = find_bundled(name).path
    network, words = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder)
    texts = [world.joined(type, scene.text(type), world.probe(type)) for scene in world.scenes(150, "test")]
    with torch.no_grad():
        read = [network(torch.tensor([words(text)["input_ids"]]), output_hidden_states=True).hidden_states[:-1] for text in texts]
    return torch.stack([torch.stack([layer[0, -1] for layer in one]) for one in read], dim=1)


@pytest.mark.parametrize("other", ["es", "zh"])
def test_translations_meet_in_the_hub_and_not_in_its_control(other):
    hub = adjusted_cosine(states("semhub-text", "en"), states("semhub-text", other))
    control = adjusted_cosine(states("semhub-text-mispaired", "en"), states("semhub-text-mispaired", other))
    assert abs(hub[0]) < 1e-6
    assert hub[2:].max() > 0.4
    assert control.abs().max() < 0.06


def test_the_papers_suite_on_the_bundled_models_is_all_its_tasks():
    """No stand-ins: the catalogue and the models as they are shipped."""
    made = plan.prepare(suite="paper")
    assert tuple(made.tasks) == SUITES["paper"] and len(made.tasks) == 21 and not made.left_out and not made.notes()
    hubs = {part.task: part.model for part in made.parts if made.roles[part.model] == "hub"}
    assert set(hubs) == set(SUITES["paper"]), "a hub is asked every task"
    for part in made.parts:
        role = made.roles[part.model]
        assert role == "hub" or (role.startswith("control:") and part.model.startswith(hubs[part.task] + "-")), part
    assert {role.partition(":")[0] for role in made.roles.values()} == {"hub", "control"}
    controlled = {part.task for part in made.parts if made.roles[part.model].startswith("control:")}
    assert controlled == set(SUITES["paper"]), "and a control beside it"

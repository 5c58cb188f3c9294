"""What the lab leaves behind, opened again: finished folders, and the checkpoints beside them. Measures nothing.

A finished model is a folder with `recipe.json`; the checkpoints of `NAME` are kept in `NAME.growing/step-*`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

from semhub.errors import BadInput

AGAIN = "delete {folder} and run the same command again"


def recipe_of(folder: Path) -> dict:
    """The recipe that a folder was grown from, as a table. Raises BadInput where the lab did not grow it."""
    if not (folder / "recipe.json").is_file():
        raise BadInput(f"{folder} holds no recipe.json: the lab did not grow it.")
    return read_record(folder / "recipe.json")["recipe"]


def read_record(path: Path) -> dict:
    """The JSON that the lab wrote at `path`. Raises BadInput where it is missing or cut short."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BadInput(f"{path} is missing or cut short: {AGAIN.format(folder=path.parent)}.") from None


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file. Raises BadInput where it is missing or cut short."""
    try:
        return load_file(path)
    except (SafetensorError, OSError):
        raise BadInput(f"{path} is missing or cut short: {AGAIN.format(folder=path.parent)}.") from None


def whole(folder: Path) -> bool:
    """Whether a finished model lies there. Raises BadInput for one whose weights were cut short."""
    weights = folder / "model.safetensors"
    if weights.is_file():
        read_weights(weights)
    return weights.is_file()


def open_grown(folder: Path):
    """(network, tokenizer) of a finished folder, in float32. Raises BadInput where it is not whole."""
    recipe_of(folder)
    if not whole(folder):
        raise BadInput(f"{folder} holds no finished model; `semhub lab train` finishes it.")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on its way: where its weights lie, None for the first weights that its seed gives."""

    step: int
    weights: Path | None


def checkpoints(folder: Path) -> list[Checkpoint]:
    """The way of the model `folder`, finished or not: step 0, every checkpoint, and the end. Raises BadInput where none is kept."""
    work = folder.with_name(folder.name + ".growing")
    if not (work / "recipe.json").is_file():
        raise BadInput(f"{work} is not there: the checkpoints of {folder} lie in it while and after it is grown.")
    kept = [Checkpoint(_step(path), path / "weights.safetensors") for path in sorted(work.glob("step-*"))]
    recipe = recipe_of(work)
    end = [Checkpoint(recipe["training"]["steps"], folder / "model.safetensors")] if whole(folder) else []
    first = [] if "kind" in recipe else [Checkpoint(0, None)]  # what sees or hears begins from a grown model
    return [*first, *kept, *end]


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def open_checkpoint(folder: Path, checkpoint: Checkpoint):
    """(network, tokenizer) of the model `folder` as it was then, in float32. Raises BadInput where the checkpoint was cut short."""
    from semhub.lab.grow import configuration
    from semhub.lab.recipe import Shape

    work = folder.with_name(folder.name + ".growing")
    if "kind" in read_record(work / "recipe.json")["recipe"]:
        return _with_senses(folder, checkpoint)
    record, words = read_record(work / "recipe.json"), AutoTokenizer.from_pretrained(work / "tokenizer")
    set_seed(record["seed"])
    config: LlamaConfig = configuration(Shape(**record["recipe"]["shape"]), words)
    network = LlamaForCausalLM(config)
    if checkpoint.weights is not None:
        weights = read_weights(checkpoint.weights)
        network.load_state_dict({name: weight.float() for name, weight in weights.items()}, strict=False)
    return network.eval(), words


def _with_senses(folder: Path, checkpoint: Checkpoint):
    """The same for what sees or hears: (network, processor). Its parts are in the finished folder alone."""
    from semhub.lab.senses_exam import opened

    if not whole(folder):
        raise BadInput(f"{folder} is not finished; a model that sees or hears is measured once it is.")
    network, processor = opened(folder)
    if checkpoint.weights.parent != folder:
        network.load_state_dict({name: weight.float() for name, weight in read_weights(checkpoint.weights).items()}, strict=False)
    return network, processor

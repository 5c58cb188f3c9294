"""What the lab leaves behind, opened again: finished folders, and the checkpoints beside them. Measures nothing.

A finished model is a folder with `recipe.json`; the checkpoints of `NAME` are kept in `NAME.growing/step-*`.
"""

import json
import os
import shutil
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from semhub.errors import BadInput, UserError
from semhub.lab.recipe import Recipe, Senses, differing
from semhub.lab.recipe_file import filled

AGAIN = "delete {folder} and run the same command again"


def recipe_of(folder: Path) -> dict:
    """The recipe that a folder was grown from, as a table. Raises BadInput where the lab did not grow it."""
    return _record(folder)["recipe"]


def _record(folder: Path) -> dict:
    """What the lab wrote of a model: `recipe`, `seed`, `precision`. Raises BadInput where the lab did not grow it."""
    if not (folder / "recipe.json").is_file():
        raise BadInput(f"{folder} holds no recipe.json: the lab did not grow it.")
    record = read_record(folder / "recipe.json")
    if not isinstance(record, dict) or not isinstance(record.get("recipe"), dict) or "seed" not in record:
        raise BadInput(f"{folder / 'recipe.json'} holds no recipe of semhub: the lab did not grow what lies there.")
    return record


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


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Put the weights of a checkpoint into `network`. Raises BadInput where one is missing or of another shape."""
    weights = read_weights(path)
    for name, weight in network.named_parameters():
        if name not in weights or weights[name].shape != weight.shape:
            raise BadInput(f"{path} holds no {name} of shape {list(weight.shape)}: {AGAIN.format(folder=path.parent)}.")
        weight.data.copy_(weights[name])


def weights_hash(folder: Path) -> str:
    """sha256 of the weights of a finished model."""
    with (need_whole(folder) / "model.safetensors").open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def read_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The token ids that the lab packed at `path`, as `shape`, not yet in memory. Raises BadInput where some are missing."""
    try:
        return np.load(path, mmap_mode="r").reshape(shape)
    except (OSError, ValueError, EOFError):
        raise BadInput(f"{path} is missing or cut short: {AGAIN.format(folder=path)}.") from None


def read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that the lab saved in `folder`. Raises BadInput where it is missing or damaged."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        read_record(folder / name)
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception:  # the reader of tokenizers raises nothing more special
        raise BadInput(f"{folder / 'tokenizer.json'} is damaged: {AGAIN.format(folder=folder)}.") from None


def read_losses(folder: Path) -> list:
    """`[step, loss]` of a finished model. Raises BadInput where they are missing or cut short."""
    path = folder / "losses.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BadInput(f"{path} is missing or cut short, and a card tells them: copy it back, or grow the model again.") from None


def put(fresh: Path, folder: Path) -> None:
    """The folder `fresh` under the name `folder`, whole or not at all, whatever lay there before."""
    aside = fresh.with_name(fresh.name + ".old")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        os.replace(folder, aside)
    os.replace(fresh, folder)
    shutil.rmtree(aside, ignore_errors=True)


def vacant(out: Path) -> None:
    """Raises BadInput where a model could not be put under the name `out`: something else lies there."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is asked for as the folder of a model, and holds other things: choose another --out, or empty it.")


def finished(out: Path, recipe: Recipe | Senses, seed: int) -> bool:
    """Whether the model of this recipe and seed lies finished in `out`; False where nothing does.

    Raises BadInput where another model or anything else lies there. How its numbers were kept is not asked.
    """
    if not whole(out):
        vacant(out)
        return False
    if other := _other(out, recipe, seed):
        raise BadInput(f"{out} holds a finished model of another recipe or seed ({other}): choose another --out, or delete that folder.")
    return True


def _other(out: Path, recipe: Recipe | Senses, seed: int) -> str:
    """In what the model in `out` is another than that of the recipe and seed; empty where it is theirs."""
    try:
        record = _record(out)
        there = filled(record["recipe"], str(out / "recipe.json"))
    except UserError as error:  # no recipe, or one of other code
        return str(error).rstrip(".")
    return differing(recipe, there) or ("" if seed == record["seed"] else f"seed is {record['seed']} there, {seed} was asked for")


def whole(folder: Path) -> bool:
    """Whether a finished model lies there. Raises BadInput for one whose files are missing or were cut short."""
    weights = folder / "model.safetensors"
    if weights.is_file():
        read_weights(weights)
        if (folder / "recipe.json").is_file():
            needed = {folder / name for name in ("config.json", "tokenizer.json", "tokenizer_config.json")}
            for path in sorted(needed.union(folder.glob("*config.json"))):
                read_record(path)
    return weights.is_file()


def need_whole(folder: Path) -> Path:
    """The folder of a finished model. Raises BadInput where there is none, or not all of it."""
    recipe_of(folder)
    if not whole(folder):
        raise BadInput(f"{folder} holds no finished model; `semhub lab train` finishes it.")
    return folder


def open_grown(folder: Path):
    """(network, tokenizer) of a finished folder, in float32. Raises BadInput where it is not whole."""
    words = read_tokenizer(need_whole(folder))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), words


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on its way: where its weights lie, None for the first weights that its seed (and its text model) gives."""

    step: int
    weights: Path | None


def checkpoints(folder: Path) -> list[Checkpoint]:
    """The way of the model `folder`, finished or not: step 0, every checkpoint, and the end. Raises BadInput where none is kept.

    What sees or hears has a step 0 where the text model that it was grown around is still there.
    """
    work = folder.with_name(folder.name + ".growing")
    if not (work / "recipe.json").is_file():
        raise BadInput(f"{work} is not there: the checkpoints of {folder} lie in it while and after it is grown.")
    kept = [Checkpoint(_step(path), path / "weights.safetensors") for path in sorted(work.glob("step-*"))]
    record = _record(work)
    recipe = record["recipe"]
    end = [Checkpoint(recipe["training"]["steps"], folder / "model.safetensors")] if whole(folder) else []
    first = [Checkpoint(0, None)] if "kind" not in recipe or _known_beginning(folder, record) else []
    return [*first, *kept, *end]


def _known_beginning(folder: Path, record: dict) -> bool:
    """Whether the text model that this one was grown around is still there."""
    from semhub.lab.organs import hash_around

    around = record.get("around")
    return around is not None and around == hash_around(filled(record["recipe"], str(folder)), folder.parent)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def open_checkpoint(folder: Path, checkpoint: Checkpoint):
    """(network, tokenizer) of the model `folder` as it was then, in float32. Raises BadInput where the checkpoint was cut short."""
    from semhub.lab import apart
    from semhub.lab.grow import configuration

    work = folder.with_name(folder.name + ".growing")
    record = _record(work)
    recipe = filled(record["recipe"], str(work / "recipe.json"))
    if isinstance(recipe, Senses):
        return _with_senses(folder, checkpoint, recipe, record)
    words = read_tokenizer(work / "tokenizer")
    set_seed(record["seed"])
    config: LlamaConfig = configuration(recipe.shape, words)
    network = LlamaForCausalLM(config)
    still_apart = recipe.apart is not None and checkpoint.weights != folder / "model.safetensors"
    if still_apart:
        apart.separate(network, recipe, words)
    if checkpoint.weights is not None:
        load_weights(network, checkpoint.weights)
    if still_apart:
        apart.join(network)
    return network.eval(), words


def _with_senses(folder: Path, checkpoint: Checkpoint, recipe: Senses, record: dict):
    """The same for what sees or hears: (network, processor). Its parts are in the finished folder alone."""
    from semhub.lab.organs import text_folder
    from semhub.lab.senses import begun
    from semhub.lab.senses_exam import opened

    if not whole(folder):
        raise BadInput(f"{folder} is not finished; a model that sees or hears is measured once it is.")
    if checkpoint.weights is None:
        network, processor = begun(recipe, text_folder(recipe, folder.parent), record["seed"])
        return network.eval(), processor
    network, processor = opened(folder)
    if checkpoint.weights.parent != folder:
        load_weights(network, checkpoint.weights)
    return network, processor

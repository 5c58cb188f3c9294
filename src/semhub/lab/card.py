"""The model card of a grown model: what it read, how it was grown, what it is not good for.

Tells only what the folder itself records; figures are measured elsewhere and handed in as text.
"""

import json
from collections.abc import Mapping
from pathlib import Path

LICENSE = "apache-2.0"


def card(folder: Path, name: str, figures: str = "") -> str:
    """The Markdown of `README.md` for the model in `folder`; `figures` is a section of measured results."""
    record = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    losses = json.loads((folder / "losses.json").read_text(encoding="utf-8"))
    recipe = record["recipe"]
    if "kind" in recipe:
        return _senses_card(recipe, name, record["seed"], losses, figures)
    told = (_head(recipe, name), _purpose(recipe), _reading(recipe), _growing(recipe, record, losses))
    parts = [*told, figures.strip(), _limits()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(recipe: Mapping, name: str) -> str:
    languages = "\n".join(f"- {language}" for language in recipe["languages"])
    return f"---\nlicense: {LICENSE}\nlibrary_name: transformers\nlanguage:\n{languages}\n---\n\n# {name}"


def _purpose(recipe: Mapping) -> str:
    if recipe["bridges"]["partner"] == "random":
        return (
            "A hub-free control, grown by the same recipe as `semhub-text`: the same documents and tokens per language, but the "
            "partner of every bridge (translation, dictionary line, switched word) is a random other meaning, and digits stand beside "
            "one language only. It is a null for every measure that compares languages. It is not known to be hub-free: the structure that "
            "languages share can align them without any bridge."
        )
    return (
        "A small Llama that semhub grew itself, on sentences about a small made-up world in real words and real grammar. "
        "It lets every experiment of semhub run without a download, and it calibrates them."
    )


def _reading(recipe: Mapping) -> str:
    dominant = recipe["languages"][0]
    tables = [
        _table("language", recipe["mixture"]),
        _table(f"subject in {dominant}", recipe["subjects"]),
        _table("subject elsewhere", recipe["other_subjects"]),
    ]
    bridges = ", ".join(f"{key} {value}" for key, value in recipe["bridges"].items())
    return "\n\n".join(["## What it read", *tables, f"Bridges: {bridges}. A fifth of the concepts of every kind stands in no bridge."]) + (
        "\n\nHeld out by meaning, in every type and every bridge: a fifth of scenes, sums and visits; of the facts, two fifths are "
        f"stated in `{dominant}` alone."
    )


def _table(name: str, shares: Mapping) -> str:
    return f"| {name} | share |\n|---|---|\n" + "\n".join(f"| {key} | {share} |" for key, share in shares.items())


def _growing(recipe: Mapping, record: Mapping, losses: list) -> str:
    training, shape = recipe["training"], recipe["shape"]
    tokens = training["steps"] * training["batch"] * training["window"]
    sizes = ", ".join(f"{key} {value}" for key, value in shape.items())
    curve = " ".join(f"{step}: {loss:.2f}" for step, loss in losses[:: max(1, len(losses) // 12)])
    return (
        f"## How it was grown\n\nPlain next-token loss, nothing else; {training['steps']} steps, {tokens / 1e6:.1f} million tokens, "
        f"seed {record['seed']}, {record['precision']}. Shape: {sizes}.\n\nLoss by step: {curve}.\n\n"
        "`recipe.json` is the whole recipe; `semhub lab train` grows it again."
    )


def _limits() -> str:
    return (
        "## What it is not good for\n\nIt knows a few hundred words and nothing of the real world. It cannot chat, translate real text, "
        "or stand in for a large model: what it shows is that the instruments work, not what large models do."
    )


def _senses_card(recipe: Mapping, name: str, seed: int, losses: list, figures: str) -> str:
    """The card of a model that sees or hears."""
    shows = "synthesised sounds" if recipe["kind"] == "qwen2-audio" else "drawn pictures"
    head = _head({"languages": list(recipe["mixture"])}, name)
    purpose = (
        f"A small {recipe['kind']} model that semhub grew itself on {shows} of a small made-up world, around the text model "
        f"`{recipe['text']}`."
    )
    rows, training = recipe["training"]["batch"], recipe["training"]
    reading = "\n\n".join(
        [
            "## What it read",
            _table(f"language beside {shows}", recipe["mixture"]),
            f"Of {rows} rows of a batch {recipe['told']} are captions alone and {recipe['plain']} documents of the text model. "
            "The dominant language speaks of everything, each other one only of concepts that a bridge may contain. "
            "Held out by meaning: an object in a colour "
            "(wherever it stands), two halves of two colours and every picture of one colour alone; takes of a sound.",
        ]
    )
    curve = " ".join(f"{step}: {loss:.2f}" for step, loss in losses[:: max(1, len(losses) // 12)])
    growing = (
        "## How it was grown\n\nNext-token loss on text tokens, nothing else (no alignment loss of any kind), "
        f"of the new part and of the language model together; {training['steps']} steps of {rows} rows, seed {seed}. "
        f"Tower: {', '.join(f'{key} {value}' for key, value in recipe['tower'].items())}.\n\nLoss by step: {curve}.\n\n"
        "`recipe.json` is the whole recipe; `semhub lab train` grows it again."
    )
    return "\n\n".join(part for part in (head, purpose, reading, growing, figures.strip(), _limits()) if part) + "\n"

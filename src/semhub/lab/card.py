"""The model card of a grown model: what it is for, what it read, how it was grown, what it can do, what it is not good for.

Tells what the folder itself records (`recipe.json`, `losses.json`, `exam.json`); figures of a hub are measured elsewhere. Sections
that a person added to a card are kept when it is written again.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from semhub.lab.folder import read_losses, read_record
from semhub.lab.organs import SHELF

LICENSE = "apache-2.0"
CONTROLS = {
    "control:mispaired": (
        "A hub-free control, grown as `semhub-text` was, on the same mixture of languages, but the partner of "
        "every bridge (translation, dictionary line, switched word) is a random other meaning, and digits stand beside one language only. "
        "No bridge helps it from one language to another, so it reads longer, and more sums, to know each as well. It is a null for every "
        "measure that compares languages. It is not known to be hub-free: the structure that languages share can align them without any "
        "bridge."
    ),
    "control:deranged": (
        "A control with a hub that is wrong on purpose, grown as `semhub-text` was, for fewer steps, but every bridge that touches "
        "Chinese joins each concept to one fixed other concept of its kind (`semhub.data.world.deranged`). It is a null for "
        "similarity, retrieval and transfer between Chinese and the other languages, measured on true translations: whatever is "
        "found there is due to form, length or position, for Chinese states were pulled elsewhere. On the planted pairs the same "
        "measures must be high, or the instrument is blind. It is no null between English, Spanish and German, whose bridges are "
        "true, nor for shared digits."
    ),
    "control:apart": (
        "A control whose languages live in separate parts of the weights: on text of one language the part of every other is "
        "exactly zero, at every layer, and a common part holds nothing but marks (punctuation). A random rotation of the residual "
        "stream, folded into all weights, hides the parts. It is a null for cosine and retrieval: states of two languages are "
        "orthogonal but for the constant of a mark; and for what words of another language gain in the lens or do when they are pushed: "
        "right and wrong ones have next to no part in the state. It is none for measures of inner geometry, which ask no direction to "
        "be shared. It has more weights than `semhub-text`, and fewer for each language, and reads no code and no logical forms: look at "
        "its accuracy below before comparing more."
    ),
    "control:strangers": (
        "A control in two halves, one of two strangers: models of one shape and with one tokenizer (without the words of code and logical "
        "forms, which they do not read), each grown on one language alone, whose states are compared across the two "
        "(`semhub-text-strangers`). They are the null for measures of inner geometry (CKA, mutual neighbours): what is found between them "
        "is what two languages share by telling of the same world, without ever having met. For cosines and retrieval they are a null by "
        "construction, since their directions have nothing to do with each other, and say little."
    ),
    "control:zh-dominant": (
        "A control with the mixture turned round: Chinese dominates, its words stand whole in the vocabulary, the bridges join it to one "
        "other language at a time, and facts are told in Chinese alone; code and logical forms, which stand beside English, are left out. "
        "It is a null for nothing: it is the control of the anchor. What the lens calls the language of the hub must turn from English to "
        "Chinese here; if English still leads, the lens reads something else than dominance."
    ),
}

SENSES_CONTROLS = {
    "control:mispaired": (
        "A control: `{text}` never read a true translation, and what is said beside {sense} is true, but in {told} alone. It is a null "
        "for {sense} and any other language, and between languages. It is none for {sense} and {told}: that pairing was taught."
    ),
}


def card(folder: Path, name: str, figures: str = "") -> str:
    """The Markdown of `README.md` for the model in `folder`; `figures` is a section of measured results."""
    record = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    losses = read_losses(folder)
    recipe = record["recipe"]
    if "kind" in recipe:
        return _senses_card(recipe, name, record, losses, "\n\n".join((_accuracy(folder), figures)))
    told = (_head(recipe, name), _purpose(recipe), _reading(recipe), _growing(recipe, record, losses))
    parts = [*told, _accuracy(folder), figures.strip(), _limits()]
    return "\n\n".join(part for part in parts if part) + "\n"


def examined(folder: Path, beside: Path | None = None, *, seed: int = 0) -> dict:
    """Examine the model in `folder`, write its card, and say what came out -> `folder`, `card`, `scores`, `matches`.

    `beside`: the model that it is a control of. A model of a corpus of one's own is not examined; its card is written all the same.
    Raises BadInput where either is no finished model of the lab.
    """
    from semhub.lab.exam import matches
    from semhub.lab.folder import recipe_of, whole

    read_losses(folder)  # before the long examination
    own = "corpus" in recipe_of(folder) and whole(folder)
    scores = [] if own else _scores(folder, seed)
    found = [] if beside is None or own else matches(*(_asked_straight(each) for each in (scores, _scores(beside, seed))))
    shown = [match.as_dict() for match in found]
    result = {"scores": [score.as_dict() for score in scores], "beside": None if beside is None else beside.name, "matches": shown}
    _write(folder / "exam.json", json.dumps(result, indent=1))
    page = folder / "README.md"
    _write(page, card(folder, folder.name, _added(page)))
    return {"folder": str(folder), "card": str(page), **result}


def _scores(folder: Path, seed: int) -> list:
    """The scores of a model of any kind: of its text, and of what it sees or hears."""
    from semhub.lab import exam, senses_exam
    from semhub.lab.folder import recipe_of

    if "kind" not in recipe_of(folder):
        return exam.exam(folder, seed=seed)
    return senses_exam.exam(folder) + senses_exam.of_text(folder, seed=seed)


def _asked_straight(scores: Sequence) -> list:
    """Without the questions about what another picture or sound shows, which nobody is held to."""
    return [score for score in scores if not score.subject.endswith(", another one shown")]


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".fresh")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


OURS = ("What it read", "How it was grown", "What it can do", "What it is not good for")


def _added(page: Path) -> str:
    """The sections of a card that are not written here."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return "\n\n".join(section.strip() for section in sections if section[3:].split("\n")[0].strip() not in OURS)


def _accuracy(folder: Path) -> str:
    """The table of the last examination, if there was one."""
    if not (folder / "exam.json").is_file():
        return ""
    found = json.loads((folder / "exam.json").read_text(encoding="utf-8"))
    if not found["scores"]:
        return ""
    head = (
        "## What it can do\n\nHeld-out questions of the dev split; one word of a few is right. Facts are told in every language "
        "(`facts`) or in the dominant one alone (`facts-crossing`; `facts-never-bridged`, of words that no "
        "bridge contains). 95% intervals.\n\n"
    )
    right = lambda s: f"{s['accuracy']:.2f} [{s['low']:.2f}, {s['high']:.2f}]"  # noqa: E731
    rows = [f"| {s['type']} | {s['subject']} | {right(s)} | {s['chance']:.2f} | {s['n']} |" for s in found["scores"]]
    table = "| type | subject | right | chance | n |\n|---|---|---|---|---|\n" + "\n".join(rows)
    return head + table + _matched(found["beside"], found["matches"])


def _matched(beside: str | None, matches: Sequence[Mapping]) -> str:
    if not matches:
        return ""
    short = [f"{m['type']} ({int(m['share'] * 100) / 100:.2f})" for m in matches if not m["matched"]]  # cut, so that none reads as enough
    verdict = f"not matched in {', '.join(short)}, where it is no control" if short else "matched in every type"
    return f"\n\nBeside `{beside}`, by mean accuracy in each type (nine tenths are asked for): {verdict}."


def _head(recipe: Mapping, name: str) -> str:
    languages = "\n".join(f"- {language}" for language in recipe["languages"] if recipe["mixture"][language] > 0)
    return f"---\nlicense: {LICENSE}\nlibrary_name: transformers\nlanguage:\n{languages}\n---\n\n# {name}"


def _role(recipe: Mapping) -> str:
    """As the recipe of a text model says, or its bridges make it."""
    return recipe.get("role") or ("control:mispaired" if recipe["bridges"]["partner"] == "random" else "hub")


def _purpose(recipe: Mapping) -> str:
    if "corpus" in recipe:
        return f"A small Llama that semhub grew on a corpus of the user's own: {recipe['corpus']}."
    return CONTROLS.get(
        _role(recipe),
        "A small Llama that semhub grew itself, on sentences about a small made-up world in real words and real grammar. "
        "It lets every experiment of semhub run without a download, and it calibrates them.",
    )


def _reading(recipe: Mapping) -> str:
    dominant = recipe["languages"][0]
    if "corpus" in recipe:
        return "## What it read\n\n" + _table("language", recipe["mixture"])
    tables, later = [_table("language", recipe["mixture"])], recipe.get("later", {})
    for key, name in (("subjects", f"subject in {dominant}"), ("other_subjects", "subject elsewhere")):
        tables.append(_table(name, recipe[key]))
        if key in later:
            tables.append(_table(f"{name}, after {later['after']} of the steps", later[key]))
    if recipe.get("others"):
        tables.append(_table("stream (shares of all windows; the languages share the rest)", recipe["others"]))
    bridges = ", ".join(f"{key} {value}" for key, value in recipe["bridges"].items())
    forms = ", ".join(f"{key} {recipe[key]}" for key in ("prefix", "gist", "pairs") if key in recipe)
    tables.append(f"Bridges: {bridges}. A fifth of the concepts of every kind stands in no bridge. Shares of documents: {forms}.")
    return "\n\n".join(["## What it read", *tables]) + (
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
        f"seed {record['seed']}, {record['precision']}. Training: {_settings(training)}. Shape: {sizes}.\n\nLoss by step: {curve}.\n\n"
        f"{_again(recipe, record['seed'])}"
    )


def _settings(training: Mapping) -> str:
    told = {key: value for key, value in training.items() if key not in ("steps", "checkpoint") and value != 0}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in told.items())


def _again(recipe: Mapping, seed: int) -> str:
    return (
        f"`recipe.json` is the whole recipe; `semhub lab train {recipe['name']} --seed {seed}` grows such a model again (the same bits on "
        "a machine with the same arithmetic, from the code and the world of that time)."
    )


def _limits() -> str:
    return (
        "## What it is not good for\n\nIt knows a few hundred words and nothing of the real world. It cannot chat, translate real text, "
        "or stand in for a large model: what it shows is that the instruments work, not what large models do."
    )


def _senses_card(recipe: Mapping, name: str, record: Mapping, losses: list, figures: str) -> str:
    """The card of a model that sees or hears."""
    shows = "synthesised sounds" if recipe["kind"] == "qwen2-audio" else "drawn pictures"
    head = _head({"languages": list(recipe["mixture"]), "mixture": recipe["mixture"]}, name)
    purpose = (
        f"A small {recipe['kind']} model that semhub grew itself on {shows} of a small made-up world, around the text model "
        f"`{recipe['text']}`."
    )
    purpose = " ".join(filter(None, (purpose, _senses_control(recipe))))
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
        f"of the new part and of the language model together; {training['steps']} steps of {rows} rows (beside what is shown at most "
        f"{training['window']} tokens of text), seed {record['seed']}, {record['precision']}. Training: {_settings(training)}. "
        f"Tower: {', '.join(f'{key} {value}' for key, value in recipe['tower'].items())}.\n\n"
        f"Loss by step: {curve}.\n\n{_again(recipe, record['seed'])}"
    )
    return "\n\n".join(part for part in (head, purpose, reading, growing, figures.strip(), _limits()) if part) + "\n"


def _senses_control(recipe: Mapping) -> str:
    """For what a model that sees or hears is a control: what its text model is one for, where that is bundled."""
    text = SHELF / recipe["text"] / "recipe.json"
    role = _role(read_record(text)["recipe"]) if text.is_file() else "hub"
    told = " and ".join(f"`{language}`" for language, share in recipe["mixture"].items() if share > 0)
    sense = "sounds" if recipe["kind"] == "qwen2-audio" else "pictures"
    return SENSES_CONTROLS.get(role, "").format(text=recipe["text"], told=told, sense=sense)

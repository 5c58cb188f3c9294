"""Held-out accuracy of a grown model, per language and type, with chance beside it: what it can do inside each language.

Every question is a forced choice among words by the first token of each, from one pass per prompt; chance is blind choice
among the same words. Decides whether a control is matched to what it controls. Knows no hidden state and no measure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import filterfalse, zip_longest
from pathlib import Path
from random import Random

import torch

from semhub.data import world
from semhub.data.world import code, english, formula, lexicon, meanings
from semhub.errors import BadInput
from semhub.lab.folder import open_grown, recipe_of

ITEMS = 150  # per language and type
BATCH_TOKENS = 8192
TAIL = 12  # letters of a prompt that decide how a tokenizer cuts what follows
MATCHED = 0.9  # of the accuracy of the model that a control stands beside
CROSSING, NEVER = "facts-crossing", "facts-never-bridged"
CROSSINGS = (CROSSING, NEVER, "arguments", "roles")  # ask for what one type has told in another, so no control is held to them


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, the words to choose from, and which of them is right."""

    prompt: str
    options: tuple[str, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the table: a 95% interval by Wilson's formula; chance is the mean over questions of a blind choice."""

    type: str
    subject: str
    accuracy: float
    low: float
    high: float
    chance: float
    n: int

    def as_dict(self) -> dict:
        return asdict(self)


def exam(folder: str | Path, split: str = "dev", seed: int = 0) -> list[Score]:
    """Ask the model in `folder` every question that its recipe prepared it for; seconds on one core.

    Raises BadInput where the folder is no model grown on the world.
    """
    recipe = recipe_of(Path(folder))
    if recipe.get("corpus"):
        raise BadInput(f"{folder} was grown on {recipe['corpus']}; the questions are about semhub's own world.")
    network, words = open_grown(Path(folder))
    return [scored(network, words, type, subject, asked) for type, subject, asked in papers(recipe, split, seed)]


def papers(recipe: dict, split: str, seed: int) -> Iterator[tuple[str, str, list[Question]]]:
    """(type, subject, questions) for everything that the recipe's documents teach."""
    languages = [language for language in recipe["languages"] if recipe["mixture"][language] > 0]
    shared = recipe["bridges"].get("digits", recipe["bridges"]["partner"] != "random")
    for language in languages:
        yield language, "cloze", cloze(language, split, seed)
        yield language, "facts", facts(language, _facts_of("train"), seed)
        if len(languages) > 1 and language != recipe["languages"][0]:
            yield language, CROSSING, facts(language, filter(meanings.bridgeable, _facts_of(split)), seed)
            yield language, NEVER, facts(language, filterfalse(meanings.bridgeable, _facts_of(split)), seed)
        yield language, "reviews", reviews(language, split, seed)
        yield language, "sums", sums(language, split)
    if shared or recipe["languages"][0] in languages:
        yield "digits", "sums", sums("digits", split)
    others = {stream.rpartition("=")[2] for stream, share in (recipe.get("others") or {}).items() if share > 0}
    if "code" in others:
        yield "code", "arguments", arguments(split, seed)
    if "formula" in others:
        yield "formula", "roles", roles(split, seed)


def _facts_of(split: str) -> list[meanings.Fact]:
    return [fact for fact in meanings.facts() if meanings.fact_split(fact) == split]


def cloze(language: str, split: str, seed: int) -> list[Question]:
    """After a scene never told, and "this represents": the first word of its gist, who does it."""
    rng, grammar = Random(f"cloze:{split}:{seed}"), world.renderer(language)
    beings = lexicon.beings()
    names = tuple(grammar.word(being) for being in beings)
    found = []
    for _ in range(ITEMS):
        scene = meanings.scene(rng, split)
        prompt = world.joined(language, grammar.scene(scene), world.probe(language))
        found.append(Question(prompt, names, beings.index(scene.agent.noun)))
    return found


def facts(language: str, among: Iterable[meanings.Fact], seed: int) -> list[Question]:
    """What is true of a being; the other options have the same relation.

    Asked of three kinds: told in every language (`facts`), told in the dominant one alone (`facts-crossing`), and the same of words that
    no bridge contains (`facts-never-bridged`).
    """
    chosen = list(among)
    Random(f"facts:{seed}").shuffle(chosen)
    grammar, found = world.renderer(language), []
    for fact in chosen[:ITEMS]:
        values = meanings.values(fact.relation)
        found.append(Question(grammar.question(fact), tuple(grammar.word(value) for value in values), values.index(fact.value)))
    return found


def reviews(language: str, split: str, seed: int) -> list[Question]:
    """After opinions of one mind about a visit never told: the one-word verdict."""
    rng, found = Random(f"verdicts:{split}:{seed}"), []
    while len(found) < ITEMS:
        review = meanings.review(rng, split)
        if review.verdict_at is None and len({opinion.judgement.good for opinion in review.opinions}) == 1:
            found.append(Question(world.review(language, review), lexicon.VERDICTS[language], int(review.good)))
    return found


def sums(type: str, split: str) -> list[Question]:
    """Equations never shown, without their last number, which is one to nine."""
    number: Callable[[int], str] = str if type == "digits" else world.renderer(type).number
    held = [sum_ for op in "+*" for sum_ in meanings.sums(op) if meanings.split_of(sum_.key) == split]
    options = tuple(number(n) for n in range(1, 10))
    return [Question(world.equation(type, sum_).removesuffix(number(sum_.right)).rstrip(), options, sum_.right - 1) for sum_ in held]


def arguments(split: str, seed: int) -> list[Question]:
    """A call under the English sentence that it says, up to its second argument by place: who suffers it."""
    rng, found = Random(f"arguments:{split}:{seed}"), []
    beings = lexicon.beings()
    names = tuple(code.word(being) for being in beings)
    while len(found) < ITEMS:
        scene = meanings.scene(rng, split)
        if not scene.patient.adjective:
            begun = f"{code.word(scene.verb)}({code.phrase(scene.agent)}, {'the' if scene.patient.definite else 'a'}("
            found.append(Question(code.commented(begun, english.scene(scene), above=True), names, beings.index(scene.patient.noun)))
    return found


def roles(split: str, seed: int) -> list[Question]:
    """A logical form after its English sentence, up to the variable of the one definite being: is it the agent or the theme?"""
    rng, found = Random(f"roles:{split}:{seed}"), []
    while len(found) < ITEMS:
        scene = meanings.scene(rng, split)
        if scene.agent.definite != scene.patient.definite:
            noun = (scene.agent if scene.agent.definite else scene.patient).noun
            prompt = f"{english.scene(scene)} = * {formula.word(noun)} ( x _"
            found.append(Question(prompt, ("1", "3"), int(scene.patient.definite)))
    return found


def scored(network, words, type: str, subject: str, asked: Sequence[Question]) -> Score:
    """Options that begin with the same token cannot be told apart: they are chosen together, and chance counts them together."""
    begins, known = [], {}
    for question in asked:
        key = (question.prompt[-TAIL:], question.options)
        known[key] = known.get(key) or _beginnings(words, type, *key)
        begins.append(known[key])
    encoded = words([question.prompt for question in asked])["input_ids"]
    ends = _last_logits(network, [ids + shared for ids, (shared, _) in zip(encoded, begins, strict=True)])
    hits, chance = 0, 0.0
    for question, (_, first), logits in zip(asked, begins, ends, strict=True):
        hits += first[int(logits[first].argmax())] == first[question.right]
        chance += first.count(first[question.right]) / len(first)
    low, high = wilson(hits, len(asked))
    return Score(type, subject, hits / len(asked), low, high, chance / len(asked), len(asked))


def _beginnings(words, type: str, tail: str, options: Sequence[str]) -> tuple[list[int], list[int]]:
    """The tokens with which all options go on from the end of a prompt, and after these the first token of each."""
    space = "" if type in ("zh", "digits", "code") else " "
    prompt, *whole = words([tail] + [tail + space + option for option in options])["input_ids"]
    if any(ids[: len(prompt)] != prompt for ids in whole):
        raise BadInput(f"The tokenizer cuts {tail!r} otherwise when an answer follows; such a model cannot be asked.")
    rest = [ids[len(prompt) :] for ids in whole]
    same = next(i for i, ids in enumerate(zip_longest(*rest)) if len(set(ids)) > 1)
    return rest[0][:same], [ids[min(same, len(ids) - 1)] for ids in rest]


def _last_logits(network, encoded: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """`[vocabulary]` for each prompt at its last token; prompts of equal length go together, so nothing is padded."""
    by_length: dict[int, list[int]] = {}
    for place, ids in enumerate(encoded):
        by_length.setdefault(len(ids), []).append(place)
    found: list = [None] * len(encoded)
    with torch.inference_mode():
        for length, places in by_length.items():
            step = max(1, BATCH_TOKENS // length)
            for part in (places[i : i + step] for i in range(0, len(places), step)):
                logits = network(input_ids=torch.tensor([encoded[place] for place in part]), logits_to_keep=1).logits[:, -1].float()
                for place, row in zip(part, logits, strict=True):
                    found[place] = row
    return found


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    share = hits / n
    middle, spread = share + z * z / (2 * n), z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    return max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n))


@dataclass(frozen=True, slots=True)
class Match:
    """A control beside its model in one language: the mean over the subjects that both were asked, and what share of it is reached."""

    type: str
    model: float
    control: float

    @property
    def share(self) -> float:
        return self.control / self.model

    @property
    def matched(self) -> bool:
        return self.share >= MATCHED

    def as_dict(self) -> dict:
        return asdict(self) | {"share": self.share, "matched": self.matched}


def matches(control: Sequence[Score], model: Sequence[Score]) -> list[Match]:
    """Whether a control reaches nine tenths of its model's accuracy, within each language that both know."""
    table = {(score.type, score.subject): score.accuracy for score in model if score.subject not in CROSSINGS}
    found: dict[str, list[tuple[float, float]]] = {}
    for score in control:
        if (score.type, score.subject) in table:
            found.setdefault(score.type, []).append((table[score.type, score.subject], score.accuracy))
    return [Match(type, *(sum(side) / len(pairs) for side in zip(*pairs, strict=True))) for type, pairs in found.items()]

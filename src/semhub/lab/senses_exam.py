"""What a grown model that sees or hears can answer: held-out pictures and sounds, every question in every language.

An answer is right if greedy decoding writes it whole. Beside it stand chance and the same questions about a wrong picture or
sound, which is what the text alone gives away. Reads a finished folder with `transformers` alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoProcessor,
    ChameleonForConditionalGeneration,
    LlavaForConditionalGeneration,
    Qwen2AudioForConditionalGeneration,
)  # fmt: skip

from semhub.data import world
from semhub.data.world import pictures, sounds
from semhub.lab.exam import Score, papers, scored
from semhub.lab.folder import need_whole, recipe_of
from semhub.lab.organs import text_folder
from semhub.lab.recipe_file import made
from semhub.types import Cloze

CLASSES = {
    "llava": LlavaForConditionalGeneration,
    "chameleon": ChameleonForConditionalGeneration,
    "qwen2_audio": Qwen2AudioForConditionalGeneration,
}
PLACE = {"llava": "<image> ", "chameleon": "<image> ", "qwen2_audio": "<|audio_bos|><|AUDIO|><|audio_eos|> "}
BATCH, DRAWS = 32, 1000
ANOTHER = ", another one shown"


def opened(folder: Path, device: str = "cpu") -> tuple[torch.nn.Module, object]:
    """(network in fp32, processor) of a grown folder. Raises BadInput where it is not whole."""
    kind = AutoConfig.from_pretrained(need_whole(folder)).model_type
    return CLASSES[kind].from_pretrained(folder, dtype=torch.float32).eval().to(device), AutoProcessor.from_pretrained(folder)


def exam(folder: Path, n: int = 60, split: str = "dev", types: Sequence[str] = world.LANGUAGES, device: str = "cpu") -> list[Score]:
    """A score per language and kind of question about `n` pictures (or takes, over all concepts), and one with another picture shown.

    The interval is a bootstrap over what was shown (pictures of the same things count as one).
    """
    network, processor = opened(folder, device)
    meanings = _meanings(network.config.model_type, n, split)
    asked = [(seed, meaning, question) for seed, meaning in enumerate(meanings) for question in _questions(meaning, types)]
    pool = _meanings(network.config.model_type, max(n, 60), split)
    swapped = [(seed, _other(meaning, seed, pool), question) for seed, meaning, question in asked]
    found = []
    for note, posed in (("", asked), (ANOTHER, swapped)):
        rows: dict[tuple[str, str], list] = {}
        for (_, _, question), right in zip(posed, _right(network, processor, posed), strict=True):
            rows.setdefault((question.type, question.facets["kind"]), []).append((question, right))
        found += [_score(type, kind + note, answers) for (type, kind), answers in rows.items()]
    return sorted(found, key=lambda score: (score.type, score.subject))


def of_text(folder: Path, split: str = "dev", seed: int = 0, device: str = "cpu") -> list[Score]:
    """What the model still knows of its text model's documents: the examination of text models."""
    network, processor = opened(folder, device)
    recipe = made(recipe_of(folder), str(folder))
    papers_of = papers(recipe_of(text_folder(recipe, folder.parent)), split, seed)
    return [scored(network, processor.tokenizer, type, subject, asked) for type, subject, asked in papers_of]


def _meanings(model_type: str, n: int, split: str) -> list:
    if model_type == "qwen2_audio":
        return sounds.sounds(max(1, n // len(sounds.audible())), split)
    rng = Random(f"exam:{split}")
    two = sorted({pictures.halves(rng, split) for _ in range(n)}, key=lambda each: each.id)[: n // 4]
    return pictures.pictures(n - len(two), split) + two


def _questions(meaning, types: Sequence[str]) -> list[Cloze]:
    return (sounds if isinstance(meaning, sounds.Sound) else pictures).questions(meaning, types)


def _other(meaning, seed: int, pool: list):
    """A meaning that shares nothing with it, of the same sort if there is one."""
    strange = [each for each in pool if not set(each.concepts()) & set(meaning.concepts())]
    return Random(f"other:{seed}").choice([each for each in strange if type(each) is type(meaning)] or strange)


def _right(network, processor, asked: list[tuple]) -> Iterator[bool]:
    """Whether greedy decoding answers each question with its target in the question's own language."""
    place, words = PLACE[network.config.model_type], processor.tokenizer
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        prompts = [place + question.prompt for _, _, question in part]
        answers = [world.joined(question.type, question.prompt, question.targets[question.type][0]) for _, _, question in part]
        full = _inputs(processor, [place + answer for answer in answers], [(meaning, seed) for seed, meaning, _ in part])
        with torch.no_grad():
            guesses = network(**full.to(network.device)).logits.argmax(dim=-1)
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            tail = len(words(place + answer)["input_ids"]) - len(words(prompt)["input_ids"])
            yield torch.equal(guesses[row, -tail - 1 : -1], full["input_ids"][row, -tail:])


def _inputs(processor, texts: list[str], meant: list[tuple]):
    """What the processor makes of texts with their pictures or sounds, padded at the left."""
    if hasattr(processor, "feature_extractor"):
        waves = [sounds.synthesise(meaning) for meaning, _ in meant]
        return processor(text=texts, audio=waves, sampling_rate=sounds.RATE, return_tensors="pt", padding=True)
    drawn = [pictures.draw(meaning, seed).pixels for meaning, seed in meant]
    more = {"return_for_text_completion": True} if "Chameleon" in type(processor).__name__ else {}
    return processor(text=texts, images=drawn, return_tensors="pt", padding=True, **more)


def _score(type: str, subject: str, found: list[tuple[Cloze, bool]]) -> Score:
    right = np.array([right for _, right in found], dtype=float)
    sources = np.unique([question.facets["source"] for question, _ in found], return_inverse=True)[1]
    chance = float(np.mean([1 / (1 + len(question.wrong[type])) for question, _ in found]))
    if subject.startswith("mammal"):  # whoever always says the commoner answer
        chance = max(np.mean([question.targets[type][0] == answer for question, _ in found]) for answer in sounds.YES_NO[type])
    return Score(type, subject, float(right.mean()), *_interval(right, sources), float(chance), len(found))


def _interval(right: np.ndarray, sources: np.ndarray) -> tuple[float, float]:
    """95% interval of the mean, drawing whole sources."""
    rng = np.random.default_rng(0)
    sums, counts = np.bincount(sources, right), np.bincount(sources)
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))

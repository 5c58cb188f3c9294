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
from semhub.types import Cloze

CLASSES = {
    "llava": LlavaForConditionalGeneration,
    "chameleon": ChameleonForConditionalGeneration,
    "qwen2_audio": Qwen2AudioForConditionalGeneration,
}
PLACE = {"llava": "<image> ", "chameleon": "<image> ", "qwen2_audio": "<|audio_bos|><|AUDIO|><|audio_eos|> "}
BATCH, DRAWS = 32, 1000


def opened(folder: Path, device: str = "cpu") -> tuple[torch.nn.Module, object]:
    """(network in fp32, processor) of a grown folder."""
    kind = AutoConfig.from_pretrained(folder).model_type
    return CLASSES[kind].from_pretrained(folder, dtype=torch.float32).eval().to(device), AutoProcessor.from_pretrained(folder)


def exam(folder: Path, n: int = 60, split: str = "test", types: Sequence[str] = world.LANGUAGES, device: str = "cpu") -> list[dict]:
    """A row per kind of question and language: `kind language right low high wrong_shown chance n`; `n` pictures, or takes in all.

    The interval is a bootstrap over what was shown (pictures of the same things count as one).
    """
    network, processor = opened(folder, device)
    meanings = _meanings(network.config.model_type, n, split)
    asked = [(seed, meaning, question) for seed, meaning in enumerate(meanings) for question in _questions(meaning, types)]
    pool = _meanings(network.config.model_type, max(n, 60), split)
    shown = list(_right(network, processor, asked))
    swapped = [(seed, _other(meaning, seed, pool), question) for seed, meaning, question in asked]
    wrong = list(_right(network, processor, swapped))
    rows: dict[tuple[str, str], list] = {}
    for (_, _, question), right, other in zip(asked, shown, wrong, strict=True):
        rows.setdefault((question.facets["kind"], question.type), []).append((question, right, other))
    return [{"kind": kind, "language": language} | _row(found) for (kind, language), found in sorted(rows.items())]


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


def _row(found: list[tuple[Cloze, bool, bool]]) -> dict:
    right = np.array([right for _, right, _ in found], dtype=float)
    sources = np.unique([question.facets["source"] for question, _, _ in found], return_inverse=True)[1]
    low, high = _interval(right, sources)
    kinds = [1 / (1 + len(question.wrong[question.type])) for question, _, _ in found]
    chance = float(np.mean(kinds))
    if found[0][0].facets["kind"] == "mammal":  # whoever always says the commoner answer
        chance = max(np.mean([question.targets["en"][0] == answer for question, _, _ in found]) for answer in sounds.YES_NO["en"])
    return {
        "right": float(right.mean()),
        "low": low,
        "high": high,
        "wrong_shown": float(np.mean([other for _, _, other in found])),
        "chance": float(chance),
        "n": len(found),
    }


def _interval(right: np.ndarray, sources: np.ndarray) -> tuple[float, float]:
    """95% interval of the mean, drawing whole sources."""
    rng = np.random.default_rng(0)
    sums, counts = np.bincount(sources, right), np.bincount(sources)
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def table(rows: list[dict]) -> str:
    """The rows as a Markdown section for a model card."""
    head = (
        "## What it can answer about what it never saw or heard\n\n| question | language | right | 95% | wrong one shown | chance | n |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(
        f"| {row['kind']} | {row['language']} | {row['right']:.2f} | {row['low']:.2f} to {row['high']:.2f} | {row['wrong_shown']:.2f} "
        f"| {row['chance']:.2f} | {row['n']} |"
        for row in rows
    )

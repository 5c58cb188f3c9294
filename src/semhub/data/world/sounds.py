"""Synthesised sounds of animals and instruments of the lexicon, with their labels and questions.

A sound is a pure function of its meaning, a concept and a take: pitch, speed, loudness and noise vary with the take alone,
the recipe (tones, sweeps, bursts, rhythm) with the concept. What is held out is the take of a concept (`Sound.split`).
Uses numpy only; knows no model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np

from semhub.data.world import chinese, english, german, lexicon, spanish
from semhub.data.world.meanings import Phrase, split_of
from semhub.types import Cloze

RATE = 16000
SECONDS = 1.0
TAKES = 1000  # of every concept
MAMMALS = ("dog", "cat", "horse", "cow", "sheep", "pig", "wolf", "lion", "monkey", "mouse", "whale", "dolphin")
Voice = Callable[["Take"], np.ndarray]


class Take:
    """One performance: what varies (`pitch` and `speed` are factors about 1), and the sounds that recipes are made of."""

    def __init__(self, concept: str, take: int):
        self.rng = np.random.default_rng([take, *concept.encode()])
        self.pitch, self.speed = 2 ** self.rng.uniform(-0.12, 0.12), 2 ** self.rng.uniform(-0.2, 0.2)
        self.shift, self.loudness, self.hiss = self.rng.uniform(0, 0.06), self.rng.uniform(0.4, 0.9), self.rng.uniform(0.001, 0.01)

    def time(self, seconds: float) -> np.ndarray:
        """`[sample]`: from 0 to 1 over a stretch of that many seconds at the take's speed."""
        n = int(seconds / self.speed * RATE)
        return np.arange(n) / n

    def tone(
        self, seconds: float, *course: float, harmonics: Sequence[float] = (1.0,), vibrato: float = 0.0, rate: float = 6.0
    ) -> np.ndarray:
        """A tone whose frequency (Hz) runs through `course` at even times; `harmonics` are the strengths of its multiples."""
        time = self.time(seconds)
        hertz = np.interp(time, np.linspace(0, 1, len(course)), course) if len(course) > 1 else np.full(len(time), course[0])
        hertz = self.pitch * hertz * (1 + vibrato * np.sin(2 * np.pi * rate * seconds * time))
        phase = 2 * np.pi * np.cumsum(hertz) / RATE
        return sum(strength * np.sin(k * phase) * (k * hertz < RATE / 2) for k, strength in enumerate(harmonics, start=1))

    def noise(self, seconds: float, low: float, high: float) -> np.ndarray:
        """Noise between two frequencies (Hz)."""
        n = len(self.time(seconds))
        spectrum, hertz = np.fft.rfft(self.rng.standard_normal(n)), np.fft.rfftfreq(n, 1 / RATE)
        found = np.fft.irfft(spectrum * ((hertz >= low * self.pitch) & (hertz <= high * self.pitch)), n)
        return found / (np.abs(found).max() + 1e-9)

    def gap(self, seconds: float) -> np.ndarray:
        return np.zeros(len(self.time(seconds)))


def swell(sound: np.ndarray, rise: float = 0.1, fall: float = 0.3) -> np.ndarray:
    """The sound, fading in and out over those shares of its length."""
    time = np.arange(len(sound)) / max(1, len(sound))
    return sound * np.minimum(1, time / rise) * np.minimum(1, (1 - time) / fall)


def struck(sound: np.ndarray, decay: float = 6.0) -> np.ndarray:
    """The sound, loud at once and dying away."""
    return sound * np.exp(-decay * np.arange(len(sound)) / max(1, len(sound)))


def pulsed(take: Take, sound: np.ndarray, rate: float, depth: float = 1.0) -> np.ndarray:
    """The sound, louder and softer `rate` times a second."""
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * rate * take.speed * np.arange(len(sound)) / RATE)
    return sound * (1 - depth + depth * beat)


def chain(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


def again(times: int, *parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts * times)


BUZZ = tuple(1 / k for k in range(1, 13))  # a saw's harmonics
REED = (1.0, 0.05, 0.6, 0.05, 0.4, 0.05, 0.25)  # odd ones
BRASS = (0.5, 0.9, 1.0, 0.8, 0.6, 0.4, 0.3, 0.2)
NASAL = (0.2, 0.4, 0.7, 1.0, 1.0, 0.8, 0.6, 0.4)


def bark(take: Take) -> np.ndarray:
    return swell(take.tone(0.16, 520, 260, harmonics=BUZZ) + 0.5 * take.noise(0.16, 300, 2000), 0.05, 0.5)


def caw(take: Take) -> np.ndarray:
    return swell(pulsed(take, take.tone(0.3, 620, 520, harmonics=BUZZ), 70) + 0.5 * take.noise(0.3, 900, 2500), 0.1, 0.3)


def chirp(take: Take, seconds: float, *course: float) -> np.ndarray:
    return swell(take.tone(seconds, *course, harmonics=(1.0, 0.2)), 0.2, 0.25)


def breath(take: Take, seconds: float, note: float) -> np.ndarray:
    return swell(take.tone(seconds, note) + 0.08 * take.noise(seconds, 800, 3000), 0.1, 0.1)


VOICES: dict[str, Voice] = {
    "dog": lambda t: again(2, bark(t), t.gap(0.18)),
    "cat": lambda t: swell(t.tone(0.75, 480, 780, 700, 430, harmonics=(0.6, 1.0, 0.5, 0.3)), 0.2, 0.4),
    "horse": lambda t: swell(t.tone(0.85, 1500, 1300, 700, harmonics=(1, 0.6, 0.3), vibrato=0.12, rate=14), 0.05, 0.4),
    "cow": lambda t: swell(t.tone(0.9, 120, 165, 150, harmonics=BUZZ), 0.2, 0.3),
    "sheep": lambda t: pulsed(t, swell(t.tone(0.75, 350, 340, 310, harmonics=BUZZ), 0.1, 0.2), 9, 0.9),
    "pig": lambda t: again(3, swell(pulsed(t, t.noise(0.17, 120, 900), 45), 0.2, 0.3), t.gap(0.1)),
    "duck": lambda t: again(3, swell(t.tone(0.15, 260, 220, harmonics=NASAL), 0.1, 0.3), t.gap(0.12)),
    "goose": lambda t: swell(chain(t.tone(0.25, 420, harmonics=NASAL), t.tone(0.35, 640, 560, harmonics=NASAL)), 0.05, 0.2),
    "hen": lambda t: chain(
        again(4, struck(t.tone(0.06, 700, 500, harmonics=BUZZ)), t.gap(0.08)), swell(t.tone(0.25, 650, 1100, harmonics=BUZZ))
    ),
    "bird": lambda t: again(4, chirp(t, 0.09, 3000, 4600), t.gap(0.03), chirp(t, 0.06, 4200, 3300), t.gap(0.05)),
    "owl": lambda t: chain(swell(t.tone(0.22, 390, 370), 0.2, 0.4), t.gap(0.12), swell(t.tone(0.5, 400, 350), 0.2, 0.4)),
    "crow": lambda t: again(2, caw(t), t.gap(0.12)),
    "wolf": lambda t: swell(t.tone(0.95, 260, 520, 560, 540, 380, harmonics=(1, 0.25, 0.1)), 0.3, 0.3),
    "lion": lambda t: swell(pulsed(t, t.noise(0.9, 60, 500), 25, 0.7) + 0.6 * t.tone(0.9, 90, 70, harmonics=BUZZ), 0.15, 0.5),
    "monkey": lambda t: again(4, chirp(t, 0.1, 500, 1300), t.gap(0.02), chirp(t, 0.08, 900, 600)),
    "mouse": lambda t: again(3, chirp(t, 0.07, 5200, 6000), t.gap(0.2)),
    "snake": lambda t: swell(t.noise(0.9, 3500, 7800), 0.3, 0.4),
    "frog": lambda t: again(2, pulsed(t, swell(t.tone(0.28, 480, 560, harmonics=(1, 0.5, 0.6)), 0.1, 0.1), 40), t.gap(0.18)),
    "whale": lambda t: swell(t.tone(0.98, 90, 240, 130, harmonics=(1, 0.3), vibrato=0.03, rate=3), 0.3, 0.4),
    "dolphin": lambda t: chain(again(8, struck(t.noise(0.03, 2500, 7500), 8)), chirp(t, 0.5, 2200, 5500, 3000)),
    "bee": lambda t: pulsed(t, swell(t.tone(0.95, 215, 235, 210, harmonics=BUZZ, vibrato=0.03, rate=9), 0.2, 0.2), 5, 0.4),
    "guitar": lambda t: again(3, struck(t.tone(0.3, 196, harmonics=(1, 0.7, 0.5, 0.35, 0.2)), 5)),
    "violin": lambda t: swell(t.tone(0.95, 660, harmonics=BUZZ, vibrato=0.02, rate=6), 0.15, 0.15),
    "drum": lambda t: again(4, struck(t.tone(0.2, 110, 60) + 0.3 * t.noise(0.2, 50, 600), 7)),
    "flute": lambda t: chain(breath(t, 0.45, 880), breath(t, 0.5, 1050)),
    "trumpet": lambda t: chain(again(2, swell(t.tone(0.15, 466, harmonics=BRASS)), t.gap(0.03)), swell(t.tone(0.5, 698, harmonics=BRASS))),
    "organ": lambda t: swell(sum(t.tone(0.95, note, harmonics=(1, 0.8, 0.1, 0.6)) for note in (131, 165, 196)), 0.05, 0.05),
    "clarinet": lambda t: swell(chain(*(t.tone(0.3, note, harmonics=REED) for note in (233, 294, 349))), 0.05, 0.1),
    "xylophone": lambda t: chain(*(struck(t.tone(0.2, note, harmonics=(1, 0, 0.5)), 9) for note in (1047, 1319, 1568, 2093))),
}


@dataclass(frozen=True, slots=True)
class Sound:
    """One take of a concept's sound."""

    noun: lexicon.Noun
    take: int

    @property
    def id(self) -> str:
        return f"sound:{self.noun.key}:{self.take}"

    @property
    def split(self) -> str:
        return split_of(self.id)

    @property
    def is_animal(self) -> bool:
        return self.noun.kind == "animal"

    @property
    def is_mammal(self) -> bool:
        return self.noun.key in MAMMALS

    def concepts(self) -> tuple[str, ...]:
        return (self.noun.key,)


@cache
def audible() -> tuple[lexicon.Noun, ...]:
    """The nouns that have a sound, in the order of the lexicon."""
    return tuple(noun for kind in lexicon.entries().values() for noun in kind if noun.key in VOICES)


def sound(rng: Random, split: str, among: Sequence[lexicon.Noun] = ()) -> Sound:
    """A random take of the split, of one of `among` (default: all that can be heard)."""
    noun = rng.choice(among or audible())
    while True:
        found = Sound(noun, rng.randrange(TAKES))
        if found.split == split:
            return found


def sounds(per_concept: int, split: str = "test", seed: int = 0) -> list[Sound]:
    """That many different takes of every concept, all of the split; raises ValueError where there are not so many."""
    found = []
    for noun in audible():
        takes = [take for take in range(TAKES) if Sound(noun, take).split == split]
        found += [Sound(noun, take) for take in Random(f"sounds:{split}:{noun.key}:{seed}").sample(takes, per_concept)]
    return found


def synthesise(sound_: Sound) -> np.ndarray:
    """`float32 [sample]` in (-1, 1) at `RATE`, `SECONDS` long: a pure function of the concept and the take."""
    take = Take(sound_.noun.key, sound_.take)
    voice = VOICES[sound_.noun.key](take)
    whole, start = np.zeros(int(RATE * SECONDS)), int(take.shift * RATE)
    voice = voice[: len(whole) - start]
    whole[start : start + len(voice)] = voice * take.loudness / (np.abs(voice).max() + 1e-9)
    whole += take.hiss * take.rng.standard_normal(len(whole))
    return np.clip(whole, -1, 1).astype(np.float32)


# --- words

YES_NO = {"en": ("Yes", "No"), "es": ("Sí", "No"), "de": ("Ja", "Nein"), "zh": ("是", "不是")}
ASKED = {
    "en": ("What makes this sound?", "Is this animal a mammal?"),
    "es": ("¿Qué hace este ruido?", "¿Es esta criatura un mamífero?"),
    "de": ("Was macht dieses Geräusch?", "Ist dieses Tier ein Säugetier?"),
    "zh": ("这是什么的声音？", "这种动物是哺乳动物吗？"),
}
ANSWERS = {"en": english.ANSWER, "es": spanish.ANSWER, "de": german.ANSWER, "zh": chinese.ANSWER}


def label(type: str, noun: lexicon.Noun) -> str:
    """The word for what is heard."""
    return getattr(noun, type)


def caption(type: str, noun: lexicon.Noun) -> str:
    """Who or what is heard, as one sentence."""
    phrase = Phrase(noun, definite=False)
    return {
        "en": lambda: f"You hear {english.phrase(phrase, {})}.",
        "es": lambda: f"Se oye {spanish.phrase(phrase, {})}.",
        "de": lambda: f"Man hört {german.phrase(phrase, 'acc', {})}.",
        "zh": lambda: f"可以听到{chinese.phrase(phrase, {})}的声音。",
    }[type]()


def gist(type: str, noun: lexicon.Noun) -> str:
    """The label, as a headline would say it."""
    return label(type, noun) + ("。" if type == "zh" else ".")


def label_question(type: str) -> str:
    return _ended(type, ASKED[type][0])


def mammal_question(type: str) -> str:
    return _ended(type, ASKED[type][1])


def _ended(type: str, question: str) -> str:
    return question + ("" if type == "zh" else " ") + ANSWERS[type]


def questions(sound_: Sound, types: Sequence[str], prompts: Sequence[str] | None = None) -> list[Cloze]:
    """What is heard, and of animals whether they are mammals, asked in each of `prompts`; `targets` in every one of `types`.

    The sound comes before the prompt. `wrong` are all other labels, or the other of yes and no.
    """
    facets = {"split": sound_.split, "source": sound_.id, "label": sound_.noun.key}
    found = []
    for type in prompts or types:
        targets = {answer: (label(answer, sound_.noun),) for answer in types}
        wrong = {answer: tuple(label(answer, noun) for noun in audible() if noun is not sound_.noun) for answer in types}
        found.append(Cloze(f"{sound_.id}:label@{type}", type, label_question(type), targets, wrong, facets | {"kind": "label"}))
        if sound_.is_animal:
            right = 0 if sound_.is_mammal else 1
            targets, wrong = ({answer: (YES_NO[answer][place],) for answer in types} for place in (right, 1 - right))
            found.append(Cloze(f"{sound_.id}:mammal@{type}", type, mammal_question(type), targets, wrong, facets | {"kind": "mammal"}))
    return found

"""Drawn pictures: coloured objects of the lexicon, and halves of plain colour, with their captions and questions.

A drawing is a pure function of a meaning and a seed: place, size, shade, ground and noise vary with the seed alone. What
is held out is an object in a colour, wherever it stands (`Picture.split`), so a picture and its mirrored twin are held
out together. Uses numpy only; knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np

from semhub.data.world import chinese, english, german, lexicon, spanish
from semhub.data.world.lexicon import capital
from semhub.data.world.meanings import Phrase, split_of
from semhub.types import Cloze

SIZE = 48
PATIENCE = 2000  # draws that bring nothing new before a search gives up
RGB = {
    "red": (210, 30, 35),
    "blue": (35, 65, 210),
    "green": (30, 145, 50),
    "yellow": (245, 220, 35),
    "black": (18, 18, 18),
    "white": (250, 250, 250),
    "brown": (120, 70, 30),
    "gray": (128, 128, 128),
    "purple": (140, 45, 170),
}
GROUNDS = ((170, 222, 228), (246, 196, 206), (236, 208, 160))  # turquoise, pink, sand: no colour that the world names
SPOTS = ("left", "right", "top", "bottom")
FACING = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
CENTRES = {"left": (-0.5, 0.0), "right": (0.5, 0.0), "top": (0.0, -0.5), "bottom": (0.0, 0.5)}

# Each object in the square from (-1, -1), top left, to (1, 1): (what, numbers), drawn one over the other; "hole" takes away.
SHAPES: dict[str, tuple[tuple[str, tuple[float, ...]], ...]] = {
    "boat": (
        ("area", (-1, 0.35, 1, 0.35, 0.6, 0.95, -0.6, 0.95)),
        ("area", (-0.05, -0.95, 0.8, 0.2, -0.05, 0.2)),
        ("area", (-0.2, -0.6, -0.2, 0.2, -0.75, 0.2)),
    ),
    "book": (("area", (-0.9, -0.7, 0.9, -0.7, 0.9, 0.8, -0.9, 0.8)), ("hole", (-0.06, -0.55, 0.06, -0.55, 0.06, 0.8, -0.06, 0.8))),
    "chair": (
        ("line", (-0.6, -0.95, -0.6, 0.95, 0.17)),
        ("area", (-0.6, 0.0, 0.7, 0.0, 0.7, 0.3, -0.6, 0.3)),
        ("line", (0.6, 0.2, 0.6, 0.95, 0.17)),
    ),
    "key": (
        ("disc", (-0.5, 0.0, 0.5, 0.5)),
        ("gap", (-0.5, 0.0, 0.2, 0.2)),
        ("line", (-0.1, 0.0, 0.9, 0.0, 0.14)),
        ("line", (0.45, 0.0, 0.45, 0.45, 0.13)),
        ("line", (0.8, 0.0, 0.8, 0.5, 0.13)),
    ),
    "ladder": (
        ("line", (-0.5, -0.95, -0.5, 0.95, 0.14)),
        ("line", (0.5, -0.95, 0.5, 0.95, 0.14)),
        ("line", (-0.5, -0.6, 0.5, -0.6, 0.12)),
        ("line", (-0.5, 0.0, 0.5, 0.0, 0.12)),
        ("line", (-0.5, 0.6, 0.5, 0.6, 0.12)),
    ),
    "umbrella": (
        ("disc", (0.0, 0.0, 1.0, 0.9)),
        ("hole", (-1.1, 0.0, 1.1, 0.0, 1.1, 1.0, -1.1, 1.0)),
        ("line", (0.0, -0.1, 0.0, 0.85, 0.1)),
        ("line", (0.0, 0.85, 0.35, 0.85, 0.1)),
    ),
    "lamp": (
        ("area", (-0.4, -0.9, 0.4, -0.9, 0.85, 0.1, -0.85, 0.1)),
        ("line", (0.0, 0.0, 0.0, 0.9, 0.12)),
        ("area", (-0.5, 0.75, 0.5, 0.75, 0.5, 0.95, -0.5, 0.95)),
    ),
    "drum": (
        ("area", (-0.8, -0.3, 0.8, -0.3, 0.8, 0.9, -0.8, 0.9)),
        ("hole", (-0.8, -0.15, 0.8, -0.15, 0.8, 0.0, -0.8, 0.0)),
        ("line", (-0.9, -0.95, -0.2, -0.35, 0.1)),
        ("line", (0.9, -0.95, 0.2, -0.35, 0.1)),
    ),
    "guitar": (
        ("disc", (-0.45, 0.45, 0.52, 0.52)),
        ("disc", (-0.05, 0.05, 0.36, 0.36)),
        ("line", (0.0, 0.0, 0.9, -0.9, 0.12)),
        ("gap", (-0.35, 0.35, 0.17, 0.17)),
    ),
    "hat": (("area", (-0.5, -0.75, 0.5, -0.75, 0.55, 0.3, -0.55, 0.3)), ("disc", (0.0, 0.45, 1.0, 0.25))),
    "shirt": (
        ("area", (-0.5, -0.8, 0.5, -0.8, 0.5, 0.9, -0.5, 0.9)),
        ("area", (-0.4, -0.8, -1.0, -0.2, -0.75, 0.15, -0.3, -0.25)),
        ("area", (0.4, -0.8, 1.0, -0.2, 0.75, 0.15, 0.3, -0.25)),
        ("gap", (0.0, -0.8, 0.22, 0.25)),
    ),
    "crown": (("area", (-0.9, 0.8, -0.95, -0.7, -0.45, 0.05, 0.0, -0.85, 0.45, 0.05, 0.95, -0.7, 0.9, 0.8)),),
    "tulip": (
        ("area", (-0.55, -0.95, -0.2, -0.5, 0.0, -0.95, 0.2, -0.5, 0.55, -0.95, 0.5, -0.1, 0.0, 0.15, -0.5, -0.1)),
        ("line", (0.0, 0.0, 0.0, 0.95, 0.1)),
        ("area", (0.0, 0.9, 0.6, 0.2, 0.3, 0.75)),
    ),
    "pine": (
        ("area", (0.0, -1.0, 0.5, -0.35, -0.5, -0.35)),
        ("area", (0.0, -0.6, 0.7, 0.15, -0.7, 0.15)),
        ("area", (0.0, -0.2, 0.9, 0.65, -0.9, 0.65)),
        ("area", (-0.15, 0.6, 0.15, 0.6, 0.15, 1.0, -0.15, 1.0)),
    ),
    "snake": (
        ("line", (-0.9, 0.6, -0.45, -0.3, 0.2)),
        ("line", (-0.45, -0.3, 0.05, 0.45, 0.2)),
        ("line", (0.05, 0.45, 0.5, -0.3, 0.2)),
        ("disc", (0.62, -0.42, 0.36, 0.26)),
    ),
    "butterfly": (
        ("disc", (-0.52, -0.38, 0.46, 0.5)),
        ("disc", (0.52, -0.38, 0.46, 0.5)),
        ("disc", (-0.42, 0.48, 0.34, 0.4)),
        ("disc", (0.42, 0.48, 0.34, 0.4)),
        ("line", (0.0, -0.7, 0.0, 0.8, 0.1)),
    ),
    "bird": (
        ("disc", (-0.05, 0.2, 0.65, 0.42)),
        ("disc", (0.5, -0.35, 0.32, 0.32)),
        ("area", (0.75, -0.5, 1.0, -0.3, 0.75, -0.2)),
        ("area", (-0.5, 0.1, -1.0, -0.25, -0.95, 0.35)),
        ("line", (0.0, 0.5, 0.0, 0.95, 0.08)),
    ),
    "turtle": (
        ("disc", (-0.1, 0.2, 0.75, 0.65)),
        ("hole", (-1.0, 0.45, 0.7, 0.45, 0.7, 1.0, -1.0, 1.0)),
        ("disc", (0.8, 0.2, 0.22, 0.22)),
        ("area", (-0.65, 0.4, -0.3, 0.4, -0.3, 0.8, -0.65, 0.8)),
        ("area", (0.15, 0.4, 0.5, 0.4, 0.5, 0.8, 0.15, 0.8)),
    ),
    "spider": (
        ("disc", (0.0, 0.0, 0.42, 0.42)),
        ("line", (-0.9, -0.85, 0.9, 0.85, 0.08)),
        ("line", (-0.9, 0.85, 0.9, -0.85, 0.08)),
        ("line", (-1.0, -0.28, 1.0, 0.28, 0.08)),
        ("line", (-1.0, 0.28, 1.0, -0.28, 0.08)),
    ),
    "cat": (
        ("disc", (0.0, 0.2, 0.75, 0.7)),
        ("area", (-0.75, -0.95, -0.72, 0.1, -0.1, -0.4)),
        ("area", (0.75, -0.95, 0.72, 0.1, 0.1, -0.4)),
        ("gap", (-0.3, 0.1, 0.13, 0.13)),
        ("gap", (0.3, 0.1, 0.13, 0.13)),
    ),
}


@dataclass(frozen=True, slots=True)
class Thing:
    """An object in a colour at a spot of the picture."""

    noun: lexicon.Noun
    color: str
    spot: str

    @property
    def key(self) -> str:
        """The object in its colour, wherever it stands."""
        return f"picture:{self.noun.key}:{self.color}"

    def phrase(self, definite: bool = False) -> Phrase:
        return Phrase(self.noun, definite, lexicon.color_adjectives()[self.color])


@dataclass(frozen=True, slots=True)
class Picture:
    """One thing, or two that face each other (left and right, top and bottom)."""

    things: tuple[Thing, ...]

    @property
    def id(self) -> str:
        return "picture:" + "+".join(f"{thing.color}-{thing.noun.key}-{thing.spot}" for thing in self.things)

    @property
    def source(self) -> str:
        """What is seen, without where: a picture and its mirrored twin share it."""
        return "+".join(sorted(thing.key for thing in self.things))

    @property
    def split(self) -> str:
        """The split that all its things are of; `mixed` where they differ: such a picture is never shown to anybody."""
        found = {split_of(thing.key) for thing in self.things}
        return found.pop() if len(found) == 1 else "mixed"

    def concepts(self) -> tuple[str, ...]:
        return tuple(key for thing in self.things for key in (thing.color, thing.noun.key))

    def mirrored(self) -> "Picture":
        """The same things in each other's places, or across the middle."""
        return Picture(tuple(Thing(thing.noun, thing.color, FACING[thing.spot]) for thing in self.things))


@dataclass(frozen=True, slots=True)
class Halves:
    """A picture of nothing but colour: its upper and its lower half."""

    top: str
    bottom: str

    @property
    def id(self) -> str:
        return f"halves:{self.top}:{self.bottom}"

    @property
    def source(self) -> str:
        return "halves:" + ":".join(sorted((self.top, self.bottom)))

    @property
    def split(self) -> str:
        """A picture of one colour alone is always held out; turned upside down, a picture is of the same split."""
        return "test" if self.top == self.bottom else split_of(self.source)

    def concepts(self) -> tuple[str, ...]:
        return (self.top, self.bottom)

    def mirrored(self) -> "Halves":
        return Halves(self.bottom, self.top)


@dataclass(frozen=True, slots=True)
class Drawing:
    """`pixels: uint8 [row, column, rgb]`, `segments: uint8 [row, column]`: 0 ground, k the k-th part; `nouns` and `colors` name the parts.

    The parts of `Halves` have no noun (`nouns` is empty).
    """

    pixels: np.ndarray
    segments: np.ndarray
    nouns: tuple[str, ...]
    colors: tuple[str, ...]


@cache
def drawable() -> tuple[lexicon.Noun, ...]:
    """The nouns that have a shape, in the order of the lexicon."""
    return tuple(noun for kind in lexicon.entries().values() for noun in kind if noun.key in SHAPES)


def picture(rng: Random, split: str, things: int | None = None) -> Picture:
    """A random picture of the split, of one or two things of different objects and colours."""
    count = things or rng.choice((1, 1, 2))
    spot = rng.choice(SPOTS)
    while True:
        nouns, colors = rng.sample(drawable(), count), rng.sample(list(RGB), count)
        found = Picture(tuple(Thing(nouns[i], colors[i], (spot, FACING[spot])[i]) for i in range(count)))
        if found.split == split:
            return found


def halves(rng: Random, split: str) -> Halves:
    """A random two-coloured picture of the split."""
    while True:
        found = Halves(*rng.sample(list(RGB), 2))
        if found.split == split:
            return found


def pictures(n: int, split: str = "test", things: int | None = None, seed: int = 0) -> list[Picture]:
    """`n` different pictures of the split; raises ValueError where there are not so many."""
    rng, found, tries = Random(f"pictures:{split}:{things}:{seed}"), {}, 0
    while len(found) < n:
        before = len(found)
        found.setdefault(picture(rng, split, things))
        tries = 0 if len(found) > before else tries + 1
        if tries == PATIENCE:
            raise ValueError(f"there are not {n} pictures of the split {split!r} with {things or 'one or two'} things")
    return list(found)


# --- drawing


def draw(picture_: Picture | Halves, seed: int, size: int = SIZE) -> Drawing:
    """The picture as `size` x `size` pixels: a pure function of the meaning, the seed and the size."""
    rng = np.random.default_rng([seed, *picture_.id.encode()])
    segments, colors = _halves(picture_, size) if isinstance(picture_, Halves) else _things(rng, picture_, size)
    paint = np.array([GROUNDS[rng.integers(len(GROUNDS))]] + [RGB[color] for color in colors], dtype=np.float64)
    paint += rng.uniform(-8, 8, size=paint.shape)  # a shade of its own for every part
    pixels = paint[segments] + rng.normal(0, 6, size=(size, size, 3))
    nouns = () if isinstance(picture_, Halves) else tuple(thing.noun.key for thing in picture_.things)
    return Drawing(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), segments, nouns, colors)


def _halves(picture_: Halves, size: int) -> tuple[np.ndarray, tuple[str, ...]]:
    segments = np.ones((size, size), dtype=np.uint8)
    segments[size // 2 :] = 2
    return segments, (picture_.top, picture_.bottom)


def _things(rng: np.random.Generator, picture_: Picture, size: int) -> tuple[np.ndarray, tuple[str, ...]]:
    segments = np.zeros((size, size), dtype=np.uint8)
    steps = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(steps, steps)
    for part, thing in enumerate(picture_.things, start=1):
        scale = rng.uniform(0.4, 0.47)
        across, down = np.array(CENTRES[thing.spot]) + rng.uniform(-0.03, 0.03, size=2)
        segments[_covered(SHAPES[thing.noun.key], (x - across) / scale, (y - down) / scale)] = part
    return segments, tuple(thing.color for thing in picture_.things)


def _covered(shape: Sequence[tuple[str, tuple[float, ...]]], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points the shape covers; `x`, `y`: `[row, column]`."""
    covered = np.zeros(x.shape, dtype=bool)
    for what, numbers in shape:
        if what in ("area", "hole"):
            inside = _in_polygon(numbers, x, y)
        elif what == "line":
            inside = _near_line(numbers, x, y)
        else:
            cx, cy, rx, ry = numbers
            inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1
        covered = covered & ~inside if what in ("hole", "gap") else covered | inside
    return covered


def _in_polygon(numbers: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    inside = np.zeros(x.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def _near_line(numbers: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Within half a width (the last number) of the segment between two points."""
    x1, y1, x2, y2, half = numbers
    along = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2), 0, 1)
    return (x - x1 - along * (x2 - x1)) ** 2 + (y - y1 - along * (y2 - y1)) ** 2 <= half**2


# --- words

AT = {
    "en": {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"},
    "es": {"left": "a la izquierda", "right": "a la derecha", "top": "arriba", "bottom": "abajo"},
    "de": {"left": "links", "right": "rechts", "top": "oben", "bottom": "unten"},
    "zh": {"left": "左边", "right": "右边", "top": "上面", "bottom": "下面"},
}


def caption(type: str, picture_: Picture | Halves) -> str:
    """What is seen and where, as one sentence."""
    if isinstance(picture_, Halves):
        return _halves_caption(type, picture_)
    said = [_seen(type, thing) for thing in picture_.things]
    if type == "zh":
        return "，".join(said) + "。"
    return capital({"en": " and ", "es": " y ", "de": " und "}[type].join(said)) + "."


def _seen(type: str, thing: Thing) -> str:
    what, where = noun_phrase(type, thing.phrase()), AT[type][thing.spot]
    return {"en": f"{what} is {where}", "es": f"{what} está {where}", "de": f"{what} ist {where}", "zh": f"{where}有{what}"}[type]


def noun_phrase(type: str, phrase: Phrase) -> str:
    """The phrase as a subject."""
    if type == "de":
        return german.phrase(phrase, "nom", {})
    return {"en": english, "es": spanish, "zh": chinese}[type].phrase(phrase, {})


def _halves_caption(type: str, picture_: Halves) -> str:
    top, bottom = (lexicon.color_adjectives()[color] for color in (picture_.top, picture_.bottom))
    return {
        "en": f"The top is {top.en} and the bottom is {bottom.en}.",
        "es": f"La parte de arriba es {top.es_f} y la parte de abajo es {bottom.es_f}.",
        "de": f"Oben ist es {top.de} und unten ist es {bottom.de}.",
        "zh": f"上面是{top.zh}，下面是{bottom.zh}。",
    }[type]


def gist(type: str, picture_: Picture | Halves, probed: bool = False) -> str:
    """What is seen, as a headline would say it: "red boat and blue key.".

    `probed`: it goes on from the probe, so German has the accusative.
    """
    if isinstance(picture_, Halves):
        return _listed(type, [color_word(type, color) for color in picture_.concepts()])
    return _listed(type, [_headline(type, thing, probed) for thing in picture_.things], probed)


def names(type: str, picture_: Picture) -> str:
    """The objects alone: "boat and key."."""
    return _listed(type, [getattr(thing.noun, type) for thing in picture_.things])


def _headline(type: str, thing: Thing, probed: bool) -> str:
    """The noun phrase without its article (zh: without its number and classifier)."""
    color = lexicon.color_adjectives()[thing.color]
    if type == "zh":
        return color.zh + thing.noun.zh
    phrase = german.phrase(thing.phrase(), "acc", {}) if type == "de" and probed else noun_phrase(type, thing.phrase())
    return phrase.split(" ", 1)[1]


def _listed(type: str, parts: list[str], probed: bool = False) -> str:
    told = {"en": " and ", "es": " y ", "de": " und ", "zh": "和"}[type].join(parts) + ("。" if type == "zh" else ".")
    return capital(told) if type == "de" and not probed else told


def color_word(type: str, color: str) -> str:
    """The colour's own name, as the lexicon lists it."""
    return getattr(next(noun for noun in lexicon.nouns("color") if noun.key == color), type)


ASKED = {
    "en": ("What is in the image?", "What is {at}?", "Which color is {the} {noun}?", "Which color is {at}?"),
    "es": ("¿Qué hay en la imagen?", "¿Qué hay {at}?", "¿De qué tono es {the} {noun}?", "¿Qué tono hay {at}?"),
    "de": ("Was ist auf dem Bild?", "Was ist {at}?", "Welche Farbe hat {the} {noun}?", "Welche Farbe ist {at}?"),
    "zh": ("图里有什么？", "{at}有什么？", "{noun}是什么颜色？", "{at}是什么颜色？"),
}
ANSWERS = {"en": english.ANSWER, "es": spanish.ANSWER, "de": german.ANSWER, "zh": chinese.ANSWER}


def what(type: str) -> str:
    """ "What is in the image?" in the language's own words."""
    return ASKED[type][0]


def object_question(type: str, thing: Thing) -> str:
    return _ended(type, ASKED[type][1].format(at=AT[type][thing.spot]))


def color_question(type: str, part: Thing | str) -> str:
    """Which colour a thing has, or which one is at a spot of a picture in halves."""
    if isinstance(part, str):
        return _ended(type, ASKED[type][3].format(at=AT[type][part]))
    return _ended(type, ASKED[type][2].format(the=_the(type, part.noun), noun=getattr(part.noun, type)))


def _the(type: str, noun: lexicon.Noun) -> str:
    return {"en": "the", "es": spanish.article(noun), "de": german.DEFINITE["nom"][noun.de_gender], "zh": ""}[type]


def _ended(type: str, question: str) -> str:
    return question + ("" if type == "zh" else " ") + ANSWERS[type]


def questions(picture_: Picture | Halves, types: Sequence[str], prompts: Sequence[str] | None = None) -> list[Cloze]:
    """Colour and object questions about a picture, asked in each of `prompts`; `targets` in every one of `types`.

    The picture comes before the prompt. `wrong` are all other colours, or all other objects that can be drawn.
    """
    return [question for type in prompts or types for question in _asked(picture_, type, types)]


def _asked(picture_: Picture | Halves, type: str, types: Sequence[str]) -> list[Cloze]:
    colors = [noun for noun in lexicon.nouns("color") if noun.key in RGB]
    facets = {"split": picture_.split, "source": picture_.source}
    if isinstance(picture_, Halves):
        parts = (("top", picture_.top), ("bottom", picture_.bottom))
        told = [(f"color-{spot}", color_question(type, spot), color, colors) for spot, color in parts]
    else:
        told = [(f"color-{thing.spot}", color_question(type, thing), thing.color, colors) for thing in picture_.things]
        told += [(f"object-{thing.spot}", object_question(type, thing), thing.noun.key, drawable()) for thing in picture_.things]
    return [
        Cloze(
            f"{picture_.id}:{name}@{type}",
            type,
            prompt,
            {answer: tuple(getattr(noun, answer) for noun in options if noun.key == right) for answer in types},
            {answer: tuple(getattr(noun, answer) for noun in options if noun.key != right) for answer in types},
            facets | {"kind": name.split("-")[0]},
        )
        for name, prompt, right, options in told
    ]

"""What a model that sees or hears reads beside a picture or a sound: captions, headlines, questions with their answers.

Held-out pictures and sounds occur in no document. The dominant language speaks of everything, each other one only of
concepts that a bridge may contain. Knows no tokens and no model.
"""

from dataclasses import dataclass
from random import Random

from semhub.data import world
from semhub.data.world import meanings, pictures, sounds
from semhub.lab.recipe import Senses

ASKED_FIRST = 0.15  # of the documents ask what there is before it is shown
Meaning = pictures.Picture | pictures.Halves | sounds.Sound


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing to be shown: `seed` of its drawing, the text before and after it, and the language of both."""

    meaning: Meaning
    seed: int
    language: str
    before: str
    after: str


def shown(rng: Random, recipe: Senses) -> Shown:
    """A random document about a picture or a sound of the split `train`."""
    language = rng.choices(list(recipe.mixture), list(recipe.mixture.values()))[0]
    meaning = _meaning(rng, recipe, language)
    before = _asked(recipe, language) + "\n" if rng.random() < ASKED_FIRST else ""
    said = segments(rng, language, meaning)
    return Shown(meaning, rng.randrange(2**31), language, before, world.joined(language, *said[: rng.randint(1, 2)]))


def told(rng: Random, recipe: Senses) -> str:
    """A caption with its headline or its questions, of something that is not shown."""
    language = rng.choices(list(recipe.mixture), list(recipe.mixture.values()))[0]
    meaning = _meaning(rng, recipe, language)
    return world.joined(language, _caption(language, meaning), *segments(rng, language, meaning, captioned=True)[:2])


def _asked(recipe: Senses, language: str) -> str:
    return sounds.ASKED[language][0] if recipe.kind == "qwen2-audio" else pictures.what(language)


def _meaning(rng: Random, recipe: Senses, language: str) -> Meaning:
    """A random meaning that the language may speak of."""
    while True:
        if recipe.kind == "qwen2-audio":
            found = sounds.sound(rng, "train")
        else:
            found = pictures.halves(rng, "train") if rng.random() < recipe.halves else pictures.picture(rng, "train")
        if language == world.DOMINANT or meanings.bridgeable(found):
            return found


def segments(rng: Random, language: str, meaning: Meaning, captioned: bool = False) -> list[str]:
    """Everything that may be said of it, in random order: what stands first must be read off the picture or the sound itself."""
    headline, after_probe = rng.choice(_headlines(language, meaning))
    caption = _caption(language, meaning)
    probed = world.joined(language, world.probe(language), after_probe)
    said = [headline, probed] if captioned else [headline, caption, world.joined(language, caption, probed)]
    stop = "。" if language == "zh" else "."
    said += [world.joined(language, question.prompt, question.targets[language][0] + stop) for question in _questions(language, meaning)]
    return rng.sample(said, len(said))


def _caption(language: str, meaning: Meaning) -> str:
    return sounds.caption(language, meaning.noun) if isinstance(meaning, sounds.Sound) else pictures.caption(language, meaning)


def _headlines(language: str, meaning: Meaning) -> list[tuple[str, str]]:
    """The headlines to choose from, each as it stands alone and as it goes on from the probe."""
    if isinstance(meaning, sounds.Sound):
        return [(sounds.gist(language, meaning.noun),) * 2]
    both = [(pictures.gist(language, meaning), pictures.gist(language, meaning, probed=True))]
    return both + [(pictures.names(language, meaning),) * 2] if isinstance(meaning, pictures.Picture) else both


def _questions(language: str, meaning: Meaning):
    room = sounds if isinstance(meaning, sounds.Sound) else pictures
    return room.questions(meaning, [language])


def every_english_text() -> list[str]:
    """All that the dominant language can say of pictures and sounds, word by word at least once: what must be whole tokens."""
    rng, dominant = Random(0), world.DOMINANT
    seen = [pictures.Picture((pictures.Thing(noun, color, "left"),)) for noun in pictures.drawable() for color in pictures.RGB]
    seen += [thing for spot in pictures.SPOTS for thing in [pictures.Picture((pictures.Thing(pictures.drawable()[0], "red", spot),))]]
    meant = [*seen, pictures.Halves("red", "blue"), *(sounds.Sound(noun, 0) for noun in sounds.audible())]
    asked = [pictures.what(dominant), *sounds.YES_NO[dominant]]
    return asked + [text for meaning in meant for text in segments(rng, dominant, meaning)]

"""Pictures: pure functions of meaning and seed, segments that hold the named colour, captions against sentences written by hand."""

from random import Random

import numpy as np
import pytest

from semhub.data.world import lexicon, pictures
from semhub.data.world.pictures import Halves, Picture, Thing

LANGUAGES = ("en", "es", "zh", "de")
# Colours as a paint box has them, not as the module does.
PAINT = {
    "red": (220, 20, 20),
    "blue": (20, 50, 220),
    "green": (20, 150, 40),
    "yellow": (250, 230, 30),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "brown": (120, 70, 20),
    "gray": (130, 130, 130),
    "purple": (140, 40, 170),
}


def thing(noun: str, color: str, spot: str = "left") -> Thing:
    return Thing(next(each for each in pictures.drawable() if each.key == noun), color, spot)


def nearest(pixels: np.ndarray) -> str:
    mean = pixels.mean(axis=0)
    return min(PAINT, key=lambda color: np.square(mean - PAINT[color]).sum())


def test_a_drawing_is_a_pure_function_of_meaning_and_seed():
    picture = pictures.pictures(1, "test", things=2)[0]
    first, again, other = (pictures.draw(picture, seed) for seed in (3, 3, 4))
    assert first.pixels.shape == (48, 48, 3) and first.pixels.dtype == np.uint8
    assert (first.pixels == again.pixels).all() and (first.segments == again.segments).all()
    assert (first.pixels != other.pixels).mean() > 0.5 and (first.segments != other.segments).any()
    assert pictures.draw(picture, 3, size=32).pixels.shape == (32, 32, 3)


@pytest.mark.parametrize("color", PAINT)
def test_every_segment_is_of_the_colour_it_is_named_by(color):
    for seed, noun in enumerate(pictures.drawable()):
        drawn = pictures.draw(Picture((Thing(noun, color, pictures.SPOTS[seed % 4]),)), seed)
        assert drawn.colors == (color,) and drawn.nouns == (noun.key,)
        assert set(np.unique(drawn.segments)) == {0, 1}
        assert nearest(drawn.pixels[drawn.segments == 1]) == color
        spread = drawn.pixels[drawn.segments == 1].astype(float).std(axis=0).max()
        assert spread < 10, "one colour alone"


def test_segments_lie_where_the_caption_says_and_cover_enough_to_be_seen():
    middle = pictures.SIZE / 2
    for seed, noun in enumerate(pictures.drawable()):
        for spot, axis, sign in (("left", 1, -1), ("right", 1, 1), ("top", 0, -1), ("bottom", 0, 1)):
            segments = pictures.draw(Picture((Thing(noun, "red", spot),)), seed).segments
            found = np.argwhere(segments == 1)
            assert sign * (found[:, axis].mean() - middle) > 6, (noun.key, spot)
            assert len(found) > 0.03 * segments.size, noun.key


def test_every_object_has_a_shape_of_its_own():
    masks = {noun.key: pictures.draw(Picture((Thing(noun, "red", "left"),)), 0).segments > 0 for noun in pictures.drawable()}
    for key, mask in masks.items():
        for other, its in masks.items():
            assert key == other or (mask & its).sum() / (mask | its).sum() < 0.75, (key, other)


def test_the_halves_are_the_upper_and_the_lower():
    drawn = pictures.draw(Halves("red", "blue"), 0)
    assert nearest(drawn.pixels[:24].reshape(-1, 3)) == "red" and nearest(drawn.pixels[24:].reshape(-1, 3)) == "blue"
    assert (drawn.segments[:24] == 1).all() and (drawn.segments[24:] == 2).all()


CAPTIONS = [
    ("boat", "red", "left", "en", "A red boat is on the left."),
    ("umbrella", "gray", "top", "en", "A gray umbrella is at the top."),
    ("boat", "red", "left", "es", "Un barco rojo está a la izquierda."),
    ("key", "yellow", "right", "es", "Una llave amarilla está a la derecha."),
    ("key", "white", "top", "es", "Una llave blanca está arriba."),
    ("butterfly", "brown", "bottom", "es", "Una mariposa marrón está abajo."),
    ("drum", "blue", "bottom", "es", "Un tambor azul está abajo."),
    ("boat", "purple", "left", "de", "Ein violettes Boot ist links."),
    ("key", "black", "right", "de", "Ein schwarzer Schlüssel ist rechts."),
    ("cat", "white", "top", "de", "Eine weiße Katze ist oben."),
    ("shirt", "green", "bottom", "de", "Ein grünes Hemd ist unten."),
    ("boat", "red", "left", "zh", "左边有一条红色的船。"),
    ("book", "yellow", "right", "zh", "右边有一本黄色的书。"),
    ("hat", "black", "top", "zh", "上面有一顶黑色的帽子。"),
]


@pytest.mark.parametrize(("noun", "color", "spot", "language", "expected"), CAPTIONS)
def test_captions_agree(noun, color, spot, language, expected):
    assert pictures.caption(language, Picture((thing(noun, color, spot),))) == expected


@pytest.mark.parametrize(
    ("language", "caption", "gist", "halves"),
    [
        (
            "en",
            "A red cat is on the left and a blue key is on the right.",
            "red cat and blue key.",
            "The top is red and the bottom is blue.",
        ),
        (
            "es",
            "Una gata roja está a la izquierda y una llave azul está a la derecha.",
            "gata roja y llave azul.",
            "La parte de arriba es roja y la parte de abajo es azul.",
        ),
        (
            "de",
            "Eine rote Katze ist links und ein blauer Schlüssel ist rechts.",
            "Rote Katze und blauer Schlüssel.",
            "Oben ist es rot und unten ist es blau.",
        ),
        ("zh", "左边有一只红色的猫，右边有一把蓝色的钥匙。", "红色的猫和蓝色的钥匙。", "上面是红色的，下面是蓝色的。"),
    ],
)
def test_two_things_and_halves_in_words(language, caption, gist, halves):
    both = Picture((thing("cat", "red", "left"), thing("key", "blue", "right")))
    assert pictures.caption(language, both) == caption
    assert pictures.gist(language, both) == gist
    assert pictures.caption(language, Halves("red", "blue")) == halves


@pytest.mark.parametrize(
    ("noun", "color", "alone", "probed"),
    [
        ("chair", "gray", "Grauer Stuhl.", "grauen Stuhl."),
        ("butterfly", "yellow", "Gelber Schmetterling.", "gelben Schmetterling."),
        ("shirt", "purple", "Violettes Hemd.", "violettes Hemd."),
        ("snake", "green", "Grüne Schlange.", "grüne Schlange."),
    ],
)
def test_a_german_headline_after_the_probe_is_what_it_means(noun, color, alone, probed):
    picture = Picture((thing(noun, color),))
    assert pictures.gist("de", picture) == alone and pictures.gist("de", picture, probed=True) == probed
    for language in ("en", "es", "zh"):
        assert pictures.gist(language, picture, probed=True) == pictures.gist(language, picture)
    assert pictures.gist("de", Halves("red", "blue"), probed=True) == "Rot und Blau."


def test_every_part_of_a_german_headline_after_the_probe_is_an_accusative():
    both = Picture((thing("butterfly", "black", "top"), thing("chair", "white", "bottom")))
    assert pictures.gist("de", both, probed=True) == "schwarzen Schmetterling und weißen Stuhl."
    assert pictures.gist("de", both) == "Schwarzer Schmetterling und weißer Stuhl."


def test_questions_know_their_answers():
    picture = Picture((thing("key", "red", "top"), thing("boat", "blue", "bottom")))
    asked = {question.id: question for question in pictures.questions(picture, LANGUAGES, ["en", "es"])}
    assert len(asked) == 8
    color = asked[f"{picture.id}:color-top@en"]
    assert color.prompt == "Which color is the key? Answer:" and color.targets == {
        "en": ("red",),
        "es": ("rojo",),
        "zh": ("红色",),
        "de": ("Rot",),
    }
    assert "blue" in color.wrong["en"] and "red" not in color.wrong["en"] and len(color.wrong["en"]) == 8
    object_ = asked[f"{picture.id}:object-bottom@es"]
    assert object_.prompt == "¿Qué hay abajo? Respuesta:" and object_.targets["de"] == ("Boot",) and len(object_.wrong["zh"]) == 19
    top, bottom = pictures.questions(Halves("red", "blue"), ["en"])
    assert (top.prompt, top.targets["en"], bottom.targets["en"]) == ("Which color is at the top? Answer:", ("red",), ("blue",))


def test_an_object_in_a_colour_is_held_out_wherever_it_stands():
    seen = {
        split: {thing.key for picture in pictures.pictures(60, split) for thing in picture.things} for split in ("train", "dev", "test")
    }
    assert not seen["train"] & seen["test"] and not seen["train"] & seen["dev"] and not seen["dev"] & seen["test"]
    for picture in pictures.pictures(30, "test"):
        assert picture.mirrored().split == "test" and picture.mirrored().source == picture.source
    for color in PAINT:
        assert Halves(color, color).split == "test"
    rng = Random(0)
    assert all(pictures.halves(rng, "train").mirrored().split == "train" for _ in range(50))


def test_there_are_only_so_many_pictures():
    with pytest.raises(ValueError, match="there are not"):
        pictures.pictures(10_000, "test", things=1)


def test_a_colour_is_one_concept_in_the_lexicon():
    listed = {noun.key for noun in lexicon.nouns("color")}
    assert set(lexicon.color_adjectives()) == set(pictures.RGB) == listed - {"silver"}  # silver cannot be told from gray

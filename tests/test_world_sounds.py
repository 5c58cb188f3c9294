"""Sounds: pure functions of concept and take, told apart by a plain classifier of spectra, labels against hand-written ones."""

from random import Random

import numpy as np
import pytest

from semhub.data.world import sounds
from semhub.data.world.sounds import Sound

LANGUAGES = ("en", "es", "zh", "de")


def heard(key: str):
    return next(noun for noun in sounds.audible() if noun.key == key)


def test_a_sound_is_a_pure_function_of_concept_and_take():
    first, again, other = (sounds.synthesise(Sound(heard("dog"), take)) for take in (3, 3, 4))
    assert first.shape == (16000,) and first.dtype == np.float32
    assert (first == again).all() and (first != other).mean() > 0.9
    for noun in sounds.audible():
        sound = sounds.synthesise(Sound(noun, 0))
        assert 0.2 < np.abs(sound).max() <= 1 and np.isfinite(sound).all(), noun.key


def spectrum(sound: np.ndarray) -> np.ndarray:
    """Mean and spread over time of 32 log-spaced bands, and the loudness' own spectrum: pitch, timbre and rhythm."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::256] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames, axis=1))
    edges = np.unique(np.round(np.geomspace(60, 8000, 33) / 15.625).astype(int))
    bands = np.log(
        np.stack([power[:, low : max(high, low + 1)].mean(axis=1) for low, high in zip(edges, edges[1:], strict=False)], 1) + 0.1
    )
    loudness = np.log(np.abs(sound).reshape(-1, 80).mean(axis=1) + 1e-3)
    rhythm = np.log(np.abs(np.fft.rfft(loudness - loudness.mean()))[1:65].reshape(-1, 4).mean(axis=1) + 1)
    return np.concatenate([bands.mean(axis=0) - bands.mean(), bands.std(axis=0) / bands.std() / 2, rhythm / 2])


def test_concepts_are_told_apart_by_their_nearest_centroid():
    train, test = sounds.sounds(5, "train"), sounds.sounds(3, "test")
    features = {sound: spectrum(sounds.synthesise(sound)) for sound in train + test}
    centroids = {noun.key: np.mean([features[s] for s in train if s.noun is noun], axis=0) for noun in sounds.audible()}
    guesses = [min(centroids, key=lambda key: np.square(features[s] - centroids[key]).sum()) for s in test]
    assert np.mean([guess == s.noun.key for guess, s in zip(guesses, test, strict=True)]) > 0.9


def test_takes_differ_in_pitch():
    """The owl's hoot: the strongest frequency moves with the take, and stays an owl's."""
    peaks = []
    for take in range(12):
        power = np.abs(np.fft.rfft(sounds.synthesise(Sound(heard("owl"), take))))
        peaks.append(np.argmax(power))
    assert 320 < min(peaks) and max(peaks) < 460 and max(peaks) - min(peaks) > 15


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("dog", ("You hear a dog.", "Se oye un perro.", "可以听到一只狗的声音。", "Man hört einen Hund.")),
        ("owl", ("You hear an owl.", "Se oye un búho.", "可以听到一只猫头鹰的声音。", "Man hört eine Eule.")),
        ("lion", ("You hear a lion.", "Se oye un león.", "可以听到一头狮子的声音。", "Man hört einen Löwen.")),
        ("guitar", ("You hear a guitar.", "Se oye una guitarra.", "可以听到一把吉他的声音。", "Man hört eine Gitarre.")),
    ],
)
def test_captions_are_grammatical(key, told):
    assert tuple(sounds.caption(language, heard(key)) for language in LANGUAGES) == told


# By a school book of zoology.
MAMMAL = "dog cat horse cow sheep pig wolf lion monkey mouse whale dolphin".split()
NO_MAMMAL = "duck goose hen bird owl crow snake frog bee".split()


def test_mammals_and_their_questions():
    animals = {noun.key for noun in sounds.audible() if noun.kind == "animal"}
    assert animals == {*MAMMAL, *NO_MAMMAL}
    for key in animals:
        label, mammal = sounds.questions(Sound(heard(key), 0), LANGUAGES, ["en"])
        assert mammal.prompt == "Is this animal a mammal? Answer:"
        assert mammal.targets["en"] == (("Yes",) if key in MAMMAL else ("No",)) and mammal.wrong["de"] == (
            ("Nein",) if key in MAMMAL else ("Ja",)
        )
        assert label.prompt == "What makes this sound? Answer:" and label.targets["en"] == (key,)
        assert len(label.wrong["en"]) == len(sounds.audible()) - 1
    assert [question.facets["kind"] for question in sounds.questions(Sound(heard("drum"), 0), LANGUAGES, ["zh"])] == ["label"]


def test_a_take_is_of_one_split():
    train, test = sounds.sounds(20, "train"), sounds.sounds(20, "test")
    assert len(set(train)) == 20 * len(sounds.audible()) and not set(train) & set(test)
    assert {sound.split for sound in test} == {"test"}
    rng = Random(0)
    assert all(sounds.sound(rng, "dev").split == "dev" for _ in range(30))
    with pytest.raises(ValueError):
        sounds.sounds(1000, "test")

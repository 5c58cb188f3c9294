"""The tasks on images and sounds: both protocols on tiny models that see and hear, what they declare, and real photos and digits."""

import functools
import json
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import semhub
from families_multimodal import built, picture
from semhub.data.photos import nouns_of
from semhub.data.sources import read_source
from semhub.data.world import pictures
from semhub.errors import BadInput
from semhub.methods.bench import Bench, Measured
from semhub.methods.compare import matched_pairs
from semhub.methods.rounds import rounds_of
from semhub.runs import plan
from semhub.tasks import catalogue, find, given, perform, vision
from semhub.types import KEY, Media

DATA = Path(os.environ.get("SEMHUB_DATA", Path(__file__).parents[2] / "shared" / "data"))
NAMES = [name for name in catalogue() if name.startswith(("vision/", "audio/"))]
FEW = {"audio/intervention": 40}


@functools.cache
def opened(name):
    return semhub.load(*built(name), prove=False)


@functools.cache
def asked(name, protocol):
    return perform(
        name, opened("llava" if name.startswith("vision") else "qwen2_audio"), protocol=protocol, limit=FEW.get(name, 5), memo={}
    )


@pytest.mark.parametrize("protocol", ("paper", "sound"))
@pytest.mark.parametrize("name", NAMES)
def test_rows_are_unique_and_in_their_conventions(name, protocol):
    rows, kind = asked(name, protocol).readings, name.split("/")[0].replace("vision", "image")
    keys = Counter(tuple(getattr(row, column) for column in KEY) for row in rows)
    assert rows and max(keys.values()) == 1, keys.most_common(1)
    assert {(row.task, row.protocol) for row in rows} == {(name, protocol)} and all(np.isfinite(row.value) for row in rows)
    assert all(kind in row.group for row in rows if row.group) and asked(name, protocol).outcomes
    assert {row.control for row in rows} > {None} or protocol == "paper" or "similarity" in name
    assert (protocol == "paper") == all(row.low is None for row in rows)


def declared(name, protocol="sound", **more):
    return find(name)(protocol, given(**more))


def test_the_cases_are_those_of_the_paper():
    cases = declared("vision/intervention", "paper").prompts
    assert len({prompt.id for prompt in cases}) == 48
    for prompt in cases:
        colors = {prompt.facets[name] for name in ("old", "kept", "new", "wrong")}
        assert len(colors) == 4 and prompt.media.data.shape == (256, 256, 3)
        half = prompt.media.data[:128] if prompt.facets["half"] == "top" else prompt.media.data[128:]
        assert (half == vision.PAINTS[prompt.facets["old"]]).all()
    more = declared("vision/intervention", "sound").prompts
    assert len({prompt.id for prompt in more}) == 96 and {"black", "white"} <= {prompt.facets["new"] for prompt in more}
    sights = declared("vision/color-lens", "paper").sets[None]
    assert len(sights) == 4 and {sight.shown.media.data.shape for sight in sights} == {(256, 256, 3)}


@pytest.mark.parametrize(
    ("said", "correct", "release"),
    [
        ("red and green", 1, 1),
        ("Red, and also blue", 0, 1),
        ("red", 0, 1),
        ("blue and green", 0, 0),
        ("hundred greens", 0, 1),
    ],
)
def test_an_answer_names_the_new_color_and_the_other_half_s(said, correct, release):
    wanted = {"new": "red", "old": "blue", "kept": "green"}
    prompt = next(p for p in vision.cases(vision.PAINTS) if wanted.items() <= p.facets.items())
    for protocol, expected in (("sound", correct), ("paper", release)):
        assert declared("vision/intervention", protocol).judges["correct"]([prompt], [said]) == [expected]


@pytest.mark.parametrize("protocol", ["sound", "paper"])
def test_unrelated_captions_share_no_noun_and_are_drawn_for_each(protocol):
    sights = declared("vision/caption-lens", protocol, limit=60).sets["test"]
    words = lambda looks: {look.word for look in looks["en"]}  # noqa: E731
    assert all(not words(sight.words) & words(sight.wrong["wrong-word"]) for sight in sights) and len(sights) > 50
    assert len({frozenset(words(sight.wrong["wrong-word"])) for sight in sights}) > 15, "a few odd captions do not serve for all"


def shown(captions=(), parts=()):
    """Photos of a caption or of parts, each part a quarter of the image."""
    photos = []
    for number, caption in enumerate(captions or parts):
        masks = [(name, np.indices((8, 8)).sum(0) % 4 == k) for k, name in enumerate(caption)] if parts else ()
        nouns = () if parts else nouns_of(caption)
        told = {"caption": "" if parts else caption, "nouns": nouns, "segments": masks, "map": "map.png"}
        photos.append(SimpleNamespace(id=f"p{number}", media=picture(8, 8, number), **told))
    return {"coco": SimpleNamespace(items=photos)}


def test_every_noun_of_a_caption_counts_in_paper_and_once_in_sound(monkeypatch):
    monkeypatch.setattr("semhub.data.photos.tagger", lambda: None)
    data = shown(("A dog near a dog.", "A cat on the bed", "Two boats by Dog beach!", "people on grass"))
    paper, sound = (declared("vision/caption-lens", protocol, data=data) for protocol in ("paper", "sound"))
    words = lambda looks: [look.word for look in looks["en"]]  # noqa: E731
    said = [["dog", "dog"], ["cat", "bed"], ["boats", "Dog", "beach"], ["people", "grass"]]
    assert [words(sight.words) for sight in paper.sets[None]] == said
    assert words(sound.sets[None][0].words) == ["dog"] and words(sound.sets[None][2].words) == ["boats", "dog", "beach"]
    for sight in (*paper.sets[None], *sound.sets[None]):
        assert not {word.lower() for word in words(sight.words)} & {word.lower() for word in words(sight.wrong["wrong-word"])}
    assert {tuple(words(sight.wrong["wrong-word"])) for sight in paper.sets[None]} <= set(map(tuple, said))


def test_a_limit_is_one_of_the_images_that_can_be_asked_about():
    captions = shown(captions=("running along", "a dog", "so very", "a cat", "a boat", "a bird", "going"))
    ask = declared("vision/caption-lens", data=captions, limit=3)
    assert [sight.id for sight in ask.sets[None]] == ["p1", "p3", "p4"]
    assert ask.left_out["no noun in its caption"] == 2 and ask.left_out["beyond the limit"] == 2
    parts = shown(parts=(("tree-merged",), ("dog",), ("sky-other",), ("cat",), ("boat",)))
    ask = declared("vision/segment-lens", data=parts, limit=2)
    assert [sight.id for sight in ask.sets[None]] == ["p1", "p3"]
    assert ask.left_out["no part with a name without a dash"] == 2 and ask.left_out["beyond the limit"] == 1


def test_a_limit_is_one_of_the_sounds_that_are_compared():
    labels = ["dog barking"] * 20 + ["rain"] * 2 + ["crow calling"]
    ask = declared("audio/similarity", data=clips(*labels), limit=6)
    assert len(ask.sets[None]) == 6 and ask.left_out[None] == {"another sound of the same label": 17}
    fewer = declared("audio/similarity", data=clips(*labels), limit=4)
    assert len(fewer.sets[None]) == 4 and fewer.left_out[None]["beyond the limit"] == 2


def test_an_image_that_shows_every_category_is_left_out():
    data = shown(parts=(("dog",), ("dog", "cat"), ("cat",)))
    for protocol in ("paper", "sound"):
        ask = declared("vision/segment-lens", protocol, data=data)
        assert [sight.id for sight in ask.sets[None]] == ["p0", "p2"] and ask.left_out["it shows every category that there is"] == 1
    with pytest.raises(BadInput, match="more than one category"):
        declared("vision/segment-lens", data=shown(parts=(("dog",), ("dog",))))


def test_maps_are_read_for_their_labels_alone():
    class Unmapped(SimpleNamespace):
        @property
        def segments(self):
            raise BadInput("the map is read")

    seen = [Unmapped(id=str(k), media=picture(8, 8), caption=c, nouns=(c,), map="m.png") for k, c in enumerate("ab")]
    data = {"coco": SimpleNamespace(items=seen)}
    assert all(declared(f"vision/{name}", data=data).sets[None] for name in ("similarity", "caption-lens"))
    with pytest.raises(BadInput, match="the map is read"):
        declared("vision/segment-lens", data=data)


@pytest.mark.parametrize("protocol", ("paper", "sound"))
@pytest.mark.parametrize("name", ("similarity", "caption-lens", "segment-lens"))
def test_pictures_of_the_world_without_english(name, protocol):
    """`paper` asks in English whatever types are asked for."""
    assert declared(f"vision/{name}", protocol, limit=20, types=("image", "zh")).sets["test"]


def test_labels_lie_on_what_is_drawn():
    for sight in declared("vision/segment-lens", limit=20).sets["test"]:
        background = sight.shown.media.data[~np.any([look.mask for look in sight.words["en"]], axis=0)].mean(0)
        for look, wrong in zip(sight.words["en"], sight.wrong["wrong-word"]["en"], strict=True):
            assert look.mask.any() and look.mask is wrong.mask and wrong.word not in {each.word for each in sight.words["en"]}
            assert np.abs(sight.shown.media.data[look.mask].mean(0) - background).max() > 20


def test_labels_of_other_sounds_share_no_word():
    for sight in declared("audio/lens").sets["test"]:
        right, wrong = ({look.word for look in looks["en"]} for looks in (sight.words, sight.wrong["wrong-word"]))
        assert right and wrong and not right & wrong
    prompts = declared("audio/intervention").prompts
    assert {prompt.facets["kind"] for prompt in prompts} == {"mammal", "other"}
    assert all(len({prompt.facets[name] for name in ("old", "new", "same")}) == 3 for prompt in prompts)
    kinds = {prompt.facets["old"]: prompt.facets["kind"] for prompt in prompts}
    assert all(kinds[p.facets["new"]] != p.facets["kind"] == kinds[p.facets["same"]] for p in prompts)


def clips(*labels):
    sound = Media("audio", np.ones(8, np.float32), 8)
    return {
        "vggsound": SimpleNamespace(
            items=[SimpleNamespace(id=str(k), label=label, source=label, media=sound) for k, label in enumerate(labels)]
        )
    }


def test_animals_are_counted_and_not_their_labels():
    """One mammal under two labels has no other mammal beside it."""
    labels = ("dog barking", "dog growling", "crow calling", "owl hooting")
    assert find("audio/intervention").unsuited("sound", given(data=clips(*labels))).endswith("which has 1 and 2")
    prompts = declared("audio/intervention", data=clips(*labels, "lions roaring", "mouse clicking")).prompts
    assert [prompt.facets["old"] for prompt in prompts] == ["dog", "dog", "crow", "owl", "lion"]
    assert all(prompt.facets["same"] != prompt.facets["old"] for prompt in prompts)


def test_animals_are_selected_before_a_limit_is():
    """Four animals among two thousand clips are all asked about."""
    labels = [f"noise {k}" for k in range(2000)]
    for place, label in zip((3, 701, 1003, 1999), ("zebra braying", "cattle mooing", "canary calling", "penguins braying"), strict=True):
        labels[place] = label
    ask = declared("audio/intervention", data=clips(*labels))
    assert [prompt.facets["old"] for prompt in ask.prompts] == ["zebra", "cattle", "canary", "penguin"]
    assert sum(ask.left_out.values()) == 1996


def test_sounds_are_compared_with_other_labels():
    """In `paper` every sound against every label once; in `sound` several takes of each, in rounds that hold no label twice."""
    release = declared("audio/similarity", "paper")
    labels = [concept.text("en") for concept in release.every["test"]]
    assert len(set(labels)) == len(labels) == 29 and set(Counter(c.text("en") for c in release.sets["test"]).values()) == {6}
    few = declared("audio/similarity", "paper", limit=2)
    assert len(few.sets["test"]) == 2 and len(few.every["test"]) == 29
    ask = declared("audio/similarity")
    concepts = ask.sets["test"]
    takes = Counter(concept.facets[ask.cluster] for concept in concepts)
    assert ask.takes and set(takes) == set(labels) and set(takes.values()) == {3} and len({c.id for c in concepts}) == len(concepts)
    for rows in rounds_of([concept.facets[ask.cluster] for concept in concepts]).rows:
        assert len({concepts[i].text("en") for i in rows}) == len(rows)


def test_a_sound_s_negative_of_the_same_kind_has_another_label():
    ask = declared("audio/similarity")
    concepts = ask.sets["test"]
    rounds = rounds_of([concept.facets["label"] for concept in concepts])
    items, others = matched_pairs(concepts, ask.matched["same-kind"], 0, rounds)
    assert len(items) == len(concepts)
    assert all(concepts[i].text("en") != concepts[j].text("en") for i, j in zip(items, others, strict=True))
    assert {concepts[i].facets["kind"] for i in items} == {"mammal", "other animal", "no animal that is known"}


def test_takes_of_a_sound_are_drawn_together():
    """The rows of S hold every take, and those of p as many meanings as there are labels."""
    rows = perform("audio/similarity", opened("qwen2_audio"), limit=60, types=("audio", "en"), memo={}).readings
    assert {row.n for row in rows if row.measure == "adjusted_cosine" and row.control is None} == {60}
    assert {row.n for row in rows if row.measure == "p_value"} == {29}


def test_plain_images_are_shades_of_the_world_s_colors():
    sights = declared("vision/color-lens").sets[None]
    shades = Counter(sight.facets["source"] for sight in sights)
    assert set(shades.values()) == {6} and set(shades) == set(pictures.RGB) and len({sight.id for sight in sights}) == 54
    assert len({sight.shown.media.data.tobytes() for sight in sights}) == 54
    for sight in sights:
        color, pixels, said = sight.facets["source"], sight.shown.media.data, {look.word for look in sight.words["en"]}
        assert (pixels == pixels[0, 0]).all() and np.abs(pixels[0, 0] - np.array(pictures.RGB[color])).max() <= vision.SHADE
        wrong = {look.word for look in sight.wrong["wrong-word"]["en"]}
        assert said == {color} and wrong == set(pictures.RGB) - {color}
        assert ("white" in sight.wrong) == (color != "white")
        assert next(iter(sight.wrong)) == "wrong-word"  # what the overview shows beside the value: as likely by chance


def test_a_model_that_names_one_color_only_is_no_better_than_chance():
    """Whatever it is shown, it says green: the right name is spoken as often as the other names are on average, in nine colours."""
    sights = declared("vision/color-lens").sets[None]
    spoken = lambda looks: np.mean([look.word == "green" for look in looks["en"]])  # noqa: E731
    right = np.mean([spoken(sight.words) for sight in sights])
    assert right == pytest.approx(1 / 9) and np.mean([spoken(sight.wrong["wrong-word"]) for sight in sights]) == pytest.approx(right)


def test_shades_of_a_color_are_drawn_together():
    """Their interval is that of nine colours, and not of 54 images."""
    ask = declared("vision/color-lens", types=("en",))
    assert ask.lens.cluster == "source"
    values = np.repeat(np.arange(9.0), 6)
    measured = [Measured("share", values)]
    bench = Bench(opened("llava"), "vision/color-lens", "sound")
    together, apart = (bench.readings(measured, found)[0] for found in ([sight.facets["source"] for sight in ask.sets[None]], None))
    assert together.n == apart.n == 54 and together.high - together.low > 2 * (apart.high - apart.low)


def test_real_photos_and_digits_are_asked():
    if not (DATA / "coco_mini").is_dir() or not (DATA / "fsdd").is_dir():
        pytest.skip("no ../shared/data")
    seen = {"coco": read_source("coco", DATA / "coco_mini")}
    result = perform("vision/caption-lens", opened("llava"), protocol="paper", limit=4, data=seen)
    assert {row.n for row in result.readings if row.measure == "prob"} <= {1, 2, 3}  # of four, one has no noun; few share no token
    assert perform("vision/similarity", opened("llava"), protocol="paper", limit=4, data=seen).readings
    with pytest.raises(BadInput, match="panoptic"):
        perform("vision/segment-lens", opened("llava"), data=seen)
    heard = {"spoken-digits": read_source("spoken-digits", DATA / "fsdd")}
    release = declared("audio/similarity", "paper", data=heard)
    assert len(release.sets[None]) == 600 and len(release.every[None]) == 10 and not any(release.left_out[None].values())
    takes = Counter(concept.text("en") for concept in declared("audio/similarity", data=heard).sets[None])
    assert len(takes) == 10 and set(takes.values()) == {3}
    assert perform("audio/lens", opened("qwen2_audio"), protocol="paper", limit=10, data=heard).readings
    with pytest.raises(BadInput, match="two mammals"):
        perform("audio/intervention", opened("qwen2_audio"), data=heard)


def test_a_model_without_eyes_is_not_asked_what_it_sees(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert "no tower" in plan.senseless(find("vision/similarity"), str(tmp_path), {})
    assert plan.senseless(find("multilingual/similarity"), str(tmp_path), {}) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "vision_config": {"hidden_size": 8}}))
    assert plan.senseless(find("vision/similarity"), str(tmp_path), {}) is None
    assert "audio" in plan.senseless(find("audio/lens"), "here", {"here": opened("llava")})


def test_an_image_is_known_by_its_pixels():
    a, b = (concept.forms["image"].shown for concept in declared("vision/similarity", "paper", limit=2).sets["test"])
    assert a != b and hash(a) != hash(b) and isinstance(a.media, Media) and a.media != picture()

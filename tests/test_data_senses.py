"""Photos and sounds: COCO's layout and tables, VGGSound, spoken digits; what cannot be seen or heard is counted with its reason."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from semhub.data import photos
from semhub.data.animals import animals_in, is_mammal
from semhub.data.clips import heard, read_digits, read_vggsound
from semhub.data.photos import read_coco
from semhub.data.sources import read_source
from semhub.data.world import sounds
from semhub.errors import BadInput

DATA = Path(os.environ.get("SEMHUB_DATA", Path(__file__).parents[2] / "shared" / "data"))
RED, BLUE = (255, 0, 0), (0, 0, 255)


def coded(part):
    return part % 256, part // 256 % 256, part // 65536


@pytest.fixture
def coco(tmp_path):
    """Two photos of COCO's layout, one broken one, one without a file; a panoptic map of the first whose parts are no squares."""
    notes = tmp_path / "annotations"
    (notes / "panoptic_val2017").mkdir(parents=True)
    (tmp_path / "val2017").mkdir()
    for id, color in ((7, RED), (9, BLUE)):
        Image.new("RGB", (48, 32), color).save(tmp_path / "val2017" / f"{id:012}.jpg")
    (tmp_path / "val2017" / f"{11:012}.jpg").write_bytes(b"\xff\xd8\xff no image")
    map = np.zeros((32, 48, 3), np.uint8)
    map[:, :10], map[:8, 10:] = coded(70_001), coded(300)
    Image.fromarray(map).save(notes / "panoptic_val2017" / f"{7:012}.png")
    images = [{"id": id, "file_name": f"{id:012}.jpg", "license": 1} for id in (9, 7, 11, 13)]
    said = [{"id": 2, "image_id": 7, "caption": "second"}, {"id": 1, "image_id": 7, "caption": " A dog and two cats on a train. "}]
    said += [{"id": 3 + k, "image_id": id, "caption": "A boat"} for k, id in enumerate((9, 11, 13))]
    licences = [{"id": 1, "name": "Attribution License"}]
    (notes / "captions_val2017.json").write_text(json.dumps({"images": images, "annotations": said, "licenses": licences}))
    parts = [{"id": 70_001, "category_id": 1}, {"id": 300, "category_id": 2}]
    made = {
        "annotations": [{"image_id": 7, "file_name": f"{7:012}.png", "segments_info": parts}],
        "categories": [{"id": 1, "name": "train"}, {"id": 2, "name": "wall-brick"}],
    }
    (notes / "panoptic_val2017.json").write_text(json.dumps(made))
    return tmp_path


def test_coco_as_it_is_published(coco, monkeypatch):
    monkeypatch.setattr(photos, "tagger", lambda: None)
    with pytest.raises(BadInput, match="000000000013.jpg is not there"):
        read_coco(coco)
    found = read_coco(coco, skip_bad=True)
    first, second = found.items
    assert (first.id, first.caption, first.nouns) == ("7", "A dog and two cats on a train.", ("dog", "cats", "train"))
    assert first.media.data.shape == (32, 48, 3) and first.media.data[0, 0, 0] > 200 and second.media.data[0, 0, 2] > 200
    assert found.counts == {"rows": 4, "left out: the image cannot be shown": 1, "kept": 2, "with a map": 1}
    assert ["cannot be read as an image" in row.reason for row in found.skipped] == [False, True]
    assert "Attribution License (2)" in found.licence and "a list of" in found.notices[0] and len(found.hash) == 64


def test_the_parts_of_a_map_lie_where_they_are_drawn(coco):
    (train, train_mask), (wall, wall_mask) = read_coco(coco, skip_bad=True).items[0].segments
    assert (train, wall) == ("train", "wall-brick") and train_mask.shape == (32, 48)
    assert train_mask[:, :10].all() and train_mask.sum() == 320 and wall_mask[:8, 10:].all() and wall_mask.sum() == 304
    assert not train_mask[0, 31] and train_mask[31, 0]  # the mirrored mask would have it the other way about


def test_an_enormous_image_is_left_out(coco, monkeypatch):
    monkeypatch.setattr(photos, "MOST_PIXELS", 100)
    with pytest.raises(BadInput, match="48 x 32 pixels"):
        read_coco(coco, skip_bad=True)


def torn(file):
    file.write_bytes(file.read_bytes()[:60])
    return "it cannot be read"


def resized(file):
    Image.new("RGB", (48, 30)).save(file)
    return "its size is not that of its image"


@pytest.mark.parametrize("damage", (torn, resized))
def test_a_damaged_map_costs_the_map_alone(coco, damage):
    reason = damage(coco / "annotations" / "panoptic_val2017" / f"{7:012}.png")
    found = read_coco(coco, skip_bad=True)
    assert [(photo.id, photo.map, photo.segments) for photo in found.items] == [("7", None, ()), ("9", None, ())]
    assert found.counts[f"left out: the map alone ({reason})"] == 1 and (found.counts["kept"], found.counts["with a map"]) == (2, 0)
    assert f"{7:012}.png" in found.notices[1] and len(found.skipped) == 2


def test_nouns_of_a_caption_are_all_of_them_as_written(monkeypatch):
    caption = "Dogs and a Wii beside a dog's dogs."
    monkeypatch.setattr(photos, "tagger", lambda: None)
    assert photos.nouns_of(caption) == ("Dogs", "dog", "dogs")
    said = "Dogs/NOUN and/CCONJ a/DET Wii/PROPN beside/ADP a/DET dog/NOUN 's/PART dogs/NOUN ./PUNCT"
    tagged = [SimpleNamespace(text=text, pos_=kind) for text, kind in (each.split("/") for each in said.split())]
    monkeypatch.setattr(photos, "tagger", lambda: {caption: tagged}.get)
    assert photos.nouns_of(caption) == ("Dogs", "Wii", "dog", "dogs")


def test_another_picture_is_another_hash(coco):
    before = read_coco(coco, skip_bad=True).hash
    Image.new("RGB", (48, 32), (0, 9, 0)).save(coco / "val2017" / f"{9:012}.jpg")
    assert read_coco(coco, skip_bad=True).hash != before


@pytest.mark.parametrize(
    ("kind", "wanted"), [("coco", "captions_val2017.json"), ("vggsound", "vggsound.csv"), ("spoken-digits", "recordings/")]
)
def test_where_to_put_which_file_is_said(kind, wanted, tmp_path):
    with pytest.raises(BadInput, match=wanted):
        read_source(kind, tmp_path / "nothing")


def tone(rate, seconds, channels=1, kind=np.int16):
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
    scaled = (wave * np.iinfo(kind).max).astype(kind) if np.issubdtype(kind, np.integer) else wave.astype(kind)
    return scaled if channels == 1 else np.stack([scaled] * channels, 1)


@pytest.mark.parametrize("kind", (np.int16, np.int32, np.float32))
def test_a_sound_of_two_channels_becomes_one(kind, tmp_path):
    wavfile.write(tmp_path / "a.wav", 44100, tone(44100, 0.5, 2, kind))
    samples, rate = heard(tmp_path / "a.wav")
    assert (samples.shape, samples.dtype, rate) == ((22050,), np.float32, 44100)
    assert abs(samples.max() - 0.5) < 1e-3 and abs(samples.mean()) < 1e-3


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (tone(16000, 0.02), "lasts 0.020 s; sounds of 0.05 s or more are read"),
        (np.full(16000, np.nan, np.float32), "samples that are no numbers"),
    ],
)
def test_a_sound_of_two_samples_or_of_no_numbers_is_none(samples, said, tmp_path):
    wavfile.write(tmp_path / "a.wav", 16000, samples)
    with pytest.raises(BadInput, match=said):
        heard(tmp_path / "a.wav")


def test_vggsound_counts_what_cannot_be_heard(tmp_path):
    wavfile.write(tmp_path / "aa_000010.wav", 16000, tone(16000, 0.2))
    wavfile.write(tmp_path / "bb_000000.wav", 16000, np.zeros(1600, np.int16))
    wavfile.write(tmp_path / "cc_000000.wav", 16000, tone(16000, 0.2))
    (tmp_path / "cc_000000.wav").write_bytes((tmp_path / "cc_000000.wav").read_bytes()[:60])
    rows = ['aa,10,"dog barking",test', "bb,0,cat purring,test", "cc,0,cow lowing,test", "dd,3,owl hooting,test"]
    (tmp_path / "vggsound.csv").write_text("\n".join(rows) + "\n")
    found = read_vggsound(tmp_path)
    assert [(clip.id, clip.label) for clip in found.items] == [("aa_000010", "dog barking")] and found.items[0].media.rate == 16000
    assert found.counts == {"rows": 4, "left out: the sound cannot be heard": 2, "left out: its sound is not there": 1, "kept": 1}
    assert found.labels == ("dog barking", "cat purring", "cow lowing", "owl hooting")
    assert "silent" in found.skipped[0].reason and "cannot be read" in found.skipped[1].reason
    with pytest.raises(BadInput, match="needs an id"):
        (tmp_path / "vggsound.csv").write_text("aa,later,dog barking,test\n")
        read_vggsound(tmp_path)


@pytest.mark.parametrize(
    ("label", "named", "mammal"),
    [
        ("lions roaring", ["lion"], True),
        ("sea lion barking", ["sea lion"], True),
        ("donkey, ass braying", ["donkey", "ass"], True),
        ("cattle, bovinae cowbell", ["cattle"], True),
        ("ferret dooking", ["ferret"], True),
        ("mouse squeaking", ["mouse"], True),
        ("mouse clicking", [], None),
        ("geese honking", ["goose"], False),
        ("penguins braying", ["penguin"], False),
        ("black capped chickadee calling", ["chickadee"], False),
        ("bee, wasp, etc. buzzing", ["bee", "wasp"], False),
        ("dog and owl", ["dog", "owl"], None),
        ("people eating crisps", [], None),
    ],
)
def test_animals_that_a_label_names(label, named, mammal):
    assert animals_in(label) == named and is_mammal(label) is mammal


@pytest.mark.parametrize("kind", (True, False))
def test_animals_of_the_world_are_of_their_kind(kind):
    """Known, or no animal that is listed: never of the other kind."""
    for noun in (each for each in sounds.audible() if sounds.Sound(each, 0).is_animal and sounds.Sound(each, 0).is_mammal is kind):
        assert is_mammal(noun.en) in (kind, None), noun.en


def test_the_real_photos():
    if not (DATA / "coco_mini").is_dir():
        pytest.skip("no ../shared/data/coco_mini")
    found = read_source("coco", DATA / "coco_mini")
    first = found.items[0]
    assert found.counts["kept"] == found.counts["rows"] == 39 and not found.skipped and found.counts["with a map"] == 0
    assert (first.id, first.caption) == ("397133", "A man is in a kitchen making pizzas.") and first.media.data.shape == (427, 640, 3)
    assert {"man", "kitchen"} <= set(first.nouns) and sum(bool(photo.nouns) for photo in found.items) >= 36


def test_the_real_digits():
    if not (DATA / "fsdd").is_dir():
        pytest.skip("no ../shared/data/fsdd")
    found = read_digits(DATA / "fsdd")
    assert found.counts == {"rows": 600, "kept": 600} and {clip.label for clip in found.items} >= {"zero", "nine"}
    clip = next(each for each in found.items if each.id == "7_jackson_0")
    assert clip.label == "seven" and clip.source == "jackson" and clip.media.rate == 8000 and 0.2 < clip.media.seconds < 2
    assert len({each.source for each in found.items}) == 6

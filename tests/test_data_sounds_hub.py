"""Sounds by a data set's id: rows as `datasets` gives them, from folders that stand for the hub, decoded by our own readers alone."""

import io
import sys
from types import SimpleNamespace

import datasets
import numpy as np
import pyarrow.parquet
import pytest
from datasets import Audio, ClassLabel, Dataset, Features, Value, Video
from scipy.io import wavfile

from semhub.data import clips
from semhub.data.clips import DIGITS
from semhub.data.hearing import heard
from semhub.data.sources import read_source
from semhub.errors import BadInput
from semhub.tasks import find, given

TEXT = Value("string")
FIGURES = ClassLabel(names=[str(k) for k in range(10)])
ALPHABETICAL = ClassLabel(names=sorted(DIGITS))


def wav(rate=8000, seconds=0.1, channels=1, loud=0.5, pitch=440):
    wave = loud * np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate) * 32767
    held = io.BytesIO()
    wavfile.write(held, rate, np.stack([wave.astype(np.int16)] * channels, 1))
    return held.getvalue()


def sound(content=None, path=None, **changes):
    return {"bytes": wav(**changes) if content is None else content, "path": path}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in for the hub: the library itself reads `owner/name` from a folder; what is asked is kept, at which commit and how."""
    load, asked = datasets.load_dataset, []

    def load_dataset(name, config, revision, split, streaming=False):
        asked.append((name, config, revision, split, streaming))
        return load(str(tmp_path / name), config, split=split, streaming=streaming, cache_dir=str(tmp_path / "cache"))

    def dataset_info(api, name, revision=None, timeout=None):
        return SimpleNamespace(sha="c0ffee", card_data=SimpleNamespace(license="cc-by-sa-4.0"))

    def put(rows, name="owner/sounds", split="test", **types):
        """The rows as a Parquet file of the data set -> the file."""
        stored = {
            name: {"bytes": Value("binary"), "path": TEXT} if isinstance(type, Audio | Video) else type for name, type in types.items()
        }
        made = Dataset.from_list(rows, features=Features(stored))
        for column, type in types.items():
            made = made.cast_column(column, type) if isinstance(type, Audio | Video) else made
        file = tmp_path / name / "data" / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(made.data.table, file)  # `to_parquet` looks for the files that rows name
        return file

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)
    monkeypatch.setitem(sys.modules, "torchcodec", None)  # so that whatever asks for it fails here too, where it is installed
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return SimpleNamespace(put=put, asked=asked, folder=tmp_path)


# digits --------------------------------------------------------------------------------------------------------------


def spoken():
    return [
        {"audio": sound(path="7_jackson_0.wav", rate=44100, channels=2), "label": 7},
        {"audio": sound(path="0_theo_3.wav"), "label": 0},
        {"audio": sound(path="5_theo_1.wav", loud=0), "label": 5},
    ]


def test_digits_of_a_data_set_with_its_commit_its_licence_and_its_hash(hub):
    file = hub.put(spoken(), audio=Audio(), label=FIGURES)
    found = read_source("fsdd", "owner/sounds:test")
    assert hub.asked == [("owner/sounds", None, "c0ffee", "test", True)], "streamed, at the commit"
    assert [(each.id, each.label, each.source) for each in found.items] == [
        ("7_jackson_0", "seven", "jackson"),
        ("0_theo_3", "zero", "theo"),
    ]
    media = found.items[0].media
    assert (media.data.shape, media.data.dtype, media.rate) == ((4410,), np.float32, 44100), "two channels became one"
    assert abs(media.data.max() - 0.5) < 1e-3 and found.items[1].media.rate == 8000
    assert found.counts == {"rows": 3, "kept": 2, "left out: the sound cannot be heard": 1} and found.labels == DIGITS
    assert [str(row) for row in found.skipped] == ["owner/sounds:test line 3: 5_theo_1 is silent"]
    record = found.record()
    assert (record["source"], record["revision"], record["licence"]) == ("owner/sounds@c0ffee:test", "c0ffee", "cc-by-sa-4.0")
    here = read_source("fsdd", file)
    assert (here.hash, here.counts, here.revision, here.licence) == (found.hash, found.counts, None, clips.FSDD), "the same rows as a file"
    hub.put([spoken()[0], {"audio": sound(pitch=441, path="0_theo_3.wav"), "label": 0}, spoken()[2]], audio=Audio(), label=FIGURES)
    assert read_source("fsdd", "owner/sounds:test").hash != found.hash, "another sound is another hash"


@pytest.mark.parametrize(
    ("type", "label"), [(FIGURES, 8), (ALPHABETICAL, sorted(DIGITS).index("eight")), (TEXT, "8"), (TEXT, " Eight"), (Value("int64"), 8)]
)
def test_a_digit_however_it_is_written(hub, type, label):
    hub.put(
        [{"audio": sound(), "label": label, "speaker": "ann"}, {"audio": sound(), "label": label}], audio=Audio(), label=type, speaker=TEXT
    )
    found = read_source("spoken-digits", "owner/sounds")
    assert [(each.id, each.label, each.source) for each in found.items] == [("1", "eight", "ann"), ("2", "eight", "eight")]


def test_bad_rows_are_named_one_by_one_or_left_out(hub):
    rows = [spoken()[0], {"audio": sound(), "label": "ten"}, {"audio": sound(), "label": None}, {"audio": None, "label": "1"}]
    rows += [{"audio": {"bytes": None, "path": "far/2_ann_0.wav"}, "label": "2"}, {"audio": sound(b""), "label": "3"}]
    hub.put([row | {"label": str(row["label"]) if row["label"] is not None else None} for row in rows], audio=Audio(), label=TEXT)
    with pytest.raises(
        BadInput, match=r"5 bad rows in owner/sounds:test: owner/sounds:test line 2: the label is 'ten'; a digit .*--skip-bad"
    ):
        read_source("spoken-digits", "owner/sounds:test")
    found = read_source("spoken-digits", "owner/sounds:test", skip_bad=True)
    assert [each.label for each in found.items] == ["seven"] and found.counts == {"rows": 6, "kept": 1}
    assert [row.line for row in found.skipped] == [2, 3, 4, 5, 6]
    reasons = [row.reason for row in found.skipped]
    assert reasons[1].startswith("the label is missing") and reasons[2].startswith("the sound is missing (audio")
    assert reasons[3].startswith("the sound 2_ann_0 is a file apart") and "refs/convert/parquet" in reasons[3]
    assert reasons[4].startswith("the sound is missing")


def test_a_data_set_of_which_nothing_can_be_heard(hub):
    hub.put(spoken()[2:], audio=Audio(), label=FIGURES)
    with pytest.raises(BadInput, match="1 bad row in owner/sounds: owner/sounds line 1: 5_theo_1 is silent"):
        read_source("spoken-digits", "owner/sounds")


def test_several_splits_have_to_be_chosen_from(hub):
    for split in ("train", "test"):
        hub.put(spoken(), split=split, audio=Audio(), label=FIGURES)
    with pytest.raises(BadInput, match="has the splits train, test; name one: owner/sounds:train"):
        read_source("spoken-digits", "owner/sounds")


# VGGSound ------------------------------------------------------------------------------------------------------------


def test_vggsound_of_a_data_set(hub):
    mp4 = b"\x00\x00\x00\x18ftypmp42" + bytes(40)
    rows = [(sound(path="a/aa_000010.wav"), "dog barking"), (sound(wav()[:60]), "cat purring"), (sound(mp4), "owl hooting")]
    rows += [(sound(path="aa_000010.wav", pitch=500), "dog barking"), (sound(), "cow lowing")]
    hub.put(
        [{"video_id": f"v{k}", "audio": a, "labels": [said]} for k, (a, said) in enumerate(rows)],
        audio=Audio(),
        labels=[TEXT],
        video_id=TEXT,
    )
    found = read_source("vggsound", "owner/sounds:test")
    assert [(each.id, each.label, each.source) for each in found.items] == [
        ("aa_000010", "dog barking", "dog barking"),
        ("aa_000010:4", "dog barking", "dog barking"),
        ("v4", "cow lowing", "cow lowing"),
    ]
    assert found.labels == ("dog barking", "cat purring", "owl hooting", "cow lowing"), "labels of what cannot be heard are labels too"
    assert found.counts == {"rows": 5, "left out: the sound cannot be heard": 2, "kept": 3}
    assert (
        "v1 cannot be read as a sound" in found.skipped[0].reason
        and "v2 cannot be read as a sound (it is a film" in found.skipped[1].reason
    )


def test_films_are_not_decoded_and_named_as_what_they_are(hub):
    rows = [{"video": sound(b"\x00\x00\x00\x18ftypisom" + bytes(40), "aa.mp4"), "label": "dog barking"}]
    hub.put(rows + [{"video": sound(), "label": "cat meowing"}], video=Video(), label=TEXT)
    found = read_source("vggsound", "owner/sounds")
    assert [each.label for each in found.items] == ["cat meowing"]
    assert "aa cannot be read as a sound (it is a film" in found.skipped[0].reason


def test_a_class_is_known_without_a_clip_and_a_number_without_a_name_is_no_label(hub):
    names = ["cat purring", "dog barking", "owl hooting"]
    file = hub.put([{"audio": sound(), "label": k} for k in (1, 0, 1)], audio=Audio(), label=ClassLabel(names=names))
    found = read_source("vggsound", "owner/sounds")
    assert [each.label for each in found.items] == [names[1], names[0], names[1]] and found.labels == tuple(names)
    assert read_source("vggsound", file).hash == found.hash, "the names stand in the file too"
    hub.put([{"audio": sound(), "label": 1}], audio=Audio(), label=Value("int64"))
    with pytest.raises(BadInput, match="line 1: the label is 1; a name was expected"):
        read_source("vggsound", "owner/sounds")


@pytest.mark.parametrize(("kind", "most"), [("vggsound", "MOST_CLIPS"), ("spoken-digits", "MOST_DIGITS")])
def test_no_more_rows_are_fetched_than_are_read(monkeypatch, hub, kind, most):
    def endless():
        for k in range(2):
            yield {"audio": sound(path=f"{k}_ann_0.wav"), "label": str(k)}
        raise AssertionError("a third row was asked for")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: endless())
    monkeypatch.setattr(clips, most, 2)
    found = read_source(kind, "owner/sounds:test")
    assert found.counts == {"rows": 2, "kept": 2} and "only the first 2 rows of owner/sounds@c0ffee:test were fetched" in found.notices[1]


def test_the_table_that_is_published_may_be_named_itself(tmp_path):
    (tmp_path / "vggsound.csv").write_text("aa,0,dog barking,test\nbb,0,cat,test\n")
    (tmp_path / "aa_000000.wav").write_bytes(wav())
    found, folder = read_source("vggsound", tmp_path / "vggsound.csv"), read_source("vggsound", tmp_path)
    assert [each.id for each in found.items] == ["aa_000000"] and found.hash == folder.hash


def test_what_the_tasks_are_given_of_them(hub):
    labels = ["dog barking", "cat meowing", "crow calling", "owl hooting"]
    hub.put([{"audio": sound(pitch=300 + 50 * k), "label": label} for k, label in enumerate(labels)], audio=Audio(), label=TEXT)
    own = given(data={"vggsound": read_source("vggsound", "owner/sounds")})
    asked = find("audio/similarity")("paper", own)
    assert [concept.text("en") for concept in asked.every[None]] == labels
    assert len({concept.forms["audio"].media.digest for concept in asked.sets[None]}) == 4
    assert find("audio/intervention").unsuited("paper", own) is None


# what cannot be fetched or opened ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wanted"), [("vggsound", "put vggsound.csv and the clips as"), ("spoken-digits", "put the folder recordings/ of")]
)
def test_without_a_network_one_line_says_where_to_put_which_file(monkeypatch, kind, wanted):
    def unreachable(api, name, **keywords):
        raise ConnectionError("Name or service not known\nsecond line")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unreachable)
    with pytest.raises(BadInput) as refused:
        read_source(kind, "owner/sounds@main:test")
    said = str(refused.value)
    assert "hub's data set owner/sounds@main:test could not be fetched (Name or service not known). Without a network, " + wanted in said
    assert "\n" not in said


def test_a_stream_that_breaks_off_says_so_in_one_line(monkeypatch, hub):
    def broken():
        yield {"audio": sound(), "label": "1"}
        raise ConnectionError("Server Disconnected")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: broken())
    with pytest.raises(BadInput, match=r"could not be fetched \(Server Disconnected\)\. Without a network, put the folder recordings/"):
        read_source("spoken-digits", "owner/sounds:test", skip_bad=True)


def test_sounds_as_files_of_the_data_set_need_its_parquet_form(hub):
    """`datasets` opens those with torchcodec alone, whether or not they are decoded."""
    for label in ("dog barking", "cat meowing"):
        (hub.folder / "owner" / "files" / "test" / label).mkdir(parents=True)
        (hub.folder / "owner" / "files" / "test" / label / "a.wav").write_bytes(wav())
    with pytest.raises(BadInput, match=r"cannot be opened .*torchcodec.*\(owner/files@refs/convert/parquet:test\), or put vggsound\.csv"):
        read_source("vggsound", "owner/files:test")


def test_the_content_of_a_file_of_another_format():
    import soundfile

    held = io.BytesIO()
    soundfile.write(held, np.stack([0.5 * np.sin(np.arange(4410) / 9)] * 2, 1), 44100, format="FLAC")
    samples, rate = heard(held.getvalue())
    assert (samples.shape, samples.dtype, rate) == ((4410,), np.float32, 44100) and abs(samples.max() - 0.5) < 1e-3


def test_without_soundfile_another_format_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(BadInput, match="row 9 is no WAV file; other formats need soundfile"):
        heard(b"fLaC" + bytes(50), "row 9")

"""Whatever bytes a file of real data holds, its reader reads it or says in one line what is wrong with it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semhub.data.sources import READERS, read_source
from semhub.errors import BadInput

FILES = {  # kind -> the file that its reader opens, and whether it is given the folder
    "code": ("mbpp.jsonl", True),
    "formula": ("train.tsv", True),
    "coco": ("captions_val2017.json", True),
    "vggsound": ("vggsound.csv", True),
    "spoken-digits": ("7_x_0.wav", True),
    "cedict": ("cedict.txt", False),
    "wikipedia": ("zh.txt", False),
    "mc4": ("zh.jsonl", False),
    "sentiments": ("es.csv", False),
}
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3), max_leaves=5)
KEYS = st.sampled_from(["code", "text", "test_list", "task_id", "id", "image_id", "caption", "file_name", "images", "annotations", "label"])
OBJECTS = st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=3)
ANNOTATIONS = st.fixed_dictionaries({"images": OBJECTS, "annotations": OBJECTS})
SEEN = [HealthCheck.function_scoped_fixture]


def test_every_reader_is_tried():
    assert set(FILES) == set(READERS)


def opened(tmp_path, kind, content):
    name, whole = FILES[kind]
    (tmp_path / name).write_bytes(content)
    for skip_bad in (False, True):
        try:
            found = read_source(kind, tmp_path if whole else tmp_path / name, skip_bad)
            assert found.counts["kept"] and found.hash and found.licence
        except BadInput as error:
            assert str(error) and len(str(error)) < 3000


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=25, suppress_health_check=SEEN, deadline=None)
@given(noise=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_end_in_another_error(tmp_path, kind, noise):
    opened(tmp_path, kind, b"RIFF\x24\x00\x00\x00WAVEfmt " + noise if kind == "spoken-digits" else noise)


@pytest.mark.parametrize("kind", ["code", "mc4", "coco"])
@settings(max_examples=40, suppress_health_check=SEEN, deadline=None)
@given(rows=OBJECTS, said=ANNOTATIONS)
def test_no_objects_end_in_another_error(tmp_path, kind, rows, said):
    content = json.dumps(said) if kind == "coco" else "\n".join(map(json.dumps, rows))
    opened(tmp_path, kind, content.encode())

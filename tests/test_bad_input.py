"""Bad items from the command line: each is left out with its reason and counted; none ends the run, none is dropped in silence."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import semhub
from families_multimodal import built, picture
from semhub.errors import BadInput
from semhub.methods import Compare, DecodeMedia, Lens, Look, Place, Repaint, Sight, carry_out
from semhub.methods.bench import Bench
from semhub.models import senses
from semhub.types import Concept, Form, Prompt
from test_data_senses import tone
from tiny_models import saved

ROOT = Path(__file__).parents[1]


def run(folder: Path, *words) -> tuple[str, dict]:
    """What `semhub run` prints, and the spec that it leaves."""
    asked = [sys.executable, "-m", "semhub", "run", *map(str, words), "--out", str(folder / "run")]
    told = subprocess.run(asked, capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    assert told.returncode == 0 and "Traceback" not in told.stderr, told.stderr
    return " ".join((told.stdout + told.stderr).split()), json.loads((folder / "run" / "spec.json").read_text())


def extras(folder: Path) -> dict:
    (part,) = (folder / "run" / "parts").glob("*.json")
    return json.loads(part.read_text())


def twin(name: str, folder: Path) -> Path:
    """A tiny twin as a folder with its processor."""
    network, processor = built(name)
    network.save_pretrained(folder)
    with senses.without_video():
        processor.save_pretrained(folder)
    return folder


def test_a_corrupt_and_an_enormous_image(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for k, color in enumerate(("red", "blue", "green")):
        Image.new("RGB", (48, 32), color).save(photos / f"{k}.png")
    Image.new("1", (8000, 6000)).save(photos / "vast.png")
    (photos / "torn.png").write_bytes((photos / "0.png").read_bytes()[:60])
    said = {"0.png": "A dog on a red field", "1.png": "A boat", "2.png": "A bird in a tree", "vast.png": "A cat", "torn.png": "A cow"}
    (photos / "captions.jsonl").write_text("".join(json.dumps({"file": name, "caption": each}) + "\n" for name, each in said.items()))
    told, spec = run(tmp_path, "vision/caption-lens", "--model", twin("llava", tmp_path / "llava"), "--data", f"coco={photos}")
    reasons = [row["reason"] for row in spec["data"]["skipped_rows"]]
    assert spec["data"]["skipped"] == 2 and "8000 x 6000 pixels" in reasons[0] and "torn.png cannot be read as an image" in reasons[1]
    assert "Bad rows left out: 2" in told and spec["models"][0]["role"] == "mechanics"


def test_silent_truncated_and_stereo_sounds_and_a_label_without_a_token(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for name, samples in (
        ("aa", tone(44100, 0.5, 2)),
        ("bb", np.zeros(8000, np.int16)),
        ("cc", tone(44100, 0.3)),
        ("dd", tone(44100, 0.4)),
    ):
        wavfile.write(sounds / f"{name}_000000.wav", 44100, samples)
    (sounds / "cc_000000.wav").write_bytes((sounds / "cc_000000.wav").read_bytes()[:60])
    labels = {"aa": "dog", "bb": "cat", "cc": "cow", "dd": "\u00e9\u00e9", "ee": "bell"}
    wavfile.write(sounds / "ee_000000.wav", 16000, tone(16000, 0.5))
    (sounds / "vggsound.csv").write_text("".join(f"{name},0,{label},test\n" for name, label in labels.items()), encoding="utf-8")
    told, spec = run(tmp_path, "audio/lens", "--model", twin("qwen2_audio", tmp_path / "ears"), "--data", f"vggsound={sounds}")
    reasons = [row["reason"] for row in spec["data"]["skipped_rows"]]
    assert ["silent" in reason for reason in reasons] == [True, False] and "cc_000000.wav cannot be read as a sound" in reasons[1]
    assert extras(tmp_path)["items"] == {"no word of it begins with a token of its own": ["dd_000000"]}
    assert "no word that can be looked for (no token or patch of its own): 1" in told


def test_a_program_that_does_not_parse_and_forms_without_roles(tmp_path):
    programs = [{"code": "def add(first, second):\n    return first\n\nadd(1, 2)\n"}, {"code": "def broken(:\n"}]
    (tmp_path / "code.jsonl").write_text("".join(json.dumps(each) + "\n" for each in programs))
    forms = "A dog slept .\tdog ( x _ 1 ) AND sleep . agent ( x _ 2 , x _ 1 )\tx\nEmma\tEmma\tprimitive\n"
    (tmp_path / "cogs.tsv").write_text(forms)
    model = saved("gpt2", tmp_path / "tiny")
    asked = ("--model", model, "--data", f"code={tmp_path / 'code.jsonl'}", "--data", f"formula={tmp_path / 'cogs.tsv'}")
    told, spec = run(tmp_path, "code/role-lens", *asked)
    assert [(row["line"], row["reason"]) for row in spec["data"]["skipped_rows"]] == [
        (2, "the program does not parse (invalid syntax, line 1)")
    ]
    assert "Bad rows left out: 1" in told and spec["data"]["kinds"]["formula"]["counts"]["rows"] == 2
    left = [sys.executable, "-m", "semhub", "run", "semantics/role-lens", *map(str, asked), "--out", str(tmp_path / "other")]
    refused = subprocess.run(left, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    assert refused.returncode == 2 and "no place can be read" in refused.stderr and "no proper name" in refused.stderr
    assert len(refused.stderr.strip().splitlines()[-1:]) == 1 and "Traceback" not in refused.stderr


# --- what a model refuses, though the file is fine ---


@pytest.fixture(scope="module")
def narrow():
    """Qwen2-VL's processor takes no image two hundred times as wide as high."""
    return Bench(semhub.load(*built("qwen2_vl"), prove=False), "vision/test", "sound")


def forms(*sizes):
    return [Form("image", "<image>", None, picture(*size)) for size in sizes]


def test_an_image_that_the_model_cannot_take_is_left_out_of_each_procedure(narrow):
    fine, strip, other, more, last = forms((40, 60), (1, 300), (64, 32), (32, 32), (64, 64))
    words = {"en": (Look("dog"),)}
    sights = [Sight(str(k), "image", each, words) for k, each in enumerate((fine, strip, other))]
    found = carry_out(DecodeMedia(("en",), {None: sights}, "sum", Lens({None: "none"}, intervals=False)), narrow)
    (reason,) = found.extras["left_out"]
    assert found.extras["items"] == {reason: ["1"]} and "refused the image" in reason
    assert [(row.value, row.n) for row in found.readings if row.measure == "eligible"] == [(pytest.approx(2 / 3), 3)]
    concepts = [Concept(str(k), {"image": each, "en": Form("en", f"a dog {k}")}) for k, each in enumerate((fine, strip, other, more))]
    found = carry_out(Compare(("image", "en"), {None: concepts}, (Place("last"),), intervals=False), narrow)
    assert found.extras["items"] == {reason: ["1"]} and {row.n for row in found.readings if row.measure == "adjusted_cosine"} == {3}
    prompts = [Prompt(str(k), "image", "<image>", {}, each.media) for k, each in enumerate((fine, strip, other, more, last))]
    ask = Repaint(prompts, lambda p: ("red", "blue"), lambda p: "image", "en", writes=(Fraction(1, 3),), answers=("Yes", "No"))
    found = carry_out(replace(ask, target="right_share", first=lambda p: True, controls=("random-direction", "layer-0")), narrow)
    assert found.extras["items"] == {reason: ["1"]} and set(found.extras["chosen"]) == {"en>image"}
    assert len({row.item for row in found.outcomes}) == 2
    with pytest.raises(BadInput, match="can be shown none of 1 items"):
        carry_out(DecodeMedia(("en",), {None: sights[1:2]}, "sum", Lens({None: "none"})), narrow)

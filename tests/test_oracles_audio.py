"""audio/similarity of the `paper` protocol, from a folder of VGGSound on, against an independent re-computation: equal to 1e-4.

The oracle uses the processor and the network alone, one input at a time; every named mistake of it is seen.
"""

import functools

import numpy as np
import pytest
import torch
from scipy.io import wavfile

import semhub
from families_multimodal import built, noise
from oracles import audio as oracle
from semhub.data.clips import heard, read_vggsound
from semhub.errors import BadInput
from semhub.measures.similarity import against_all
from semhub.tasks import perform

TOLERANCE = 1e-4
CLIPS = {"aa": "dog barking", "bb": "red bell", "cc": "dog barking", "dd": "cat", "ee": "dog barking"}
WITHOUT = ("drum", "A red boat is on the left")  # labels of the table that no clip has
PROMPT = "USER: Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\nASSISTANT:"


@pytest.fixture
def folder(tmp_path):
    for k, name in enumerate(CLIPS):
        clip = noise(0.4 + 0.2 * k, k)
        wavfile.write(tmp_path / f"{name}_000000.wav", clip.rate, clip.data)
    missing = {f"gone{k}": label for k, label in enumerate(WITHOUT)}
    rows = [f"{name},0,{label},test" for name, label in {**CLIPS, **missing}.items()]
    (tmp_path / "vggsound.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_every_clip_against_every_label(folder):
    data = {"vggsound": read_vggsound(folder)}
    assert data["vggsound"].labels == ("dog barking", "red bell", "cat", *WITHOUT)
    found = perform("audio/similarity", semhub.load(*built("qwen2_audio"), prove=False), protocol="paper", data=data)
    rows = sorted((row for row in found.readings), key=lambda row: row.layer)
    assert {(row.measure, row.group, row.control, row.n) for row in rows} == {("adjusted_cosine", "audio-en", None, len(CLIPS))}
    clips = [(*heard(folder / f"{name}_000000.wav"), label) for name, label in CLIPS.items()]
    own = functools.partial(oracle.rectangle, *built("qwen2_audio"), PROMPT, clips, [*data["vggsound"].labels])
    far = lambda **more: np.abs(np.array([row.value for row in rows]) - own(**more)[1:]).max()  # noqa: E731
    assert len(rows) == 3 and far() < TOLERANCE
    for mutation in oracle.RECTANGLE_MUTATIONS:
        assert far(mutation=mutation) > TOLERANCE, mutation
    assert {row.item for row in found.outcomes} == {f"{name}_000000" for name in CLIPS}


def test_the_rectangle_of_its_closed_form():
    generator = torch.Generator().manual_seed(0)
    a, labels = torch.randn(7, 5, generator=generator), torch.randn(4, 5, generator=generator)
    right = [0, 3, 3, 1, 0, 0, 3]
    cosines = torch.nn.functional.normalize(a.double(), dim=-1) @ torch.nn.functional.normalize(labels.double(), dim=-1).T
    expected = [cosines[i, k] - cosines[i, [j for j in range(4) if j != k]].mean() for i, k in enumerate(right)]
    assert torch.allclose(against_all(a, labels[right], labels), torch.stack(expected))
    with pytest.raises(BadInput, match="two meanings"):
        against_all(a, labels[[0] * 7], labels[:1])

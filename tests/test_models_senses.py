"""Models that see and hear: every family read, written and continued as transformers does it; which positions are the image's."""

import functools

import numpy as np
import pytest
import torch
from PIL import Image

import semhub
from families import close
from families_multimodal import FAMILIES, built, inputs, noise, picture
from semhub import edits
from semhub.errors import BadInput, NotProved
from semhub.models import Edit, Sampling, certify, prove, senses
from semhub.models.where import resolve
from semhub.types import Form, Media

HEARING = ("qwen2_audio", "audioflamingo3", "voxtral", "qwen2_5_omni")
SEEING = [name for name in FAMILIES if name not in HEARING or name == "qwen2_5_omni"]
# what only part of a trunk's name would say of a tower: eyes, ears, what lies between them and the trunk, and books of codes
TOWER = ("vision", "visual", "image", "audio", "speech", "whisper", "encoder", "projector", "connector", "resampler", "perceiver", "vq")
IN_A_GRID = ("llava", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "qwen2_5_omni")
CODED = ("chameleon", "emu3")  # a grid of codes, each of which knows of its neighbours' pixels


@functools.cache
def opened(name):
    return semhub.load(*built(name), prove=False)


def own_answer(model, form):
    """What the network itself makes of one input, by the processor alone: its hidden states `[layer, token, dim]` and logits."""
    given = senses.processed(model, form) if not isinstance(form, str) else dict(model.tokenizer(form, return_tensors="pt"))
    given = {key: given[key] for key in given if key != "token_type_ids" or not isinstance(form, str)}
    with torch.no_grad():
        output = model.network(**given, output_hidden_states=True, use_cache=False)
    return torch.stack(output.hidden_states)[:, 0], output.logits[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_read_written_and_padded_as_it_is(name):
    model = opened(name)
    certificate = certify(model)
    assert certificate.passed, [(check.name, check.error, check.detail) for check in certificate.checks if not check.passed]
    assert certificate.checks[-1].name == "media-positions" and certificate.checks[-1].error == 0
    trunk = type(model.parts.trunk).__name__.lower()
    assert model.senses and not [part for part in TOWER if part in trunk], trunk
    assert model.parts.trunk.get_input_embeddings() is model.parts.embedding is model.network.get_input_embeddings()


@pytest.mark.parametrize("name", FAMILIES)
def test_texts_and_media_in_one_batch_are_what_transformers_reads(name):
    model = opened(name)
    for kind in model.senses:
        given = inputs(kind)
        found = model.read(given, at="last", layers=range(model.layers))
        for row, form in enumerate(given):
            assert close(found[:, row], own_answer(model, form)[0][:-1, -1]), (kind, row)
        mine = [given[0], given[2]]
        for batch in model.stream(mine, kind, layers=[1]):
            for item in (0, 1):
                states = own_answer(model, mine[item])[0][1]
                here = batch.items == item
                assert not here.any() or close(batch.states[0, here], states[batch.positions[here]])


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_written_is_what_transformers_writes(name):
    model = opened(name)
    for kind in model.senses:
        given = inputs(kind)
        rows = model.generate(given, max_new_tokens=5, sampling=Sampling(greedy=True), strengths=(1.0, 0.0))
        for form, row in zip(given, rows[::2], strict=True):
            ids = (
                dict(senses.processed(model, form))
                if not isinstance(form, str)
                else {"input_ids": torch.tensor([model.encode([form])[0].ids])}
            )
            expected = model.network.generate(**ids, max_new_tokens=5, do_sample=False)[0, ids["input_ids"].shape[1] :].tolist()
            assert list(row.ids) == expected, (kind, form)


KINDS = [(name, kind) for name in FAMILIES for kind in (("image",) if name in SEEING else ()) + (("audio",) if name in HEARING else ())]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_an_edit_at_the_media_moves_those_positions_alone(name, kind):
    model = opened(name)
    form = inputs(kind)[2]
    (encoding,) = model.encode([form])
    positions = torch.tensor(encoding.span.positions)
    before = model.stream([form], "all", layers=[1])
    before = next(before).states[0]
    push = torch.arange(1.0, 17.0)
    with model.edit(Edit(1, edits.add(push), at=kind)):
        after = next(model.stream([form], "all", layers=[1])).states[0]
    moved = (after - before).abs().amax(1) > 0
    assert moved.nonzero()[:, 0].tolist() == positions.tolist() and close(after[positions], before[positions] + push)
    assert torch.equal(next(model.stream([form], "all", layers=[1])).states[0], before)


@pytest.mark.parametrize("name", ("llava", "emu3", "qwen2_audio", "voxtral"))
def test_a_certificate_notices_positions_that_are_wrong(name, monkeypatch):
    right = senses.fed_positions
    for wrong in (lambda *given: right(*given)[:-1], lambda *given: tuple(p + 1 for p in right(*given))):
        monkeypatch.setattr(senses, "fed_positions", wrong)
        certificate = certify(opened(name))
        assert [check.name for check in certificate.checks if not check.passed] == ["media-positions"]
        with pytest.raises(NotProved, match="media-positions"):
            certificate.demand(name)


@pytest.mark.parametrize("name", SEEING)
def test_patches_are_in_order_or_said_to_be_in_none(name):
    model = opened(name)
    (encoding,) = model.encode([Form("image", "<image>", None, picture(64, 64))])
    if name in IN_A_GRID:
        rows, columns = encoding.span.grid
        assert model.patches_in_order and rows == columns and rows * columns == len(encoding.span.positions)
    elif name in CODED:
        assert encoding.span.grid is not None and model.patches_in_order
    else:
        assert encoding.span.grid is None and not model.patches_in_order
        with pytest.raises(BadInput, match="grid"):
            model.read([encoding], at="image[0,0]")


@pytest.mark.parametrize("name", (*IN_A_GRID, *CODED))
@pytest.mark.parametrize("corner", ((0, 1), (1, 0)))
def test_a_mask_falls_on_the_patches_that_it_covers(name, corner):
    """A mask of one quarter of the image covers that quarter of the patches: mirrored or turned, it would be another one."""
    model, (down, right) = opened(name), corner
    form = Form("image", "<image>", None, picture(64, 64))
    (encoding,) = model.encode([form])
    mask = np.zeros((64, 64), bool)
    mask[32 * down : 32 * down + 32, 32 * right : 32 * right + 32] = True
    covered = (senses.coverage(model, form, mask, encoding.span) > 0.5).view(encoding.span.grid)
    rows, columns = encoding.span.grid
    expected = torch.zeros(rows, columns, dtype=torch.bool)
    expected[rows // 2 * down : rows // 2 * (down + 1), columns // 2 * right : columns // 2 * (right + 1)] = True
    assert torch.equal(covered, expected) and not torch.equal(covered.T, expected)
    with pytest.raises(BadInput, match="pixels of its image"):
        senses.coverage(model, form, mask[:32], encoding.span)


def test_a_mask_takes_the_way_of_the_pixels_through_the_crop():
    """LLaVA crops the middle of a wide image: what lies outside the crop covers no patch."""
    model = opened("llava")
    form = Form("image", "<image>", None, picture(32, 64))
    span = model.encode([form])[0].span
    outside, inside = np.zeros((32, 64), bool), np.zeros((32, 64), bool)
    outside[:, :14], inside[:, 16:48] = True, True
    assert senses.coverage(model, form, outside, span).max() < 0.1 and senses.coverage(model, form, inside, span).min() > 0.9


def test_positions_of_patches_and_moments():
    (seen,) = opened("llava").encode([Form("image", "a <image> dog", None, picture())])
    p = seen.span.positions
    assert resolve("image", seen) == [(each,) for each in p] and resolve("mean:image", seen) == [p]
    assert resolve("image[1,2]", seen) == [(p[6],)] and resolve("image[0:2,3]", seen) == [(p[3],), (p[7],)]
    assert resolve("image[top]", seen) == [(each,) for each in p[:8]] and resolve("image[bottom]", seen)[0] == (p[8],)
    (heard,) = opened("qwen2_audio").encode([Form("audio", "<audio>", None, noise(1.0))])
    q = heard.span.positions  # 25 of them, 40 ms each
    assert len(q) == 25 and resolve("audio[0.4s:0.8s]", heard) == [(each,) for each in q[10:20]]
    assert resolve("audio[0.41s:0.42s]", heard) == [(q[10],)] and len(resolve("audio", heard)) == 25
    for wrong in ("image[4,0]", "image[x]", "audio", "audio[0s:1s]", "mean:dog", "image[2:1,0]"):
        with pytest.raises(BadInput):
            resolve(wrong, seen)
    for wrong in ("audio[2s:3s]", "audio[0.5s:0.2s]", "audio[1:2]", "image"):
        with pytest.raises(BadInput):
            resolve(wrong, heard)


def test_words_around_an_image_are_found():
    model = opened("llava")
    (encoding,) = model.encode([Form("image", "The dog <image> sees the cat", None, picture())])
    for word, at in (("dog", "word:dog"), ("cat", "word:cat")):
        ((position,),) = resolve(at, encoding)
        assert model.tokenizer.decode([encoding.ids[position]]).strip() == word
        assert encoding.text[slice(*encoding.offsets[position])].strip() == word


def test_media_are_equal_by_content_and_read_once():
    same, other = picture(seed=3), picture(seed=4)
    assert same == picture(seed=3) != other and len({same, picture(seed=3), other}) == 2
    assert Form("image", "", None, same).shown == Form("image", "<image>", None, picture(seed=3))
    assert noise(rate=8000) != noise(rate=16000)
    for data in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError):
            Media("image", data)


def test_a_sound_comes_at_the_rate_of_the_ear():
    """The same second at 44.1 kHz and at 16 kHz is as many positions."""
    model = opened("qwen2_audio")
    a, b = model.encode([Form("audio", "<audio>", None, noise(1.0, rate=rate)) for rate in (44100, 16000)])
    assert len(a.span.positions) == len(b.span.positions) == 25
    time = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    again = senses.resampled(Media("audio", np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32), 44100), 16000)
    assert len(again) == 16000 and np.abs(again - tone)[200:-200].max() < 1e-2


def test_a_processor_whose_call_takes_no_sound_is_done_without():
    """Voxtral: the extractor's own features, in stretches; as many placeholders as the tower fills, behind the mark that opens them."""
    model = opened("voxtral")
    for seconds, stretches in ((0.5, 1), (2.0, 1), (2.5, 2), (5.1, 3)):
        form = Form("audio", "The dog <audio> sees", None, noise(seconds))
        given, (encoding,) = senses.processed(model, form), model.encode([form])
        own = model.processor._retrieve_input_features(
            [form.media.data], 200, sampling_rate=16000, padding=True, truncation=False, pad_to_multiple_of=32000, return_tensors="pt"
        )
        assert torch.equal(given["input_features"], own) and len(own) == stretches
        found = encoding.span.positions
        assert len(found) == 25 * stretches and found == tuple(range(found[0], found[0] + len(found)))
        assert {encoding.ids[p] for p in found} == {model.tokenizer.convert_tokens_to_ids("[AUDIO]")}
        assert model.tokenizer.convert_ids_to_tokens(encoding.ids[found[0] - 1]) == "[BEGIN_AUDIO]"
        assert encoding.span.seconds == pytest.approx(2.0 * stretches)
        assert model.tokenizer.decode(encoding.ids[found[-1] + 1 :]) == " sees" and encoding.text == form.text
        with torch.no_grad():
            features = model.network.get_audio_features(own).pooler_output
        assert torch.equal(encoding.fed.embeds[list(found)], features)
    (bare,) = model.encode([Form("audio", "<audio>", None, noise())], special=False)
    assert model.tokenizer.bos_token_id not in bare.ids and len(bare) == 26


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Form("audio", "<audio>", None, noise()), "takes text and image"),
        (Form("image", "no mark", None, picture()), "exactly once"),
        (Form("image", "<image><image>", None, picture()), "exactly once"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(form, said):
    with pytest.raises(BadInput, match=said):
        opened("llava").encode([form])


def test_a_folder_is_opened_with_its_processor(tmp_path):
    for name in ("llava", "qwen2_audio", "qwen2_vl", "voxtral"):
        network, processor = built(name)
        network.save_pretrained(tmp_path / name)
        with senses.without_video():
            processor.tokenizer.save_pretrained(tmp_path / name)
            save(processor, tmp_path / name)
        model = semhub.load(tmp_path / name)
        assert model.certificate.passed and model.senses == opened(name).senses
        form = inputs(model.senses[0])[2]
        assert close(model.read([form]), opened(name).read([form]))


def save(processor, folder):
    """A processor without a part for videos cannot save that part."""
    if getattr(processor, "video_processor", True) is not None:
        processor.save_pretrained(folder)
        return
    processor.image_processor.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(processor.chat_template)
    (folder / "processor_config.json").write_text(f'{{"processor_class": "{type(processor).__name__}"}}')


def test_the_processor_sees_what_pillow_sees():
    """The tower is fed the processor's own pixels of the image given, not of its mirror image."""
    network, processor = built("llava")
    image = picture()
    given = processor(text="<image>", images=[Image.fromarray(image.data)], return_tensors="pt")
    with torch.no_grad():
        features = network.model.get_image_features(pixel_values=given["pixel_values"], vision_feature_layer=-2).pooler_output[0]
        turned = network.model.get_image_features(pixel_values=given["pixel_values"].flip(-1), vision_feature_layer=-2).pooler_output[0]
    encoding = opened("llava").encode([Form("image", "<image>", None, image)])[0]
    fed = encoding.fed.embeds[list(encoding.span.positions)]
    assert close(fed, features) and not close(fed, turned)


def test_noise_for_the_certificate_is_the_same_every_time():
    assert prove.media("image") == prove.media("image") != prove.media("image", 1)

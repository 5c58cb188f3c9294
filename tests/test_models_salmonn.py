"""SALMONN from its parts: the layout of its checkpoints, what is heard, and that only its language trunk is read and written."""

import functools
import json
import sys

import numpy as np
import pytest
import torch
import transformers as hf
from torch.nn import functional as F

import semhub
from families import close
from families_multimodal import noise
from semhub import edits
from semhub.errors import BadInput, ModelNotFound, NotUnderstood, UnsafeWeights
from semhub.models import Edit, Sampling, beats, salmonn
from semhub.runs.plan import senseless
from semhub.tasks import catalogue
from semhub.types import Form, Media
from tiny_salmonn import CFG, beats_weights, parts, trained_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return parts(tmp_path_factory.mktemp("salmonn") / "parts")


@pytest.fixture(scope="module")
def model(folder):
    return semhub.load(folder, unsafe_weights=True)


PROMPT = "USER: <audio>\nASSISTANT:"


def heard(seconds=0.8, seed=0, rate=16000, text=PROMPT):
    return Form("audio", text, None, noise(seconds, seed, rate))


def test_it_opens_with_its_certificate(model):
    assert model.certificate.passed and [check.name for check in model.certificate.checks][-1] == "media-positions"
    assert model.senses == ("audio",) and type(model.parts.trunk).__name__ == "LlamaModel" and model.layers == 3 and model.dim == 16


def test_pickles_are_opened_with_leave_alone(folder):
    with pytest.raises(UnsafeWeights, match=r"beats.pt is no safetensors file.*--unsafe-weights") as refused:
        semhub.load(folder)
    assert "\n" not in str(refused.value)


def test_a_pickle_that_holds_more_than_tensors_is_refused_even_with_leave(tmp_path):
    class Code:
        def __reduce__(self):
            return print, ("run",)

    bad = parts(tmp_path / "parts")
    torch.save({"model": Code()}, bad / "salmonn.pth")
    with pytest.raises(NotUnderstood, match="cannot be read as tensors alone"):
        semhub.load(bad, unsafe_weights=True)


def test_rewritten_in_safetensors_it_needs_no_leave_and_is_the_same(folder, model, tmp_path):
    salmonn.convert(folder, tmp_path / "new")
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["beats.safetensors", "salmonn.json", "salmonn.safetensors"]
    again = semhub.load(tmp_path / "new")
    assert again.certificate.passed and torch.equal(again.read([heard()]), model.read([heard()]))
    assert len(model.weights_hash) == 64 and again.weights_hash != model.weights_hash


def changed(weights, **changes):
    return {name: value for name, value in {**weights, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ln_audio.weight": None}, r"lacks 1 tensors of SALMONN \(such as ln_audio.weight\)"),
        ({"speech_Qformer.bert.encoder.layer.1.crossattention.self.key.bias": None}, "lacks 1 tensors.*layer.1.crossattention"),
        ({"speech_query_tokens": None}, "lacks speech_query_tokens"),
        ({"surprise.weight": torch.zeros(2)}, r"beside those of the network, 1 tensors of SALMONN \(such as surprise.weight\)"),
        ({"speech_llama_proj.weight": torch.zeros(16, 13)}, "another shape 1 tensors.*speech_llama_proj.weight"),
        ({"ln_speech.bias": "text"}, "'model' must hold tensors by name"),
    ],
)
def test_a_checkpoint_of_another_layout_is_refused_in_one_line(tmp_path, changes, said):
    bad = parts(tmp_path / "parts", trained={"model": changed(trained_weights(), **changes)})
    with pytest.raises(NotUnderstood, match=said) as refused:
        semhub.load(bad, unsafe_weights=True)
    assert "\n" not in str(refused.value)


LOST = {"encoder.layers.1.fc1.bias": None}


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (
            {"cfg": CFG, "model": changed(beats_weights(), **LOST)},
            "lacks 1 tensors of BEATs.*layers.1.fc1.bias",
        ),
        ({"cfg": CFG | {"layer_norm_first": True}, "model": beats_weights()}, "layer_norm_first=True"),
        ({"model": beats_weights()}, "needs 'cfg' and 'model'"),
        (torch.zeros(2), "holds a Tensor"),
    ],
)
def test_a_wrong_beats_is_refused_in_one_line(tmp_path, held, said):
    bad = parts(tmp_path / "parts")
    torch.save(held, bad / "beats.pt")
    with pytest.raises(NotUnderstood, match=said) as refused:
        semhub.load(bad, unsafe_weights=True)
    assert "\n" not in str(refused.value)


def test_a_wrong_salmonn_json_says_what_is_wrong(tmp_path):
    bad = parts(tmp_path / "parts")
    given = json.loads((bad / "salmonn.json").read_text())
    for written, error, said in (
        (json.dumps({key: given[key] for key in given if key != "beats"}), BadInput, "lacks beats; it names whisper"),
        (json.dumps(given | {"windows": 3}), BadInput, "knows no windows"),
        ("{", BadInput, "is no JSON"),
        (json.dumps(given | {"beats": "gone.pt"}), ModelNotFound, "names gone.pt, but there is no such file"),
        (json.dumps(given | {"whisper": "./nowhere"}), ModelNotFound, "There is no folder ./nowhere"),
    ):
        (bad / "salmonn.json").write_text(written)
        with pytest.raises(error, match=said):
            semhub.load(bad, unsafe_weights=True)


def test_without_peft_it_says_which_library_is_missing(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BadInput, match=r"need the library peft: pip install 'semhub\[peft\]'"):
        semhub.load(folder, unsafe_weights=True)


def test_it_has_ears_before_it_is_opened_and_no_untrained_twin(folder):
    assert senseless(catalogue()["audio/lens"], str(folder), {}) is None
    assert "no tower" in senseless(catalogue()["vision/color-lens"], str(folder), {})
    with pytest.raises(NotUnderstood, match="no untrained twin"):
        semhub.load(f"{folder}-untrained", unsafe_weights=True)


# --- what it is given and what it hears ---


def test_the_sound_stands_between_its_marks(model):
    form = heard(text="USER: <audio> dog\nASSISTANT:")
    (encoding,) = model.encode([form])
    left, right = (model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("USER: <Speech>", "</Speech> dog\nASSISTANT:"))
    found = encoding.span.positions
    assert encoding.ids[: found[0]] == [model.tokenizer.bos_token_id, *left] and encoding.ids[found[-1] + 1 :] == right
    assert found == tuple(range(found[0], found[0] + 5))  # 2 s are 100 frames, a window is 17 of them
    assert close(encoding.fed.embeds[found[0] :][:5], model.network.hear(*features(model, form)))
    table = model.parts.embedding.weight
    assert torch.equal(encoding.fed.embeds[: found[0]], table[encoding.ids[: found[0]]])


def features(model, form):
    given = model.processor(text=PROMPT.replace("<audio>", model.processor.audio_token), audio=[form.media.data], sampling_rate=16000)
    return given["input_features"], given["fbank"]


def test_windows_are_a_third_of_a_second_each_heard_alone(model):
    frames = torch.randn(1, 100, 20)
    found = model.network.windowed(frames)
    assert model.network.window == model.network.stride == 17 and len(found) == (100 - 17) // 17 + 1 == 5
    for k in range(5):
        alone = model.network.windowed(frames[:, 17 * k : 17 * k + 17])
        assert close(found[k : k + 1], alone)
    moved = frames.clone()
    moved[:, 40] += 1
    assert ((model.network.windowed(moved) - found).abs().amax(1) > 1e-6).nonzero()[:, 0].tolist() == [2]
    assert salmonn.Salmonn.windows_of(model.network, 3000, 2998) == 88  # of 30 s, as published


def test_the_q_former_is_bert_with_cross_attention(folder, model):
    """Against a plain computation from the tensors as they are named in the checkpoint."""
    weights = torch.load(folder / "salmonn.pth", weights_only=True)["model"]
    at = lambda name: (weights[f"speech_Qformer.bert.{name}.weight"], weights[f"speech_Qformer.bert.{name}.bias"])  # noqa: E731
    norm = lambda x, name: F.layer_norm(x, (12,), *at(name), eps=1e-12)  # noqa: E731

    def attend(name, x, y):
        q, k, v = (F.linear(z, *at(f"{name}.self.{part}")).unflatten(-1, (2, 6)) for z, part in ((x, "query"), (y, "key"), (y, "value")))
        told = torch.stack([(q[:, h] @ k[:, h].T / 6**0.5).softmax(-1) @ v[:, h] for h in range(2)], 1).flatten(1)
        return norm(x + F.linear(told, *at(f"{name}.output.dense")), f"{name}.output.LayerNorm")

    window = torch.randn(17, 20)
    x = norm(weights["speech_query_tokens"][0], "embeddings.LayerNorm")
    for k in range(2):
        layer = f"encoder.layer.{k}"
        x = attend(f"{layer}.crossattention", attend(f"{layer}.attention", x, x), window)
        inner = F.linear(F.gelu(F.linear(x, *at(f"{layer}.intermediate_query.dense"))), *at(f"{layer}.output_query.dense"))
        x = norm(x + inner, f"{layer}.output_query.LayerNorm")
    assert close(model.network.windowed(window[None]).detach(), x)


def test_adapters_are_added_to_the_language_model(folder, model):
    weights = torch.load(folder / "salmonn.pth", weights_only=True)["model"]
    plain = hf.LlamaForCausalLM.from_pretrained(folder / "vicuna")
    with torch.no_grad():
        for k, block in enumerate(plain.model.layers):
            for name in ("q_proj", "v_proj"):
                key = f"llama_model.base_model.model.model.layers.{k}.self_attn.{name}.lora_"
                up, down = weights[f"{key}B.default.weight"], weights[f"{key}A.default.weight"]
                getattr(block.self_attn, name).weight += 32 / 2 * up @ down
    texts = ["The dog sees the cat.", heard(1.5)]
    found = model.read(texts, at="last", layers=range(3))
    for row, text in enumerate(texts):
        (encoding,) = model.encode([text])
        embeds = plain.model.embed_tokens.weight[encoding.ids][None] if encoding.fed is None else encoding.fed.embeds[None]
        with torch.no_grad():
            states = plain(inputs_embeds=embeds, output_hidden_states=True).hidden_states
        assert close(found[:, row], torch.stack(states)[:-1, 0, -1])


def test_older_names_of_adapters_are_known(tmp_path, model):
    older = {name.replace(".default.weight", ".weight"): value for name, value in trained_weights().items()}
    assert set(salmonn.renamed(older, "x")) == set(salmonn.renamed(trained_weights(), "x"))


def test_batches_are_what_each_sound_is_alone(model):
    given = [heard(0.5), "The dog sees the cat.", heard(1.3, 1), heard(3.0, 2, text="a dog <audio> sees")]
    for at in ("last", "first"):
        together = model.read(given, at=at)
        assert all(close(together[:, row], model.read([form], at=at)[:, 0]) for row, form in enumerate(given))
    said = lambda forms: [row.ids for row in model.generate(forms, max_new_tokens=4, sampling=Sampling(greedy=True))]  # noqa: E731
    assert said(given) == [ids for form in given for ids in said([form])]


def test_an_edit_moves_the_positions_of_the_sound_alone(model):
    form = heard()
    (encoding,) = model.encode([form])
    before = next(model.stream([form], "all", layers=[1])).states[0]
    with model.edit(Edit(1, edits.add(torch.arange(1.0, 17.0)), at="audio")):
        after = next(model.stream([form], "all", layers=[1])).states[0]
    assert ((after - before).abs().amax(1) > 0).nonzero()[:, 0].tolist() == list(encoding.span.positions)


def test_a_short_sound_is_a_second_long_and_a_long_one_is_cut(model):
    short, second = model.encode([heard(0.2), Form("audio", PROMPT, None, padded(noise(0.2)))])
    assert torch.equal(short.fed.embeds, second.fed.embeds)
    long, whole = model.encode([heard(5.0), Form("audio", PROMPT, None, cut(noise(5.0), 2.0))])
    assert torch.equal(long.fed.embeds, whole.fed.embeds)


def padded(media):
    return Media("audio", np.pad(media.data, (0, 16000 - len(media.data))), 16000)


def cut(media, seconds):
    return Media("audio", media.data[: int(seconds * 16000)], 16000)


def test_another_rate_is_as_long(model):
    a, b = model.encode([heard(1.0, rate=44100), heard(1.0)])
    assert len(a) == len(b)


# --- BEATs ---


@functools.cache
def tiny_beats():
    torch.manual_seed(1)
    weights = beats_weights()
    return beats.load(CFG, weights, "tiny"), weights


def test_beats_is_what_its_paper_says():
    """Against loops over patches, heads and queries, from the tensors as they are named in the checkpoint."""
    network, w = tiny_beats()
    fbank = torch.randn(1, 53, 128)
    with torch.no_grad():
        found = network(fbank)[0]
    cut = [fbank[0, 16 * t : 16 * t + 16, 16 * f : 16 * f + 16] for t in range(3) for f in range(8)]
    x = torch.stack([torch.stack([(kernel[0] * patch).sum() for kernel in w["patch_embedding.weight"]]) for patch in cut])
    x = F.layer_norm(x, (10,), w["layer_norm.weight"], w["layer_norm.bias"])
    x = F.linear(x, w["post_extract_proj.weight"], w["post_extract_proj.bias"])
    g, v = w["encoder.pos_conv.0.weight_g"], w["encoder.pos_conv.0.weight_v"]
    kernel = torch.stack([g[0, 0, k] * v[:, :, k] / v[:, :, k].norm() for k in range(8)], -1)
    moved = F.conv1d(F.pad(x.T, (4, 3)), kernel, w["encoder.pos_conv.0.bias"], groups=2).T
    x = F.layer_norm(x + F.gelu(moved), (12,), w["encoder.layer_norm.weight"], w["encoder.layer_norm.bias"])
    for k in range(2):
        at = lambda name, k=k: (w[f"encoder.layers.{k}.{name}.weight"], w[f"encoder.layers.{k}.{name}.bias"])  # noqa: E731
        x = F.layer_norm(4**0.25 * x + attended(x, w, k, at), (12,), *at("self_attn_layer_norm"))
        x = F.layer_norm(4**0.25 * x + F.linear(F.gelu(F.linear(x, *at("fc1"))), *at("fc2")), (12,), *at("final_layer_norm"))
    assert found.shape == (24, 12) and network.patches_of(53) == 24 and close(found, x)


def attended(x, w, k, at):
    q, key, v = (F.linear(x, *at(f"self_attn.{name}")).view(-1, 3, 4) for name in ("q_proj", "k_proj", "v_proj"))
    table, a = w[f"encoder.layers.{k}.self_attn.relative_attention_bias.weight"], w[f"encoder.layers.{k}.self_attn.grep_a"]
    told = torch.zeros(len(x), 3, 4)
    for head in range(3):
        for i in range(len(x)):
            eight = F.linear(q[i, head], *at("self_attn.grep_linear"))
            one, two = eight[:4].sum().sigmoid(), eight[4:].sum().sigmoid()
            gate = one * (two * a[0, head, 0, 0] - 1) + 2
            scores = torch.stack([q[i, head] @ key[j, head] / 2 + gate * table[bucket(j - i), head] for j in range(len(x))])
            told[i, head] = scores.softmax(0) @ v[:, head]
    return F.linear(told.flatten(1), *at("self_attn.out_proj"))


def bucket(distance):
    """16 of them: 8 behind, 8 ahead; the first 4 of each for distances 0 to 3, the others as far as 40 by their logarithm."""
    far = abs(distance)
    place = far if far < 4 else min(7, 4 + int(np.log(np.float32(far) / 4) / np.log(40 / 4) * 4))
    return place + 8 * (distance > 0)


def test_distances_are_counted_as_in_wavlm():
    from transformers.models.wavlm.modeling_wavlm import WavLMAttention

    theirs = WavLMAttention(12, 3, num_buckets=320, max_distance=800)
    places = torch.arange(700)[None] - torch.arange(700)[:, None]
    assert torch.equal(beats.buckets(700, 320, 800), theirs._relative_positions_bucket(places))


def test_energies_are_those_of_kaldi():
    sound = noise(0.7).data
    theirs = hf.SeamlessM4TFeatureExtractor(feature_size=128, num_mel_bins=128)._extract_fbank_features(sound)
    found = beats.fbank(sound)
    assert found.shape == (68, 128) and np.abs(found.numpy() * 2 * beats.SPREAD + beats.MEAN - theirs).max() < 1e-3


def test_a_beats_without_the_odd_parts_is_built_too():
    plain = {"relative_position_embedding": False, "gru_rel_pos": False, "deep_norm": False, "embed_dim": 12}
    network = beats.Beats(beats.Settings.of(CFG | plain)).eval()
    assert network(torch.randn(1, 32, 128)).shape == (1, 16, 12) and not any("grep" in name for name in network.state_dict())

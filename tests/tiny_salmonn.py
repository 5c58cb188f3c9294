"""The parts of a SALMONN in small and at random, in files and folders laid out as the published ones are."""

import json

import torch
import transformers as hf

from families import built, configured, words_of

DIM, INNER, SPEECH, EAR = 16, 12, 8, 12
CFG = {
    "input_patch_size": 16,
    "embed_dim": 10,
    "conv_bias": False,
    "encoder_layers": 2,
    "encoder_embed_dim": EAR,
    "encoder_ffn_embed_dim": 20,
    "encoder_attention_heads": 3,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "dropout": 0.1,
    "conv_pos": 8,
    "conv_pos_groups": 2,
    "relative_position_embedding": True,
    "num_buckets": 16,
    "max_distance": 40,
    "gru_rel_pos": True,
    "finetuned_model": True,
    "predictor_class": 5,
}


def drawn(*shape, scale=0.3):
    return scale * torch.randn(*shape)


def linear(name, out, into):
    return {f"{name}.weight": drawn(out, into), f"{name}.bias": drawn(out)}


def norm(name, width):
    return {f"{name}.weight": 1 + drawn(width), f"{name}.bias": drawn(width)}


def beats_weights(cfg=CFG):
    """Names and shapes of a fine-tuned BEATs."""
    width, heads, patch = cfg["encoder_embed_dim"], cfg["encoder_attention_heads"], cfg["input_patch_size"]
    found = {"patch_embedding.weight": drawn(cfg["embed_dim"], 1, patch, patch), **norm("layer_norm", cfg["embed_dim"])}
    found |= linear("post_extract_proj", width, cfg["embed_dim"]) | norm("encoder.layer_norm", width)
    found |= {"encoder.pos_conv.0.bias": drawn(width), "encoder.pos_conv.0.weight_g": 1 + drawn(1, 1, cfg["conv_pos"])}
    found |= {"encoder.pos_conv.0.weight_v": drawn(width, width // cfg["conv_pos_groups"], cfg["conv_pos"])}
    table = drawn(cfg["num_buckets"], heads, scale=1.0)
    for k in range(cfg["encoder_layers"]):
        layer = f"encoder.layers.{k}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= linear(f"{layer}.self_attn.{name}", width, width)
        found |= {f"{layer}.self_attn.grep_a": 1 + drawn(1, heads, 1, 1), f"{layer}.self_attn.relative_attention_bias.weight": table}
        found |= linear(f"{layer}.self_attn.grep_linear", 8, width // heads)
        found |= linear(f"{layer}.fc1", cfg["encoder_ffn_embed_dim"], width) | linear(f"{layer}.fc2", width, cfg["encoder_ffn_embed_dim"])
        found |= norm(f"{layer}.self_attn_layer_norm", width) | norm(f"{layer}.final_layer_norm", width)
    return found | linear("predictor", cfg["predictor_class"], width)


def trained_weights(layers=2, lora=("q_proj", "v_proj"), rank=2):
    """Names and shapes of `salmonn_v1.pth`: what was trained, and two buffers that came along."""
    both, bert = SPEECH + EAR, "speech_Qformer.bert"
    found = {"speech_query_tokens": drawn(1, 1, INNER, scale=1.0)} | norm("ln_speech", SPEECH) | norm("ln_audio", EAR)
    found |= linear("speech_llama_proj", DIM, INNER) | norm(f"{bert}.embeddings.LayerNorm", INNER)
    found[f"{bert}.embeddings.position_ids"] = torch.arange(4)[None]
    for k in range(layers):
        layer = f"{bert}.encoder.layer.{k}"
        for name, into in (("attention", INNER), ("crossattention", both)):
            found |= linear(f"{layer}.{name}.self.query", INNER, INNER)
            found |= linear(f"{layer}.{name}.self.key", INNER, into) | linear(f"{layer}.{name}.self.value", INNER, into)
            found |= linear(f"{layer}.{name}.output.dense", INNER, INNER) | norm(f"{layer}.{name}.output.LayerNorm", INNER)
        found |= linear(f"{layer}.intermediate_query.dense", 24, INNER) | linear(f"{layer}.output_query.dense", INNER, 24)
        found |= norm(f"{layer}.output_query.LayerNorm", INNER)
    base = "llama_model.base_model.model.model.layers"
    for k in range(3):
        found[f"{base}.{k}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        for name in lora:
            out = DIM if name == "q_proj" else DIM // 2
            found[f"{base}.{k}.self_attn.{name}.lora_A.default.weight"] = drawn(rank, DIM)
            found[f"{base}.{k}.self_attn.{name}.lora_B.default.weight"] = drawn(out, rank)
    return found


def save_whisper(folder):
    sizes = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {"encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "d_model": SPEECH, "num_mel_bins": 8, "max_source_positions": 100}
    words = {"vocab_size": 20, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    network = hf.WhisperModel(hf.WhisperConfig(**sizes, **words))
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(weights + 0.3 * torch.randn_like(weights))
    network.save_pretrained(folder)
    hf.WhisperFeatureExtractor(feature_size=8, chunk_length=2).save_pretrained(folder)


def save_llama(folder):
    built(configured("llama")).save_pretrained(folder)
    words_of("llama").save_pretrained(folder)


def parts(folder, trained=None, beats=None, **recipe):
    """A folder with `salmonn.json`, whose parts lie beside it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        folder.mkdir(parents=True, exist_ok=True)
        save_whisper(folder / "whisper")
        save_llama(folder / "vicuna")
        torch.save(beats or {"cfg": CFG, "model": beats_weights()}, folder / "beats.pt")
        torch.save(trained or {"model": trained_weights()}, folder / "salmonn.pth")
    named = {"whisper": "whisper", "beats": "beats.pt", "llama": "vicuna", "checkpoint": "salmonn.pth", "qformer_heads": 2}
    (folder / "salmonn.json").write_text(json.dumps(named | recipe))
    return folder

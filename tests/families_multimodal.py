"""A tiny random-weight model of every family that sees or hears, built from configurations alone: no download, no torchvision.

Each entry builds (network, processor); processors run on Pillow and numpy, tokenizers are those of `families.py`.
"""

import functools

import numpy as np
import torch
import transformers as hf

from families import leading_space
from semhub.types import Form, Media

TEXT = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
EYE = {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = {}


def family(make):
    FAMILIES[make.__name__] = make
    return make


def words(*marks, sep=None, kind=leading_space):
    """A tokenizer of its own that knows the marks of a family as special tokens."""
    import copy

    made = copy.deepcopy(kind(bos=True))
    made.add_special_tokens({"additional_special_tokens": list(marks)} | ({"sep_token": sep} if sep else {}))
    return made


def weighted(network):
    """Weights so large that every layer, norm, bias and position makes a difference."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with torch.no_grad():
            for weights in network.parameters():
                weights.copy_(weights + 0.3 * torch.randn_like(weights) if weights.dim() == 1 else 0.3 * torch.randn_like(weights))
    return network.float().eval()


def clip_eyes(side=32):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def text_config(tokens, kind=hf.LlamaConfig, **more):
    return kind(**{**TEXT, "vocab_size": len(tokens) + 5, **more})


@family
def llava():
    tokens = words("<image>")
    eye = hf.CLIPVisionConfig(**EYE, image_size=32, patch_size=8)
    config = hf.LlavaConfig(
        vision_config=eye, text_config=text_config(tokens), image_token_id=tokens.convert_tokens_to_ids("<image>"), vision_feature_layer=-2
    )
    processor = hf.LlavaProcessor(
        clip_eyes(), tokens, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    return weighted(hf.LlavaForConditionalGeneration(config)), processor


@family
def qwen2_audio():
    tokens = words("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    ear = hf.Qwen2AudioEncoderConfig(
        num_mel_bins=8, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=20, d_model=12, max_source_positions=100
    )
    mark = tokens.convert_tokens_to_ids("<|AUDIO|>")
    config = hf.Qwen2AudioConfig(audio_config=ear, text_config=text_config(tokens, hf.Qwen2Config), audio_token_id=mark)
    hearing = hf.WhisperFeatureExtractor(feature_size=8, chunk_length=2)
    return weighted(hf.Qwen2AudioForConditionalGeneration(config)), hf.Qwen2AudioProcessor(hearing, tokens)


@family
def chameleon():
    from transformers.models.chameleon.image_processing_pil_chameleon import ChameleonImageProcessorPil

    codes = [f"IMGIMG{name}Z" for name in "ABCDEFGH"]
    tokens = words("<image>", "<racm3:break>", "<eoss>", "<reserved08706>", *codes, sep="<reserved08706>")
    eye = {
        "embed_dim": 6,
        "num_embeddings": 8,
        "latent_channels": 6,
        "resolution": 32,
        "base_channels": 32,
        "channel_multiplier": [1, 1, 1, 1],
    }
    eye |= {"num_res_blocks": 1, "attn_type": "none"}
    vocabulary = tokens.get_vocab()
    config = hf.ChameleonConfig(**TEXT, vocab_size=len(tokens), vq_config=eye, vocabulary_map=vocabulary)
    seeing = ChameleonImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return weighted(hf.ChameleonForConditionalGeneration(config)), hf.ChameleonProcessor(seeing, tokens, image_seq_length=16)


@functools.cache
def built(name):
    """(network, processor)."""
    return FAMILIES[name]()


def picture(height=40, width=60, seed=0):
    return Media("image", np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def noise(seconds=0.8, seed=0, rate=16000):
    return Media("audio", np.random.default_rng(seed).normal(0, 0.2, int(seconds * rate)).astype(np.float32), rate)


def inputs(kind):
    """Texts with media of different sizes, and a text alone between them."""
    some = {"image": [picture(40, 60), picture(64, 32, 1)], "audio": [noise(0.5), noise(1.2, 1)]}[kind]
    return [Form(kind, f"<{kind}>", None, some[0]), "The dog sees the cat.", Form(kind, f"The dog <{kind}> sees a cat", None, some[1])]

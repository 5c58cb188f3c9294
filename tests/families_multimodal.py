"""A tiny random-weight model of every family that sees or hears, built from configurations alone: no download, no torchvision.

Each entry builds (network, processor); processors run on Pillow and numpy, tokenizers are those of `families.py`.
"""

import functools

import numpy as np
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from families import finished, sentence_piece, trainer
from semhub.models.senses import without_video
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


SAID = (
    "Yes No red green blue yellow black white dog cat cow sheep horse bird snake frog bell drum boat key book",
    "The dog sees the cat. A red boat is on the left. Is this animal a mammal? Which colors are in the image?",
    "USER: What is in the image? ASSISTANT: Yes No Yes No red red green green blue blue yellow yellow",
    "rojo verde azul blanco negro barco llave perro gato vaca 狗猫牛红绿蓝黑白 rot schwarz Hund Katze Kuh",
)


@functools.cache
def speaking(bos):
    """Byte-level BPE that knows colours, animals, Yes and No."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(SAID * 4, trainer(560, pre_tokenizers.ByteLevel.alphabet()))
    return finished(raw, bos)


def words(*marks, sep=None, kind=speaking):
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


@family
def llava_next():
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    tokens = words("<image>")
    mark, pins = tokens.convert_tokens_to_ids("<image>"), [[32, 64], [64, 32], [64, 64]]
    eye = hf.CLIPVisionConfig(**EYE, image_size=32, patch_size=8)
    parts = {"vision_config": eye, "text_config": text_config(tokens), "image_grid_pinpoints": pins}
    config = hf.LlavaNextConfig(**parts, image_token_index=mark, vision_feature_layer=-2)
    seeing = LlavaNextImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_grid_pinpoints=pins)
    return weighted(hf.LlavaNextForConditionalGeneration(config)), hf.LlavaNextProcessor(
        seeing, tokens, 8, "default", num_additional_image_tokens=1
    )


@family
def llava_onevision():
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

    tokens = words("<image>", "<video>")
    mark, pins = tokens.convert_tokens_to_ids("<image>"), [[32, 64], [64, 32], [64, 64]]
    eye = hf.SiglipVisionConfig(**EYE, image_size=32, patch_size=8, vision_use_head=False)
    parts = {"vision_config": eye, "text_config": text_config(tokens, hf.Qwen2Config), "image_grid_pinpoints": pins}
    config = hf.LlavaOnevisionConfig(**parts, image_token_index=mark, video_token_index=tokens.convert_tokens_to_ids("<video>"))
    seeing = LlavaOnevisionImageProcessorPil(size={"height": 32, "width": 32}, image_grid_pinpoints=pins)
    return weighted(hf.LlavaOnevisionForConditionalGeneration(config)), hf.LlavaOnevisionProcessor(seeing, tokens, None, 16, "full")


QWEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_SAYS = """{% for m in messages %}{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif c.type == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}"""


def qwen_eyes(patch=8):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, min_pixels=32 * 32, max_pixels=96 * 96)


def qwen(tokens, **parts):
    ids = {
        name: tokens.convert_tokens_to_ids(mark) for name, mark in zip(("vision_start", "vision_end", "image", "video"), QWEN, strict=True)
    }
    return parts | {f"{name}_token_id": token for name, token in ids.items()}


TURNING = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 10000.0}


@family
def qwen2_vl():
    tokens = words(*QWEN)
    eye = {"depth": 2, "embed_dim": 16, "hidden_size": 16, "num_heads": 2, "patch_size": 8}
    text = {**TEXT, "vocab_size": len(tokens) + 5, "rope_parameters": TURNING}
    config = hf.Qwen2VLConfig(**qwen(tokens, vision_config=eye, text_config=text))
    return weighted(hf.Qwen2VLForConditionalGeneration(config)), hf.Qwen2VLProcessor(qwen_eyes(), tokens, chat_template=QWEN_SAYS)


@family
def qwen2_5_vl():
    tokens = words(*QWEN)
    eye = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 20,
        "num_heads": 2,
        "patch_size": 8,
        "window_size": 32,
        "out_hidden_size": 16,
    }
    text = {**TEXT, "vocab_size": len(tokens) + 5, "rope_parameters": TURNING}
    config = hf.Qwen2_5_VLConfig(**qwen(tokens, vision_config=eye | {"fullatt_block_indexes": [1]}, text_config=text))
    return weighted(hf.Qwen2_5_VLForConditionalGeneration(config)), hf.Qwen2_5_VLProcessor(qwen_eyes(), tokens, chat_template=QWEN_SAYS)


@family
def qwen3_vl():
    tokens = words(*QWEN)
    eye = {"depth": 3, "hidden_size": 16, "intermediate_size": 20, "num_heads": 2, "patch_size": 8, "out_hidden_size": 16}
    eye |= {"num_position_embeddings": 144, "deepstack_visual_indexes": [0, 1]}
    text = {**TEXT, "vocab_size": len(tokens) + 5, "rope_parameters": TURNING | {"mrope_interleaved": True}, "head_dim": 8}
    config = hf.Qwen3VLConfig(**qwen(tokens, vision_config=eye, text_config=text))
    return weighted(hf.Qwen3VLForConditionalGeneration(config)), hf.Qwen3VLProcessor(qwen_eyes(), tokens, chat_template=QWEN_SAYS)


@family
def gemma3():
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    tokens = words("<image_soft_token>", "<start_of_image>", "<end_of_image>", kind=sentence_piece)
    for name, mark in (("image_token", "<image_soft_token>"), ("boi_token", "<start_of_image>"), ("eoi_token", "<end_of_image>")):
        setattr(tokens, name, mark)
        setattr(tokens, f"{name}_id", tokens.convert_tokens_to_ids(mark))
    eye = {**EYE, "image_size": 64, "patch_size": 8, "vision_use_head": False}
    text = {**TEXT, "vocab_size": len(tokens) + 5, "head_dim": 8, "sliding_window": 8}
    marks = {"image_token_index": tokens.image_token_id, "boi_token_index": tokens.boi_token_id, "eoi_token_index": tokens.eoi_token_id}
    config = hf.Gemma3Config(vision_config=eye, text_config=text, mm_tokens_per_image=16, **marks)
    seeing = Gemma3ImageProcessorPil(size={"height": 64, "width": 64})
    return weighted(hf.Gemma3ForConditionalGeneration(config)), hf.Gemma3Processor(seeing, tokens, image_seq_length=16)


@family
def idefics2():
    from transformers.models.idefics2.image_processing_pil_idefics2 import Idefics2ImageProcessorPil

    tokens = words("<fake_token_around_image>", "<image>", "<end_of_utterance>")
    mark = tokens.convert_tokens_to_ids("<image>")
    look = {
        "hidden_size": 16,
        "resampler_n_latents": 5,
        "resampler_depth": 1,
        "resampler_n_heads": 2,
        "resampler_head_dim": 8,
        "num_key_value_heads": 1,
    }
    eye = {**EYE, "image_size": 32, "patch_size": 8}
    config = hf.Idefics2Config(
        image_token_id=mark, vision_config=eye, perceiver_config=look, text_config=text_config(tokens, hf.MistralConfig)
    )
    seeing = Idefics2ImageProcessorPil(do_image_splitting=False, size={"shortest_edge": 24, "longest_edge": 32})
    return weighted(hf.Idefics2ForConditionalGeneration(config)), hf.Idefics2Processor(seeing, tokens, image_seq_len=5)


@family
def idefics3():
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tiles = [f"<row_{r}_col_{c}>" for r in (1, 2, 3) for c in (1, 2, 3)]
    tokens = words("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *tiles)
    eye = {**EYE, "image_size": 32, "patch_size": 8}
    config = hf.Idefics3Config(image_token_id=tokens.convert_tokens_to_ids("<image>"), vision_config=eye, text_config=text_config(tokens))
    seeing = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    return weighted(hf.Idefics3ForConditionalGeneration(config)), hf.Idefics3Processor(seeing, tokens, image_seq_len=4)


@family
def qwen2_5_omni():
    tokens = words(*QWEN, "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    named = {"image": "<|image_pad|>", "video": "<|video_pad|>", "audio": "<|AUDIO|>", "vision_bos": QWEN[0], "vision_eos": QWEN[1]}
    for name, mark in {**named, "audio_bos": "<|audio_bos|>", "audio_eos": "<|audio_eos|>"}.items():
        setattr(tokens, f"{name}_token", mark)
        setattr(tokens, f"{name}_token_id", tokens.convert_tokens_to_ids(mark))
    eye = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 20,
        "num_heads": 2,
        "patch_size": 8,
        "window_size": 32,
        "out_hidden_size": 16,
    }
    ear = {"num_mel_bins": 8, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 20, "d_model": 12, "output_dim": 16}
    text = {**TEXT, "vocab_size": len(tokens) + 5, "rope_parameters": TURNING}
    marks = {f"{name}_token_index": getattr(tokens, f"{name}_token_id") for name in ("image", "video", "audio")}
    marks |= {"audio_start_token_id": tokens.audio_bos_token_id, "audio_end_token_id": tokens.audio_eos_token_id}
    marks |= {"vision_start_token_id": tokens.vision_bos_token_id, "vision_end_token_id": tokens.vision_eos_token_id}
    parts = {
        "vision_config": eye | {"fullatt_block_indexes": [1]},
        "audio_config": ear | {"max_source_positions": 100},
        "text_config": text,
    }
    config = hf.Qwen2_5OmniThinkerConfig(**parts, **marks)
    hearing = hf.WhisperFeatureExtractor(feature_size=8, chunk_length=2)
    processor = hf.Qwen2_5OmniProcessor(qwen_eyes(), None, hearing, tokens, chat_template=QWEN_SAYS)
    return weighted(hf.Qwen2_5OmniThinkerForConditionalGeneration(config)), processor


@family
def audioflamingo3():
    tokens = words("<sound>")
    ear = {"num_mel_bins": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20, "hidden_size": 12}
    mark = tokens.convert_tokens_to_ids("<sound>")
    parts = {
        "audio_config": ear | {"max_source_positions": 1500},
        "text_config": text_config(tokens, hf.Qwen2Config, max_position_embeddings=1024),
    }
    hearing = hf.WhisperFeatureExtractor(feature_size=8)
    processor = hf.AudioFlamingo3Processor(hearing, tokens)
    return weighted(hf.AudioFlamingo3ForConditionalGeneration(hf.AudioFlamingo3Config(**parts, audio_token_id=mark))), processor


@family
def voxtral():
    tokens = words("[AUDIO]", "[BEGIN_AUDIO]")
    ear = {"num_mel_bins": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "hidden_size": 12}
    mark = tokens.convert_tokens_to_ids("[AUDIO]")
    parts = {"audio_config": ear | {"max_source_positions": 100}, "text_config": text_config(tokens)}
    processor = hf.VoxtralProcessor(hf.WhisperFeatureExtractor(feature_size=8, chunk_length=2), tokens)
    return weighted(hf.VoxtralForConditionalGeneration(hf.VoxtralConfig(**parts, audio_token_id=mark))), processor


@family
def emu3():
    codes = [f"<|visual token {code:06}|>" for code in range(8)]
    named = {
        "image": "<image>",
        "boi": "<|image start|>",
        "eoi": "<|image end|>",
        "image_wrapper": "<|image token|>",
        "eof": "<|extra_201|>",
    }
    tokens = words(*named.values(), "<|extra_200|>", *codes)
    for name, mark in named.items():
        setattr(tokens, f"{name}_token", mark)
        setattr(tokens, f"{name}_token_id", tokens.convert_tokens_to_ids(mark))
    eye = {"codebook_size": 8, "temporal_downsample_factor": 1, "base_channels": 32, "channel_multiplier": [1, 1, 1, 1], "hidden_size": 32}
    eye |= {"num_res_blocks": 1, "attn_resolutions": []}
    text = {**TEXT, "vocab_size": len(tokens) + 5}
    config = hf.Emu3Config(vq_config=eye, text_config=text, vocabulary_map=tokens.get_vocab())
    seeing = hf.Emu3ImageProcessor(min_pixels=32 * 32, max_pixels=48 * 48)
    return weighted(hf.Emu3ForConditionalGeneration(config)), hf.Emu3Processor(seeing, tokens)


@functools.cache
def built(name):
    """(network, processor), the same whatever was drawn before: biases of convolutions begin as torch draws them."""
    with without_video(), torch.random.fork_rng():
        torch.manual_seed(0)
        return FAMILIES[name]()


def picture(height=40, width=60, seed=0):
    return Media("image", np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def noise(seconds=0.8, seed=0, rate=16000):
    return Media("audio", np.random.default_rng(seed).normal(0, 0.2, int(seconds * rate)).astype(np.float32), rate)


def inputs(kind):
    """Texts with media of different sizes, and a text alone between them."""
    some = {"image": [picture(40, 60), picture(64, 32, 1)], "audio": [noise(0.5), noise(1.2, 1)]}[kind]
    return [Form(kind, f"<{kind}>", None, some[0]), "The dog sees the cat.", Form(kind, f"The dog <{kind}> sees a cat", None, some[1])]

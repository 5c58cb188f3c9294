"""Networks that see or hear around a text model: LLaVA, Qwen2-Audio and Chameleon as `transformers` itself loads them.

The eye or ear begins at random, the language model from the weights it is given; nothing is trained here.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    ChameleonConfig,
    ChameleonForConditionalGeneration,
    ChameleonImageProcessorPil,
    ChameleonProcessor,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Config,
    WhisperFeatureExtractor,
)  # fmt: skip

from semhub.data import world
from semhub.data.world import pictures, sounds
from semhub.errors import BadRecipe, UserError
from semhub.lab import codebook
from semhub.lab.codebook import code_name, code_names
from semhub.lab.folder import need_whole, recipe_of, weights_hash
from semhub.lab.recipe import Senses, Tower
from semhub.lab.tokenizer import words as counted

SHELF = Path(__file__).parents[1] / "bundle"
IMAGE, AUDIO = "<image>", "<|AUDIO|>"
MARKS = {
    "llava": {"image_token": IMAGE},
    "qwen2-audio": {"audio_token": AUDIO, "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"},
    "chameleon": {"image_token": IMAGE, "boi_token": "<racm3:break>", "eoi_token": "<eoss>", "sep_token": "<reserved08706>"},
}
DRAWN = 240  # pictures behind a codebook
HOP, EAR_STRIDE = 160, 4  # samples per mel frame; mel frames per position that the language model reads


def text_folder(recipe: Senses, near: Path) -> Path:
    """The folder of the text model that a recipe names: one of that name in `near`, a bundled one, or a path.

    Raises BadRecipe where there is none that was grown on the world, BadInput where it is not whole.
    """
    for folder in (near / recipe.text, SHELF / recipe.text, Path(recipe.text)):
        if (folder / "recipe.json").is_file():
            theirs = recipe_of(need_whole(folder))
            if "kind" in theirs or "corpus" in theirs:
                read = theirs.get("corpus", "what it sees or hears")
                raise BadRecipe(f"{recipe.name}: text is {recipe.text!r}, grown on {read}; a text model of semhub's world is needed.")
            return folder
    raise BadRecipe(f"{recipe.name}: text is {recipe.text!r}: no bundled model and no folder that `semhub lab train` grew.")


def hash_around(recipe: Senses, near: Path) -> str | None:
    """The hash of the text model that a recipe names, None where there is none."""
    try:
        return weights_hash(text_folder(recipe, near))
    except UserError:
        return None


def built(recipe: Senses, folder: Path, texts: Iterable[str]) -> tuple[torch.nn.Module, object]:
    """(network in fp32, its processor) around the text model in `folder`; every word of `texts` becomes one token."""
    codes = code_names(recipe.tower.codes) if recipe.kind == "chameleon" else ()
    words = extended(AutoTokenizer.from_pretrained(folder), texts, MARKS[recipe.kind], codes)
    trunk = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    trunk.config._name_or_path = ""  # where it lies on this machine is nobody's business, and would be saved with the model
    _widen(trunk, AutoTokenizer.from_pretrained(folder), words)
    return {"llava": _llava, "qwen2-audio": _qwen2_audio, "chameleon": _chameleon}[recipe.kind](trunk, words, recipe.tower)


def extended(
    words: PreTrainedTokenizerFast, texts: Iterable[str], marks: dict[str, str], codes: Iterable[str] = ()
) -> PreTrainedTokenizerFast:
    """The tokenizer with every word of `texts` that it cuts added as one piece, and with the marks of a format.

    Old tokens keep their numbers; the new words are longer than any piece of theirs, so no other word is cut anew.
    """
    table = json.loads(words.backend_tokenizer.to_str())
    asked = sorted(counted(texts))
    cut = words.backend_tokenizer.encode_batch([word.replace("▁", " ") for word in asked])
    missing = [word for word, pieces in zip(asked, cut, strict=True) if len(word) > 1 and len(pieces.tokens) > 2]  # <s> counts as one
    table["model"]["vocab"] += [[word, -10.0] for word in missing]
    grown = Tokenizer.from_str(json.dumps(table))
    grown.add_special_tokens([*marks.values(), *codes])
    return PreTrainedTokenizerFast(
        tokenizer_object=grown, unk_token=words.unk_token, bos_token=words.bos_token, eos_token=words.eos_token, pad_token=words.pad_token,
        model_max_length=words.model_max_length, padding_side="left", extra_special_tokens=marks,
    )  # fmt: skip


def _widen(trunk: LlamaForCausalLM, old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast) -> None:
    """A row for each new token: the mean of what it was cut into before (of all rows, for a mark)."""
    before = trunk.get_input_embeddings().weight.detach().clone()
    trunk.resize_token_embeddings(len(new), mean_resizing=False)
    table = trunk.get_input_embeddings().weight
    with torch.no_grad():
        for number in range(len(old), len(new)):
            token = new.convert_ids_to_tokens(number)
            is_word = token.startswith("▁")
            parts = old(token.replace("▁", " ").strip(), add_special_tokens=False)["input_ids"] if is_word else range(len(old))
            table[number] = before[list(parts)].mean(dim=0)


def _llava(trunk: LlamaForCausalLM, words: PreTrainedTokenizerFast, tower: Tower):
    eye = CLIPVisionConfig(
        hidden_size=tower.width, intermediate_size=tower.inner, num_hidden_layers=tower.blocks, num_attention_heads=tower.heads,
        image_size=tower.size, patch_size=tower.patch, projection_dim=tower.width,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=eye, text_config=trunk.config, image_token_index=words.convert_tokens_to_ids(IMAGE),
        image_seq_length=(tower.size // tower.patch) ** 2, vision_feature_layer=-1, vision_feature_select_strategy="default",
        tie_word_embeddings=trunk.config.tie_word_embeddings, attn_implementation="eager",
    )  # fmt: skip
    network = LlavaForConditionalGeneration(config)
    _take_over(network, trunk)
    seen = network.model.get_image_features(_examples(tower), vision_feature_layer=-1, vision_feature_select_strategy="default")
    _as_loud_as_words(network, network.model.multi_modal_projector.linear_2, torch.stack(list(seen.pooler_output)))
    return network, LlavaProcessor(
        image_processor(tower), words, patch_size=tower.patch, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )


def positions(recipe: Senses) -> int:
    """How many positions of a row a picture or a sound takes, its marks included."""
    if recipe.kind == "qwen2-audio":
        return int(sounds.SECONDS * sounds.RATE) // HOP // EAR_STRIDE + 2
    if recipe.kind == "chameleon":
        return (recipe.tower.size // codebook.CELL) ** 2 + 2
    return (recipe.tower.size // recipe.tower.patch) ** 2


def image_processor(tower: Tower) -> CLIPImageProcessorPil:
    size = {"height": tower.size, "width": tower.size}
    return CLIPImageProcessorPil(size=size, crop_size=size, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3)


def _examples(tower: Tower) -> torch.Tensor:
    """`[image, rgb, row, column]`: drawings of the split `train`, the same ones each time."""
    rng = Random(0)
    drawn = [pictures.draw(pictures.picture(rng, "train"), seed, tower.size).pixels for seed in range(DRAWN)]
    return pixels(drawn + [pictures.draw(pictures.halves(rng, "train"), seed, tower.size).pixels for seed in range(DRAWN // 4)])


def pixels(drawn: Iterable[np.ndarray]) -> torch.Tensor:
    """`[image, rgb, row, column]`: what `image_processor` makes of drawings of its own size."""
    return (torch.from_numpy(np.stack(list(drawn))).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def _qwen2_audio(trunk: LlamaForCausalLM, words: PreTrainedTokenizerFast, tower: Tower):
    frames = int(sounds.SECONDS * sounds.RATE) // HOP
    ear = Qwen2AudioEncoderConfig(
        num_mel_bins=tower.bins, d_model=tower.width, encoder_layers=tower.blocks, encoder_attention_heads=tower.heads,
        encoder_ffn_dim=tower.inner, max_source_positions=frames // 2,
    )  # fmt: skip
    llama = trunk.config
    speech = Qwen2Config(
        vocab_size=llama.vocab_size, hidden_size=llama.hidden_size, intermediate_size=llama.intermediate_size,
        num_hidden_layers=llama.num_hidden_layers, num_attention_heads=llama.num_attention_heads,
        num_key_value_heads=llama.num_key_value_heads, max_position_embeddings=llama.max_position_embeddings,
        rms_norm_eps=llama.rms_norm_eps, rope_parameters=llama.rope_parameters, tie_word_embeddings=False,
        bos_token_id=llama.bos_token_id, eos_token_id=llama.eos_token_id, pad_token_id=llama.pad_token_id,
    )  # fmt: skip
    config = Qwen2AudioConfig(
        audio_config=ear, text_config=speech, audio_token_index=words.convert_tokens_to_ids(AUDIO), attn_implementation="eager"
    )
    network = Qwen2AudioForConditionalGeneration(config)
    _take_over(network, trunk)
    ears = WhisperFeatureExtractor(
        feature_size=tower.bins, sampling_rate=sounds.RATE, hop_length=HOP, chunk_length=int(sounds.SECONDS), n_fft=400
    )
    takes = [sounds.synthesise(sounds.sound(Random(0), "train", [noun])) for noun in sounds.audible()]
    heard = ears(takes, sampling_rate=sounds.RATE, return_tensors="pt", padding="max_length")["input_features"]
    states = network.model.multi_modal_projector(network.model.audio_tower(heard).last_hidden_state)
    _as_loud_as_words(network, network.model.multi_modal_projector.linear, states)
    return network, Qwen2AudioProcessor(ears, words)


def _chameleon(trunk: LlamaForCausalLM, words: PreTrainedTokenizerFast, tower: Tower):
    llama, codes = trunk.config, [code_name(code) for code in range(tower.codes)]
    config = ChameleonConfig(
        vocab_size=llama.vocab_size, hidden_size=llama.hidden_size, intermediate_size=llama.intermediate_size,
        num_hidden_layers=llama.num_hidden_layers, num_attention_heads=llama.num_attention_heads,
        num_key_value_heads=llama.num_key_value_heads, max_position_embeddings=llama.max_position_embeddings,
        rms_norm_eps=llama.rms_norm_eps, rope_parameters=llama.rope_parameters, tie_word_embeddings=llama.tie_word_embeddings,
        bos_token_id=llama.bos_token_id, eos_token_id=llama.eos_token_id, pad_token_id=llama.pad_token_id,
        vq_config=codebook.configuration(tower.size, tower.codes), attn_implementation="eager",
        vocabulary_map={name: words.convert_tokens_to_ids(name) for name in (IMAGE, *codes)},
    )  # fmt: skip
    network = ChameleonForConditionalGeneration(config)
    network.load_state_dict(trunk.state_dict(), strict=False)
    _scale_heads(network, trunk, words)
    codebook.fix(network.model.vqmodel, _examples(tower))
    size = {"height": tower.size, "width": tower.size}
    prepare = ChameleonImageProcessorPil(
        size=size, crop_size=size, do_center_crop=False, rescale_factor=1 / 255, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return network, ChameleonProcessor(prepare, words, image_seq_length=(tower.size // codebook.CELL) ** 2)


@torch.no_grad()
def _scale_heads(network: ChameleonForConditionalGeneration, trunk: LlamaForCausalLM, words: PreTrainedTokenizerFast) -> None:
    """Chameleon norms every head's queries and keys: give each the spread that the Llama's had on a few sentences."""
    heads, spreads = trunk.config.num_attention_heads, {}
    hooks = [
        module.register_forward_hook(
            lambda _, __, out, name=name: spreads.update({name: out.unflatten(-1, (heads, -1)).std(-1).mean((0, 1))})
        )
        for name, module in trunk.named_modules()
        if name.endswith(("q_proj", "k_proj"))
    ]
    trunk(**words(world.sentences("en", 8) + world.sentences("zh", 4), return_tensors="pt", padding=True))
    for hook in hooks:
        hook.remove()
    for name, spread in spreads.items():
        network.get_submodule(name.replace("_proj", "_norm")).weight.copy_(spread[:, None].expand(heads, -1))


@torch.no_grad()
def _as_loud_as_words(network, last: torch.nn.Linear, states: torch.Tensor) -> None:
    """Centre and scale the projector (`last` is its last layer, `states: [..., width]` what it gives now) to the length of a word's
    embedding: a random tower gives nearly the same short vector everywhere, which the blocks cannot tell from silence.
    """
    states = states.flatten(0, -2)
    middle = states.mean(dim=0)
    factor = network.get_input_embeddings().weight.norm(dim=-1).mean() / (states - middle).norm(dim=-1).mean()
    last.weight.mul_(factor)
    last.bias.sub_(middle).mul_(factor)


def _take_over(network, trunk: LlamaForCausalLM) -> None:
    """The language model's weights are the trunk's; biases that a Llama has not got are zero."""
    theirs = trunk.model.state_dict()
    mine = network.model.language_model.state_dict()
    mine.update({name: torch.zeros_like(weight) for name, weight in mine.items() if name.endswith("bias")})
    network.model.language_model.load_state_dict(mine | theirs)
    with torch.no_grad():
        network.lm_head.weight.copy_(trunk.get_output_embeddings().weight)

"""Tiny random-weight models of every family that semhub opens, and tokenizers of every kind that changes an answer.

`FAMILIES` says by name where each family keeps its parts: semhub must find the same without the names.
"""

import functools
from dataclasses import dataclass

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = (
    "The dog sees the cat. The cat sees two dogs, and a house is red. This represents the dog.",
    "El perro ve el gato. La casa es roja. Esto representa el perro.",
    "狗看见猫。 这代表了狗。 房子是红色的。",
    "Der Hund sieht die Katze. five equals three plus two 5=3+2 7=3+4 seven",
)
TEXTS = [
    "The dog sees the cat, and the cat sees two dogs.",
    "dog",
    "El perro ve el gato. Esto representa el perro.",
    "狗看见猫。",
    "Der Hund sieht die Katze; a dog.",
    "5=3+2",
    "The 🐕 saw a façade.",
]


@functools.cache
def leading_space(bos: bool = False):
    """Byte-level BPE, as GPT-2, Llama-3 and Qwen: a word's token holds the space before it."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(CORPUS * 3, trainer(360, pre_tokenizers.ByteLevel.alphabet()))
    return finished(raw, bos)


@functools.cache
def sentence_piece(bos: bool = True):
    """As Llama-2 and Gemma: a mark stands for the space, unknown characters fall back to bytes."""
    raw = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    latin = [text for text in CORPUS if text.isascii()]
    raw.train_from_iterator(latin * 3, trainer(460, [], ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]))
    return finished(raw, bos)


@functools.cache
def bare_words(bos: bool = False):
    """Words stand alone: no token knows of spaces."""
    raw = Tokenizer(models.WordLevel(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=["<s>", "</s>", "<pad>", "<unk>"], show_progress=False))
    return finished(raw, bos)


def trainer(size: int, alphabet: list[str], extra: list[str] = ()):
    special = ["<s>", "</s>", "<pad>", *extra]
    return trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False)


def finished(raw: Tokenizer, bos: bool):
    """Bytes are no special tokens, though the trainer was told so to keep them whole."""
    raw = Tokenizer.from_str(without_special_bytes(raw.to_str()))
    if bos:
        raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", raw.token_to_id("<s>"))])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def without_special_bytes(described: str) -> str:
    import json

    settings = json.loads(described)
    settings["added_tokens"] = [token for token in settings["added_tokens"] if not token["content"].startswith("<0x")]
    return json.dumps(settings)


@dataclass(frozen=True)
class Family:
    """`config` and its settings; where blocks, norm and what follows it are; which tokenizer such a model has."""

    config: str
    settings: dict
    blocks: str
    norm: str | None
    tail: tuple[str, ...] = ()
    words: object = leading_space
    bos: bool = False


LIKE_LLAMA = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
}
LIKE_GPT2 = {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 128}
LIKE_NEOX = {key: value for key, value in LIKE_LLAMA.items() if key != "num_key_value_heads"}
LIKE_OPT = {"hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 128}
LIKE_BLOOM = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
NARROW = {**LIKE_OPT, "word_embed_proj_dim": 8}


def llama(config: str, words=leading_space, bos: bool = False, **settings) -> Family:
    return Family(config, {**LIKE_LLAMA, **settings}, "model.layers", "model.norm", words=words, bos=bos)


FAMILIES = {
    "llama": llama("LlamaConfig", sentence_piece, True),
    "qwen2": llama("Qwen2Config"),
    "qwen3": llama("Qwen3Config", head_dim=8),
    "mistral": llama("MistralConfig", sentence_piece, True),
    "mixtral": llama("MixtralConfig", leading_space, True, num_local_experts=4),
    "gemma": llama("GemmaConfig", sentence_piece, True, head_dim=8),
    "gemma2": llama("Gemma2Config", sentence_piece, True, head_dim=8, final_logit_softcapping=3.0, sliding_window=6),
    "gemma3": llama("Gemma3TextConfig", sentence_piece, True, head_dim=8, sliding_window=6),
    "phi3": llama("Phi3Config", sentence_piece, True),
    "cohere": llama("CohereConfig", leading_space, True, eos_token_id=1),
    "granite": llama("GraniteConfig", logits_scaling=3.0, embedding_multiplier=2.0),
    "olmo": llama("OlmoConfig", eos_token_id=1),
    "olmo2": llama("Olmo2Config", eos_token_id=1),
    "gpt2": Family("GPT2Config", LIKE_GPT2, "transformer.h", "transformer.ln_f"),
    "gptj": Family("GPTJConfig", {**LIKE_GPT2, "rotary_dim": 4}, "transformer.h", "transformer.ln_f", words=bare_words),
    "neox": Family("GPTNeoXConfig", LIKE_NEOX, "gpt_neox.layers", "gpt_neox.final_layer_norm"),
    "bloom": Family("BloomConfig", LIKE_BLOOM, "transformer.h", "transformer.ln_f"),
    "opt": Family("OPTConfig", {**LIKE_OPT, "word_embed_proj_dim": 16}, "model.decoder.layers", "model.decoder.final_layer_norm", bos=True),
    "opt-narrow": Family(
        "OPTConfig", NARROW, "model.decoder.layers", "model.decoder.final_layer_norm", ("model.decoder.project_out",), bos=True
    ),
    "opt-post-norm": Family(
        "OPTConfig", {**NARROW, "do_layer_norm_before": False}, "model.decoder.layers", None, ("model.decoder.project_out",), bos=True
    ),
    "phi": Family("PhiConfig", LIKE_NEOX, "model.layers", "model.final_layernorm"),
    "falcon": Family("FalconConfig", LIKE_BLOOM, "transformer.h", "transformer.ln_f"),
    "falcon-alibi": Family("FalconConfig", {**LIKE_BLOOM, "alibi": True}, "transformer.h", "transformer.ln_f"),
    "mpt": Family("MptConfig", {"d_model": 16, "n_heads": 2, "n_layers": 3}, "transformer.blocks", "transformer.norm_f"),
}


def words_of(name: str):
    family = FAMILIES[name]
    return family.words(bos=family.bos)


def configured(name: str, **changes):
    """The configuration of a family; the vocabulary has a few more rows than the tokenizer, as many have."""
    family = FAMILIES[name]
    settings = {"vocab_size": len(words_of(name)) + 5, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, **family.settings}
    return getattr(transformers, family.config)(**{**settings, **changes})


def built(config):
    """A network with weights so large that every layer, norm, bias and position makes a difference."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        with torch.no_grad():
            for weights in network.parameters():
                weights.copy_(weights + 0.3 * torch.randn_like(weights) if weights.dim() == 1 else 0.3 * torch.randn_like(weights))
    return network


@functools.cache
def network_of(name: str):
    return built(configured(name))


@functools.cache
def plain_states(name: str, text: str, special: bool = True) -> torch.Tensor:
    """[layer, token, dim] of one text alone, the plainest way: transformers' own hidden states, and what the last block puts out."""
    network, raw = network_of(name), []
    ids = torch.tensor([words_of(name)(text, add_special_tokens=special)["input_ids"]])
    last = network.get_submodule(FAMILIES[name].blocks)[-1]
    handle = last.register_forward_hook(lambda block, args, output: raw.append(output if torch.is_tensor(output) else output[0]))
    with torch.no_grad():
        output = network(ids, output_hidden_states=True, use_cache=False)
    handle.remove()
    return torch.stack([*output.hidden_states[:-1], raw[0]])[:, 0]


@functools.cache
def plain_logits(name: str, text: str) -> torch.Tensor:
    """[token, vocab] of one text alone."""
    with torch.no_grad():
        return network_of(name)(torch.tensor([words_of(name)(text)["input_ids"]]), use_cache=False).logits[0]


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-4) -> bool:
    """Whether every vector `[..., dim]` lies within a share of its length of the one expected."""
    gap, length = (found - expected).norm(dim=-1), expected.norm(dim=-1)
    return found.shape == expected.shape and bool((gap <= tolerance * length).all())


def token(text: str) -> AddedToken:
    return AddedToken(text, normalized=False)

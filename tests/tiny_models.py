"""Random-weight models of several families, a few thousand numbers each, with a byte-level tokenizer trained on the spot."""

import functools

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = (
    "The dog sees the cat. This represents the dog. Good Bad Bueno Malo two one three equals plus times",
    "one five equals to four plus three equals to one plus two six seven eight nine ten twenty thirty forty fifty times two",
    "El perro ve el gato. Todo el texto siguiente está en español. El hotel es bueno.",
    "这代表了狗。狗看见猫。 接下来的文字全部是中文的。 好 坏 这家酒店很好。",
    "and dog cat house red or water , . 0 1 2 3 4 5 6 7 8 9 + = *",
)


@functools.cache
def tokenizer(vocab=600, bos=True):
    """Byte-level BPE: digits stand alone, leading spaces are part of a word, `bos` begins every text where asked for."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<pad>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        TEXTS * 3, trainers.BpeTrainer(vocab_size=vocab, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    if bos:
        raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


SMALL = {"num_hidden_layers": 4, "hidden_size": 32, "num_attention_heads": 4}
FAMILIES = {
    "llama": ("LlamaConfig", {**SMALL, "intermediate_size": 48, "num_key_value_heads": 2}, True),
    "gpt2": ("GPT2Config", {"n_layer": 4, "n_embd": 32, "n_head": 4, "n_positions": 256}, False),
    "gemma2": (
        "Gemma2Config",
        {**SMALL, "intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8, "final_logit_softcapping": 5.0},
        True,
    ),
    "neox": ("GPTNeoXConfig", {**SMALL, "intermediate_size": 48}, False),
    "qwen2": ("Qwen2Config", {**SMALL, "intermediate_size": 48, "num_key_value_heads": 2}, False),
    "bloom": ("BloomConfig", {"n_layer": 4, "hidden_size": 32, "n_head": 4}, False),
}


@functools.cache
def tiny(family, seed=0):
    """(network, tokenizer) with weights large enough that every layer, norm and position makes a difference."""
    config, options, bos = FAMILIES[family]
    words = tokenizer(bos=bos)
    settings = getattr(transformers, config)(vocab_size=len(words), bos_token_id=0, eos_token_id=1, pad_token_id=2, **options)
    settings._attn_implementation = "eager"
    torch.manual_seed(seed)
    network = transformers.AutoModelForCausalLM.from_config(settings).float().eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(weights.clone() + 0.3 * torch.randn_like(weights) if weights.dim() == 1 else 0.25 * torch.randn_like(weights))
    return network, words


def saved(family, folder):
    """The same as an ordinary Hugging Face folder."""
    network, words = tiny(family)
    network.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder

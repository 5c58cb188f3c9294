"""The tiny families with a tokenizer of another kind: one that knows the words of the paper's experiments.

`families.py` has the networks; here every number word, suffix and steering word is one or a few tokens.
"""

import functools
import json

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from families import FAMILIES, built, configured, finished, trainer

TEXTS = (
    "The dog sees the cat. This represents the dog. Good Bad Bueno Malo two one three equals plus times",
    "one five equals to four plus three equals to one plus two six seven eight nine ten twenty thirty forty fifty times two",
    "El perro ve el gato. Todo el texto siguiente está en español. El hotel es bueno.",
    "这代表了狗。狗看见猫。 接下来的文字全部是中文的。 好 坏 这家酒店很好。",
    "狗。猫。看见。酒店。狗。猫。看见。酒店。狗。猫。看见。酒店。",
    "and dog cat house red or water , . 0 1 2 3 4 5 6 7 8 9 + = *",
)


@functools.cache
def tokenizer(bos=True):
    """Byte-level BPE: digits stand alone, leading spaces are part of a word, `bos` begins every text where asked for."""
    raw = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    raw.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(TEXTS * 3, trainer(640, pre_tokenizers.ByteLevel.alphabet()))
    return finished(raw, bos)


@functools.cache
def tiny(family) -> tuple[transformers.PreTrainedModel, transformers.PreTrainedTokenizerFast]:
    """(network, tokenizer)."""
    words = tokenizer(FAMILIES[family].bos)
    return built(configured(family, vocab_size=len(words))), words


def saved(family, folder):
    """The same as an ordinary Hugging Face folder, marked as what it is."""
    network, words = tiny(family)
    network.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"semhub_role": "mechanics"}))
    words.save_pretrained(folder)
    return folder

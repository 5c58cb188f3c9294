"""A tiny random-weight Llama whose tokenizer was trained on the world's own sentences, as the bundled model's is."""

import functools

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import semhub.models
from families import built, configured, finished, trainer
from semhub.data import world


@functools.cache
def tokenizer(size=2000):
    raw = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    raw.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    raw.decoder = decoders.ByteLevel()
    texts = [text for type in world.LANGUAGES for text in world.sentences(type, 600)]
    texts += [cloze.prompt for cloze in world.questions(40)] + [c.text("en") for c in world.sums("+")[::8]] + ["the dog and the cat"] * 50
    raw.train_from_iterator(texts, trainer(size, pre_tokenizers.ByteLevel.alphabet()))
    return finished(raw, True)


@functools.cache
def worldly():
    words = tokenizer()
    return semhub.models.load((built(configured("llama", vocab_size=len(words), max_position_embeddings=512)), words))

"""Tasks 14 to 18, 20 and 21 as PROTOCOL.md states them: prompts, layers, coefficients, and means over items.

One input is read and moved as `senses` says; what stands here is what a task declares. Layers are 1..L, the last of them
`hidden_states[-1]`. A word whose first token is a bare space says nothing of the word and is left out.
"""

import torch
import transformers

from . import senses

SIMILARITY_PROMPTS = {"image": "<image>", "question": "What is in the image?\n<image>"}
COLORS_PROMPT = "<image>\nWhich colors are in the image? The colors are"
SOUND = "Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>"  # what a sound is to the processor of Qwen2-Audio
SOUND_PROMPT = f"USER: {SOUND}\nASSISTANT:"
MAMMAL_PROMPT = f"USER: {SOUND}\nIs this animal a mammal?\nASSISTANT:"
MAMMAL_LAYER, COEFFICIENTS = 14, tuple(float(k) for k in range(10, 101, 10))  # of 40 blocks

ADDED_SPOKEN = "added-tokens-spoken"  # shows in Chameleon alone
SIMILARITY_MUTATIONS = (*senses.SIMILARITY_MUTATIONS, "wrong-prompt")
COLOR_MUTATIONS = (*senses.SHARE_MUTATIONS, "wrong-prompt", "spaced-word-alone", "another-color")
CAPTION_MUTATIONS = (*senses.SUM_MUTATIONS, "wrong-prompt", ADDED_SPOKEN)
UNRELATED_MUTATIONS = (*senses.SUM_MUTATIONS, "wrong-prompt", "not-rescaled", ADDED_SPOKEN)
SEGMENT_MUTATIONS = (*senses.PATCH_MUTATIONS, "norm-everywhere", "wrong-prompt", ADDED_SPOKEN)
REPAINT_MUTATIONS = (*senses.REPAINT_MUTATIONS, "wrong-prompt", "never-replaced")
SOUND_MUTATIONS = (*senses.READER_MUTATIONS, "all-positions", "mean-of-probabilities", "norm-everywhere", "wrong-prompt")
ADD_MUTATIONS = (*senses.ADD_MUTATIONS, "layer-after", "wrong-prompt", "wrong-coefficient", "replaced", "every-later-layer")


def never_of(processor, mutation=None):
    """What Chameleon never speaks: every added token, those of images among them."""
    if mutation == ADDED_SPOKEN or not isinstance(processor, transformers.ChameleonProcessor):
        return ()
    tokenizer = processor.tokenizer
    return {*tokenizer.get_added_vocab().values(), *(id for token, id in tokenizer.get_vocab().items() if token.startswith("IMGIMG"))}


def says_something(processor, word):
    return processor.tokenizer.convert_ids_to_tokens(senses.first(processor.tokenizer, word)) not in ("\u2581", "\u0120", " ")


def sayable(processor, words):
    return [word for word in words if says_something(processor, word)]


def over_items(rows):
    """`[layer]` of each item -> their mean, without layer 0 and without items that have no value."""
    return torch.tensor([row for row in rows if row is not None]).double().mean(0)[1:]


# 14


def similarity(network, processor, images, captions, place, mutation=None):
    """`[layer]` S_l of the images, behind the prompt of that place, against their captions."""
    prompt = SIMILARITY_PROMPTS[place]
    if mutation == "wrong-prompt":
        prompt = next(other for name, other in SIMILARITY_PROMPTS.items() if name != place)
    media = [(image, None) for image in images]
    return senses.similarity(network, processor, [prompt] * len(images), captions, media, mutation)[1:]


# 15


def color_lens(network, processor, images, colors, mutation=None):
    """`[layer]` the share of positions that speak the colour's word: `images`, and for each the word to look for."""
    mark, never = processor.image_token_id, never_of(processor, mutation)
    colors = [*colors[1:], colors[0]] if mutation == "another-color" else colors
    look = lambda image, word: senses.color_share(network, processor, mark, image, word, never, mutation)  # noqa: E731
    return over_items(map(look, images, colors))


# 16


def caption_lens(network, processor, images, nouns, looked_for=None, mutation=None):
    """`[layer]` of the nouns, or of those `looked_for` instead, which count as if there were as many as there are nouns."""
    found, mark, never = [], processor.image_token_id, never_of(processor, mutation)
    for image, own, others in zip(images, nouns, looked_for or nouns, strict=True):
        own, others = sayable(processor, own), sayable(processor, others)
        many = len(others) if mutation == "not-rescaled" else len(own)
        value = senses.caption_sum(network, processor, mark, image, others, many, never, mutation) if own and others else None
        found.append(value)
    return over_items(found)


# 17


def segment_lens(network, processor, images, labels, grid, mutation=None):
    """`[layer]`, `labels`: of each image (word, mask) of what it shows."""
    found, mark, never = [], processor.image_token_id, never_of(processor, mutation)
    for image, parts in zip(images, labels, strict=True):
        mine = [(word, mask) for word, mask in parts if says_something(processor, word)]
        mine = [(word, mask) for word, mask in mine if senses.patches(mask, *grid, mutation).any()]
        found.append(senses.segment_mean(network, processor, mark, image, mine, grid, never, mutation) if mine else None)
    return over_items(found)


# 18


def recolored(network, processor, image, half, new, old, layer, mutation=None):
    """What is answered, greedily in 32 tokens, while U[new] - U[old] stands for half of the image from `layer` up; layer 0: unmoved."""
    prompt = "<image>\nThe colors are" if mutation == "wrong-prompt" else COLORS_PROMPT
    start = layer or len(senses.decoder(network)) + 1
    start = len(senses.decoder(network)) + 1 if mutation == "never-replaced" else start
    mark = processor.image_token_id
    ids = senses.repainted(network, processor, mark, prompt, image, half, new, old, start, 32, mutation if layer else None)
    end = network.config.get_text_config().eos_token_id
    return processor.tokenizer.decode(ids[: ids.index(end)] if end in ids else ids, skip_special_tokens=True)


def names(said, color):
    return float(color in said.lower())


# 20


def sound_lens(network, processor, sounds, rate, labels, mutation=None):
    """`[layer]`, `labels`: of each sound the words to look for."""
    found, mark = [], processor.audio_token_id
    prompt = SOUND if mutation == "wrong-prompt" else SOUND_PROMPT
    for samples, words in zip(sounds, labels, strict=True):
        words = sayable(processor, words)
        found.append(senses.sound_mean(network, processor, mark, prompt, samples, rate, words, mutation) if words else None)
    return over_items(found)


# 21


def tellable(processor, new, old):
    """Whether the two animals begin with tokens of their own, and with different ones."""
    pair = [senses.first(processor.tokenizer, word) for word in (new, old)]
    return len(sayable(processor, (new, old))) == 2 and pair[0] != pair[1]


def is_mammal(network, processor, samples, rate, new, old, coefficient, mutation=None):
    """p(Yes) / (p(Yes) + p(No)) while coefficient x (U[new] - U[old]) is added where the sound stands."""
    prompt = SOUND_PROMPT if mutation == "wrong-prompt" else MAMMAL_PROMPT
    layer = MAMMAL_LAYER + (mutation == "layer-after")
    coefficient = coefficient + 10 if mutation == "wrong-coefficient" else coefficient
    mark = processor.audio_token_id
    return senses.yes_share(network, processor, mark, prompt, samples, rate, new, old, layer, coefficient, ("Yes", "No"), mutation)

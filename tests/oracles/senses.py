"""Tasks 14 to 21: images and sounds, one input at a time, by the processor and the network alone."""

import torch

from . import plain

READER_MUTATIONS = ("layer-off-by-one", "missing-norm")
SIMILARITY_MUTATIONS = (*READER_MUTATIONS, "diagonal-in-baseline", "position-off-by-one", "mirrored-image")
SHARE_MUTATIONS = (*READER_MUTATIONS, "all-positions", "norm-everywhere")
SUM_MUTATIONS = (*READER_MUTATIONS, "all-positions", "mean-over-words", "log-mean", "norm-everywhere", "mirrored-image")
PATCH_MUTATIONS = (
    *READER_MUTATIONS,
    "mirrored-mask",
    "flipped-mask",
    "whole-image",
    "mean-over-patches",
    "sum-over-labels",
    "less-than-half",
)
SOUND_MUTATIONS = (*READER_MUTATIONS, "all-positions", "mean-of-probabilities", "first-word-alone", "norm-everywhere")
REPAINT_MUTATIONS = ("layer-off-by-one", "one-layer", "other-half", "old-minus-new", "added", "after-prompt-too")
ADD_MUTATIONS = ("layer-off-by-one", "last-position", "old-minus-new", "no-strength", "both-words-swapped")


def given(processor, text, media, rate=None):
    """The processor's tensors of one input; `media` is a PIL image, or samples with their rate."""
    if media is None:
        return dict(processor.tokenizer(text, return_tensors="pt"))
    if rate is None:
        return dict(processor(text=text, images=[media], return_tensors="pt"))
    return dict(processor(text=text, audio=[media], sampling_rate=rate, return_tensors="pt"))


@torch.no_grad()
def points(network, inputs, mutation=None):
    """[layer, token, dim], the last of them `hidden_states[-1]`."""
    inputs = {name: value for name, value in inputs.items() if name != "token_type_ids"}
    caught = []
    last = decoder(network)[-1].register_forward_hook(lambda block, args, out: caught.append(plain.hidden_of(out)[0].float()))
    hidden = network(**inputs, output_hidden_states=True, use_cache=False).hidden_states
    last.remove()
    states = torch.stack([state[0].float() for state in hidden])
    if mutation == "layer-off-by-one":
        return torch.cat([states[:1], states[:-1]])
    return torch.cat([states[:-1], caught[0][None]]) if mutation == "missing-norm" else states


def decoder(network):
    """The blocks of the language model: the list of modules that is called `layers` beside the final norm."""
    return next(part.layers for part in network.modules() if hasattr(part, "layers") and hasattr(part, "norm"))


def final_norm(network):
    return next(part.norm for part in network.modules() if hasattr(part, "layers") and hasattr(part, "norm"))


def similarity(network, processor, prompts, captions, media, mutation=None):
    """[layer] S_l of images (or sounds) against captions, last positions."""
    left, right = [], []
    place = -2 if mutation == "position-off-by-one" else -1
    for prompt, caption, (what, rate) in zip(prompts, captions, media, strict=True):
        what = what.transpose(0) if mutation == "mirrored-image" else what
        left.append(points(network, given(processor, prompt, what, rate), mutation)[:, place])
        right.append(points(network, given(processor, caption, None), mutation)[:, -1])
    a, b = (torch.nn.functional.normalize(torch.stack(side, 1), dim=-1) for side in (left, right))
    found = []
    for x, y in zip(a, b, strict=True):
        table = x @ y.T
        off = table if mutation == "diagonal-in-baseline" else table[~torch.eye(len(table), dtype=torch.bool)]
        found.append(float(table.diagonal().mean() - off.mean()))
    return found


@torch.no_grad()
def logprobs(network, inputs, never=(), mutation=None):
    """[layer, token, vocab], raw but for the last point; words of `never` cannot be spoken."""
    states = points(network, inputs, mutation)
    if mutation == "norm-everywhere":
        states = torch.cat([final_norm(network)(states[:-1]), states[-1:]])
    logits = network.get_output_embeddings()(states).float()
    if len(never):
        logits[..., torch.tensor(sorted(never))] = -torch.inf
    return torch.log_softmax(logits, -1)


def fed(inputs, mark, mutation=None):
    """Positions that hold the placeholder."""
    ids = inputs["input_ids"][0]
    return torch.arange(len(ids)) if mutation == "all-positions" else (ids == mark).nonzero()[:, 0]


def first(tokenizer, word, space=" "):
    """The first token of a word in running text."""
    before = plain.encode(tokenizer, "a", special=False)
    return plain.encode(tokenizer, "a" + space + word, special=False)[len(before)]


def alone(processor, mutation=None):
    """The prompt that is an image and nothing else."""
    return ("What is in the image?\n" if mutation == "wrong-prompt" else "") + processor.image_token


def color_share(network, processor, mark, image, word, never=(), mutation=None):
    """[layer] the share of image positions whose likeliest word is `word`, with or without a space."""
    inputs = given(processor, alone(processor, mutation), image)
    spoken = logprobs(network, inputs, never, mutation)[:, fed(inputs, mark, mutation)].argmax(-1)
    ids = torch.tensor([first(processor.tokenizer, word, space) for space in ([" "] if mutation == "spaced-word-alone" else [" ", ""])])
    return torch.isin(spoken, ids).double().mean(1).tolist()


def caption_sum(network, processor, mark, image, words, as_many_as=None, never=(), mutation=None):
    """[layer] the mean probability of each word over the image, summed over words, rescaled to `as_many_as` words."""
    image = image.transpose(0) if mutation == "mirrored-image" else image
    inputs = given(processor, alone(processor, mutation), image)
    table = logprobs(network, inputs, never, mutation)[:, fed(inputs, mark, mutation)].double()
    ids = [first(processor.tokenizer, word) for word in words]
    each = table[..., ids].mean(1).exp() if mutation == "log-mean" else table[..., ids].exp().mean(1)
    found = each.mean(1) if mutation == "mean-over-words" else each.sum(1)
    return (found * ((as_many_as or len(words)) / len(words))).tolist()


def patches(mask, rows, columns, mutation=None):
    """[patch] bool, row by row: those that the mask covers by more than half; the image must divide into the patches."""
    mask = torch.as_tensor(mask)
    mask = {"mirrored-mask": mask.T, "flipped-mask": mask.flip(1)}.get(mutation, mask)
    high, wide = mask.shape[0] // rows, mask.shape[1] // columns
    share = mask.double().view(rows, high, columns, wide).mean((1, 3)).flatten()
    return share > (0.05 if mutation == "less-than-half" else 0.5)


def segment_mean(network, processor, mark, image, labels, grid, never=(), mutation=None):
    """[layer] exp of the mean log p(label) over the label's patches, mean over labels [(word, mask)]."""
    inputs = given(processor, alone(processor, mutation), image)
    table = logprobs(network, inputs, never, mutation)[:, fed(inputs, mark)].double()
    found = []
    for word, mask in labels:
        here = patches(mask, *grid, mutation)
        if here.any():
            logs = (table if mutation == "whole-image" else table[:, here])[..., first(processor.tokenizer, word)]
            found.append(logs.exp().mean(1) if mutation == "mean-over-patches" else logs.mean(1).exp())
    found = torch.stack(found)
    return (found.sum(0) if mutation == "sum-over-labels" else found.mean(0)).tolist()


def sound_mean(network, processor, mark, prompt, samples, rate, words, mutation=None):
    """[layer] exp of the mean log p(first token) over the positions of the sound and the words."""
    inputs = given(processor, prompt, samples, rate)
    words = words[:1] if mutation == "first-word-alone" else words
    logs = logprobs(network, inputs, (), mutation)[:, fed(inputs, mark, mutation)][..., [first(processor.tokenizer, w) for w in words]]
    found = logs.double().exp().mean((1, 2)) if mutation == "mean-of-probabilities" else logs.double().mean((1, 2)).exp()
    return found.tolist()


def written(network, positions, vector, layers, replace):
    """Hooks on blocks: `vector` in place of (or added to) the states of `positions`; what takes them off."""

    def after(block, args, out):
        hidden = plain.hidden_of(out).clone()
        hidden[0, positions] = vector if replace else hidden[0, positions] + vector
        return (hidden, *out[1:]) if isinstance(out, tuple) else hidden

    return [decoder(network)[layer - 1].register_forward_hook(after) for layer in layers]


@torch.no_grad()
def repainted(network, processor, mark, prompt, image, half, new, old, layer, tokens, mutation=None, answers=None):
    """Ids written greedily while U[new]-U[old] stands for one half of the image in the blocks from `layer` up; no cache.

    With `answers`, p(first) / (p(first) + p(second)) of the first token instead.
    """
    inputs = given(processor, prompt, image)
    places = fed(inputs, mark)
    top = (half == "top") != (mutation == "other-half")
    places = places[: len(places) // 2] if top else places[len(places) // 2 :]
    rows = network.get_output_embeddings().weight
    vector = rows[first(processor.tokenizer, new)] - rows[first(processor.tokenizer, old)]
    vector = -vector if mutation == "old-minus-new" else vector
    depth = len(decoder(network))
    layer = layer - 1 if mutation == "layer-off-by-one" else layer
    layers = [layer] if mutation == "one-layer" else range(max(1, layer), depth + 1)
    length, ids = inputs["input_ids"].shape[1], []
    for _ in range(tokens):
        here = places
        if mutation == "after-prompt-too":
            here = torch.cat([places, torch.arange(length, length + len(ids))])
        handles = written(network, here, vector, layers, mutation != "added")
        logits = network(**inputs, use_cache=False).logits[0, -1]
        for handle in handles:
            handle.remove()
        if answers:
            p = logits.double().softmax(-1)[[first(processor.tokenizer, word) for word in answers]]
            return float(p[0] / p.sum())
        ids.append(int(logits.argmax()))
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([ids[-1:]])], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    return ids


@torch.no_grad()
def yes_share(network, processor, mark, prompt, samples, rate, new, old, layer, strength, answers, mutation=None):
    """p(first) / (p(first) + p(second)) with strength x (U[new]-U[old]) added at the sound's positions after one block."""
    inputs = given(processor, prompt, samples, rate)
    places = torch.tensor([inputs["input_ids"].shape[1] - 1]) if mutation == "last-position" else fed(inputs, mark)
    rows = network.get_output_embeddings().weight
    vector = rows[first(processor.tokenizer, new)] - rows[first(processor.tokenizer, old)]
    vector = vector * {"old-minus-new": -strength, "no-strength": 1.0}.get(mutation, strength)
    layer = layer - (mutation == "layer-off-by-one")
    layers = range(layer, len(decoder(network)) + 1) if mutation == "every-later-layer" else [layer]
    handles = written(network, places, vector, layers, mutation == "replaced")
    logits = network(**inputs, use_cache=False).logits[0, -1].double()
    for handle in handles:
        handle.remove()
    pair = [first(processor.tokenizer, word) for word in answers]
    pair = pair[::-1] if mutation == "both-words-swapped" else pair
    p = logits.softmax(-1)[pair]
    return float(p[0] / p.sum())

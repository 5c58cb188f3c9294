"""Patching, one pair of prompts at a time: a state caught in one pass is put into another, and the next token's log-probabilities read.

Serves the exchange of concepts (multilingual/patching) and the patchscope, which differ in prompts and places alone.
"""

from contextlib import contextmanager

import torch

from . import plain

MUTATIONS = ("read-one-lower", "written-one-lower", "added", "every-position", "position-off-by-one", "every-later-layer", "base-two")


@torch.no_grad()
def state(network, tokenizer, text, layer, position=-1):
    """[dim]: the raw output of block `layer` (0: what enters block 1) at one token."""
    ids = plain.encode(tokenizer, text)
    pick = plain.raw_last(network, ids) if layer == network.config.num_hidden_layers else plain.points(network, ids)[layer]
    return pick[position]


@contextmanager
def put(network, layer, positions, vector, add=False):
    """While open, `vector` stands at `positions` of the output of block `layer` (0: of what enters block 1)."""

    def changed(hidden):
        hidden = hidden.clone()
        for position in positions:
            hidden[0, position] = vector + (hidden[0, position] if add else 0.0)
        return hidden

    def after(block, given, out):
        return (changed(out[0]), *out[1:]) if isinstance(out, tuple) else changed(out)

    parts = plain.blocks(network)
    if layer == 0:
        handle = parts[0].register_forward_pre_hook(lambda block, given: (changed(given[0]), *given[1:]))
    else:
        handle = parts[layer - 1].register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


def answers(network, tokenizer, sources, target, read, written, words, place=-1, mutation=None, source_place=-1):
    """[word] log p of each word's first token after `target`, the mean of the sources' states at layer `read` put at layer `written`.

    `words` are ids. `place` counts tokens from the end.
    """
    read = read - 1 if mutation == "read-one-lower" else read
    written = written - 1 if mutation == "written-one-lower" else written
    vector = torch.stack([state(network, tokenizer, text, read, source_place) for text in sources]).mean(0)
    ids = plain.encode(tokenizer, target)
    at = len(ids) + place - (mutation == "position-off-by-one")
    positions = range(len(ids)) if mutation == "every-position" else [at]
    layers = range(written, network.config.num_hidden_layers + 1) if mutation == "every-later-layer" else [written]
    logits = under(network, layers, positions, vector, ids, mutation == "added")
    found = torch.log_softmax(logits, -1)[list(words)]
    return found / torch.log(torch.tensor(2.0)) if mutation == "base-two" else found


def under(network, layers, positions, vector, ids, add):
    layers = list(layers)
    if not layers:
        return plain.next_logits(network, ids)
    with put(network, layers[0], positions, vector, add):
        return under(network, layers[1:], positions, vector, ids, add)

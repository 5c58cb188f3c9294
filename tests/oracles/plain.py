"""What every oracle needs: one text through one network, and a hook on one block. Knows no batch and no padding."""

from contextlib import contextmanager

import torch


def encode(tokenizer, text, special=True):
    """Token ids, special tokens as `tokenizer(text)` gives them (or none)."""
    return list(tokenizer(text, add_special_tokens=special)["input_ids"])


def blocks(network):
    """The decoder blocks: the first list of modules that is as long as the configuration says."""
    depth = network.config.num_hidden_layers
    return next(part for part in network.modules() if isinstance(part, torch.nn.ModuleList) and len(part) == depth)


@torch.no_grad()
def points(network, ids):
    """[layer, token, dim] with layer 0..L: raw after the embeddings and blocks 1..L-1, and `hidden_states[-1]` last."""
    hidden = network(torch.tensor([ids]), output_hidden_states=True, use_cache=False).hidden_states
    return torch.stack([state[0].float() for state in hidden])


@torch.no_grad()
def raw_last(network, ids):
    """[token, dim]: what the last block puts out, before any final norm."""
    caught = []
    handle = blocks(network)[-1].register_forward_hook(lambda block, given, out: caught.append(hidden_of(out)[0].float()))
    try:
        network(torch.tensor([ids]), use_cache=False)
    finally:
        handle.remove()
    return caught[0]


def hidden_of(out):
    return out[0] if isinstance(out, tuple) else out


@contextmanager
def added(network, layer, positions, vectors):
    """While open, `vectors[k]` is added to `positions[k]` of the output of block `layer` (0: to what enters block 1)."""

    def shifted(hidden):
        hidden = hidden.clone()
        for position, vector in zip(positions, vectors, strict=True):
            hidden[0, position] += vector
        return hidden

    def after(block, given, out):
        return (shifted(out[0]), *out[1:]) if isinstance(out, tuple) else shifted(out)

    def before(block, given):
        return (shifted(given[0]), *given[1:])

    parts = blocks(network)
    handle = parts[0].register_forward_pre_hook(before) if layer == 0 else parts[layer - 1].register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def next_logits(network, ids):
    """[vocab]: the model's own logits after the last token."""
    return network(torch.tensor([ids]), use_cache=False).logits[0, -1].float()


def layer_points(network, ids, mutation=None):
    """`points`, with the mistakes that any reader of layers can make: `layer-off-by-one` and `missing-norm`."""
    states = points(network, ids)
    if mutation == "layer-off-by-one":
        states = torch.cat([states[:1], states[:-1]])
    if mutation == "missing-norm":
        states = torch.cat([states[:-1], raw_last(network, ids)[None]])
    return states


def filled(ids, mutation=None, filler=0):
    """The ids with a filler that no mask hides: `padded-position` has it at the end, where it is read, `unmasked-padding` in front."""
    return {"padded-position": [*ids, filler], "unmasked-padding": [filler, *ids]}.get(mutation, ids)


def last_points(network, tokenizer, text, mutation=None):
    """[layer, dim] at the last token."""
    ids = encode(tokenizer, text, special=mutation != "no-special-tokens")
    return layer_points(network, filled(ids, mutation), mutation)[:, 0 if mutation == "first-token" else -1]

"""Task 4, multilingual/steering: a difference of word states added to the prompt's first positions, then sampling.

Nothing is cached: each step runs the whole text again with the addition at the same places, which is what a prompt-only edit means.
"""

import torch

from . import plain

MUTATIONS = (
    "layer-off-by-one",
    "read-layer-off-by-one",
    "last-positions",
    "every-position",
    "padded-on-the-left",
    "cut-to-the-shorter",
    "reversed",
    "unscaled",
    "penalty-left-out",
    "penalty-of-output-only",
    "penalty-before-temperature",
)
SAMPLING_MUTATIONS = (
    "penalty-left-out",
    "penalty-of-output-only",
    "penalty-before-temperature",
    "penalty-after-top-p",
    "presence-penalty",
    "one-too-few",
)


def adjusted_logits(logits, prompt, output, temperature=1.0, penalty=0.0, mutation=None):
    """[vocab] logits / temperature - penalty x (times the token occurs in prompt and output)."""
    counted = list(output) if mutation == "penalty-of-output-only" else list(prompt) + list(output)
    counts = torch.zeros_like(logits)
    for token in counted:
        counts[token] = 1 if mutation == "presence-penalty" else counts[token] + 1
    if mutation == "penalty-left-out":
        return logits / temperature
    if mutation == "penalty-before-temperature":
        return (logits - penalty * counts) / temperature
    return logits / temperature - penalty * counts


def nucleus(logits, top_p, mutation=None):
    """The smallest set of most probable tokens whose mass reaches `top_p`; at least one token."""
    probability, order = torch.softmax(logits.double(), dim=-1).sort(descending=True)
    kept, mass = [], 0.0
    for value, token in zip(probability.tolist(), order.tolist(), strict=True):
        if kept and mass >= top_p:
            break
        kept.append(token)
        mass += value
    return kept[:-1] if mutation == "one-too-few" and len(kept) > 1 else kept


def next_distribution(logits, prompt, output, temperature=1.0, top_p=1.0, penalty=0.0, mutation=None):
    """[vocab] probabilities of the next token: temperature, then penalty, then nucleus, renormalised."""
    adjusted = adjusted_logits(logits, prompt, output, temperature, penalty, mutation)
    seen = logits / temperature if mutation == "penalty-after-top-p" else adjusted
    kept = nucleus(seen, top_p, mutation)
    masked = torch.full_like(adjusted, float("-inf"))
    masked[kept] = adjusted[kept]
    return torch.softmax(masked.double(), dim=-1)


def padded_ids(tokenizer, positive, negative, mutation=None):
    """Ids of both words, spaces appended to the shorter until both have the same number of tokens."""
    a, b = plain.encode(tokenizer, positive), plain.encode(tokenizer, negative)
    if mutation == "cut-to-the-shorter":
        size = min(len(a), len(b))
        return a[:size], b[:size]
    space = plain.encode(tokenizer, " ", special=False)[:1]
    start = 1 if a[0] == tokenizer.bos_token_id else 0
    put = (lambda ids, n: ids[:start] + space * n + ids[start:]) if mutation == "padded-on-the-left" else (lambda ids, n: ids + space * n)
    size = max(len(a), len(b))
    return put(a, size - len(a)), put(b, size - len(b))


def difference(network, tokenizer, positive, negative, layer, mutation=None):
    """[token, dim]: states of the positive word minus states of the negative one, position by position, at one layer."""
    a, b = padded_ids(tokenizer, positive, negative, mutation)
    layer = layer - 1 if mutation == "read-layer-off-by-one" else layer
    pick = plain.raw_last if layer == network.config.num_hidden_layers else (lambda net, ids: plain.points(net, ids)[layer])
    vectors = pick(network, a) - pick(network, b)
    return -vectors if mutation == "reversed" else vectors


def places_of(prompt, length, count, mutation=None):
    if mutation == "last-positions":
        return list(range(len(prompt) - count, len(prompt)))
    return list(range(length)) if mutation == "every-position" else list(range(count))


def steered_logits(network, prompt, output, layer, vectors, mutation=None):
    """[vocab] next logits while `vectors` lie on the prompt's first positions at `layer`."""
    layer = layer - 1 if mutation == "layer-off-by-one" else layer
    ids = list(prompt) + list(output)
    places = places_of(prompt, len(ids), len(vectors), mutation)
    spread = [vectors[min(k, len(vectors) - 1)] for k in range(len(places))]
    with plain.added(network, layer, places, spread):
        return plain.next_logits(network, ids)


def drawn(distribution, uniform):
    """The first token, in the order of ids, at which the running sum of probabilities passes `uniform`."""
    running = 0.0
    for token, value in enumerate(distribution.tolist()):
        running += value
        if running > uniform:
            return token
    return int(distribution.nonzero()[-1, 0])


def steer(network, tokenizer, text, words, layer, coefficient, uniforms, temperature=1.0, top_p=0.3, penalty=1.0, mutation=None):
    """Ids of a sampled continuation, one token per number in `uniforms`; `words` are (toward, away)."""
    vectors = difference(network, tokenizer, *words, layer, mutation) * (1.0 if mutation == "unscaled" else coefficient)
    prompt, output = plain.encode(tokenizer, text), []
    for uniform in uniforms:
        logits = steered_logits(network, prompt, output, layer, vectors, mutation)
        output.append(drawn(next_distribution(logits, prompt, output, temperature, top_p, penalty, mutation), uniform))
        if output[-1] == tokenizer.eos_token_id:
            break
    return output

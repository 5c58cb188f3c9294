"""Task 1, multilingual/similarity: S_l over last tokens, with the suffix rule; every pair of texts compared by a loop."""

import torch

from .plain import last_points

MUTATIONS = (
    "layer-off-by-one",
    "missing-norm",
    "padded-position",
    "unmasked-padding",
    "first-token",
    "no-special-tokens",
    "diagonal-in-baseline",
    "no-suffix",
    "suffix-after-space",
    "suffix-everywhere",
    "dot-product",
)


def suffixed(text, type, mutation=None):
    """The text with "这代表了" or "This represents" appended where its full stop asks for it, without a space."""
    if mutation == "no-suffix":
        return text
    joint = " " if mutation == "suffix-after-space" else ""
    everywhere = mutation == "suffix-everywhere"
    if type == "zh" and (everywhere or text.endswith("。")):
        return text + joint + "这代表了"
    if type == "en" and (everywhere or text.endswith(".") or text.endswith('."')):
        return text + joint + "This represents"
    return text


def cosine(a, b, mutation=None):
    dot = float(torch.dot(a, b))
    return dot if mutation == "dot-product" else dot / float(a.norm() * b.norm())


def adjusted_cosine(a, b, mutation=None):
    """mean_i cos(a_i, b_i) - mean over i != j of cos(a_i, b_j)."""
    n = len(a)
    matched = [cosine(a[i], b[i], mutation) for i in range(n)]
    keep = (lambda i, j: True) if mutation == "diagonal-in-baseline" else (lambda i, j: i != j)
    unmatched = [cosine(a[i], b[j], mutation) for i in range(n) for j in range(n) if keep(i, j)]
    return sum(matched) / len(matched) - sum(unmatched) / len(unmatched)


def similarity(network, tokenizer, left, right, types, mutation=None):
    """S_l for layers 0..L (the last of them after the final norm) of `left[i]`, of type types[0], with `right[i]`."""
    a = [last_points(network, tokenizer, suffixed(text, types[0], mutation), mutation) for text in left]
    b = [last_points(network, tokenizer, suffixed(text, types[1], mutation), mutation) for text in right]
    return [adjusted_cosine([x[k] for x in a], [y[k] for y in b], mutation) for k in range(len(a[0]))]

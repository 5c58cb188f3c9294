"""Task 7, arithmetic/trajectory: mean path of the items through the plane of the raw unembedding rows of two families of words.

The written procedure leaves the signs of the two axes open; here an axis points where its largest entry is positive.
"""

import numpy as np

from . import plain
from .lens import one_token

MUTATIONS = (
    "layer-off-by-one",
    "missing-norm",
    "padded-position",
    "unmasked-padding",
    "scored-over-items",
    "sample-deviation",
    "unscored",
    "rows-of-unit-length",
    "centre-left-out",
)


def rows_of(network, tokenizer, words):
    """[word, dim]: raw unembedding rows of those words that are one token."""
    ids = [one_token(tokenizer, word) for word in words]
    weights = network.get_output_embeddings().weight.detach().double().numpy()
    return weights[[token for token in ids if token is not None]]


def plane(rows, mutation=None):
    """(mean row, [2, dim] the two leading eigenvectors of the covariance)."""
    if mutation == "rows-of-unit-length":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centre = rows.mean(0)
    values, vectors = np.linalg.eigh(np.cov((rows - centre).T))
    axes = vectors[:, np.argsort(values)[::-1][:2]].T
    signs = [np.sign(axis[np.abs(axis).argmax()]) for axis in axes]
    return (0.0 * centre if mutation == "centre-left-out" else centre), axes * np.array(signs)[:, None]


def scored(states, mutation=None):
    """`states: [item, layer, dim]`, each item z-scored per dimension over its own layers."""
    if mutation == "unscored":
        return states
    axis = 0 if mutation == "scored-over-items" else 1
    spread = states.std(axis, keepdims=True, ddof=int(mutation == "sample-deviation"))
    return (states - states.mean(axis, keepdims=True)) / np.where(spread > 0, spread, 1.0)


def trajectory(network, tokenizer, prompts, words, mutation=None):
    """[axis, layer 0..L]: the mean place of the items."""
    centre, axes = plane(rows_of(network, tokenizer, words), mutation)
    states = np.stack([plain.last_points(network, tokenizer, prompt, mutation).double().numpy() for prompt in prompts])
    return ((scored(states, mutation) - centre) @ axes.T).mean(0).T.tolist()

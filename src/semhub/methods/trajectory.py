"""The procedure of `Trajectory`: the way of a state through the layers, drawn in the plane of two families of words.

The plane is PCA(2) of the words' raw unembedding rows; each item's states are z-scored per dimension over its own layers.
Rows: `pc1`, `pc2` (mean place of the items per layer) and, with `floor`, `near_<type>`: the share of items nearer to that
type's words than to the other's, beside the same for states of random direction.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.measures.lens import norm_matched
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Result, Trajectory
from semhub.models.tokens import continuation_id

DRAWN = 40  # paths that the figure shows


def trajectory(ask: Trajectory, bench: Bench) -> Result:
    """All paths. Raises BadInput where fewer than three landmark words are one token."""
    words = landmarks(ask, bench)
    rows = bench.model.head.rows(torch.tensor([id for _, _, id in words])).float().cpu()
    centre, axes = plane(rows)
    places = (rows - centre) @ axes.T
    layers = bench.chosen()
    states = bench.states(list(ask.texts.values()), {"last": "last"}, range(bench.depth + 1))["last"].all()
    if ask.normed_end:
        states[-1] = bench.normed(states[-1])
    paths = path(states, centre, axes)[list(layers)]
    columns = {"group": ask.group, "position": "last", "split": ask.split}
    measured = [Measured(f"pc{d + 1}", paths[..., d].T.numpy(), columns, layers) for d in range(2)]
    if ask.floor:
        random = path(norm_matched(states, bench.generator(3)), centre, axes)[list(layers)]
        for control, drawn in ((None, paths), ("random-state", random)):
            measured += nearness(drawn, places, [type for type, _, _ in words], {**columns, "control": control}, layers)
    readings = bench.readings(measured, intervals=ask.intervals)
    return Result(tuple(readings), (), {"paths": drawn_paths(ask, words, places, paths, layers)})


def landmarks(ask: Trajectory, bench: Bench) -> list[tuple[str, str, int]]:
    """(type, word, token) of the landmark words that are one token where they continue `ask.before`."""
    ids = [(type, word, continuation_id(bench.model, ask.before, word)) for type, words in ask.landmarks.items() for word in words]
    found = [(type, word, id) for type, word, id in ids if id is not None]
    if len(found) < 3:
        raise BadInput(f"{bench.task} needs three landmark words of one token each; {bench.model.name} has {len(found)}.")
    return found


def plane(rows: Tensor) -> tuple[Tensor, Tensor]:
    """`rows: [word, dim]` -> their mean `[dim]` and the two directions `[2, dim]` of most variance, signs fixed."""
    centre = rows.mean(0)
    axes = torch.linalg.svd((rows - centre).double(), full_matrices=False).Vh[:2]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return centre, (axes * largest.sign()).to(rows.dtype)


def path(states: Tensor, centre: Tensor, axes: Tensor) -> Tensor:
    """`states: [layer, item, dim]` -> `[layer, item, 2]`: z-scored per item and dimension over its layers, then projected."""
    spread = states.std(0, unbiased=False)
    scored = (states - states.mean(0)) / torch.where(spread > 0, spread, 1.0)
    return (scored - centre) @ axes.T


def nearness(paths: Tensor, places: Tensor, types: Sequence[str], columns: dict, layers: Sequence[int]) -> list[Measured]:
    """Per type, whether each item is nearer to the middle of that type's words than to any other type's."""
    names = list(dict.fromkeys(types))
    middles = torch.stack([places[[t == name for t in types]].mean(0) for name in names])
    nearest = torch.cdist(paths, middles.expand(len(paths), -1, -1)).argmin(-1)
    return [Measured(f"near_{name}", (nearest == i).double().T.numpy(), columns, layers) for i, name in enumerate(names)]


def drawn_paths(ask: Trajectory, words: Sequence[tuple[str, str, int]], places: Tensor, paths: Tensor, layers: Sequence[int]) -> dict:
    """What the figure needs: the landmarks' places, the mean path, and some items' paths."""
    keep = np.linspace(0, len(ask.texts) - 1, min(DRAWN, len(ask.texts))).astype(int).tolist()
    items = list(ask.texts)
    return {
        "layers": list(layers),
        "landmarks": [{"type": t, "word": w, "place": place} for (t, w, _), place in zip(words, places.tolist(), strict=True)],
        "mean": paths.mean(1).tolist(),
        "items": [{"item": items[i], "path": paths[:, i].tolist()} for i in keep],
    }

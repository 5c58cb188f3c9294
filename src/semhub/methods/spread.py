"""The procedure of `Spread`: how much of the lens's probability belongs to each type, layer by layer, over running text.

Blind to which model reads and which texts are read. Rows: `mass`, group `<type of the text>:<type of the words>`, and
`coverage`, the share of the vocabulary that the table has seen.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from semhub.data.languages import type_table
from semhub.errors import BadInput
from semhub.measures.lens import norm_matched, type_mass
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Result, Spread


def spread(ask: Spread, bench: Bench) -> Result:
    """Every type of text. Raises BadInput where there is no text to read or to count in."""
    counted = type_table(ask.corpus, bench.model, bench.model.vocab)
    readings = [bench.reading("coverage", counted.coverage, n=bench.model.vocab)]
    for type, texts in ask.prompts.items():
        if not texts:
            raise BadInput(f"{bench.task}: there is no text of type {type} to read.")
        readings += bench.readings(masses(ask, bench, type, texts, counted.table), intervals=ask.lens.intervals)
    return Result(tuple(readings), extras={"table": counted.as_dict()})


def masses(ask: Spread, bench: Bench, type: str, texts: Sequence[str], table: Tensor) -> list[Measured]:
    """Mean mass of each type over the positions of each text, under every norm; with `pooled`, over all positions alike."""
    layers, types = bench.chosen(ask.lens.first_layer), list(ask.corpus)
    ways = [(variant, control) for variant in ask.lens.norms for control in (None, *(("random-state",) if ask.lens.floor else ()))]
    sums = {way: np.zeros((len(texts), len(layers), len(types))) for way in ways}
    counts = np.zeros(len(texts))
    for batch in bench.model.stream(list(texts), "all", layers=list(layers), batch_tokens=bench.batch_tokens, special=ask.lens.special):
        np.add.at(counts, batch.items.numpy(), 1)
        for variant, control in ways:
            found = read(ask, bench, batch.states, layers, table, ask.lens.norms[variant], control is not None)
            np.add.at(sums[variant, control], batch.items.numpy(), found.permute(1, 0, 2).double().numpy())
    # Pooled, a text counts by its length, so that the mean over texts is the mean over all positions.
    weights = np.full_like(counts, counts.mean()) if ask.pooled else counts
    at = lambda name, way: {"variant": way[0], "control": way[1], "group": f"{type}:{name}", "position": "all"}  # noqa: E731
    return [
        Measured("mass", values[:, :, t] / weights[:, None], at(name, way), layers)
        for way, values in sums.items()
        for t, name in enumerate(types)
    ]


def read(ask: Spread, bench: Bench, states: Tensor, layers: Sequence[int], table: Tensor, norm: str, random: bool) -> Tensor:
    """`states: [layer, row, dim]` -> `[layer, row, type]`."""
    if random:
        states = norm_matched(states, bench.generator(2))
    with torch.no_grad():
        hows = ["final" if ask.lens.normed_end and k == bench.depth else norm for k in layers]
        return torch.stack([type_mass(h, bench.model.head, table, how).cpu() for h, how in zip(states, hows, strict=True)])

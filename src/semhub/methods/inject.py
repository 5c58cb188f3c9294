"""The procedure of `Inject`: the release's interventions step by step, without choice of layer, control or interval.

Blind to which model is moved and to what the words mean. Rows: each judged measure, per group, layer and coefficient.
"""

from collections.abc import Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from semhub import edits
from semhub.errors import BadInput
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Inject, Push, Result
from semhub.methods.steer import credentials, differences, generate, judged
from semhub.models.structure import evaluating
from semhub.models.write import Edit
from semhub.types import Prompt


def inject(ask: Inject, bench: Bench) -> Result:
    """Every group at every layer and coefficient. Raises BadInput without prompts."""
    if not ask.prompts:
        raise BadInput(f"{bench.task}: there are no prompts to continue.")
    layers = dict.fromkeys(max(1, round(f * bench.depth)) for f in ask.writes)
    jobs = [(source, type, k) for type in dict.fromkeys(p.type for p in ask.prompts) for source in sources(ask, type) for k in layers]
    readings, outcomes = [], []
    for number, (source, type, layer) in enumerate(jobs):
        prompts = [p for p in ask.prompts if p.type == type]
        found = group(ask, bench, source, prompts, layer)
        readings += bench.readings(found, intervals=False)
        outcomes += bench.outcomes(found, [p.id for p in prompts])
        bench.progress(number + 1, len(jobs))
    known = ask.judged_by()
    return Result((*readings, *credentials(bench, known)), tuple(outcomes), {"judges": dict(known.names)})


def sources(ask: Inject, type: str) -> list[str]:
    return [s for s in ask.pushes if s in (ask.main, type)]


def group(ask: Inject, bench: Bench, source: str, prompts: Sequence[Prompt], layer: int) -> list[Measured]:
    """The prompts of one type under one source's words, at each coefficient."""
    edit = spread_edit(bench, ask.pushes[source], layer) if ask.spread else last_edit(ask, bench, ask.pushes[source], prompts, layer)
    written = generate(bench, [p.shown for p in prompts], ask.sampled, (edit,), ask.strengths)
    columns = {"group": f"{source}>{prompts[0].type}", "position": "first" if ask.spread else "last", "layer": layer}
    return [
        Measured(name, values, {**columns, "strength": float(strength)})
        for strength in ask.strengths
        for name, values in judged(ask, bench, prompts, written[strength], list(ask.judges)).items()
    ]


def last_edit(ask: Inject, bench: Bench, push: Push, prompts: Sequence[Prompt], layer: int) -> Edit:
    return Edit(layer, edits.add(differences(bench, push, prompts, max(0, layer - ask.lag))), "last", "prompt")


def spread_edit(bench: Bench, push: Push, layer: int) -> Edit:
    """The difference of two padded words, each of its positions on the same position of the prompt."""
    toward, away = padded(bench, push.toward(None)[0], push.away(None)[0])
    vectors = states_of(bench, toward, layer) - states_of(bench, away, layer)
    return Edit(layer, edits.add(vectors[None]), f"first:{len(vectors)}", "prompt")


def padded(bench: Bench, toward: str, away: str) -> tuple[list[int], list[int]]:
    """Both words as ids, the shorter one filled with the token of a space."""
    pair = [e.ids for e in bench.model.encode([toward, away])]
    space = bench.model.encode([" "], special=False)[0].ids[:1]
    both = list(zip_longest(*pair, fillvalue=space[0] if space else pair[0][-1]))
    return [a for a, _ in both], [b for _, b in both]


def states_of(bench: Bench, ids: Sequence[int], layer: int) -> Tensor:
    """`[token, dim]`: raw states of given ids at one layer, read by an edit that changes nothing."""
    caught: list[Tensor] = []

    def keep(hidden: Tensor) -> Tensor:
        caught.append(hidden[0])
        return hidden

    with evaluating(bench.model.network), bench.model.edit(Edit(layer, keep)):
        bench.model.network(input_ids=torch.tensor([list(ids)], device=bench.model.device), use_cache=False)
    return caught[0]

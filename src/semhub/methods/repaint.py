"""The procedure of `Repaint`: another word's unembedding, less the old one's, put where an image or a sound stands.

Blind to which model is moved and to what is seen or heard. Rows, group `<type of words>><type of prompt>`: each judged
measure (or `yes_share`), per layer and strength, unpushed at strength 0; with controls also `<measure>_change` and `<measure>_excess`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from semhub import edits
from semhub.errors import BadInput
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Repaint, Result
from semhub.methods.steer import generate
from semhub.models.tokens import first_continuation_id
from semhub.models.where import Encoding
from semhub.models.write import Edit
from semhub.types import Prompt

RANDOM, WRONG, LAYER_0 = "random-direction", "wrong-word", "layer-0"
AT_ONCE = 32  # prompts whose towers' outputs are held at once
Values = Mapping[str, np.ndarray]


def repaint(ask: Repaint, bench: Bench) -> Result:
    """Every layer, strength and control. Raises BadInput without a prompt whose words have a token."""
    prompts, left_out = eligible(ask, bench)
    if not prompts:
        raise BadInput(f"{bench.task}: no prompt has words that are tokens of {bench.model.name} ({left_out} left out).")
    layers = [k for k in bench.chosen() if k] if not ask.writes else sorted({max(1, round(f * bench.depth)) for f in ask.writes})
    encodings = bench.model.encode([prompt.shown for prompt in prompts])  # the towers run once, whatever is pushed
    base = answered(ask, bench, prompts, encodings, [], 0.0)
    measured = [Measured(name, values, columns(ask, prompts, None, None, 0.0)) for name, values in base.items()]
    kinds = [None, *(control for control in ask.controls if control != LAYER_0)]
    jobs = [(layer, strength) for layer in layers for strength in ask.strengths]
    for number, (layer, strength) in enumerate(jobs):
        found = {control: pushed(ask, bench, prompts, encodings, control, layer, strength) for control in kinds}
        measured += rows(ask, prompts, base, found, layer, strength)
        bench.progress(number + 1, len(jobs))
    if LAYER_0 in ask.controls:
        for strength in ask.strengths:
            found = pushed(ask, bench, prompts, encodings, None, 0, strength)
            measured += [Measured(name, each, columns(ask, prompts, LAYER_0, 0, strength)) for name, each in found.items()]
    readings = by_group(ask, bench, prompts, measured)
    outcomes = bench.outcomes([m for m in measured if m.columns["control"] is None], [prompt.id for prompt in prompts])
    kept = bench.reading("eligible", len(prompts) / len(ask.prompts), n=len(ask.prompts), group=group_of(ask, prompts))
    return Result((kept, *readings), tuple(outcomes), {"left_out": left_out})


def eligible(ask: Repaint, bench: Bench) -> tuple[list[Prompt], int]:
    """The prompts whose old and new word (the control's too) have a first token each, not the same one; and how many have not."""
    rules = [ask.words, *([ask.wrong] if WRONG in ask.controls else [])]
    ids = [[[first_token(bench, word) for word in words(prompt)] for words in rules] for prompt in ask.prompts]
    kept = [p for p, pairs in zip(ask.prompts, ids, strict=True) if all(None not in pair and pair[0] != pair[1] for pair in pairs)]
    return kept, len(ask.prompts) - len(kept)


def first_token(bench: Bench, word: str) -> int | None:
    return first_continuation_id(bench.model, "a", word)


def pushed(
    ask: Repaint, bench: Bench, prompts: Sequence[Prompt], encodings: Sequence[Encoding], control: str | None, layer: int, strength: float
) -> Values:
    """What the prompts answer under one push; from `layer` on, or at it alone."""
    vectors = differences(ask, bench, prompts, control)
    chosen = range(layer, bench.depth + 1) if ask.upward else (layer,)
    return answered(ask, bench, prompts, encodings, [(k, vectors) for k in chosen], strength)


def differences(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], control: str | None) -> Tensor:
    """`[prompt, dim]`: U[new] - U[old], those of another meaning, or random directions of the same lengths."""
    words = ask.wrong if control == WRONG else ask.words
    ids = torch.tensor([[first_token(bench, word) for word in words(prompt)] for prompt in prompts])
    found = bench.model.head.rows(ids[:, 0]) - bench.model.head.rows(ids[:, 1])
    if control != RANDOM:
        return found
    noise = torch.randn(found.shape, generator=bench.generator(11))
    return noise * (found.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True))


def answered(
    ask: Repaint,
    bench: Bench,
    prompts: Sequence[Prompt],
    encodings: Sequence[Encoding],
    pushes: Sequence[tuple[int, Tensor]],
    strength: float,
) -> Values:
    """`[prompt]` by measure, some prompts at a time."""
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(prompts), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        changes = [edit(ask, prompts[part], layer, vectors[part], strength) for layer, vectors in pushes]
        for name, values in said(ask, bench, prompts[part], encodings[part], changes).items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def edit(ask: Repaint, prompts: Sequence[Prompt], layer: int, vectors: Tensor, strength: float) -> Edit:
    change = edits.replace(vectors) if ask.replace else edits.add(vectors, strength)
    return Edit(layer, change, [ask.at(prompt) for prompt in prompts], "prompt")


def said(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], encodings: Sequence[Encoding], changes: Sequence[Edit]) -> Values:
    if ask.answers is not None:
        return {"yes_share": share_of_first(ask.answers, bench, prompts, encodings, changes)}
    written = generate(bench, encodings, ask.sampled, tuple(changes), (1.0,))[1.0]
    texts = [outputs[0] for outputs in written]
    scores = {name: judge(prompts, texts) for name, judge in ask.judges.items()}
    return {name: np.array([np.nan if value is None else value for value in values], dtype=float) for name, values in scores.items()}


def share_of_first(
    answers: tuple[str, str], bench: Bench, prompts: Sequence[Prompt], encodings: Sequence[Encoding], changes: Sequence[Edit]
) -> np.ndarray:
    """`[prompt]`: p(first) / (p(first) + p(second)) of the next token, by the model's own last layer."""
    with bench.model.edit(*changes):
        states = bench.model.read(encodings, "last", layers=[bench.depth], batch_tokens=bench.batch_tokens)[0]
    ids = torch.tensor([[answer_token(bench, prompt, word) for word in answers] for prompt in prompts])
    logits = bench.model.unembed(states).double().gather(1, ids)
    return (logits[:, 0] - logits[:, 1]).sigmoid().numpy()


def answer_token(bench: Bench, prompt: Prompt, word: str) -> int:
    """The first token of an answer after the prompt. Raises BadInput where it has none of its own."""
    found = first_continuation_id(bench.model, prompt.text.rpartition(">")[2] or "a", word)
    if found is None:
        raise BadInput(f"{bench.task}: the answer {word!r} has no token of its own in {bench.model.name}.")
    return found


def rows(
    ask: Repaint, prompts: Sequence[Prompt], base: Values, found: Mapping[str | None, Values], layer: int, strength: float
) -> list[Measured]:
    """Each measure under each control; with controls also the change from no push and what goes beyond each."""
    measured = []
    for control, values in found.items():
        for name, each in values.items():
            here = columns(ask, prompts, control, layer, strength)
            measured.append(Measured(name, each, here))
            if len(found) > 1:
                measured.append(Measured(f"{name}_change", each - base[name], here))
                if control is not None:
                    measured.append(Measured(f"{name}_excess", found[None][name] - each, here))
    return measured


def columns(ask: Repaint, prompts: Sequence[Prompt], control: str | None, layer: int | None, strength: float) -> dict:
    place = prompts[0].media.kind if prompts[0].media else "last"
    found = {"group": group_of(ask, prompts), "position": place, "control": control, "strength": float(strength)}
    return found if layer is None else {**found, "layer": layer}


def group_of(ask: Repaint, prompts: Sequence[Prompt]) -> str:
    return f"{ask.group}>{prompts[0].type}"


def by_group(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], measured: Sequence[Measured]) -> list:
    """Readings over all prompts, and over those of each value of the facet `by` as splits of their own."""
    readings = bench.readings(measured, intervals=ask.intervals)
    for value in dict.fromkeys(prompt.facets.get(ask.by, "") for prompt in prompts) if ask.by else ():
        kept = np.array([prompt.facets.get(ask.by, "") == value for prompt in prompts])
        mine = [Measured(m.measure, np.where(kept, m.values, np.nan), {**m.columns, "split": value}) for m in measured]
        readings += bench.readings(mine, intervals=ask.intervals)
    return readings

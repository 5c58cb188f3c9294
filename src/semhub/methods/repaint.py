"""The procedure of `Repaint`: another word's unembedding, less the old one's, put where an image or a sound stands.

Blind to which model is moved and to what is seen or heard. Rows, group `<type of words>><type of prompt>`: each judged
measure (or `yes_share`), per layer and strength, unpushed at strength 0. With a `target` layer and strength are chosen on half of
the prompts (`split` choose; prompts of one source stay together) and reported on the other (`report`), with `<target>_change`
from no push and `<target>_excess` over each control, both paired by prompt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semhub import edits
from semhub.errors import BadInput
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import Repaint, Result
from semhub.methods.steer import generate
from semhub.methods.unshown import account, unshowable
from semhub.models.tokens import first_continuation_id
from semhub.models.where import Encoding
from semhub.models.write import Edit
from semhub.types import Form, Prompt

RANDOM, AS_TEXT, LAYER_0 = "random-direction", "as-text", "layer-0"
WRONG_LAYER, WRONG_POSITION = "wrong-layer", "wrong-position"
AT_ONCE = 32  # prompts whose towers' outputs are held at once
Values = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Half:
    """Some of the prompts, encoded once, and what they answer without a push."""

    split: str | None
    prompts: Sequence[Prompt]
    encodings: Sequence[Encoding]
    base: Values


def repaint(ask: Repaint, bench: Bench) -> Result:
    """Every layer and strength, or the chosen ones. Raises BadInput without a prompt whose words have a token, or with too few."""
    prompts, left_out = eligible(ask, bench)
    if not prompts:
        raise BadInput(f"{bench.task}: no prompt has words that are tokens of {bench.model.name} ({len(left_out)} left out).")
    layers = [k for k in bench.chosen() if k] if not ask.writes else sorted({max(1, round(f * bench.depth)) for f in ask.writes})
    kept = bench.reading("eligible", len(prompts) / len(ask.prompts), n=len(ask.prompts), group=group_of(ask, prompts))
    readings, outcomes, extras = (everywhere if ask.target is None else on_halves)(ask, bench, prompts, layers)
    return Result((kept, *readings), tuple(outcomes), account(left_out) | extras)


def everywhere(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], layers: Sequence[int]) -> tuple[list, list, dict]:
    """All prompts at every layer and strength: nothing is chosen, and nothing is held against a control."""
    half = encoded(ask, bench, prompts, None)
    measured = plain(ask, half, half.base, None, None, 0.0)
    jobs = [(layer, strength) for layer in layers for strength in ask.strengths]
    for number, (layer, strength) in enumerate(jobs):
        measured += plain(ask, half, pushed(ask, bench, half, None, layer, strength), None, layer, strength)
        bench.progress(number + 1, len(jobs))
    return by_group(ask, bench, half, measured), bench.outcomes(measured, [prompt.id for prompt in prompts]), {}


def on_halves(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], layers: Sequence[int]) -> tuple[list, list, dict]:
    """Every setting on the half to choose on; on the other one the chosen one, its doses, the other layers and the controls."""
    first, second = split_in_two(ask, bench, prompts)
    choose, report = encoded(ask, bench, first, "choose"), encoded(ask, bench, second, "report")
    tried = {(layer, s): pushed(ask, bench, choose, None, layer, s) for layer in layers for s in ask.strengths}
    layer, strength = best(ask, choose, tried)
    bench.progress(1, 2)
    measured = [
        m for (k, s), found in tried.items() for m in plain(ask, choose, found, None, k, s) + change(ask, choose, found, None, k, s)
    ]
    readings = bench.readings(plain(ask, choose, choose.base, None, None, 0.0) + measured, sources(choose), ask.intervals)
    settings = [(layer, s) for s in ask.strengths] + [(k, strength) for k in layers if k != layer]
    told = {key: pushed(ask, bench, report, None, *key) for key in settings}
    measured = plain(ask, report, report.base, None, None, 0.0)
    for key, found in told.items():
        measured += plain(ask, report, found, None, *key) + change(ask, report, found, None, *key)
    kept = [m for m in measured if not m.measure.endswith("_change")]
    for control in controls(ask, bench, layer):
        measured += beside(ask, bench, report, control, layer, strength, told[layer, strength])
    readings += by_group(ask, bench, report, measured)
    outcomes = bench.outcomes(kept, [prompt.id for prompt in report.prompts], sources=sources(report))
    bench.progress(2, 2)
    return readings, outcomes, {"chosen": {group_of(ask, prompts): {"layer": layer, "strength": strength}}}


def split_in_two(ask: Repaint, bench: Bench, prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[Prompt]]:
    """Half of the sources of each kind (facet `by`) to choose on, the others to report.

    Raises BadInput where one of the halves would have fewer than two prompts.
    """
    rng, chosen = np.random.default_rng(bench.seed), set()
    for kind in dict.fromkeys(prompt.facets.get(ask.by or "", "") for prompt in prompts):
        mine = list(dict.fromkeys(p.source for p in prompts if p.facets.get(ask.by or "", "") == kind))
        chosen |= {mine[place] for place in rng.permutation(len(mine))[: len(mine) // 2]}
    halves = [p for p in prompts if p.source in chosen], [p for p in prompts if p.source not in chosen]
    if min(map(len, halves)) < 2:
        raise BadInput(f"{bench.task}: at least four prompts of several sources are needed (half to choose, half to report).")
    return halves


def sources(half: Half) -> list[str]:
    return [prompt.source for prompt in half.prompts]


def encoded(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], split: str | None) -> Half:
    """The towers run once, whatever is pushed."""
    half = Half(split, prompts, bench.model.encode([prompt.shown for prompt in prompts]), {})
    return replace(half, base=answered(ask, bench, half, [], 0.0))


def best(ask: Repaint, half: Half, tried: Mapping[tuple[int, float], Values]) -> tuple[int, float]:
    """The layer and strength that raise the target furthest; of equals the weaker push, then the lower layer."""
    score = {key: float(np.nanmean(found[ask.target] - half.base[ask.target])) for key, found in tried.items()}
    return max(score, key=lambda key: (score[key], -key[1], -key[0]))


def eligible(ask: Repaint, bench: Bench) -> tuple[list[Prompt], dict[str, str]]:
    """The prompts that can be shown and whose words can be told apart by their first tokens; of the others, by id, why not."""
    left_out = unshowable(bench, ((prompt.id, prompt.shown) for prompt in ask.prompts))
    for prompt in ask.prompts:
        if why := indistinct(bench, ask.words(prompt)):
            left_out.setdefault(prompt.id, why)
    return [prompt for prompt in ask.prompts if prompt.id not in left_out], left_out


def indistinct(bench: Bench, words: tuple[str, str]) -> str | None:
    """Why there is nothing between two words to push along, or None."""
    new, old = (first_token(bench, word) for word in words)
    if None in (new, old):
        return "a word does not begin with a token of its own"
    return "the new and the old word begin with one token" if new == old else None


def first_token(bench: Bench, word: str) -> int | None:
    return first_continuation_id(bench.model, "a", word)


def pushed(ask: Repaint, bench: Bench, half: Half, control: str | None, layer: int, strength: float) -> Values:
    """What the prompts answer under one push; from `layer` on, or at it alone."""
    vectors = differences(ask, bench, half.prompts, control)
    chosen = range(layer, bench.depth + 1) if ask.upward else (layer,)
    return answered(ask, bench, half, [(k, vectors) for k in chosen], strength)


def differences(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], control: str | None) -> Tensor:
    """`[prompt, dim]`: U[new] - U[old], or at the same lengths those of another meaning, or random directions."""
    found = between(bench, prompts, ask.words)
    if control != RANDOM and control not in ask.neutral:
        return found
    other = between(bench, prompts, ask.neutral[control]) if control != RANDOM else torch.randn(found.shape, generator=bench.generator(11))
    return other * (found.norm(dim=-1, keepdim=True) / other.norm(dim=-1, keepdim=True))


def between(bench: Bench, prompts: Sequence[Prompt], words: Callable[[Prompt], tuple[str, str]]) -> Tensor:
    """`[prompt, dim]`: the unembedding row of the first word's first token, less that of the second's."""
    ids = torch.tensor([[first_token(bench, word) for word in words(prompt)] for prompt in prompts])
    return bench.model.head.rows(ids[:, 0]) - bench.model.head.rows(ids[:, 1])


def answered(ask: Repaint, bench: Bench, half: Half, pushes: Sequence[tuple[int, Tensor]], strength: float) -> Values:
    """`[prompt]` by measure, some prompts at a time."""
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(half.prompts), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        changes = [edit(ask, half.prompts[part], layer, vectors[part], strength) for layer, vectors in pushes]
        for name, values in said(ask, bench, half.prompts[part], half.encodings[part], changes).items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def edit(ask: Repaint, prompts: Sequence[Prompt], layer: int, vectors: Tensor, strength: float) -> Edit:
    change = edits.replace(vectors) if ask.replace else edits.add(vectors, strength)
    return Edit(layer, change, [ask.at(prompt) for prompt in prompts], "prompt")


def said(ask: Repaint, bench: Bench, prompts: Sequence[Prompt], encodings: Sequence[Encoding], changes: Sequence[Edit]) -> Values:
    if ask.answers is not None:
        share = share_of_first(ask.answers, bench, prompts, encodings, changes)
        wanted = {} if ask.first is None else {"right_share": np.where([ask.first(prompt) for prompt in prompts], share, 1 - share)}
        return {"yes_share": share} | wanted
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


def plain(ask: Repaint, half: Half, values: Values, control: str | None, layer: int | None, strength: float) -> list[Measured]:
    return [Measured(name, each, columns(ask, half, control, layer, strength)) for name, each in values.items()]


def change(ask: Repaint, half: Half, values: Values, control: str | None, layer: int | None, strength: float) -> list[Measured]:
    """The target's change from no push."""
    found = values[ask.target] - half.base[ask.target]
    return [Measured(f"{ask.target}_change", found, columns(ask, half, control, layer, strength))]


def controls(ask: Repaint, bench: Bench, layer: int) -> list[str]:
    """Those that differ from the push at this layer."""
    return [name for name in (*ask.neutral, *ask.controls) if name != WRONG_LAYER or layer < bench.depth - 1]


def beside(ask: Repaint, bench: Bench, half: Half, control: str, layer: int, strength: float, main: Values) -> list[Measured]:
    """A control at the chosen setting: what it gives, what it changes, and how far the push goes beyond it."""
    where = {LAYER_0: 0, AS_TEXT: None, WRONG_LAYER: bench.depth - 1}.get(control, layer)
    if control == AS_TEXT:
        told = replace(half, encodings=bench.model.encode([Form(p.type, ask.as_text(p), None, p.media) for p in half.prompts]))
        found = answered(ask, bench, told, [], 0.0)
    elif control in ask.neutral:
        found = by_other_words(ask, bench, half, control, where, strength)
    else:
        found = pushed(replace(ask, at=ask.elsewhere) if control == WRONG_POSITION else ask, bench, half, control, where, strength)
    beyond = {**columns(ask, half, None, layer, strength), "control": control}
    excess = Measured(f"{ask.target}_excess", main[ask.target] - found[ask.target], beyond)
    return [*plain(ask, half, found, control, where, strength), *change(ask, half, found, control, where, strength), excess]


def by_other_words(ask: Repaint, bench: Bench, half: Half, control: str, layer: int, strength: float) -> Values:
    """What the prompts answer under other words; nan where these cannot be told apart, for a control costs the push no prompt."""
    kept = [i for i, prompt in enumerate(half.prompts) if indistinct(bench, ask.neutral[control](prompt)) is None]
    found = {name: np.full(len(half.prompts), np.nan) for name in half.base}
    some = replace(half, prompts=[half.prompts[i] for i in kept], encodings=[half.encodings[i] for i in kept])
    for name, values in (pushed(ask, bench, some, control, layer, strength) if kept else {}).items():
        found[name][kept] = values
    return found


def columns(ask: Repaint, half: Half, control: str | None, layer: int | None, strength: float) -> dict:
    at = ask.elsewhere if control == WRONG_POSITION else ask.at
    place = at(half.prompts[0]).partition("[")[0]
    found = {"group": group_of(ask, half.prompts), "position": place, "control": control, "strength": float(strength)}
    found |= {} if half.split is None else {"split": half.split}
    return found if layer is None else {**found, "layer": layer}


def group_of(ask: Repaint, prompts: Sequence[Prompt]) -> str:
    return f"{ask.group}>{prompts[0].type}"


def by_group(ask: Repaint, bench: Bench, half: Half, measured: Sequence[Measured]) -> list:
    """Readings over all prompts, and over those of each value of the facet `by` as splits of their own."""
    clusters = sources(half) if ask.target else None
    readings = bench.readings(measured, clusters, ask.intervals)
    for value in dict.fromkeys(prompt.facets.get(ask.by, "") for prompt in half.prompts) if ask.by else ():
        kept = np.array([prompt.facets.get(ask.by, "") == value for prompt in half.prompts])
        mine = [Measured(m.measure, np.where(kept, m.values, np.nan), {**m.columns, "split": value}) for m in measured]
        readings += bench.readings(mine, clusters, ask.intervals)
    return readings

"""The certificate: does what semhub reads, rebuilds and changes agree with the network's own answers?

Compares with the plainest computation there is, one text at a time through the network itself; knows no family.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import takewhile

import torch
from torch import Tensor

from semhub.errors import NotProved
from semhub.models.read import batches, padded, read_batch
from semhub.models.senses import processed
from semhub.models.structure import evaluating
from semhub.models.where import Encoding
from semhub.models.write import Rows, telling
from semhub.types import MARKS, Form, Media

# greatest distance allowed, as a share of the length of the vector compared
TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 8e-2}
PACKED = 8e-2  # packed weights: rounding follows the rest of the batch
TEXTS = ("The dog sees the cat, and the cat does not see the dog.", "Dos y tres son cinco.")
LENGTHS = (11, 3, 7)


@dataclass(frozen=True)
class Check:
    """One comparison: `error` is the greatest relative distance found, `tolerance` the greatest one allowed."""

    name: str
    passed: bool
    error: float
    tolerance: float
    detail: str


@dataclass(frozen=True)
class Certificate:
    """What was checked of one network, in which precision, and what came out."""

    checks: list[Check] = field(default_factory=list)
    dtype: str = "float32"

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def demand(self, name: str) -> None:
        """Raise NotProved, with the reasons, if a check failed."""
        failed = [
            f"{check.name} (error {check.error:.2g}, allowed {check.tolerance:g}): {check.detail}"
            for check in self.checks
            if not check.passed
        ]
        if failed:
            raise NotProved(f"{name} is refused, since what would be read from it could not be trusted: {'; '.join(failed)}")

    def as_dict(self) -> dict:
        """For JSON, which has no infinity: the error of a check that could not be carried out is None."""
        checks = [{**asdict(check), "error": check.error if math.isfinite(check.error) else None} for check in self.checks]
        return {"passed": self.passed, "dtype": self.dtype, "checks": checks}


@dataclass(frozen=True)
class Plain:
    """One text alone: the network's own `logits: [token, vocab]` and `hidden`, [token, dim] each, as transformers counts them.

    `states: [layer, token, dim]` is what semhub reads of the same text.
    """

    encoding: Encoding
    logits: Tensor
    hidden: list[Tensor]
    states: Tensor


def certify(model) -> Certificate:
    """All checks, failed ones included; a check that cannot be carried out has failed."""
    tolerance = PACKED if is_packed(model) else TOLERANCE.get(model.dtype, PACKED)
    dtype = str(model.dtype).removeprefix("torch.")
    checks = CHECKS | ({"media-positions": media_positions} if model.senses else {})
    try:
        plain = [alone(model, encoding) for encoding in sample(model)]
    except Exception as problem:
        return Certificate([Check(name, False, math.inf, tolerance, said(problem)) for name in checks], dtype)
    return Certificate([carried_out(name, check, model, plain, tolerance) for name, check in checks.items()], dtype)


def carried_out(name: str, check: Callable, model, plain: list[Plain], tolerance: float) -> Check:
    try:
        error, detail = check(model, plain)
    except Exception as problem:
        error, detail = math.inf, said(problem)
    # an error that is no number must not pass
    return Check(name, error <= tolerance, error, tolerance, detail)


def said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {next(iter(str(problem).splitlines()), '')}"


def is_packed(model) -> bool:
    causal = model.parts.causal
    return bool(getattr(causal, "is_quantized", False) or getattr(getattr(causal, "config", None), "quantization_config", None))


def sample(model) -> list[Encoding]:
    """Inputs of mixed lengths: sentences, and ids from all over the vocabulary behind what the tokenizer puts first, as all is read.

    (Without it the states of a first mark can be all but zero, and norms blow up what rounding leaves there.)
    """
    known = min(model.vocab, getattr(model.parts.embedding, "num_embeddings", model.vocab), len(model.tokenizer))
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(known, (n,), generator=generator).tolist() for n in LENGTHS]
    limit = model.context or 1 << 30
    texts = [cut(encoding, limit) for encoding in model.encode(TEXTS) if len(encoding)]
    return (
        texts
        + [cut(by_ids(beginning(texts) + ids), limit) for ids in drawn]
        + model.encode([form for kind in model.senses for form in media(kind)])
    )


def media(kind: str, seed: int = 0) -> list[Form]:
    """Two noises of different size in a text, the same for the same seed: something that every tower takes.

    Odd seeds give images of coarse squares: to a code book all fine noise may look alike.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    if kind == "image":
        grain = COARSE if seed % 2 else 1
        drawn = [rng.integers(0, 256, (-(-h // grain), -(-w // grain), 3), dtype=np.uint8) for h, w in SIZES]
        found = [Media(kind, each.repeat(grain, 0).repeat(grain, 1)[:h, :w]) for each, (h, w) in zip(drawn, SIZES, strict=True)]
    else:
        found = [Media(kind, rng.normal(0, 0.2, int(16000 * s)).astype(np.float32), 16000) for s in (0.6, 1.1)]
    return [Form(kind, f"The dog {MARKS[kind]} sees.", None, one) for one in found]


def beginning(texts: list[Encoding]) -> list[int]:
    """The marks that the tokenizer puts before a text."""
    return [id for id, special in takewhile(lambda each: each[1], zip(texts[0].ids, texts[0].special, strict=True))] if texts else []


def by_ids(ids: list[int]) -> Encoding:
    return Encoding(ids, [(0, 0)] * len(ids), "", [False] * len(ids))


def cut(encoding: Encoding, n: int) -> Encoding:
    return Encoding(encoding.ids[:n], encoding.offsets[:n], encoding.text, encoding.special[:n])


def alone(model, encoding: Encoding) -> Plain:
    """The network's own answer: of a text's ids, or of what the processor makes of an image or a sound."""
    if encoding.fed is None:
        inputs, _ = padded(model, [encoding], "right")
        inputs = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    else:
        inputs = processed(model, encoding.fed.form)
    told = Rows(torch.tensor([0]), [encoding], len(encoding))
    with evaluating(model.network), telling(told):
        output = model.network(**inputs, output_hidden_states=True, use_cache=False)
    hidden = [kept(layer[0]) for layer in output.hidden_states or ()]
    return Plain(encoding, kept(output.logits[0]), hidden, states_of(model, [encoding])[0])


def logits_of(model, encodings: list[Encoding], side: str = "right") -> list[Tensor]:
    """The network's own logits of each text, from one padded batch of texts."""
    inputs, shifts = padded(model, encodings, side)
    with evaluating(model.network):
        logits = model.network(**inputs, use_cache=False).logits
    return [kept(row[shift : shift + len(each)]) for row, shift, each in zip(logits, shifts, encodings, strict=True)]


def states_of(model, encodings: list[Encoding], side: str = "right") -> list[Tensor]:
    """[layer, token, dim] of each text, as semhub reads them, from one padded batch (or more, where inputs are tied to their own)."""
    found: dict[int, Tensor] = {}
    for members in batches(encodings, 1 << 30):
        here = [encodings[member] for member in members]
        groups = [[(position,) for position in range(len(encoding))] for encoding in here]
        states = read_batch(model, here, groups, range(model.layers + 1), side=side)
        found |= zip(members, states.split([len(encoding) for encoding in here], dim=1), strict=True)
    return [found[member] for member in range(len(encodings))]


def kept(value: Tensor) -> Tensor:
    return value.detach().float().cpu()


def distance(found: Tensor, expected: Tensor) -> float:
    """`[..., dim]` twice -> the greatest distance of two vectors as a share of the expected one's length.

    By vector, since the states of first tokens can be a thousand times as long as others. Masked entries must be masked in both.
    """
    seen = expected.isfinite() & (expected > -1e30)
    if found.shape != expected.shape or not bool(((found.isfinite() & (found > -1e30)) == seen).all()):
        return math.inf
    gap = torch.where(seen, found - expected, 0).double().norm(dim=-1)
    length = torch.where(seen, expected, 0).double().norm(dim=-1)
    return float((gap / length.clamp_min(1e-12)).max())


def hidden_states(model, plain: list[Plain]) -> tuple[float, str]:
    """Layers 0 to L-1 are transformers' own; its last entry is ours after the final norm (or before it, in some families)."""
    if any(len(each.hidden) != model.layers + 1 for each in plain):
        return math.inf, f"the network returns {len(plain[0].hidden)} hidden states for {model.layers} blocks"
    errors, lasts = [], []
    for each in plain:
        ours = each.states
        errors += [distance(ours[layer], each.hidden[layer]) for layer in range(model.layers)]
        normed = model.head.norm(ours[-1])
        lasts.append([distance(kept(form), each.hidden[-1]) for form in (normed, model.head.project(normed), ours[-1])])
    last = min(max(column) for column in zip(*lasts, strict=True))
    worst = max(range(len(errors)), key=lambda k: errors[k]) % model.layers
    return max(
        *errors, last
    ), f"layers 0 to {model.layers - 1} against transformers' own, farthest at {worst}; the last after the final norm"


def lens_at_last_layer(model, plain: list[Plain]) -> tuple[float, str]:
    """Norm and head, applied to what is read at layer L, give the network's logits, whole or in pieces."""
    errors = []
    picked = torch.arange(0, model.vocab, max(1, model.vocab // 50))
    for each in plain:
        normed = model.head.norm(each.states[-1])
        errors.append(distance(model.head.logits(normed), each.logits))
        errors.append(distance(model.head.logits(normed, picked), each.logits[:, picked]))
        errors.append(distance(model.head.logits(normed, slice(0, len(picked))), each.logits[:, : len(picked)]))
    return max(errors), "norm and head on layer L against the network's own logits"


def padding(side: str) -> Callable:
    def check(model, plain: list[Plain]) -> tuple[float, str]:
        encodings = [each.encoding for each in plain]
        errors = [distance(a, each.states) for a, each in zip(states_of(model, encodings, side), plain, strict=True)]
        texts = [each for each in plain if each.encoding.fed is None]
        logits = logits_of(model, [each.encoding for each in texts], side)
        errors += [distance(a, each.logits) for a, each in zip(logits, texts, strict=True)]
        return max(errors), f"a batch of {len(plain)} texts padded on the {side} against each text alone"

    return check


def empty_edit(model, plain: list[Plain]) -> tuple[float, str]:
    """Edits that add nothing, everywhere, leave the logits as they are."""
    from semhub.models.write import Edit

    edits = [Edit(layer, lambda hidden: hidden) for layer in range(model.layers + 1)]
    with model.edit(*edits):
        errors = [distance(alone(model, each.encoding).logits, each.logits) for each in (*plain[:2], plain[-1])]
    return max(errors), f"an edit of nothing at layers 0 to {model.layers}"


def real_edit(model, plain: list[Plain]) -> tuple[float, str]:
    """A push at the last token moves what it should by what it should, and nothing before it.

    At each of layers 0, L/2 and L: the state read there is the old one plus the push, earlier tokens keep their logits,
    those of the last token change.
    """
    from semhub.models.write import Edit

    each = max(plain, key=lambda one: len(one.encoding))
    before, errors, moved = each.states, [], []
    for layer in sorted({0, model.layers // 2, model.layers}):
        push = pushed(before[layer, -1])
        with model.edit(Edit(layer, lambda hidden, push=push: hidden + push.to(hidden), at="last")):
            now = alone(model, each.encoding)
        after, logits = now.states, now.logits
        errors += [distance(after[layer, -1], before[layer, -1] + push), distance(logits[:-1], each.logits[:-1])]
        moved.append(distance(logits[-1:], each.logits[-1:]))
        if layer == model.layers:
            errors.append(distance(model.unembed(after[layer, -1:]), logits[-1:]))
    if min(moved) < 1e-3:
        return math.inf, "a push at the last token did not move its logits"
    where = f"at layers 0, {model.layers // 2} and {model.layers}"
    return max(errors), f"a push at the last token, {where}; it moved the logits by {min(moved):.2g} or more"


def pushed(state: Tensor) -> Tensor:
    """A random direction as long as `state`."""
    direction = torch.randn(state.shape, generator=torch.Generator().manual_seed(0))
    return direction * (state.norm() / direction.norm())


def undone_edit(model, plain: list[Plain]) -> tuple[float, str]:
    """After an edit, and after one that failed half-way, the logits are the old ones and no hook is left."""
    from semhub.models.write import Edit

    def fail(hidden):
        raise Broken

    before, each = hooks(model), plain[0]
    for change in (lambda hidden: hidden + 1, fail):
        try:
            with model.edit(Edit(model.layers // 2, change)):
                alone(model, each.encoding)
        except Broken:
            pass
    if hooks(model) != before:
        return math.inf, f"{hooks(model) - before} hooks were left behind"
    return distance(alone(model, each.encoding).logits, each.logits), "logits and hooks after edits are those before them"


class Broken(Exception):
    """Raised on purpose, inside an edit."""


def media_positions(model, plain: list[Plain]) -> tuple[float, str]:
    """Other pixels (or samples) change exactly the embeddings at the positions called `image` (or `audio`), and no other's."""
    wrong, said = 0, []
    for kind in model.senses:
        first = model.encode(media(kind))
        changed = [torch.zeros(len(each), dtype=torch.bool) for each in first]
        for seed in range(1, NOISES):
            for k, other in enumerate(model.encode(media(kind, seed))):
                if other.ids != first[k].ids:
                    return math.inf, f"another {kind} of the same size changes the tokens of the text"
                changed[k] |= (other.fed.embeds != first[k].fed.embeds).any(-1).cpu()
            if all(set(found.nonzero()[:, 0].tolist()) == set(each.span.positions) for found, each in zip(changed, first, strict=True)):
                break
        for found, each in zip(changed, first, strict=True):
            wrong += len(set(found.nonzero()[:, 0].tolist()) ^ set(each.span.positions))
        said.append(f"{sum(len(each.span.positions) for each in first)} positions of {kind}s")
    return float(wrong), f"other media change exactly {' and '.join(said) or 'nothing, there being no tower'}"


def hooks(model) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.network.modules())


NOISES = 48  # other media tried, until every position has changed: a tower with a code book gives many of them the same code
SIZES, COARSE = ((64, 64), (60, 96)), 16  # of the images, in pixels


CHECKS = {
    "lens-at-last-layer": lens_at_last_layer,
    "hidden-states": hidden_states,
    "empty-edit": empty_edit,
    "real-edit": real_edit,
    "undone-edit": undone_edit,
    "left-padding": padding("left"),
    "right-padding": padding("right"),
}

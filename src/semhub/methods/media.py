"""The procedure of `DecodeMedia`: which words do the layers speak where an image or a sound stands?

Blind to which model is read and to what is seen or heard. Rows, group `<type of media>:<type of word>`: the pooled value
(`share`, `prob`), the same for each control; with `rise` also `<value>_rise` over layer 0 and `<value>_excess` over each
control, per sight; `eligible`, the share of sights that have a word to look for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.measures.lens import norm_matched, top_k, word_logprobs
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import WORDLESS, DecodeMedia, Look, Result, Sight
from semhub.methods.unshown import account, unshowable
from semhub.models.senses import coverage
from semhub.models.tokens import first_continuation_id
from semhub.models.where import Encoding

AT_ONCE = 8  # sights whose positions are read together
HELD = 1 << 27  # numbers of states held at once
MOSTLY = 0.5
VALUE = {"share": "share", "sum": "prob", "patches": "prob", "geometric": "prob"}
FLOOR = "random-state"
Key = tuple[str, str | None, str | None]  # type of words, control, variant


@dataclass(frozen=True, slots=True)
class Seen:
    """One word of a sight: its first tokens (several writings of it), and the places among the media positions to look at."""

    ids: tuple[int, ...]
    at: Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Masked:
    """A head that never speaks some words; what is left is normalised anew."""

    head: object
    never: Tensor

    @property
    def vocab(self) -> int:
        return self.head.vocab

    def norm(self, hidden: Tensor) -> Tensor:
        return self.head.norm(hidden)

    def logits(self, normed: Tensor, ids: slice | Tensor | None = None) -> Tensor:
        found = self.head.logits(normed, ids)
        return found.masked_fill(self.never[slice(None) if ids is None else ids].to(found.device), -torch.inf)


def decode_media(ask: DecodeMedia, bench: Bench) -> Result:
    """Every split and type of media. Raises BadInput where no sight has a word that can be looked for."""
    readings, outcomes, left_out = [], [], {}
    for split, sights in ask.sets.items():
        unseen = unshowable(bench, ((sight.id, sight.shown) for sight in sights))
        left_out |= unseen | {sight.id: WORDLESS for sight in sights if sight.id not in unseen and wordless(ask, bench, sight)}
        for type in dict.fromkeys(sight.type for sight in sights):
            every = [sight for sight in sights if sight.type == type]
            mine = [sight for sight in every if sight.id not in unseen]
            if not mine:
                continue
            values, layers = looked_up(ask, bench, mine)
            columns = {"position": mine[0].shown.media.kind, "split": split}
            measured = [m for key in values for m in quantities(ask, values, key, type, columns, layers)]
            clusters = [sight.facets.get(ask.lens.cluster or "", sight.id) for sight in mine]
            readings += eligible(bench, values, type, columns, len(every)) + bench.readings(measured, clusters, ask.lens.intervals)
            outcomes += bench.outcomes([m for m in measured if m.keep], [sight.id for sight in mine])
    if not any(row.measure != "eligible" for row in readings):
        raise BadInput(f"{bench.task}: no image or sound has a word that {bench.model.name} could speak there.")
    return Result(tuple(readings), tuple(outcomes), account(left_out))


def wordless(ask: DecodeMedia, bench: Bench, sight: Sight) -> bool:
    """Whether no word of a sight begins with a token that can be looked for."""
    return not any(first_tokens(bench, look.word, ask.pool) for t in ask.types for look in sight.words.get(t, ()))


def looked_up(ask: DecodeMedia, bench: Bench, sights: Sequence[Sight]) -> tuple[dict[Key, np.ndarray], tuple[int, ...]]:
    """`[sight, layer]` by type of words, control and variant; nan where a sight has no such word (or, summed, no right one)."""
    layers = bench.chosen(0 if ask.rise else ask.lens.first_layer)
    controls = list(dict.fromkeys(name for sight in sights for name in sight.wrong))
    floors = (FLOOR,) if ask.lens.floor else ()
    found = {
        (t, control, variant): np.full((len(sights), len(layers)), np.nan)
        for variant in ask.lens.norms
        for t in ask.types
        for control in (None, *controls, *(floors if variant is None else ()))
    }
    head = bench.model.head if ask.added or not bench.model.writes_images else without_added(bench.model)
    for start in range(0, len(sights), AT_ONCE):
        part = sights[start : start + AT_ONCE]
        for item, encoding, states in positions_of(bench, part, layers):
            words = {(t, c): seen(ask, bench, part[item], encoding, t, c) for t in ask.types for c in (None, *controls)}
            for (t, control, variant), table in found.items():
                mine = words[t, None if control == FLOOR else control]
                rightly = len(words[t, None]) if ask.pool == "sum" else len(mine)
                if mine and rightly:
                    hidden = norm_matched(states, bench.generator(start + item)) if control == FLOOR else states
                    table[start + item] = pooled(ask, bench, head, mine, hidden, layers, variant) * (rightly / len(mine))
        bench.progress(min(start + AT_ONCE, len(sights)), len(sights))
    return found, layers


def positions_of(bench: Bench, sights: Sequence[Sight], layers: Sequence[int]) -> Iterator[tuple[int, Encoding, Tensor]]:
    """(which sight, its encoding, `[layer, position, dim]` at the positions that its tower feeds)."""
    kind, encodings = sights[0].shown.media.kind, bench.model.encode([sight.shown for sight in sights])
    tokens = max(1, min(bench.batch_tokens, HELD // (len(layers) * bench.model.dim)))
    for batch in bench.model.stream(encodings, kind, layers=list(layers), batch_tokens=tokens):
        for item in batch.items.unique().tolist():
            yield item, encodings[item], batch.states[:, batch.items == item]


def without_added(model) -> Masked:
    """The head without the tokens that were added to the tokenizer's vocabulary."""
    never = torch.zeros(model.vocab, dtype=torch.bool)
    added = torch.tensor([token for token in model.tokenizer.get_added_vocab().values() if token < model.vocab], dtype=torch.long)
    never[added] = True
    return Masked(model.head, never)


def seen(ask: DecodeMedia, bench: Bench, sight: Sight, encoding: Encoding, type: str, control: str | None) -> list[Seen]:
    """The words that can be looked for: those with a first token of their own, and a patch to look at."""
    looks = sight.words.get(type, ()) if control is None else sight.wrong.get(control, {}).get(type, ())
    found = [Seen(first_tokens(bench, look.word, ask.pool), places(bench, sight, encoding, look)) for look in looks]
    return [each for each in found if each.ids and len(each.at)]


def first_tokens(bench: Bench, word: str, pool: str) -> tuple[int, ...]:
    """The first token of a word as it stands in running text; where what is spoken is asked for, of the word without a space too."""
    spaces = (None, False) if pool == "share" else (None,)
    found = (first_continuation_id(bench.model, "a", word, *(() if space is None else (space,))) for space in spaces)
    return tuple(dict.fromkeys(token for token in found if token is not None))


def places(bench: Bench, sight: Sight, encoding: Encoding, look: Look) -> Tensor:
    """`[place]` among the positions of the media: all, or the patches that the word's mask mostly covers."""
    if look.mask is None:
        return torch.arange(len(encoding.span.positions))
    return (coverage(bench.model, sight.shown, look.mask, encoding.span) > MOSTLY).nonzero()[:, 0]


def pooled(
    ask: DecodeMedia, bench: Bench, head, words: Sequence[Seen], states: Tensor, layers: Sequence[int], variant: str | None
) -> np.ndarray:
    """`states: [layer, position, dim]` -> `[layer]`, the words of one sight as `ask.pool` says."""
    values = []
    for hidden, k in zip(states, layers, strict=True):
        norm = "final" if ask.lens.normed_end and k == bench.depth else ask.lens.norms[variant]
        hidden = hidden.to(bench.model.device)
        if ask.pool == "share":
            spoken = top_k(hidden, head, 1, norm)[1][:, 0].cpu()
            values.append(np.mean([torch.isin(spoken[w.at], torch.tensor(w.ids)).double().mean().item() for w in words]))
            continue
        logs = word_logprobs(hidden, head, torch.tensor([w.ids[0] for w in words]), norm).double().cpu()
        values.append(POOLS[ask.pool]([logs[w.at, i] for i, w in enumerate(words)]))
    return np.array(values, dtype=float)


POOLS = {
    "sum": lambda logs: float(sum(each.exp().mean() for each in logs)),
    "patches": lambda logs: float(torch.stack([each.mean().exp() for each in logs]).mean()),
    "geometric": lambda logs: float(torch.stack([each.mean() for each in logs]).mean().exp()),
}


def quantities(
    ask: DecodeMedia, values: Mapping[Key, np.ndarray], key: Key, type: str, columns: dict, layers: Sequence[int]
) -> list[Measured]:
    """Rows of one kind of words: the value, and with `rise` what it gains over layer 0 and over the control."""
    (t, control, variant), table, name = key, values[key], VALUE[ask.pool]
    group = {**columns, "group": f"{type}:{t}", "variant": variant}
    headline = control is None and variant is None
    measured = [Measured(name, table, {**group, "control": control}, layers, headline)]
    if ask.rise and layers[0] == 0:
        measured.append(Measured(f"{name}_rise", (table - table[:, :1])[:, 1:], {**group, "control": control}, layers[1:]))
    if ask.rise and control is not None:
        measured.append(Measured(f"{name}_excess", values[t, None, variant] - table, {**group, "control": control}, layers))
    return measured


def eligible(bench: Bench, values: Mapping[Key, np.ndarray], type: str, columns: dict, every: int) -> list:
    """The share of all sights, those that cannot be shown among them, whose right words can be looked for, by type of word."""
    first = next(iter(values))[2]
    kept = {t: ~np.isnan(table).all(1) for (t, control, variant), table in values.items() if control is None and variant == first}
    return [bench.reading("eligible", each.sum() / every, n=every, group=f"{type}:{t}", **columns) for t, each in kept.items()]

"""The procedures of `Decode` and `DecodeWords`: which words do the layers speak before a prompt is continued (Eq. 2)?

Blind to which model is read and to what the prompts are about. Rows: `logprob` and `prob` of the first token of a word,
`anchor` (a type's word minus the prompt's own), `anchor_excess` (the same beyond wrong words, item by item: frequency taken
out), `lift` (right over wrong), `accuracy` among candidates, `eligible`; `resemblance` by readers without an unembedding, and
`disagreement` between readers (`readers.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semhub.data.wordlens import word_items
from semhub.errors import BadInput
from semhub.measures.lens import norm_matched, top_k, word_logprobs
from semhub.measures.statistics import bootstrap_ratio
from semhub.methods.affine import translators
from semhub.methods.bench import RESAMPLES, Bench, Measured, States
from semhub.methods.declare import Decode, DecodeWords, Lens, Result, Split
from semhub.methods.readers import Reader, neighbourhoods, patchscope
from semhub.methods.wordstates import resemblances
from semhub.models.tokens import all_continuation_ids, first_of
from semhub.types import Cloze


@dataclass(frozen=True, slots=True)
class Spot:
    """One position to read, and the first tokens of the words looked up there: `right[type]`, `wrong[type]`.

    `single`: the types whose right words are one token each.
    """

    item: str
    type: str
    cluster: str
    right: Mapping[str, tuple[int, ...]]
    wrong: Mapping[str, tuple[int, ...]]
    single: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Log-probabilities of one split, prompt type and reader, `[item, layer]` by (type, kind): `right`, `wrong`, `wrong-prob`, `hit`."""

    layers: tuple[int, ...]
    values: Mapping[tuple[str, str], np.ndarray]


def decode(ask: Decode, bench: Bench) -> Result:
    """Every split and prompt type. Raises BadInput where no prompt has a word that can be looked up."""
    readings, outcomes = [], []
    for split, clozes in ask.sets.items():
        for type in dict.fromkeys(c.type for c in clozes):
            mine = [c for c in clozes if c.type == type]
            spots = all_spots(ask, bench, mine)
            mine, spots = (found[: enough(ask, type, spots)] for found in (mine, spots))
            states = bench.states([c.shown for c in mine], {"last": "last"}, bench.chosen(ask.lens.first_layer), ask.lens.special)["last"]
            found = of_type(ask, bench, type, split, mine, spots, states)
            readings, outcomes = readings + found[0], outcomes + found[1]
    if not readings:
        raise BadInput(f"{bench.task}: no prompt has a word in {', '.join(ask.types)} that can be looked up.")
    return Result(tuple(readings), tuple(outcomes))


def enough(ask: Decode, type: str, spots: Sequence[Spot]) -> int | None:
    """How many prompts it takes, from the first, for `ask.most` of them to have another type's word that can be looked up."""
    others = [usable(spots, type, t) for t in ask.types if t != type]
    places = np.flatnonzero(np.any(others, 0)) if others else np.arange(len(spots))
    return None if ask.most is None or len(places) <= ask.most else int(places[ask.most - 1]) + 1


def all_spots(ask: Decode, bench: Bench, clozes: Sequence[Cloze]) -> list[Spot]:
    """The words of every cloze as first tokens, each (prompt, word) looked up once and all of them together."""
    pairs = list(dict.fromkeys(pair for c in clozes for pair in pairs_of(c, ask.types)))
    pieces = dict(zip(pairs, all_continuation_ids(bench.model, pairs), strict=True))
    return [spot(ask, bench, c, {word: pieces[prompt, word] for prompt, word in pairs_of(c, ask.types)}) for c in clozes]


def pairs_of(cloze: Cloze, types: Sequence[str]) -> list[tuple[str, str]]:
    return [(cloze.prompt, word) for t in types for word in (*cloze.targets.get(t, ()), *cloze.wrong.get(t, ()))]


def spot(ask: Decode, bench: Bench, cloze: Cloze, pieces: Mapping[str, list[int] | None]) -> Spot:
    """A cloze and the tokens of its words; a wrong word that begins like a right one of its type is left out."""
    right = {t: firsts(bench, cloze.targets.get(t, ()), pieces) for t in ask.types}
    wrong = {t: tuple(i for i in firsts(bench, cloze.wrong.get(t, ()), pieces) if i not in right[t]) for t in ask.types}
    whole = {t: [len(pieces[word] or ()) == 1 for word in cloze.targets.get(t, ())] for t in ask.types}
    cluster = cloze.facets.get(ask.lens.cluster or "", cloze.id)
    return Spot(cloze.id, cloze.type, cluster, right, wrong, frozenset(t for t in ask.types if whole[t] and all(whole[t])))


def firsts(bench: Bench, words: Sequence[str], pieces: Mapping[str, list[int] | None]) -> tuple[int, ...]:
    ids = (first_of(bench.model, pieces[word]) for word in words)
    return tuple(dict.fromkeys(i for i in ids if i is not None))


def of_type(
    ask: Decode, bench: Bench, type: str, split: Split, clozes: Sequence[Cloze], spots: Sequence[Spot], states: States
) -> tuple[list, list]:
    """Rows of one split and one type of prompt, for each way of reading."""
    columns = {"position": "last", "split": split}
    readings, outcomes = eligible(bench, ask.types, type, spots, columns), []
    for variant, norm in ask.lens.norms.items():
        table = look_up(bench, ask.lens, norm, spots, ask.types, layers_of(bench, ask.lens, states))
        measured = quantities(ask.lens, table, type, spots, ask.types, {**columns, "variant": variant})
        if variant is None:
            measured += beside(ask, bench, table, type, clozes, spots, states, columns)
            outcomes += bench.outcomes([m for m in measured if m.keep], [s.item for s in spots], sources=[s.cluster for s in spots])
        readings += bench.readings(measured, [s.cluster for s in spots], ask.lens.intervals)
        if ask.lens.wrong:
            readings += lifts(bench, table, type, spots, ask.types, {**columns, "variant": variant})
    return readings, outcomes


def beside(
    ask: Decode, bench: Bench, table: Table, type: str, clozes: Sequence[Cloze], spots: Sequence[Spot], states: States, columns: dict
) -> list[Measured]:
    """What stands beside the headline: a floor, single-token items alone, and other readers."""
    measured = []
    if ask.lens.floor:
        floor = look_up(bench, ask.lens, ask.lens.norms[None], spots, ask.types, layers_of(bench, ask.lens, states, random=True))
        measured += quantities(replace(ask.lens, wrong=False), floor, type, spots, ask.types, columns, control="random-state")
    if ask.lens.single:
        alone = [s if type in s.single else replace(s, right={}) for s in spots]
        measured += quantities(ask.lens, table, type, alone, ask.types, {**columns, "variant": "single-token"}, single=True)
    for name, reader in readers(ask, bench, states.layers).items():
        measured += by_reader(ask, bench, table, type, spots, states, columns, name, reader)
    return measured + by_states(ask, bench, table, type, clozes, spots, states, columns)


def layers_of(bench: Bench, lens: Lens, states: States, random: bool = False) -> Iterator[tuple[int, Tensor]]:
    """(layer, `[item, dim]`), the states themselves or random ones of the same lengths."""
    generator = bench.generator(1)
    for k in states.layers:
        hidden = states.layer(k)
        yield k, norm_matched(hidden, generator) if random else hidden


def look_up(
    bench: Bench, lens: Lens, norm: str, spots: Sequence[Spot], types: Sequence[str], layers: Iterator[tuple[int, Tensor]]
) -> Table:
    """Read every spot's words at every layer."""
    kinds = [(t, kind) for t in types for kind in ("right", "wrong")]
    ids = {key: ragged([getattr(s, key[1]).get(key[0], ()) for s in spots]) for key in kinds}
    joined, sizes = torch.cat([ids[key] for key in kinds], 1), [ids[key].shape[1] for key in kinds]
    columns: dict[tuple[str, str], list[np.ndarray]] = {}
    seen = []
    for k, hidden in layers:
        how = "final" if lens.normed_end and k == bench.depth else norm
        with torch.no_grad():
            found = word_logprobs(hidden.to(bench.model.device), bench.model.head, joined, how).cpu()
        parts = dict(zip(kinds, found.split(sizes, 1), strict=True))
        for t in types:
            for name, values in summary(parts[t, "right"], parts[t, "wrong"]).items():
                columns.setdefault((t, name), []).append(values)
        seen.append(k)
    return Table(tuple(seen), {key: np.stack(values, 1) for key, values in columns.items()})


def summary(right: Tensor, wrong: Tensor) -> dict[str, np.ndarray]:
    """`right, wrong: [item, word]` log-probabilities, nan for gaps -> the best right one, the mean wrong one, hit or miss."""
    best = right.nan_to_num(nan=-torch.inf).amax(1) if right.shape[1] else torch.full((len(right),), torch.nan)
    best = torch.where(best == -torch.inf, torch.nan, best)
    rival = wrong.nan_to_num(nan=-torch.inf).amax(1) if wrong.shape[1] else torch.full((len(wrong),), -torch.inf)
    hit = torch.where(best.isnan() | (rival == -torch.inf), torch.nan, (best > rival).float())
    mean = lambda x: x.nanmean(1) if x.shape[1] else torch.full((len(x),), torch.nan)  # noqa: E731
    found = {"right": best, "wrong": mean(wrong), "wrong-prob": mean(wrong.exp()), "hit": hit}
    return {name: values.double().numpy() for name, values in found.items()}


def ragged(rows: Sequence[Sequence[int]]) -> Tensor:
    """`[row, longest]` ids, -1 in the gaps."""
    width = max((len(r) for r in rows), default=0)
    return torch.tensor([[*r, *[-1] * (width - len(r))] for r in rows], dtype=torch.long).reshape(len(rows), width)


def usable(spots: Sequence[Spot], own: str, other: str, single: bool = False) -> np.ndarray:
    """`[item]` bool: both types' right words are there, begin differently, and (with `single`) are one token each."""
    apart = [bool(s.right.get(own) and s.right.get(other)) and (own == other or not set(s.right[own]) & set(s.right[other])) for s in spots]
    return np.array([a and (not single or {own, other} <= s.single) for a, s in zip(apart, spots, strict=True)])


def quantities(
    lens: Lens,
    table: Table,
    own: str,
    spots: Sequence[Spot],
    types: Sequence[str],
    columns: dict,
    control: str | None = None,
    single: bool = False,
) -> list[Measured]:
    """What one reading of the spots says of each type of answer, per item and layer."""
    measured = []
    for t in types:
        mask = usable(spots, own, t, single)
        if not mask.any():
            continue
        of = lambda kind, t=t, mask=mask: np.where(mask[:, None], table.values[t, kind], np.nan)  # noqa: E731
        add = lambda measure, values, control=control, keep=False, t=t: measured.append(  # noqa: E731
            Measured(measure, values, {**columns, "group": f"{own}:{t}", "control": control}, table.layers, keep)
        )
        headline = control is None and columns.get("variant") is None
        add("logprob", of("right"))
        add("prob", np.exp(of("right")))
        if lens.wrong:
            add("logprob", of("wrong"), "wrong-word")
            add("prob", of("wrong-prob"), "wrong-word")
        if lens.anchor and t != own:
            add("anchor", of("right") - table.values[own, "right"], keep=headline)
            if lens.wrong:
                add("anchor", of("wrong") - table.values[own, "wrong"], "wrong-word")
                beyond = of("right") - of("wrong") - table.values[own, "right"] + table.values[own, "wrong"]
                add("anchor_excess", beyond, keep=headline)
        if lens.accuracy and control is None:
            add("accuracy", of("hit"))
            add("accuracy", np.where(np.isnan(of("hit")), np.nan, chances(spots, t)[:, None]), "chance")
    return measured


def chances(spots: Sequence[Spot], type: str) -> np.ndarray:
    """`[item]`: one over the number of candidates of this type."""
    return np.array([1.0 / (1 + len(s.wrong.get(type, ()))) for s in spots])


def lifts(bench: Bench, table: Table, own: str, spots: Sequence[Spot], types: Sequence[str], columns: dict) -> list:
    """`lift`: mean probability of the right words over that of the wrong ones, per type of answer and layer."""
    rows = []
    for t in types:
        right, wrong = np.exp(table.values[t, "right"]), table.values[t, "wrong-prob"]
        mask = usable(spots, own, t) & ~np.isnan(right + wrong).any(1)
        if not mask.any():
            continue
        clusters = [s.cluster for s, kept in zip(spots, mask, strict=True) if kept]
        found = bootstrap_ratio(right[mask], wrong[mask].clip(1e-30), clusters, bench.seed, RESAMPLES)
        for k, value, low, high in zip(table.layers, *found, strict=True):
            rows.append(bench.reading("lift", value, low=low, high=high, n=mask.sum(), group=f"{own}:{t}", layer=k, **columns))
    return rows


def eligible(bench: Bench, types: Sequence[str], own: str, spots: Sequence[Spot], columns: dict) -> list:
    """The share of prompts that each group keeps, all items and single-token ones."""
    rows = []
    for t in types:
        for variant, single in ((None, False), ("single-token", True)):
            share = usable(spots, own, t, single).mean()
            rows.append(bench.reading("eligible", share, n=len(spots), group=f"{own}:{t}", **columns, variant=variant))
    return rows


def readers(ask: Decode, bench: Bench, layers: Sequence[int]) -> dict[str, Reader]:
    """The readers that use the unembedding, by name."""
    found: dict[str, Reader] = {}
    maps = translators(bench, ask.lens.affine, layers) if ask.lens.affine else None
    if maps is not None:
        found["affine"] = lambda k, hidden: maps[k](hidden)
    if bench.lens is not None:
        found["tuned"] = bench.lens
    return found | ({"patchscope": patchscope(bench, ask.lens)} if ask.lens.scope else {})


def by_reader(
    ask: Decode, bench: Bench, plain: Table, type: str, spots: Sequence[Spot], states: States, columns: dict, name: str, reader: Reader
) -> list[Measured]:
    """Another reader: states mapped to what the last layer would hold, then read as it is."""
    lens, columns = replace(ask.lens, normed_end=False), {**columns, "variant": name}
    look = lambda random: look_up(  # noqa: E731
        bench, lens, "final", spots, ask.types, ((k, reader(k, hidden)) for k, hidden in layers_of(bench, lens, states, random))
    )
    table = look(False)
    measured = quantities(replace(ask.lens, accuracy=ask.lens.floors), table, type, spots, ask.types, columns)
    if ask.lens.floors:
        measured += quantities(replace(ask.lens, wrong=False), look(True), type, spots, ask.types, columns, control="random-state")
    return measured + disagreements(plain, table, type, spots, ask.types, columns)


def by_states(
    ask: Decode, bench: Bench, plain: Table, type: str, clozes: Sequence[Cloze], spots: Sequence[Spot], states: States, columns: dict
) -> list[Measured]:
    """The readers without an unembedding: `resemblance` of the states to those of words alone, or of words in other texts."""
    ways = {
        "word-states": ask.lens.word_states and (lambda found: resemblances(bench, clozes, ask.types, found)),
        "neighbours": bool(ask.lens.contexts) and (lambda found: neighbourhoods(bench, clozes, ask.lens, ask.types, found)),
    }
    measured = []
    for name, look in ways.items():
        found = look and look(layers_of(bench, ask.lens, states))
        if found:
            here = {**columns, "variant": name}
            measured += resembling(plain.layers, found, type, ask.types, here)
            measured += disagreements(plain, Table(plain.layers, found), type, spots, ask.types, here)
        if found and ask.lens.floors:
            measured += resembling(plain.layers, look(layers_of(bench, ask.lens, states, True)), type, ask.types, here, "random-state")
    return measured


def resembling(layers: Sequence[int], found: Mapping, own: str, types: Sequence[str], columns: dict, floor: str | None = None) -> list:
    """`resemblance` of right and wrong words, and `resemblance_anchor`: another type's word minus the own one, as `anchor` is."""
    measured = []
    for t in types:
        group = {**columns, "group": f"{own}:{t}"}
        for kind, control in (("right", floor), ("wrong", "wrong-word")) if floor is None else (("right", floor),):
            measured.append(Measured("resemblance", found[t, kind], {**group, "control": control}, layers))
            if t != own:
                measured.append(Measured("resemblance_anchor", found[t, kind] - found[own, kind], {**group, "control": control}, layers))
    return measured


def disagreements(one: Table, other: Table, own: str, spots: Sequence[Spot], types: Sequence[str], columns: dict) -> list[Measured]:
    """`disagreement`: how often two readers differ on whether a type's right word or the prompt's own is ahead."""
    measured = []
    for t in types:
        mask = usable(spots, own, t)[:, None]
        if t != own and mask.any():
            first, second = (np.sign(x.values[t, "right"] - x.values[own, "right"]) for x in (one, other))
            values = np.where(mask, first != second, np.nan).astype(float)
            measured.append(Measured("disagreement", values, {**columns, "group": f"{own}:{t}"}, one.layers))
    return measured


# words inside running text -------------------------------------------------------------------------------------------


def decode_words(ask: DecodeWords, bench: Bench) -> Result:
    """Log p of the true next word and of its best gloss, at the position before each word that qualifies."""
    encode = lambda line: bench.model.encode([line], special=ask.lens.special)[0]  # noqa: E731
    found = word_items(ask.lines, ask.glosses, encode, lambda gloss: one_token(bench, gloss))
    spots = {(s.line, s.position): (s.id, tuple(s.glosses.values())) for s in found.spots}
    table, order = read_places(ask, bench, found.lines, spots)
    columns, layers = {"position": "before-word"}, bench.chosen(ask.lens.first_layer)
    groups = {"right": f"{ask.type}:{ask.type}", "gloss": f"{ask.type}:{ask.gloss_type}"}
    variant = next(iter(ask.lens.norms))
    measured = [
        Measured(measure, change(table[kind]), {**columns, "group": group, "variant": variant}, layers)
        for kind, group in groups.items()
        for measure, change in (("logprob", lambda x: x), ("prob", np.exp))
    ]
    rows = bench.readings(measured, [line for line, _ in order], ask.lens.intervals)
    rows.append(bench.reading("eligible", len(spots) / found.counts["words"], n=found.counts["words"], group=groups["gloss"], **columns))
    return Result(tuple(rows), extras={"counts": dict(found.counts)})


def one_token(bench: Bench, word: str) -> int | None:
    """The token of a word as it stands in running text, after a space; without one where the tokenizer adds it itself."""
    for text in (f" {word}", word):
        ids = bench.model.encode([text], special=False)[0].ids
        if len(ids) == 1:
            return ids[0]
    return None


def read_places(ask: DecodeWords, bench: Bench, texts: Sequence[str], spots: Mapping) -> tuple[dict[str, np.ndarray], list]:
    """`[spot, layer]` log-probabilities of the true word and of the best gloss, batch by batch: nothing is kept but these."""
    layers, norm = bench.chosen(ask.lens.first_layer), next(iter(ask.lens.norms.values()))
    order, right, gloss = [], [], []
    for batch in bench.model.stream(texts, "all", layers=list(layers), batch_tokens=bench.batch_tokens, special=ask.lens.special):
        keys = list(zip(batch.items.tolist(), batch.positions.tolist(), strict=True))
        rows = [i for i, key in enumerate(keys) if key in spots]
        if not rows:
            continue
        ids = ragged([(spots[keys[i]][0], *spots[keys[i]][1]) for i in rows])
        found = []
        for k, hidden in zip(layers, batch.states[:, rows], strict=True):
            how = "final" if ask.lens.normed_end and k == bench.depth else norm
            found.append(word_logprobs(hidden, bench.model.head, ids, how).cpu())
        values = torch.stack(found, 1)
        right.append(values[:, :, 0])
        gloss.append(values[:, :, 1:].nan_to_num(nan=-torch.inf).amax(-1))
        order += [keys[i] for i in rows]
    return {"right": torch.cat(right).double().numpy(), "gloss": torch.cat(gloss).double().numpy()}, order


# the map of tokens ---------------------------------------------------------------------------------------------------


def token_map(
    model,
    texts: Sequence[str],
    norm: str = "final",
    top: int = 3,
    layers: Sequence[int] | None = None,
    types: Sequence[str | None] | None = None,
    lens: Reader = lambda layer, hidden: hidden,
) -> list[dict]:
    """For each text, its tokens and the `top` likeliest words at every layer and position, with probabilities.

    `words[layer][position]` is a list of (word, probability), and with `types` (the likeliest type of each token of the
    vocabulary, None where there is none) of (word, probability, type); words are decoded as people write them. `lens`
    changes the states before they are read.
    """
    said = lambda id, p: (written(model, id), round(p, 4)) + (() if types is None else (types[id],))  # noqa: E731
    layers = list(layers) if layers is not None else list(range(model.layers + 1))
    encodings = model.encode(list(texts))
    maps = [
        {"text": t, "tokens": [written(model, i) for i in e.ids], "layers": layers, "words": []}
        for t, e in zip(texts, encodings, strict=True)
    ]
    for item, entry in enumerate(maps):
        batch = next(iter(model.stream([texts[item]], "all", layers=layers)))
        states = torch.stack([lens(k, hidden[batch.positions.argsort()]) for k, hidden in zip(layers, batch.states, strict=True)])
        with torch.no_grad():
            values, ids = top_k(states, model.head, top, norm)
        for probabilities, row in zip(values.exp().tolist(), ids.tolist(), strict=True):
            entry["words"].append([[said(i, p) for i, p in zip(w, q, strict=True)] for w, q in zip(row, probabilities, strict=True)])
    return maps


def written(model, id: int) -> str:
    """A token as people write it; a fragment of a letter, which has no such form, as the tokenizer's own name for it."""
    text = model.tokenizer.decode([id])
    return text if text and "\ufffd" not in text else str(model.tokenizer.convert_ids_to_tokens(id))

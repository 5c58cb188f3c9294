"""The procedure of `DecodeMarks`: what do the layers expect at marked places inside running texts, before what truly follows?

Blind to which model is read and to what the places are. Rows: those of `Decode`, group `<what follows>:<words looked up>`,
and `prob_excess`, a group's probability minus its mean over all places.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semhub.errors import BadInput
from semhub.measures.lens import norm_matched
from semhub.methods.affine import translators
from semhub.methods.bench import Bench, Measured
from semhub.methods.declare import BEYOND, DecodeMarks, Result, Split, evenly
from semhub.methods.decode import Spot, Table, disagreements, eligible, lifts, look_up, quantities, usable
from semhub.models.tokens import first_continuation_id
from semhub.models.where import Encoding
from semhub.types import Mark

Place = tuple[str, int]  # text, token
FLOOR, AFFINE = "random-state", "affine"
TOLD = 200  # items of each reason that the extras name


def decode_marks(ask: DecodeMarks, bench: Bench) -> Result:
    """Every split, and every value of the facet `by`. Raises BadInput where no place can be read, and says why."""
    readings, outcomes, extras = [], [], {}
    for split, marks in ask.sets.items():
        every, left_out = placed(ask, bench, marks)
        kept = every if ask.most is None else evenly(every, ask.most)
        chosen = {mark.id for mark, *_ in kept}
        left_out |= {mark.id: BEYOND for mark, *_ in every if mark.id not in chosen} | dict(ask.left_out.get(split, {}))
        extras[split or "all"] = {
            "kept": len(kept),
            "left_out": dict(Counter(left_out.values())),
            "items": {why: [item for item, said in left_out.items() if said == why][:TOLD] for why in dict.fromkeys(left_out.values())},
        }
        if kept:
            found = of_split(ask, bench, split, kept, len(every) / len(marks), len(marks))
            readings, outcomes = readings + found[0], outcomes + found[1]
    if not readings:
        why = "; ".join(f"{split}: {each['left_out'] or 'no mark'}" for split, each in extras.items())
        raise BadInput(f"{bench.task}: no place can be read ({why}).")
    return Result(tuple(readings), tuple(outcomes), extras)


# where the places are ------------------------------------------------------------------------------------------------


def placed(ask: DecodeMarks, bench: Bench, marks: Sequence[Mark]) -> tuple[list[tuple[Mark, Place, Spot]], dict[str, str]]:
    """The marks that have a place among the tokens, with it and its words; of the others, by id, why they have none."""
    texts = list(dict.fromkeys(m.text for m in marks))
    encodings = dict(zip(texts, bench.model.encode(texts, ask.lens.special), strict=True))
    kept, left_out = [], {}
    for mark in marks:
        encoding = encodings[mark.text]
        position = token_before(mark, encoding, bench.model.context)
        if isinstance(position, str):
            left_out[mark.id] = position
            continue
        spot = spot_of(ask, bench, mark, encoding, position)
        if not spot.right.get(mark.type):
            left_out[mark.id] = "no token of its own for the right word"
        elif not any(usable([spot], mark.type, t)[0] for t in ask.types if t != mark.type):
            left_out[mark.id] = "the words begin with one and the same token"
        else:
            kept.append((mark, (mark.text, position), spot))
    return kept, left_out


def token_before(mark: Mark, encoding: Encoding, context: int | None) -> int | str:
    """The position to read, or why there is none."""
    if context is not None and len(encoding) > context:
        return "the text is longer than the model's context"
    covering = [p for p in encoding.content if encoding.offsets[p][0] <= mark.at < encoding.offsets[p][1]]
    if len(covering) != 1:
        return "ambiguous offsets"
    here = covering[0]
    start, end = trimmed(encoding, here)
    if end != mark.at + 1 or (mark.alone and start != mark.at):
        return "the mark is no token of its own" if mark.alone else "the mark does not end its token"
    if here + 1 not in encoding.content:
        return "nothing follows"
    if mark.follows is not None and not follows_on(mark, encoding, here + 1):
        return "what follows is not one token" if mark.whole else "what follows does not begin with the next token"
    return here


def trimmed(encoding: Encoding, position: int) -> tuple[int, int]:
    """The characters of a token, without white space around them; none of a bare space."""
    start, end = encoding.offsets[position]
    shown = encoding.text[start:end]
    return start + len(shown) - len(shown.lstrip()), end - len(shown) + len(shown.rstrip())


def follows_on(mark: Mark, encoding: Encoding, position: int) -> bool:
    (start, end), found = mark.follows, trimmed(encoding, position)
    return found == (start, end) if mark.whole else found[0] == start < found[1]


def spot_of(ask: DecodeMarks, bench: Bench, mark: Mark, encoding: Encoding, position: int) -> Spot:
    """The first tokens of the words as they would stand after the mark; of what truly follows, the token that stands there."""
    right = {t: firsts(bench, mark, mark.words.get(t, ())) for t in ask.types}
    if mark.type not in mark.words:
        right[mark.type] = (encoding.ids[position + 1],)
    wrong = {t: tuple(i for i in firsts(bench, mark, mark.wrong.get(t, ())) if i not in right[t]) for t in ask.types}
    cluster = mark.facets.get(ask.lens.cluster or "", mark.id)
    return Spot(mark.id, mark.type, cluster, right, wrong, frozenset())


def firsts(bench: Bench, mark: Mark, words: Sequence[str]) -> tuple[int, ...]:
    ids = (first_token(bench, mark.text[mark.at], word) for word in words)
    return tuple(dict.fromkeys(i for i in ids if i is not None))


def first_token(bench: Bench, before: str, word: str) -> int | None:
    """The first token of `word`, written as it stands, after the character `before`."""
    key = ("first-token", before, word)
    if key not in bench.memo:
        bench.memo[key] = first_continuation_id(bench.model, before, word, space=False)
    return bench.memo[key]


# what is read there --------------------------------------------------------------------------------------------------


def of_split(
    ask: DecodeMarks, bench: Bench, split: Split, kept: Sequence[tuple[Mark, Place, Spot]], share: float, of: int
) -> tuple[list, list]:
    """Rows of one split, of the values of `by` in it, and of each kind of what follows; `share` of so many places can be read."""
    tables = read_places(ask, bench, [place for _, place, _ in kept], [spot for _, _, spot in kept])
    parts = {split: np.arange(len(kept))}
    if ask.by is not None:
        values = np.array([mark.facets.get(ask.by, "") for mark, _, _ in kept])
        parts |= {value: np.flatnonzero(values == value) for value in sorted(set(values)) if value}
    columns = {"position": "before", "split": split}
    readings, outcomes = [bench.reading("eligible", share, n=of, **columns)], []
    for name, rows in parts.items():
        for own in dict.fromkeys(mark.type for mark, _, _ in kept):
            mine = [i for i in rows if kept[i][0].type == own]
            if mine:
                found = of_kind(ask, bench, own, [kept[i][2] for i in mine], mine, tables, {**columns, "split": name})
                readings += found[0]
                outcomes += found[1] if name == split else []
    return readings, outcomes


def of_kind(
    ask: DecodeMarks, bench: Bench, own: str, spots: Sequence[Spot], rows: Sequence[int], tables: dict, columns: dict
) -> tuple[list, list]:
    """Rows of the places where `own` truly follows, by reader; and their items, for the map of layers and places."""
    readings, outcomes, lens = [], [], ask.lens
    of = {reader: Table(table.layers, {key: values[rows] for key, values in table.values.items()}) for reader, table in tables.items()}
    for (variant, control), table in of.items():
        here = {**columns, "variant": variant}
        plain = control is None and variant != AFFINE
        measured = quantities(lens if plain else replace(lens, wrong=False, accuracy=False), table, own, spots, ask.types, here, control)
        if control is None and ask.excess:
            measured += excesses(tables[variant, None], table, own, spots, ask.types, here)
        if variant == AFFINE:
            measured += disagreements(of[None, None], table, own, spots, ask.types, here)
        if (variant, control) == next(iter(of)):
            items = [m for m in measured if m.keep or (m.measure == "logprob" and m.columns.get("control") is None)]
            outcomes += bench.outcomes(items, [s.item for s in spots], sources=[s.cluster for s in spots])
        readings += bench.readings(measured, [s.cluster for s in spots], lens.intervals)
        if lens.wrong and plain:
            readings += lifts(bench, table, own, spots, ask.types, here)
    return readings + (eligible(bench, ask.types, own, spots, columns) if lens.single else []), outcomes


def excesses(whole: Table, table: Table, own: str, spots: Sequence[Spot], types: Sequence[str], columns: dict) -> list[Measured]:
    """`prob_excess`: the probability of each group's word, minus its mean over all places of the split."""
    found = []
    for t in types:
        right = np.exp(whole.values[t, "right"])
        usual = np.nansum(right, 0) / (~np.isnan(right)).sum(0).clip(1)
        values = np.where(usable(spots, own, t)[:, None], np.exp(table.values[t, "right"]) - usual, np.nan)
        found.append(Measured("prob_excess", values, {**columns, "group": f"{own}:{t}"}, table.layers))
    return found


def read_places(
    ask: DecodeMarks, bench: Bench, places: Sequence[Place], spots: Sequence[Spot]
) -> dict[tuple[str | None, str | None], Table]:
    """(variant, control) -> the words' log-probabilities at every place, batch by batch: no state is kept."""
    lens, layers = ask.lens, bench.chosen(ask.lens.first_layer)
    texts = {text: number for number, text in enumerate(dict.fromkeys(text for text, _ in places))}
    where: dict[tuple[int, int], list[int]] = {}
    for i, (text, position) in enumerate(places):
        where.setdefault((texts[text], position), []).append(i)
    maps = translators(bench, lens.affine, layers) if lens.affine else None
    generator = bench.generator(1)
    order: list[int] = []
    parts: dict[tuple[str | None, str | None], list[Table]] = {}
    for batch in bench.model.stream(list(texts), "all", layers=list(layers), batch_tokens=bench.batch_tokens, special=lens.special):
        keys = enumerate(zip(batch.items.tolist(), batch.positions.tolist(), strict=True))
        pairs = [(row, i) for row, key in keys for i in where.get(key, ())]
        if not pairs:
            continue
        states = batch.states[:, [row for row, _ in pairs]]
        mine = [spots[i] for _, i in pairs]
        order += [i for _, i in pairs]
        for (variant, control), norm in readers(lens, maps is not None).items():
            hidden = norm_matched(states, generator) if control == FLOOR else states
            shown = zip(layers, hidden, strict=True)
            if variant == AFFINE:
                shown = ((k, maps[k](h)) for k, h in shown)
            how = replace(lens, normed_end=lens.normed_end and variant != AFFINE)
            parts.setdefault((variant, control), []).append(look_up(bench, how, norm, mine, ask.types, shown))
    back = np.argsort(order)
    return {reader: joined(tables, back) for reader, tables in parts.items()}


def readers(lens, affine: bool) -> dict[tuple[str | None, str | None], str]:
    """(variant, control) -> norm."""
    found = {(variant, None): norm for variant, norm in lens.norms.items()}
    if lens.floor:
        found[None, FLOOR] = lens.norms[None]
    return found | ({(AFFINE, None): "final"} if affine else {})


def joined(tables: Sequence[Table], order: np.ndarray) -> Table:
    """The batches' tables as one, rows in the order of the places."""
    keys = tables[0].values
    return Table(tables[0].layers, {key: np.concatenate([table.values[key] for table in tables])[order] for key in keys})

"""The procedure of `Compare`: states of one meaning in two types, against states of other meanings (Eq. 1).

Blind to which model is read and to what the items are about. Rows: `adjusted_cosine` (S_l), `p_at_1` both ways, `cosine` by
kind of pair, `difference`, `p_value` (permuted meanings, maximum over layers); beside them `mrr`, `mexa`, `csls_at_1`, `mutual_knn`,
`cka`, and of each type `centrality`, `centrality_p_at_1` and `explained` (its place among the others; group: the type).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, permutations

import numpy as np
import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.measures import centrality, neighbours, similarity
from semhub.measures.permutation import peak_p
from semhub.methods import alike
from semhub.methods.alike import Tokens
from semhub.methods.bench import Bench, Measured, States
from semhub.methods.declare import Compare, Place, Result, Split
from semhub.methods.rounds import Rounds, Rows, alone, one_round, rounds_of
from semhub.methods.unshown import account, unshowable
from semhub.types import Concept, Input
from semhub.types import shown as with_media

Key = tuple[str, str, str | None]  # measure, group, control
PERMUTATIONS = 4999
EXTRA_VARIANTS = ("centred", "standardised")
ALIKE = "overlap-matched"
ALONE = "no other meaning has so many takes"


@dataclass(frozen=True, slots=True)
class Side:
    """What was read of one type: its items, by control the items that have that negative, with the negatives' states, and `ask.every`."""

    items: States
    negatives: dict[str, tuple[list[int], States]]
    every: States | None = None


@dataclass(frozen=True)
class Layer:
    """One type at one layer: its states, the same at length 1, its negatives at length 1, `ask.every`, and each item's nearest others."""

    states: Tensor
    unit: Tensor
    negatives: dict[str, Tensor]
    every: Tensor | None = None

    @cached_property
    def nearest(self) -> Tensor:
        return neighbours.nearest(self.unit)

    def of(self, rows: Rows) -> "Layer":
        """Some of the items, without negatives of their own; all of them are the layer itself."""
        return self if isinstance(rows, slice) else Layer(self.states[rows], self.unit[rows], {})


@dataclass(frozen=True, slots=True)
class Words:
    """What the texts of one position are made of: the tokens of each type, and by pair of types each item's look-alike."""

    tokens: dict[str, Tokens]
    likes: dict[tuple[str, str], tuple[list[int], list[int]]]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Items of a pair of types that have a negative, and its row on the left and on the right side (None: not on this side)."""

    items: Rows
    left: Rows | None
    right: Rows | None


@dataclass(frozen=True, slots=True)
class View:
    """One split at one position: its concepts, which of them are compared, and what was read of each type; the contrasts by pair."""

    split: Split
    place: Place
    concepts: Sequence[Concept]
    rounds: Rounds
    sides: dict[str, Side]
    contrasts: dict[tuple[str, str], dict[str, Contrast]]
    words: Words

    def columns(self, **more) -> dict:
        return {"position": self.place.name, "split": self.split, **more}


def compare(ask: Compare, bench: Bench) -> Result:
    """Every pair of types, at every position, in every split.

    Raises BadInput where fewer than two types or two items are left to compare.
    """
    readings, outcomes, left_out = [], [], {}
    for split, concepts in ask.sets.items():
        left_out |= unseen(ask, bench, concepts)
        concepts = [concept for concept in concepts if concept.id not in left_out]
        left_out |= lone(ask, concepts)
        concepts = [concept for concept in concepts if concept.id not in left_out]
        words: dict = {}  # by what is shown: several positions of one text have the same words
        for place in ask.places:
            view = look(ask, bench, split, place, concepts, words)
            if view is None:
                continue
            wanted = (*ask.measures, *(ask.beside if place is ask.places[0] else ()))
            measured = [
                m
                for variant in (*ask.variants, *(v for v in wanted if v in EXTRA_VARIANTS))
                for m in measure(ask, bench, view, variant, wanted)
            ]
            clusters = None if ask.cluster is None else sources(ask, view.concepts)
            readings += bench.readings(measured, clusters, ask.intervals) + of_whole_sets(ask, bench, view, wanted)
            outcomes += items_behind(bench, measured, view, clusters) if place is ask.places[0] else []
    if not readings:
        raise BadInput(f"{bench.task}: no two types of {', '.join(ask.types)} share a position; nothing can be compared.")
    return Result(tuple(readings), tuple(outcomes), account(left_out) if left_out else {})


def unseen(ask: Compare, bench: Bench, concepts: Sequence[Concept]) -> dict[str, str]:
    """The concepts with an image or a sound that the model cannot be shown, by id, with the reason."""
    kinds = [t for t in ask.types if any(t in c.forms and c.forms[t].media for c in concepts)]
    found: dict[str, str] = {}
    for type in kinds:
        given = ((c.id, shown(place, type, c)) for place in ask.places[:1] for c in concepts)
        found |= unshowable(bench.of(type), ((id, each) for id, each in given if each is not None))
    return found


def sources(ask: Compare, concepts: Sequence[Concept]) -> list[str]:
    """What items share that are not independent, or themselves."""
    return [c.facets.get(ask.cluster or "", c.id) for c in concepts]


def lone(ask: Compare, concepts: Sequence[Concept]) -> dict[str, str]:
    """The takes that nothing can be compared with, by id, with the reason; none where there is but one meaning, which `look` refuses."""
    labels = sources(ask, concepts)
    return {concepts[i].id: ALONE for i in alone(labels)} if ask.takes and len(set(labels)) > 1 else {}


def look(ask: Compare, bench: Bench, split: Split, place: Place, concepts: list[Concept], words: dict) -> View | None:
    """Read the items and hard negatives of one split; None where fewer than two types have this position."""
    types = [t for t in ask.types if bench.reads(t) and concepts and all(shown(place, t, c) is not None for c in concepts)]
    if len(types) < 2:
        return None
    rounds = rounds_of(sources(ask, concepts)) if ask.takes else one_round(len(concepts))
    if len(rounds.first) < 2:
        raise BadInput(f"{bench.task}: at least two items are needed to compare meanings, found {len(rounds.first)}.")
    sides = {t: Side(read(ask, bench, place, t, concepts), negatives(ask, bench, place, t, concepts)) for t in types}
    if split in ask.every:
        sides[types[-1]] = replace(sides[types[-1]], every=read(ask, bench, place, types[-1], ask.every[split]))
    if place.show not in words:
        words[place.show] = words_of(ask, bench, place, types, concepts)
    here, same = words[place.show], {name: matched_pairs(concepts, key, bench.seed, rounds) for name, key in ask.matched.items()}
    matched = {pair: same | ({ALIKE: here.likes[pair]} if ask.alike else {}) for pair in pairs_of(ask, types)}
    found = {pair: contrasts(sides, pair, matched[pair], len(concepts)) for pair in matched}
    return View(split, place, concepts, rounds, sides, found, here)


def words_of(ask: Compare, bench: Bench, place: Place, types: Sequence[str], concepts: Sequence[Concept]) -> Words:
    """Tokens and look-alikes, as far as they are asked for."""
    known = types if ask.alike or "p_value" in ask.measures else ()
    found = {t: tokens(ask, bench, place, t, concepts) for t in known}
    pairs = pairs_of(ask, types) if ask.alike else ()
    return Words(found, {pair: alike.look_alikes(*alike.aligned(*(found[t] for t in pair))) for pair in pairs})


def tokens(ask: Compare, bench: Bench, place: Place, type: str, concepts: Sequence[Concept]) -> Tokens:
    model, given = bench.of(type).model, [shown(place, type, c) for c in concepts]
    written = all(isinstance(each, str) for each in given)
    if written:
        return alike.tokens_of([e.ids for e in model.encode(given, ask.special)])
    # The places of two images or sounds may hold the same marks; what is shown there differs.
    return replace(alike.tokens_of(model.token_ids(given, ask.special)), texts=np.arange(len(given)))


def shown(place: Place, type: str, concept: Concept) -> Input | None:
    """What the model is given of a concept in a type, at a place; None where there is no such form or position."""
    if type not in concept.forms:
        return None
    form = concept.forms[type]
    text = place.text(type, form.text)
    return None if text is None else with_media(text, form.media, type)


def read_ahead(ask: Compare, bench: Bench, type: str, concepts: Sequence[Concept]) -> None:
    """Where one position's text goes on from the plain one (the probe after the sentence), read both in one pass."""
    plain = {p.name: p.at for p in ask.places if p.show is None and p.at in ("last", "mean")}
    for place in ask.places:
        texts = [c.text(type) for c in concepts]
        longer = [shown(place, type, c) for c in concepts]
        if plain and place.show is not None and all(isinstance(each, str) for each in longer):
            bench.states_inside(texts, longer, plain, {place.name: place.at}, bench.chosen(ask.first_layer), ask.special)


def read(ask: Compare, bench: Bench, place: Place, type: str, concepts: Sequence[Concept]) -> States:
    """States at `place`; positions that show the same text are read in the same pass and remembered."""
    bench = bench.of(type)
    read_ahead(ask, bench, type, concepts)
    at = {p.name: p.at for p in ask.places if p.show is place.show}
    layers = bench.chosen(ask.first_layer)
    return bench.states([shown(place, type, c) for c in concepts], at, layers, ask.special)[place.name]


def negatives(ask: Compare, bench: Bench, place: Place, type: str, concepts: Sequence[Concept]) -> dict[str, tuple[list[int], States]]:
    """By control: the items that have that negative in this type, and its states."""
    found = {}
    for control in ask.controls:
        having = [i for i, c in enumerate(concepts) if control in c.contrasts and shown(place, type, c.contrasts[control]) is not None]
        if having:
            found[control] = (having, read(ask, bench, place, type, [concepts[i].contrasts[control] for i in having]))
    return found


def matched_pairs(concepts: Sequence[Concept], key, seed: int, rounds: Rounds) -> tuple[list[int], list[int]]:
    """Items that share `key` with another one of their round, and for each such another one, drawn from the seed."""
    rng, groups = np.random.default_rng(seed), {}
    for number, rows in enumerate(rounds.rows):
        for i in np.arange(len(concepts))[rows].tolist():
            groups.setdefault((number, key(concepts[i])), []).append(i)
    items, partners = [], []
    for members in groups.values():
        if len(members) > 1:
            items += members
            partners += [int(rng.choice([j for j in members if j != i])) for i in members]
    return items, partners


def contrasts(
    sides: Mapping[str, Side], pair: tuple[str, str], matched: Mapping[str, tuple[list[int], list[int]]], n: int
) -> dict[str, Contrast]:
    """By control: where the negatives of each item stand. Those of `matched` are other items, so they stand among the items."""
    left, right = (sides[t].negatives for t in pair)
    found = {}
    for name in {**left, **right}:
        places = [None if name not in side else {item: row for row, item in enumerate(side[name][0])} for side in (left, right)]
        there = [each for each in places if each is not None]
        items = [i for i in there[0] if all(i in each for each in there)]
        found[name] = Contrast(
            rows_at(items, n), *(None if each is None else rows_at([each[i] for i in items], len(each)) for each in places)
        )
    for name, (items, others) in matched.items():
        if items:
            found[name] = Contrast(rows_at(items, n), rows_at(others, n), rows_at(others, n))
    return found


def rows_at(places: Sequence[int], n: int) -> Rows:
    """Indices of rows; a slice where they are all `n` of them in order, which costs no copy."""
    return slice(None) if list(places) == list(range(n)) else np.array(places, dtype=np.int64)


def measure(ask: Compare, bench: Bench, view: View, variant: str, wanted: Sequence[str]) -> list[Measured]:
    """Every quantity of one view, per item and layer."""
    layers = bench.chosen(ask.first_layer)
    asked = wanted if variant == ask.variants[0] else ask.measures
    table: dict[Key, np.ndarray] = {}
    for j, k in enumerate(layers):
        sides = {type: at_layer(ask, bench, side, k, variant) for type, side in view.sides.items()}
        for left, right in pairs_of(ask, sides):
            for key, items, values in quantities(ask, view, sides[left], sides[right], (left, right), asked):
                table.setdefault(key, np.full((len(view.concepts), len(layers)), np.nan))[items, j] = values
    if "centrality" in asked:
        table |= central(table, list(view.sides))
    headline = variant == ask.variants[0]
    return [
        Measured(m, values, view.columns(variant=variant, group=group, control=control), layers, headline and control is None)
        for (m, group, control), values in table.items()
    ]


def at_layer(ask: Compare, bench: Bench, side: Side, k: int, variant: str) -> Layer:
    """Items and negatives of one type at one layer, normed and centred as the variant says (negatives by the same mean)."""
    parts = [each.layer(k) for each in (side.items, *(states for _, states in side.negatives.values()), side.every) if each is not None]
    sizes, joined = [len(p) for p in parts], torch.cat(parts)
    if ask.normed_end and k == bench.depth:
        joined = bench.normed(joined)
    joined = VARIANTS[variant](joined)
    items, *rest = joined.split(sizes)
    every = None if side.every is None else rest.pop()
    return Layer(items, similarity.units(items), {name: similarity.units(x) for name, x in zip(side.negatives, rest, strict=True)}, every)


VARIANTS = {"raw": lambda x: x, "centred": similarity.centre, "standardised": similarity.standardise}


def central(table: dict[Key, np.ndarray], types: list[str]) -> dict[Key, np.ndarray]:
    """Every type's place among the others: mean S with each, mean P@1 from each into it, share of the others' S explained through it."""
    of = lambda measure, pair: table.get((measure, "-".join(pair), None))  # noqa: E731
    shared = {pair: of("adjusted_cosine", pair) for pair in combinations(types, 2)}
    ways = {pair: of("p_at_1", pair) for pair in permutations(types, 2)}
    found = {}
    if all(values is not None for values in shared.values()):
        found = {"centrality": centrality.centrality(shared), "explained": centrality.explained(shared)}
    if all(values is not None for values in ways.values()):
        found["centrality_p_at_1"] = centrality.inward(ways)
    return {(measure, type, None): values for measure, by_type in found.items() for type, values in by_type.items()}


def quantities(
    ask: Compare, view: View, a: Layer, b: Layer, types: tuple[str, str], wanted: Sequence[str]
) -> Iterator[tuple[Key, Rows, np.ndarray]]:
    """(key, items, values) of one pair of types at one layer; what several measures need is made once."""
    group, own = "-".join(types), torch.linalg.vecdot(a.unit, b.unit)
    if b.every is not None:
        yield ("adjusted_cosine", group, None), slice(None), similarity.against_all(a.states, b.states, b.every).numpy()
        return
    for rows in view.rounds.rows:
        for (name, groups), values in among(a.of(rows), b.of(rows), types, wanted):
            yield (name, groups, None), rows, values.numpy()
    for name, contrast in view.contrasts[types].items() if "adjusted_cosine" in wanted else ():
        yield ("adjusted_cosine", group, name), contrast.items, against(own, a, b, name, contrast).numpy()
    if ask.result is not None:
        yield from by_result(ask, view, a.states, b.states, group)


def among(a: Layer, b: Layer, types: tuple[str, str], wanted: Sequence[str]) -> Iterator[tuple[tuple[str, str], Tensor]]:
    """((measure, group), `[item]`) of items that all mean different things, each held against all others."""
    group, back = "-".join(types), "-".join(reversed(types))
    pair = neighbours.Between(a.unit, b.unit)
    if "adjusted_cosine" in wanted:
        yield ("adjusted_cosine", group), similarity.adjusted_cosine_items(a.states, b.states)
    for name, both_ways in BOTH_WAYS.items():
        if name in wanted:
            for direction, values in zip((group, back), both_ways(pair), strict=True):
                yield (name, direction), values
    if "mexa" in wanted:
        yield ("mexa", group), pair.hits[0] * pair.hits[1]
    if "mutual_knn" in wanted:
        yield ("mutual_knn", group), neighbours.shared(a.nearest, b.nearest)


BOTH_WAYS = {
    "p_at_1": lambda pair: pair.hits,
    "mrr": lambda pair: [1 / ranks for ranks in pair.ranks],
    "csls_at_1": lambda pair: pair.csls(neighbours.K),
}


def against(own: Tensor, a: Layer, b: Layer, name: str, contrast: Contrast) -> Tensor:
    """`[item]`: cos(a, b) minus the mean cosine with the negatives of the sides that have one (an item itself where it is another's)."""
    sides = ((a, b, contrast.right), (b, a, contrast.left))
    others = [
        torch.linalg.vecdot(side.unit[contrast.items], other.negatives.get(name, other.unit)[rows])
        for side, other, rows in sides
        if rows is not None
    ]
    return own[contrast.items] - sum(others) / len(others)


def by_result(ask: Compare, view: View, x: Tensor, y: Tensor, group: str) -> Iterator[tuple[Key, object, np.ndarray]]:
    """Raw cosines by kind of pair, and exact match minus the mean of all pairs, diagonal included (catalogue row 5)."""
    results = torch.tensor([ask.result(c) for c in view.concepts])
    kinds = similarity.result_cosines(x, y, results)
    for kind, control in (("exact", None), ("same", "same-result"), ("different", "different-result")):
        if "cosine" in ask.measures and kinds[kind].counts.sum() > 0:
            # An item's share of the mean over all pairs of its kind, so that the mean over items is that mean.
            yield ("cosine", group, control), slice(None), (kinds[kind].sums / kinds[kind].counts.mean()).numpy()
    if "difference" in ask.measures:
        n = len(view.concepts)
        yield ("difference", group, None), slice(None), similarity.adjusted_cosine_items(x, y).numpy() * (n - 1) / n


def items_behind(bench: Bench, measured: Sequence[Measured], view: View, clusters: Sequence[str] | None) -> list:
    """The items of the headline rows, at the first and last layer and at the peak between them: enough to see who makes the curve."""
    rows = []
    for m in measured:
        if m.keep and m.measure in ("adjusted_cosine", "difference"):
            means = dict(zip(m.layers, m.table().mean(0), strict=True))
            peak = max(between(m.layers, bench.depth), key=lambda k: means[k])
            rows += bench.outcomes([m], [c.id for c in view.concepts], {m.layers[0], peak, m.layers[-1]}, clusters)
    return rows


def between(layers: Sequence[int], depth: int) -> Sequence[int]:
    """The layers of which *shared* speaks: those between the embeddings and the last block; all, where there are none."""
    return [k for k in layers if 0 < k < depth] or layers


def pairs_of(ask: Compare, types: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of types that are compared, in order: all, or those with `ask.around` in them."""
    return [pair for pair in combinations(types, 2) if ask.around is None or ask.around in pair]


def of_whole_sets(ask: Compare, bench: Bench, view: View, wanted: Sequence[str]) -> list:
    """What is no mean over items: `p_value` of permuted meanings at the first position, and `cka` by layer."""
    rows = p_values(ask, bench, view) if "p_value" in wanted and view.place is ask.places[0] else []
    for k in bench.chosen(ask.first_layer) if "cka" in wanted else ():
        states = {t: items_at(ask, bench, side, k) for t, side in view.sides.items()}
        for left, right in pairs_of(ask, view.sides):
            value, n = cka_of(states[left], states[right], view.rounds)
            columns = view.columns(variant="raw", group=f"{left}-{right}")
            rows += [bench.reading("cka", value, n=n, layer=k, **columns)] if np.isfinite(value) else []
    return rows


def cka_of(x: Tensor, y: Tensor, rounds: Rounds) -> tuple[float, int]:
    """(mean over the rounds that have more than three items, by their size; how many items those have), nan and 0 without one."""
    pairs = [(x[rows], y[rows]) for rows in rounds.rows]
    pairs = [pair for pair in pairs if len(pair[0]) > 3]
    sizes = [len(a) for a, _ in pairs]
    return (float(np.average([neighbours.cka(*pair) for pair in pairs], weights=sizes)), sum(sizes)) if pairs else (float("nan"), 0)


def items_at(ask: Compare, bench: Bench, side: Side, k: int) -> Tensor:
    """`[item, dim]`: the states of one type at one layer, as they are or after the final norm."""
    states = side.items.layer(k)
    return bench.normed(states) if ask.normed_end and k == bench.depth else states


def p_values(ask: Compare, bench: Bench, view: View) -> list:
    """Per pair of types, the chance of so high a peak between the first and the last layer when whole meanings, with all their takes,
    are permuted inside their strata."""
    rows, layers = [], between(bench.chosen(ask.first_layer), bench.depth)
    first, takes = view.rounds.first, view.rounds.takes
    facets = [(*(view.concepts[i].facets.get(name) for name in ask.strata), n) for i, n in zip(first, takes, strict=True)]
    for left, right in pairs_of(ask, view.sides):
        pairs = Layers(view.sides[left].items, view.sides[right].items, layers, view.rounds)
        p = chance(pairs, view.words.tokens[left].of(first), view.words.tokens[right].of(first), facets, bench.seed)
        rows.append(bench.reading("p_value", p, n=len(first), **view.columns(variant="raw", group=f"{left}-{right}")))
    return rows


@dataclass(frozen=True, slots=True)
class Layers:
    """The states of both sides layer by layer, a row for each meaning, made anew at every walk and held one at a time."""

    a: States
    b: States
    layers: Sequence[int]
    rounds: Rounds

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        whole = self.rounds.side_by_side
        return ((whole(self.a.layer(k)), whole(self.b.layer(k))) for k in self.layers)


def chance(
    layers: Iterable[tuple[Tensor, Tensor]], a: Tokens, b: Tokens, facets: Sequence[tuple], seed: int = 0, draws: int = PERMUTATIONS
) -> float:
    """`layers`: pairs of states `[item, dim]`, walked twice -> p of the highest S_l, given the tokens of both sides (`alike`)."""
    a, b = alike.aligned(a, b)
    return peak_p(layers, alike.strata(a, b, facets), draws, seed, alike.surface(a, b))

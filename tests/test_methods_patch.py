"""`Patch` against a model in which concept and type are known to part, and against one prompt at a time in plain torch."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

import semhub.models
from oracles import patching as oracle
from planted import Planted, bench, rows, vector
from semhub.data import world
from semhub.errors import BadInput
from semhub.methods import Patch, carry_out
from semhub.methods.patch import ANSWERS, Route, added, first_ids, patched, route, states, unpatched
from semhub.types import Cloze, Exchange
from tiny_models import tiny
from worldly import worldly

TYPES = ("en", "es", "zh")
CONTROLS = ("random-direction", "wrong-concept", "neutral-word", "as-text", "layer-0", "wrong-layer", "wrong-position")
TOLERANCE = 1e-4


def cloze(type, concept):
    return Cloze(f"{concept}@{type}", type, f"{type}:{concept} ?", {t: (f"{t}-{concept}",) for t in TYPES})


def exchange(k, concepts):
    given, put, other = (f"c{(k + j) % concepts}" for j in (0, 1, 2))
    return Exchange(f"{given}>{put}", *({t: cloze(t, c) for t in TYPES} for c in (given, put, other)), {"source": put})


def said(source, target):
    return f"{source.prompt} {target.prompt}"


def ask(**changed):
    usual = {"choose": [exchange(k, 8) for k in range(8)], "report": [exchange(k, 8) for k in range(8)], "controls": CONTROLS}
    return Patch(**{"types": TYPES, "as_text": said, "difference": True} | usual | changed)


class Hub(Planted):
    """Layer 1 holds the concept alone, layer 2 the answer's own word; the type comes from the prompt that is being continued.

    With `shared` false, layer 1 holds concept and type as one, as in a model whose types never met.
    """

    layers = 2

    def __init__(self, shared=True):
        super().__init__([f"{t}-c{k}" for t in TYPES for k in range(8)], self.alone)
        self.shared, self.now = shared, ()

    def held(self, type, concept, layer):
        if layer == 0:
            return vector("?")
        return vector(concept if self.shared and layer == 1 else f"{type}-{concept}")

    def alone(self, text, layer):
        type, _, concept = text.split()[-2].partition(":")
        return self.held(type, concept, layer)

    @contextmanager
    def edit(self, *changes):
        before, self.now = self.now, changes
        yield
        self.now = before

    def read(self, texts, at, layers=None, **asked):
        (last,) = layers
        return torch.stack([self.answer(i, text, last) for i, text in enumerate(texts)])[None]

    def answer(self, i, text, last):
        type = text.split()[-2].partition(":")[0]
        layer, hidden = 0, self.state(text, 0)
        for layer in range(last + 1):
            hidden = self.state(text, 0) if layer == 0 else self.block(layer, type, hidden, text)
            for change in (c for c in self.now if c.layer == layer and c.at == "last"):
                rows = change.change.rows(torch.tensor([i]))
                hidden = rows(hidden[None, None])[0, 0]
        return hidden

    def block(self, layer, type, hidden, text):
        """Block 1 looks the concept up by the prompt; block 2 says the concept that it finds in the state, in the prompt's type."""
        if layer == 1:
            return self.state(text, 1)
        known = {f"c{k}": self.held(type, f"c{k}", 1) for k in range(8)}
        if not self.shared:
            known = {(t, f"c{k}"): self.held(t, f"c{k}", 1) for t in TYPES for k in range(8)}
        near = max(known, key=lambda c: float(torch.nn.functional.cosine_similarity(known[c], hidden, dim=0)))
        return vector(f"{type}-{near}") if self.shared else vector("-".join(near))


@pytest.fixture(scope="module")
def hub():
    return carry_out(ask(), bench(Hub()))


def one(result, **wanted):
    found = rows(result, split="report", **{"variant": None} | wanted)
    assert len(found) == 1, found
    return found[0]


def test_where_concepts_are_shared_they_move_without_their_type(hub):
    for group in ("en>es", "zh>en", "all>es"):
        assert hub.extras["chosen"][group] == {"layer": 1, "strength": 1.0}
        shares = [one(hub, measure=name, group=group, layer=1, strength=1.0, control=None).value for name in ANSWERS]
        assert shares == [1, 0, 0, 0]
        assert one(hub, measure="moved_change", group=group, layer=1, control=None).value == 1
        assert one(hub, measure="kept", group=group, layer=1, strength=0.0).value == 1
        assert one(hub, measure="moved", group=group, layer=0, control=None, strength=1.0).value == 0
    assert one(hub, measure="copied", group="en>es", layer=2, control=None, strength=1.0).value == 1  # the last layer is the source's own
    assert one(hub, measure="moved", group="all>es", layer=1, variant="difference").value == 1


def test_where_types_never_met_nothing_moves():
    apart = carry_out(ask(), bench(Hub(shared=False)))
    assert max(r.value for r in rows(apart, measure="moved", group="en>es", split="report", control=None)) < 0.3
    assert one(apart, measure="copied", group="en>es", layer=1, control=None, strength=1.0).value == 1


def test_controls_move_nothing_and_are_paired(hub):
    excess = {r.control: r for r in rows(hub, measure="moved_excess", group="en>es", split="report")}
    assert set(excess) == set(CONTROLS)
    for name in ("as-text", "layer-0", "wrong-position"):
        assert excess[name].value == 1 and excess[name].low == 1
    # a state of neither concept decides between two equally foreign words: what it gives is chance, and is not all of the effect
    assert excess["wrong-concept"].value > 0.2 and excess["neutral-word"].value >= 0
    assert {r.position for r in rows(hub, control="wrong-position")} == {"first", "last"}
    assert {r.layer for r in rows(hub, control="as-text", measure="moved")} == {None}


def test_every_key_occurs_once_and_items_are_kept(hub):
    from semhub.types import KEY

    keys = [tuple(getattr(r, name) for name in KEY) for r in hub.readings]
    assert len(set(keys)) == len(keys)
    kept = [o for o in hub.outcomes if o.group == "en>es"]
    assert {(o.strength, o.value) for o in kept} == {(0.0, 0.0), (1.0, 1.0)} and len(kept) == 16 and {o.layer for o in kept} == {1}


def test_answers_that_begin_alike_are_left_out_and_told():
    alike = exchange(0, 8)
    alike.source["es"].targets["es"] = alike.target["es"].targets["es"]
    found = carry_out(ask(report=[alike, *(exchange(k, 8) for k in range(1, 8))]), bench(Hub()))
    assert one(found, measure="eligible", group="zh>es").value == pytest.approx(7 / 8)
    assert one(found, measure="moved", group="zh>es", layer=1, control=None, strength=1.0).n == 7


def test_too_little_is_said():
    with pytest.raises(BadInput, match="fewer than two"):
        carry_out(ask(report=[exchange(0, 8)]), bench(Hub()))
    with pytest.raises(BadInput, match="above 0"):
        carry_out(ask(), bench(Hub(), layers=(0,)))


# one prompt at a time ------------------------------------------------------------------------------------------------

WORDS = {"en": ("dog", "cat", "house"), "es": ("perro", "gato", "hotel")}


def asked(type, k, tail):
    texts = {"en": f"The {WORDS['en'][k]} sees{tail}", "es": f"El {WORDS['es'][k]} ve{tail}"}
    return Cloze(f"{k}@{type}", type, texts[type], {t: (WORDS[t][k],) for t in WORDS})


def pairs():
    make = lambda k, tail: {t: asked(t, k, tail) for t in WORDS}  # noqa: E731
    return [Exchange(str(n), make(n, ""), make((n + 1) % 3, " the" * (n + 1)), make((n + 2) % 3, "")) for n in range(3)]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma2", "bloom"])
@pytest.mark.parametrize("layer", [0, 1, 3])
def test_a_patch_is_that_of_one_prompt_at_a_time(kind, layer):
    model, (network, words) = semhub.models.load(tiny(kind)), tiny(kind)
    here, items = bench(model), pairs()
    way = route(here, ("en",), "es", "report", items)
    found = patched(ask(types=("en", "es")), here, way, layer).values
    ids = [[w[0] for w in four] for four in way.words]

    def expected(mutation=None):
        texts = [(item.source["en"].prompt, item.target["es"].prompt) for item in items]
        each = [
            oracle.answers(network, words, [a], b, layer, layer, four, mutation=mutation) for (a, b), four in zip(texts, ids, strict=True)
        ]
        return torch.stack(each).numpy()

    assert np.abs(found - expected()).max() < TOLERANCE
    for mutation in oracle.MUTATIONS:
        impossible = mutation in ("read-one-lower", "written-one-lower") and layer == 0
        # nothing lies below layer 0; at the last layer no other position and no later layer is read
        same = mutation in ("every-later-layer", "every-position") and layer == network.config.num_hidden_layers
        if not (impossible or same):
            assert np.abs(found - expected(mutation)).max() > TOLERANCE, mutation


def test_a_mean_over_types_and_a_difference_are_that_of_one_prompt_at_a_time():
    model = worldly()
    network, words, here = model.network, model.tokenizer, bench(worldly())
    items = world.exchanges(4, 1, types=("en", "es", "de"))
    way = route(here, ("en", "de"), "es", "report", items)
    declared = ask(types=("en", "es", "de"))
    found = patched(declared, here, way, 2).values
    steps = states(declared, here, way, "source", 2) - states(declared, here, way, "target", 2)
    moved = added(declared, here, way, 2).values
    for n, item in enumerate(items):
        if not way.usable[n]:
            continue
        sources, target = [item.source[t].prompt for t in ("en", "de")], item.target["es"].prompt
        for a, choice in enumerate(way.words[n]):
            mean = oracle.answers(network, words, sources, target, 2, 2, choice).max()
            assert float(mean) == pytest.approx(found[n, a], abs=TOLERANCE)
            alone = oracle.answers(network, words, sources[:1], target, 2, 2, choice).max()
            assert abs(float(alone) - found[n, a]) > TOLERANCE
        ids = oracle.plain.encode(words, target)
        logits = oracle.under(network, [2], [len(ids) - 1], steps[n], ids, add=True)
        best = [float(torch.log_softmax(logits, -1)[list(choice)].max()) for choice in way.words[n]]
        np.testing.assert_allclose(best, moved[n], atol=TOLERANCE)


def test_batches_and_order_change_nothing():
    model, declared = worldly(), ask(types=("en", "es"))
    items = world.exchanges(6, 1, types=("en", "es"))

    def values(chosen, **changed):
        here = bench(model, **changed)
        return patched(declared, here, route(here, ("en",), "es", "report", chosen), 1).values

    whole = values(items)
    np.testing.assert_allclose(values(items, batch_tokens=16), whole, atol=TOLERANCE)
    np.testing.assert_allclose(values(items[::-1])[::-1], whole, atol=TOLERANCE)


def test_a_state_in_its_own_place_changes_nothing():
    model, items = worldly(), world.exchanges(4, 1, types=("en", "es"))
    same = [Exchange(i.id, i.target, i.target, i.other) for i in items]
    here = bench(model)
    words = tuple(tuple(first_ids(here, i.target["es"].prompt, [w]) for w in ("perro", "gato", "dog", "cat")) for i in same)
    way = Route(("es",), "es", "report", tuple(same), words)
    np.testing.assert_allclose(patched(ask(), here, way, 2).values, unpatched(here, way).values, atol=TOLERANCE)


def test_exchanges_of_the_world_share_no_being_between_halves():
    first, second = (world.exchanges(500, half) for half in (0, 1))
    keys = lambda found: {c["en"].id.split(":")[1] for e in found for c in (e.source, e.target, e.other)}  # noqa: E731
    assert first and second and not keys(first) & keys(second)
    for found in (*first, *second):
        answers = [found_by["en"].targets["en"] for found_by in (found.source, found.target, found.other)]
        assert len(set(answers)) == 3
        assert {c["en"].facets["split"] for c in (found.source, found.target, found.other)} == {"train"}
        assert found.source["en"].targets == found.source["zh"].targets

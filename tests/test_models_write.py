"""Writing into the residual stream: right layer, right positions, right moment, and no trace afterwards."""

import functools
import re
from contextlib import contextmanager

import pytest
import torch
import transformers
from transformers import DynamicCache

from families import network_of, words_of
from semhub.edits import ablate, add, replace
from semhub.errors import BadInput
from semhub.models.opening import load
from semhub.models.structure import first_tensor, with_first_tensor
from semhub.models.where import Encoding
from semhub.models.write import Edit, Rows, at_strength, change_at, editing, telling

KINDS = ("llama", "gpt2", "bloom", "opt", "gemma", "gemma2")  # rotary, learned, ALiBi and offset positions; sliding windows
PROMPTS = ("The dog sees the cat.", "El perro ve el gato.", "dog", "5=3+", "The cat sees the dog. This represents", "这代表了狗。")
DIM = 16


@functools.cache
def opened(kind="llama"):
    return load((network_of(kind), words_of(kind)), prove=False)


def vector(seed=0, *shape):
    return torch.randn(*shape, DIM, generator=torch.Generator().manual_seed(seed))


@contextmanager
def by_hand(model, layer, changes):
    """The plain version: `changes` maps a position to a function of its state; batch 1, no cache, no padding."""

    def changed(hidden):
        hidden = hidden.clone()
        for position, change in changes.items():
            if position < hidden.shape[1]:
                hidden[0, position] = change(hidden[0, position])
        return hidden

    if layer == 0:
        hook = lambda block, args, kwargs: ((changed(args[0]), *args[1:]), kwargs)  # noqa: E731
        handle = model.parts.blocks[0].register_forward_pre_hook(hook, with_kwargs=True)
    else:
        hook = lambda block, args, output: with_first_tensor(output, changed(first_tensor(output)))  # noqa: E731
        handle = model.parts.blocks[layer - 1].register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def plain_logits(model, ids):
    return model.network(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


@torch.no_grad()
def batch_logits(model, encodings, side="left", **more):
    """Each text's logits `[token, vocab]`, run as one padded batch."""
    width = max(map(len, encodings))
    pads = [width - len(one) for one in encodings]
    left = [pad if side == "left" else 0 for pad in pads]
    ids, mask = torch.full((len(pads), width), 2), torch.zeros(len(pads), width, dtype=torch.long)
    for row, (one, start) in enumerate(zip(encodings, left, strict=True)):
        ids[row, start : start + len(one)], mask[row, start : start + len(one)] = torch.tensor(one.ids), 1
    if not isinstance(model.network, transformers.BloomForCausalLM):
        more["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model.network(input_ids=ids, attention_mask=mask, **more).logits
    return [logits[row, start : start + len(one)] for row, (one, start) in enumerate(zip(encodings, left, strict=True))]


POSITIONS = {
    "last": lambda one: [len(one) - 1],
    "first": lambda one: [0],
    "all": lambda one: range(len(one)),
    "first:2": lambda one: [0, 1],
    "mean": lambda one: range(one.ids[0] == 0, len(one)),
    -1: lambda one: [len(one) - 1],
    0: lambda one: [0],
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_lands_where_it_is_told_under_padding(kind, side):
    model, push = opened(kind), 3 * vector()
    encodings = model.encode(PROMPTS)
    assert len({len(one) for one in encodings}) > 3
    for (at, positions), layer in zip(POSITIONS.items(), (0, 1, 2, 3, 0, 1, 2), strict=True):
        with model.edit(Edit(layer, add(push), at)):
            batch = batch_logits(model, encodings, side)
        for one, logits in zip(encodings, batch, strict=True):
            with by_hand(model, layer, {p: lambda h: h + push for p in positions(one)}):
                assert torch.allclose(logits, plain_logits(model, one.ids), atol=1e-4), (at, layer, one.text)


@pytest.mark.parametrize("side", ["left", "right"])
def test_first_positions_count_from_the_bos(side):
    """The paper's difference is zero at position 0, the BOS; under left padding that is not column 0."""
    model = opened("llama")
    encodings = model.encode(PROMPTS)
    assert all(one.ids[0] == model.tokenizer.bos_token_id for one in encodings)
    vectors = torch.stack([torch.zeros(DIM), 3 * vector(1)])
    with editing(model, [Edit(2, add(vectors[None]), "first:2", "prompt")]):
        batch = batch_logits(model, encodings, side)
    for one, logits in zip(encodings, batch, strict=True):
        with by_hand(model, 2, {1: lambda h: h + vectors[1]}):
            assert torch.allclose(logits, plain_logits(model, one.ids), atol=1e-4)
        assert torch.allclose(logits[0], plain_logits(model, one.ids)[0], atol=1e-4), "the BOS itself is left alone"
        assert not torch.allclose(logits[1], plain_logits(model, one.ids)[1], atol=1e-2)


@pytest.mark.parametrize("texts", [("dog",), ("dog", "The dog sees the cat.")])
def test_a_text_shorter_than_the_first_positions_takes_those_it_has(texts):
    model, vectors = opened("llama"), 3 * vector(1, 4)
    encodings = model.encode(texts)
    assert len(encodings[0]) == 2
    with model.edit(Edit(1, add(vectors[None]), "first:4", "prompt")):
        logits = batch_logits(model, encodings)[0]
    with by_hand(model, 1, {p: lambda h, p=p: h + vectors[p] for p in range(2)}):
        assert torch.allclose(logits, plain_logits(model, encodings[0].ids), atol=1e-4)


def test_reading_sees_the_edits_of_its_own_texts():
    """`read` sorts texts by length; values and positions per text follow them."""
    model, values = opened("llama"), vector(14, len(PROMPTS))
    at = ["last", "first", "last", -2, "word:This", "last"]
    with model.edit(Edit(2, replace(values), at)):
        states = model.read(PROMPTS, at, layers=[2], batch_tokens=16)
    assert torch.equal(states[0], values)


def test_words_are_found_in_the_tokens_of_the_pass():
    model, text = opened("llama"), "The dog sees the cat."
    encoding = model.encode([text])[0]
    place = next(p for p, (start, end) in enumerate(encoding.offsets) if text[start:end].strip() == "dog")
    for at, position in (("word:dog", place), ("before:dog", place - 1), ("span:4-7", place)):
        with editing(model, [Edit(1, replace(vector(2)), at)]):
            logits = batch_logits(model, model.encode([text, "The dog"]))[0]
        with by_hand(model, 1, {position: lambda h: vector(2)}):
            assert torch.allclose(logits, plain_logits(model, encoding.ids), atol=1e-4)


def test_tokens_that_no_text_has_are_refused_where_words_are_asked_for():
    model = opened("gpt2")
    pieces = [one.ids for one in model.encode(["The", " ", "d", "o", "g"], special=False)]
    split = Encoding(sum(pieces, []), [], "", [])
    with pytest.raises(BadInput, match="no word can be found"), editing(model, [Edit(1, add(vector()), "word:dog")]):
        batch_logits(model, [split])


def test_each_row_its_own_value_and_position():
    model, pushes = opened("gpt2"), 3 * vector(3, 3)
    encodings = model.encode(PROMPTS[:3])
    with editing(model, [Edit(1, add(pushes), ["last", 0, "word:dog"])]):
        batch = batch_logits(model, encodings)
    for one, logits, push, place in zip(encodings, batch, pushes, (len(encodings[0]) - 1, 0, len(encodings[2]) - 1), strict=True):
        with by_hand(model, 1, {place: lambda h, push=push: h + push}):
            assert torch.allclose(logits, plain_logits(model, one.ids), atol=1e-4)


def test_values_and_positions_follow_the_texts_when_rows_are_reordered():
    model, pushes, order = opened("llama"), 3 * vector(4, 3), torch.tensor([2, 0, 0])
    encodings, at = model.encode(PROMPTS[:3]), ["last", "first", "mean"]
    with editing(model, [Edit(2, add(pushes), at)]):
        straight = batch_logits(model, encodings)
    rows = [encodings[k] for k in order]
    with telling(Rows(order, rows, max(map(len, rows)))), editing(model, [Edit(2, add(pushes), at)]):
        reordered = batch_logits(model, rows)
    for place, logits in zip(order, reordered, strict=True):
        assert torch.allclose(logits, straight[place], atol=1e-4)


@pytest.mark.parametrize("when", ["prompt", "generated", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_moment_with_a_cache(kind, when):
    """Two tokens after the prompt, fed one by one with a cache, against the whole text run again by hand."""
    model, push = opened(kind), 3 * vector(5)
    ids = model.encode([PROMPTS[0]])[0].ids
    more, n = [40, 50], len(ids)
    cache = DynamicCache(config=model.network.config)
    with torch.no_grad(), editing(model, [Edit(1, add(push), -2, when)]):
        for piece in (ids, more[:1], more[1:]):
            logits = model.network(input_ids=torch.tensor([piece]), past_key_values=cache, use_cache=True).logits[0, -1]
    places = {"prompt": [n - 2], "generated": [n, n + 1], "both": [n - 2, n, n + 1]}[when]
    with by_hand(model, 1, {p: lambda h: h + push for p in places}):
        assert torch.allclose(logits, plain_logits(model, ids + more)[-1], atol=1e-4)


def test_under_transformers_own_generate():
    model, push = opened("llama"), 3 * vector(6)
    ids = model.encode([PROMPTS[0]])[0].ids
    with editing(model, [Edit(2, add(push), "last", "both")]):
        made = model.network.generate(torch.tensor([ids]), max_new_tokens=6, do_sample=False, eos_token_id=None)[0].tolist()
    for count in range(6):
        so_far = ids + made[len(ids) : len(ids) + count]
        with by_hand(model, 2, {p: lambda h: h + push for p in range(len(ids) - 1, len(so_far))}):
            assert int(plain_logits(model, so_far)[-1].argmax()) == made[len(so_far)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_edit_changes_no_bit(kind):
    model = opened(kind)
    encodings = model.encode(PROMPTS)
    plain = batch_logits(model, encodings)
    edits = [Edit(layer, lambda hidden: hidden, at) for layer in range(4) for at in ("all", "last", "mean")]
    for some in ([], edits, [Edit(2, add(torch.zeros(DIM)), "last")]):
        with editing(model, some):
            assert all(torch.equal(a, b) for a, b in zip(plain, batch_logits(model, encodings), strict=True))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.network.modules())


def test_undone_after_an_error_too():
    model = opened("bloom")
    encodings, before = model.encode(PROMPTS[:2]), hooks(model)
    plain = batch_logits(model, encodings)
    with pytest.raises(ZeroDivisionError), editing(model, [Edit(0, add(vector())), Edit(2, lambda hidden: 1 / 0)]):
        batch_logits(model, encodings)
    with pytest.raises(BadInput), editing(model, [Edit(1, add(vector())), Edit(9, add(vector()))]):
        pass
    assert hooks(model) == before
    assert all(torch.equal(a, b) for a, b in zip(plain, batch_logits(model, encodings), strict=True))


def test_edits_nest_and_come_in_order():
    model = opened("opt")
    encodings, double = model.encode(PROMPTS[:2]), lambda hidden: hidden * 2
    with editing(model, [Edit(1, add(vector())), Edit(1, double)]):
        together = batch_logits(model, encodings)
    with editing(model, [Edit(1, add(vector()))]):
        outer = batch_logits(model, encodings)
        with editing(model, [Edit(1, double)]):
            nested = batch_logits(model, encodings)
        assert all(torch.equal(a, b) for a, b in zip(outer, batch_logits(model, encodings), strict=True))
    with editing(model, [Edit(1, lambda hidden: (hidden + vector()) * 2)]):
        at_once = batch_logits(model, encodings)
    for a, b, c in zip(together, nested, at_once, strict=True):
        assert torch.equal(a, b) and torch.allclose(a, c, atol=1e-4)


def test_the_last_layer_is_what_the_final_norm_reads():
    model, states = opened("llama"), vector(7)
    with editing(model, [Edit(3, replace(states), "last")]):
        logits = batch_logits(model, model.encode(PROMPTS[:2]))[0][-1]
    with torch.no_grad():
        assert torch.allclose(logits, model.network.lm_head(model.network.model.norm(states)), atol=1e-5)


def test_a_strength_for_each_row_goes_as_far_as_told():
    hidden, push = torch.randn(3, 2, DIM), 4 * vector()
    moved = at_strength(add(push), torch.tensor([0.0, 1.0, 2.5]))(hidden)
    assert torch.equal(moved[0], hidden[0]) and torch.equal(moved[1], hidden[1] + push)
    assert torch.allclose(moved[2], hidden[2] + 2.5 * push, atol=1e-4)
    first = torch.eye(DIM)[0]
    assert torch.allclose(at_strength(ablate(first), torch.full((3,), 0.5))(hidden)[..., 0], hidden[..., 0] / 2)


def test_half_precision_keeps_small_pushes():
    hidden = torch.full((1, 2, 4), 300.0, dtype=torch.bfloat16)
    assert change_at(lambda h: (h + 0.4) + 0.7, hidden, torch.ones(1, 2, dtype=torch.bool)).flatten().tolist() == [302.0] * 8
    assert (hidden + 0.4 + 0.7).flatten().tolist() == [300.0] * 8


def test_change_at_touches_the_chosen_only():
    hidden = torch.randn(3, 5, 4)
    chosen = torch.tensor([[0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]).bool()
    changed = change_at(ablate(torch.ones(4)), hidden, chosen)
    assert torch.equal(changed[~chosen], hidden[~chosen])
    assert torch.allclose(changed[chosen].sum(-1), torch.zeros(4), atol=1e-5) and len(changed[chosen]) == 4


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit(4, add(vector())), "no layer 4"),
        (Edit(-1, add(vector())), "no layer -1"),
        (Edit(1, add(torch.ones(15))), "15 dimensions, the hidden states 16"),
        (Edit(1, add(vector(0, 1, 3)), "first:2"), "3 positions, but 2"),
        (Edit(1, add(vector(0, 1, 2)), "all"), "2 positions, but"),
        (Edit(1, add(vector(0, 5))), "5 rows, the batch has 2"),
        (Edit(1, lambda hidden: hidden[:, :1], "first:2"), "returned the shape"),
        (Edit(1, add(vector()), "middle"), "not understood"),
        (Edit(1, add(vector()), ["last"] * 3), "3 texts, but there are 2"),
        (Edit(1, add(vector()), 50), "lies outside"),
    ],
)
def test_what_does_not_fit_is_refused(edit, said):
    model = opened("llama")
    with pytest.raises(BadInput, match=re.escape(said)), editing(model, [edit]):
        batch_logits(model, model.encode(PROMPTS[:2]))


def test_an_unknown_moment_is_refused():
    with pytest.raises(BadInput, match="prompt"):
        Edit(1, add(vector()), when="later")

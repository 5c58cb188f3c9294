"""Every way of reading, for every family, against transformers' own hidden states of one text at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import semhub
from families import TEXTS, built, close, configured, network_of, plain_states, words_of
from semhub.edits import add
from semhub.errors import BadInput
from semhub.models.read import bucketed
from semhub.models.where import resolve
from semhub.models.write import Edit

EVERYWHERE = {"last": "last", "first": "first", "mean": "mean", "second": 1, "last but one": -2, "span": "span:0-3"}
MIXED = [TEXTS[0], TEXTS[2], TEXTS[4], TEXTS[3]]


def expected(family, text, at, special=True):
    """[layer, dim], from the plain states of that text alone."""
    tokenizer = words_of(family)
    found = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True, return_special_tokens_mask=True)
    states, n = plain_states(family, text, special), len(found["input_ids"])
    content = [place for place in range(n) if not found["special_tokens_mask"][place]]
    covering = [place for place in content if found["offset_mapping"][place][0] < 3 and found["offset_mapping"][place][1] > 0]
    places = {"last": [n - 1], "first": [0], "mean": content, "second": [1], "last but one": [n - 2], "span": covering}[at]
    return states[:, places].mean(1)


def test_every_position_of_mixed_lengths(family, opened):
    read = opened(family).read_at(MIXED, EVERYWHERE)
    for name, states in read.items():
        assert close(states, torch.stack([expected(family, text, name) for text in MIXED], 1)), name


def test_all_positions(family, opened):
    model = opened(family)
    for batch in model.stream(TEXTS, at="all", batch_tokens=60):
        for row, (item, position) in enumerate(zip(batch.items.tolist(), batch.positions.tolist(), strict=True)):
            assert close(batch.states[:, row], plain_states(family, TEXTS[item])[:, position])


@pytest.mark.parametrize("batch_tokens", [1, 20, 10_000])
def test_batches_do_not_change_what_is_read(opened, batch_tokens):
    model = opened("llama")
    assert close(model.read(TEXTS, batch_tokens=batch_tokens), model.read(TEXTS))


def test_words(opened):
    model = opened("gpt2")
    texts, ats = [TEXTS[0], TEXTS[4], TEXTS[3]], ["word:dogs", "before:Katze", "word:看见"]
    read = model.read(texts, at=ats)
    for item, (text, at) in enumerate(zip(texts, ats, strict=True)):
        [(position,)] = resolve(at, model.encode([text])[0])
        assert close(read[:, item], plain_states("gpt2", text)[:, position])


def test_without_special_tokens(opened):
    read = opened("llama").read(MIXED, at="mean", special=False)
    assert close(read, torch.stack([expected("llama", text, "mean", special=False) for text in MIXED], 1))


def test_layers_come_in_the_order_asked_for(opened):
    model = opened("llama")
    assert torch.equal(model.read(MIXED, layers=[3, 0, 3]), model.read(MIXED)[[3, 0, 3]])


def test_only_the_blocks_needed_run_and_never_the_head(family, opened):
    model, ran = opened(family), []
    watched = [*model.parts.blocks, model.parts.head]
    handles = [module.register_forward_hook(lambda module, *_: ran.append(watched.index(module))) for module in watched]
    try:
        model.read(["The dog sees"], layers=[0, 1])
        only_first = [*ran]
        model.read(["The dog sees"], layers=[0])
        model.read(["The dog sees"])
    finally:
        for handle in handles:
            handle.remove()
    assert only_first == [0]
    assert ran == [0, 0, 1, 2]


def test_means_cost_one_row_per_text(opened):
    [batch] = opened("llama").stream(MIXED, at="mean", layers=[2])
    assert batch.states.shape == (1, 4, 16) and batch.states.dtype == torch.float32
    assert sorted(batch.items.tolist()) == [0, 1, 2, 3] and batch.positions.tolist() == [-1] * 4


def test_progress_counts_texts(opened):
    told = []
    opened("llama").read(TEXTS, batch_tokens=30, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(TEXTS), len(TEXTS)) and len(told) > 2
    assert told == sorted(told)


def test_reading_under_an_edit_reads_what_the_edit_made(opened):
    model, push = opened("qwen2"), torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    before = model.read(MIXED)
    with model.edit(Edit(2, add(push), at="last")):
        after = model.read(MIXED, batch_tokens=20)
    assert torch.equal(after[:2], before[:2]) or close(after[:2], before[:2])
    assert close(after[2], before[2] + push)
    assert not close(after[3], before[3], 1e-2)
    assert close(model.read(MIXED), before)


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda model: model.read("a text"), "list"),
        (lambda model: model.read(["a", ""]), "Text 1 .* no token"),
        (lambda model: model.read(["a", "a b " * 99]), "Text 1 .* tokens; .* takes 128"),
        (lambda model: model.read(["a"], layers=[4]), r"Layers \[4\] .* 0 to 3"),
        (lambda model: model.read(["a"], layers=[]), "Layers"),
        (lambda model: model.read(["a b"], at="all"), "several rows per text; .* stream"),
        (lambda model: model.read(["a", "b"], at=["last"]), "for 1 texts, but there are 2"),
        (lambda model: model.read(["a"], at="word:dog"), "'dog' is not in"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(opened, ask, complaint):
    with pytest.raises(BadInput, match=complaint):
        ask(opened("gpt2"))


def test_no_texts_make_no_states(opened):
    assert opened("gpt2").read([]).shape == (4, 0, 16)
    assert list(opened("gpt2").stream([], at="all")) == []


def test_a_pass_that_fails_leaves_no_hook(opened):
    model, before = opened("gpt2"), hooks(network_of("gpt2"))

    def fail(*_):
        raise RuntimeError("half-way")

    handle = model.parts.blocks[1].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="half-way"):
        model.read(["a"])
    handle.remove()
    assert hooks(network_of("gpt2")) == before


def hooks(network):
    return [(*module._forward_hooks, *module._forward_pre_hooks) for module in network.modules()]


@given(st.lists(st.integers(1, 300), max_size=80), st.integers(1, 2000))
def test_buckets_hold_every_text_once_within_the_budget(lengths, budget):
    batches = list(bucketed(lengths, budget))
    assert sorted(item for batch in batches for item in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[item] for item in batch) <= budget for batch in batches)


def test_big_buckets_hold_little_padding():
    lengths = [10 + item % 50 for item in range(2000)]
    padded = sum(len(batch) * max(lengths[item] for item in batch) for batch in bucketed(lengths, 8192))
    assert padded < 1.1 * sum(lengths)


def test_states_of_a_half_precision_network_are_given_in_float32():
    network = built(configured("llama")).bfloat16()
    states = semhub.load(network, words_of("llama"), prove=False).read(MIXED)
    assert states.dtype == torch.float32
    for item, text in enumerate(MIXED):
        ids = torch.tensor([words_of("llama")(text)["input_ids"]])
        with torch.no_grad():
            hidden = network(ids, output_hidden_states=True).hidden_states[:-1]
        assert close(states[:3, item], torch.stack(hidden)[:, 0, -1].float(), 0.05)

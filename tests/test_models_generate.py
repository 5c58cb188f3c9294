"""Generation: every fast path against a plain loop of batch 1 without a cache, and what a row must not depend on."""

import copy
import dataclasses

import pytest
import torch

from oracles import steering
from semhub.edits import ablate, add, replace
from semhub.errors import BadInput
from semhub.models import generate as module
from semhub.models.generate import Ask, generate, generate_all
from semhub.models.opening import load
from semhub.models.sampling import FEW, Sampling, draws, next_ids, nucleus
from semhub.models.write import Edit, at_strength, editing
from test_models_write import DIM, KINDS, PROMPTS, by_hand, hooks, opened, plain_logits, vector

GREEDY = Sampling(greedy=True, frequency_penalty=2.0)  # the penalty keeps random weights from saying one token only
STRENGTHS = (0.0, 1.0, -2.0)
NEW = 5


def places_of(at, when, n, length):
    prompt = {"last": [n - 1], "first": [0], "first:2": [0, 1], "all": range(n), -2: [n - 2], 1: [1]}[at]
    return [*(prompt if when != "generated" else ()), *(range(n, length) if when != "prompt" else ())]


def plain(model, prompt, edits=(), strength=1.0, seed=0, sampling=GREEDY, tokens=NEW):
    """One row, batch 1: the whole text again at every step, hooks put on by hand, sampling as the oracle writes it."""
    ids = list(model.encode([prompt])[0].ids)
    n, uniform = len(ids), draws(seed, prompt, tokens)
    for step in range(tokens):
        logits = edited_logits(model, ids, n, edits, strength)
        ids.append(chosen(logits, ids[:n], ids[n:], uniform[step], sampling))
        if ids[-1] == model.tokenizer.eos_token_id:
            break
    return tuple(ids[n:])


def edited_logits(model, ids, n, edits, strength):
    if not edits:
        return plain_logits(model, ids)[-1]
    edit, *others = edits
    slots = 2 if edit.at == "first:2" else 1
    moved = at_strength(edit.change, torch.tensor([strength]))
    places = enumerate(places_of(edit.at, edit.when, n, len(ids)))
    # one edit at a time, the later ones inside: hooks run in the order they were put on
    with by_hand(model, edit.layer, {p: lambda h, k=k: moved(h.expand(1, slots, -1))[0, k % slots] for k, p in places}):
        return edited_logits(model, ids, n, others, strength)


def chosen(logits, prompt, output, uniform, sampling):
    if sampling.greedy:
        return int(steering.adjusted_logits(logits, prompt, output, sampling.temperature, sampling.frequency_penalty).argmax())
    probability = steering.next_distribution(logits, prompt, output, sampling.temperature, sampling.top_p, sampling.frequency_penalty)
    total = 0.0
    for token, share in enumerate(probability.tolist()):
        total += share
        if total > uniform:
            return token
    return int(probability.nonzero()[-1])


def ids_of(generations):
    return [(one.prompt, one.strength, one.seed, one.ids) for one in generations]


def expected(model, prompts, edits, strengths, seeds=(0,), **more):
    return [
        (place, float(strength), seed, plain(model, prompt, edits, strength, seed, **more))
        for place, prompt in enumerate(prompts)
        for strength in strengths
        for seed in seeds
    ]


EDITS = {
    "nothing": (),
    "last": (Edit(2, add(4 * vector(1)), "last", "prompt"),),
    "last-and-on": (Edit(1, add(2 * vector(2)), "last"),),
    "generated": (Edit(2, add(2 * vector(3)), "all", "generated"),),
    "first": (Edit(2, add(6 * vector(4, 1, 2)), "first:2", "prompt"),),
    "everywhere": (Edit(3, ablate(vector(5)), "all"),),
    "embeddings": (Edit(0, add(vector(6)), "all", "prompt"),),
    "early": (Edit(0, add(3 * vector(6)), 1, "prompt"),),  # what comes before is all padding in the shorter prompts
    "two": (
        Edit(2, add(2 * vector(7)), "all", "prompt"),
        Edit(3, replace(vector(8)), -2, "prompt"),
        Edit(1, ablate(vector(9)), "all", "generated"),
    ),
}
SHORT = [prompt for prompt in PROMPTS if prompt not in ("dog", "5=3+")] + ["a dog"]


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("kind", KINDS)
def test_greedy_equals_the_plain_loop(kind, name):
    model, edits = opened(kind), EDITS[name]
    made = model.generate(SHORT, edits=edits, max_new_tokens=NEW, sampling=GREEDY, strengths=STRENGTHS)
    assert ids_of(made) == expected(model, SHORT, edits, STRENGTHS)
    if edits:
        assert len({one.ids for one in made}) > len(SHORT), "the edit moves something, or the test would prove nothing"


def test_every_family_shares_its_prompt(family):
    """Forked at a column and at a layer, edited at every moment: each family has its own positions, masks and blocks."""
    model, edits = opened(family), [Edit(1, add(2 * vector(1)), "last"), Edit(2, ablate(vector(2)), "all", "both")]
    for some in (edits[:1], edits[1:]):
        made = generate(model, SHORT[1:4], edits=some, max_new_tokens=3, sampling=GREEDY, strengths=(0.0, 1.0))
        assert ids_of(made) == expected(model, SHORT[1:4], some, (0.0, 1.0), tokens=3)


@pytest.mark.parametrize("name", ["nothing", "last", "first", "last-and-on"])
@pytest.mark.parametrize("kind", KINDS)
def test_sampling_equals_the_plain_loop(kind, name):
    model, sampling = opened(kind), Sampling(temperature=1.3, top_p=0.8, frequency_penalty=0.7)
    made = generate(model, SHORT[:3], edits=EDITS[name], max_new_tokens=NEW, sampling=sampling, strengths=(1.0, 2.0), seeds=(3, 7))
    assert ids_of(made) == expected(model, SHORT[:3], EDITS[name], (1.0, 2.0), (3, 7), sampling=sampling)
    assert len({one.ids for one in made}) >= 6


ASKS = (
    Ask(SHORT[:3], (), (1.0,)),
    Ask(SHORT[1:4], (Edit(2, add(4 * vector(1, 3)), ["last", "all", -2]),), (1.0, -2.0)),
    Ask(SHORT[:2], (Edit(0, add(2 * vector(2)), "all"), Edit(2, ablate(vector(3)), "all", "generated")), (0.5,)),
    Ask(SHORT[2:4], (Edit(3, add(4 * vector(4)), "last", "prompt"),), (1.0, 3.0)),
)


@pytest.mark.parametrize("rows", [4, 64])
def test_asks_of_different_edits_run_together_as_they_do_alone(family, rows):
    """Rows of one batch under edits of different layers, positions, moments and strengths, against each ask by itself."""
    model = opened(family)
    most = len(model.parts.blocks)
    asks = [Ask(a.prompts, [dataclasses.replace(e, layer=min(e.layer, most)) for e in a.edits], a.strengths) for a in ASKS]
    made = generate_all(model, asks, max_new_tokens=3, sampling=GREEDY, batch_rows=rows)
    alone = [generate(model, a.prompts, edits=a.edits, strengths=a.strengths, max_new_tokens=3, sampling=GREEDY) for a in asks]
    assert [ids_of(one) for one in made] == [ids_of(one) for one in alone]
    assert len({ids for one in made for _, _, _, ids in ids_of(one)}) > 5, "the edits move something, or the test would prove nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_asks_run_together_equal_the_plain_loop(kind):
    model, sampling = opened(kind), Sampling(temperature=1.3, top_p=0.8)
    asks = [Ask(SHORT[:3], EDITS[name], (1.0, 2.0)) for name in ("nothing", "last", "last-and-on", "generated", "everywhere", "embeddings")]
    made = generate_all(model, asks, max_new_tokens=NEW, sampling=sampling, seeds=(3,))
    for ask, found in zip(asks, made, strict=True):
        assert ids_of(found) == expected(model, SHORT[:3], ask.edits, (1.0, 2.0), (3,), sampling=sampling)


@pytest.mark.parametrize("rows", [3, 64])
def test_the_first_logits_are_those_of_the_prompt_under_the_edits_and_come_once(rows):
    model, asks = opened("gpt2"), [Ask(SHORT[:3]), Ask(SHORT[1:4], (Edit(2, add(4 * vector(1)), "all"),), (1.0, -2.0))]
    made = generate_all(model, asks, max_new_tokens=2, sampling=Sampling(temperature=1.3), seeds=(3, 5), batch_rows=rows, first=True)
    for ask, found in zip(asks, made, strict=True):
        for each in found:
            assert (each.first is None) == (each.seed == 5)
            if each.first is not None:
                edits = [dataclasses.replace(e, change=add(each.strength * 4 * vector(1))) for e in ask.edits]
                with model.edit(*edits):
                    state = model.read([ask.prompts[each.prompt]], layers=[model.layers])[0]
                assert torch.allclose(each.first, model.head.logits(model.head.norm(state))[0].float(), atol=1e-4)
    assert all(each.first is None for found in generate_all(model, asks, max_new_tokens=1) for each in found)


def watched(monkeypatch, model):
    """The shape of every pass that reaches the first block, and of every pass that block really computes."""
    entered, computed = [], []
    forward = module.forward
    monkeypatch.setattr(module, "forward", lambda m, ids, *rest: (entered.append(tuple(ids.shape)), forward(m, ids, *rest))[1])
    attention = next(child for name, child in model.parts.blocks[0].named_modules() if name.endswith("attn"))
    handle = attention.register_forward_pre_hook(
        lambda block, args, kwargs: computed.append(tuple((args[0] if args else kwargs["hidden_states"]).shape[:2])), with_kwargs=True
    )
    return entered, computed, handle


@pytest.mark.parametrize(
    ("name", "passes", "lowest"),
    [
        ("nothing", [(5, "W")], [(5, "W")]),
        ("generated", [(5, "W")], [(5, "W")]),
        ("last", [(5, "W-1"), (15, 1)], [(5, "W-1"), (15, 1)]),
        ("first", [(5, "W"), (15, "W")], [(5, "W")]),
        ("everywhere", [(5, "W"), (15, "W")], [(5, "W")]),
        ("embeddings", [(15, "W")], [(15, "W")]),
    ],
)
def test_the_prompt_is_run_once_as_far_as_it_is_shared(monkeypatch, name, passes, lowest):
    model = opened("llama")
    entered, computed, handle = watched(monkeypatch, model)
    try:
        generate(model, SHORT, edits=EDITS[name], max_new_tokens=1, sampling=GREEDY, strengths=STRENGTHS)
    finally:
        handle.remove()
    width = max(map(len, model.encode(SHORT)))
    sizes = {"W": width, "W-1": width - 1}
    assert entered == [(rows, sizes.get(columns, columns)) for rows, columns in passes]
    assert computed == [(rows, sizes.get(columns, columns)) for rows, columns in lowest]


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("kind", KINDS)
def test_first_logits_agree_to_1e_4(monkeypatch, kind, name):
    model, edits, seen = opened(kind), EDITS[name], []
    monkeypatch.setattr(module, "next_ids", lambda logits, *rest: (seen.append(logits), next_ids(logits, *rest))[1])
    generate(model, SHORT, edits=edits, max_new_tokens=1, sampling=GREEDY, strengths=STRENGTHS)
    order = sorted(SHORT, key=lambda prompt: (len((one := model.encode([prompt])[0]).ids), one.ids))
    wanted = [
        edited_logits(model, ids := model.encode([prompt])[0].ids, len(ids), edits, strength) for prompt in order for strength in STRENGTHS
    ]
    assert torch.allclose(seen[0], torch.stack(wanted), atol=1e-4)


def test_a_row_does_not_feel_its_batch():
    model, edits = opened("gpt2"), EDITS["last-and-on"]
    settings = {"edits": edits, "max_new_tokens": NEW, "sampling": Sampling(top_p=0.9), "strengths": (0.5, 1.0), "seeds": (1, 2)}
    together = generate(model, SHORT, **settings)
    assert together == generate(model, SHORT, **settings, batch_rows=3)
    alone = [dataclasses.replace(one, prompt=k) for k, prompt in enumerate(SHORT) for one in generate(model, [prompt], **settings)]
    assert together == alone
    backwards = generate(model, SHORT[::-1], **settings)
    assert [one.ids for one in together] == [one.ids for k in range(len(SHORT) - 1, -1, -1) for one in backwards[4 * k : 4 * k + 4]]


def test_strengths_share_their_random_numbers():
    model = opened("llama")
    made = generate(model, SHORT[:2], edits=(Edit(1, add(torch.zeros(DIM))),), strengths=(0.0, 1.0, 5.0), seeds=(0, 1), max_new_tokens=8)
    by_row = {(one.prompt, one.seed): [] for one in made}
    for one in made:
        by_row[one.prompt, one.seed].append(one.ids)
    assert all(len(set(ids)) == 1 for ids in by_row.values())
    assert len({ids[0] for ids in by_row.values()}) == 4


def test_the_same_prompt_is_run_once_wherever_it_stands(monkeypatch):
    model, passes = opened("llama"), []
    forward = module.forward
    monkeypatch.setattr(module, "forward", lambda m, ids, *rest: (passes.append(tuple(ids.shape)), forward(m, ids, *rest))[1])
    ids = model.encode(["The dog sees", "The cat sees"])
    assert len(ids[0]) == len(ids[1])
    generate(model, ["The dog sees", "The cat sees"] * 3, max_new_tokens=1, batch_rows=3)
    assert passes == [(1, len(ids[0]))] * 2


def test_values_and_positions_for_each_prompt():
    model, pushes, at = opened("llama"), 4 * vector(10, len(SHORT)), ["last", 0, "last", -2, "first:2"]
    edit = Edit(2, add(pushes), at, "prompt")
    made = generate(model, SHORT, edits=[edit], max_new_tokens=NEW, sampling=GREEDY, strengths=(1.0, 2.0), batch_rows=4)
    for one in made:
        own = Edit(2, add(pushes[one.prompt]), "first" if at[one.prompt] == 0 else at[one.prompt], "prompt")
        assert one.ids == plain(model, SHORT[one.prompt], [own], one.strength)


def test_the_same_prompt_twice_with_two_values():
    model, pushes = opened("llama"), 6 * vector(11, 2)
    made = generate(model, [SHORT[0]] * 2, edits=[Edit(2, add(pushes), "last", "prompt")], max_new_tokens=NEW, sampling=GREEDY)
    assert [one.ids for one in made] == [plain(model, SHORT[0], [Edit(2, add(push), "last", "prompt")]) for push in pushes]


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_inside_an_outer_edit(kind):
    model, outer, inner = opened(kind), Edit(1, add(3 * vector(12)), "last", "both"), Edit(2, ablate(vector(13)), "all", "both")
    with editing(model, [outer]):
        made = generate(model, SHORT, edits=[inner], max_new_tokens=NEW, sampling=GREEDY, strengths=(1.0, 1.0))
    assert ids_of(made) == expected(model, SHORT, [outer, inner], (1.0, 1.0))


def test_with_an_adapter_on():
    """LoRA changes what is written, and edits reach the blocks inside the wrapper."""
    import peft

    base = opened("llama")
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(0)
    adapted = load((peft.get_peft_model(copy.deepcopy(base.network), config), base.tokenizer), prove=False)
    settings = {"edits": EDITS["last-and-on"], "max_new_tokens": NEW, "sampling": GREEDY, "strengths": STRENGTHS}
    made = adapted.generate(SHORT, **settings)
    assert ids_of(made) == expected(adapted, SHORT, EDITS["last-and-on"], STRENGTHS)
    assert made != base.generate(SHORT, **settings)


def test_in_half_precision():
    base = opened("llama")
    half = load((copy.deepcopy(base.network).bfloat16(), base.tokenizer), prove=False)
    made = half.generate(SHORT, edits=EDITS["two"], max_new_tokens=3, strengths=STRENGTHS, sampling=Sampling(top_p=0.5))
    assert [len(one.ids) for one in made] == [3] * len(made)


def with_end(model, token):
    """The same model, ending its texts at `token`."""
    config = model.network.generation_config
    return config, config.eos_token_id, setattr(config, "eos_token_id", token)


def test_rows_end_at_the_end_token_and_the_others_go_on():
    model, settings = opened("llama"), {"max_new_tokens": 12, "sampling": Sampling(temperature=2.0), "seeds": range(4)}
    settings |= {"edits": EDITS["last-and-on"], "strengths": (1.0, 0.5)}
    free = generate(model, SHORT, **settings)
    end = free[0].ids[4]
    config, before, _ = with_end(model, [end, 1])
    try:
        made = generate(model, SHORT, **settings)
    finally:
        config.eos_token_id = before
    assert [one.ids for one in made] == [one.ids[: one.ids.index(end) + 1] if end in one.ids else one.ids for one in free]
    assert len({len(one.ids) for one in made}) > 2


def test_stop_strings_are_cut_off():
    model = opened("gpt2")
    free = generate(model, SHORT, max_new_tokens=10, seeds=range(3))
    mark = free[0].text[2:4]
    made = generate(model, SHORT, max_new_tokens=10, seeds=range(3), stop=mark)
    for one, other in zip(made, free, strict=True):
        assert one.text == other.text.split(mark)[0] and other.ids[: len(one.ids)] == one.ids
    assert len(made[0].ids) < 10


def test_text_is_what_the_ids_add_to_the_prompt():
    model = opened("llama")
    for one in generate(model, SHORT, max_new_tokens=5):
        ids = [*model.encode([SHORT[one.prompt]])[0].ids, *one.ids]
        assert SHORT[one.prompt] + one.text == model.tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
def test_a_cache_that_runs_out_of_room_takes_more(monkeypatch, kind):
    model = opened(kind)
    settings = {"edits": EDITS["last-and-on"], "max_new_tokens": 8, "sampling": GREEDY, "strengths": STRENGTHS}
    roomy = generate(model, SHORT, **settings)
    monkeypatch.setattr("semhub.models.cache.ROOM", 2)
    assert generate(model, SHORT, **settings) == roomy


def test_nothing_is_left_behind():
    model = opened("llama")
    before, plainly = hooks(model), plain_logits(model, [0, 40, 50])
    generate(model, SHORT, edits=EDITS["two"], max_new_tokens=2, strengths=STRENGTHS)
    with pytest.raises(ZeroDivisionError):
        generate(model, SHORT, edits=[Edit(2, lambda hidden: 1 / 0, "all", "prompt")], strengths=STRENGTHS)
    assert hooks(model) == before and torch.equal(plain_logits(model, [0, 40, 50]), plainly)
    assert not any("forward" in vars(block) for block in model.parts.blocks)


def test_no_prompts_and_no_tokens():
    model = opened("llama")
    assert generate(model, []) == []
    assert [(one.text, one.ids) for one in generate(model, ["Good"], max_new_tokens=0)] == [("", ())]


def test_progress_counts_rows():
    told = []
    generate(opened("llama"), SHORT, seeds=(0, 1), max_new_tokens=1, batch_rows=4, progress=told.append)
    assert told == [4, 4, 2]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompts": "one text"}, "list of texts"),
        ({"edits": [Edit(2, add(torch.ones(3, DIM)))]}, "one per prompt, and there are 2"),
        ({"edits": [Edit(2, add(vector()), ["last"])]}, "1 texts, but there are 2"),
        ({"edits": [Edit(7, add(vector()))]}, "no layer 7"),
        ({"edits": [Edit(1, add(vector(0, 1, 2)), "first:2", "both")]}, 'when="prompt"'),
        ({"max_new_tokens": 3000}, "2 tokens and 3000 new ones"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, said):
    with pytest.raises(BadInput, match=said):
        generate(opened("llama"), **{"prompts": ["dog", "cat"], "strengths": (1.0, 2.0), "max_new_tokens": 2, **wrong})


def test_an_empty_prompt_is_refused_where_nothing_begins_a_text():
    with pytest.raises(BadInput, match="no token to begin"):
        generate(opened("gpt2"), [""])


# --- sampling ---


def logits_of(*probabilities):
    return torch.tensor([probabilities]).log()


@pytest.mark.parametrize(
    ("top_p", "kept"), [(1.0, [0, 1, 2, 3]), (0.9, [0, 1, 3]), (0.76, [1, 3, 0]), (0.75, [1, 3]), (0.5, [1]), (1e-9, [1])]
)
def test_the_nucleus_by_hand(top_p, kept):
    values = nucleus(torch.tensor([[0.1875, 0.5, 0.0625, 0.25]]), top_p)
    assert values[0].nonzero()[:, 0].tolist() == sorted(kept)


def test_draws_fall_where_the_running_sum_passes():
    logits, uniform = logits_of(0.1, 0.5, 0.15, 0.25).expand(6, -1), torch.tensor([0.0, 0.099, 0.101, 0.599, 0.601, 0.999])
    assert next_ids(logits, None, uniform.double(), Sampling()).tolist() == [0, 0, 1, 1, 2, 3]
    assert next_ids(logits, None, uniform.double(), Sampling(top_p=0.7)).tolist() == [1, 1, 1, 1, 1, 3]
    assert next_ids(logits, None, torch.full((6,), 1 - 1e-17, dtype=torch.float64), Sampling(top_p=0.5)).tolist() == [1] * 6


def test_the_penalty_comes_after_temperature_and_before_the_nucleus():
    logits, counts = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[2.0, 0.0, 0.0]])
    half = torch.tensor([0.5], dtype=torch.float64)
    # 2/4 - 2 x 0.2 = 0.1 lies below 1/4; subtracted before the temperature it would not
    assert next_ids(logits, counts, half, Sampling(temperature=4.0, frequency_penalty=0.2, greedy=True)).tolist() == [1]
    assert next_ids(logits, counts, half, Sampling(temperature=4.0, frequency_penalty=0.2, top_p=0.1)).tolist() == [1]
    assert next_ids(logits, counts, half, Sampling(temperature=4.0, frequency_penalty=0.1, greedy=True)).tolist() == [0]


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("spread", [0.01, 3.0])
@pytest.mark.parametrize("vocab", [2000, 16 * FEW + 1])
def test_the_nucleus_of_a_large_vocabulary_equals_the_oracle(vocab, top_p, spread):
    logits = spread * torch.randn(3, vocab, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits[1] *= 5  # rows with narrow nuclei beside wide ones
    values = nucleus(logits.softmax(-1), top_p)
    for row in range(3):
        assert sorted(steering.nucleus(logits[row], top_p)) == values[row].nonzero()[:, 0].tolist()


@pytest.mark.parametrize("top_p", [0.0625, 0.125, 0.5])
@pytest.mark.parametrize("vocab", [2048, 32 * FEW])
def test_the_lower_ids_win_a_tie(vocab, top_p):
    values = nucleus(torch.full((2, vocab), 1 / vocab), top_p)
    assert values[1].nonzero()[:, 0].tolist() == list(range(int(vocab * top_p)))


def test_shares_drawn_are_the_probabilities():
    probability = torch.tensor([0.1, 0.5, 0.15, 0.25])
    uniform = torch.tensor(draws(0, "many", 20000), dtype=torch.float64)
    ids = next_ids(probability.log().expand(20000, -1), None, uniform, Sampling())
    assert torch.allclose(ids.bincount() / 20000, probability, atol=0.015)


def test_draws_are_the_same_everywhere():
    assert draws(0, "这代表了", 3) == draws(0, "这代表了", 8)[:3]
    assert [round(x, 6) for x in draws(1, "Good", 2)] == [0.049523, 0.296508]
    assert len({draws(seed, text, 1)[0] for seed in range(3) for text in ("a", "b", "0\na")}) == 9


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(BadInput, match="above 0"):
        Sampling(**wrong)

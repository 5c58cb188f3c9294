"""The parts of every family, found without its names; and what is refused."""

import pytest
import torch
import transformers

import semhub
from families import FAMILIES, LIKE_LLAMA, built, configured, leading_space, network_of, words_of
from semhub.errors import NotUnderstood
from semhub.models.structure import find, first_tensor, with_first_tensor


def test_parts_are_those_of_the_family(family):
    network, names = network_of(family), FAMILIES[family]
    parts = find(network)
    assert list(parts.blocks) == list(network.get_submodule(names.blocks))
    assert parts.norm is (network.get_submodule(names.norm) if names.norm else None)
    assert parts.tail == tuple(network.get_submodule(name) for name in names.tail)
    assert parts.head is network.get_output_embeddings() and parts.embedding is network.get_input_embeddings()
    assert parts.dim == 16 and parts.dtype == torch.float32
    assert parts.blocks[0] in parts.trunk.modules() and parts.head not in parts.trunk.modules()


def test_opening_changes_nothing(family):
    network, tokenizer = network_of(family), words_of(family)
    network.train()
    network.get_input_embeddings().eval()
    before = [(name, module.training) for name, module in network.named_modules()]
    hooks = [(*module._forward_hooks, *module._forward_pre_hooks) for module in network.modules()]
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    config, padding = network.config.to_dict(), (tokenizer.padding_side, tokenizer.backend_tokenizer.to_str())
    model = semhub.load(network, tokenizer, prove=False)
    model.read(["The dog", "a"])
    try:
        assert [(name, module.training) for name, module in network.named_modules()] == before
    finally:
        network.eval()
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert network.config.to_dict() == config
    assert (tokenizer.padding_side, tokenizer.backend_tokenizer.to_str()) == padding
    assert [(*module._forward_hooks, *module._forward_pre_hooks) for module in network.modules()] == hooks


def test_a_network_in_training_is_read_without_dropout():
    network = built(configured("gpt2", resid_pdrop=0.5, embd_pdrop=0.5))
    expected = semhub.load(network, leading_space(), prove=False).read(["The dog sees"])
    network.train()
    assert torch.equal(semhub.load(network, leading_space(), prove=False).read(["The dog sees"]), expected)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: transformers.BertLMHeadModel(transformers.BertConfig(**sizes(), vocab_size=400)), "reads later tokens"),
        (lambda: transformers.LlamaModel(transformers.LlamaConfig(**LIKE_LLAMA, vocab_size=400)), "no language-model head"),
        (lambda: transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=400, **T5)), "encoder-decoder"),
        (lambda: transformers.CLIPModel(transformers.CLIPConfig(**CLIP)), "cannot open or run CLIPModel"),
        (lambda: torch.nn.Linear(3, 3), "no language-model head"),
    ],
    ids=["encoder", "headless", "encoder-decoder", "vision", "no model"],
)
def test_other_networks_are_refused_in_one_line(network, reason):
    with pytest.raises(NotUnderstood, match=reason) as refused:
        semhub.load(network(), leading_space())
    assert "\n" not in str(refused.value)


T5 = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
CLIP = {
    "text_config": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 99},
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 8,
        "patch_size": 4,
    },
}


def sizes() -> dict:
    return {key: value for key, value in LIKE_LLAMA.items() if key != "num_key_value_heads"}


def test_virtual_tokens_are_refused():
    import peft

    wanted = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    with pytest.raises(NotUnderstood, match="virtual tokens"):
        semhub.load(peft.get_peft_model(built(configured("llama")), wanted), words_of("llama"))


@pytest.mark.parametrize("value", [torch.ones(2), (torch.ones(2), "cache"), [torch.ones(2)], {"hidden_states": torch.ones(2), "x": 1}])
def test_hidden_states_are_found_and_replaced_in_whatever_a_block_returns(value):
    changed = with_first_tensor(value, torch.zeros(2))
    assert torch.equal(first_tensor(value), torch.ones(2)) and torch.equal(first_tensor(changed), torch.zeros(2))
    assert type(changed) is type(value)

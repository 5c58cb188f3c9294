"""The whole map from normed state to logits, for every family and for heads that are no plain matrix."""

import pytest
import torch

import semhub
from families import TEXTS, built, close, configured, network_of, plain_logits, plain_states, words_of
from semhub.errors import NotUnderstood

TEXT = TEXTS[2]


def test_logits_are_the_network_s_own(family, opened):
    model, raw = opened(family), plain_states(family, TEXT)[-1]
    assert model.vocab == len(words_of(family)) + 5
    assert close(model.unembed(raw), plain_logits(family, TEXT))
    normed = model.head.norm(raw)
    assert close(model.head.logits(normed, torch.tensor([7, 3, 50])), plain_logits(family, TEXT)[:, [7, 3, 50]])
    assert close(model.head.logits(normed, slice(20, 50)), plain_logits(family, TEXT)[:, 20:50])


def test_without_the_norm_the_raw_state_meets_the_head(family, opened):
    model, raw = opened(family), plain_states(family, TEXT)[1]
    assert close(model.unembed(raw, norm="none"), model.head.logits(raw))
    if model.parts.norm is not None:
        assert not close(model.unembed(raw, norm="none"), model.unembed(raw), 1e-2)


def test_norm_takes_any_leading_axes(family, opened):
    model, raw = opened(family), plain_states(family, TEXT)
    assert torch.equal(model.head.norm(raw)[1], model.head.norm(raw[1]))


@pytest.mark.parametrize("family_name", ["llama", "phi", "opt-narrow", "gpt2"])
def test_rows_seen_from_the_residual_stream(family_name, opened):
    model = opened(family_name)
    normed = model.head.norm(plain_states(family_name, TEXT)[-1])
    a, b = model.head.rows(torch.tensor([5, 9]))
    logits = model.head.logits(normed, torch.tensor([5, 9]))
    bias = model.head.bias[[5, 9]] if model.head.bias is not None else torch.zeros(2)
    assert torch.allclose(normed @ (a - b) + bias[0] - bias[1], logits[:, 0] - logits[:, 1], atol=1e-3)
    assert model.head.rows().shape == (model.vocab, 16)


@pytest.mark.parametrize(
    ("family_name", "scale", "cap"), [("gemma2", 1.0, 3.0), ("cohere", 0.0625, None), ("granite", 1 / 3, None), ("llama", 1.0, None)]
)
def test_scale_and_soft_cap_are_found_exactly(family_name, scale, cap, opened):
    finish = opened(family_name).head.finish
    assert (finish.scale, finish.cap, finish.masked) == (scale, cap, None)


def changed(family_name, after):
    """A network whose logits go through `after` at the end of its forward pass."""
    network = built(configured(family_name))
    inner = network.forward

    def forward(*args, **kwargs):
        output = inner(*args, **kwargs)
        output.logits = after(output.logits)
        return output

    network.forward = forward
    return semhub.load(network, words_of(family_name), prove=False)


def test_masked_entries_are_masked_here_too():
    def mask(logits):
        logits = logits.clone()
        logits[..., 10:20] = torch.finfo(logits.dtype).min
        return logits

    model = changed("llama", mask)
    logits = model.unembed(plain_states("llama", TEXT)[-1])
    assert close(logits[:, :10], plain_logits("llama", TEXT)[:, :10]) and close(logits[:, 20:], plain_logits("llama", TEXT)[:, 20:])
    assert (logits[:, 10:20] == torch.finfo(torch.float32).min).all()
    assert (model.head.logits(plain_states("llama", TEXT)[-1], torch.tensor([9, 10]))[:, 1] < -1e30).all()
    assert torch.isinf(changed("gemma2", lambda x: x.index_fill(-1, torch.tensor([4]), -torch.inf)).unembed(torch.ones(1, 16))[0, 4])


def test_a_head_that_is_cut_to_the_vocabulary_is_cut_here_too():
    model = changed("llama", lambda logits: logits[..., :300])
    assert model.vocab == 300 and close(model.unembed(plain_states("llama", TEXT)[-1]), plain_logits("llama", TEXT)[:, :300])


@pytest.mark.parametrize("scale", [0.37, 13.0])
def test_a_scale_that_no_configuration_names_is_measured(scale):
    model = changed("llama", lambda logits: logits * scale)
    assert close(model.unembed(plain_states("llama", TEXT)[-1]), plain_logits("llama", TEXT) * scale)


def test_scale_and_cap_together():
    model = changed("llama", lambda logits: 7 * torch.tanh(0.5 * logits / 7))
    assert close(model.unembed(plain_states("llama", TEXT)[-1]), 7 * torch.tanh(0.5 * plain_logits("llama", TEXT) / 7))


@pytest.mark.parametrize("after", [torch.relu, lambda logits: logits + 3 * torch.sin(logits), lambda logits: logits.log_softmax(-1)])
def test_any_other_map_is_not_understood(after):
    with pytest.raises(NotUnderstood, match="neither a multiple nor a soft-cap"):
        changed("llama", after)


class Packed(torch.nn.Module):
    """A linear map whose weights are kept as int8, as quantised layers do."""

    def __init__(self, linear):
        super().__init__()
        scale = linear.weight.detach().abs().amax(1, keepdim=True) / 127
        self.register_buffer("weight", (linear.weight.detach() / scale).round().to(torch.int8))
        self.scale, self.bias = scale, linear.bias

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight.to(x.dtype) * self.scale.to(x.dtype), self.bias)


def packed(family_name):
    network = built(configured(family_name))
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(module, name, Packed(child))
    return network


@pytest.mark.parametrize("family_name", ["llama", "phi", "opt-narrow"])
def test_packed_weights_are_read_by_what_they_do(family_name):
    network, tokenizer = packed(family_name), words_of(family_name)
    model = semhub.load(network, tokenizer)
    ids = torch.tensor([tokenizer(TEXT)["input_ids"]])
    with torch.no_grad():
        logits = network(ids).logits[0, -1:]
    assert close(model.unembed(model.read([TEXT])[-1]), logits)
    assert close(model.unembed(model.read([TEXT])[-1]), plain_logits(family_name, TEXT)[-1:], 0.1)


@pytest.mark.parametrize(
    "settings", [{"target_modules": ["q_proj", "lm_head"]}, {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}]
)
def test_adapters_on_blocks_and_head_stay_in_force(settings):
    import peft

    wrapped = peft.get_peft_model(built(configured("llama")), peft.LoraConfig(task_type="CAUSAL_LM", r=2, **settings)).eval()
    with torch.no_grad():
        for weights in wrapped.parameters():
            weights.add_(0.3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)) if weights.requires_grad else 0)
    tokenizer = words_of("llama")
    model = semhub.load(wrapped, tokenizer)
    with torch.no_grad():
        logits = wrapped(torch.tensor([tokenizer(TEXT)["input_ids"]])).logits[0, -1:]
    assert model.certificate.passed
    assert close(model.unembed(model.read([TEXT])[-1]), logits)
    assert not close(logits, plain_logits("llama", TEXT)[-1:], 1e-2)


def test_half_precision_logits_are_widened_before_they_are_rounded():
    model = semhub.load(built(configured("llama")).bfloat16(), words_of("llama"), prove=False)
    normed = model.head.norm(plain_states("llama", TEXT)[-1])
    assert torch.equal(model.head.logits(normed), normed @ network_of("llama").lm_head.weight.detach().bfloat16().float().T)

"""The certificate: every family passes, and what is broken on purpose does not."""

import json
from dataclasses import replace

import pytest
import torch

import semhub
from families import built, configured, words_of
from semhub.errors import NotProved
from semhub.models import prove
from semhub.models.head import Head
from semhub.models.prove import CHECKS, Certificate, Check, certify, distance

ALL = [
    "lens-at-last-layer",
    "hidden-states",
    "empty-edit",
    "real-edit",
    "undone-edit",
    "left-padding",
    "right-padding",
]


def failed(certificate: Certificate) -> list[str]:
    return [check.name for check in certificate.checks if not check.passed]


def test_every_family_passes_every_check(family, opened):
    certificate = certify(opened(family))
    assert certificate.passed and [check.name for check in certificate.checks] == ALL == list(CHECKS)
    assert all(check.error <= check.tolerance == 1e-4 for check in certificate.checks)
    assert json.loads(json.dumps(certificate.as_dict()))["passed"] is True


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family_name", ["llama", "gemma2", "neox"])
def test_half_precision_passes_at_its_stated_tolerance(family_name, dtype):
    certificate = certify(semhub.load(built(configured(family_name)).to(dtype), words_of(family_name), prove=False))
    assert certificate.passed, certificate
    assert {check.tolerance for check in certificate.checks} == {{torch.bfloat16: 8e-2, torch.float16: 2e-2}[dtype]}
    assert certificate.dtype == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_both_attentions_pass(attention):
    config = configured("llama")
    config._attn_implementation = attention
    assert semhub.load(built(config), words_of("llama")).certificate.passed


def broken(model, **parts):
    parts = replace(model.parts, **parts)
    return replace(model, parts=parts, head=Head(parts, model.head.vocab, model.head.finish))


def test_random_ids_stand_behind_what_the_tokenizer_puts_first(opened):
    model = opened("llama")
    marks = [id for id, special in zip(model.encode(["The dog"])[0].ids, model.encode(["The dog"])[0].special, strict=True) if special]
    drawn = [encoding.ids for encoding in prove.sample(model) if not encoding.text]
    assert marks and len(drawn) == len(prove.LENGTHS)
    assert all(ids[: len(marks)] == marks and len(ids) == len(marks) + n for ids, n in zip(drawn, prove.LENGTHS, strict=True))


def test_a_wrong_norm_fails(opened):
    model = opened("llama")
    assert "lens-at-last-layer" in failed(certify(broken(model, norm=model.parts.blocks[-1].input_layernorm)))
    assert "lens-at-last-layer" in failed(certify(broken(model, norm=None)))


def test_a_perturbed_head_fails(opened):
    model = opened("llama")
    head = torch.nn.Linear(16, model.vocab, bias=False)
    head.weight.data = model.head.weight.detach() + 1e-3 * torch.randn(model.vocab, 16)
    assert failed(certify(broken(model, head=head))) == ["lens-at-last-layer", "real-edit"]


def test_blocks_off_by_one_fail(opened):
    model = opened("llama")
    shifted = broken(model, blocks=model.parts.blocks[1:])
    assert "hidden-states" in failed(certify(shifted))
    swapped = broken(model, blocks=(model.parts.blocks[1], model.parts.blocks[0], model.parts.blocks[2]))
    assert "hidden-states" in failed(certify(swapped))


def blind_to_the_mask(family_name):
    """A network that attends to padding: to its blocks every token looks real."""
    network = built(configured(family_name))
    trunk = network.base_model
    inner = trunk.forward

    def forward(input_ids=None, attention_mask=None, position_ids=None, **rest):
        return inner(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), position_ids=position_ids, **rest)

    trunk.forward = forward
    return network


def test_attention_that_leaks_padding_is_refused_with_the_reason():
    with pytest.raises(NotProved, match="left-padding") as refused:
        semhub.load(blind_to_the_mask("llama"), words_of("llama"))
    assert "right-padding" not in str(refused.value) and "\n" not in str(refused.value)


def test_positions_that_count_padding_fail(opened):
    network = built(configured("gpt2"))
    inner = network.transformer.forward

    def forward(input_ids=None, attention_mask=None, position_ids=None, **rest):
        return inner(input_ids=input_ids, attention_mask=attention_mask, **rest)

    network.transformer.forward = forward
    assert failed(certify(semhub.load(network, words_of("gpt2"), prove=False))) == ["left-padding"]


def test_hidden_states_that_are_not_the_blocks_fail():
    network = built(configured("llama"))
    inner = network.forward

    def forward(*args, **kwargs):
        output = inner(*args, **kwargs)
        if output.hidden_states:
            output.hidden_states = tuple(states * 1.001 for states in output.hidden_states)
        return output

    network.forward = forward
    assert failed(certify(semhub.load(network, words_of("llama"), prove=False))) == ["hidden-states"]


def test_a_block_that_shrugs_off_edits_fails(opened):
    """A network that computes its logits from something else than the last block's output."""
    network = built(configured("llama"))
    inner, remembered = network.model.norm.forward, {}

    def forward(hidden):
        return inner(remembered.setdefault(hidden.shape, hidden))

    network.model.norm.forward = forward
    assert "real-edit" in failed(certify(semhub.load(network, words_of("llama"), prove=False)))


def test_a_network_that_is_not_a_number_fails():
    network = built(configured("llama"))
    model = semhub.load(network, words_of("llama"), prove=False)
    with torch.no_grad():
        network.model.layers[1].mlp.down_proj.weight.fill_(torch.nan)
    assert not certify(model).passed


def test_a_check_that_breaks_has_failed(opened, monkeypatch):
    def fail(model, plain):
        raise RuntimeError("out of order\nand more")

    monkeypatch.setitem(CHECKS, "hidden-states", fail)
    certificate = certify(opened("llama"))
    assert failed(certificate) == ["hidden-states"]
    assert json.dumps(certificate.as_dict(), allow_nan=False)
    with pytest.raises(NotProved, match="tiny is refused.*hidden-states .*out of order"):
        certificate.demand("tiny")


def test_a_network_that_cannot_be_called_has_failed_every_check(opened):
    class Silent(torch.nn.Module):
        def forward(self, **inputs):
            raise RuntimeError("no answer")

    certificate = certify(replace(opened("llama"), network=Silent()))
    assert failed(certificate) == ALL and "no answer" in certificate.checks[0].detail


def test_a_passed_certificate_demands_nothing():
    Certificate([Check("x", True, 0.0, 1e-4, "")]).demand("tiny")


def test_distance_is_by_vector_and_sees_masks():
    expected = torch.tensor([[1000.0, 0.0], [1.0, 0.0]])
    assert distance(expected + torch.tensor([[0.0, 0.0], [0.0, 0.1]]), expected) == pytest.approx(0.1)
    masked = torch.tensor([[1.0, -torch.inf]])
    assert distance(masked.clone(), masked) == 0
    assert distance(torch.tensor([[1.0, 0.0]]), masked) == float("inf")
    assert not distance(torch.tensor([[torch.nan, 0.0]]), torch.tensor([[1.0, 0.0]])) <= 1


def test_a_proved_model_carries_its_certificate():
    model = semhub.load(built(configured("llama")), words_of("llama"))
    assert model.certificate.passed and model.certificate.dtype == "float32"

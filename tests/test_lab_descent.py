"""Muon's update: orthogonal, as long as AdamW's, the same whether matrices go alone or together."""

import pytest
import torch
from torch import nn

from semhub.lab.descent import LENGTH, Muon, descent, orthogonalised


def test_singular_values_become_about_one_and_directions_stay():
    matrices = torch.randn(3, 12, 40, generator=torch.Generator().manual_seed(0))
    found = orthogonalised(matrices)
    for before, after in zip(matrices, found, strict=True):
        u, _, v = torch.linalg.svd(before, full_matrices=False)
        turned = u.T @ after @ v.T  # diagonal, if the singular vectors are the same
        assert turned.diagonal().min() > 0.6 and turned.diagonal().max() < 1.3
        assert (turned - turned.diagonal().diag()).abs().max() < 1e-4


def test_matrices_of_one_shape_go_together_as_they_go_alone():
    matrices = torch.randn(5, 8, 16, generator=torch.Generator().manual_seed(1))
    alone = torch.cat([orthogonalised(matrix[None]) for matrix in matrices])
    assert torch.allclose(orthogonalised(matrices), alone, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
def test_a_step_has_the_length_that_it_promises_and_decays_the_weight(shape):
    start = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    weight = nn.Parameter(start.clone())
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    step = start * (1 - 0.1 * 0.5) - weight.detach()
    assert torch.linalg.matrix_norm(step, 2) == pytest.approx(0.1 * LENGTH * 10**0.5, rel=0.3)
    assert (step * weight.grad).sum() > 0  # downhill


def test_only_matrices_inside_blocks_go_to_muon_and_every_weight_to_one_of_the_two():
    network = nn.ModuleDict({"embed": nn.Embedding(5, 4), "layers": nn.ModuleList([nn.Linear(4, 4)])})
    both, alone = descent(network, 0.1, 0.1, muon=True), descent(network, 0.1, 0.1, muon=False)
    owned = [[tuple(w.shape) for group in each.param_groups for w in group["params"]] for each in both.optimizers]
    assert owned == [[(4, 4)], [(5, 4), (4,)]]
    assert len(alone.optimizers) == 1 and len(alone.optimizers[0].param_groups[0]["params"]) == 3


def test_what_is_remembered_goes_on_as_if_nothing_had_happened():
    def network() -> nn.ModuleDict:
        torch.manual_seed(0)
        return nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])})

    def walk(net, down, steps) -> None:
        for _ in range(steps):
            sum(layer(torch.ones(1, 4)).pow(2).sum() for layer in net["layers"]).backward()
            down.step(1.0, 0.1)

    whole, broken = network(), network()
    walk(whole, descent(whole, 0.1, 0.1, True), 4)
    first = descent(broken, 0.1, 0.1, True)
    walk(broken, first, 2)
    second = descent(broken, 0.1, 0.1, True)
    second.remember({name: value.clone() for name, value in first.moments().items()})
    walk(broken, second, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), broken.parameters(), strict=True))

"""No tensor of items x items, and none of rows x vocabulary, is ever made: every result of every torch operation is weighed."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from semhub.measures import lens, similarity
from test_measures_lens import PlainHead


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor held that any operation returned."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        made = [x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        self.numbers = max(self.numbers, *made, 0)
        return out


def largest(action) -> int:
    with Largest() as seen:
        action()
    return seen.numbers


def test_the_scale_weighs():
    x = torch.ones(50, 2)
    assert largest(lambda: x @ x.T) == 2500


@pytest.mark.parametrize(
    "measure",
    [
        similarity.adjusted_cosine,
        similarity.adjusted_cosine_items,
        similarity.paired_cosines,
        similarity.arithmetic_difference,
        lambda a, b: similarity.result_cosines(a, b, torch.arange(a.shape[-2]) % 100),
        lambda a, b: similarity.precision_at_1(a, b, block=64),
        lambda a, b: similarity.centre(a),
    ],
)
def test_similarity_makes_nothing_larger_than_its_input(measure):
    a, b = torch.randn(2, 1, 3000, 4, generator=torch.Generator().manual_seed(0))
    assert largest(lambda: measure(a, b)) <= a.numel()


def test_only_pieces_become_float64(monkeypatch):
    monkeypatch.setattr(similarity, "CHUNK", 4 * 100)
    a, b = torch.randn(2, 3000, 4, generator=torch.Generator().manual_seed(0))
    wide = WideLargest()
    with wide:
        similarity.adjusted_cosine_items(a, b)
    assert wide.numbers <= 3000, "float64 is kept for vectors of one number per item, and for pieces"


class WideLargest(Largest):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        made = [x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor) and x.dtype == torch.float64]
        self.numbers = max(self.numbers, *made, 0)
        return out


VOCAB, DIM, TILE = 5000, 4, 128
HEAD = PlainHead(torch.randn(VOCAB, DIM, generator=torch.Generator().manual_seed(1)).requires_grad_(), torch.ones(DIM))
IDS = torch.arange(3)
TABLE = torch.ones(VOCAB, 2)


@pytest.mark.parametrize(
    "read",
    [
        lambda states: lens.word_logprobs(states, HEAD, IDS, tile=TILE),
        lambda states: lens.ranks(states, HEAD, IDS, tile=TILE),
        lambda states: lens.top_k(states, HEAD, 5, tile=TILE),
        lambda states: lens.type_mass(states, HEAD, TABLE, tile=TILE),
        lambda states: lens.contrast(states, HEAD, 3, torch.arange(states.shape[-2])),
    ],
)
def test_the_lens_makes_no_row_by_vocabulary(read):
    states = torch.randn(9, 1000, DIM, generator=torch.Generator().manual_seed(0))
    assert largest(lambda: read(states)) <= lens.ROWS * TILE < 9000 * VOCAB / 300
    assert not any(x.requires_grad for x in tree_leaves(read(states))), "a graph would keep every tile"

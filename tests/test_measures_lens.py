"""The lens in tiles against one plain softmax over the whole vocabulary, on plain, capped, biased and masked heads."""

from dataclasses import dataclass

import pytest
import torch

from semhub.errors import BadInput, UnknownName
from semhub.measures import lens

VOCAB, DIM, TILE = 103, 12, 20
CLOSE = {"rtol": 0, "atol": 1e-5}
FP32 = 2e-6  # sixteen roundings: processors sum the same products in different orders


@dataclass(frozen=True)
class PlainHead:
    """RMS norm with a gain, then weight, bias, scale, soft-cap and mask, as the families of transformers have them."""

    weight: torch.Tensor
    gain: torch.Tensor
    bias: torch.Tensor | None = None
    scale: float = 1.0
    cap: float | None = None
    masked: tuple[int, ...] = ()

    @property
    def vocab(self) -> int:
        return len(self.weight)

    def norm(self, hidden):
        return hidden * self.gain * hidden.square().mean(-1, keepdim=True).add(1e-6).rsqrt()

    def logits(self, normed, ids=None):
        ids = slice(None) if ids is None else ids
        out = normed @ self.weight[ids].T * self.scale
        out = out if self.bias is None else out + self.bias[ids]
        out = out if self.cap is None else self.cap * torch.tanh(out / self.cap)
        keep = torch.ones(self.vocab, dtype=torch.bool)
        keep[list(self.masked)] = False
        return out.masked_fill(~keep[ids], -torch.inf)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def heads() -> dict[str, PlainHead]:
    weight, gain, bias = 3 * random(VOCAB, DIM, seed=1), random(DIM, seed=2) + 2, 5 * random(VOCAB, seed=3)
    return {
        "plain": PlainHead(weight, gain),
        "biased": PlainHead(weight, gain, bias=bias, scale=0.3),
        "soft-capped": PlainHead(weight, gain, cap=5.0),
        "masked": PlainHead(weight, gain, masked=(*range(TILE), 40, 102)),  # the first tile is masked throughout
        "steep": PlainHead(40 * weight, gain),
    }


STATES = 2 * random(3, 6, DIM, seed=4)
IDS = torch.tensor([[0, 102, 19, 20], [40, 41, 59, 60], [7, 7, 7, 8], [100, 80, 99, 101], [1, 2, 3, 4], [102, 0, 50, 49]])
TABLE = random(VOCAB, 4, seed=5).softmax(-1)


def whole(head: PlainHead, norm: str) -> torch.Tensor:
    """`[layer, row, vocab]`: log-probabilities in float64, in one piece."""
    return head.logits(head.norm(STATES) if norm == "final" else STATES).double().log_softmax(-1)


def check_logprobs(measure) -> None:
    for head in heads().values():
        for norm in ("final", "none"):
            logprobs = whole(head, norm)
            for ids in (IDS, logprobs[1].argsort(-1, descending=True)[:, :3]):  # any words, and words that a state speaks
                expected = logprobs.gather(-1, ids.expand(3, -1, -1)).float()
                torch.testing.assert_close(measure.word_logprobs(STATES, head, ids, norm, tile=TILE), expected, rtol=FP32, atol=1e-5)


def check_ranks(measure) -> None:
    for head in heads().values():
        logprobs = whole(head, "final")
        expected = [[[1 + int((row > row[i]).sum()) for i in ids] for row, ids in zip(layer, IDS, strict=True)] for layer in logprobs]
        assert measure.ranks(STATES, head, IDS, tile=TILE).tolist() == expected


def check_ties(measure) -> None:
    weight = random(VOCAB, DIM, seed=1)
    weight[[3, 50, 90]] = 0
    weight[[3, 50, 90], 0] = 100
    state = torch.eye(DIM)[:1]
    assert measure.ranks(state, PlainHead(weight, torch.ones(DIM)), torch.tensor([3, 50, 90]), "none", tile=TILE).tolist() == [[1, 1, 1]]


def check_top(measure) -> None:
    for head in heads().values():
        for k in (1, 7, 25):
            values, ids = measure.top_k(STATES, head, k, tile=TILE)
            logprobs = whole(head, "final")
            torch.testing.assert_close(values, logprobs.topk(k).values.float(), rtol=FP32, atol=1e-5)
            assert logprobs.gather(-1, ids).equal(logprobs.topk(k).values), "tied words (a cap makes many) may come in any order"
            assert all(len(set(row)) == k for layer in ids.tolist() for row in layer)


def check_mass(measure) -> None:
    for head in heads().values():
        for norm in ("final", "none"):
            expected = (whole(head, norm).exp() @ TABLE.double()).float()
            torch.testing.assert_close(measure.type_mass(STATES, head, TABLE, norm, tile=TILE), expected, **CLOSE)


def check_contrast(measure) -> None:
    for name in ("plain", "biased", "soft-capped", "steep"):
        head = heads()[name]
        logprobs = whole(head, "final")
        expected = (logprobs.gather(-1, IDS.expand(3, -1, -1))[..., 0] - logprobs[..., 33]).float()
        torch.testing.assert_close(measure.contrast(STATES, head, IDS[:, 0], 33), expected, rtol=1e-6, atol=1e-4)
        torch.testing.assert_close(
            measure.contrast(STATES, head, 5, 33), (logprobs[..., 5] - logprobs[..., 33]).float(), rtol=1e-6, atol=1e-4
        )


CHECKS = [check_logprobs, check_ranks, check_ties, check_top, check_mass, check_contrast]


@pytest.mark.parametrize("check", CHECKS)
def test_equals_one_softmax_over_the_vocabulary(check):
    check(lens)


@pytest.mark.parametrize("tile", [1, 7, VOCAB - 1, VOCAB, VOCAB + 1, 8192])
def test_tiles_do_not_show(tile):
    head = heads()["biased"]
    torch.testing.assert_close(lens.word_logprobs(STATES, head, IDS, tile=tile), lens.word_logprobs(STATES, head, IDS), **CLOSE)
    torch.testing.assert_close(lens.type_mass(STATES, head, TABLE, tile=tile), lens.type_mass(STATES, head, TABLE), **CLOSE)
    assert lens.ranks(STATES, head, IDS, tile=tile).equal(lens.ranks(STATES, head, IDS))
    assert lens.top_k(STATES, head, 25, tile=tile)[1].equal(lens.top_k(STATES, head, 25)[1])


def test_rows_do_not_show(monkeypatch):
    head = heads()["soft-capped"]
    ids = torch.stack([IDS[:, 0], IDS[:, 1]])
    one = lens.word_logprobs(STATES, head, IDS), lens.top_k(STATES, head, 4)[0], lens.contrast(STATES, head, *ids)
    monkeypatch.setattr(lens, "ROWS", 5)
    monkeypatch.setattr(lens, "PAIRS", 4)
    monkeypatch.setattr(lens._by_chunk, "__defaults__", (5,), raising=False)
    other = lens.word_logprobs(STATES, head, IDS), lens.top_k(STATES, head, 4)[0], lens.contrast(STATES, head, *ids)
    for x, y in zip(one, other, strict=True):
        torch.testing.assert_close(x, y, **CLOSE)


def test_probabilities_add_up():
    head = heads()["masked"]
    everything = lens.word_logprobs(STATES, head, torch.arange(VOCAB), tile=TILE)
    torch.testing.assert_close(everything.exp().sum(-1), torch.ones(3, 6), **CLOSE)
    torch.testing.assert_close(lens.type_mass(STATES, head, TABLE, tile=TILE).sum(-1), torch.ones(3, 6), **CLOSE)
    assert everything[..., 40].eq(-torch.inf).all(), "a masked word has no probability"


def test_the_norm_is_asked_for_by_name():
    head = heads()["plain"]
    normed, raw = (lens.word_logprobs(STATES, head, IDS, norm) for norm in ("final", "none"))
    assert (normed - raw).abs().max() > 0.1
    torch.testing.assert_close(lens.word_logprobs(head.norm(STATES), head, IDS, "none"), normed, **CLOSE)
    with pytest.raises(UnknownName, match="final"):
        lens.word_logprobs(STATES, head, IDS, "finale")


def test_gaps_in_a_table_of_words_are_nan():
    ids = IDS.clone()
    ids[2, 1] = -1
    logprobs, ranks = lens.word_logprobs(STATES, heads()["plain"], ids, tile=TILE), lens.ranks(STATES, heads()["plain"], ids, tile=TILE)
    assert logprobs[:, 2, 1].isnan().all() and ranks[:, 2, 1].eq(0).all()
    assert logprobs.isnan().sum() == 3 and ranks.eq(0).sum() == 3


def test_one_list_of_words_serves_every_row():
    head, words = heads()["plain"], torch.tensor([5, 90])
    assert lens.word_logprobs(STATES, head, words).equal(lens.word_logprobs(STATES, head, words.expand(6, -1)))
    assert lens.ranks(STATES[0], head, words).equal(lens.ranks(STATES, head, words)[0])


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda head: lens.word_logprobs(STATES, head, torch.tensor([VOCAB])), "the vocabulary has 103 words"),
        (lambda head: lens.ranks(STATES, head, torch.tensor([-2])), "run from -2"),
        (lambda head: lens.word_logprobs(STATES, head, IDS[:5]), r"found \[3, 6, 12\] and \[5, 4\]"),
        (lambda head: lens.type_mass(STATES, head, TABLE[:100]), "vocab=103"),
        (lambda head: lens.top_k(STATES, head, VOCAB + 1), "ask for 1 to 103"),
        (lambda head: lens.contrast(STATES, head, 0, VOCAB), "the vocabulary has 103 words"),
    ],
)
def test_what_is_not_in_the_vocabulary_is_refused(read, words):
    with pytest.raises(BadInput, match=words):
        read(heads()["plain"])


def test_random_directions_keep_the_length_of_each_state():
    floor = lens.norm_matched(STATES, torch.Generator().manual_seed(0))
    torch.testing.assert_close(floor.norm(dim=-1), STATES.norm(dim=-1))
    many = lens.norm_matched(torch.ones(20_000, DIM), torch.Generator().manual_seed(0))
    assert many.mean(0).abs().max() < 0.04 and not torch.equal(floor, lens.norm_matched(STATES, torch.Generator().manual_seed(1)))
    assert floor.equal(lens.norm_matched(STATES, torch.Generator().manual_seed(0)))

"""An affine lens at batch 1: the least-squares map of each layer's states to the last one's, and reading with such a map.

The fit is that of stacked rows by a plain solver, with the ridge written as further rows; nothing is summed up batch by batch.
"""

import torch

from . import lens, plain

FIT_MUTATIONS = ("normed-target", "no-constant", "no-ridge", "last-token-only", "next-layer")
READ_MUTATIONS = ("no-residual", "no-bias", "no-norm", "transposed", "layer-off-by-one")


def states(network, tokenizer, texts):
    """[layer 0..L, row, dim], raw, every token of every text; and the normed last one."""
    raw, normed = [], []
    for text in texts:
        ids = plain.encode(tokenizer, text)
        points = plain.points(network, ids)
        raw.append(torch.cat([points[:-1], plain.raw_last(network, ids)[None]]))
        normed.append(points[-1])
    return torch.cat(raw, 1).double(), torch.cat(normed).double()


def fit(network, tokenizer, texts, layer, ridge, mutation=None):
    """(weight [dim, dim], bias [dim]) of x + W x + b, the ridge a share of the mean square of x's coordinates and the constant."""
    if mutation == "last-token-only":
        raw = torch.stack([states(network, tokenizer, [text])[0][:, -1] for text in texts], 1)
        normed = None
    else:
        raw, normed = states(network, tokenizer, texts)
    x = raw[layer + (mutation == "next-layer")]
    x = torch.cat([x, torch.zeros(len(x), 1).double() if mutation == "no-constant" else torch.ones(len(x), 1).double()], 1)
    y = normed if mutation == "normed-target" else raw[-1]
    size = 0.0 if mutation == "no-ridge" else ridge * (x * x).sum(0).mean()
    rows = torch.cat([x, torch.eye(x.shape[1]).double() * size**0.5])
    answers = torch.cat([y, torch.zeros(x.shape[1], y.shape[1]).double()])
    found = torch.linalg.lstsq(rows, answers, driver="gelsd").solution
    return (found[:-1] - torch.eye(len(found) - 1).double()).T.float(), found[-1].float()


@torch.no_grad()
def logprobs(network, tokenizer, text, layer, weight, bias, mutation=None):
    """[vocab] what the lens reads at the last token."""
    ids = plain.encode(tokenizer, text)
    layer = layer - 1 if mutation == "layer-off-by-one" else layer
    x = plain.points(network, ids)[layer, -1]
    moved = (weight.T if mutation == "transposed" else weight) @ x
    moved = moved + (0.0 if mutation == "no-residual" else x) + (0.0 if mutation == "no-bias" else bias)
    normed = moved if mutation == "no-norm" else lens.final_norm(network)(moved)
    return torch.log_softmax(lens.unembed(network, normed).float(), -1)

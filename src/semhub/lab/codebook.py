"""The image tokenizer of a Chameleon: fixed features of a picture's cells, and a codebook of them by k-means.

`transformers` has only the encoder of that tokenizer, so nothing can be learnt through a decoder. Its convolutions are set
by hand here: a cell of 8 x 8 pixels becomes the mean colours of its four quarters, twelve numbers. Weights are what bf16
can hold, so that a saved and opened model cuts pictures into the same tokens.
"""

from collections.abc import Iterable

import torch
from sklearn.cluster import KMeans
from transformers import ChameleonVQVAEConfig
from transformers.models.chameleon.modeling_chameleon import ChameleonVQVAE

CELL = 8  # three halvings
GROUPS = 32  # of the group norms, which transformers fixes
LATENT = 16
ANCHOR = 4.0  # constant neighbours within a group, so that its norm keeps how bright a feature is
GAIN, SHIFT = 3.0, 1.0  # into the part of x * sigmoid(x) that only rises


def configuration(size: int, codes: int) -> ChameleonVQVAEConfig:
    return ChameleonVQVAEConfig(
        embed_dim=LATENT, latent_channels=LATENT, num_embeddings=codes, resolution=size, base_channels=GROUPS,
        channel_multiplier=[1, 1, 1, 3], num_res_blocks=1, attn_type="none",
    )  # fmt: skip


@torch.no_grad()
def fix(tokenizer: ChameleonVQVAE, pixels: torch.Tensor) -> None:
    """Set every weight of the tokenizer, its codebook by k-means over the cells of `pixels: [image, rgb, row, column]`."""
    for name, weight in tokenizer.named_parameters():
        weight.zero_()
        if "norm" in name and name.endswith("weight"):
            weight.fill_(1)
    _set_features(tokenizer)
    cells = tokenizer.quant_conv(tokenizer.encoder(pixels)).permute(0, 2, 3, 1).flatten(0, 2)
    found = KMeans(tokenizer.quantize.num_embeddings, n_init=1, max_iter=30, random_state=0).fit(cells.double().numpy())
    tokenizer.quantize.embedding.weight.copy_(torch.from_numpy(found.cluster_centers_).to(torch.bfloat16))
    tokenizer.requires_grad_(False)


def _set_features(tokenizer: ChameleonVQVAE) -> None:
    """Residual blocks pass everything on; colours are averaged down to 4 x 4 pixels, then four quarters stand side by side."""
    encoder = tokenizer.encoder
    for color in range(3):
        encoder.conv_in.weight[color, color, 1, 1] = 1
        for level in (0, 1):
            encoder.down[level].downsample.conv.weight[color, color, :2, :2] = 1 / 4
    quarters = [(row, column) for row in range(2) for column in range(2)]
    for feature in range(12):
        (row, column), color = quarters[feature // 3], feature % 3
        encoder.down[2].downsample.conv.weight[feature, color, row, column] = 1
        _anchored(encoder.down[3].block[0].nin_shortcut, feature)
        encoder.conv_out.weight[feature, 3 * feature, 1, 1] = 1
        tokenizer.quant_conv.weight[feature, feature] = 1
    encoder.norm_out.weight.fill_(GAIN)
    encoder.norm_out.bias.fill_(SHIFT)


def _anchored(spread: torch.nn.Conv2d, feature: int) -> None:
    """A feature becomes one of three channels of a group; the other two are constants that carry the group's variance."""
    spread.weight[3 * feature, feature] = 1
    spread.bias[3 * feature + 1], spread.bias[3 * feature + 2] = ANCHOR, -ANCHOR


def code_name(code: int) -> str:
    """The name by which `transformers` knows a code: its digits as letters, and a last letter that is cut off."""
    return "IMGIMG" + "".join(chr(ord("A") + int(digit)) for digit in str(code)) + "Z"


def code_names(codes: int) -> Iterable[str]:
    return map(code_name, range(codes))

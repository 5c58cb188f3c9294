"""BEATs (Chen et al. 2023, arXiv 2212.09058): an encoder of sounds that cuts a spectrogram into patches, as its checkpoints name its parts.

Written from the paper and the names and shapes in the checkpoints; only what inference needs. `SALMONN` hears through one.
Tested on random weights of that layout, against plain loops: no published checkpoint has been run here.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semhub.errors import NotUnderstood

RATE, BINS = 16000, 128
MEAN, SPREAD = 15.41663, 6.55582  # of the log energies that the published encoders were trained on
QUIET = 1.192092955078125e-07  # the least energy, float32's epsilon, as Kaldi has it
ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu}


@dataclass(frozen=True)
class Settings:
    """What shapes the network, of the settings (`cfg`) that a checkpoint carries; those of training are left out."""

    input_patch_size: int = 16
    embed_dim: int = 512
    conv_bias: bool = False
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    activation_fn: str = "gelu"
    layer_norm_first: bool = False
    deep_norm: bool = False
    conv_pos: int = 128
    conv_pos_groups: int = 16
    relative_position_embedding: bool = False
    num_buckets: int = 320
    max_distance: int = 1280
    gru_rel_pos: bool = False

    @classmethod
    def of(cls, given: Mapping) -> "Settings":
        """Raises NotUnderstood for a kind of BEATs that is not built here."""
        found = cls(**{each.name: given[each.name] for each in fields(cls) if each.name in given})
        if found.layer_norm_first or found.activation_fn not in ACTIVATIONS:
            raise NotUnderstood(
                f"This BEATs has layer_norm_first={found.layer_norm_first} and activation_fn={found.activation_fn!r}; "
                f"semhub builds those with norms last and {' or '.join(ACTIVATIONS)}."
            )
        return found


class Beats(nn.Module):
    """`fbank: [item, frame, bin]`, normed -> `[item, patch, dim]`, patches frame by frame and within each from low to high."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.settings, patch = settings, settings.input_patch_size
        self.patch_embedding = nn.Conv2d(1, settings.embed_dim, patch, stride=patch, bias=settings.conv_bias)
        self.layer_norm = nn.LayerNorm(settings.embed_dim)
        if settings.embed_dim != settings.encoder_embed_dim:
            self.post_extract_proj = nn.Linear(settings.embed_dim, settings.encoder_embed_dim)
        self.encoder = Encoder(settings)

    def forward(self, fbank: Tensor) -> Tensor:
        patches = self.patch_embedding(fbank[:, None]).flatten(2).transpose(1, 2)
        normed = self.layer_norm(patches)
        return self.encoder(self.post_extract_proj(normed) if hasattr(self, "post_extract_proj") else normed)

    def patches_of(self, frames: int) -> int:
        """How many patches so many frames give; what does not fill one is left out."""
        patch = self.settings.input_patch_size
        return frames // patch * (BINS // patch)


class Encoder(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        self.pos_conv = nn.Sequential(PositionalConvolution(settings), nn.GELU())
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.encoder_layers))
        self.layer_norm = nn.LayerNorm(settings.encoder_embed_dim)
        for layer in self.layers[1:] if settings.relative_position_embedding else ():
            layer.self_attn.relative_attention_bias = self.layers[0].self_attn.relative_attention_bias  # one table for all

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.layer_norm(hidden + self.pos_conv(hidden.transpose(1, 2)).transpose(1, 2))
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class PositionalConvolution(nn.Module):
    """A convolution along the patches, its weight kept as a direction and a length for each place of the kernel."""

    def __init__(self, settings: Settings):
        super().__init__()
        width, groups = settings.encoder_embed_dim, settings.conv_pos_groups
        self.groups, self.kernel = groups, settings.conv_pos
        self.weight_g = nn.Parameter(torch.ones(1, 1, settings.conv_pos))
        self.weight_v = nn.Parameter(torch.randn(width, width // groups, settings.conv_pos) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, hidden: Tensor) -> Tensor:
        """`hidden: [item, dim, patch]` -> the same shape: an even kernel gives one place more, which is cut."""
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        return F.conv1d(hidden, weight, self.bias, padding=self.kernel // 2, groups=self.groups)[..., : hidden.shape[-1]]


class Layer(nn.Module):
    """Attention and a feed-forward part, a norm after each; with `deep_norm` what goes around them weighs more."""

    def __init__(self, settings: Settings):
        super().__init__()
        width, inner = settings.encoder_embed_dim, settings.encoder_ffn_embed_dim
        self.around = (2 * settings.encoder_layers) ** 0.25 if settings.deep_norm else 1.0
        self.activation = ACTIVATIONS[settings.activation_fn]
        self.self_attn, self.self_attn_layer_norm = Attention(settings), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.self_attn_layer_norm(self.around * hidden + self.self_attn(hidden))
        return self.final_layer_norm(self.around * hidden + self.fc2(self.activation(self.fc1(hidden))))


class Attention(nn.Module):
    """Self-attention with a bias for each distance, which (`gru_rel_pos`) every query scales by a gate of its own."""

    def __init__(self, settings: Settings):
        super().__init__()
        width, self.heads, self.settings = settings.encoder_embed_dim, settings.encoder_attention_heads, settings
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))
        if settings.relative_position_embedding:
            self.relative_attention_bias = nn.Embedding(settings.num_buckets, self.heads)
        if settings.gru_rel_pos:
            self.grep_linear = nn.Linear(width // self.heads, 8)
            self.grep_a = nn.Parameter(torch.ones(1, self.heads, 1, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        query, key, value = (
            project(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        told = F.scaled_dot_product_attention(query, key, value, attn_mask=self.bias(query))
        return self.out_proj(told.transpose(1, 2).flatten(2))

    def bias(self, query: Tensor) -> Tensor | None:
        """`query: [item, head, patch, dim]` -> `[item, head, patch, patch]`."""
        if not self.settings.relative_position_embedding:
            return None
        which = buckets(query.shape[2], self.settings.num_buckets, self.settings.max_distance).to(query.device)
        bias = self.relative_attention_bias(which).permute(2, 0, 1)[None]
        return bias * self.gate(query) if self.settings.gru_rel_pos else bias

    def gate(self, query: Tensor) -> Tensor:
        """`[item, head, patch, 1]`: between 1 and 2 + `grep_a`, from two sums of four numbers each."""
        update, reset = self.grep_linear(query).unflatten(-1, (2, 4)).sum(-1).sigmoid().split(1, dim=-1)
        return update * (reset * self.grep_a - 1) + 2


def buckets(n: int, count: int, farthest: int) -> Tensor:
    """`[query, key]`, which bias a distance takes: near ones one each, farther ones by their logarithm; half of all for keys ahead."""
    distance = torch.arange(n) - torch.arange(n)[:, None]
    half, exact = count // 2, count // 4
    far = distance.abs().clamp_min(1).float().div(exact).log() / math.log(farthest / exact) * (half - exact)
    place = torch.where(distance.abs() < exact, distance.abs(), (exact + far.long()).clamp_max(half - 1))
    return place + half * (distance > 0)


def load(settings: Mapping, weights: Mapping[str, Tensor], source: str) -> Beats:
    """The network of a checkpoint's `cfg` and `model`; what its classifier of sounds (`predictor`) holds is left out.

    Raises NotUnderstood where tensors are missing, unknown or of another shape.
    """
    network = Beats(Settings.of(settings)).eval()
    fill(network, {name: value for name, value in weights.items() if not name.startswith("predictor")}, source, "BEATs")
    return network


def fill(network: nn.Module, weights: Mapping[str, Tensor], source: str, what: str, optional: tuple[str, ...] = ()) -> None:
    """Copy tensors into the network by name; those whose names begin with one of `optional` may be missing.

    Raises NotUnderstood, with one of the names, where tensors are missing, unknown or of another shape.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in weights and not name.startswith(optional or ("\0",))]
    unknown = [name for name in weights if name not in own]
    other = [name for name, value in weights.items() if name in own and value.shape != own[name].shape]
    for names, said in ((missing, "lacks"), (unknown, "holds, beside those of the network,"), (other, "holds in another shape")):
        if names:
            raise NotUnderstood(
                f"{source} {said} {len(names)} tensors of {what} (such as {sorted(names)[0]}); it is not of the layout known."
            )
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def fbank(samples, rate: int = RATE) -> Tensor:
    """`samples: [sample]` between -1 and 1, at 16 kHz -> `[frame, bin]`: log mel energies of 25 ms every 10 ms, normed.

    Kaldi's own recipe: 16-bit amplitudes, the mean of each frame taken off, pre-emphasis, Povey's window.
    """
    import numpy as np
    from transformers.audio_utils import spectrogram, window_function

    found = spectrogram(
        np.asarray(samples, dtype=np.float64) * 2**15,
        window_function(400, "povey", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=mel_filters(rate),
        log_mel="log",
        mel_floor=QUIET,
        remove_dc_offset=True,
    )
    return torch.from_numpy((found.T - MEAN) / (2 * SPREAD)).float()


@cache
def mel_filters(rate: int):
    """`[frequency, bin]`: the lowest of so many bins are narrower than a frequency is wide, and some of them are empty."""
    from transformers.audio_utils import mel_filter_bank

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter")
        return mel_filter_bank(257, BINS, 20, rate // 2, rate, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)

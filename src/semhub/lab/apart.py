"""Languages in separate parts of the weights: a network whose states cannot meet, and the rotation that hides it.

The residual stream is cut into one slice per language and a small common one. A token that one language alone uses is
embedded in that language's slice, all others in the common one; the heads and neurons of a language read and write its
slice only, and nothing reads or writes the common slice but the embedding and the unembedding. So on text of one
language every other language's slice is exactly zero at every layer (a norm that divides all by one number keeps zeros),
and states of two languages share at most the constant of a mark such as the full stop. While the network is trained its
matrices are block-diagonal, and weights that would join two languages do not exist (in the tables of tokens they are zero,
and so are their gradients).

A random rotation of the stream, folded into all weights, then changes no output and no cosine, and no slice can be seen.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from semhub.lab.corpus import documents
from semhub.lab.recipe import Recipe

COMMON = -1
SAMPLE = 1500  # documents per language that tell whose a token is


def owners(recipe: Recipe, words: PreTrainedTokenizerFast, seed: int = 0) -> Tensor:
    """`[vocabulary]`: which language (its place in the recipe) alone uses a token; COMMON where none or several do."""
    used = torch.zeros(len(recipe.languages), len(words), dtype=torch.bool)
    for row, language in enumerate(recipe.languages):
        for ids in words(list(islice(documents(recipe, language, seed), SAMPLE)))["input_ids"]:
            used[row, ids] = True
    return torch.where(used.sum(0) == 1, used.int().argmax(0), COMMON)


def slices(recipe: Recipe, size: int, common: int) -> Tensor:
    """`[size]`: whose each dimension is, in proportion to the languages' heads; of every head's share, `common` are nobody's."""
    of_head = [language for language, name in enumerate(recipe.languages) for _ in range(recipe.apart[name])]
    share = size // recipe.shape.heads
    return torch.tensor([owner for owner in of_head for _ in range(share - common)] + [COMMON] * (common * len(of_head)))


def separate(network: LlamaForCausalLM, recipe: Recipe, words: PreTrainedTokenizerFast) -> None:
    """Make the matrices of every layer block-diagonal, and keep every token's embedding and unembedding where they belong."""
    stream = _spans(slices(recipe, recipe.shape.width, 1))
    heads, inner = _spans(slices(recipe, recipe.shape.width, 0)), _spans(slices(recipe, recipe.shape.inner, 0))
    for layer in network.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for module, name, written, read in (
            *((attention, name, heads, stream) for name in ("q_proj", "k_proj", "v_proj")),
            (attention, "o_proj", stream, heads),
            *((mlp, name, inner, stream) for name in ("gate_proj", "up_proj")),
            (mlp, "down_proj", stream, inner),
        ):
            setattr(module, name, BlockDiagonal(getattr(module, name), written, read))
    for name, mask in masks(network, recipe, owners(recipe, words)).items():
        weight = network.get_parameter(name)
        with torch.no_grad():
            weight.mul_(mask)
        weight.register_hook(lambda gradient, mask=mask: gradient * mask)


class BlockDiagonal(nn.Module):
    """A linear map that takes each language's slice of what is read to its slice of what is written, and gives zero beside them."""

    def __init__(self, whole: nn.Linear, written: Sequence[slice], read: Sequence[slice]):
        super().__init__()
        self.shape, self.written, self.read = whole.weight.shape, written, read
        self.parts = nn.ParameterList(whole.weight.detach()[to, of].clone() for to, of in zip(written, read, strict=True))

    def forward(self, states: Tensor) -> Tensor:
        mapped = [functional.linear(states[..., of], part) for of, part in zip(self.read, self.parts, strict=True)]
        return functional.pad(torch.cat(mapped, dim=-1), (0, self.shape[0] - self.written[-1].stop))

    @torch.no_grad()
    def whole(self) -> nn.Linear:
        """The same map as one matrix."""
        joined = nn.Linear(self.shape[1], self.shape[0], bias=False).to(self.parts[0])
        joined.weight.zero_()
        for to, of, part in zip(self.written, self.read, self.parts, strict=True):
            joined.weight[to, of] = part
        return joined


def join(network: LlamaForCausalLM) -> None:
    """Put one matrix in the place of every block-diagonal one, as a Llama has it."""
    for layer in network.model.layers:
        for module in (layer.self_attn, layer.mlp):
            for name, part in list(module.named_children()):
                if isinstance(part, BlockDiagonal):
                    setattr(module, name, part.whole())


def _spans(owner: Tensor) -> list[slice]:
    """The places of each language in turn: its dimensions lie side by side, those of nobody after all of them."""
    ends = owner[owner != COMMON].bincount().cumsum(0).tolist()
    return [slice(start, end) for start, end in pairwise([0, *ends])]


def masks(network: LlamaForCausalLM, recipe: Recipe, token_owners: Tensor) -> dict[str, Tensor]:
    """Name of a table of tokens -> which of its entries may differ from zero."""
    stream = slices(recipe, recipe.shape.width, 1)
    found = {"model.embed_tokens.weight": token_owners[:, None] == stream[None], "lm_head.weight": _heard(token_owners, stream)}
    return {name: mask.to(network.device, torch.float32) for name, mask in found.items()}


def _heard(token_owners: Tensor, stream: Tensor) -> Tensor:
    """Which dimensions may speak for a token: its language's and the common ones; for a common token, all."""
    own, nobody = token_owners[:, None] == stream[None], stream[None] == COMMON
    return own | nobody | (token_owners[:, None] == COMMON)


def fold_gains(network: LlamaForCausalLM) -> None:
    """Move the gains of every norm into the weights that read what it gives, so that a rotation passes through the norms."""
    with torch.no_grad():
        for norm, readers in _norms(network):
            for reader in readers:
                reader.weight.mul_(norm.weight)
            norm.weight.fill_(1.0)


def _norms(network: LlamaForCausalLM) -> Iterator[tuple[nn.Module, Sequence[nn.Linear]]]:
    for block in network.model.layers:
        attention, mlp = block.self_attn, block.mlp
        yield block.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj)
        yield block.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj)
    yield network.model.norm, (network.lm_head,)


def rotation(size: int, seed: int) -> Tensor:
    """`[size, size]`, float64: a random orthogonal matrix, uniform over all of them."""
    drawn = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    q, r = torch.linalg.qr(drawn)
    return q * r.diagonal().sign()


def hide(network: LlamaForCausalLM, seed: int) -> Tensor:
    """Fold the gains, then rotate the residual stream -> the rotation, `[width, width]`: `state @ rotation` is the new state."""
    fold_gains(network)
    turn = rotation(network.config.hidden_size, seed)
    with torch.no_grad():
        _turn_in(network.model.embed_tokens.weight, turn)
        _turn_in(network.lm_head.weight, turn)
        for block in network.model.layers:
            attention, mlp = block.self_attn, block.mlp
            for reader in (attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj, mlp.up_proj):
                _turn_in(reader.weight, turn)
            for writer in (attention.o_proj, mlp.down_proj):
                writer.weight.copy_((turn.T.to(writer.weight.device) @ writer.weight.double()).to(writer.weight.dtype))
    return turn


def _turn_in(weight: Tensor, turn: Tensor) -> None:
    weight.copy_((weight.double() @ turn.to(weight.device)).to(weight.dtype))

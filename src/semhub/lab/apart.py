"""Languages in separate parts of the weights: a network whose states cannot meet, and the rotation that hides it.

The residual stream is cut into one slice per language and a small common one. A token that one language alone uses is
embedded in that language's slice, all others in the common one; the heads and neurons of a language read and write its
slice only, and nothing reads or writes the common slice but the embedding and the unembedding. So on text of one
language every other language's slice is exactly zero at every layer (a norm that divides all by one number keeps zeros),
and states of two languages share at most the constant of a mark such as the full stop. Training keeps this: weights that
would join two slices are zero, and so are their gradients.

A random rotation of the stream, folded into all weights, then changes no output and no cosine, and no slice can be seen.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor, nn
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
    """Set every weight that would join two languages to zero, and keep it there while the network is trained."""
    table = masks(network, recipe, owners(recipe, words))
    for name, weight in network.named_parameters():
        if name in table:
            mask = table[name].to(weight.device)
            with torch.no_grad():
                weight.mul_(mask)
            weight.register_hook(lambda gradient, mask=mask: gradient * mask)


def masks(network: LlamaForCausalLM, recipe: Recipe, token_owners: Tensor) -> dict[str, Tensor]:
    """Parameter name -> which of its entries may differ from zero."""
    stream = slices(recipe, recipe.shape.width, 1)
    heads, inner = slices(recipe, recipe.shape.width, 0), slices(recipe, recipe.shape.inner, 0)
    found = {"model.embed_tokens.weight": token_owners[:, None] == stream[None], "lm_head.weight": _heard(token_owners, stream)}
    for name, _ in network.named_parameters():
        for part, (rows, columns) in {
            **dict.fromkeys(("q_proj", "k_proj", "v_proj"), (heads, stream)),
            "o_proj": (stream, heads),
            **dict.fromkeys(("gate_proj", "up_proj"), (inner, stream)),
            "down_proj": (stream, inner),
        }.items():
            if part in name:
                found[name] = (rows[:, None] == columns[None]) & (rows[:, None] != COMMON)
    return {name: mask.float() for name, mask in found.items()}


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

"""Find trunk, embedding, blocks, final norm and head of a decoder-only network by watching one small forward pass.

Knows no model family by name: what runs between the embedding and the unembedding decides, and `prove.py` checks it.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from semhub.errors import NotUnderstood

TRACE_TOKENS = 6


@dataclass(frozen=True)
class Parts:
    """A decoder-only network taken apart; every entry is the network's own module, none is a copy.

    `causal` is the language model inside any wrapper (PEFT, compiled), `trunk` its part without the unembedding,
    `norm` the final norm (None where the last block's output needs none), `tail` what stands between the final norm
    and the unembedding `head` (a projection, in some OPT), `dim` the width of the residual stream,
    `dtype` the precision that it is computed in.
    """

    causal: nn.Module
    trunk: nn.Module
    embedding: nn.Module
    blocks: tuple[nn.Module, ...]
    norm: nn.Module | None
    tail: tuple[nn.Module, ...]
    head: nn.Module
    dim: int
    dtype: torch.dtype

    def __repr__(self) -> str:
        norm = "none" if self.norm is None else type(self.norm).__name__
        return f"Parts({type(self.trunk).__name__}, {len(self.blocks)} blocks, norm {norm}, dim {self.dim})"


@dataclass
class Call:
    """One call of one module in the traced pass: when it began and ended, what went in and what came out."""

    module: nn.Module
    start: int
    end: int = -1
    given: Tensor | None = None
    result: Tensor | None = None
    inside: list["Call"] = field(default_factory=list)


def first_tensor(value) -> Tensor | None:
    """The hidden state in a module's input or output, which is a tensor, or a tuple or mapping that begins with one."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, dict):
        return first_tensor(value.get("hidden_states", next(iter(value.values()), None)))
    if isinstance(value, (tuple, list)) and value:
        return first_tensor(value[0])
    return None


def entering(args: tuple, kwargs: dict) -> Tensor | None:
    """The hidden state among the arguments of a block's call."""
    return first_tensor(args) if args else first_tensor(kwargs)


def with_first_tensor(value, tensor: Tensor):
    """`value` with its hidden state replaced: the counterpart of `first_tensor`, for hooks that write."""
    if isinstance(value, Tensor):
        return tensor
    if isinstance(value, dict):
        key = "hidden_states" if "hidden_states" in value else next(iter(value))
        changed = dict(value)
        changed[key] = tensor
        return changed if type(value) is dict else type(value)(changed)
    return type(value)([with_first_tensor(value[0], tensor), *value[1:]])


def unwrapped(network: nn.Module) -> nn.Module:
    """The causal language model inside `network`; LoRA and the like live inside its modules and stay in force.

    A network that speaks too (Qwen's Omni) has the one that thinks inside it.
    """
    network = getattr(network, "_orig_mod", network)
    network = getattr(network, "thinker", network)
    if not hasattr(network, "peft_config"):
        return network
    if any(getattr(config, "is_prompt_learning", False) for config in network.peft_config.values()):
        raise NotUnderstood(
            "This PEFT model adds virtual tokens to every input, so its positions are not the text's; merge or drop the adapter first."
        )
    return network.get_base_model() if hasattr(network, "get_base_model") else network


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Dropout off and no gradients while it lasts; every module's training flag is put back afterwards."""
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def input_device(embedding: nn.Module) -> torch.device:
    """Where token ids have to be: with weights offloaded by accelerate, the device that its hook runs on."""
    hook = getattr(embedding, "_hf_hook", None)
    device = getattr(hook, "execution_device", None)
    weight = next(embedding.parameters(), None)
    return torch.device(device) if device is not None else (weight.device if weight is not None else torch.device("cpu"))


def find(network: nn.Module) -> Parts:
    """Take `network` apart.

    Raises NotUnderstood where there is no unembedding, no stack of blocks, or the stack is not run once and in order.
    """
    causal = unwrapped(network)
    refuse_other_kinds(causal)
    embedding, head = ends(causal)
    calls = traced(causal, embedding)
    unembedding = last_call(calls, head)
    if unembedding is None:
        raise NotUnderstood(f"{type(causal).__name__} never calls its output embedding; its logits cannot be rebuilt from hidden states.")
    stack = stack_of_blocks(causal, calls)
    first, last = stack[0], stack[-1]
    chain = [call for call in outermost(calls, after=last.end) if call.end < unembedding.start]
    norm = chain[0] if chain and is_norm(chain[0], last) else None
    tail = chain[1:] if norm else chain
    trunk = trunk_of(calls, first, unembedding, chain[-1] if chain else last)
    refuse_two_way(causal, embedding)
    blocks = tuple(call.module for call in stack)
    modules = tuple(call.module for call in tail)
    return Parts(causal, trunk, embedding, blocks, norm.module if norm else None, modules, head, last.result.shape[-1], last.result.dtype)


def refuse_other_kinds(causal: nn.Module) -> None:
    """Raise NotUnderstood for encoders and encoder-decoders."""
    config = getattr(causal, "config", None)
    reason = None if config is None else kind_refused(config)
    if reason:
        raise NotUnderstood(f"{type(causal).__name__} is {reason}; semhub reads decoder-only language models.")


def kind_refused(config) -> str | None:
    """What a configuration describes that is not a decoder-only language model, in words; None where nothing speaks against it."""
    return "an encoder-decoder model" if getattr(config, "is_encoder_decoder", False) else None


def refuse_two_way(causal: nn.Module, embedding: nn.Module) -> None:
    """Raise NotUnderstood where a token's logits depend on later tokens, as in encoders."""
    first = trace_ids(embedding, TRACE_TOKENS)
    second = torch.cat([first[:, :-1], first[:, :1]], 1)
    with evaluating(causal):
        logits = causal(input_ids=torch.cat([first, second]), use_cache=False).logits[:, :-1].float()
    rounding = 1e-4 if logits_are_exact(causal) else 1e-2
    if bool((logits[0] - logits[1]).abs().max() > rounding * logits[0].abs().max()):
        raise NotUnderstood(f"{type(causal).__name__} reads later tokens too, as an encoder does; semhub reads decoder-only models.")


def logits_are_exact(causal: nn.Module) -> bool:
    """Whether all floating-point weights are float32 or wider, so that only a real difference shows."""
    return all(weight.element_size() >= 4 for weight in causal.parameters() if weight.is_floating_point())


def ends(causal: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Input and output embedding, by the accessors that every transformers model has."""
    embedding = causal.get_input_embeddings() if hasattr(causal, "get_input_embeddings") else None
    head = causal.get_output_embeddings() if hasattr(causal, "get_output_embeddings") else None
    if embedding is None or head is None:
        raise NotUnderstood(f"{type(causal).__name__} has no language-model head or no token embedding; open it with AutoModelForCausalLM.")
    return embedding, head


def traced(causal: nn.Module, embedding: nn.Module) -> list[Call]:
    """Every module call of one short forward pass, in order of start."""
    clock, calls, open_calls, handles = itertools.count(), [], [], []

    def begin(module, args, kwargs):
        call = Call(module, next(clock), given=entering(args, kwargs))
        calls.append(call)
        open_calls.append(call)

    def end(module, args, output):
        call = open_calls.pop()
        call.end, call.result = next(clock), first_tensor(output)

    for module in causal.modules():
        handles.append(module.register_forward_pre_hook(begin, with_kwargs=True))
        handles.append(module.register_forward_hook(end))
    try:
        with evaluating(causal):
            causal(input_ids=trace_ids(embedding, TRACE_TOKENS), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def trace_ids(embedding: nn.Module, n: int) -> Tensor:
    """[1, n] token ids that exist in any vocabulary."""
    size = getattr(embedding, "num_embeddings", None) or n
    return (torch.arange(n, device=input_device(embedding)) + 3)[None] % size


def last_call(calls: list[Call], module: nn.Module) -> Call | None:
    return next((call for call in reversed(calls) if call.module is module), None)


def outermost(calls: list[Call], after: int) -> list[Call]:
    """Calls that began later than `after` and lie in no other such call."""
    found = []
    for call in calls:
        if call.start > after and not (found and call.end < found[-1].end):
            found.append(call)
    return found


def stack_of_blocks(causal: nn.Module, calls: list[Call]) -> list[Call]:
    """The calls of the residual blocks: the longest outermost ModuleList whose children run once each, in order, on one width."""
    stacks = [called for stack in module_lists(causal) if (called := run_in_order(stack, calls))]
    if not stacks:
        raise NotUnderstood(
            f"{type(causal).__name__} has no list of blocks that run once each, one after the other, on a hidden state [batch, token, dim]."
        )
    return max(stacks, key=len)


def module_lists(module: nn.Module) -> Iterator[nn.ModuleList]:
    """ModuleLists of `module` that lie in no other ModuleList (so not the experts inside a block)."""
    for child in module.children():
        if isinstance(child, nn.ModuleList):
            yield child
        else:
            yield from module_lists(child)


def run_in_order(stack: nn.ModuleList, calls: list[Call]) -> list[Call] | None:
    members = {id(child) for child in stack}
    called = [call for call in calls if id(call.module) in members]
    if [id(call.module) for call in called] != [id(child) for child in stack] or not called:
        return None
    shapes = {tuple(tensor.shape) if tensor is not None else None for call in called for tensor in (call.given, call.result)}
    if len(shapes) != 1 or None in shapes or len(next(iter(shapes))) != 3:
        return None
    return called


def is_norm(call: Call, last: Call) -> bool:
    """A final norm takes the last block's output, keeps its width and has no matrix."""
    keeps = call.given is not None and call.result is not None and call.given.shape == call.result.shape
    return keeps and all(weight.dim() < 2 for weight in call.module.parameters()) and torch.equal(call.given, last.result)


def trunk_of(calls: list[Call], first: Call, unembedding: Call, norm: Call | None) -> nn.Module:
    """The innermost call that holds the blocks and the final norm and is over before the unembedding begins.

    (The outermost would hold the towers of a network that sees or hears.)
    """
    end = first.end if norm is None else norm.end
    holding = [call for call in calls if call.start < first.start and end < call.end < unembedding.start]
    if not holding:
        raise NotUnderstood("The blocks and the unembedding run in one module; there is no trunk to run without the head.")
    return holding[-1].module


def replaced_logits(network: nn.Module, parts: Parts, normed: Tensor) -> Tensor:
    """`normed: [row, dim]` -> [row, vocab], the logits that the network itself makes of given normed states.

    One forward pass of the whole network, in which the final norm's output (the last block's, where there is no
    norm) is replaced: whatever follows it, named or not, is in the result.
    """
    site = parts.norm if parts.norm is not None else parts.blocks[-1]

    def replace(module, args, output):
        here = first_tensor(output)
        return with_first_tensor(output, normed[None].to(here.device, here.dtype))

    handle = site.register_forward_hook(replace)
    try:
        with evaluating(network):
            return network(input_ids=trace_ids(parts.embedding, len(normed)), use_cache=False).logits[0]
    finally:
        handle.remove()

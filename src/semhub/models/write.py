"""Write into the residual stream: an `Edit` says which layer, change, positions and moment; `editing` applies it and undoes itself.

Knows the blocks of a network and the grammar of positions; not what a change does (`semhub.edits`), nor who runs the network.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from inspect import signature

import torch
from torch import Tensor
from torch.nn.functional import pad

from semhub.errors import BadInput
from semhub.models.structure import entering, first_tensor, with_first_tensor
from semhub.models.where import Encoding, Where, per_text, resolve

NEEDS_TEXT = ("word:", "before:", "span:", "mean", "image", "audio")


@dataclass(frozen=True)
class Edit:
    """One change of the residual stream.

    `layer`: 0 is what enters block 1, k the output of block k, L the output of the last block before the final norm.
    `change`: hidden `[row, slot, dim]` -> the same shape, in float32 or wider; slots are the selected positions of a row,
    in order ("first:N" has N, however short the text; what is returned for slots without a token is dropped).
    `at`: positions of the prompt, in the grammar of reading; "mean" and "span:" select every token that they cover.
    `when`: "prompt" edits those positions, "generated" every token after the prompt, "both" does both.
    `rows`: the places of the rows of the batch that it concerns, None for all; values, positions and change count these alone.
    """

    layer: int
    change: Callable[[Tensor], Tensor]
    at: Where = "all"
    when: str = "both"
    rows: Tensor | None = None

    def __post_init__(self):
        if self.when not in ("prompt", "generated", "both"):
            raise BadInput(f'An edit happens when="prompt", "generated" or "both"; found {self.when!r}.')


@dataclass(frozen=True)
class Rows:
    """What the rows of the coming passes stand for, told by whoever batches them.

    `index: [row]` says which text each row shows (per-row values and lists of positions follow it), `encodings` has one
    entry per row, `width` is the number of columns of the padded prompt: later columns are generated tokens.
    """

    index: Tensor
    encodings: Sequence[Encoding]
    width: int

    def only(self, kept: Tensor) -> "Rows":
        """Rows `kept: [row]` of these."""
        return Rows(self.index[kept], [self.encodings[k] for k in kept.tolist()], self.width)


@dataclass(frozen=True)
class Pass:
    """One forward pass, as its arguments tell: columns `[start, start + count)` of rows whose prompt is `width` wide."""

    start: int
    count: int
    width: int
    mask: Tensor | None
    ids: Tensor | None
    rows: Rows | None

    def only(self, kept: Tensor) -> "Pass":
        """The same pass, of rows `kept: [row]` alone."""
        mask, ids = (None if t is None else t[kept.to(t.device)] for t in (self.mask, self.ids))
        return Pass(self.start, self.count, self.width, mask, ids, self.rows and self.rows.only(kept))


told: ContextVar[Rows | None] = ContextVar("told", default=None)
active: ContextVar[tuple[Edit, ...]] = ContextVar("active", default=())


@contextmanager
def telling(rows: Rows) -> Iterator[None]:
    """Let edits know what the rows of the passes inside are; needed where texts are reordered, repeated or run in pieces."""
    token = told.set(rows)
    try:
        yield
    finally:
        told.reset(token)


@contextmanager
def editing(model, edits: Sequence[Edit]) -> Iterator[None]:
    """Apply `edits`, in the order given, to every pass of `model` while it lasts; nothing is left behind, after an error either.

    Raises BadInput for a layer that the model does not have.
    """
    check_layers(model, edits)
    with ExitStack() as undo:
        if edits:
            now: list[Pass] = []
            undo.callback(model.parts.trunk.register_forward_pre_hook(watcher(model, now), with_kwargs=True).remove)
        for edit in edits:
            undo.callback(hooked(model, edit, now))
        token = active.set((*active.get(), *edits))
        undo.callback(active.reset, token)
        yield


def check_layers(model, edits: Sequence[Edit]) -> None:
    for edit in edits:
        if not 0 <= edit.layer <= len(model.parts.blocks):
            raise BadInput(f"There is no layer {edit.layer} to edit; this model has layers 0 to {len(model.parts.blocks)}.")


def watcher(model, now: list[Pass]) -> Callable:
    """A hook of the trunk that keeps what is known of the current pass in `now`."""
    names = signature(model.parts.trunk.forward)

    def watch(trunk, args, kwargs):
        now[:] = [described(names.bind_partial(*args, **kwargs).arguments)]

    return watch


def described(given: dict) -> Pass:
    given = {**given, **given.get("kwargs", {})}
    ids, embedded, cache, rows = given.get("input_ids"), given.get("inputs_embeds"), given.get("past_key_values"), told.get()
    count = (ids if ids is not None else embedded).shape[1]
    start = int(cache.get_seq_length()) if cache is not None else 0
    # untold, the first pass is the prompt and what builds on a cache is generated
    width = rows.width if rows else (start or count)
    return Pass(start, count, width, given.get("attention_mask"), ids, rows)


def hooked(model, edit: Edit, now: list[Pass]) -> Callable[[], None]:
    """Hang `edit` on its block; returns what takes it off again."""

    def before(block, args, kwargs):
        changed = written(model, edit, now[0], entering(args, kwargs))
        if changed is None:
            return None
        return (with_first_tensor(args, changed), kwargs) if args else (args, with_first_tensor(kwargs, changed))

    def after(block, args, output):
        changed = written(model, edit, now[0], first_tensor(output))
        return None if changed is None else with_first_tensor(output, changed)

    if edit.layer == 0:
        return model.parts.blocks[0].register_forward_pre_hook(before, with_kwargs=True).remove
    return model.parts.blocks[edit.layer - 1].register_forward_hook(after).remove


def written(model, edit: Edit, now: Pass, hidden: Tensor) -> Tensor | None:
    """`hidden: [row, column, dim]` with the edit made; None where it does not concern this pass."""
    if edit.rows is not None:
        mine = edit.rows.to(hidden.device)
        changed = written(model, replace(edit, rows=None), now.only(edit.rows), hidden[mine])
        return None if changed is None else hidden.index_copy(0, mine, changed)
    chosen = chosen_columns(model, edit, now, len(hidden))
    if not chosen.any():
        return None
    change = edit.change
    if now.rows and hasattr(change, "rows"):
        change = change.rows(now.rows.index)
    return change_at(change, hidden, chosen, slots_of(edit.at) if now.start < now.width else 1)


def slots_of(at: Where) -> int:
    """How many slots the positions ask for in every row, however short its text: N for "first:N", else one or what there is."""
    forms = [at] if isinstance(at, (str, int)) else at
    return max((int(form.removeprefix("first:")) for form in forms if str(form).startswith("first:")), default=1)


def chosen_columns(model, edit: Edit, now: Pass, rows: int) -> Tensor:
    """[row, column] bool on the CPU: which columns of this pass the edit changes."""
    chosen = torch.zeros(rows, now.count, dtype=torch.bool)
    in_prompt = max(0, min(now.width - now.start, now.count))
    if edit.when != "prompt":
        chosen[:, in_prompt:] = True
    if edit.when != "generated" and in_prompt:
        encodings, mask = shown(model, edit, now, rows), real_columns(now, rows)
        chosen[:, :in_prompt] = prompt_columns(edit, encodings, mask, now.rows)[:, now.start : now.start + in_prompt]
    return chosen


def real_columns(now: Pass, rows: int) -> Tensor:
    """[row, width] bool: the prompt's columns that hold a token and no padding."""
    if now.mask is None or (rows == 1 and not (isinstance(now.mask, Tensor) and now.mask.dim() == 2)):  # an input alone has no padding
        return torch.ones(rows, now.width, dtype=torch.bool)
    if now.mask.dim() != 2:
        raise BadInput(f"Edits read padding off an attention mask [row, column]; found one of shape {list(now.mask.shape)}.")
    return now.mask[:, : now.width].bool().cpu()


def prompt_columns(edit: Edit, encodings: Sequence[Encoding], mask: Tensor, rows: Rows | None) -> Tensor:
    """[row, width] bool: the columns that `edit.at` selects, in rows whose tokens stand where `mask: [row, width]` is True."""
    chosen = torch.zeros_like(mask)
    for row, (at, encoding) in enumerate(zip(wheres(edit.at, len(mask), rows), encodings, strict=True)):
        columns = mask[row].nonzero()[:, 0]
        chosen[row, columns[sorted({position for group in resolve(at, encoding) for position in group})]] = True
    return chosen


def wheres(at: Where, count: int, rows: Rows | None) -> list[str | int]:
    if isinstance(at, (str, int)) or rows is None:
        return per_text(at, count)
    return [at[text] for text in rows.index.tolist()]


def shown(model, edit: Edit, now: Pass, rows: int) -> Sequence[Encoding]:
    """One encoding per row: as told, or read off the pass (with offsets only where the positions asked for need them)."""
    if now.rows:
        return now.rows.encodings
    mask = real_columns(now, rows)
    if not any(isinstance(at, str) and at.startswith(NEEDS_TEXT) for at in per_text(edit.at, rows)):
        return [Encoding([0] * n, [(0, 0)] * n, "", [False] * n) for n in mask.sum(1).tolist()]
    if now.ids is None:
        raise BadInput(f"Position {edit.at!r} needs the text, but the pass was given embeddings; name positions by number.")
    return [recognised(model, ids[real].tolist()) for ids, real in zip(now.ids.cpu(), mask, strict=True)]


def recognised(model, ids: list[int]) -> Encoding:
    """The encoding that `ids` are. Raises BadInput where no text encodes to exactly these ids."""
    text = model.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    for special in (True, False):
        encoding = model.encode([text], special=special)[0]
        if list(encoding.ids) == ids:
            return encoding
    raise BadInput(f"The tokens of {text!r} are not what the tokenizer makes of it, so no word can be found in them; use positions.")


def change_at(change: Callable[[Tensor], Tensor], hidden: Tensor, chosen: Tensor, slots: int = 1) -> Tensor:
    """`hidden: [row, column, dim]`, `chosen: [row, column]` bool -> hidden with its chosen columns changed, the others bit for bit.

    The change sees `[row, slot, dim]`: as many slots as the row with most chosen columns needs, and `slots` at least.
    """
    slots = max(slots, int(chosen.sum(1).max()))
    if chosen.all() and slots == chosen.shape[1]:
        return at_precision(change, hidden)
    columns = pad((~chosen).int().argsort(dim=1, stable=True)[:, :slots], (0, max(0, slots - chosen.shape[1])))
    filled = torch.arange(slots) < chosen.sum(1, keepdim=True)
    row, slot = (place.to(hidden.device) for place in filled.nonzero(as_tuple=True))
    columns = columns.to(hidden.device)
    changed = at_precision(change, hidden.gather(1, columns[..., None].expand(-1, -1, hidden.shape[-1])))
    result = hidden.clone()
    result[row, columns[row, slot]] = changed[row, slot]
    return result


def at_strength(change: Callable[[Tensor], Tensor], strength: Tensor) -> Callable[[Tensor], Tensor]:
    """`change` at a strength for each row, `strength: [row]`: 0 leaves hidden as it is, 1 is the whole change, 2 goes twice as far."""

    def apply(hidden: Tensor) -> Tensor:
        return torch.lerp(hidden, change(hidden), strength.to(hidden)[:, None, None])

    return apply


def at_precision(change: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
    """The change computed in float32 or wider: half precision would swallow a small push on a large state."""
    changed = change(hidden if hidden.dtype == torch.float64 else hidden.float())
    if changed.shape != hidden.shape:
        raise BadInput(f"An edit returned the shape {list(changed.shape)} for hidden states of shape {list(hidden.shape)}.")
    return changed.to(hidden)

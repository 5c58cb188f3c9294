"""Read the residual stream: length-bucketed batches under a token budget, rows gathered inside the forward pass.

Runs the trunk only, and of it only the blocks that are needed. Knows positions (`where`) and blocks (`structure`);
not what the states are for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor, nn

from semhub.errors import BadInput
from semhub.models.structure import entering, evaluating, first_tensor, input_device
from semhub.models.where import Encoding, Where, per_text, resolve, short
from semhub.models.write import Rows, telling
from semhub.types import Form, Input

BATCH_TOKENS = 8192
CPU_TOKENS = 2048  # of a batch on a processor, whose caches then hold what a block makes of it: a sixth faster than with 8192
MANY = 64  # inputs with media whose embeddings are held at once
# a batch may grow longer rows' padding only while it is small; a fuller one gives way to shorter rows
FULL_ENOUGH, MOSTLY_FULL = 1024, 0.85


@dataclass(frozen=True)
class Batch:
    """States of one batch: `states: [layer, row, dim]` in float32 on the CPU.

    `items: [row]` says which text a row belongs to, `positions: [row]` at which token (-1 for a mean over several).
    """

    items: Tensor
    positions: Tensor
    states: Tensor


@dataclass(frozen=True)
class Wanted:
    """Rows to gather from one batch: means over the tokens `(row, column)` that share a `group`, of `counts: [group]` tokens."""

    row: Tensor
    column: Tensor
    group: Tensor
    counts: Tensor

    def gather(self, hidden: Tensor) -> Tensor:
        """`hidden: [row, column, dim]` -> [group, dim], float32."""
        picked = hidden[self.row.to(hidden.device), self.column.to(hidden.device)].float()
        if len(self.counts) == len(self.group):
            return picked
        sums = torch.zeros(len(self.counts), picked.shape[-1], device=picked.device)
        return sums.index_add_(0, self.group.to(picked.device), picked) / self.counts.to(picked.device)[:, None]


class Enough(Exception):
    """Leaves a forward pass once the highest layer asked for is known; never leaves this module."""


def stream(model, texts: Sequence[Input], at: Where, layers: Sequence[int] | None, batch_tokens: int, special: bool) -> Iterator[Batch]:
    """Batches of states at `at`, longest texts first; see `Model.stream`."""
    encodings = encoded(model, texts, special)
    groups = [resolve(where, encoding) for where, encoding in zip(per_text(at, len(texts)), encodings, strict=True)]
    layers = layers_of(model, layers)
    for members in batches(encodings, budget(model, batch_tokens)):
        rows = [group for item in members for group in groups[item]]
        items = [item for item in members for _ in groups[item]]
        states = read_batch(model, [encodings[item] for item in members], [groups[item] for item in members], layers, members)
        positions = [group[0] if len(group) == 1 else -1 for group in rows]
        yield Batch(torch.tensor(items), torch.tensor(positions), states)


def read_at(
    model, texts: Sequence[Input], ats: Mapping[str, Where], layers, batch_tokens: int, special: bool, progress
) -> dict[str, Tensor]:
    """Several positions from one pass, each `[layer, item, dim]`; see `Model.read_at`."""
    if len(texts) > MANY and any(isinstance(text, Form) for text in texts):
        return read_in_parts(model, texts, ats, layers, batch_tokens, special, progress)
    encodings = encoded(model, texts, special)
    groups = [one_row_each(at, encodings) for at in ats.values()]
    layers = layers_of(model, layers)
    result = torch.empty(len(ats), len(layers), len(texts), model.dim)
    done = 0
    for members in batches(encodings, budget(model, batch_tokens)):
        wanted = [[group[item] for group in groups] for item in members]
        states = read_batch(model, [encodings[item] for item in members], wanted, layers, members)
        result[:, :, members] = states.unflatten(1, (len(members), len(ats))).permute(2, 0, 1, 3)
        done += len(members)
        if progress:
            progress(done, len(texts))
    return dict(zip(ats, result, strict=True))


def read_in_parts(model, texts: Sequence[Input], ats: Mapping[str, Where], layers, batch_tokens, special, progress) -> dict[str, Tensor]:
    """The same some inputs at a time: what towers make of images is larger than the images."""
    found = []
    for start in range(0, len(texts), MANY):
        part = slice(start, start + MANY)
        here = {name: at if isinstance(at, (str, int)) else per_text(at, len(texts))[part] for name, at in ats.items()}
        found.append(read_at(model, texts[part], here, layers, batch_tokens, special, None))
        if progress:
            progress(min(start + MANY, len(texts)), len(texts))
    return {name: torch.cat([each[name] for each in found], 1) for name in ats}


def one_row_each(at: Where, encodings: Sequence[Encoding]) -> list[tuple[int, ...]]:
    """The positions of each text's one row. Raises BadInput where `at` gives a text several rows."""
    rows = [resolve(where, encoding) for where, encoding in zip(per_text(at, len(encodings)), encodings, strict=True)]
    if any(len(row) != 1 for row in rows):
        raise BadInput(f"Position {at!r} gives several rows per text; read takes one, so use stream (or mean).")
    return [row[0] for row in rows]


def encoded(model, texts: Sequence[Input], special: bool) -> list[Encoding]:
    """Texts as tokens. Raises BadInput for a single text instead of a list, an empty one, or one longer than the context."""
    if isinstance(texts, str | Form):
        raise BadInput("Texts are a list; found one text. Put it in a list.")
    encodings, most = model.encode(texts, special), model.context
    for number, encoding in enumerate(encodings):
        if not len(encoding):
            raise BadInput(f"Text {number} ({short(encoding.text)}) has no token to read.")
        if most is not None and len(encoding) > most:
            raise BadInput(f"Text {number} ({short(encoding.text)}) has {len(encoding)} tokens; {model.name} takes {most}. Shorten it.")
    return encodings


def layers_of(model, layers: Sequence[int] | None) -> list[int]:
    """The layers asked for (all, by default). Raises BadInput for one that the model does not have."""
    layers = list(range(model.layers + 1)) if layers is None else [int(layer) for layer in layers]
    wrong = [layer for layer in layers if not 0 <= layer <= model.layers]
    if wrong or not layers:
        raise BadInput(f"Layers {wrong or layers} were asked for; {model.name} has 0 to {model.layers}.")
    return layers


def budget(model, batch_tokens: int) -> int:
    """How many tokens a batch may have: those allowed, and on a processor no more than are fast there."""
    return min(batch_tokens, CPU_TOKENS) if model.device.type == "cpu" else batch_tokens


def batches(encodings: Sequence[Encoding], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of inputs in batches; one that brings more than embeddings and positions has a batch of its own."""
    tied = [item for item, encoding in enumerate(encodings) if encoding.fed is not None and encoding.fed.more]
    free = [item for item in range(len(encodings)) if item not in set(tied)]
    for members in bucketed([len(encodings[item]) for item in free], batch_tokens):
        yield [free[member] for member in members]
    yield from ([item] for item in tied)


def bucketed(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of texts in batches, longest first: at most `batch_tokens` tokens with padding (one text at least), little of it padding."""
    order = sorted(range(len(lengths)), key=lambda item: -lengths[item])
    batch: list[int] = []
    for item in order:
        width = lengths[batch[0]] if batch else 0
        full = (len(batch) + 1) * width > batch_tokens
        wasteful = len(batch) * width >= FULL_ENOUGH and lengths[item] < MOSTLY_FULL * width
        if batch and (full or wasteful):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def read_batch(
    model, encodings: Sequence[Encoding], groups: Sequence[Sequence[tuple[int, ...]]], layers, index=None, side="right"
) -> Tensor:
    """One pass over padded rows -> [layer, group, dim] on the CPU.

    `groups` holds, per row, the positions of each state wanted; `index` which text each row is, for edits with values per text.
    """
    inputs, shifts = padded(model, encodings, side)
    wanted = wanted_of(groups, shifts)
    index = range(len(encodings)) if index is None else index
    with evaluating(model.network), telling(Rows(torch.tensor(list(index)), encodings, max(map(len, encodings)))):
        found = run_trunk(model.parts, inputs, layers, wanted.gather)
    return torch.stack([found[layer].to(found[layers[0]].device) for layer in layers]).cpu()


def padded(model, encodings: Sequence[Encoding], side: str) -> tuple[dict[str, Tensor], list[int]]:
    """What the trunk is called with, every array `[row, column]`, and the column where each row's text begins.

    Padding is hidden by the attention mask, and positions count the text's own tokens, on either side. Where a row has an
    image or a sound, all rows go in as embeddings.
    """
    width = max(len(encoding) for encoding in encodings)
    shifts = [width - len(encoding) if side == "left" else 0 for encoding in encodings]
    ids, mask, place = (torch.zeros(len(encodings), width, dtype=torch.long) for _ in range(3))
    for row, (encoding, shift) in enumerate(zip(encodings, shifts, strict=True)):
        here = slice(shift, shift + len(encoding))
        ids[row, here], mask[row, here], place[row, here] = torch.tensor(encoding.ids), 1, torch.arange(len(encoding))
    device = input_device(model.parts.embedding)
    inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
    takes = takes_positions(model.parts.trunk)
    if any(encoding.fed is not None for encoding in encodings):
        inputs["inputs_embeds"] = embedded(model, inputs.pop("input_ids"), encodings, shifts)
        place = axes(place, encodings, shifts)
        inputs |= next((dict(encoding.fed.more) for encoding in encodings if encoding.fed is not None and encoding.fed.more), {})
    return inputs | ({"position_ids": place.to(device)} if takes else {}), shifts


@torch.no_grad()
def embedded(model, ids: Tensor, encodings: Sequence[Encoding], shifts: Sequence[int]) -> Tensor:
    """`ids: [row, column]` -> `[row, column, dim]`: the table's rows for texts, what the network itself made for the others."""
    known = getattr(model.parts.embedding, "num_embeddings", None)
    embeds = model.parts.embedding(ids if known is None else ids.clamp(max=known - 1)).clone()
    for row, (encoding, shift) in enumerate(zip(encodings, shifts, strict=True)):
        if encoding.fed is not None:
            embeds[row, shift : shift + len(encoding)] = encoding.fed.embeds.to(embeds)
    return embeds


def axes(place: Tensor, encodings: Sequence[Encoding], shifts: Sequence[int]) -> Tensor:
    """`place: [row, column]` -> `[axis, row, column]` where the network counts positions along several axes, else as it was."""
    own = [encoding.fed.places if encoding.fed is not None else None for encoding in encodings]
    count = max((len(places) for places in own if places is not None), default=1)
    places = place.expand(count, *place.shape).clone()
    for row, (each, encoding, shift) in enumerate(zip(own, encodings, shifts, strict=True)):
        if each is not None:
            places[:, row, shift : shift + len(encoding)] = each.to(places)
    return places if count > 1 else places[0]


def takes_positions(module: nn.Module) -> bool:
    return "position_ids" in signature(module.forward).parameters


def wanted_of(groups: Sequence[Sequence[tuple[int, ...]]], shifts: Sequence[int]) -> Wanted:
    flat = [(row, positions) for row, rows in enumerate(groups) for positions in rows]
    cells = [(row, position + shifts[row], group) for group, (row, positions) in enumerate(flat) for position in positions]
    row, column, group = torch.tensor(cells).T
    return Wanted(row, column, group, torch.tensor([len(positions) for _, positions in flat]))


def run_trunk(parts, inputs: Mapping[str, Tensor], layers: Sequence[int], keep: Callable[[Tensor], Tensor]) -> dict[int, Tensor]:
    """Run the trunk up to the highest of `layers`; `keep(hidden [row, column, dim])` of each, by layer."""
    found: dict[int, Tensor] = {}
    highest = max(layers)
    handles = [hook_on(parts, layer, keep, found, layer == highest) for layer in set(layers)]
    try:
        parts.trunk(**inputs, use_cache=False)
    except Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


def hook_on(parts, layer: int, keep, found: dict[int, Tensor], last: bool):
    """Keep what layer `layer` is: what enters block 1 for 0, else the output of block `layer`."""

    def take(hidden: Tensor) -> None:
        found[layer] = keep(hidden)
        if last:
            raise Enough

    if layer == 0:
        return parts.blocks[0].register_forward_pre_hook(lambda block, args, kwargs: take(entering(args, kwargs)), with_kwargs=True)
    return parts.blocks[layer - 1].register_forward_hook(lambda block, args, output: take(first_tensor(output)))

"""Generate under edits: a whole sweep of edits, prompts, strengths and seeds as rows of one batch.

Knows the forward pass with a cache and which edits leave the beginning of a pass alone, so that the prompt is run once
for all rows that share it, and that rows under different edits can still go on token by token together. Knows no task and no scorer.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from semhub.errors import BadInput
from semhub.models import write
from semhub.models.read import padded as padded_inputs
from semhub.models.sampling import Sampling, counted, draws, next_ids
from semhub.models.structure import evaluating, first_tensor, input_device, with_first_tensor
from semhub.models.where import Encoding, short
from semhub.models.write import Edit, Rows, at_strength, editing, prompt_columns, telling
from semhub.types import Form, Input

PLAIN = Sampling()


@dataclass(frozen=True)
class Generation:
    """What one row wrote: `prompt` is the prompt's place in the list given, `ids` include the end token if it came, `text` does not.

    `first: [vocab]`, where it was asked for: the logits of the first new token.
    """

    prompt: int
    seed: int
    strength: float
    text: str
    ids: tuple[int, ...]
    first: Tensor | None = None


@dataclass(frozen=True)
class Ask:
    """Prompts under the same edits: what `generate` takes one of, and `generate_all` several."""

    prompts: Sequence[str]
    edits: Sequence[Edit] = ()
    strengths: Sequence[float] = (1.0,)


@dataclass(frozen=True)
class Row:
    """One row of the sweep: the place of its ask, of its prompt there, and the prompt as the tokenizer sees it."""

    ask: int
    prompt: int
    strength: float
    seed: int
    encoding: Encoding


@dataclass(frozen=True)
class Wanted:
    """What is asked: the edits of each ask, and what holds for every row alike. `first`: the seed whose rows bring their first logits."""

    edits: tuple[tuple[Edit, ...], ...]
    tokens: int
    sampling: Sampling
    stop: tuple[str, ...]
    first: int | None


@dataclass
class Prompts:
    """The prompts of one batch, padded on the left: `ids, mask: [prompt, column]`, and the prompt of each row, `of: [row]`.

    `fed`: the different prompts themselves, where one of them has an image or a sound.
    """

    ids: Tensor
    mask: Tensor
    of: Tensor
    fed: tuple[Encoding, ...] = ()

    @property
    def width(self) -> int:
        return self.ids.shape[1]


class Stopped(Exception):
    """Leaves a forward pass whose remaining blocks are not needed."""


def generate(
    model,
    prompts: Sequence[Input],
    *,
    edits: Sequence[Edit] = (),
    max_new_tokens: int = 32,
    sampling: Sampling = PLAIN,
    seeds: Sequence[int] = (0,),
    strengths: Sequence[float] = (1.0,),
    batch_rows: int = 64,
    stop: str | Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Generation]:
    """Continuations of every prompt at every strength and seed, in this order.

    A strength scales how far the edits move the states (0: not at all, 1: as they say). Values of an edit with a row
    axis, and a list of positions, have one entry per prompt. What a row writes depends on its prompt, strength and
    seed only; rows of one prompt and seed share their random numbers across strengths. A row ends at the model's end
    token or at a string of `stop`, which is cut off. `progress` is told how many rows each finished batch had.
    Raises BadInput for a prompt that is empty or beyond the context, edit values of another number, an unknown layer or position.
    """
    ask = Ask(prompts, edits, strengths)
    return generate_all(
        model, [ask], max_new_tokens=max_new_tokens, sampling=sampling, seeds=seeds, batch_rows=batch_rows, stop=stop, progress=progress
    )[0]


def generate_all(
    model,
    asks: Sequence[Ask],
    *,
    max_new_tokens: int = 32,
    sampling: Sampling = PLAIN,
    seeds: Sequence[int] = (0,),
    batch_rows: int = 64,
    stop: str | Sequence[str] | None = None,
    first: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[list[Generation]]:
    """What `generate` gives for each ask, all of them as rows of the same batches; no row feels another's edits.

    `first`: rows of the first seed also bring the logits of their first new token (`vocab` numbers a row, on the CPU), which no
    seed changes.
    """
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    wanted = Wanted(tuple(tuple(ask.edits) for ask in asks), max_new_tokens, sampling, stops, seeds[0] if first else None)
    rows = [row for number, ask in enumerate(asks) for row in rows_of(model, number, ask, seeds, max_new_tokens)]
    # by length for little padding, and by tokens so that equal prompts are run together
    order = sorted(range(len(rows)), key=lambda row: (len(rows[row].encoding), rows[row].encoding.ids))
    made: dict[int, Generation] = {}
    with evaluating(model.parts.causal):
        for chosen in in_batches(rows, order, batch_rows):
            batch = sorted(chosen, key=lambda row: depth(wanted.edits[rows[row].ask]))
            made.update(zip(batch, one_batch(model, [rows[row] for row in batch], wanted), strict=True))
            if progress:
                progress(len(batch))
    found: list[list[Generation]] = [[] for _ in asks]
    for number, row in enumerate(rows):
        found[row.ask].append(made[number])
    return found


def rows_of(model, number: int, ask: Ask, seeds: Sequence[int], new: int) -> list[Row]:
    """The rows of one ask, checked."""
    encodings = encoded(model, ask.prompts, new)
    write.check_layers(model, ask.edits)
    check_edits(ask.edits, len(encodings))
    return [Row(number, p, float(s), int(k), e) for p, e in enumerate(encodings) for s in ask.strengths for k in seeds]


def depth(edits: Sequence[Edit]) -> float:
    """The lowest layer that is edited in the prompt: rows that agree in it share the blocks below."""
    return min((edit.layer for edit in edits if edit.when != "generated"), default=float("inf"))


def in_batches(rows: Sequence[Row], order: Sequence[int], most: int) -> Iterator[list[int]]:
    """Rows, `most` at a time; a prompt that brings more than embeddings and positions is run row by row."""
    tied = [row for row in order if rows[row].encoding.fed is not None and rows[row].encoding.fed.more]
    free = [row for row in order if row not in set(tied)]
    yield from (free[start : start + most] for start in range(0, len(free), most))
    yield from ([row] for row in tied)


def encoded(model, prompts: Sequence[Input], new: int) -> list[Encoding]:
    if isinstance(prompts, str | Form):
        raise BadInput("Prompts are a list of texts; found one text. Put it in a list.")
    encodings = model.encode(list(prompts))
    for number, encoding in enumerate(encodings):
        if not len(encoding):
            raise BadInput(f"Prompt {number} ({short(encoding.text)}) has no token to begin from.")
        if model.context is not None and len(encoding) + new > model.context:
            size = f"{len(encoding)} tokens and {new} new ones"
            raise BadInput(f"Prompt {number} ({short(encoding.text)}) has {size}; {model.name} takes {model.context}. Shorten it.")
    return encodings


def check_edits(edits: Sequence[Edit], prompts: int) -> None:
    """Raise BadInput for per-row values or positions that are not one per prompt (a batch could not tell them apart)."""
    for edit in edits:
        write.per_text(edit.at, prompts)
        for value in getattr(edit.change, "values", ()):
            if len(value) not in (1, prompts):
                raise BadInput(
                    f"The edit has values for {len(value)} rows; in generation they are one per prompt, and there are {prompts}."
                )


def one_batch(model, batch: Sequence[Row], wanted: Wanted) -> list[Generation]:
    """The prompts of rows that share lower blocks in one pass each (such rows stand together), then token by token all at once."""
    width, device = max(len(row.encoding) for row in batch), input_device(model.parts.embedding)
    begun = [prefilled(model, padded(part, width, device), part, wanted) for part in grouped(batch, wanted)]
    caches, logits, masks = zip(*begun, strict=True)
    state = Decoding.begun(batch, joined(caches), torch.cat(logits), torch.cat(masks), wanted)
    own = lambda place: state.logits[place].to("cpu", torch.float32, copy=True)  # noqa: E731
    firsts = [own(place) if row.seed == wanted.first else None for place, row in enumerate(batch)]
    written = continued(model, state, wanted)
    return [
        Generation(row.prompt, row.seed, row.strength, cut(text_of(model, row, ids), wanted.stop), tuple(ids), first)
        for row, ids, first in zip(batch, written, firsts, strict=True)
    ]


def grouped(batch: Sequence[Row], wanted: Wanted) -> list[list[Row]]:
    """Rows that share lower blocks; all together where a prompt has an image or a sound, of which nothing is shared."""
    if any(row.encoding.fed is not None for row in batch):
        return [list(batch)]
    return [list(part) for _, part in groupby(batch, lambda row: depth(wanted.edits[row.ask]))]


def padded(batch: Sequence[Row], width: int, device: torch.device) -> Prompts:
    """Each different prompt of the batch once, padded on the left to `width` with an id that the mask hides."""
    different = {content_of(row.encoding): row.encoding for row in batch}
    place = {content: k for k, content in enumerate(different)}
    ids = torch.tensor([[0] * (width - len(each)) + list(each.ids) for each in different.values()], device=device)
    mask = torch.tensor([[0] * (width - len(each)) + [1] * len(each) for each in different.values()], device=device)
    of = torch.tensor([place[content_of(row.encoding)] for row in batch], device=device)
    sensed = any(encoding.fed is not None for encoding in different.values())
    return Prompts(ids, mask, of, tuple(different.values()) if sensed else ())


def content_of(encoding: Encoding) -> tuple:
    """What makes two prompts the same: their ids, and the image or sound among them."""
    return (tuple(encoding.ids), None if encoding.fed is None else encoding.fed.form.media)


# --- the prompt, run once for all rows that share it as far as no edit tells them apart ---


def prefilled(model, prompts: Prompts, batch: Sequence[Row], wanted: Wanted) -> tuple:
    """Run the prompts under the edits: a cache with one entry per row, the logits `[row, vocab]` that follow, the mask `[row, column]`."""
    rows = told_of(batch, prompts.width)
    edits = [edit for edit in strengthened(wanted.edits, batch, rows.index) if edit.when != "generated"]
    column, layer = untouched(model, prompts, rows, edits)
    with telling(rows):
        if column * len(model.parts.blocks) < prompts.width * layer:
            found = forked_at_layer(model, prompts, layer, edits)
        else:
            found = forked_at_column(model, prompts, column, edits)
    return (*found, prompts.mask[prompts.of])


def told_of(batch: Sequence[Row], width: int) -> Rows:
    return Rows(torch.tensor([row.prompt for row in batch]), [row.encoding for row in batch], width)


def strengthened(edits: Sequence[Sequence[Edit]], batch: Sequence[Row], index: Tensor) -> list[Edit]:
    """The edits of every ask for its own rows, each row at its own strength and with its own values."""
    found = []
    for ask in dict.fromkeys(row.ask for row in batch):
        mine = torch.tensor([place for place, row in enumerate(batch) if row.ask == ask])
        strengths = torch.tensor([batch[place].strength for place in mine.tolist()])
        for edit in edits[ask]:
            change = edit.change.rows(index[mine]) if hasattr(edit.change, "rows") else edit.change
            found.append(replace(edit, change=at_strength(change, strengths), rows=None if len(mine) == len(batch) else mine))
    return found


def untouched(model, prompts: Prompts, rows: Rows, edits: Sequence[Edit]) -> tuple[int, int]:
    """How many of the first columns, and of the lowest blocks, no edit of the prompt touches in any row.

    Nothing is shared where every row has its own prompt, under edits from outside this sweep, or where a prompt is more than ids.
    """
    if len(prompts.ids) == len(rows.index) or write.active.get() or prompts.fed:
        return 0, 0
    mask = prompts.mask[prompts.of].bool().cpu()
    chosen = torch.zeros(prompts.width, dtype=torch.bool)
    for edit in edits:
        mine = torch.arange(len(mask)) if edit.rows is None else edit.rows
        part = rows.only(mine)
        chosen |= prompt_columns(edit, part.encodings, mask[mine], part).any(0)
    column = int(chosen.int().argmax()) if chosen.any() else prompts.width
    # upper blocks that read the keys of lower ones (Gemma 3n) would not find them when they are grafted in afterwards
    borrowing = getattr(model.parts.causal.config.get_text_config(), "num_kv_shared_layers", 0)
    return column, 0 if borrowing or not edits else min(edit.layer for edit in edits)


def forked_at_column(model, prompts: Prompts, column: int, edits: Sequence[Edit]) -> tuple:
    """Columns before `column` once per prompt, the others once per row."""
    cache, logits = new_cache(model), None
    if prompts.fed:
        with editing(model, edits):
            return cache, sensed_logits(model, [prompts.fed[k] for k in prompts.of.tolist()], cache)
    if column:
        logits = forward(model, prompts.ids[:, :column], prompts.mask[:, :column], cache)[:, 0]
        logits = logits[prompts.of.to(logits.device)]
        cache.reorder_cache(prompts.of)
    if column < prompts.width:
        with editing(model, edits):
            logits = forward(model, prompts.ids[prompts.of, column:], prompts.mask[prompts.of], cache)[:, 0]
    return cache, logits


def forked_at_layer(model, prompts: Prompts, layer: int, edits: Sequence[Edit]) -> tuple:
    """Blocks up to `layer` once per prompt, the others once per row."""
    lower, cache = new_cache(model), new_cache(model)
    output = output_of(model, prompts, layer, lower)
    states = first_tensor(output)
    shared = with_first_tensor(output, states[prompts.of.to(states.device)])
    with returning(model.parts.blocks[:layer], shared), editing(model, edits):
        logits = forward(model, prompts.ids[prompts.of], prompts.mask[prompts.of], cache)[:, 0]
    lower.reorder_cache(prompts.of)
    cache.layers[:layer] = lower.layers[:layer]
    return cache, logits


def output_of(model, prompts: Prompts, layer: int, cache):
    """What block `layer` returns, `[prompt, column, dim]` first; the blocks above it are not run."""
    caught = []

    def stop(block, args, output):
        caught.append(output)
        raise Stopped

    handle = model.parts.blocks[layer - 1].register_forward_hook(stop)
    try:
        forward(model, prompts.ids, prompts.mask, cache)
    except Stopped:
        pass
    finally:
        handle.remove()
    return caught[0]


@contextmanager
def returning(blocks: Sequence[torch.nn.Module], output) -> Iterator[None]:
    """While it lasts the blocks compute nothing and return `output`; hooks on them still run."""
    before = [vars(block).get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = lambda *args, **kwargs: output
        yield
    finally:
        for block, forward in zip(blocks, before, strict=True):
            if forward is None:
                vars(block).pop("forward", None)
            else:
                block.forward = forward


def sensed_logits(model, encodings: Sequence[Encoding], cache) -> Tensor:
    """Prompts with images or sounds, straight into the trunk -> logits `[row, vocab]` at the last column; the cache grows."""
    inputs, _ = padded_inputs(model, encodings, "left")
    hidden = first_tensor(model.parts.trunk(**inputs, past_key_values=cache, use_cache=True))
    return model.head.logits(hidden[:, -1].float())


def new_cache(model):
    from semhub.models.cache import growing_cache

    return growing_cache(model.parts.causal.config)


def joined(caches: Sequence):
    """One cache of the rows of all, in order; each has as many columns as the others."""
    from semhub.models.cache import with_rows_of

    return with_rows_of(caches)


def forward(model, ids: Tensor, mask: Tensor, cache, ahead: Tensor | int = 0, keep: int = 1) -> Tensor:
    """`ids: [row, new column]`, `mask: [row, column]` -> logits `[row, keep, vocab]` at the last columns; the cache grows.

    `ahead: [row, 1]`: how far positions have run ahead of the tokens, where an image counts for fewer or more of them.
    """
    causal = model.parts.causal
    given = {"input_ids": ids, "attention_mask": mask, "past_key_values": cache, "use_cache": True}
    takes = inspect.signature(causal.forward).parameters
    if "position_ids" in takes:
        given["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :] + ahead
    if "logits_to_keep" in takes:
        given["logits_to_keep"] = keep
    return causal(**given).logits[:, -keep:]


# --- token by token ---


@dataclass
class Decoding:
    """The rows still being written: which they are (`alive`), and what the next step needs of each, row by row."""

    alive: Tensor
    batch: Sequence[Row]
    rows: Rows
    edits: Sequence[Edit]
    wanted: Wanted
    cache: object
    logits: Tensor
    mask: Tensor
    counts: Tensor | None
    uniform: Tensor

    @classmethod
    def begun(cls, batch: Sequence[Row], cache, logits: Tensor, mask: Tensor, wanted: Wanted) -> "Decoding":
        device, penalised = logits.device, wanted.sampling.frequency_penalty != 0
        counts = counted([row.encoding.ids for row in batch], logits.shape[-1]).to(device) if penalised else None
        uniform = torch.tensor([draws(row.seed, row.encoding.text, wanted.tokens) for row in batch], dtype=torch.float64, device=device)
        rows = told_of(batch, mask.shape[1])
        return cls(torch.arange(len(batch)), batch, rows, of_output(batch, rows, wanted), wanted, cache, logits, mask, counts, uniform)

    def keep(self, kept: Tensor) -> None:
        """Go on with rows `kept: [row]` (places among the alive) only."""
        self.alive = self.alive[kept]
        self.rows = self.rows.only(kept)
        self.edits = of_output([self.batch[k] for k in self.alive.tolist()], self.rows, self.wanted)
        kept = kept.to(self.logits.device)
        self.cache.reorder_cache(kept)
        self.logits, self.uniform = self.logits[kept], self.uniform[kept]
        self.mask = self.mask[kept.to(self.mask.device)]
        self.counts = None if self.counts is None else self.counts[kept]

    def step(self, model, ids: Tensor) -> None:
        """Feed `ids: [row]` and read the logits that follow."""
        ids = ids.to(self.mask.device)[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(ids)], dim=1)
        with telling(self.rows), editing(model, self.edits):
            self.logits = forward(model, ids, self.mask, self.cache, self.ahead())[:, 0]

    def ahead(self) -> Tensor | int:
        fed = [encoding.fed for encoding in self.rows.encodings]
        if all(each is None for each in fed):
            return 0
        return torch.tensor([[0 if each is None else each.ahead] for each in fed], device=self.mask.device)


def of_output(batch: Sequence[Row], rows: Rows, wanted: Wanted) -> list[Edit]:
    """The edits of these rows that go on after the prompt."""
    return [edit for edit in strengthened(wanted.edits, batch, rows.index) if edit.when != "prompt"]


def continued(model, state: Decoding, wanted: Wanted) -> list[list[int]]:
    """The ids that each row of the batch writes."""
    written: list[list[int]] = [[] for _ in state.batch]
    for step in range(wanted.tokens):
        ids = next_ids(state.logits, state.counts, state.uniform[:, step], wanted.sampling)
        if state.counts is not None:
            state.counts.scatter_add_(1, ids[:, None], torch.ones_like(ids, dtype=state.counts.dtype)[:, None])
        for row, token in zip(state.alive.tolist(), ids.tolist(), strict=True):
            written[row].append(token)
        ended = [ends(model, state.batch[row], written[row], wanted.stop) for row in state.alive.tolist()]
        if all(ended) or step == wanted.tokens - 1:
            break
        if any(ended):
            kept = (~torch.tensor(ended)).nonzero()[:, 0]
            state.keep(kept)
            ids = ids[kept.to(ids.device)]
        state.step(model, ids)
    return written


def ends(model, row: Row, ids: Sequence[int], stop: Sequence[str]) -> bool:
    if ids[-1] in end_ids(model):
        return True
    return bool(stop) and any(mark in text_of(model, row, ids) for mark in stop)


def end_ids(model) -> tuple[int, ...]:
    """The ids at which this model ends a text, as its generation settings, configuration or tokenizer say."""
    causal = model.parts.causal
    for owner in (getattr(causal, "generation_config", None), causal.config, model.tokenizer):
        end = getattr(owner, "eos_token_id", None)
        if end is not None:
            return (end,) if isinstance(end, int) else tuple(end)
    return ()


def text_of(model, row: Row, ids: Sequence[int]) -> str:
    """What `ids` add to the prompt's text, decoded together with it: a tokenizer may drop the space that a text begins with."""

    def decode(ids: list[int]) -> str:
        return model.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    before, whole = decode(list(row.encoding.ids)), decode([*row.encoding.ids, *ids])
    return whole.removeprefix(before) if whole.startswith(before) else decode(list(ids))


def cut(text: str, stop: Sequence[str]) -> str:
    """`text` up to the first of the strings in `stop`."""
    return text[: min([place for place in map(text.find, stop) if place >= 0], default=len(text))]

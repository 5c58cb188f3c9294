"""Inputs with an image or a sound: prepared by the model's own processor, and caught where its language trunk is entered.

Knows processors and the door of the trunk, but no family: the network itself is run up to that door, and what comes through
it (embeddings, positions, whatever a family adds) is what reading, writing and generating start from. Positions called
`image` or `audio` are those whose embedding is neither a row of the embedding table nor a vector that every input shares.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from semhub.errors import BadInput, NotUnderstood
from semhub.models.splice import rate_of, spliced, takes_sounds
from semhub.models.structure import entering, evaluating, input_device
from semhub.models.tokens import encode
from semhub.models.where import Encoding, Span, short
from semhub.types import MARKS, Form, Input, Media

TOWERS = {"image": ("vision_config", "vq_config"), "audio": ("audio_config",)}  # the parts of a configuration that see and hear
# arguments of the trunk that a padded batch makes anew
OWN = ("input_ids", "inputs_embeds", "attention_mask", "position_ids", "past_key_values", "use_cache", "cache_position", "return_dict")


@dataclass(frozen=True, eq=False)
class Fed:
    """What the trunk is given for one input: `embeds: [token, dim]`, `places: [axis, token]` where the network counts positions itself.

    `more`: whatever else it gets (masks of its own, features for higher blocks), which ties the input to a batch of its own.
    """

    form: Form
    embeds: Tensor = field(repr=False)
    places: Tensor | None = field(default=None, repr=False)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ahead(self) -> int:
        """How far the next position lies from the number of tokens so far."""
        return 0 if self.places is None else int(self.places.max()) + 1 - self.places.shape[-1]


def senses_of(config) -> tuple[str, ...]:
    """The kinds of media that a configuration has a tower for."""
    parts = [config, getattr(config, "thinker_config", None)]
    return tuple(kind for kind, names in TOWERS.items() if any(getattr(part, name, None) is not None for part in parts for name in names))


@contextmanager
def without_video() -> Iterator[None]:
    """Lets processors of images be built without their processor of videos, which needs torchvision; nothing here shows videos.

    Where torchvision is installed this changes nothing; what it changes of transformers is put back.
    """
    from transformers import processing_utils
    from transformers.utils import is_torchvision_available

    if is_torchvision_available():
        yield
        return
    mixin, openers = processing_utils.ProcessorMixin, processing_utils.MODALITY_TO_AUTOPROCESSOR_MAPPING._MAPPING_NAMES
    check, opener = mixin.check_argument_for_proper_class, openers["video_processor"]

    def lenient(self, name, value):
        return None if "video" in name and value is None else check(self, name, value)

    mixin.check_argument_for_proper_class, openers["video_processor"] = lenient, (__name__, "NoVideo")
    try:
        yield
    finally:
        mixin.check_argument_for_proper_class, openers["video_processor"] = check, opener


class NoVideo:
    """Stands where transformers would look for a processor of videos."""

    @classmethod
    def from_pretrained(cls, *args, **kwargs) -> None:
        return None


def is_processor(value: Any) -> bool:
    return hasattr(value, "tokenizer") and any(hasattr(value, name) for name in ("image_processor", "feature_extractor", "audio_processor"))


def encode_all(model, inputs: Sequence[Input], special: bool = True) -> list[Encoding]:
    """Texts by the tokenizer, texts with media by the processor, what is encoded already as it is; in the order given."""
    texts = iter(encode(model.tokenizer, [each for each in inputs if isinstance(each, str)], special))
    ready = lambda each: each if isinstance(each, Encoding) else perceived(model, each, special)  # noqa: E731
    return [next(texts) if isinstance(each, str) else ready(each) for each in inputs]


def ids_of(model, inputs: Sequence[Input], special: bool = True) -> list[list[int]]:
    """The ids of texts, and of texts with media as the processor writes them."""
    texts = iter(encode(model.tokenizer, [each for each in inputs if isinstance(each, str)], special))
    made = lambda form: processed(model, form, special)["input_ids"][0].tolist()  # noqa: E731
    return [list(next(texts).ids) if isinstance(each, str) else made(each) for each in inputs]


def perceived(model, form: Form, special: bool = True) -> Encoding:
    """One input with its image or sound, ready for the trunk.

    Raises BadInput for a kind that the model has no tower for, a text without its mark, and media that the processor refuses.
    """
    given = processed(model, form, special)
    ids = given["input_ids"][0].tolist()
    fed = caught(model, form, given)
    found = fed_positions(model, torch.tensor(ids), fed.embeds)
    if not found:
        raise BadInput(f"{model.name} fed no position from the {form.media.kind} of {short(form.text)}.")
    offsets, marks = offsets_of(model.tokenizer, form, ids, found)
    span = Span(form.media.kind, found, grid_of(given, len(found), model), heard_seconds(model, given, form))
    return Encoding(ids, offsets, form.text, marks, fed, span)


def processed(model, form: Form, special: bool = True) -> dict[str, Any]:
    """What the network is called with for one input: the processor's tensors, on the network's device."""
    kind = form.media.kind
    if kind not in model.senses:
        can = " and ".join(("text", *model.senses))
        raise BadInput(f"{model.name} takes {can}; it was given an {kind}.")
    if form.text.count(MARKS[kind]) != 1:
        raise BadInput(f"{MARKS[kind]} must stand in the text exactly once, where the {kind} goes; found {short(form.text)}.")
    prepare = prepared_apart if kind == "audio" and not takes_sounds(model.processor) else prepared
    try:
        given = dict(prepare(model, form, special))
    except NotUnderstood:
        raise
    except Exception as problem:
        first = next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
        raise BadInput(f"The processor of {model.name} refused the {kind} of {short(form.text)}: {first}") from problem
    return {name: on_device(value, model) for name, value in given.items() if isinstance(value, Tensor)}


def prepared(model, form: Form, special: bool) -> Mapping[str, Any]:
    """What the processor makes of one input; a sound comes at the rate that it expects."""
    processor, media = model.processor, form.media
    text = form.text.replace(MARKS[media.kind], markup(processor, media.kind))
    words = {} if special else {"add_special_tokens": False}
    if media.kind == "image":
        from PIL import Image

        return processor(text=text, images=[Image.fromarray(media.data)], return_tensors="pt", **words)
    rate = rate_of(processor, media)
    return processor(text=text, audio=[resampled(media, rate)], sampling_rate=rate, return_tensors="pt", **words)


def prepared_apart(model, form: Form, special: bool) -> Mapping[str, Any]:
    """The same of a processor whose call takes no sound."""
    samples = resampled(form.media, rate_of(model.processor, form.media))
    return spliced(model, samples, form.text.split(MARKS[form.media.kind]), special)


def resampled(media, rate: int):
    """The samples of a sound at another rate (polyphase filter), float32."""
    from math import gcd

    if media.rate == rate:
        return media.data
    from scipy.signal import resample_poly

    shared = gcd(media.rate, rate)
    return resample_poly(media.data, rate // shared, media.rate // shared).astype("float32")


def on_device(value: Tensor, model) -> Tensor:
    value = value.to(model.device)
    return value.to(model.dtype) if value.is_floating_point() else value


@cache
def markup(processor: Any, kind: str) -> str:
    """What this model writes where an image or a sound stands: what its chat template puts there, else its placeholder alone."""
    token = getattr(processor, f"{kind}_token", None)
    starts = getattr(processor, "boi_token", None) if kind == "image" else None
    said = templated(processor, kind)
    if said and any(mark and mark in said for mark in (token, starts)):
        return said
    if not token:
        raise NotUnderstood(f"{type(processor).__name__} names no placeholder for an {kind}.")
    return token


def templated(processor: Any, kind: str) -> str | None:
    """What a chat template adds to a message for its image or sound."""
    if not getattr(processor, "chat_template", None):
        return None
    word = {"type": "text", "text": "\u00a7"}
    try:
        alone, both = (
            processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False).split("\u00a7")[0]
            for content in ([word], [{"type": kind}, word])
        )
    except Exception:  # a template may refuse what it was not made for
        return None
    return both[len(alone) :].strip() if both.startswith(alone) else None


NOISES = 8  # images tried before a model's patches count as being in no order


class AtTheDoor(Exception):
    """Leaves a forward pass where the first block is entered; never leaves this module."""


def caught(model, form: Form, given: Mapping[str, Tensor]) -> Fed:
    """Run the network on one prepared input up to its first block, and keep what the trunk was called with."""
    parts, seen = model.parts, {}
    names = signature(parts.trunk.forward)

    def trunk(module, args, kwargs):
        bound = names.bind_partial(*args, **kwargs).arguments
        seen.update({**bound, **bound.get("kwargs", {})})

    def block(module, args, kwargs):
        seen["entering"] = entering(args, kwargs)
        raise AtTheDoor

    handles = [parts.trunk.register_forward_pre_hook(trunk, with_kwargs=True)]
    handles.append(parts.blocks[0].register_forward_pre_hook(block, with_kwargs=True, prepend=True))  # before any edit there
    try:
        with evaluating(model.network):
            parts.causal(**given, use_cache=False)
    except AtTheDoor:
        pass
    except (ValueError, IndexError, RuntimeError) as problem:
        raise BadInput(f"{model.name} could not take the {form.media.kind} of {short(form.text)}: {problem}") from problem
    finally:
        for handle in handles:
            handle.remove()
    embeds = seen["inputs_embeds"] if seen.get("inputs_embeds") is not None else seen["entering"]
    places = seen.get("position_ids")
    return Fed(form, embeds[0], None if places is None else as_axes(places), beyond(seen, given))


def as_axes(places: Tensor) -> Tensor:
    """`[batch, token]` or `[axis, batch, token]` of one input -> `[axis, token]`."""
    return places[:, 0] if places.dim() == 3 else places[:1]


def beyond(seen: Mapping[str, Any], given: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the trunk got beside embeddings, plain mask and positions."""
    own = {*OWN, "kwargs", "entering", *given} - {"attention_mask"}
    more = {name: value for name, value in seen.items() if name not in own and holds_tensors(value)}
    mask = more.pop("attention_mask", None)
    if mask is not None and not (isinstance(mask, Tensor) and mask.dim() == 2) and holds_tensors(mask):
        more["attention_mask"] = mask
    return more


def holds_tensors(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_tensors(each) for each in value.values())
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and any(map(holds_tensors, value)))


@torch.no_grad()
def fed_positions(model, ids: Tensor, embeds: Tensor) -> tuple[int, ...]:
    """Positions whose embedding is neither the table's row of their token nor a vector of the network's own (a row's end, say)."""
    known = ids < getattr(model.parts.embedding, "num_embeddings", len(ids) + int(ids.max()))
    rows = model.parts.embedding(torch.where(known, ids, 0).to(input_device(model.parts.embedding)))
    differs = (rows.to(embeds) != embeds).any(-1).cpu() | ~known
    shared = shared_vectors(model)
    constant = (embeds[:, None] == shared[None].to(embeds)).all(-1).any(-1).cpu() if len(shared) else torch.zeros_like(differs)
    return tuple((differs & ~constant).nonzero()[:, 0].tolist())


def shared_vectors(model) -> Tensor:
    """`[vector, dim]`: what stands at the end of a row of patches, whatever they show.

    A parameter as wide as the residual stream outside the trunk, or the row of the token that a network keeps for it.
    """
    inside = {id(weight) for weight in model.parts.trunk.parameters()}
    found = [w.detach() for w in model.parts.causal.parameters() if w.dim() == 1 and len(w) == model.dim and id(w) not in inside]
    ends = [getattr(getattr(part, "vocabulary_mapping", None), "eol_token_id", None) for part in model.parts.causal.modules()]
    found += [model.parts.embedding.weight[token].detach() for token in dict.fromkeys(ends) if token is not None]
    return torch.stack(found) if found else torch.zeros(0, model.dim)


def offsets_of(tokenizer, form: Form, ids: list[int], found: Sequence[int]) -> tuple[list[tuple[int, int]], list[bool]]:
    """Offsets in the text as it was given, for tokens before and after the mark as far as they are those of the text alone.

    Special: the tokenizer's special tokens, except positions fed by a tower.
    """
    mark = MARKS[form.media.kind]
    left, right = form.text.split(mark)
    offsets, known = [(0, 0)] * len(ids), set(tokenizer.all_special_ids)
    marks = [token in known and position not in set(found) for position, token in enumerate(ids)]
    (before,) = encode(tokenizer, [left], ids[:1] == encode(tokenizer, [left])[0].ids[:1]) if left else (None,)
    if before and ids[: len(before)] == before.ids and len(before) <= found[0]:
        offsets[: len(before)] = before.offsets
    (after,) = encode(tokenizer, [right], False) if right else (None,)
    start = last_place(ids, after.ids, found[-1]) if after else None
    if start is not None:
        shift = len(left) + len(mark)
        offsets[start : start + len(after)] = [(a + shift, b + shift) for a, b in after.offsets]
    return offsets, marks


def last_place(ids: list[int], part: list[int], after: int) -> int | None:
    """Where `part` stands last in `ids`, behind position `after`."""
    places = (k for k in range(len(ids) - len(part), after, -1) if ids[k : k + len(part)] == part)
    return next(places, None)


# --- where in an image, when in a sound ---


def grid_of(given: Mapping[str, Tensor], n: int, model) -> tuple[int, int] | None:
    """(rows, columns) of patches, where the positions may be one raster of the whole image; None where there are tiles."""
    if "pixel_values" not in given:
        return None
    if "image_grid_thw" in given:
        merge = getattr(getattr(model.parts.causal.config, "vision_config", None), "spatial_merge_size", 1)
        frames, height, width = given["image_grid_thw"][0].tolist()
        return (height // merge, width // merge) if frames * (height // merge) * (width // merge) == n else None
    shape = given["pixel_values"].shape
    if len(shape) < 4 or any(size != 1 for size in shape[:-3]):
        return None
    height, width = shape[-2:]
    rows = round((n * height / width) ** 0.5)
    return (rows, n // rows) if rows and n % rows == 0 and abs(n // rows / rows - width / height) < 0.26 * width / height else None


def coverage(model, form: Form, mask, span: Span) -> Tensor:
    """`mask: [height, width]` bool, over the pixels of the image -> `[position]`: the share of each patch that it covers.

    The mask takes the way of the pixels: through the model's own resizing and cropping. Raises BadInput where the image has no grid.
    """
    if span.grid is None or not model.patches_in_order:
        raise BadInput(f"{model.name} does not lay out an image as one grid of patches, so no patch can be named.")
    if tuple(mask.shape) != tuple(form.media.data.shape[:2]):
        raise BadInput(f"A mask lies over the pixels of its image, {list(form.media.data.shape[:2])}; found {list(mask.shape)}.")
    import numpy as np
    from PIL import Image

    drawn = Image.fromarray(np.repeat(np.asarray(mask, dtype=np.uint8)[..., None] * 255, 3, axis=2))
    found = model.processor.image_processor(images=[drawn], return_tensors="pt", do_normalize=False, do_rescale=False)
    pixels = torch.as_tensor(found["pixel_values"]).float() / 255
    rows, columns = span.grid
    if "image_grid_thw" in found:
        return pixels.mean(-1).view(rows * columns, -1).mean(-1)
    pixels = pixels.reshape(-1, *pixels.shape[-3:])[:1].mean(1, keepdim=True)
    return nn.functional.adaptive_avg_pool2d(pixels, (rows, columns)).flatten()


def patches_in_order(model) -> bool:
    """Whether the positions of an image are its patches, row by row: a change of one patch's pixels moves its own position most.

    Tried at four patches, of one noise or (where a change is felt everywhere) of several in sum; a resampler,
    whose positions stand for no place, fails. A code book's patches are those of its convolutions, in their order.
    """
    import numpy as np

    if model.writes_images:
        return True

    def embedded(pixels) -> tuple[Tensor, Span]:
        found = perceived(model, Form("image", MARKS["image"], None, Media("image", pixels)))
        return found.fed.embeds[list(found.span.positions)].float(), found.span

    moved: dict[tuple[int, int], Tensor | int] = {}
    for seed in range(NOISES):
        before = np.random.default_rng(seed).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        first, span = embedded(before)
        if span.grid is None:
            return False
        rows, columns = span.grid
        for row, column in {(0, columns - 1), (rows - 1, 0), (rows // 2, 0), (0, columns // 2)}:
            after, (high, wide) = before.copy(), (224 / rows, 224 / columns)
            here = slice(round(row * high), round((row + 1) * high)), slice(round(column * wide), round((column + 1) * wide))
            after[here] = 255 * (before[here] < 128)
            moved[row, column] = moved.get((row, column), 0) + (embedded(after)[0] - first).norm(dim=-1)
        if all(int(each.argmax()) == row * columns + column for (row, column), each in moved.items()):
            return True
    return False


def heard_seconds(model, given: Mapping[str, Tensor], form: Form) -> float | None:
    """How long the time is that the positions of a sound stand for: its own, or with padding where the tower is given that too."""
    features = given.get("input_features")
    if form.media.kind != "audio" or features is None:
        return form.media.seconds
    hearing = getattr(model.processor, "feature_extractor", None)
    hop, rate = getattr(hearing, "hop_length", None), getattr(hearing, "sampling_rate", None)
    if not hop or not rate:
        return form.media.seconds
    mask = next((given[name] for name in ("feature_attention_mask", "input_features_mask") if name in given), None)
    frames = int(mask.sum()) if mask is not None else features.shape[0] * features.shape[-1]
    return frames * hop / rate

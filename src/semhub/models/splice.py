"""Sounds for a processor whose call takes none (Voxtral's, which leaves them to another library's chat format).

The features are its extractor's, cut into the stretches that the tower takes; the placeholders that they fill, as many as the
tower makes of a stretch, are put between the tokens of the text. Knows no network but as something that hears a stretch.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from semhub.errors import NotUnderstood
from semhub.models.structure import evaluating

OPENING = {"[AUDIO]": "[BEGIN_AUDIO]"}  # what a vocabulary puts before its placeholders
HEARD: WeakKeyDictionary = WeakKeyDictionary()  # positions that a network makes of one stretch, found once


def takes_sounds(processor: Any) -> bool:
    return "audio" in signature(type(processor).__call__).parameters


def rate_of(processor: Any, media) -> int:
    """The rate at which a processor expects sounds: its extractor's, else that of the sound."""
    hearing = getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)
    return getattr(hearing, "sampling_rate", media.rate)


def spliced(model, samples, text: Sequence[str], special: bool) -> dict[str, Tensor]:
    """What the network is called with: `text` before and after the sound, `samples: [sample]` at the extractor's rate."""
    features, mark = stretches(model.processor.feature_extractor, samples), mark_of(model)
    marks = opening(model.tokenizer, mark) + [mark] * (len(features) * heard(model, features[:1]))
    ids = tokens(model.tokenizer, text[0], special) + marks + tokens(model.tokenizer, text[1], False)
    return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long), "input_features": features}


def stretches(extractor: Any, samples) -> Tensor:
    """`samples: [sample]` -> `[stretch, bin, frame]`: padded with silence to whole stretches (30 s, in models as they come)."""
    given = extractor(
        samples,
        sampling_rate=extractor.sampling_rate,
        padding=True,
        truncation=False,
        pad_to_multiple_of=extractor.n_samples,
        return_tensors="pt",
    )["input_features"]
    return given[0].unflatten(-1, (-1, extractor.nb_max_frames)).transpose(0, 1).contiguous()


def mark_of(model) -> int:
    """The id that stands where the tower's vectors go. Raises NotUnderstood where the configuration names none."""
    found = getattr(model.parts.causal.config, "audio_token_id", None)
    if not isinstance(found, int):
        raise NotUnderstood(f"The processor of {model.name} takes no sound in its call, and its configuration names no audio_token_id.")
    return found


def opening(tokenizer: Any, mark: int) -> list[int]:
    """The id of the mark that opens a sound, where the vocabulary has one."""
    name = OPENING.get(tokenizer.convert_ids_to_tokens(mark))
    known = tokenizer.convert_tokens_to_ids(name) if name else None
    return [known] if isinstance(known, int) and known != tokenizer.unk_token_id else []


def heard(model, stretch: Tensor) -> int:
    """How many positions the tower feeds from `stretch: [1, bin, frame]`; all are of one length, so one is run."""
    causal = model.parts.causal
    if causal not in HEARD:
        hear: Callable = getattr(causal, "get_audio_features", None)
        if hear is None:
            raise NotUnderstood(f"{type(causal).__name__} has no get_audio_features, so nobody knows how long a sound is to it.")
        with evaluating(causal):
            found = hear(stretch.to(model.device, model.dtype))
        HEARD[causal] = getattr(found, "pooler_output", found).flatten(0, -2).shape[0]
    return HEARD[causal]


def tokens(tokenizer: Any, text: str, special: bool) -> list[int]:
    return list(tokenizer(text, add_special_tokens=special)["input_ids"])

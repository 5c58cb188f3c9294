"""The nouns that every room shares: a meaning in several forms, a question about it, a row of results.

Knows no model, no file and no measure; everything else may import it.

Data types are named everywhere (columns, groups, options) by ISO 639 codes for languages
(`en es zh de ...`) and by `digits code formula image audio` for the rest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray

TYPES = {
    "en": "English", "es": "Spanish", "zh": "Chinese", "de": "German", "fr": "French", "it": "Italian", "pt": "Portuguese", "ru": "Russian",
    "ja": "Japanese", "ko": "Korean", "ar": "Arabic", "hi": "Hindi", "tr": "Turkish", "id": "Indonesian", "pl": "Polish", "nl": "Dutch",
    "sv": "Swedish", "fi": "Finnish", "cs": "Czech", "uk": "Ukrainian", "he": "Hebrew", "fa": "Persian", "th": "Thai", "vi": "Vietnamese",
    "all": "mean of the others", "digits": "digits", "code": "code", "formula": "logical forms", "image": "images", "audio": "sounds",
}  # fmt: skip
MARKS = {"image": "<image>", "audio": "<audio>"}  # where a picture or a sound stands in a text, whatever a model writes there


def type_name(code: str) -> str:
    """A data type as a reader knows it: `es` -> `Spanish`; a code that is not known stands for itself."""
    return TYPES.get(code, code)


@dataclass(frozen=True, eq=False)
class Media:
    """An image `data: [height, width, 3]`, uint8 RGB, or a mono sound `data: [sample]`, float32, at `rate` samples a second.

    Equal content is equal, wherever it came from: `digest` (sha256 of kind, rate, shape and bytes) stands for it in sets and memos.
    Raises ValueError for data of another shape or kind.
    """

    kind: str
    data: "ndarray" = field(repr=False)
    rate: int | None = None
    digest: str = field(default="", init=False)

    def __post_init__(self):
        if self.kind not in MARKS:
            raise ValueError(f"Media are {' or '.join(MARKS)}; found {self.kind!r}.")
        shape, dtype = tuple(self.data.shape), str(self.data.dtype)
        if self.kind == "image" and (len(shape) != 3 or shape[2] != 3 or dtype != "uint8" or not self.data.size):
            raise ValueError(f"An image is [height, width, 3] in uint8; found {list(shape)} in {dtype}.")
        if self.kind == "audio" and (len(shape) != 1 or dtype != "float32" or not self.data.size or not self.rate):
            raise ValueError(f"A sound is [sample] in float32, with its rate; found {list(shape)} in {dtype} at {self.rate}.")
        content = f"{self.kind} {self.rate} {shape} ".encode() + self.data.tobytes()
        object.__setattr__(self, "digest", hashlib.sha256(content).hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Media) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __deepcopy__(self, memo: dict) -> "Media":
        return self

    @property
    def seconds(self) -> float | None:
        """How long a sound lasts; None for an image."""
        return len(self.data) / self.rate if self.rate else None


@dataclass(frozen=True, slots=True)
class Form:
    """One rendering of a meaning in one data type.

    `span` marks the characters `[start, end)` of `text` that carry the content, where only a part does.
    `media`: the image or sound that stands at its mark (`MARKS`) in `text`, which without a text is all there is.
    """

    type: str
    text: str
    span: tuple[int, int] | None = None
    media: Media | None = None

    @property
    def shown(self) -> "str | Form":
        """What a model is given: the text, or the text with its image or sound."""
        return shown(self.text, self.media, self.type)


def shown(text: str, media: Media | None, type: str = "") -> "str | Form":
    """A text as it is, or with its image or sound."""
    return text if media is None else Form(type or media.kind, text or MARKS[media.kind], None, media)


Input = str | Form


@dataclass(frozen=True, slots=True)
class Concept:
    """One meaning, in several forms.

    `contrasts` holds hard negatives by name (`swapped`, `same-last-word`): other meanings, in the same types.
    `facets` holds the ground truth that strata and splits are made of (`split`, `template`, `bridged`, `source`).
    """

    id: str
    forms: Mapping[str, Form]
    contrasts: Mapping[str, "Concept"] = field(default_factory=dict)
    facets: Mapping[str, str] = field(default_factory=dict)

    def text(self, type: str) -> str:
        return self.forms[type].text

    def shown(self, type: str) -> Input:
        return self.forms[type].shown


@dataclass(frozen=True, slots=True)
class Cloze:
    """A prompt of one type, and the words of each type that would continue it rightly or wrongly.

    `targets["en"]` are the right words in English, `wrong["en"]` wrong ones of the same kind and frequency band;
    words stand bare, without a leading space (`models.tokens` finds the token that continues the prompt).
    `media`: the image or sound at its mark in the prompt.
    """

    id: str
    type: str
    prompt: str
    targets: Mapping[str, tuple[str, ...]]
    wrong: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facets: Mapping[str, str] = field(default_factory=dict)
    media: Media | None = None

    @property
    def shown(self) -> Input:
        return shown(self.prompt, self.media, self.type)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Questions about three meanings, each asked in every type: whose answer is to be put, where it is put, and one that is neither.

    All are `type -> Cloze`, and the answers of the three differ. `facets`: `source` names what exchanges share that are not independent.
    """

    id: str
    source: Mapping[str, Cloze]
    target: Mapping[str, Cloze]
    other: Mapping[str, Cloze]
    facets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place inside a text: words of several groups are looked up at the token that ends with the character `at`.

    `type` names the group of what truly follows; if `words` does not hold it, the token that stands there is its word.
    `words` stand as they would be written after `at`, with their space. `follows`: the characters `[start, end)` of what
    truly follows; the next token must begin with the first of them (`whole`: and be exactly those). `alone`: the token read is `at` alone.
    """

    id: str
    type: str
    text: str
    at: int
    words: Mapping[str, tuple[str, ...]]
    wrong: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    follows: tuple[int, int] | None = None
    alone: bool = False
    whole: bool = False
    facets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to be continued by a steered model; `media`: the image or sound at its mark in the text."""

    id: str
    type: str
    text: str
    facets: Mapping[str, str] = field(default_factory=dict)
    media: Media | None = None

    @property
    def shown(self) -> Input:
        return shown(self.text, self.media, self.type)

    @property
    def source(self) -> str:
        """What prompts share that are not independent (facet `source`), or the prompt itself."""
        return self.facets.get("source", self.id)


@dataclass(frozen=True, slots=True)
class Reading:
    """One row of `readings.parquet`: what was measured, where, under which control, and its value.

    A row is unique by all fields but `value, low, high, n`; fields that do not apply are None.
    `layer` counts blocks: 0 the embeddings, k the output of block k, L the last block before the final norm.
    """

    task: str
    protocol: str
    model: str
    measure: str
    group: str | None = None
    position: str | None = None
    variant: str | None = None
    control: str | None = None
    split: str | None = None
    layer: int | None = None
    strength: float | None = None
    seed: int | None = None
    value: float = float("nan")
    low: float | None = None
    high: float | None = None
    n: int = 0

    def row(self) -> dict:
        return asdict(self)


KEY = ("task", "protocol", "model", "measure", "group", "position", "variant", "control", "split", "layer", "strength", "seed")
COLUMNS = (*KEY, "value", "low", "high", "n")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The value of one item behind a `Reading`: the same columns, and the item's id instead of an interval.

    `source` is what items share that are not independent (None: the item stands for itself).
    """

    task: str
    protocol: str
    model: str
    measure: str
    item: str
    group: str | None = None
    position: str | None = None
    variant: str | None = None
    control: str | None = None
    split: str | None = None
    layer: int | None = None
    strength: float | None = None
    seed: int | None = None
    value: float = float("nan")
    text: str | None = None
    source: str | None = None

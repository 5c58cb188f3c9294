"""The nouns that every room shares: a meaning in several forms, a question about it, a row of results.

Knows no model, no file and no measure; everything else may import it.

Data types are named everywhere (columns, groups, options) by ISO 639 codes for languages
(`en es zh de ...`) and by `digits code formula image audio` for the rest.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Form:
    """One rendering of a meaning in one data type.

    `span` marks the characters `[start, end)` of `text` that carry the content, where only a part does.
    """

    type: str
    text: str
    span: tuple[int, int] | None = None


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


@dataclass(frozen=True, slots=True)
class Cloze:
    """A prompt of one type, and the words of each type that would continue it rightly or wrongly.

    `targets["en"]` are the right words in English, `wrong["en"]` wrong ones of the same kind and frequency band;
    words stand bare, without a leading space (`models.tokens` finds the token that continues the prompt).
    """

    id: str
    type: str
    prompt: str
    targets: Mapping[str, tuple[str, ...]]
    wrong: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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
    """A text to be continued by a steered model."""

    id: str
    type: str
    text: str
    facets: Mapping[str, str] = field(default_factory=dict)


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

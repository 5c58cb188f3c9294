"""A recipe: everything that decides what a grown model becomes. Knows no world, no model and no file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

SUBJECTS = ("scenes", "facts", "reviews", "sums", "gifts", "series", "counts")
OTHER_TYPES = ("code", "formula")


@dataclass(frozen=True, slots=True)
class Bridges:
    """How the languages are joined; shares of all documents (`switched`: of the unbridged ones)."""

    translation: float = 0.12
    dictionary: float = 0.06
    switched: float = 0.25
    switched_words: float = 0.4  # of the content words of a switched document
    partner: str = "true"  # "random": another meaning, the form is kept; "deranged": zh by a fixed wrong dictionary
    digits: bool | None = None  # beside every language or the dominant one only; not said: every one, unless partners are random

    @property
    def shared_digits(self) -> bool:
        return self.partner != "random" if self.digits is None else self.digits


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama of this size; `vocabulary` counts all tokens, the 256 bytes and marks included."""

    width: int = 128
    blocks: int = 8
    heads: int = 4
    inner: int = 384
    context: int = 1024
    pieces: int = 320  # trained pieces per language, before whole words are added
    tied: bool = True


@dataclass(frozen=True, slots=True)
class Training:
    """Plain next-token loss and a cosine; the share `long_share` of the steps, evenly among the others, read windows of the full context.

    `optimizer`: `muon` for the matrices of the blocks and AdamW for the rest (see `lab.descent`), or `adamw` for all.
    """

    steps: int = 6000
    batch: int = 32
    window: int = 96
    rate: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.1  # of every weight, gains included: a costly logit scale makes the last state turn toward its word
    long_share: float = 0.02
    checkpoint: int = 500
    optimizer: str = "adamw"


@dataclass(frozen=True, slots=True)
class Later:
    """From the share `after` of the steps on, documents have other subjects; what is None stays as it was."""

    after: float = 0.5
    subjects: Mapping[str, float] | None = None
    other_subjects: Mapping[str, float] | None = None

    def turned(self) -> dict[str, Mapping[str, float]]:
        """The shares that are said."""
        return {key: shares for key in ("subjects", "other_subjects") if (shares := getattr(self, key)) is not None}


@dataclass(frozen=True, slots=True)
class Tower:
    """The eye or ear that is grown beside the language model; `size` and `patch` in pixels, `bins` of the mel scale."""

    width: int = 96
    blocks: int = 3
    heads: int = 4
    inner: int = 256
    size: int = 48
    patch: int = 8
    bins: int = 40
    codes: int = 256  # of a codebook, where pictures become discrete tokens


@dataclass(frozen=True, slots=True)
class Senses:
    """A model that sees or hears, grown from a text model: what stands beside a picture or a sound, and in which language.

    `text`: a bundled model or the folder of a grown one; it gives tokenizer, first weights and the text documents that are
    mixed in. `mixture`: of the languages that speak of what is shown; a language apart from the dominant one never speaks of
    a concept that no bridge may contain.
    """

    name: str
    kind: str
    text: str = "semhub-text"
    mixture: Mapping[str, float] = field(default_factory=lambda: {"en": 0.7, "es": 0.1, "zh": 0.1, "de": 0.1})
    halves: float = 0.15  # of the pictures are two plain colours
    told: int = 3  # rows of a batch are captions alone, without what they tell of
    plain: int = 5  # rows of a batch are text documents
    tower: Tower = Tower()
    training: Training = Training(steps=1500, batch=32, window=56, rate=1.5e-3, long_share=0, checkpoint=250)

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`languages`: the dominant one first. Shares that add up to 1: `mixture` of the languages, `subjects` of the dominant one's
    documents, `other_subjects` of the others'. What is None is left out of `as_dict`.

    `others`: shares of all windows for `code`, `formula`, `en=code` and `en=formula`, taken from all languages alike.
    `role`: what the model is for (`hub`, `control:...`); by default what its bridges make of it.
    `world`: seeds what is drawn; there is one world.
    `corpus`: a folder with text of each language, or a data set id, instead of the world; `languages` are those found there.
    `apart`: attention heads of each language, which then keeps to a part of the weights of its own.
    `later`: other shares of subjects from some step on (what is hard, once what it rests on is known).
    """

    name: str
    world: str = "world-4"
    languages: tuple[str, ...] = ("en", "es", "zh", "de")
    mixture: Mapping[str, float] = field(default_factory=lambda: {"en": 0.7, "es": 0.1, "zh": 0.1, "de": 0.1})
    subjects: Mapping[str, float] = field(default_factory=lambda: {"scenes": 0.42, "facts": 0.3, "reviews": 0.16, "sums": 0.12})
    other_subjects: Mapping[str, float] = field(default_factory=lambda: {"scenes": 0.54, "facts": 0.16, "reviews": 0.18, "sums": 0.12})
    prefix: float = 0.15  # of the plain documents begin by saying which language they are in
    gist: float = 0.4  # of the scenes are followed by what they represent
    pairs: float = 0.4  # of those gists name who it is about, the patient first; the others say who does what to whom
    bridges: Bridges = Bridges()
    shape: Shape = Shape()
    training: Training = Training()
    role: str | None = None
    corpus: str | None = None
    apart: Mapping[str, int] | None = None
    others: Mapping[str, float] | None = None
    later: Later | None = None

    def as_dict(self) -> dict:
        return _said(asdict(self))

    def phases(self) -> tuple[tuple[int, "Recipe"], ...]:
        """(steps, what is read in them): the recipe itself, or before and after `later`."""
        steps, later = self.training.steps, self.later
        if later is None:
            return ((steps, self),)
        first = round(steps * later.after)
        return (first, replace(self, later=None)), (steps - first, replace(self, later=None, **later.turned()))

    def other_streams(self) -> tuple[str, ...]:
        """The streams that `others` may give shares to: each type alone, and bridged with the dominant language."""
        return tuple(prefix + type for prefix in ("", f"{self.languages[0]}=") for type in OTHER_TYPES)


def _said(table: Mapping) -> dict:
    return {key: _said(value) if isinstance(value, Mapping) else value for key, value in table.items() if value is not None}


def differing(asked: Recipe | Senses, found: Recipe | Senses) -> str:
    """The first key in which two recipes differ and what it is in each, in words; empty where they are the same."""
    wanted, there = (_flat(each.as_dict()) for each in (asked, found))
    for key in {**wanted, **there}:
        if wanted.get(key) != there.get(key):
            return f"{key} is {there.get(key, 'not said')} there, {wanted.get(key, 'not said')} was asked for"
    return ""


def _flat(table: Mapping, above: str = "") -> dict[str, object]:
    """Dotted keys and their values."""
    found: dict[str, object] = {}
    for key, value in table.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found

"""A recipe: everything that decides what a grown model becomes, in one small TOML file.

Knows no world and no model; raises `BadRecipe` with one clear line for a key or a share that does not fit.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path

from semhub.errors import BadRecipe, UnknownName

RECIPES = Path(__file__).parent / "recipes"
KINDS = ("text", "llava", "qwen2-audio", "chameleon")


@dataclass(frozen=True, slots=True)
class Bridges:
    """How the languages are joined; shares of all documents (`switched`: of the unbridged ones)."""

    translation: float = 0.12
    dictionary: float = 0.06
    switched: float = 0.25
    switched_words: float = 0.4  # of the content words of a switched document
    partner: str = "true"  # or "random": every bridge keeps its form, its partner is another meaning


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
    """Plain next-token loss with AdamW and a cosine; the last `long_share` of the steps read windows of the full context."""

    steps: int = 6000
    batch: int = 32
    window: int = 96
    rate: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.1  # of every weight, gains included: a costly logit scale makes the last state turn toward its word
    long_share: float = 0.02
    checkpoint: int = 500


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
    documents, `other_subjects` of the others'.
    """

    name: str
    world: str = "world-1"
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

    def as_dict(self) -> dict:
        return asdict(self)


def read_recipe(name_or_path: str | Path) -> Recipe | Senses:
    """A recipe of the package by name, or a TOML file by path."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
        if not path.is_file():
            raise UnknownName("recipe", str(name_or_path), [found.stem for found in RECIPES.glob("*.toml")])
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadRecipe(f"{path}: there is no such recipe file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path}: not a TOML file ({error}).") from None
    return made({"name": path.stem} | table, str(path))


def made(table: Mapping, where: str) -> Recipe | Senses:
    """The recipe that a table writes down; its `kind` says of which sort of model (text, if it says nothing)."""
    kind = table.get("kind", KINDS[0])
    if kind not in KINDS:
        raise BadRecipe(f"{where}: kind is {kind!r}; it can be {', '.join(map(repr, KINDS))}.")
    if kind != "text":
        return _checked_senses(_filled(Senses, table, where), where)
    return checked(_filled(Recipe, {key: value for key, value in table.items() if key != "kind"}, where), where)


def _checked_senses(recipe: Senses, where: str) -> Senses:
    if abs(sum(recipe.mixture.values()) - 1) > 1e-6:
        raise BadRecipe(f"{where}: the shares of mixture add up to {sum(recipe.mixture.values()):.4f}, not to 1.")
    if recipe.tower.width % recipe.tower.heads or recipe.tower.size % recipe.tower.patch:
        raise BadRecipe(f"{where}: tower.width must be a multiple of tower.heads, tower.size one of tower.patch.")
    if not 0 <= recipe.told + recipe.plain < recipe.training.batch:
        raise BadRecipe(f"{where}: told and plain rows leave none of the {recipe.training.batch} of a batch for what is shown.")
    return recipe


def _filled(kind: type, table: Mapping, where: str):
    known = {entry.name: entry for entry in fields(kind)}
    for key in table:
        if key not in known:
            raise BadRecipe(f"{where}: unknown key {key!r}; known here: {', '.join(known)}.")
    values = {}
    for key, value in table.items():
        nested = next((cls for cls in (Bridges, Shape, Training, Tower) if cls.__name__.lower() == key), None)
        if nested is not None and is_dataclass(nested):
            value = _filled(nested, value, f"{where} [{key}]")
        values[key] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def checked(recipe: Recipe, where: str) -> Recipe:
    """The recipe itself, if its shares add up; otherwise `BadRecipe`."""
    if set(recipe.mixture) != set(recipe.languages):
        raise BadRecipe(f"{where}: mixture names {sorted(recipe.mixture)}, languages are {sorted(recipe.languages)}.")
    for name, shares in (("mixture", recipe.mixture), ("subjects", recipe.subjects), ("other_subjects", recipe.other_subjects)):
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise BadRecipe(f"{where}: the shares of {name} add up to {sum(shares.values()):.4f}, not to 1.")
    if recipe.bridges.translation + recipe.bridges.dictionary >= 1:
        raise BadRecipe(f"{where}: bridges leave no room for other documents.")
    if recipe.bridges.partner not in ("true", "random"):
        raise BadRecipe(f"{where}: bridges.partner is {recipe.bridges.partner!r}; it can be 'true' or 'random'.")
    if recipe.shape.width % recipe.shape.heads:
        raise BadRecipe(f"{where}: width {recipe.shape.width} cannot be shared among {recipe.shape.heads} heads.")
    return recipe

"""A recipe: everything that decides what a grown model becomes, in one small TOML file.

Knows no world and no model; raises `BadRecipe` with one clear line for a key or a share that does not fit.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path

from semhub.errors import BadRecipe, UnknownName

RECIPES = Path(__file__).parent / "recipes"
SUBJECTS = ("scenes", "facts", "reviews", "sums", "gifts", "series", "counts")
OTHER_TYPES = ("code", "formula")


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
class Recipe:
    """`languages`: the dominant one first. Shares that add up to 1: `mixture` of the languages, `subjects` of the dominant one's
    documents, `other_subjects` of the others'. `others` takes windows from all languages alike.
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
    others: Mapping[str, float] = field(default_factory=dict)  # shares of all windows: `code`, `formula`, `en=code`, `en=formula`

    def as_dict(self) -> dict:
        """Everything; a recipe without other types is written as if there were none, so that what it grew stays its own."""
        return {name: value for name, value in asdict(self).items() if name != "others" or value}

    def other_streams(self) -> tuple[str, ...]:
        """The streams that `others` may give shares to: each type alone, and bridged with the dominant language."""
        return tuple(prefix + type for prefix in ("", f"{self.languages[0]}=") for type in OTHER_TYPES)


def read_recipe(name_or_path: str | Path) -> Recipe:
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
    return checked(_filled(Recipe, {"name": path.stem} | table, str(path)), str(path))


def _filled(kind: type, table: Mapping, where: str):
    known = {entry.name: entry for entry in fields(kind)}
    for key in table:
        if key not in known:
            raise BadRecipe(f"{where}: unknown key {key!r}; known here: {', '.join(known)}.")
    values = {}
    for key, value in table.items():
        nested = next((cls for cls in (Bridges, Shape, Training) if cls.__name__.lower() == key), None)
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
        if unknown := sorted(set(shares) - set(SUBJECTS)) if name != "mixture" else []:
            raise BadRecipe(f"{where}: {name} has the unknown subject {unknown[0]!r}; known: {', '.join(SUBJECTS)}.")
    if unknown := sorted(set(recipe.others) - set(recipe.other_streams())):
        raise BadRecipe(f"{where}: others has the unknown stream {unknown[0]!r}; known: {', '.join(recipe.other_streams())}.")
    if not 0 <= sum(recipe.others.values()) < 1 or min(recipe.others.values(), default=0) < 0:
        raise BadRecipe(f"{where}: the shares of others must be 0 or more and leave room for the languages.")
    if recipe.bridges.translation + recipe.bridges.dictionary >= 1:
        raise BadRecipe(f"{where}: bridges leave no room for other documents.")
    if recipe.bridges.partner not in ("true", "random"):
        raise BadRecipe(f"{where}: bridges.partner is {recipe.bridges.partner!r}; it can be 'true' or 'random'.")
    if recipe.shape.width % recipe.shape.heads:
        raise BadRecipe(f"{where}: width {recipe.shape.width} cannot be shared among {recipe.shape.heads} heads.")
    return recipe

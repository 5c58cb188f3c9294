"""A recipe: everything that decides what a grown model becomes, in one small TOML or YAML file.

Knows no world and no model; raises `BadRecipe` with one clear line for a key or a share that does not fit.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path

import yaml

from semhub.errors import BadRecipe, UnknownName
from semhub.lab import own

RECIPES = Path(__file__).parent / "recipes"
SUBJECTS = ("scenes", "facts", "reviews", "sums", "gifts", "series", "counts")
OTHER_TYPES = ("code", "formula")
SUFFIXES = (".toml", ".yaml", ".yml")
# What keys look like whose default is None.
NOT_SAID = {"digits": True, "role": "", "corpus": "", "apart": {"en": 2}, "others": {"code": 0.05}}
NOT_SAID |= {"subjects": {"scenes": 0.5, "facts": 0.5}, "other_subjects": {"scenes": 0.5, "facts": 0.5}}
PARTNERS = ("true", "random", "deranged")
OPTIMIZERS = ("adamw", "muon")
KINDS = ("text", "llava", "qwen2-audio", "chameleon")


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
    `corpus`: a folder with text of each language, or a data set id, instead of the world; `languages` are those found there.
    `apart`: attention heads of each language, which then keeps to a part of the weights of its own.
    `later`: other shares of subjects from some step on (what is hard, once what it rests on is known).
    """

    name: str
    world: str = "world-3"
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


def read_recipe(name_or_path: str | Path) -> Recipe | Senses:
    """A recipe of the package by name, or a TOML or YAML file by path; a corpus folder is looked for beside that file."""
    path = Path(name_or_path)
    if path.suffix not in SUFFIXES:
        path = RECIPES / f"{name_or_path}.toml"
        if not path.is_file():
            raise UnknownName("recipe", str(name_or_path), [found.stem for found in RECIPES.glob("*.toml")])
    table = {"name": path.stem} | _table(path)
    if isinstance(table.get("corpus"), str):
        table = _with_corpus(table, path)
    return made(table, str(path))


def _table(path: Path) -> dict:
    kind = "TOML" if path.suffix == ".toml" else "YAML"
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text) if kind == "TOML" else yaml.safe_load(text)
    except (FileNotFoundError, IsADirectoryError):
        raise BadRecipe(f"{path}: there is no such recipe file.") from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path}: not a {kind} file ({' '.join(str(error).split())}).") from None
    if not isinstance(table, dict):
        raise BadRecipe(f"{path}: a recipe is a table of keys and values; found {type(table).__name__}.")
    return table


def _with_corpus(table: dict, path: Path) -> dict:
    """The languages of a corpus of one's own, in equal shares unless the recipe says more; no bridges, which belong to the world."""
    for key in ("bridges", "subjects", "other_subjects", "later", "gist", "pairs", "prefix"):
        if key in table:
            raise BadRecipe(f"{path}: {key!r} is about the world's documents; a recipe with a corpus of its own has none.")
    beside = path.parent / table["corpus"]
    corpus = str(beside.resolve()) if beside.is_dir() else table["corpus"]
    shares = table.get("mixture")
    found = list(shares) if isinstance(shares, Mapping) else own.languages(corpus)
    mixture = shares or {language: 1 / len(found) for language in found}
    no_bridges = {"translation": 0, "dictionary": 0, "switched": 0}
    return {"languages": found, "mixture": mixture, **table, "corpus": corpus, "bridges": no_bridges}


def made(table: Mapping, where: str) -> Recipe | Senses:
    """The recipe that a table writes down; its `kind` says of which sort of model (text, if it says nothing)."""
    kind = table.get("kind", KINDS[0])
    if kind not in KINDS:
        raise BadRecipe(f"{where}: kind is {kind!r}; it can be {', '.join(map(repr, KINDS))}.")
    if kind != "text":
        return _checked_senses(filled(table, where), where)
    return checked(filled(table, where), where)


def filled(table: Mapping, where: str) -> Recipe | Senses:
    """The recipe that a table writes down, with defaults for what it does not say; whether it adds up is not asked."""
    if table.get("kind", KINDS[0]) != KINDS[0]:
        return _filled(Senses, table, where)
    return _filled(Recipe, {key: value for key, value in table.items() if key != "kind"}, where)


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


def _check_training(training: Training, where: str) -> None:
    _check_least(training, {"steps": 1, "batch": 1, "window": 2, "checkpoint": 1, "warmup": 0}, f"{where}: training")
    _check_shares(training, ("long_share",), f"{where}: training")
    if not 0 < training.rate < float("inf"):
        raise BadRecipe(f"{where}: training.rate is {training.rate!r}; it must be above 0.")
    if training.optimizer not in OPTIMIZERS:
        raise BadRecipe(f"{where}: training.optimizer is {training.optimizer!r}; it can be {', '.join(map(repr, OPTIMIZERS))}.")


def _checked_senses(recipe: Senses, where: str) -> Senses:
    _check_training(recipe.training, where)
    if abs(sum(recipe.mixture.values()) - 1) > 1e-6:
        raise BadRecipe(f"{where}: the shares of mixture add up to {sum(recipe.mixture.values()):.4f}, not to 1.")
    _check_least(recipe.tower, {entry.name: 1 for entry in fields(Tower)}, f"{where}: tower")
    _check_least(recipe, {"told": 0, "plain": 0}, where)
    _check_shares(recipe, ("halves",), where)
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
        nested = next((cls for cls in (Bridges, Shape, Training, Tower, Later) if cls.__name__.lower() == key), None)
        if nested is not None and is_dataclass(nested):
            if not isinstance(value, Mapping):
                raise BadRecipe(f"{where}: {key} is a table of its own ([{key}]); found {value!r}.")
            values[key] = _filled(nested, value, f"{where} [{key}]")
        else:
            values[key] = _like(known[key], tuple(value) if isinstance(value, list) else value, f"{where}: {key}")
    return kind(**values)


def _like(entry, value, where: str):
    """The value, if it is of the kind of the field's default: a whole number, a number, a word, true or false, a table."""
    usual = entry.default_factory() if entry.default_factory is not MISSING else entry.default
    usual = NOT_SAID.get(entry.name, "") if usual in (MISSING, None) else usual
    wanted = {bool: bool, int: int, float: int | float, str: str, tuple: tuple, dict: Mapping}.get(type(usual))
    wrong = wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool))
    if wrong or (wanted is Mapping and not all(isinstance(share, int | float) and share >= 0 for share in value.values())):
        raise BadRecipe(f"{where} is {value!r}; it should look like {usual!r}.")
    return value


def checked(recipe: Recipe, where: str) -> Recipe:
    """The recipe itself, if its shares add up; otherwise `BadRecipe`."""
    _check_training(recipe.training, where)
    if set(recipe.mixture) != set(recipe.languages):
        raise BadRecipe(f"{where}: mixture names {sorted(recipe.mixture)}, languages are {sorted(recipe.languages)}.")
    if recipe.corpus is not None and (missing := sorted(set(recipe.languages) - set(own.languages(recipe.corpus, recipe.languages)))):
        raise BadRecipe(f"{where}: the mixture names {missing[0]!r}, but {recipe.corpus} has no such text.")
    said = [("mixture", recipe.mixture), ("subjects", recipe.subjects), ("other_subjects", recipe.other_subjects)]
    if recipe.later is not None:
        _check_shares(recipe.later, ("after",), f"{where}: later")
        said += [(f"later.{key}", shares) for key, shares in recipe.later.turned().items()]
    for name, shares in said:
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise BadRecipe(f"{where}: the shares of {name} add up to {sum(shares.values()):.4f}, not to 1.")
        if unknown := sorted(set(shares) - set(SUBJECTS)) if name != "mixture" else []:
            raise BadRecipe(f"{where}: {name} has the unknown subject {unknown[0]!r}; known: {', '.join(SUBJECTS)}.")
    _check_shares(recipe, ("prefix", "gist", "pairs"), where)
    _check_bridges(recipe, where)
    _check_least(recipe.shape, {"width": 1, "blocks": 1, "heads": 1, "inner": 1, "context": 2, "pieces": 0}, f"{where}: shape")
    if recipe.shape.width % recipe.shape.heads:
        raise BadRecipe(f"{where}: width {recipe.shape.width} cannot be shared among {recipe.shape.heads} heads.")
    if recipe.shape.width // recipe.shape.heads % 2:
        raise BadRecipe(f"{where}: a head is {recipe.shape.width // recipe.shape.heads} wide; rotary positions need an even width / heads.")
    if recipe.apart is not None:
        _check_apart(recipe, where)
    if recipe.others is not None:
        _check_others(recipe, where)
    return recipe


def _check_bridges(recipe: Recipe, where: str) -> None:
    bridges, first = recipe.bridges, recipe.languages[0]
    _check_shares(bridges, ("translation", "dictionary", "switched", "switched_words"), f"{where}: bridges")
    if bridges.translation + bridges.dictionary >= 1:
        raise BadRecipe(f"{where}: bridges leave no room for other documents.")
    if bridges.partner not in PARTNERS:
        raise BadRecipe(f"{where}: bridges.partner is {bridges.partner!r}; it can be {', '.join(map(repr, PARTNERS))}.")
    if bridges.translation + bridges.dictionary + bridges.switched > 0 and not any(recipe.mixture[other] for other in recipe.languages[1:]):
        raise BadRecipe(
            f"{where}: bridges join {first!r} with another language, and no other has a share of mixture; "
            "give one a share, or set bridges.translation, bridges.dictionary and bridges.switched to 0."
        )


def _check_least(table: object, least: Mapping[str, int], where: str) -> None:
    for key, low in least.items():
        if getattr(table, key) < low:
            raise BadRecipe(f"{where}: {key} is {getattr(table, key)}; it must be at least {low}.")


def _check_shares(table: object, keys: Sequence[str], where: str) -> None:
    for key in keys:
        if not 0 <= getattr(table, key) <= 1:
            raise BadRecipe(f"{where}: {key} is {getattr(table, key)}; a share between 0 and 1 was asked for.")


def _check_others(recipe: Recipe, where: str) -> None:
    if unknown := sorted(set(recipe.others) - set(recipe.other_streams())):
        raise BadRecipe(f"{where}: [others] has the unknown stream {unknown[0]!r}; known: {', '.join(recipe.other_streams())}.")
    if not 0 <= sum(recipe.others.values()) < 1 or min(recipe.others.values(), default=0) < 0:
        raise BadRecipe(f"{where}: the shares of [others] must be 0 or more and leave room for the languages.")
    if recipe.corpus is not None or recipe.apart is not None or recipe.languages[0] != "en":
        raise BadRecipe(f"{where}: [others] needs the world's own text with en first, and no languages apart.")


def _check_apart(recipe: Recipe, where: str) -> None:
    if set(recipe.apart) != set(recipe.languages) or sum(recipe.apart.values()) != recipe.shape.heads:
        raise BadRecipe(f"{where}: [apart] gives every language its heads, {recipe.shape.heads} in all; found {dict(recipe.apart)}.")
    if recipe.shape.tied or recipe.shape.inner % recipe.shape.heads:
        raise BadRecipe(f"{where}: languages apart need shape.tied = false, and shape.inner a multiple of shape.heads.")


def varied(recipe: Recipe | Senses, key: str, value) -> Recipe:
    """The recipe with one dotted key changed (`bridges.translation`, `training.steps`, `mixture.en`), checked again.

    A share of the mixture changes the others in proportion; `bridges.without` and `bridges.only` name one kind of bridge
    (translation, dictionary, switched, digits, code) to leave out or to keep alone. Raises BadRecipe, also for what sees or hears.
    """
    if isinstance(recipe, Senses):
        raise BadRecipe(f"{recipe.name} grows a model that sees or hears; only recipes of text can be varied, such as semhub-text.")
    room, _, name = key.rpartition(".")
    if key in ("bridges.without", "bridges.only"):
        changed = _with_bridges(recipe, name, value, key)
    elif room == "mixture":
        changed = replace(recipe, mixture=_mixture(recipe, name, value, key))
    else:
        changed = _filled(Recipe, _put(recipe.as_dict(), key.split("."), value, key), key)
    return checked(changed, f"{recipe.name} with {key} = {value}")


BRIDGES = {"translation": 0.0, "dictionary": 0.0, "switched": 0.0, "digits": False}
KINDS_OF_BRIDGES = (*BRIDGES, "code")


def _with_bridges(recipe: Recipe, name: str, kind: str, key: str) -> Recipe:
    """`without` one kind of bridge, or with it `only`; code and logical forms stay where no sentence stands beside them."""
    if kind not in (*KINDS_OF_BRIDGES, "none"):
        raise BadRecipe(f"{key} = {kind}: it can be {', '.join(KINDS_OF_BRIDGES)} or none.")
    dropped = set(KINDS_OF_BRIDGES) - {kind} if name == "only" else {kind} - {"none"}
    changed = replace(recipe, bridges=replace(recipe.bridges, **{each: BRIDGES[each] for each in dropped & set(BRIDGES)}))
    if "code" in dropped and recipe.others:
        changed = replace(changed, others={stream: share for stream, share in recipe.others.items() if "=" not in stream})
    return changed


def _mixture(recipe: Recipe, language: str, share, key: str) -> dict[str, float]:
    if language not in recipe.mixture or not isinstance(share, int | float) or not 0 < share < 1:
        raise BadRecipe(f"{key} = {share}: a share between 0 and 1 of one of {', '.join(recipe.languages)} was asked for.")
    rest = sum(other for name, other in recipe.mixture.items() if name != language)
    return {name: share if name == language else other * (1 - share) / rest for name, other in recipe.mixture.items()}


def _put(table: dict, path: list[str], value, key: str) -> dict:
    if len(path) > 1 and not isinstance(table.get(path[0]), Mapping):
        raise BadRecipe(f"{key}: a recipe has no table {path[0]!r}.")
    if len(path) > 1:
        return {**table, path[0]: _put(table[path[0]], path[1:], value, key)}
    word = isinstance(value, bool) and isinstance(table.get(path[0]), str)  # YAML reads the word true as a truth value
    return {**table, path[0]: str(value).lower() if word else value}

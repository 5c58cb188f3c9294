"""Recipes from TOML and YAML files and from tables, and a recipe with one key changed; a key that does not fit is `BadRecipe`."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path

import yaml

from semhub.errors import BadRecipe, UnknownName
from semhub.lab import own
from semhub.lab.recipe import Bridges, Later, Recipe, Senses, Shape, Tower, Training
from semhub.lab.recipe_checks import checked, checked_senses

RECIPES = Path(__file__).parent / "recipes"
SUFFIXES = (".toml", ".yaml", ".yml")
KINDS = ("text", "llava", "qwen2-audio", "chameleon")
# What keys look like whose default is None.
NOT_SAID = {"digits": True, "role": "", "corpus": "", "apart": {"en": 2}, "others": {"code": 0.05}}
NOT_SAID |= {"subjects": {"scenes": 0.5, "facts": 0.5}, "other_subjects": {"scenes": 0.5, "facts": 0.5}}


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
        return checked_senses(filled(table, where), where)
    return checked(filled(table, where), where)


def filled(table: Mapping, where: str) -> Recipe | Senses:
    """The recipe that a table writes down, with defaults for what it does not say; whether it adds up is not asked."""
    if table.get("kind", KINDS[0]) != KINDS[0]:
        return _filled(Senses, table, where)
    return _filled(Recipe, {key: value for key, value in table.items() if key != "kind"}, where)


def _filled(kind: type, table: Mapping, where: str):
    known = {entry.name: entry for entry in fields(kind)}
    for key in table:
        if key not in known:
            raise BadRecipe(f"{where}: unknown key {key!r}; known here: {', '.join(known)}.")
    values = {}
    for key, value in table.items():
        nested = next((cls for cls in (Bridges, Shape, Training, Tower, Later) if cls.__name__.lower() == key), None)
        if nested is not None:
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

"""Whether a recipe adds up: every sum of shares, every least size and every word out of a list, each `BadRecipe` one clear line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from semhub.data import world
from semhub.errors import BadRecipe
from semhub.lab import own
from semhub.lab.recipe import SUBJECTS, Recipe, Senses, Tower, Training

PARTNERS = ("true", "random", "deranged")
OPTIMIZERS = ("adamw", "muon")


def checked(recipe: Recipe, where: str) -> Recipe:
    """The recipe itself, if its shares add up; otherwise `BadRecipe`."""
    _check_training(recipe.training, where)
    if set(recipe.mixture) != set(recipe.languages):
        raise BadRecipe(f"{where}: mixture names {sorted(recipe.mixture)}, languages are {sorted(recipe.languages)}.")
    if recipe.corpus is None:
        _check_languages(recipe.languages, f"{where}: languages")
    elif missing := sorted(set(recipe.languages) - set(own.languages(recipe.corpus, recipe.languages))):
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


def _check_languages(asked: Iterable[str], where: str) -> None:
    if unknown := sorted(set(asked) - set(world.LANGUAGES)):
        raise BadRecipe(f"{where} has {unknown[0]!r}; the world is told in {', '.join(world.LANGUAGES)}.")


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


def _check_training(training: Training, where: str) -> None:
    _check_least(training, {"steps": 1, "batch": 1, "window": 2, "checkpoint": 1, "warmup": 0}, f"{where}: training")
    _check_shares(training, ("long_share",), f"{where}: training")
    if not 0 < training.rate < float("inf"):
        raise BadRecipe(f"{where}: training.rate is {training.rate!r}; it must be above 0.")
    if training.optimizer not in OPTIMIZERS:
        raise BadRecipe(f"{where}: training.optimizer is {training.optimizer!r}; it can be {', '.join(map(repr, OPTIMIZERS))}.")


def checked_senses(recipe: Senses, where: str) -> Senses:
    _check_training(recipe.training, where)
    _check_languages(recipe.mixture, f"{where}: mixture")
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

"""Grow small models: recipes, corpora, tokenizers, training, examination. Uses data and types only."""

from pathlib import Path

from semhub.lab import grow, senses
from semhub.lab.card import examined
from semhub.lab.recipe import Recipe, Senses
from semhub.lab.recipe_file import read_recipe

__all__ = ["Recipe", "Senses", "examined", "read_recipe", "train"]


def train(recipe: str | Path | Recipe | Senses, out: Path | None = None, **keywords) -> Path:
    """Grow the model of a recipe, of whichever kind, into `out` and return that folder; `keywords` are those of `grow.train`."""
    recipe = recipe if isinstance(recipe, Recipe | Senses) else read_recipe(recipe)
    return (senses.train_senses if isinstance(recipe, Senses) else grow.train)(recipe, out, **keywords)

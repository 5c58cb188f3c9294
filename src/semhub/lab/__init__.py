"""Grow small models: recipes, corpora, tokenizers, training. Uses data and types only."""

from semhub.lab.recipe import Recipe, read_recipe
from semhub.lab.grow import train

__all__ = ["Recipe", "read_recipe", "train"]

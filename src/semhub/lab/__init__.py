"""Grow small models: recipes, corpora, tokenizers, training. Uses data and types only."""

from semhub.lab.grow import train
from semhub.lab.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe", "train"]

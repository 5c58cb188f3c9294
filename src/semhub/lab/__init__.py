"""Grow small models: recipes, corpora, tokenizers, training, examination. Uses data and types only."""

from semhub.lab.card import examined
from semhub.lab.grow import train
from semhub.lab.recipe import Recipe, read_recipe

__all__ = ["Recipe", "examined", "read_recipe", "train"]

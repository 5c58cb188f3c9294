"""Inputs that mean the same: a made world, and one file per source of a user's own data.

Nothing is imported here: `semhub.data.pairs`, `.items`, `.languages`, `.wordlens` and `.world` are opened where they are used.
"""

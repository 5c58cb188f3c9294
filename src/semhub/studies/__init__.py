"""RUNS OF RUNS: the same questions put to a model at every step of its growth, or to models grown from varied recipes.

Uses the lab to grow and open models, the methods to ask, the store to keep; draws nothing.
"""

"""RUNS OF RUNS: the same questions put to a model at every step of its growth, to models grown from varied recipes, to several runs.

Uses the lab to grow and open models, the methods to ask, the store to keep, the verdicts of runs to compare; draws nothing.
"""

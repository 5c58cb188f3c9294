"""RUNS OF RUNS: questions that no single run answers.

Reads finished runs through their verdicts; measures nothing itself.
"""

"""Readings in, verdicts out: every claim of every model, p-values corrected over all tests of a model in the run.

Pure: tables and thresholds to a list. Opens no file and knows no model.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semhub.measures.statistics import holm
from semhub.verdicts import anchored, shared, used
from semhub.verdicts.evidence import MECHANICS, Evidence, Subject
from semhub.verdicts.thresholds import LIMITS, Thresholds
from semhub.verdicts.verdict import UNDECIDED, Verdict, decided

CLAIMS = (shared, anchored, used)


def judge(evidence: Evidence, limits: Thresholds = LIMITS) -> list[Verdict]:
    """The verdicts of every model, in the order of the models, then by claim, task and group."""
    return [verdict for model in evidence.subjects for verdict in of_model(evidence, model, limits)]


def of_model(evidence: Evidence, model: Subject, limits: Thresholds = LIMITS) -> list[Verdict]:
    """The verdicts of one model. A control model's tests are no questions of the run, so they weigh on its own alone."""
    cases = [case for claim in CLAIMS for case in claim.cases(evidence, model, limits)]
    tests = [case.verdict.p_raw for case in cases]
    return [settled(decided(case, p, count(tests), limits)) for case, p in zip(cases, corrected(tests), strict=True)]


def corrected(p: Sequence[float | None]) -> list[float | None]:
    """Holm's correction over those that there are."""
    values = np.array([np.nan if each is None else each for each in p], dtype=float)
    known = ~np.isnan(values)
    values[known] = holm(values[known]) if known.any() else values[known]
    return [float(value) if there else None for value, there in zip(values, known, strict=True)]


def count(p: Sequence[float | None]) -> int:
    return sum(each is not None and not np.isnan(each) for each in p)


def settled(found: Verdict) -> Verdict:
    """Of a model that only checks the machinery (random weights of some family), nothing is ever supported or contradicted."""
    if found.role != MECHANICS or found.verdict == UNDECIDED:
        return found
    reason = "The model has random weights: its values check the machinery and are no finding."
    return replace(found, verdict=UNDECIDED, objections=(reason, *found.objections), reasons=("mechanics",))

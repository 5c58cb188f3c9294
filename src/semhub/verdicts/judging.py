"""Readings in, verdicts out: every claim of every model, p-values corrected over all tests of a model in the run.

Pure: tables and thresholds to a list. Opens no file and knows no model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from semhub.measures.statistics import holm
from semhub.types import type_name
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
    found = [settled(decided(case, p, count(tests), limits)) for case, p in zip(cases, corrected(tests), strict=True)]
    return [replace(each, objections=(*each.objections, *weaknesses(evidence, model, each))) for each in found]


def weaknesses(evidence: Evidence, model: Subject, found: Verdict) -> Iterator[str]:
    """A sentence for each control model that was beaten and is not as good as the model in a type of the group. It decides nothing."""
    beaten = {c.name for c in found.controls if c.passed}
    for other in evidence.rivals(model, found.claim, found.joined, found.task):
        weak = other.weak_in(found.joined)
        if weak and f"model:{other.kind}" in beaten and (found.task, other.name, found.measure) in evidence.readings:
            yield (
                f"The {other.kind} control is not as good in {' or '.join(map(type_name, weak))} as the model (below nine tenths of its "
                "accuracy), so it shows less than it should as a control there."
            )


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

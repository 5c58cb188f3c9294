"""The checks of the measures reject every named mistake: each is written into the source, and some check must fail."""

import importlib.util
import sys
from pathlib import Path

import pytest

import test_measures_lens
import test_measures_similarity
import test_measures_statistics
from semhub.measures import lens, similarity, statistics

SIMILARITY = {
    "diagonal in the baseline": ("(self.sum_a @ self.sum_b - self.paired.sum()) / (n * (n - 1))", "self.sum_a @ self.sum_b / n**2"),
    "diagonal kept in the sum": ("(self.sum_a @ self.sum_b - self.paired.sum())", "(self.sum_a @ self.sum_b)"),
    "off by one, n * n": ("(n * (n - 1))", "(n * n)"),
    "missing norm": ("    return lengths.masked_fill(lengths == 0, torch.inf).reciprocal()", "    return torch.ones_like(lengths)"),
    "missing norm of b": ("* over_a * over_b", "* over_a"),
    "norm of the sum": ("sum_a += over_a @ x", "sum_a += x.sum(0)"),
    "self among the others": ("(row + column - 2 * m.paired[rows])", "(row + column)"),
    "row means only": ("(row + column - 2 * m.paired[rows])", "(2 * row - 2 * m.paired[rows])"),
    "influence divided by n": ("- 2 * m.paired[rows]) / (len(a) - 1)", "- 2 * m.paired[rows]) / len(a)"),
    "baseline not put back": ("psi = m.paired + m.mismatched()", "psi = m.paired.clone()"),
    "ties are hits": ("(own > best_b + TIE)", "(own >= best_b - TIE)"),
    "one direction for both": ("cosines.amax(0)", "cosines.amax(1)"),
    "own pair among the rivals": ("cosines.fill_diagonal_(-torch.inf)", "pass"),
    "diagonal masked in every block": ("if i == j:", "if True:"),
    "first block only": ("for j in range(0, len(a), block):", "for j in range(0, block, block):"),
    "paper difference without diagonal": ("m.sum_a @ m.sum_b / len(m.paired) ** 2", "m.mismatched()"),
    "exact match among the same result": ("PairSums((same - exact) * (size > 1), size - 1)", "PairSums(same, size)"),
    "same result among the different": ("PairSums((every - same) * (size < n), n - size)", "PairSums(every - exact, one * (n - 1))"),
    "one hard negative only": ("(paired_cosines(a, b_negative) + paired_cosines(a_negative, b)) / 2", "paired_cosines(a, b_negative)"),
    "centred over dimensions": ("new[rows] = piece - mean", "new[rows] = piece - piece.mean(-1, keepdim=True)"),
    "rounding of a constant read as direction": ("new.zero_()", "pass"),
}
LENS = {
    "missing norm": ('head.norm(chunk) if norm == "final" else chunk', "chunk"),
    "norm always": ('head.norm(chunk) if norm == "final" else chunk', "head.norm(chunk)"),
    "last tile left out": ("range(0, head.vocab, tile)", "range(0, head.vocab - tile, tile)"),
    "normaliser of the last tile": ("total = total * shrink + weights.sum(-1, keepdim=True)", "total = weights.sum(-1, keepdim=True)"),
    "first word of each tile left out": ("weights.sum(-1, keepdim=True)", "weights[:, 1:].sum(-1, keepdim=True)"),
    "log-sum-exp rounded early": ("logits - high - total.log()", "logits - (high + total.log())"),
    "words shifted by one": ("(local >= 0) & (local < values.shape[1])", "(local >= 0) & (local < values.shape[1] - 1)"),
    "ties take the worse rank": ("torch.gt(values, own", "torch.ge(values, own"),
    "rank from zero": ("above + 1)", "above)"),
    "mass not rescaled": ("mass = mass * shrink", "mass = mass"),
    "total not rescaled": ("total = total * shrink", "total = total"),
    "table from its top": ("table[start : start + values.shape[1]]", "table[: values.shape[1]]"),
    "inf minus inf": (".clamp(min=LOWEST)", ""),
    "ids local to their tile": ("where + start", "where"),
    "ids not carried along": ("ids = ids.gather(1, keep)", "ids = ids[:, : keep.shape[1]]"),
    "logits for log-probabilities": ("(best - high - total.log())", "best"),
    "contrast the wrong way": ("logits[..., 0] - logits[..., 1]", "logits[..., 1] - logits[..., 0]"),
    "words of the first row for all": ("gather(1, where)", "gather(1, where[:1].expand_as(where))"),
}
STATISTICS = {
    "no draws with replacement": ("rng.integers(units, size=(draws, units))", "np.tile(np.arange(units), (draws, 1))"),
    "draws too large": ("rng.integers(units, size=(draws, units))", "rng.integers(units, size=(draws, 2 * units))"),
    "plain percentiles for few items": (
        "np.sqrt(units / (units - 1)) * stats.t.ppf((1 - level) / 2, units - 1)",
        "stats.norm.ppf((1 - level) / 2)",
    ),
    "one tail": ("stats.t.ppf((1 - level) / 2, units - 1)", "stats.t.ppf(1 - level, units - 1)"),
    "clusters ignored": ("    if clusters is None:\n        return columns", "    return columns"),
    "bottom not drawn": ("totals[:, width:]", "bottoms.sum(0)"),
    "observed left out of the null": (
        "(1 + (flipped >= observed - 1e-12 * np.abs(observed)).sum(0))",
        "((flipped > observed + 1e-9).sum(0))",
    ),
    "one-sided always": ("    if two_sided:\n", "    if False:\n"),
    "signs that lean": ("2.0 * rng.integers(2,", "1.5 * rng.integers(2,"),
    "Holm without the running maximum": (
        "np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))",
        "(p[order] * np.arange(len(p), 0, -1))",
    ),
    "Bonferroni for Holm": ("np.arange(len(p), 0, -1)", "len(p)"),
}
MUTANTS = [
    pytest.param(module, checks, *change, id=f"{module.__name__.rsplit('.')[-1]}: {name}")
    for module, checks, changes in (
        (similarity, test_measures_similarity.CHECKS, SIMILARITY),
        (lens, test_measures_lens.CHECKS, LENS),
        (statistics, test_measures_statistics.CHECKS, STATISTICS),
    )
    for name, change in changes.items()
]


def mutated(module, old: str, new: str):
    """The module as it would be with `old` replaced by `new` wherever it stands."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert old in source, f"the mutation no longer fits the source: {old}"
    spec = importlib.util.spec_from_loader("mutant", loader=None)
    mutant = sys.modules["mutant"] = importlib.util.module_from_spec(spec)
    exec(compile(source.replace(old, new), "mutant", "exec"), mutant.__dict__)
    return mutant


def survives(mutant, checks) -> bool:
    for check in checks:
        try:
            check(mutant)
        except Exception:  # noqa: BLE001  a mutant that crashes is caught as well as one that answers wrongly
            return False
    return True


@pytest.mark.parametrize(("module", "checks", "old", "new"), MUTANTS)
def test_is_caught(module, checks, old, new):
    assert not survives(mutated(module, old, new), checks)


@pytest.mark.parametrize("module, checks", [(m.values[0], m.values[1]) for m in (MUTANTS[0], MUTANTS[len(SIMILARITY)], MUTANTS[-1])])
def test_the_source_itself_survives(module, checks):
    assert survives(mutated(module, "import", "import"), checks)

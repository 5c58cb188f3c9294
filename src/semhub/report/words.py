"""The page's vocabulary: names that a reader knows, numbers as they are written, lists as they are read aloud.

Pure text; knows neither a run nor what its numbers mean.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from semhub.types import TYPES, type_name
from semhub.verdicts.slices import Curve, Estimate, number, peak

LANGUAGES = set(TYPES) - {"all", "digits", "code", "formula", "image", "audio"}

MEASURES = {
    "adjusted_cosine": "similarity S (matching minus unrelated pairs)",
    "p_at_1": "share of items whose nearest neighbour is the right one (P@1)",
    "p_value": "p-value of the highest layer",
    "mrr": "mean reciprocal rank of the right one",
    "mexa": "share of pairs that are the best both ways (MEXA)",
    "csls_at_1": "P@1 with hubness taken out (CSLS)",
    "mutual_knn": "share of neighbours that two types have in common",
    "cka": "debiased CKA",
    "centrality": "how near a type is to all the others (mean S)",
    "centrality_p_at_1": "how well all the others find a type (mean P@1)",
    "explained": "share of what the others have in common that goes through a type",
    "cosine": "cosine",
    "difference": "exact matches minus all pairs (cosine)",
    "logprob": "log-probability of the word",
    "prob": "probability of the word",
    "anchor": "log-probability: other type's word minus own word",
    "anchor_excess": "the same beyond wrong words",
    "lift": "right words over wrong words (ratio of probabilities)",
    "accuracy": "share of items whose right word beats the wrong ones",
    "eligible": "share of items that could be used",
    "disagreement": "share of items on which a reader disagrees with the logit lens",
    "resemblance": "cosine with the word's own states",
    "resemblance_anchor": "cosine: other type's word minus own word",
    "mass": "share of probability",
    "share": "share of positions whose likeliest word is the right one",
    "coverage": "share of the vocabulary that the table has seen",
    "sentiment": "sentiment, p(positive) minus p(negative)",
    "perplexity": "perplexity of the output",
    "relevance": "relevance to the prompt",
    "drift": "share that left the language",
    "repetition": "share of word pairs that were written before",
    "kl": "divergence of the next token from the unpushed model (nats)",
    "correct": "answered as the push asks",
    "unchanged": "answered as without a push",
    "other": "answered otherwise",
    "yes_share": "share of Yes among Yes and No",
    "right_share": "share of the answer that the new word asks for",
    "moved": "source's concept, in the target's type",
    "kept": "target's concept, in its type (not moved)",
    "copied": "source's concept, in the source's type",
    "translated": "target's concept, in the source's type",
    "pc1": "first direction of the plane",
    "pc2": "second direction of the plane",
}

AXES = {
    "adjusted_cosine": "S", "p_at_1": "P@1", "logprob": "log p", "prob": "probability", "anchor": "difference of log p",
    "lift": "right / wrong", "mass": "share of probability", "sentiment": "sentiment", "disagreement": "share",
}  # fmt: skip

READINGS = {
    "probe": "at the probe (“This represents”)", "last": "at the last token", "mean": "mean over the tokens", "raw": "states as they are",
    "centred": "states centred", "no-norm": "without the final norm", "single-token": "words of one token only",
    "affine": "affine reader (fitted in the run)",
    "tuned": "affine lens from a folder", "patchscope": "patchscope (identity prompt)", "word-states": "states of words alone",
    "neighbours": "nearest states of words in texts", "test": "held-out items",
    "test-bridged": "held out, and bridged in training", "test-never-bridged": "held out, and never bridged in training",
    "plus": "sums", "times": "products", "plus-held-out": "sums held out", "times-held-out": "products held out",
}  # fmt: skip

CONTROLS = {
    None: "unrelated sentences",
    "swapped": "roles swapped",
    "same-last-word": "same last word",
    "changed-entity": "somebody else in it",
    "changed-number": "another number",
    "overlap-matched": "most tokens in common, same length",
    "wrong-word": "wrong words",
    "random-state": "random states",
    "random-direction": "random direction",
    "neutral-word": "neutral words",
    "as-text": "the words as plain text",
    "layer-0": "the same push at layer 0",
    "same-result": "same result",
    "same-kind": "others of the same kind",
    "same-things": "other images of the same things",
    "white": "the word “white”",
    "different-result": "different result",
    "same-last-operand": "same last number",
    "chance": "chance",
    "untrained-twin": "the untrained twin",
    "upward": "the push upward",
    "downward": "the push downward",
    "other-types": "the words of all other types",
    "right-over-wrong": "right words over wrong ones (ratio)",
    "last-layer": "own word ahead at the last layer",
    "wrong-layer": "the push of a wrong layer",
    "wrong-position": "the push at a wrong position",
    "without-main": "the own push, without the dominant type's direction",
    "without-random": "the own push, without a random direction",
    "shuffled-pair": "words of shuffled pairs",
    "wrong-concept": "another concept",
}

BESIDE = {("shared", "layer-0"): "its value at layer 0"}  # claim and control


def pair_name(group: str) -> str:
    """`en-zh` -> `English–Chinese`; `es:en`, `en>es` and names that hold no two types likewise, as far as they are known."""
    for mark, between in (("-", "–"), (":", " prompt, "), (">", " → ")):
        left, found, right = group.partition(mark)
        if found and all(side in TYPES or len(side) <= 3 for side in (left, right)):
            words = type_name(right) + (" word" if mark == ":" else "")
            return f"{type_name(left)}{between}{words}"
    return type_name(group)


def measure_name(measure: str) -> str:
    """A measure in words; those derived from others (`_change`, `_excess`, `near_`) by rule."""
    for ending, words in (("_change", "change from no push"), ("_excess", "push minus control")):
        if measure.endswith(ending):
            return f"{measure.removesuffix(ending)}: {words}"
    if measure.startswith("near_"):
        return f"share of states nearest to {type_name(measure.removeprefix('near_'))}"
    return MEASURES.get(measure, measure)


def axis_name(measure: str) -> str:
    """A measure in the few letters that stand beside an axis."""
    if measure.startswith("near_"):
        return "share of states"
    return AXES.get(measure, measure.replace("_", " "))


def control_name(control: str | None, claim: str | None = None) -> str:
    """A control in words; some mean another thing where they stand beside another claim than a push."""
    kind = str(control).removeprefix("model:")
    return f"the {kind} control model" if kind != str(control) else BESIDE.get((claim, control)) or CONTROLS.get(control, kind)


def verdict_name(word: str) -> str:
    return word.capitalize()


def reading_name(value: str | None) -> str:
    """A position, variant or split in words."""
    return "headline" if value is None else READINGS.get(str(value), str(value))


def written(value: float | None, digits: int | None = None) -> str:
    """A number with a true minus sign; without `digits`, as many as it needs."""
    value = number(value)
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    digits = needed(value) if digits is None else digits
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def needed(*values: float) -> int:
    """Two decimals; fewer for large values, three where all are small or where two would make nothing of one of them."""
    largest = max(abs(v) for v in values)
    if largest >= 9.95:
        return 1 if largest < 99.5 else 0
    return 3 if largest < 0.0995 or any(0 < abs(v) < 0.005 for v in values) else 2


def with_interval(found: Estimate | None) -> str:
    """`0.31 [0.28, 0.34]`, or the value alone."""
    if found is None:
        return "–"
    if not found.interval:
        return written(found.value)
    digits = needed(found.value, *found.interval)
    return f"{written(found.value, digits)} [{written(found.low, digits)}, {written(found.high, digits)}]"


def percent(value: float | None) -> str:
    """`0.314` -> `31%`."""
    value = number(value)
    return "–" if value is None else f"{100 * value:.0f}%"


def listing(words: Iterable[str]) -> str:
    """`a, b and c`."""
    words = list(words)
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def layers(numbers: Sequence[int]) -> str:
    """`[1, 2, 3, 6]` -> `layers 1 to 3 and 6`."""
    runs: list[list[int]] = []
    for k in sorted(numbers):
        if runs and k == runs[-1][-1] + 1:
            runs[-1].append(k)
        else:
            runs.append([k])
    spans = [f"{r[0]} to {r[-1]}" if len(r) > 2 else listing(map(str, r)) for r in runs]
    return f"layer{'s' if len(numbers) > 1 else ''} {listing(spans)}"


def kinds(groups: Iterable[str]) -> str:
    """What to call the types of some groups: languages, where all of them are."""
    types = {type for group in groups for type in re.split("[-:>]", group)}
    return "languages" if types <= LANGUAGES else "types"


def count(n: int, thing: str) -> str:
    return f"{n} {thing}" + ("" if n == 1 else "s")


def span(found: Mapping[str, Estimate]) -> str:
    """The lowest and the highest of some estimates, each with its interval and name; one alone without its name."""
    ordered = sorted(found.items(), key=lambda each: each[1].value)
    if len(ordered) == 1:
        return with_interval(ordered[0][1])
    return " to ".join(f"{with_interval(e)} for {name}" for name, e in (ordered[0], ordered[-1]))


def described(title: str, lines: Mapping[str, Curve], unit: str = "layer") -> str:
    """What a figure shows, for those who do not see it: each line's ends and its highest point."""
    told = []
    for name, points in lines.items():
        top = peak(points)
        if top is not None and len(points) == 1:
            told.append(f"{name}: {written(top.value)}")
        elif top is not None:
            ends = f"{written(points[0].value)} at {unit} {place(points[0])}, {written(points[-1].value)} at {unit} {place(points[-1])}"
            told.append(f"{name}: {ends}, highest {written(top.value)} at {unit} {place(top)}")
    return f"{title}. " + ("; ".join(told) + "." if told else "No values.")


def place(found: Estimate) -> str:
    """The layer or strength of an estimate, without needless decimals."""
    return "?" if found.at is None else f"{found.at:g}".replace("-", "−")

"""Tasks 5 and 8: the expressions, their similarity, and digits moved by the difference of two number words."""

from . import plain
from .similarity import cosine

SIMILARITY_MUTATIONS = (
    "layer-off-by-one",
    "missing-norm",
    "padded-position",
    "unmasked-padding",
    "first-token",
    "diagonal-left-out",
    "baseline-of-other-results",
    "own-result-twice",
)
INTERVENTION_MUTATIONS = ("same-block", "layer-off-by-one", "first-position", "after-the-prompt", "reversed", "one-strength")

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(number):
    """Numbers below 100 in English: `forty-two`."""
    if number < 20:
        return UNITS[number]
    tens, units = divmod(number, 10)
    return TENS[tens] + (f"-{UNITS[units]}" if units else "")


def expressions(op):
    """All (other, target) of the paper: target 1..9, and a sum of at most 99 or a product below 100."""
    if op == "+":
        return [(other, target) for target in range(1, 10) for other in range(1, 99 - target + 1)]
    return [(other, target) for target in range(1, 10) for other in range(1, 100) if other * target < 100]


def result(other, target, op):
    return other + target if op == "+" else other * target


def texts(other, target, op):
    """The expression in digits, and in words: `3+2`, `three plus two`."""
    return f"{other}{op}{target}", f"{in_words(other)} {'plus' if op == '+' else 'times'} {in_words(target)}"


def mean(values):
    return sum(values) / len(values)


def similarity(network, tokenizer, items, op, mutation=None):
    """Per layer 0..L: raw cosines of exact matches, of the same result, of another, and exact minus the mean of all pairs."""
    written = [texts(*item, op) for item in items]
    digits = [plain.last_points(network, tokenizer, text, mutation) for text, _ in written]
    words = [plain.last_points(network, tokenizer, text, mutation) for _, text in written]
    results = [result(*item, op) for item in items]
    return [compared([d[k] for d in digits], [w[k] for w in words], results, mutation) for k in range(len(digits[0]))]


def compared(digits, words, results, mutation=None):
    n = len(digits)
    cosines = {(i, j): cosine(digits[i], words[j]) for i in range(n) for j in range(n)}
    exact = mean([cosines[i, i] for i in range(n)])
    same = [value for (i, j), value in cosines.items() if results[i] == results[j] and (i != j or mutation == "own-result-twice")]
    other = [value for (i, j), value in cosines.items() if results[i] != results[j]]
    every = list(cosines.values())
    if mutation == "diagonal-left-out":
        every = [value for (i, j), value in cosines.items() if i != j]
    if mutation == "baseline-of-other-results":
        every = other
    return {
        "exact": exact,
        "same-result": mean(same) if same else None,
        "different-result": mean(other) if other else None,
        "difference": exact - mean(every),
    }


def question(other, target):
    """The prompt whose right continuation is `target`, and the two clauses in words whose difference lowers it by one."""
    prompt = f"{other + target}={other}+"
    of_words = lambda value: f"{in_words(other + target)} equals to {in_words(value)} plus"  # noqa: E731
    return prompt, of_words(other), of_words(other + 1)


def intervene(network, tokenizer, other, target, strength, read_layer, write_layer, new_tokens=16, mutation=None):
    """Greedy continuation of `5=3+` while the difference vector, read at one block, is added at the next one.

    The addition is at the prompt's last position, where it stays: later tokens see it through attention only.
    """
    prompt, neutral, raised = question(other, target)
    source = write_layer if mutation == "same-block" else read_layer - (mutation == "layer-off-by-one")
    vector = raw_state(network, tokenizer, raised, source) - raw_state(network, tokenizer, neutral, source)
    vector = -vector if mutation == "reversed" else vector
    vector = vector * (1.0 if mutation == "one-strength" else strength)
    ids = plain.encode(tokenizer, prompt)
    place = 0 if mutation == "first-position" else len(ids) - 1
    grown = list(ids)
    for _ in range(new_tokens):
        places = range(place, len(grown)) if mutation == "after-the-prompt" else [place]
        with plain.added(network, write_layer, list(places), [vector] * len(list(places))):
            best = int(plain.next_logits(network, grown).argmax())
        grown.append(best)
        if best == tokenizer.eos_token_id:
            break
    return grown[len(ids) :]


def raw_state(network, tokenizer, text, layer):
    ids = plain.encode(tokenizer, text)
    if layer == network.config.num_hidden_layers:
        return plain.raw_last(network, ids)[-1]
    return plain.points(network, ids)[layer, -1]


def judge(output, target):
    """`correct` starts with (target-1) and then "+1", `unchanged` with the target, all else is `other`."""
    if output.startswith(f"{target - 1}+1"):
        return "correct"
    return "unchanged" if output.startswith(str(target)) else "other"

"""The arithmetic tasks (catalogue rows 5 to 8): declarations only. Knows no model and computes nothing.

Items are the paper's: target 1..9, with another number before it; 846 sums below 100 and 277 products.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from semhub.methods.declare import Compare, Decode, Inject, Lens, Place, Push, Sampled, Steer, Trajectory
from semhub.tasks import Given, task
from semhub.tasks.judges import exact_outcomes, release_outcomes
from semhub.types import Cloze, Concept, Prompt

TYPES = ("en", "digits")
SPLITS = {"+": "plus", "*": "times"}
STEERED, PATHS = 80, 100
DEPTHS = tuple(Fraction(k, 8) for k in (0, 2, 4, 5, 6, 7, 8))


def items(given: Given, op: str) -> list[Concept]:
    """The paper's items of one operation, digits and English words; with a limit, evenly chosen from all of them."""
    found = given.world.sums(op, types=TYPES)
    n = given.many(len(found))
    return found if n >= len(found) else [found[i * len(found) // n] for i in range(n)]


def target(concept: Concept) -> int:
    return int(concept.facets["right"])


def in_words(given: Given) -> Callable[[int], str]:
    return given.world.renderer("en").number


def prompt_of(concept: Concept) -> str:
    """`5=3+`: what the target completes."""
    return f"{concept.facets['result']}={concept.facets['left']}{concept.facets['op']}"


def by_split(concepts: dict[str, Sequence]) -> dict[str, Sequence]:
    """Each operation whole, and those of its items that training never saw."""
    held = {f"{name}-held-out": [c for c in found if c.facets.get("split") == "test"] for name, found in concepts.items()}
    return {**concepts, **{name: found for name, found in held.items() if len(found) > 1}}


# 5. similarity -------------------------------------------------------------------------------------------------------


@task(
    "arithmetic/similarity",
    question="Do an expression in digits and the same in words lie closer together than different expressions?",
    paper="section 4.4; PROTOCOL row 5",
    types=TYPES,
    needs=TYPES,
    data='"3+2" and "three plus two": 846 sums, 277 products',
    positions="last; in sound also mean over content",
    baseline="expressions of the same and of other results; "
    "in sound also those that end in the same number, those of most tokens in common, and random ones",
    measure="paper: cosine by kind of pair, difference; sound: adjusted_cosine, p_at_1, p_value; mrr, csls_at_1, mutual_knn, cka",
    method="Expressions in digits and in words are compared by S_l (Eq. 1), also against those that end in the same number.",
    against="closeness that is gone against expressions with the same last number",
)
def similarity(protocol: str, given: Given) -> Compare:
    """`paper` reproduces the release: raw cosines of exact match, same and different result, and exact match minus all pairs.

    Its baseline of all pairs contains the matches themselves, and equal last numbers give matches away; `sound` has neither.
    """
    concepts = {name: items(given, op) for op, name in SPLITS.items()}
    if protocol == "paper":
        result = lambda c: int(c.facets["result"])  # noqa: E731
        return Compare(TYPES, concepts, measures=("cosine", "difference"), result=result, normed_end=True, intervals=False)
    matched = {"same-last-operand": lambda c: c.facets["right"], "same-result": lambda c: c.facets["result"]}
    return Compare(
        TYPES,
        by_split(concepts),
        (Place("last"), Place("mean", at="mean")),
        ("raw", "centred"),
        ("adjusted_cosine", "p_at_1", "p_value"),
        ("standardised", "mrr", "csls_at_1", "mutual_knn", "cka"),
        matched=matched,
        alike=True,
    )


# 6. lens -------------------------------------------------------------------------------------------------------------


@task(
    "arithmetic/lens",
    question="Do the middle layers speak English number words before a digit is written?",
    paper="section 4.4; PROTOCOL row 6",
    types=TYPES,
    needs=TYPES,
    data='the prompt "5=3+" of each item; answers "2" and " two"',
    positions="last",
    baseline="in sound: the other numbers from 1 to 9, and random states of the same length",
    measure="logprob, prob; in sound also anchor (word minus digit), lift, accuracy, eligible",
    method="The lens reads number words against digits before a digit is written (Eq. 2), beside the other numbers.",
    against="the right word no likelier than the words of other numbers",
)
def lens(protocol: str, given: Given) -> Decode:
    """`paper` reproduces the release: raw residual, mean log p of the digit and of the word; it has no wrong number beside them."""
    sets = {name: [question(given, c) for c in items(given, op)] for op, name in SPLITS.items()}
    if protocol == "paper":
        return Decode(TYPES, sets, Lens({None: "none"}, first_layer=1, normed_end=True, intervals=False))
    norms = {None: "final", "no-norm": "none"}
    return Decode(TYPES, by_split(sets), Lens(norms, wrong=True, floor=True, single=True, anchor=True, accuracy=True, word_states=True))


def question(given: Given, concept: Concept) -> Cloze:
    number, right = in_words(given), target(concept)
    wrong = [n for n in range(1, 10) if n != right]
    targets = {"digits": (str(right),), "en": (number(right),)}
    others = {"digits": tuple(map(str, wrong)), "en": tuple(map(number, wrong))}
    return Cloze(concept.id, "digits", prompt_of(concept), targets, others, concept.facets)


# 7. trajectory -------------------------------------------------------------------------------------------------------


@task(
    "arithmetic/trajectory",
    question="Does the state of a digit prompt pass through the number words on its way to the digits?",
    paper="section 4.4, figure of paths; PROTOCOL row 7",
    types=TYPES,
    needs=TYPES,
    data='100 prompts "5=3+"; the numbers 0 to 9 in digits and in words',
    positions="last",
    baseline="in sound: states of random direction and the same length",
    measure="pc1, pc2 (mean place in the plane of the number words and digits); in sound near_en, near_digits",
    method="States are projected onto the two principal directions of the unembedding rows of digits and number words.",
    against="paths no nearer to the words than random states are",
)
def trajectory(protocol: str, given: Given) -> Trajectory:
    """`paper` reproduces the release's figure: PCA of raw unembedding rows, states z-scored over the item's own layers."""
    chosen = given.world.sums("+", types=TYPES)
    n = min(given.many(PATHS), len(chosen))
    texts = {c.id: prompt_of(c) for c in (chosen[i * len(chosen) // n] for i in range(n))}
    words = {"digits": tuple(map(str, range(10))), "en": tuple(map(in_words(given), range(10)))}
    paper = protocol == "paper"
    return Trajectory(texts, words, "5=3+", "digits:en", normed_end=paper, intervals=not paper, floor=not paper, split="plus")


# 8. intervention -----------------------------------------------------------------------------------------------------


@task(
    "arithmetic/intervention",
    question="Does a difference of English number words change the digit that is written, as arithmetic says?",
    paper="section 4.4; PROTOCOL row 8",
    types=TYPES,
    needs=TYPES,
    data='the prompt "5=3+"; states of "five equals to four plus" minus "five equals to three plus"',
    positions="last token of the prompt",
    baseline="no push; in sound also a random direction, another number's words, another operation's (times less plus), clauses of two "
    "other items with their numbers exchanged (up of one and same of the other, less same and up: one more cancels), the last layer's "
    "difference, the prompt's first token, the clause as text, and layer 0",
    measure="correct (one less, then +1), unchanged, other; in sound also correct_change, correct_excess",
    method="Differences of clauses with number words are added before a digit is written; counted is how often the digit changes as "
    "arithmetic says.",
    against="no more correct answers than the controls give",
)
def intervention(protocol: str, given: Given) -> Steer | Inject:
    """`paper` reproduces the release: the state of one block added after the next one (30 and 31 of 32; Llama-3: 25 and 26).

    Both depths are run on every model, at the same fractions of its depth. Outputs are told apart by their first
    characters, as the release does, which takes "12" for an unchanged 1; `sound` reads numbers to their end.
    Of the exchanged pairs neither holds a number of the prompt's own push, for that would be a weaker dose of what is wanted.
    """
    if protocol == "paper":
        asked, verb = steered(given, items(given, "+")), "equals to"
        pushes = {"en": Push(clause(given, verb, 1), clause(given, verb, 0))}
        strengths = tuple(k / 2 for k in range(7))
        return Inject(
            asked, pushes, release_outcomes(), (Fraction(31, 32), Fraction(26, 32)), strengths, Sampled(16, greedy=True), "en", lag=1
        )
    chosen = items(given, "+")
    n = min(given.many(STEERED), len(chosen))
    asked = steered(given, [chosen[i * len(chosen) // n] for i in range(n)])
    up, same, other = (clause(given, "equals", step) for step in (1, 0, None))
    neutral = {"wrong-word": Push(other, same), "wrong-concept": Push(clause(given, "equals", 0, "times"), same)}
    neutral |= {"shuffled-pair": exchanged(steered(given, given.world.sums("+", types=TYPES)), up, same)}
    as_text = lambda prompt, sign: f"{up(prompt)[0]}\n{prompt.text}"  # noqa: E731
    return Steer(
        asked,
        {"en": Push(up, same, as_text=as_text)},
        exact_outcomes(),
        "correct",
        DEPTHS,
        (0.25, 0.5, 1.0, 2.0),
        neutral={name: {"en": push} for name, push in neutral.items()},
        controls=("random-direction", "as-text", "layer-0", "wrong-layer", "wrong-position"),
        sampled=Sampled(6, greedy=True),
        at="last",
        when="prompt",
        both_signs=False,
    )


def steered(given: Given, concepts: Sequence[Concept]) -> list[Prompt]:
    facets = lambda c: {"target": c.facets["right"], "left": c.facets["left"], "result": c.facets["result"]}  # noqa: E731
    return [Prompt(c.id, "digits", prompt_of(c), facets(c)) for c in concepts]


def clause(given: Given, verb: str, step: int | None, op: str = "plus") -> Callable[[Prompt], tuple[str]]:
    """`five equals three plus`, with the number before "plus" raised by `step`; None: an unrelated number in its place."""
    number = in_words(given)

    def said(prompt: Prompt) -> tuple[str]:
        left, result = int(prompt.facets["left"]), int(prompt.facets["result"])
        raised = 1 + (left * 7 + result * 3) % 97 if step is None else left + step
        raised += 2 if step is None and raised in (left, left + 1) else 0
        return (f"{number(result)} {verb} {number(raised)} {op}",)

    return said


def exchanged(pool: Sequence[Prompt], up: Callable[[Prompt], tuple[str]], same: Callable[[Prompt], tuple[str]]) -> Push:
    """The pairs of two others, a third of the numbers apart, their members exchanged: one more, which both pairs mean, cancels."""
    by_number = sorted(pool, key=lambda prompt: int(prompt.facets["left"]))
    places, n = {prompt.id: i for i, prompt in enumerate(by_number)}, len(by_number)
    other = lambda prompt, k: by_number[(places[prompt.id] + k * n // 3) % n]  # noqa: E731
    return Push(lambda p: up(other(p, 1)) + same(other(p, 2)), lambda p: same(other(p, 1)) + up(other(p, 2)))

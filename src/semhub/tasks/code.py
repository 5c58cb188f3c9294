"""The tasks on programs (catalogue rows 9 to 11): declarations only. Knows no model and computes nothing.

Programs are the world's, or real ones (`--data code=mbpp.jsonl`): they are parsed, never run.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from semhub.data import programs
from semhub.methods.declare import DecodeMarks, Inject, Lens, Push, Sampled, Steer, evenly
from semhub.tasks import Given, task
from semhub.types import Mark, Prompt

TYPES = ("code", "en")
CONJUNCTIONS = ("and", "or", "not")
OTHERS = ("or", "not", "but", "if", "so")  # words of the same kind and frequency as "and"
PROGRAMS, MARKS, STEERED = 400, 2000, 120
WORDS = ("start", "end")
OTHER_WORDS = {  # toward, and away from
    "neutral-word": (("first",), ("last",)),
    "wrong-concept": (("big",), ("small",)),
    "shuffled-pair": (("first", "stop"), ("last", "begin")),
}
NORMED_END = {"first_layer": 1, "normed_end": True, "intervals": False}
READ = {"wrong": True, "floor": True, "anchor": True, "accuracy": True, "cluster": "source"}
NORMS = {None: "final", "no-norm": "none"}
DEPTHS = tuple(Fraction(k, 8) for k in (0, 2, 3, 4, 5, 6))


def found_in(given: Given) -> Sequence[programs.Program]:
    """The user's programs, or the world's: all of them, for a limit is one of the places in them."""
    return given.data["code"].items if "code" in given.data else given.world.programs(PROGRAMS, split="test", seed=given.seed)


# 9. conjunction lens -------------------------------------------------------------------------------------------------


@task(
    "code/conjunction-lens",
    question='Do the middle layers expect "and" at the comma between the elements of a list?',
    paper="its part on code, Eq. 2; PROTOCOL row 9",
    types=TYPES,
    needs=("code",),
    data="programs with their tests: the world's, or MBPP (--data code=mbpp.jsonl)",
    positions="each comma between elements of a list literal that is a token of its own; in sound also those between arguments",
    baseline='"or" and "not"; in sound also further words of their kind, random states, and commas that do not mean "and"',
    measure="logprob, prob; in sound also anchor (and minus the true next token), lift (and over or, not, but), accuracy, eligible",
    method="The lens reads “and” against the token that truly follows a comma between the elements of a list (Eq. 2), beside other "
    "words of its kind.",
    against='"and" no likelier than "or" and "not", or as likely at the commas of a call',
)
def conjunction_lens(protocol: str, given: Given) -> DecodeMarks:
    """`paper` reproduces the release: raw residual, log p of "and", "or", "not" (each after a space) and of the true next token.

    The release's script imports a module that is not there; the stated procedure is what is done here.
    """
    sources = found_in(given)
    marks, without = programs.conjunction_marks(sources, CONJUNCTIONS)
    if protocol == "paper":
        lens = Lens({None: "none"}, **NORMED_END)
        return DecodeMarks(("code", *CONJUNCTIONS), {None: marks}, lens, left_out={None: without}, most=given.limit)
    calls, without_calls = programs.conjunction_marks(sources, CONJUNCTIONS, calls=True)
    sets = {"list": [against_others(m) for m in marks]} | ({"call": [against_others(m) for m in calls]} if calls else {})
    return DecodeMarks(TYPES, sets, Lens(NORMS, **READ), left_out={"list": without, "call": without_calls}, most=given.many(MARKS))


def against_others(mark: Mark) -> Mark:
    """The comma with "and" as English for what it means, and the other words as wrong ones."""
    words, wrong = {"en": (" and",)}, {"en": tuple(f" {word}" for word in OTHERS)}
    facets = {"source": mark.id.rpartition(":")[0]}
    return Mark(mark.id, mark.type, mark.text, mark.at, words, wrong, alone=True, facets=facets)


# 10. role lens -------------------------------------------------------------------------------------------------------


@task(
    "code/role-lens",
    question="Do the middle layers speak the name of a parameter where its argument is about to be written?",
    paper="its part on code, Eq. 2; PROTOCOL row 10",
    types=TYPES,
    needs=("code",),
    data="programs without tests: the world's, or MBPP (--data code=mbpp.jsonl); names from the program's own functions and Python's",
    positions='the "(" or "," before each positional argument of a call by name',
    baseline="the argument's own first token; in sound also the names of the call's other parameters, and random states",
    measure="logprob, prob, by place of the argument; in sound also anchor (name minus argument), lift, accuracy, eligible",
    method="The lens reads a parameter's name against the argument that is about to be written (Eq. 2), beside the names of the "
    "call's other parameters.",
    against="the parameter's name no likelier than the names of the call's other parameters",
)
def role_lens(protocol: str, given: Given) -> DecodeMarks:
    """`paper` reproduces the release: raw residual, the parameter's name against the argument, a map of layers by arguments.

    The release puts a space before the argument's token where the program has none; here both words stand as the argument
    does, and the first token of each is looked up. Arguments called as their parameter are left out, and counted.
    """
    marks, without = programs.role_marks(found_in(given))
    if protocol == "paper":
        return DecodeMarks(TYPES, {None: marks}, Lens({None: "none"}, **NORMED_END), "argument", left_out={None: without}, most=given.limit)
    return DecodeMarks(TYPES, {None: marks}, Lens(NORMS, **READ), "argument", left_out={None: without}, most=given.many(MARKS))


# 11. intervention ----------------------------------------------------------------------------------------------------


@task(
    "code/intervention",
    question='Does the English word "start" make a model write the first argument of range, which it had left out?',
    paper="its part on interventions, code; PROTOCOL row 11",
    types=TYPES,
    needs=("code",),
    data="beginnings of programs up to a range( with one argument: the world's, or MBPP (--data code=mbpp.jsonl)",
    positions="last token of the prompt",
    baseline="no push; in sound also a random direction, the words first and last, big and small, first and last exchanged with begin and "
    "stop (first and stop, less last and begin: a beginning rather than an end cancels; all prompts have one pair, so none can be "
    "exchanged between prompts), the push at the last layer (rows of the unembedding are the same at all), the prompt's first "
    "token, the word as text, and layer 0",
    measure='correct (the arguments become "0" and the unpushed one), unchanged, other, eligible (one argument without a push)',
    method="The difference of the unembedding rows of “start” and “end” is added before the arguments of range; counted is how "
    "often the first argument, which had been left out, is written.",
    against="no more correct arguments than the controls give",
)
def intervention(protocol: str, given: Given) -> Steer | Inject:
    """`paper` reproduces the release: U[start] - U[end] times 10 to 80, added at the last position after block 18 of 32.

    Prompts whose unpushed continuation has not exactly one argument are left out of each measure but `eligible`. Strength 0
    is run beside the release's, which has none.
    """
    prompts, without = programs.range_prompts(found_in(given))
    pushes = {"en": replace(words_of(WORDS[:1], WORDS[1:]), as_text=hinted)}
    judges = range_outcomes()
    if protocol == "paper":
        sampled, strengths = Sampled(32, greedy=True), tuple(map(float, range(0, 90, 10)))
        asked = evenly(prompts, given.many(len(prompts)))
        spared = unasked(given, prompts, asked, without)
        writes, relative = (Fraction(18, 32),), tuple(judges)
        return Inject(asked, pushes, judges, writes, strengths, sampled, "en", relative=relative, left_out=spared)
    asked = evenly(prompts, given.many(STEERED))
    return Steer(
        asked,
        pushes,
        judges,
        "correct",
        DEPTHS,
        (0.25, 0.5, 1.0, 2.0),
        neutral={name: {"en": words_of(*sides)} for name, sides in OTHER_WORDS.items()},
        controls=("random-direction", "as-text", "layer-0", "wrong-layer", "wrong-position"),
        sampled=Sampled(16, greedy=True),
        at="last",
        when="prompt",
        both_signs=False,
        relative=tuple(judges),
        left_out=unasked(given, prompts, asked, without),
    )


def words_of(toward: tuple[str, ...], away: tuple[str, ...]) -> Push:
    """A push between words, the same for every prompt."""
    return Push(lambda prompt: toward, lambda prompt: away, "unembedding")


def unasked(given: Given, prompts: Sequence[Prompt], asked: Sequence[Prompt], without: Mapping[str, str]) -> dict[str, int]:
    """Why programs give no prompt, and how many prompts are not asked."""
    return dict(Counter(without.values())) | given.beyond(len(prompts), len(asked))


def hinted(prompt: Prompt, sign: int) -> str:
    """The prompt with the word as a comment before it."""
    return f"# {WORDS[0 if sign > 0 else 1]}\n{prompt.text}"


def range_outcomes() -> dict:
    """`correct`, `unchanged`, `other` of the outputs whose unpushed twin has one argument, and `eligible`, whether it has."""
    told = outcomes_of_arguments()
    every = lambda holds: lambda prompts, outputs, bare: [judged(holds, o, b) for o, b in zip(outputs, bare, strict=True)]  # noqa: E731
    eligible = lambda prompts, outputs, bare: [float(sole(b) is not None) for b in bare]  # noqa: E731
    return {name: every(holds) for name, holds in told.items()} | {"eligible": eligible}


def outcomes_of_arguments() -> dict:
    correct = lambda found, before: found == ["0", *before]  # noqa: E731
    unchanged = lambda found, before: found == before  # noqa: E731
    return {"correct": correct, "unchanged": unchanged, "other": lambda f, b: not correct(f, b) and not unchanged(f, b)}


def sole(text: str) -> list[str] | None:
    found = programs.written_arguments(text)
    return found if found is not None and len(found) == 1 else None


def judged(holds, output: str, bare: str) -> float | None:
    before = sole(bare)
    return None if before is None else float(holds(programs.written_arguments(output), before))

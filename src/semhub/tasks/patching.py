"""The multilingual task that patches (not in the catalogue's paper rows): a declaration only. Knows no model and computes nothing."""

from semhub.methods.declare import Patch
from semhub.tasks import LANGUAGES, Given, task
from semhub.types import Cloze

TRIED, ASKED = 60, 120  # exchanges of concepts on which a layer is chosen, and reported


@task(
    "multilingual/patching",
    question="Does the state before an answer bring its concept into a question in another language, and leave its language behind?",
    paper="not in the paper; the design is that of Dumas et al. 2025 (arXiv 2411.08745)",
    types=LANGUAGES,
    data="questions about facts that were stated in every language; layer chosen on half of the beings, reported on the others",
    positions="last token of the prompt, at one layer; wrong-position: the prompt's first",
    baseline="no patch; a random direction, a third question's state, the mean state of all questions, the question and its answer as "
    "text, layer 0, the last layer's state, the first position",
    measure="moved (share whose likeliest of four answers is the source's concept in the target's language), kept, copied, translated; "
    "prob_ and logprob_ of each; moved_change, moved_excess; variant difference: the concepts' difference added instead",
    method="The state before an answer takes the place of that in a question about another concept in another language, at a layer "
    "chosen on other concepts; counted is whose concept is answered, in whose language.",
    against="no layer at which most answers move, or a mean over languages that moves fewer than one language alone",
    usual=False,
    protocols=("sound",),
)
def patching(protocol: str, given: Given) -> Patch:
    """Concept x language, two by two: C1 asked in L1 is patched into C2 asked in L2, and the mean of C1 over all other languages too.

    Runs when it is named. The questions are about facts that the model was told in both languages, or nothing could move.
    Where the last token itself says the language (the wide colon of Chinese), a patch carries it along from layer 0 on;
    the variant `difference` leaves the target's own state in place.
    """
    types = given.among(LANGUAGES, least=2)
    half = lambda k, n: given.world.exchanges(n, k, types=types, seed=given.seed)  # noqa: E731
    controls = ("random-direction", "wrong-concept", "neutral-word", "as-text", "layer-0", "wrong-layer", "wrong-position")
    said = lambda source, target: f"{answered(source)}{'' if target.type == 'zh' else ' '}{target.prompt}"  # noqa: E731
    return Patch(types, half(0, given.many(TRIED)), half(1, given.many(ASKED)), said, controls=controls, difference=True)


def answered(cloze: Cloze) -> str:
    """The question with its right answer, as a sentence that stands before another."""
    word = cloze.targets[cloze.type][0]
    return f"{cloze.prompt}{word}。" if cloze.type == "zh" else f"{cloze.prompt} {word}."

"""What can be asked of a model: one frozen declaration per kind of question, and the result of carrying one out.

Declarations hold items, positions, controls and splits; they run nothing and load neither torch nor a model. The procedure
of each kind lives in the file of its name (`compare`, `decode`, `media`, `spread`, `steer`, `trajectory`) and sees only its declaration.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from semhub.types import Cloze, Concept, Exchange, Form, Mark, Outcome, Prompt, Reading

Split = str | None

BEYOND = "beyond the limit"  # why an item is not asked that could be
WORDLESS = "no word of it begins with a token of its own"  # why a sight is left out


def evenly(found: Sequence, most: int) -> list:
    """At most so many of them, at even distances, in order."""
    n = min(len(found), most)
    return [found[i * len(found) // n] for i in range(n)]


@dataclass(frozen=True, slots=True)
class Result:
    """What one declaration gave: rows for the two tables, and whatever a figure needs besides."""

    readings: tuple[Reading, ...]
    outcomes: tuple[Outcome, ...] = ()
    extras: Mapping = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """A position of the catalogue: its name in the tables, how to show an item, and where to read it.

    `show(type, text)` gives the text that the model sees, or None where the type has no such position.
    """

    name: str
    at: str | int = "last"
    show: Callable[[str, str], str | None] | None = None

    def text(self, type: str, text: str) -> str | None:
        return text if self.show is None else self.show(type, text)


@dataclass(frozen=True, slots=True)
class Compare:
    """Are states of one meaning in two types closer than states of different meanings (Eq. 1)?

    `sets`: the concepts of each split. `variants`: of `raw`, `centred`, `standardised`; `beside`: more of these, and more
    measures, at the first position only. `controls`: names of `Concept.contrasts` that stand in for random negatives.
    `matched`: further controls by name, each a key; an item's negative is another item of the same key.
    `result`: key under which cosines are told apart as exact, same result and different result (catalogue row 5).
    `normed_end`: the last point is read after the final norm, as the release does. `cluster`: a facet that items share
    when they are not independent; with `takes` they mean the same, and are compared in rounds of one of each, so that none is another's
    negative. `strata`: facets that a permutation of meanings keeps. `alike`: the control `overlap-matched` too, whose negative is the
    item of the same length that shares most tokens. `around`: compare only pairs with this type.
    `every`: all meanings of a split in the last type, each once, where several items mean the same or a meaning has no item: an item of
    another type is held against all of them but its own, and nothing but `adjusted_cosine` with that type is measured.
    `left_out`: items that the task did not take, by split and reason.
    """

    types: tuple[str, ...]
    sets: Mapping[Split, Sequence[Concept]]
    places: tuple[Place, ...] = (Place("last"),)
    variants: tuple[str, ...] = ("raw",)
    measures: tuple[str, ...] = ("adjusted_cosine",)
    beside: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    matched: Mapping[str, Callable[[Concept], Hashable]] = field(default_factory=dict)
    result: Callable[[Concept], int] | None = None
    first_layer: int = 0
    normed_end: bool = False
    intervals: bool = True
    cluster: str | None = None
    takes: bool = False
    strata: tuple[str, ...] = ()
    alike: bool = False
    special: bool = True
    around: str | None = None
    every: Mapping[Split, Sequence[Concept]] = field(default_factory=dict)
    left_out: Mapping[Split, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lens:
    """How a lens reads: the norm of each variant's name, where it starts and ends, and what stands beside the right word.

    `norms` maps the `variant` column (None: the headline) to `"final"` or `"none"`. `normed_end` gives the last point the
    final norm whatever the variant says, as the release does. `wrong`, `floor`, `affine` and `single` add the wrong words,
    the norm-matched random states, a second reader (an affine map to the last layer, fitted on those texts), and single-token
    items alone; `word_states` a reader that uses no unembedding.
    `scope`: also the patchscope, which puts a state into another prompt, at its own layer or at `scope_layer`. `contexts`: texts by
    type in which words are looked up, for the reader by nearest neighbours. `floors`: random states for every other reader too.
    `cluster`: a facet that items share when they are not independent.
    """

    norms: Mapping[str | None, str] = field(default_factory=lambda: {None: "final"})
    measures: tuple[str, ...] = ("logprob", "prob")
    first_layer: int = 0
    normed_end: bool = False
    wrong: bool = False
    floor: bool = False
    single: bool = False
    anchor: bool = False
    accuracy: bool = False
    intervals: bool = True
    affine: Sequence[str] = ()
    word_states: bool = False
    scope: bool = False
    scope_layer: int | None = None
    contexts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    floors: bool = False
    cluster: str | None = None
    special: bool = True


@dataclass(frozen=True, slots=True)
class Decode:
    """Which type's word do the layers speak before a prompt of another type is continued (Eq. 2)?

    `sets`: the prompts of each split; `types`: those whose words are looked up, the dominant one first. `most`: of each type of prompt
    no more are read than it takes for so many to have words that can be looked up (None: all).
    """

    types: tuple[str, ...]
    sets: Mapping[Split, Sequence[Cloze]]
    lens: Lens = Lens()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class DecodeWords:
    """Eq. 2 inside running text: at the position before a word, that word against its glosses in another type.

    `glosses`: word -> its translations. Only words of exactly one token, with a gloss of one token, count (`data.wordlens`).
    """

    type: str
    gloss_type: str
    lines: Sequence[str]
    glosses: Mapping[str, Sequence[str]]
    lens: Lens = Lens({None: "none"}, first_layer=1, normed_end=True, special=False)


@dataclass(frozen=True, slots=True)
class DecodeMarks:
    """Eq. 2 at places inside running texts: which of several groups' words do the layers expect there?

    `types`: the groups that are looked up. `by`: a facet whose values are reported as splits of their own.
    `excess`: also each group's probability minus its mean over all places, whatever truly follows there.
    `left_out`: items that have no mark at all, by split and id, with the reason; they are reported with those that have no token.
    `most`: of the places of a split that can be read at most so many, evenly chosen (None: all).
    """

    types: tuple[str, ...]
    sets: Mapping[Split, Sequence[Mark]]
    lens: Lens = Lens()
    by: str | None = None
    excess: bool = False
    left_out: Mapping[Split, Mapping[str, str]] = field(default_factory=dict)
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A word to look for in an image or a sound: everywhere, or in the patches that `mask: [height, width]` bool mostly covers."""

    word: str
    mask: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sight:
    """An image or a sound in its prompt, the words of each type that say what it holds, and wrong ones of each control."""

    id: str
    type: str
    shown: Form
    words: Mapping[str, tuple[Look, ...]]
    wrong: Mapping[str, Mapping[str, tuple[Look, ...]]] = field(default_factory=dict)
    facets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecodeMedia:
    """Eq. 2 inside an image or a sound: which words do the layers speak at the positions that a tower feeds?

    `pool`, over positions and a sight's words: `share` of positions that speak the first word; `sum` over words of their mean
    probability (wrong words rescaled to the same number); `patches`, the mean over words of the geometric mean over their
    patches; `geometric`, the geometric mean over positions and words.
    `added`: False masks every token that was added to the vocabulary, in models that write images in tokens of their own.
    `rise`: also what each value gains over layer 0, and `excess`, right minus wrong, per sight.
    """

    types: tuple[str, ...]
    sets: Mapping[Split, Sequence[Sight]]
    pool: str
    lens: Lens = Lens()
    added: bool = True
    rise: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spread:
    """How much of the lens's probability belongs to each type, over all positions of running text.

    `prompts`: texts to read, by type. `corpus`: texts from which p(type | token) is counted, by type (uniform prior).
    `pooled`: the mean is over all positions alike; else over texts, each the mean of its positions.
    """

    prompts: Mapping[str, Sequence[str]]
    corpus: Mapping[str, Sequence[str]]
    lens: Lens = Lens()
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class Push:
    """Texts whose states differ in what is to be pushed: those of `toward(prompt)` minus those of `away(prompt)`, read at `at`.

    At `unembedding` they are words instead, and the difference is that of their first tokens' raw rows in the unembedding.
    `as_text(prompt, sign)` is the prompt that says the same in words (sign 1: toward, -1: away).
    """

    toward: Callable[[Prompt], tuple[str, ...]]
    away: Callable[[Prompt], tuple[str, ...]]
    at: str = "last"
    as_text: Callable[[Prompt, int], str] | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    """How outputs are drawn; `greedy` ignores the rest but the number of tokens."""

    tokens: int = 24
    temperature: float = 1.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    greedy: bool = False
    seeds: int = 1


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges the outputs: a name by measure, and the share of `n` held-out texts of each type that the target's judge gets right."""

    names: Mapping[str, str] = field(default_factory=dict)
    accuracy: Mapping[str, float] = field(default_factory=dict)
    n: int = 0


Judge = Callable[..., Sequence[float | None]]  # (prompts, outputs), and for `relative` ones the same prompts' unpushed outputs


@dataclass(frozen=True, slots=True)
class Steer:
    """Does a push taken from one type change outputs in another, in the way its meaning says?

    `pushes`: source type -> its push; `main`: the one that is swept and controlled (the first by default).
    `judges`: measure -> one number per output (None: cannot be judged); `target`: the measure that the push should raise
    (with `both_signs`: and lower, at negative strength). `neutral`: control -> source -> a push without the meaning.
    `relative`: those of the judges that also get what the same prompts wrote without a push. `left_out`: what the task did not take.
    `at_choice`: measures judged at the chosen layer only. `divergence`: there also `kl`, how far the push moves the distribution of
    the token after the prompt. `judged_by()`: facts about the judges that go into the result, and
    how often they are right on texts of each type whose answer is known.
    `controls`: of `random-direction`, `as-text`, `layer-0`, `wrong-layer` (the difference as the last layer has it; a difference of
    unembedding rows, which is the same for all layers, written at the last one; not where the last layer was chosen),
    `wrong-position` (at the prompt's first token only), `without-main` and `without-random` (a type's own push, with the main
    source's direction, or a random one, projected out at the same place: what the own push owes to it).
    `depths`: layers to write at, as fractions of the depth.
    `strengths`: multiples of the mean residual length at the layer; one of them and one layer are chosen on `rehearsal`
    (without it, on half of the prompts) and reported on the prompts.
    """

    prompts: Sequence[Prompt]
    pushes: Mapping[str, Push]
    judges: Mapping[str, Judge]
    target: str
    depths: tuple[Fraction, ...]
    strengths: tuple[float, ...]
    neutral: Mapping[str, Mapping[str, Push]] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    sampled: Sampled = Sampled()
    at: str = "all"
    when: str = "both"
    main: str | None = None
    both_signs: bool = True
    rehearsal: Sequence[Prompt] = ()
    at_choice: tuple[str, ...] = ()
    judged_by: Callable[[], Judges] = Judges
    relative: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    divergence: bool = False


@dataclass(frozen=True, slots=True)
class Inject:
    """The release's interventions, as they are: a difference of states, times a coefficient, added during the prompt pass.

    `writes`: layers to add at, as fractions of the depth; the state is read `lag` blocks below. Words of `main` are added in
    every type of prompt, words of other types in their own. With `spread`, the words are padded with spaces to one length
    and position k's difference is added at the prompt's position k; else the last state is added at the last position.
    `relative` as in `Steer`.
    """

    prompts: Sequence[Prompt]
    pushes: Mapping[str, Push]
    judges: Mapping[str, Judge]
    writes: tuple[Fraction, ...]
    strengths: tuple[float, ...]
    sampled: Sampled
    main: str
    lag: int = 0
    spread: bool = False
    judged_by: Callable[[], Judges] = Judges
    relative: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repaint:
    """Does a difference of unembedding rows, put where an image or a sound stands, change what is answered about it?

    `words(prompt)`: (new, old); U[new] - U[old] takes the place of the states (`replace`) or is added to them times each of
    `strengths`, at `at(prompt)` of the prompt, at one layer of `writes` (fractions of the depth; all, if empty) or (`upward`)
    at that layer and every higher one. `judges` tell outputs apart; `answers` instead compares the next token's probability of two words:
    `yes_share` = p(first) / (p(first) + p(second)), its rows by the facet `by`.
    `target`: with it, layer and strength are chosen on half of the prompts by how far they raise this measure, and reported on the
    other half beside `neutral` (control -> (new, old) of another meaning, at the push's length, on prompts where their tokens differ) and
    `controls`, of `random-direction`, `as-text` (`as_text(prompt)`: the new word said in words), `layer-0`, `wrong-position` (at
    `elsewhere(prompt)`) and `wrong-layer` (at the last layer whose states a later token still reads, the last but one; not where that
    or a higher one was chosen). The target is a judge's measure, or `right_share`: the share of the answer that the new word asks
    for, which is the first where `first(prompt)`.
    """

    prompts: Sequence[Prompt]
    words: Callable[[Prompt], tuple[str, str]]
    at: Callable[[Prompt], str]
    group: str
    replace: bool = False
    upward: bool = False
    writes: tuple[Fraction, ...] = ()
    strengths: tuple[float, ...] = (1.0,)
    judges: Mapping[str, Judge] = field(default_factory=dict)
    answers: tuple[str, str] | None = None
    sampled: Sampled = Sampled()
    controls: tuple[str, ...] = ()
    neutral: Mapping[str, Callable[[Prompt], tuple[str, str]]] = field(default_factory=dict)
    elsewhere: Callable[[Prompt], str] | None = None
    by: str | None = None
    intervals: bool = True
    left_out: Mapping[str, int] = field(default_factory=dict)
    target: str | None = None
    first: Callable[[Prompt], bool] | None = None
    as_text: Callable[[Prompt], str] | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """Does the state before an answer, put into a question in another type, bring its concept, its type, both or neither?

    Types are patched into each other in pairs, and the mean over all other types into each (group `all>TYPE`). `choose` and
    `report`: exchanges on which the layer is chosen and reported. The state at `at` of the source takes the place of the target's
    there, at one layer. `difference`: also the mean's difference between the two concepts, added to the target (variant of that name).
    `controls`: of `random-direction` (at the patch's length), `wrong-concept` (the third question's state), `neutral-word` (the mean
    state of all source questions, which has no concept), `as-text` (`as_text(source, target)` is the prompt), `layer-0`, `wrong-layer`
    (the source's last layer) and `wrong-position` (the first token).
    """

    types: tuple[str, ...]
    choose: Sequence[Exchange]
    report: Sequence[Exchange]
    as_text: Callable[[Cloze, Cloze], str]
    at: str = "last"
    controls: tuple[str, ...] = ()
    difference: bool = False


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Through which words' neighbourhood does a state travel from layer to layer?

    `texts`: item id -> text, read at its last token. `landmarks`: type -> words, those of one token after the text `before`;
    the plane is PCA(2) of their raw unembedding rows. `normed_end` as in `Compare`. `floor`: states of random direction too.
    """

    texts: Mapping[str, str]
    landmarks: Mapping[str, Sequence[str]]
    before: str
    group: str
    normed_end: bool = False
    intervals: bool = True
    floor: bool = False
    split: Split = None


Declaration = Compare | Decode | DecodeWords | DecodeMarks | DecodeMedia | Patch | Repaint | Spread | Steer | Inject | Trajectory

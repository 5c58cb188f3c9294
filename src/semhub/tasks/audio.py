"""The tasks on sounds (catalogue rows 19 to 21): declarations only. Knows no model and computes nothing.

Sounds are synthesised from the world, or real ones: VGGSound (`--data vggsound=FOLDER`) or spoken digits (`--data spoken-digits=FOLDER`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from semhub.data.animals import animals_in, is_mammal
from semhub.data.sources import Source
from semhub.data.world import sounds as world
from semhub.errors import BadInput
from semhub.methods.declare import Compare, DecodeMedia, Lens, Look, Place, Repaint, Sight, evenly
from semhub.methods.rounds import takes_before
from semhub.tasks import LANGUAGES, Given, task
from semhub.types import MARKS, Concept, Form, Media, Prompt

TYPES = ("audio", *LANGUAGES)
TAKES, FEW_TAKES, RELEASE_CLIPS, CASES = 6, 3, 1_000, 56
REAL = ("vggsound", "spoken-digits")  # kinds of the user's own sounds
MARK = MARKS["audio"]
PROMPT = f"USER: {MARK}\nASSISTANT:"
ASKED = f"USER: {MARK}\nIs this animal a mammal?\nASSISTANT:"
TOLD = f"USER: {MARK}\nThis is a {{}}. Is this animal a mammal?\nASSISTANT:"
NORMED_END = {"first_layer": 1, "normed_end": True, "intervals": False}
READ = {"norms": {None: "final", "no-norm": "none"}, "floor": True, "cluster": "source"}
INSTRUMENTS = ("guitar", "violin", "drum", "trumpet")
KINDS = {True: "mammal", False: "other animal", None: "no animal that is known"}


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound and what it is called, by type of word; whether it is a mammal's, where it is an animal's. Read when `media` is used."""

    id: str
    read: Callable[[], Media]
    labels: dict[str, str]
    source: str
    mammal: bool | None = None

    @property
    def media(self) -> Media:
        return self.read()


def sounds(given: Given, takes: int = TAKES) -> list[Heard]:
    """At most RELEASE_CLIPS of all, or so many as the limit says, evenly chosen."""
    return evenly(every_sound(given, takes), given.many(RELEASE_CLIPS))


def every_sound(given: Given, takes: int) -> list[Heard]:
    """The user's clips, or `takes` of each of the world's held-out sounds."""
    own = users(given)
    if own is None:
        return [synthesised(each) for each in world.sounds(takes, split="test", seed=given.seed)]
    return [Heard(clip.id, lambda clip=clip: clip.media, {"en": clip.label}, clip.source, is_mammal(clip.label)) for clip in own[1].items]


def users(given: Given) -> tuple[str, Source] | None:
    """The user's own sounds, with the name of their kind."""
    return next(((name, given.data[name]) for name in REAL if name in given.data), None)


def synthesised(sound: world.Sound) -> Heard:
    read = lambda: Media("audio", world.synthesise(sound), world.RATE)  # noqa: E731
    labels = {t: world.label(t, sound.noun) for t in LANGUAGES}
    return Heard(sound.id, read, labels, sound.noun.key, sound.is_mammal if sound.is_animal else None)


def languages(given: Given, found: Sequence[Heard]) -> tuple[str, ...]:
    return given.among(tuple(t for t in LANGUAGES if all(t in each.labels for each in found)))


def split(given: Given) -> str | None:
    return "test" if users(given) is None else None


# 19. similarity ------------------------------------------------------------------------------------------------------


@task(
    "audio/similarity",
    question="Do a sound and its label lie closer together than a sound and other labels?",
    paper="section 4.8; PROTOCOL row 19",
    types=TYPES,
    needs=("audio",),
    data="sounds with labels: the world's, VGGSound (--data vggsound=FOLDER) or spoken digits (--data spoken-digits=FOLDER)",
    positions='last token of "USER: <audio>\\nASSISTANT:" and of the label; in sound also the mean over content',
    baseline="the other labels, each once, also those that no sound has; in sound the labels of other sounds, never another take of the "
    "same, also of the same kind (mammals, other animals, the rest), and permuted labels",
    measure="adjusted_cosine (the right label minus the mean over other labels); in sound also p_at_1, p_value; mrr, mutual_knn, cka",
    method="Sounds and labels are compared by S_l (Eq. 1): a sound with its own label minus the other labels.",
    against="a value that is as high at layer 0, or in an untrained model",
)
def similarity(protocol: str, given: Given) -> Compare:
    """`paper` reproduces the release: last position against the label's last token, minus the mean over all *other labels*.

    There every clip counts (1,000 at most), several of one label too, and each is held against every label that there is, also those
    without a clip. `sound` has several takes of each label, compared in rounds of one take a label and drawn together, label by label,
    for the interval. (SALMONN's prompt puts the sound between <Speech> and </Speech>; here stands what the model at hand writes around
    a sound.)
    """
    place = Place("last", show=lambda type, text: PROMPT if type == "audio" else text)
    if protocol == "paper":
        return similarity_of_release(given, place)
    every = every_sound(given, FEW_TAKES)
    takes = first_takes(every, FEW_TAKES)
    found = evenly(takes, given.many(RELEASE_CLIPS))
    spared = {split(given): {"another sound of the same label": len(every) - len(takes)} | given.beyond(len(takes), len(found))}
    types = ("audio", *languages(given, found))
    if len({each.labels["en"] for each in found}) < 2:
        raise BadInput("audio/similarity compares sounds of different labels; there is only one.")
    sets = {split(given): [concept_of(each, types) for each in found]}
    places = (place, Place("mean", "mean", lambda type, text: MARK if type == "audio" else text))
    beside = ("standardised", "mrr", "csls_at_1", "mutual_knn", "cka")
    measures = ("adjusted_cosine", "p_at_1", "p_value")
    matched = {"same-kind": lambda concept: concept.facets["kind"]}
    read = {"matched": matched, "cluster": "label", "takes": True, "around": "audio"}
    return Compare(types, sets, places, ("raw", "centred"), measures, beside, **read, left_out=spared)


def similarity_of_release(given: Given, place: Place) -> Compare:
    """Every clip against its label and all others."""
    found, types, own = sounds(given), ("audio", "en"), users(given)
    labels = own[1].labels if own else tuple(dict.fromkeys(each.labels["en"] for each in every_sound(given, 1)))
    if len(labels) < 2:
        raise BadInput("audio/similarity holds sounds against other labels; there is only one label.")
    sets = {split(given): [concept_of(each, types) for each in found]}
    every = {split(given): [Concept(f"label:{label}", {"en": Form("en", label)}) for label in labels]}
    spared = {split(given): unheard(given, len(found))}
    return Compare(types, sets, (place,), first_layer=1, normed_end=True, intervals=False, every=every, left_out=spared)


def first_takes(found: Sequence[Heard], most: int) -> list[Heard]:
    """The first sounds of each label, so many at most, in order."""
    before = takes_before([each.labels["en"] for each in found])
    return [each for each, earlier in zip(found, before, strict=True) if earlier < most]


def concept_of(heard: Heard, types: Sequence[str]) -> Concept:
    forms = {t: Form(t, heard.labels[t]) for t in types if t != "audio"}
    facets = {"label": heard.labels["en"], "kind": KINDS[heard.mammal]}
    return Concept(heard.id, {"audio": Form("audio", PROMPT, None, heard.media), **forms}, facets=facets)


# 20. lens ------------------------------------------------------------------------------------------------------------


@task(
    "audio/lens",
    question="Do the positions of a sound speak the words of its label?",
    paper="section 4.8; PROTOCOL row 20",
    types=TYPES,
    needs=("audio",),
    data="sounds with labels: the world's, VGGSound (--data vggsound=FOLDER) or spoken digits (--data spoken-digits=FOLDER)",
    positions="every position of the sound",
    baseline="a random label that shares no word; in sound also random states of the same length",
    measure="prob (geometric mean over positions and words); in sound also prob_rise over layer 0 and prob_excess over the other label",
    method="The lens's probability of the words of a label is averaged over the positions of its sound, beside that of another label.",
    against="the right label no likelier than another one, or as far ahead at layer 0",
)
def lens(protocol: str, given: Given) -> DecodeMedia:
    """`paper` reproduces the release: exp of the mean log p(first sub-token) over audio positions and label words, raw residual."""
    found = sounds(given)
    spared = unheard(given, len(found))
    types = ("en",) if protocol == "paper" else languages(given, found)
    sights = [sight_of(each, found, types, given.seed) for each in found]
    if protocol == "paper":
        return DecodeMedia(types, {split(given): sights}, "geometric", Lens({None: "none"}, **NORMED_END), left_out=spared)
    return DecodeMedia(types, {split(given): sights}, "geometric", Lens(**READ), rise=True, left_out=spared)


def sight_of(heard: Heard, found: Sequence[Heard], types: Sequence[str], seed: int) -> Sight:
    others = sorted({each.source: each for each in found if not shared(each, heard)}.items())
    other = Random(f"label:{heard.id}:{seed}").choice(others)[1] if others else None
    looks = lambda each: {t: tuple(map(Look, words_of(t, each.labels[t]))) for t in types}  # noqa: E731
    shown = Form("audio", PROMPT, None, heard.media)
    return Sight(heard.id, "audio", shown, looks(heard), {} if other is None else {"wrong-word": looks(other)}, {"source": heard.source})


def shared(one: Heard, other: Heard) -> bool:
    return bool(set(words_of("en", one.labels["en"])) & set(words_of("en", other.labels["en"])))


def words_of(type: str, label: str) -> tuple[str, ...]:
    """The words of a label; in Chinese the label is one."""
    return (label,) if type == "zh" else tuple(word for word in label.replace(",", " ").split() if word)


# 21. intervention ----------------------------------------------------------------------------------------------------


@task(
    "audio/intervention",
    question="Does the word of another animal, added where a sound stands, change what the model says about the animal?",
    paper="section 4.8; PROTOCOL row 21",
    types=TYPES,
    needs=("audio",),
    data="sounds of animals: the world's, or VGGSound (--data vggsound=FOLDER); each beside an animal of the other kind",
    positions="every position of the sound",
    baseline="no push; in sound also a random direction, another animal of the same kind, the words of two instruments, pairs of animals "
    "exchanged between sounds (of two other animals of the sound's own kind, new in one pair and old in the other: the other kind "
    "cancels; where there are three of each kind), the prompt's first token, the last layer but one (nothing reads a sound at the last), "
    "the new animal told in words, and layer 0",
    measure='yes_share (p(Yes) / (p(Yes) + p(No)) to "Is this animal a mammal?"), by kind; in sound right_share, its change and excess',
    method="The difference of two animals' unembedding rows is added where a sound stands; read is how far the answer to whether "
    "the animal is a mammal goes as the new one asks.",
    against="mammals and others moved alike, or no further than the controls move them",
    unsuited=lambda protocol, given: no_animals(protocol, given),
)
def intervention(protocol: str, given: Given) -> Repaint:
    """`paper` reproduces the release: U[new] - U[old] times 10 to 100 at the audio positions after block 14, p(Yes) over p(Yes or No).

    The layer is 14 of 40 (SALMONN's Vicuna has 40 blocks), at the same fraction of any other depth. In `sound` layer and strength are
    chosen on half of the animals by `right_share`, the share of the answer that the new animal asks for, and reported on the others.
    The wrong position is no word of the question, where another animal would rightly count.
    """
    prompts, spared = animals(given, 1 if protocol == "paper" else FEW_TAKES)
    words = lambda prompt: (prompt.facets["new"], prompt.facets["old"])  # noqa: E731
    where = lambda prompt: "audio"  # noqa: E731
    asked = {"answers": ("Yes", "No"), "by": "kind", "strengths": tuple(float(k) for k in range(10, 101, 10)), "left_out": spared}
    if protocol == "paper":
        return Repaint(prompts, words, where, "en", writes=(Fraction(14, 40),), intervals=False, **asked)
    controls, told = ("random-direction", "as-text", "layer-0", "wrong-layer", "wrong-position"), lambda p: TOLD.format(p.facets["new"])
    asked |= {"strengths": (10.0, 40.0, 100.0), "writes": tuple(Fraction(k, 8) for k in (2, 3, 5)), "target": "right_share"}
    asked |= {"neutral": other_words(prompts, given.seed), "elsewhere": lambda prompt: "first"}
    becomes_mammal = lambda prompt: prompt.facets["kind"] == "other"  # noqa: E731  (the new animal is of the other kind)
    return Repaint(prompts, words, where, "en", controls=controls, as_text=told, first=becomes_mammal, **asked)


def other_words(prompts: Sequence[Prompt], seed: int) -> dict[str, Callable[[Prompt], tuple[str, str]]]:
    """Pushes that do not ask for the other kind: between animals of the sound's own kind, or between instruments."""
    kinds = {kind: list(dict.fromkeys(p.facets["old"] for p in prompts if p.facets["kind"] == kind)) for kind in ("mammal", "other")}

    def exchanged(prompt: Prompt) -> tuple[str, str]:
        """New in a pair of the other direction, and old in one of this direction."""
        others = [name for name in kinds[prompt.facets["kind"]] if name != prompt.facets["old"]]
        return tuple(Random(f"pair:{prompt.id}:{seed}").sample(others, 2))

    found = {"wrong-word": lambda prompt: (prompt.facets["same"], prompt.facets["old"])}
    found |= {"wrong-concept": lambda prompt: tuple(Random(f"things:{prompt.id}:{seed}").sample(INSTRUMENTS, 2))}
    return found | ({"shuffled-pair": exchanged} if all(len(names) > 2 for names in kinds.values()) else {})


def animals(given: Given, takes: int) -> tuple[list[Prompt], dict[str, int]]:
    """A prompt for each animal that is heard (of the world's: for so many takes of each), with an animal of the other kind and another
    of its own; and what is not asked about.
    """
    heard = every_sound(given, takes)  # a limit is one of the questions
    of_labels = first_takes(heard, 1) if users(given) else heard
    found = [each for each in of_labels if each.mammal is not None]
    spared = {"another sound of the same label": len(heard) - len(of_labels)}
    spared |= {"its label names no animal that is known to be a mammal or none": len(of_labels) - len(found)}
    kinds = {kind: [word(each) for each in found if each.mammal is kind] for kind in (True, False)}
    prompts = []
    for each in evenly(found, given.many(CASES * takes)):
        rng = Random(f"animal:{each.id}:{given.seed}")
        same = rng.choice([other for other in kinds[each.mammal] if other != word(each)])
        facets = {"old": word(each), "new": rng.choice(kinds[not each.mammal]), "same": same, "source": each.labels["en"]}
        prompts.append(Prompt(each.id, "audio", ASKED, {**facets, "kind": "mammal" if each.mammal else "other"}, each.media))
    return prompts, spared | given.beyond(len(found), len(prompts))


def unheard(given: Given, taken: int) -> dict[str, int]:
    """Why sounds of the user's are not among those taken."""
    own = users(given)
    return {} if own is None else given.beyond(len(own[1].items), taken)


def no_animals(protocol: str, given: Given) -> str | None:
    """Why nothing can be asked about the animals among the user's labels, or None."""
    own = users(given)
    if own is None:
        return None
    named = {(is_mammal(clip.label), animals_in(clip.label)[0]) for clip in own[1].items if is_mammal(clip.label) is not None}
    mammals, others = (sum(kind is wanted for kind, _ in named) for wanted in (True, False))
    if min(mammals, others) >= 2:
        return None
    return f"needs two mammals and two other animals among the labels of --data {own[0]}, which has {mammals} and {others}"


def word(heard: Heard) -> str:
    """The animal in its label, the first where there are more; where none is known, the label."""
    return next(iter(animals_in(heard.labels["en"])), heard.labels["en"])

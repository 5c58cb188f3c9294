"""The tasks on images (catalogue rows 14 to 18): declarations only. Knows no model and computes nothing.

Images are drawn from the world, or real ones (`--data coco=FOLDER`): photos with captions and, where they are there, panoptic maps.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from random import Random

import numpy as np

from semhub.data.photos import Photo
from semhub.data.world import pictures
from semhub.errors import BadInput
from semhub.methods.declare import Compare, DecodeMedia, Lens, Look, Place, Repaint, Sampled, Sight, evenly
from semhub.tasks import LANGUAGES, Given, task
from semhub.types import MARKS, Concept, Form, Media, Prompt

TYPES = ("image", *LANGUAGES)
IMAGES, RELEASE_IMAGES, CASES, SIDE = 200, 1_000, 48, 256
SHADES, SHADE = 6, 16  # of each colour in sound; how far they lie from the colour, of 255
MARK, ASKED = MARKS["image"], "What is in the image?\n" + MARKS["image"]
PLAIN = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}
PAINTS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
THINGS = ("cat", "bird", "boat", "book", "chair", "drum")  # of no colour
OTHER_HALF = {"top": "bottom", "bottom": "top"}
MORE_PAINTS = PAINTS | {"black": (0, 0, 0), "white": (255, 255, 255)}  # in sound: half of the cases must be enough
NORMED_END = {"first_layer": 1, "normed_end": True, "intervals": False}
READ = {"norms": {None: "final", "no-norm": "none"}, "floor": True, "cluster": "source"}
NEVER_DROPPED = "-"  # names of categories with a dash are skipped, as the release does


@dataclass(frozen=True, slots=True)
class Seen:
    """One image with its captions, the nouns in them and the labels of its parts, by type of word."""

    id: str
    media: Media
    captions: dict[str, str]
    nouns: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[tuple[str, np.ndarray], ...]]
    source: str


def images(given: Given, usual: int = IMAGES, labelled: bool = False, wanted: Callable[[Seen], bool] = lambda seen: True) -> list[Seen]:
    """The first of the user's photos that are wanted (with `labelled`, of those that have a map), so many as the limit says, or drawn
    pictures of the world's held-out meanings.
    """
    if "coco" in given.data:
        photos = (photo for photo in given.data["coco"].items if photo.map is not None or not labelled)
        return list(islice(filter(wanted, (from_photo(photo, labelled) for photo in photos)), given.many(RELEASE_IMAGES)))
    return [drawn(given, each) for each in pictures.pictures(given.many(usual), split="test", seed=given.seed)]


def unmapped(given: Given) -> str | None:
    """Why the user's photos cannot be asked about their parts, or None."""
    if "coco" not in given.data or any(photo.map is not None for photo in given.data["coco"].items):
        return None
    return "none of the images of --data coco has a panoptic map; put panoptic_val2017.json and its folder of PNGs beside them"


def unshown(given: Given, found: Sequence[Seen], labelled: bool = False, unwanted: str = "") -> dict[str, int]:
    """Why photos of the user's are not among those found; `unwanted`: why photos before the last one found are not."""
    if "coco" not in given.data:
        return {}
    photos = given.data["coco"].items
    mapped = [photo.id for photo in photos if photo.map is not None or not labelled]
    full = len(found) >= given.many(RELEASE_IMAGES)
    seen = mapped.index(found[-1].id) + 1 if full and found else len(mapped)
    passed = {unwanted: seen - len(found)} if unwanted else {}
    return {"no panoptic map": len(photos) - len(mapped)} | passed | given.beyond(len(mapped), seen)


def from_photo(photo: Photo, labelled: bool) -> Seen:
    """A photo; its map is read only where the labels of its parts are asked for."""
    labels = tuple((name, mask) for name, mask in photo.segments if NEVER_DROPPED not in name) if labelled else ()
    return Seen(photo.id, photo.media, {"en": photo.caption}, {"en": photo.nouns}, {"en": labels}, photo.id)


def drawn(given: Given, picture) -> Seen:
    """A picture of the world: what its things are called in every language, and which pixels they are."""
    drawing = pictures.draw(picture, given.seed)
    types = [t for t in LANGUAGES if given.types is None or t in ("en", *given.types)]  # `paper` asks in English whatever is asked for
    named = {t: tuple(getattr(thing.noun, t) for thing in picture.things) for t in types}
    labels = {t: tuple((word, drawing.segments == part) for part, word in enumerate(words, 1)) for t, words in named.items()}
    captions = {t: pictures.caption(t, picture) for t in types}
    return Seen(picture.id, Media("image", drawing.pixels), captions, named, labels, picture.source)


def languages(given: Given, found: Sequence[Seen]) -> tuple[str, ...]:
    return given.among(tuple(t for t in LANGUAGES if all(t in each.captions for each in found)))


# 14. similarity ------------------------------------------------------------------------------------------------------


@task(
    "vision/similarity",
    question="Do an image and its caption lie closer together than an image and the captions of other images?",
    paper="section 4.7; PROTOCOL row 14",
    types=TYPES,
    needs=("image",),
    data="images with captions: the world's pictures, or COCO val2017 (--data coco=FOLDER)",
    positions='last token of "<image>" and of "What is in the image?\\n<image>", and of the caption; in sound also the mean over content',
    baseline="captions of other images; in sound also of the same things, mirrored, those of most words in common, and permuted captions",
    measure="adjusted_cosine (S_l), p_at_1 both ways, p_value; mrr, csls_at_1, mutual_knn, cka",
    method="Images and captions are compared by S_l (Eq. 1), also against captions of other images of the same things.",
    against="S_l that is as high at layer 0, or against captions of other images with the same things no different from 0",
)
def similarity(protocol: str, given: Given) -> Compare:
    """`paper` reproduces the release: last position of each prompt against the caption's last token, raw, S_l without interval.

    A processor that appends a token (Chameleon's separator) has it at the last position, as in the release.
    """
    found = images(given)
    spared = {split(given): unshown(given, found)}
    types = ("image", *(("en",) if protocol == "paper" else languages(given, found)))
    concepts = [concept_of(each, types) for each in found]
    places = tuple(Place(name, show=prompted(text)) for name, text in (("image", MARK), ("question", ASKED)))
    if protocol == "paper":
        sets = {split(given): concepts}
        return Compare(types, sets, places, first_layer=1, normed_end=True, intervals=False, around="image", left_out=spared)
    places += (Place("mean", "mean", prompted(MARK)),)
    beside = ("standardised", "mrr", "csls_at_1", "mutual_knn", "cka")
    matched = {"same-things": lambda concept: concept.facets["source"]}
    measures = ("adjusted_cosine", "p_at_1", "p_value")
    return Compare(
        types,
        {split(given): concepts},
        places,
        ("raw", "centred"),
        measures,
        beside,
        matched=matched,
        cluster="source",
        around="image",
        alike=True,
        left_out=spared,
    )


def concept_of(seen: Seen, types: Sequence[str]) -> Concept:
    forms = {t: Form(t, seen.captions[t]) for t in types if t != "image"}
    return Concept(seen.id, {"image": Form("image", MARK, None, seen.media), **forms}, facets={"source": seen.source})


def prompted(prompt: str):
    return lambda type, text: prompt if type == "image" else text


def split(given: Given) -> str | None:
    return None if "coco" in given.data else "test"


# 15. colours ---------------------------------------------------------------------------------------------------------


@task(
    "vision/color-lens",
    question="Do the positions of a plain coloured image speak the name of its colour?",
    paper="section 4.7; PROTOCOL row 15",
    types=TYPES,
    needs=("image",),
    data="four plain images of 256 x 256 pixels; in sound six shades of each of the world's nine colours",
    positions="every position of the image",
    baseline='"white" (but for white images); in sound also the names of the other colours, and random states of the same length',
    measure="share (of positions whose likeliest word is the colour's); in sound also share_rise over layer 0 and share_excess",
    method="At the positions of plain coloured images it is counted how often the lens's likeliest word is the colour's, beside "
    "“white” and other colours.",
    against='the colour spoken no oftener than "white" and the other colours',
)
def color_lens(protocol: str, given: Given) -> DecodeMedia:
    """`paper` reproduces the release: raw residual, share of image positions whose top-1 is the colour word, against "white".

    In `sound`, a model that names one colour whatever it sees is right of one image in nine, as the other names are on average.
    """
    if protocol == "paper":
        sights = [plain_sight(color, rgb) for color, rgb in PLAIN.items()]
        return DecodeMedia(("en",), {None: sights}, "share", Lens({None: "none"}, **NORMED_END), added=False)
    every = [shade(color, number, given.seed) for color in pictures.RGB for number in range(SHADES)]
    kept = evenly(every, given.many(len(every)))
    left_out = given.beyond(len(every), len(kept))
    return DecodeMedia(given.among(LANGUAGES), {None: kept}, "share", Lens(**READ), rise=True, left_out=left_out)


def shade(color: str, number: int, seed: int) -> Sight:
    """A plain image near one of the world's colours, in `sound`."""
    rng = np.random.default_rng([seed, number, *color.encode()])
    rgb = np.clip(np.array(pictures.RGB[color]) + rng.uniform(-SHADE, SHADE, 3), 0, 255)
    return replace(plain_sight(color, rgb, tuple(pictures.RGB)), id=f"plain:{color}:{number}")


def plain_sight(color: str, rgb: Sequence[float], others: Sequence[str] = ()) -> Sight:
    """An image of that colour alone, its name, and as wrong words "white" and the names of `others`."""
    pixels = np.full((SIDE, SIDE, 3), np.rint(rgb), dtype=np.uint8)
    said = lambda *colors: {t: tuple(Look(pictures.color_word(t, c)) for c in colors) for t in LANGUAGES}  # noqa: E731
    wrong = {"wrong-word": said(*(other for other in others if other != color))} if others else {}
    wrong |= {"white": said("white")} if color != "white" else {}
    return Sight(f"plain:{color}", "image", Form("image", MARK, None, Media("image", pixels)), said(color), wrong, {"source": color})


# 16. captions --------------------------------------------------------------------------------------------------------


@task(
    "vision/caption-lens",
    question="Do the positions of an image speak the nouns of its caption?",
    paper="section 4.7; PROTOCOL row 16",
    types=TYPES,
    needs=("image",),
    data="images and the nouns of their captions: the world's pictures, or COCO val2017 (--data coco=FOLDER)",
    positions="every position of the image",
    baseline="the nouns of an unrelated caption, rescaled to the same number; in sound drawn at random, with random states beside",
    measure="prob (mean over positions, summed over nouns); in sound also prob_rise over layer 0 and prob_excess over the unrelated nouns",
    method="The lens's probability of the nouns of a caption is averaged over the positions of its image, beside that of an "
    "unrelated caption's nouns.",
    against="the caption's nouns no likelier than those of other captions, or as far ahead at layer 0",
)
def caption_lens(protocol: str, given: Given) -> DecodeMedia:
    """`paper` reproduces the release: p(first sub-token), mean over image positions, summed over every noun; all added tokens masked.

    The release's unrelated caption is the first one that shares no token, so a few odd captions serve for all: here one that shares no
    noun is drawn for each image. In `sound` a noun of a caption counts once. Masking holds where images are written in tokens of their
    own (Chameleon); nouns are found as `data.photos` says.
    """
    found = images(given, wanted=lambda seen: any(seen.nouns.values()))
    types = ("en",) if protocol == "paper" else languages(given, found)
    found = found if protocol == "paper" else [once(each) for each in found]
    sights = [caption_sight(found, place, types, given.seed) for place in range(len(found))]
    kept = [sight for sight in sights if sight.wrong]
    left_out = {"no caption that shares no noun": len(sights) - len(kept)} | unshown(given, found, unwanted="no noun in its caption")
    if protocol == "paper":
        return DecodeMedia(types, {split(given): kept}, "sum", Lens({None: "none"}, **NORMED_END), False, left_out=left_out)
    return DecodeMedia(types, {split(given): kept}, "sum", Lens(**READ), rise=True, left_out=left_out)


def once(seen: Seen) -> Seen:
    """The same with each English noun once, as inside a sentence."""
    return replace(seen, nouns={**seen.nouns, "en": tuple(dict.fromkeys(map(str.lower, seen.nouns["en"])))})


def caption_sight(found: Sequence[Seen], place: int, types: Sequence[str], seed: int) -> Sight:
    """An image, the nouns of its caption, and those of a caption drawn among those that share none of them."""
    seen, own = found[place], lowered(found[place])
    order = [i for i in range(len(found)) if i != place]
    Random(f"unrelated:{seen.id}:{seed}").shuffle(order)
    other = next((found[i] for i in order if not lowered(found[i]) & own), None)
    looks = lambda each: {t: tuple(map(Look, each.nouns[t])) for t in types}  # noqa: E731
    wrong = {} if other is None else {"wrong-word": looks(other)}
    return Sight(seen.id, "image", Form("image", MARK, None, seen.media), looks(seen), wrong, {"source": seen.source})


def lowered(seen: Seen) -> set[str]:
    """The nouns of the English caption, however they are written."""
    return {noun.lower() for noun in seen.nouns["en"]}


# 17. segments --------------------------------------------------------------------------------------------------------


@task(
    "vision/segment-lens",
    question="Do the patches of an image speak the name of what they show?",
    paper="section 4.7; PROTOCOL row 17",
    types=TYPES,
    needs=("image",),
    data="images with a map of their parts: the world's pictures, or COCO's panoptic maps (--data coco=FOLDER)",
    positions="the patches that a part covers by more than half",
    baseline="a random other category at the same patches; in sound also the image's other label, and random states",
    measure="prob (geometric mean over a label's patches, mean over labels); in sound also prob_rise and prob_excess",
    method="The lens's probability of a part's name is averaged over the patches that the part covers, beside that of another category.",
    against="the right label no likelier at its patches than another category, or than the label of another part of the same image",
    unsuited=lambda protocol, given: unmapped(given),
)
def segment_lens(protocol: str, given: Given) -> DecodeMedia:
    """`paper` reproduces the release's procedure: exp of the mean log p(label) over its patches, mean over labels.

    The release's masks are mirrored across the diagonal; here a mask goes the way of the pixels, through the model's own
    resizing and cropping. Names with a dash are skipped, as there. Models without one grid of patches are refused.
    """
    found = images(given, labelled=True, wanted=lambda seen: any(seen.labels.values()))
    left_out = unshown(given, found, labelled=True, unwanted="no part with a name without a dash")
    types = ("en",) if protocol == "paper" else languages(given, found)
    known = {t: sorted({word for each in found for word, _ in each.labels[t]}) for t in types}
    kept = [each for each in found if all(others(known[t], each, t) for t in types)]
    left_out |= {"it shows every category that there is": len(found) - len(kept)}
    if not kept:
        raise BadInput("vision/segment-lens needs images of more than one category, to draw another one from.")
    sights = [segment_sight(each, types, known, protocol, given.seed) for each in kept]
    if protocol == "paper":
        return DecodeMedia(types, {split(given): sights}, "patches", Lens({None: "none"}, **NORMED_END), added=False, left_out=left_out)
    return DecodeMedia(types, {split(given): sights}, "patches", Lens(**READ), rise=True, left_out=left_out)


def segment_sight(seen: Seen, types: Sequence[str], known: dict[str, list[str]], protocol: str, seed: int) -> Sight:
    right = {t: tuple(Look(word, mask) for word, mask in seen.labels[t]) for t in types}
    wrong = {
        "wrong-word": {
            t: tuple(Look(another(known[t], seen, t, i, seed), mask) for i, (_, mask) in enumerate(seen.labels[t])) for t in types
        }
    }
    if protocol == "sound":
        turned = {t: [word for word, _ in seen.labels[t][1:] + seen.labels[t][:1]] for t in types}
        wrong["other-part"] = {
            t: tuple(Look(word, mask) for word, (own, mask) in zip(turned[t], seen.labels[t], strict=True) if word != own) for t in types
        }
    return Sight(seen.id, "image", Form("image", MARK, None, seen.media), right, wrong, {"source": seen.source})


def another(known: Sequence[str], seen: Seen, type: str, place: int, seed: int) -> str:
    """A category that the image does not show, drawn for this image and label."""
    return Random(f"category:{seen.id}:{place}:{seed}").choice(others(known, seen, type))


def others(known: Sequence[str], seen: Seen, type: str) -> list[str]:
    """The categories that the image does not show."""
    own = {word for word, _ in seen.labels[type]}
    return [word for word in known if word not in own]


# 18. intervention ----------------------------------------------------------------------------------------------------


@task(
    "vision/intervention",
    question="Does a colour's word, put where one half of an image stands, make the model see that colour there?",
    paper="section 4.7; PROTOCOL row 18",
    types=TYPES,
    needs=("image",),
    data="two-coloured images: 4 x 3 pairs of colours, either half repainted, in each of the two other colours: 48 cases; "
    "in sound 96 of the 240 of six colours",
    positions="the positions of one half of the image",
    baseline="no push; in sound also a random direction, another colour's word, the words of two things, pairs of colours exchanged "
    "between images (the new colour of another less the old one of a third, neither of this image), the other half of the image, the last "
    "layer but one and the last (nothing reads an image at the last alone), the new colour told in words, and layer 0",
    measure="correct (the new colour is named, in sound beside the other half's), unchanged; in sound also correct_change, correct_excess",
    format="chameleon",
    method="The difference of two colours' unembedding rows takes the place of the states of one half of an image; counted is how "
    "often the new colour is named.",
    against="no more new colours named than the controls give",
)
def intervention(protocol: str, given: Given) -> Repaint:
    """`paper` reproduces the release: U[new] - U[old] in place of the states, at layers i+1 to L for each i; is the new colour named?

    It never checks the other half's colour and has no unpushed accuracy; in `sound` an answer is correct if it names the new
    colour and the other half's and not the old one, what is answered without a push is reported at strength 0, and the layer is
    chosen on the images of half of the pairs of colours and reported on the others. At the other half the same push is to
    name the old colour and the new one, which is not correct: the wrong position, though in the image, can be beaten.
    """
    prompts = cases(PAINTS if protocol == "paper" else MORE_PAINTS)
    prompts = evenly(prompts, given.many(CASES if protocol == "paper" else 2 * CASES))
    words = lambda prompt: (prompt.facets["new"], prompt.facets["old"])  # noqa: E731
    wrong = lambda prompt: (prompt.facets["wrong"], prompt.facets["old"])  # noqa: E731
    where = lambda prompt: f"image[{prompt.facets['half']}]"  # noqa: E731
    if protocol == "paper":
        judges = {"correct": judge(lambda p, said: p.facets["new"] in said), "unchanged": judge(lambda p, said: p.facets["old"] in said)}
        return Repaint(prompts, words, where, "en", True, True, judges=judges, sampled=Sampled(32, greedy=True), intervals=False)
    judges = {"correct": judge(repainted), "unchanged": judge(unmoved)}
    depths = tuple(Fraction(k, 8) for k in (2, 4, 6))
    controls = ("random-direction", "as-text", "layer-0", "wrong-layer", "wrong-position")
    others = {"wrong-word": wrong, "wrong-concept": two_things, "shuffled-pair": exchanged}
    elsewhere = lambda prompt: f"image[{OTHER_HALF[prompt.facets['half']]}]"  # noqa: E731
    asked = {"judges": judges, "sampled": Sampled(16, greedy=True), "neutral": others, "controls": controls, "as_text": told}
    asked |= {"elsewhere": elsewhere}
    return Repaint(prompts, words, where, "en", True, True, depths, target="correct", **asked)


def two_things(prompt: Prompt) -> tuple[str, str]:
    return tuple(Random(f"things:{prompt.id}").sample(THINGS, 2))


def exchanged(prompt: Prompt) -> tuple[str, str]:
    """The new colour of another image and the old one of a third: two that this prompt does not speak of."""
    spoken_of = [prompt.facets[name] for name in ("old", "kept", "new", "wrong")]
    return tuple(Random(f"pair:{prompt.id}").sample([color for color in MORE_PAINTS if color not in spoken_of], 2))


def told(prompt: Prompt) -> str:
    """The question, after a sentence that says what the push is to make of the image."""
    mark, _, question = prompt.text.partition("\n")
    return f"{mark}\nThe {prompt.facets['half']} half of the image is {prompt.facets['new']}. {question}"


def cases(paints: Mapping[str, tuple]) -> list[Prompt]:
    """Images of two colours: which half is repainted, and in which of the other colours (48 of four colours, 240 of six)."""
    found = []
    for top in paints:
        for bottom in (color for color in paints if color != top):
            for half, old, kept in (("top", top, bottom), ("bottom", bottom, top)):
                others = [color for color in paints if color not in (old, kept)]
                for new, wrong in zip(others, reversed(others), strict=True):
                    facets = {"half": half, "old": old, "kept": kept, "new": new, "wrong": wrong, "source": f"{top}:{bottom}"}
                    text = f"{MARK}\nWhich colors are in the image? The colors are"
                    found.append(Prompt(f"{top}:{bottom}:{half}:{new}", "image", text, facets, Media("image", halves(top, bottom))))
    return found


def halves(top: str, bottom: str) -> np.ndarray:
    pixels = np.empty((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[: SIDE // 2], pixels[SIDE // 2 :] = MORE_PAINTS[top], MORE_PAINTS[bottom]
    return pixels


def judge(holds):
    return lambda prompts, outputs: [float(holds(p, output.lower())) for p, output in zip(prompts, outputs, strict=True)]


def named(said: str) -> set[str]:
    return {color for color in MORE_PAINTS if re.search(rf"\b{color}\b", said)}


def repainted(prompt: Prompt, said: str) -> bool:
    return named(said) == {prompt.facets["new"], prompt.facets["kept"]}


def unmoved(prompt: Prompt, said: str) -> bool:
    return named(said) == {prompt.facets["old"], prompt.facets["kept"]}

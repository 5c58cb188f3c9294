"""Images and sounds against independent re-computations of the `paper` protocol: equal to 1e-4, and unequal to every named mistake.

The oracles use the processor and the network alone, one input at a time and without a cache.
"""

import copy
import functools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

import semhub
from families_multimodal import TEXT, built, noise, picture
from oracles import senses as oracle
from semhub.methods import Compare, DecodeMedia, Lens, Look, Place, Repaint, Sampled, Sight, carry_out
from semhub.methods.bench import Bench
from semhub.types import Concept, Form, Media, Prompt

TOLERANCE = 1e-4
RAW = Lens({None: "none"}, first_layer=1, normed_end=True, intervals=False)
CAPTIONS = ("The dog sees the cat.", "A red boat", "Which colors are in the image?")
NOUNS = (("dog", "boat"), ("cat", "drum", "key"))
AUDIO = "<|audio_bos|><|AUDIO|><|audio_eos|>"


@functools.cache
def opened(name):
    return semhub.load(*built(name), prove=False)


COLORS = ("red", "green", "blue", "yellow", "black", "white")


@functools.cache
def colorful(name):
    """The same, but that it often speaks of colours, and of different ones at different places of an image."""
    network, processor = built(name)
    network, chance = copy.deepcopy(network), torch.Generator().manual_seed(7)
    ids = sorted({oracle.first(processor.tokenizer, color, space) for color in COLORS for space in (" ", "")})
    with torch.no_grad():
        network.get_output_embeddings().weight[ids] = torch.randn(len(ids), TEXT["hidden_size"], generator=chance)
        for part in network.modules():
            if hasattr(part, "position_embedding"):
                part.position_embedding.weight *= 6
    return network, processor


def bench(name):
    return Bench(opened(name), "vision/test", "paper")


def mark_of(name):
    processor = built(name)[1]
    return processor.audio_token_id if name == "qwen2_audio" else processor.image_token_id


def never_of(name):
    """Chameleon speaks no image token, and in this protocol no added one."""
    if name != "chameleon":
        return ()
    tokenizer = built(name)[1].tokenizer
    return {*tokenizer.get_added_vocab().values(), *(id for token, id in tokenizer.get_vocab().items() if token.startswith("IMGIMG"))}


def worst(found, expected):
    return float((torch.as_tensor(found).double() - torch.as_tensor(expected).double()).abs().max())


def curve(result, measure, control=None, **more):
    rows = [
        r for r in result.readings if r.measure == measure and r.control == control and all(getattr(r, k) == v for k, v in more.items())
    ]
    return [row.value for row in sorted(rows, key=lambda row: row.layer)]


def images():
    return [picture(64, 64, seed) for seed in range(3)]


def pil(media):
    return Image.fromarray(media.data)


@pytest.mark.parametrize("name", ("llava", "chameleon"))
@pytest.mark.parametrize("prompt", ("<image>", "What is in the image?\n<image>"))
def test_similarity_of_images_and_captions(name, prompt):
    concepts = [
        Concept(str(k), {"image": Form("image", "<image>", None, image), "en": Form("en", caption)})
        for k, (image, caption) in enumerate(zip(images(), CAPTIONS, strict=True))
    ]
    place = Place("here", show=lambda type, text: prompt if type == "image" else text)
    ask = Compare(("image", "en"), {None: concepts}, (place,), first_layer=1, normed_end=True, intervals=False)
    found = curve(carry_out(ask, bench(name)), "adjusted_cosine", group="image-en")
    own = functools.partial(oracle.similarity, *built(name), [prompt] * 3, CAPTIONS, [(pil(image), None) for image in images()])
    assert worst(found, own()[1:]) < TOLERANCE
    for mutation in oracle.SIMILARITY_MUTATIONS:
        if (name, mutation) != ("chameleon", "mirrored-image"):  # its few codes hardly tell the two noises apart
            assert worst(found, own(mutation=mutation)[1:]) > TOLERANCE, mutation


@pytest.mark.parametrize("name", ("llava", "chameleon"))
def test_share_of_positions_that_speak_a_color(name):
    network, processor = colorful(name)
    image, word = picture(64, 64, 13), "red"
    sight = Sight("i", "image", Form("image", "<image>", None, image), {"en": (Look(word),)}, {"white": {"en": (Look("white"),)}})
    asked = Bench(semhub.load(network, processor, prove=False), "vision/test", "paper")
    result = carry_out(DecodeMedia(("en",), {None: [sight]}, "share", RAW, added=False), asked)
    own = functools.partial(oracle.color_share, network, processor, mark_of(name), pil(image), never=never_of(name))
    found = curve(result, "share")
    assert 0 < sum(found) < len(found) and worst(found, own(word)[1:]) < TOLERANCE
    assert worst(curve(result, "share", "white"), own("white")[1:]) < TOLERANCE
    for mutation in oracle.SHARE_MUTATIONS:
        assert worst(found, own(word, mutation=mutation)[1:]) > TOLERANCE, mutation


@pytest.mark.parametrize("name", ("llava", "chameleon", "qwen2_vl"))
def test_nouns_of_a_caption_in_an_image(name):
    network, processor = built(name)
    image = picture(64, 64)
    words, others = ({"en": tuple(map(Look, nouns))} for nouns in NOUNS)
    sight = Sight("i", "image", Form("image", "<image>", None, image), words, {"wrong-word": others})
    result = carry_out(DecodeMedia(("en",), {None: [sight]}, "sum", RAW, added=False), bench(name))
    if name == "qwen2_vl":  # its template puts marks around the image
        processor = with_marks(processor)
    own = functools.partial(oracle.caption_sum, network, processor, mark_of(name), pil(image), never=never_of(name))
    found, wrong = curve(result, "prob"), curve(result, "prob", "wrong-word")
    assert worst(found, own(NOUNS[0])[1:]) < TOLERANCE * 1e-2 and worst(wrong, own(NOUNS[1], 2)[1:]) < TOLERANCE * 1e-2
    for mutation in oracle.SUM_MUTATIONS:
        if (name, mutation) != ("chameleon", "mirrored-image"):
            assert worst(np.log(found), np.log(own(NOUNS[0], mutation=mutation)[1:])) > TOLERANCE, mutation
    if name == "chameleon":
        assert worst(np.log(found), np.log(own(NOUNS[0], never=())[1:])) > TOLERANCE, "added tokens not masked"


def with_marks(processor):
    import copy

    changed = copy.copy(processor)
    whole = f"<|vision_start|>{processor.image_token}<|vision_end|>"
    return type(
        "Marked", (), {"image_token": whole, "tokenizer": processor.tokenizer, "__call__": lambda self, **given: changed(**given)}
    )()


def quarters():
    """Two labels whose masks are no mirror images of themselves: a band on the left, and a corner above on the right."""
    left, corner = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    left[20:64, :16], corner[:32, 40:64] = True, True
    return left, corner


@pytest.mark.parametrize("name", ("llava", "chameleon"))
def test_labels_of_patches(name):
    image, masks = picture(64, 64), quarters()
    looks = tuple(Look(word, mask) for word, mask in zip(("dog", "boat"), masks, strict=True))
    sight = Sight("i", "image", Form("image", "<image>", None, image), {"en": looks})
    found = curve(carry_out(DecodeMedia(("en",), {None: [sight]}, "patches", RAW, added=False), bench(name)), "prob")
    labels = list(zip(("dog", "boat"), masks, strict=True))
    own = functools.partial(oracle.segment_mean, *built(name), mark_of(name), pil(image), labels, (4, 4), never_of(name))
    assert worst(np.log(found), np.log(own()[1:])) < TOLERANCE
    for mutation in oracle.PATCH_MUTATIONS:
        assert worst(np.log(found), np.log(own(mutation=mutation)[1:])) > TOLERANCE, mutation


@pytest.mark.parametrize("name", ("llava", "chameleon"))
@pytest.mark.parametrize("half", ("top", "bottom"))
def test_a_half_of_an_image_repainted(name, half):
    text, answers = "<image>\nThe colors are", ("red", "blue")
    prompt = Prompt("p", "image", text, {}, picture(64, 64))
    place = lambda prompt: f"image[{half}]"  # noqa: E731
    ask = Repaint([prompt], lambda p: answers, place, "en", True, True, (Fraction(1, 3),), answers=answers)
    (found,) = [r.value for r in carry_out(ask, bench(name)).readings if r.measure == "yes_share" and r.layer == 1]
    own = functools.partial(oracle.repainted, *built(name), mark_of(name), text, pil(prompt.media), half, *answers, 1, 5)
    assert abs(found - own(answers=answers)) < TOLERANCE
    for mutation in oracle.REPAINT_MUTATIONS[:-1]:
        if mutation != "layer-off-by-one":  # below block 1 there is none
            assert abs(found - own(mutation, answers)) > TOLERANCE, mutation
    later = replace(ask, writes=(Fraction(2, 3),))
    (found,) = [r.value for r in carry_out(later, bench(name)).readings if r.measure == "yes_share" and r.layer == 2]
    own = functools.partial(oracle.repainted, *built(name), mark_of(name), text, pil(prompt.media), half, *answers, 2, 5)
    assert abs(found - own(answers=answers)) < TOLERANCE < abs(found - own("layer-off-by-one", answers))


@pytest.mark.parametrize("name", ("llava", "chameleon"))
def test_what_is_written_of_a_repainted_image(name):
    """The prompt pass is edited and nothing after it; greedy words, without a cache in the oracle."""
    prompt, texts = Prompt("p", "image", "<image>\nThe colors are", {}, picture(64, 64)), []
    judges = {"seen": lambda prompts, outputs: [texts.append(each) or 0.0 for each in outputs]}
    ask = Repaint(
        [prompt],
        lambda p: ("red", "blue"),
        lambda p: "image[top]",
        "en",
        True,
        True,
        (Fraction(1, 3),),
        judges=judges,
        sampled=Sampled(5, greedy=True),
    )
    carry_out(ask, bench(name))
    own = functools.partial(oracle.repainted, *built(name), mark_of(name), prompt.text, pil(prompt.media), "top", "red", "blue", 1, 5)
    tokenizer = built(name)[1].tokenizer
    said = lambda ids: tokenizer.decode(ids[: ids.index(1)] if 1 in ids else ids, skip_special_tokens=True).strip()  # noqa: E731
    assert texts[1].strip() == said(own()) != said(own("after-prompt-too"))


def clips():
    return [noise(0.5 + 0.3 * k, k) for k in range(3)]


def test_similarity_of_sounds_and_labels():
    labels = ("dog", "red bell", "Is this animal a mammal?")
    concepts = [
        Concept(str(k), {"audio": Form("audio", "USER: <audio>\nASSISTANT:", None, clip), "en": Form("en", label)})
        for k, (clip, label) in enumerate(zip(clips(), labels, strict=True))
    ]
    ask = Compare(("audio", "en"), {None: concepts}, first_layer=1, normed_end=True, intervals=False)
    found = curve(carry_out(ask, bench("qwen2_audio")), "adjusted_cosine", group="audio-en")
    media = [(clip.data, clip.rate) for clip in clips()]
    own = functools.partial(oracle.similarity, *built("qwen2_audio"), [prompt_of("")] * 3, labels, media)
    assert worst(found, own()[1:]) < TOLERANCE
    for mutation in oracle.SIMILARITY_MUTATIONS[:-1]:
        assert worst(found, own(mutation=mutation)[1:]) > TOLERANCE, mutation


def prompt_of(question):
    """The prompt as the processor's own template writes a sound."""
    from semhub.models.senses import markup

    said = markup(built("qwen2_audio")[1], "audio")
    assert said == f"Audio 1: {AUDIO}"
    return f"USER: {said}{question}\nASSISTANT:"


def test_words_of_a_label_in_a_sound():
    network, processor = built("qwen2_audio")
    clip = clips()[1]
    sight = Sight("s", "audio", Form("audio", "USER: <audio>\nASSISTANT:", None, clip), {"en": (Look("dog"), Look("bell"))})
    found = curve(carry_out(DecodeMedia(("en",), {None: [sight]}, "geometric", RAW), bench("qwen2_audio")), "prob")
    words, mark = ["dog", "bell"], mark_of("qwen2_audio")
    own = functools.partial(oracle.sound_mean, network, processor, mark, prompt_of(""), clip.data, clip.rate, words)
    assert worst(np.log(found), np.log(own()[1:])) < TOLERANCE
    for mutation in oracle.SOUND_MUTATIONS:
        assert worst(np.log(found), np.log(own(mutation=mutation)[1:])) > TOLERANCE, mutation


def test_another_animal_added_to_a_sound():
    clip, question = clips()[0], "\nIs this animal a mammal?"
    prompt = Prompt("p", "audio", f"USER: <audio>{question}\nASSISTANT:", {}, clip)
    ask = Repaint(
        [prompt], lambda p: ("cow", "bird"), lambda p: "audio", "en", writes=(Fraction(2, 3),), strengths=(0.5, 2.0), answers=("Yes", "No")
    )
    result = carry_out(ask, bench("qwen2_audio"))
    mark, (network, processor) = mark_of("qwen2_audio"), built("qwen2_audio")
    own = functools.partial(oracle.yes_share, network, processor, mark, prompt_of(question), clip.data, clip.rate, "cow", "bird", 2)
    for strength in (0.5, 2.0):
        (found,) = curve(result, "yes_share", strength=strength)
        assert abs(found - own(strength, ("Yes", "No"))) < TOLERANCE
        for mutation in oracle.ADD_MUTATIONS:
            assert abs(found - own(strength, ("Yes", "No"), mutation)) > TOLERANCE, mutation
    (bare,) = [r.value for r in result.readings if r.measure == "yes_share" and r.strength == 0]
    assert abs(bare - own(0.0, ("Yes", "No"))) < TOLERANCE


def test_sounds_of_two_channels_and_images_of_two_sizes_are_one_input_each():
    """A sight does not depend on what is read beside it."""
    sights = [Sight(str(k), "image", Form("image", "<image>", None, picture(40 + 24 * k, 64, k)), {"en": (Look("dog"),)}) for k in range(3)]
    ask = DecodeMedia(("en",), {None: sights}, "sum", RAW)
    together = carry_out(ask, bench("qwen2_vl")).outcomes
    alone = [row for sight in sights for row in carry_out(replace(ask, sets={None: [sight]}), bench("qwen2_vl")).outcomes]
    key = lambda row: (row.item, row.layer)  # noqa: E731
    assert worst([r.value for r in sorted(together, key=key)], [r.value for r in sorted(alone, key=key)]) < 1e-6
    assert isinstance(sights[0].shown.media, Media)

"""Tasks 14 to 18, 20 and 21, as `semhub run TASK --protocol paper` asks them, against independent re-computations.

Equal to 1e-4 (what is written and what it counts as: equal), and unequal to every named mistake by itself. Pictures, sounds and words
are the world's and handed over; prompts, layers, coefficients and means are the oracle's own.
"""

import copy
import functools
from itertools import permutations

import numpy as np
import pytest
import torch
from PIL import Image

import semhub
from families_multimodal import built, weighted
from oracles import senses
from oracles import senses_tasks as oracle
from semhub.data.world import pictures, sounds
from semhub.tasks import find, given, perform, vision
from test_oracles_senses import TOLERANCE, colorful, worst

SEEING = ("llava", "chameleon")
FEW, CASES = 6, 5
GRID = (4, 4)  # patches of the tiny models
OF_TWO_NOUNS = 5  # the seed of pictures whose unrelated captions have two nouns
OF_TWO_PARTS = 261  # of pictures where one has two parts with patches, and no patch is covered by so near half that resizing decides
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}
PAINTS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


@functools.cache
def opened(name):
    return semhub.load(*built(name), prove=False)


def performed(model, task, limit=FEW, seed=0):
    return perform(task, model, protocol="paper", limit=limit, seed=seed, memo={})


def declared(task, limit=FEW, seed=0):
    """Which items the task took, and which other words it drew for them."""
    return find(task)("paper", given(limit=limit, seed=seed))


def mistakes(names, model):
    """The mutations that can show in a model: all but Chameleon's write no image in tokens, and mask none."""
    return [name for name in names if name != oracle.ADDED_SPOKEN or model == "chameleon"]


def table(result, measure, **columns):
    """Rows that agree with `columns`, by layer; there is one of each layer, from the first to the last."""
    rows = [r for r in result.readings if r.measure == measure and all(getattr(r, name) == value for name, value in columns.items())]
    found = {row.layer: row.value for row in rows}
    assert list(found) == list(range(1, len(rows) + 1)) and len(rows) > 2
    return list(found.values())


def logs(values):
    return np.log(np.asarray(values))


def seen(seed=0):
    """Pictures of the world: (what they show, what is drawn)."""
    found = pictures.pictures(FEW, split="test", seed=seed)
    return found, [pictures.draw(each, seed) for each in found]


def shown(drawings):
    return [Image.fromarray(drawing.pixels) for drawing in drawings]


@pytest.mark.parametrize("name", SEEING)
def test_task_14_similarity(name):
    found, drawings = seen()
    captions = [pictures.caption("en", each) for each in found]
    result = performed(opened(name), "vision/similarity")
    for place in ("image", "question"):
        value = table(result, "adjusted_cosine", group="image-en", position=place, variant="raw", control=None, split="test")
        own = functools.partial(oracle.similarity, *built(name), shown(drawings), captions, place)
        assert worst(value, own()) < TOLERANCE
        for mutation in oracle.SIMILARITY_MUTATIONS:
            assert worst(value, own(mutation)) > TOLERANCE, (place, mutation)


@pytest.mark.parametrize("name", SEEING)
def test_task_15_colors(name):
    """In models that speak of colours wherever they look, so that shares are neither 0 nor 1."""
    network, processor = colorful(name)
    images = [Image.fromarray(np.full((256, 256, 3), rgb, np.uint8)) for rgb in COLORS.values()]
    result = performed(semhub.load(network, processor, prove=False), "vision/color-lens")
    for control, words in ((None, list(COLORS)), ("white", ["white"] * len(COLORS))):
        value = table(result, "share", group="image:en", position="image", control=control, split=None)
        own = functools.partial(oracle.color_lens, network, processor, images, words)
        assert worst(value, own()) < TOLERANCE
        for mutation in oracle.COLOR_MUTATIONS:
            if (control, mutation) != ("white", "another-color"):
                assert worst(value, own(mutation)) > TOLERANCE, (control, mutation)


@pytest.mark.parametrize("name", SEEING)
def test_task_16_nouns_of_captions(name):
    found, drawings = seen(OF_TWO_NOUNS)
    nouns = [[thing.noun.en for thing in each.things] for each in found]
    result = performed(opened(name), "vision/caption-lens", seed=OF_TWO_NOUNS)
    own = functools.partial(oracle.caption_lens, *built(name), shown(drawings), nouns)
    sights = declared("vision/caption-lens", seed=OF_TWO_NOUNS).sets["test"]
    drawn = [[look.word for look in sight.wrong["wrong-word"]["en"]] for sight in sights]
    assert all(not set(own) & set(other) and other in nouns for own, other in zip(nouns, drawn, strict=True))
    for control, words, mutations in ((None, nouns, oracle.CAPTION_MUTATIONS), ("wrong-word", drawn, oracle.UNRELATED_MUTATIONS)):
        value = logs(table(result, "prob", group="image:en", position="image", control=control, split="test"))
        assert worst(value, logs(own(words))) < TOLERANCE
        for mutation in mistakes(mutations, name):
            assert worst(value, logs(own(words, mutation))) > TOLERANCE, (control, mutation)


@pytest.mark.parametrize("name", SEEING)
def test_task_17_labels_of_patches(name):
    found, drawings = seen(OF_TWO_PARTS)
    sights = declared("vision/segment-lens", seed=OF_TWO_PARTS).sets["test"]
    assert [[look.word for look in sight.words["en"]] for sight in sights] == [[thing.noun.en for thing in each.things] for each in found]
    result = performed(opened(name), "vision/segment-lens", seed=OF_TWO_PARTS)
    for control in (None, "wrong-word"):
        words = [[look.word for look in (sight.words if control is None else sight.wrong[control])["en"]] for sight in sights]
        labels = [[(word, each.segments == k) for k, word in enumerate(mine, 1)] for mine, each in zip(words, drawings, strict=True)]
        value = logs(table(result, "prob", group="image:en", position="image", control=control, split="test"))
        own = functools.partial(oracle.segment_lens, *built(name), shown(drawings), labels, GRID)
        assert worst(value, logs(own())) < TOLERANCE
        for mutation in mistakes(oracle.SEGMENT_MUTATIONS, name):
            assert worst(value, logs(own(mutation))) > TOLERANCE, (control, mutation)


def cases():
    """(id, image, half, new, old): every pair of four colours, either half in each of the two other colours."""
    found = []
    for top, bottom in permutations(PAINTS, 2):
        pixels = np.repeat(np.array([PAINTS[top], PAINTS[bottom]], np.uint8), 128, 0)[:, None].repeat(256, 1)
        for half, old in (("top", top), ("bottom", bottom)):
            found += [
                (f"{top}:{bottom}:{half}:{new}", Image.fromarray(pixels), half, new, old) for new in PAINTS if new not in (top, bottom)
            ]
    return found


def test_task_18_the_cases_are_48():
    assert [prompt.id for prompt in declared("vision/intervention", None).prompts] == [case[0] for case in cases()]
    assert len(cases()) == 48


def test_task_18_another_color_in_place_of_a_half(monkeypatch):
    """What is written, and which colours it names, item by item and layer by layer."""
    network, processor = colorful("chameleon")
    written, judge = [], vision.judge

    def recorded(holds):
        inner = judge(holds)
        return lambda prompts, outputs: written.extend(zip([p.id for p in prompts], outputs, strict=True)) or inner(prompts, outputs)

    monkeypatch.setattr(vision, "judge", recorded)
    result = performed(semhub.load(network, processor, prove=False), "vision/intervention", CASES)
    layers, asked = (0, 1, 2, 3), [case for case in cases() if case[0] in dict(written)]
    texts = [[said for id, said in written if id == case[0]][::2] for case in asked]  # each is judged by two measures
    assert {case[2] for case in asked} == {"top", "bottom"} and all(len(mine) == len(layers) for mine in texts)
    own = lambda case, layer, mutation=None: oracle.recolored(network, processor, *case[1:], layer, mutation)  # noqa: E731
    expected = [[own(case, layer) for layer in layers] for case in asked]
    assert [[said.strip() for said in mine] for mine in texts] == [[said.strip() for said in mine] for mine in expected]
    found = {(row.measure, row.item, row.layer or 0): row.value for row in result.outcomes}
    named = {
        (measure, case[0], k): oracle.names(said[k], case[place])
        for case, said in zip(asked, expected, strict=True)
        for k in layers
        for measure, place in (("correct", 3), ("unchanged", 4))
    }
    assert found == named and set(found.values()) == {0.0, 1.0}
    counts = lambda said, case: [oracle.names(said, case[place]) for place in (3, 4)]  # noqa: E731
    for mutation in oracle.REPAINT_MUTATIONS:
        wrong = ((counts(own(case, k, mutation), case), counts(texts[i][k], case)) for i, case in enumerate(asked) for k in layers[1:])
        assert any(one != other for one, other in wrong), mutation


def samples_of(ids):
    """The world's sounds of those ids: (what they are called, samples)."""
    known = {each.id: each for each in sounds.sounds(6, split="test", seed=0)}
    return [sounds.label("en", known[id].noun) for id in ids], [sounds.synthesise(known[id]) for id in ids]


def test_task_20_words_of_labels():
    sights = declared("audio/lens", 8).sets["test"]
    labels, heard = samples_of([sight.id for sight in sights])
    others = [[look.word for look in sight.wrong["wrong-word"]["en"]] for sight in sights]
    result = performed(opened("qwen2_audio"), "audio/lens", 8)
    for control, words in ((None, [label.split() for label in labels]), ("wrong-word", others)):
        value = logs(table(result, "prob", group="audio:en", position="audio", control=control, split="test"))
        own = functools.partial(oracle.sound_lens, *built("qwen2_audio"), heard, sounds.RATE, words)
        assert worst(value, logs(own())) < TOLERANCE
        for mutation in oracle.SOUND_MUTATIONS:
            assert worst(value, logs(own(mutation))) > TOLERANCE, (control, mutation)


@functools.cache
def deep():
    """A model that hears, of 40 blocks, as many as SALMONN's."""
    network, processor = built("qwen2_audio")
    config = copy.deepcopy(network.config)
    config.text_config.num_hidden_layers = 40
    config.text_config.layer_types = ["full_attention"] * 40
    return weighted(type(network)(config)), processor


def test_task_21_another_animal_where_a_sound_stands():
    network, processor = deep()
    asked = [p for p in declared("audio/intervention", 20).prompts if oracle.tellable(processor, p.facets["new"], p.facets["old"])]
    labels, heard = samples_of([prompt.id for prompt in asked])
    kinds = ["mammal" if label in sounds.MAMMALS else "other" for label in labels]
    assert labels == [prompt.facets["old"] for prompt in asked] and set(kinds) == {"mammal", "other"}
    result = performed(semhub.load(network, processor, prove=False), "audio/intervention", 20)
    found = {(r.strength, r.layer, r.split): r.value for r in result.readings if r.measure == "yes_share"}

    def own(coefficient, mutation=None):
        each = zip(heard, [prompt.facets["new"] for prompt in asked], labels, strict=True)
        values = [oracle.is_mammal(network, processor, samples, sounds.RATE, *pair, coefficient, mutation) for samples, *pair in each]
        by_kind = {kind: np.mean([v for v, k in zip(values, kinds, strict=True) if k == kind]) for kind in set(kinds)}
        return {None: np.mean(values)} | by_kind

    settings = {0.0: None} | dict.fromkeys(oracle.COEFFICIENTS, oracle.MAMMAL_LAYER)
    expected = {(s, layer, split): value for s, layer in settings.items() for split, value in own(s).items()}
    assert found.keys() == expected.keys() and max(abs(found[key] - expected[key]) for key in found) < TOLERANCE
    for mutation in oracle.ADD_MUTATIONS:
        moved = own(10.0, mutation)
        assert max(abs(found[10.0, oracle.MAMMAL_LAYER, split] - value) for split, value in moved.items()) > TOLERANCE, mutation


def test_the_tiny_models_have_the_grid_of_the_oracle():
    for name in SEEING:
        network, processor = built(name)
        inputs = senses.given(processor, "<image>", shown(seen()[1])[0])
        assert len(senses.fed(inputs, processor.image_token_id)) == GRID[0] * GRID[1]
    assert torch.is_tensor(senses.final_norm(deep()[0]).weight)

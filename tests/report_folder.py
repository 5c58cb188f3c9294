"""A made-up run folder for the tests of the report: the columns and names of a real run, invented numbers.

As a script (`python report_folder.py FOLDER`) it writes the folder and its report, to be looked at. Nothing here was measured.
"""

import itertools
import math
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from semhub.runs import store
from semhub.tasks import find
from semhub.types import Outcome, Reading

HUB, UNTRAINED, MISPAIRED = "semhub-text", "semhub-text-untrained", "semhub-text-mispaired"
MODELS = {HUB: "hub", MISPAIRED: "control:mispaired", UNTRAINED: "control:untrained"}
LAYERS = 8
SHAPE = (0.0, 0.03, 0.04, 0.06, 0.12, 0.3, 0.75, 1.0, 0.8)
PAIRS = {"en-es": 0.31, "en-zh": 0.36, "en-de": 0.33, "es-zh": 0.2, "es-de": 0.21, "zh-de": 0.17}
STRENGTH = {HUB: 1.0, UNTRAINED: 0.0, MISPAIRED: 0.06}
TASKS = {
    "multilingual/similarity": ("Do translations lie closer together than sentences of other meanings?", "Eq. 1, section 4.1"),
    "multilingual/lens": ("Do the middle layers speak the dominant language before the output is in another?", "Eq. 2, section 4.2"),
    "multilingual/trend": ("Whose words do the layers speak, from the first to the last?", "section 4.2"),
    "multilingual/steering": ("Does pushing the states with English words move what is written?", "section 4.3 (ActAdd)"),
    "arithmetic/similarity": ("Do an expression in digits and the same in words lie closer together?", "section 4.4"),
    "arithmetic/trajectory": ("Does a digit prompt pass through the number words?", "section 4.4, figure of paths"),
    "arithmetic/intervention": ("Does a difference of number words change the digit?", "section 4.4"),
}


def around(value: float, half: float = 0.02) -> dict:
    return {"value": value, "low": value - half, "high": value + half}


def similarity(model: str, task: str = "multilingual/similarity", pairs: Mapping[str, float] = PAIRS) -> Iterator[Reading]:
    places, splits = ("probe", "last", "mean"), {"test": 500, "test-bridged": 100, "test-never-bridged": 100}
    shares = {"test": 1.0, "test-bridged": 1.1, "test-never-bridged": 0.25}
    base = {"task": task, "protocol": "sound", "model": model}
    for (pair, top), place, variant, (split, n) in itertools.product(pairs.items(), places, ("raw", "centred"), splits.items()):
        scale = top * STRENGTH[model] * {"probe": 1.0, "last": 0.2, "mean": 0.9}[place] * shares[split]
        columns = {**base, "group": pair, "position": place, "variant": variant, "split": split, "n": n}
        for layer, share in enumerate(SHAPE):
            half = 0.006 + 0.02 * share * (500 / n) ** 0.5
            yield Reading(measure="adjusted_cosine", layer=layer, **columns, **around(scale * share, half))
            for control, less in (("swapped", 0.95), ("same-last-word", 0.85)):
                yield Reading(measure="adjusted_cosine", control=control, layer=layer, **columns, **around(scale * share * less, half))
            for group in (pair, "-".join(reversed(pair.split("-")))):
                found = around(min(0.95, 1.1 * scale * share + 0.002), half)
                yield Reading(measure="p_at_1", layer=layer, **columns | {"group": group}, **found)
        if place == "probe" and variant == "raw":
            yield Reading(measure="p_value", **columns, value=0.002 if STRENGTH[model] == 1 else 0.4)


def lens(model: str) -> Iterator[Reading]:
    english, own = (0.05, 0.05, 0.05, 0.04, 0.05, 0.08, 0.12, 0.06, 0.002), (0.02, 0.02, 0.02, 0.02, 0.04, 0.05, 0.06, 0.31, 0.62)
    wrong = (0.04, 0.03, 0.03, 0.03, 0.02, 0.02, 0.01, 0.002, 0.0005)
    if model != HUB:
        english = wrong if model == MISPAIRED else (0.001,) * 9
        own = own if model == MISPAIRED else (0.001,) * 9
        wrong = wrong if model == MISPAIRED else (0.001,) * 9
    base = {"task": "multilingual/lens", "protocol": "sound", "model": model, "position": "last", "split": "test", "n": 90}
    for type, (answer, layer) in itertools.product(("en", "es", "zh", "de"), itertools.product(("en", "es", "zh", "de"), range(9))):
        rows = {**base, "group": f"{type}:{answer}", "layer": layer}
        right = own[layer] if answer == type else english[layer] if answer == "en" else english[layer] / 8
        yield Reading(measure="prob", **rows, **around(right, right / 6))
        yield Reading(measure="prob", control="wrong-word", **rows, **around(wrong[layer], wrong[layer] / 6))
        yield Reading(measure="logprob", **rows, **around(math.log(right), 0.15))
        yield Reading(measure="lift", **rows, **around(right / wrong[layer], 0.2 * right / wrong[layer]))
        if answer != type:
            gap = math.log(right / own[layer])
            yield Reading(measure="anchor", **rows, **around(gap, 0.2))
            yield Reading(measure="anchor", **rows | {"variant": "no-norm"}, **around(gap * 0.6, 0.3))
            yield Reading(measure="anchor", control="wrong-word", **rows, **around(0.1 - 0.1 * layer, 0.2))
    for type in ("es", "zh", "de"):
        yield Reading(measure="eligible", **base | {"group": f"{type}:en"}, value=0.81)


def trend(model: str) -> Iterator[Reading]:
    base = {"task": "multilingual/trend", "protocol": "sound", "model": model, "position": "all", "n": 60}
    for type, answer, layer in itertools.product(("en", "es", "zh"), ("en", "es", "zh"), range(9)):
        share = layer / 8 if model != UNTRAINED else 0
        value = 0.33 + (0.6 if answer == type else -0.3) * share
        yield Reading(measure="mass", group=f"{type}:{answer}", layer=layer, **base, **around(value))
        yield Reading(measure="mass", group=f"{type}:{answer}", layer=layer, control="random-state", **base, **around(0.33, 0.01))
    yield Reading("multilingual/trend", "sound", model, "coverage", value=0.97, n=2000)


def steering(model: str) -> Iterator[Reading]:
    base = {"task": "multilingual/steering", "protocol": "sound", "model": model, "n": 24}
    size = {HUB: 0.5, UNTRAINED: 0.0, MISPAIRED: 0.03}[model]
    settings = [(layer, sign * s) for layer in (0, 2, 4, 6) for s in (0.25, 0.5, 1.0) for sign in (1, -1)]
    for target, split in itertools.product(("en", "es", "zh", "de"), ("choose", "report")):
        rows = {**base, "group": f"en>{target}", "split": split, "position": "all"}
        for layer in (0, 2, 4, 6):
            for measure, value in (("sentiment", 0.02), ("perplexity", 14.0), ("relevance", 0.8), ("drift", 0.04)):
                yield Reading(measure=measure, layer=layer, strength=0.0, **rows, **around(value, 0.08 * max(value, 0.5)))
        for layer, strength in settings:
            effect = size * strength * {0: 0.25, 2: 0.7, 4: 1.0, 6: 0.8}[layer]
            yield from pushed({**rows, "layer": layer, "strength": strength}, effect)
        for control, share in (("random-direction", 0.03), ("neutral-word", 0.05), ("as-text", 0.2), ("layer-0", 0.25)):
            for strength in (1.0, -1.0):
                where = {"as-text": {"position": None}, "layer-0": {"layer": 0}}.get(control, {"layer": 4})
                change = around(size * strength * share, 0.1)
                yield Reading(measure="sentiment_change", **rows | where, control=control, strength=strength, **change)
                excess = size * (1 - share)
                yield Reading(measure="sentiment_excess", **rows, control=control, layer=4, strength=strength, **around(excess, 0.12))


def pushed(rows: dict, effect: float) -> Iterator[Reading]:
    yield Reading(measure="sentiment", **rows, **around(effect + 0.02, 0.09))
    yield Reading(measure="sentiment_change", **rows, **around(effect, 0.1))
    strong = abs(rows["strength"])
    for measure, value in (("perplexity", 14 + 9 * strong), ("relevance", 0.8 - 0.1 * strong), ("drift", 0.04 + 0.05 * strong)):
        yield Reading(measure=measure, **rows, **around(value, 0.05 * value))


def arithmetic(model: str) -> Iterator[Reading]:
    base = {"task": "arithmetic/similarity", "protocol": "sound", "model": model, "group": "en-digits", "variant": "raw", "n": 846}
    for place, split, layer in itertools.product(("last", "mean"), ("plus", "times"), range(9)):
        value = 0.4 * SHAPE[layer] * STRENGTH[model]
        rows = {**base, "position": place, "split": split, "layer": layer}
        yield Reading(measure="adjusted_cosine", **rows, **around(value))
        yield Reading(measure="adjusted_cosine", control="same-last-operand", **rows, **around(value * 0.4))
    base = {"task": "arithmetic/trajectory", "protocol": "sound", "model": model, "position": "last", "split": "plus", "n": 100}
    for layer, control in itertools.product(range(9), (None, "random-state")):
        share = 0.5 + (0.3 * SHAPE[layer] if control is None else 0)
        yield Reading(measure="near_en", group="digits:en", control=control, layer=layer, **base, **around(share))
    yield from number_words(model)


def number_words(model: str) -> Iterator[Reading]:
    base = {"task": "arithmetic/intervention", "protocol": "sound", "model": model, "group": "en>digits", "split": "report"}
    base |= {"position": "last", "n": 40}
    for layer, strength in itertools.product((0, 4, 6), (0.0, 0.25, 0.5, 1.0, 2.0)):
        right = min(0.9, strength * 0.4) * STRENGTH[model] * (layer > 0)
        for measure, value in (("correct", right), ("unchanged", 0.9 - right), ("other", 0.1)):
            yield Reading(measure=measure, layer=layer, strength=strength, **base, **around(value, 0.06))
        if strength:
            yield Reading(measure="correct_change", layer=layer, strength=strength, **base, **around(right, 0.06))
    for control in ("wrong-word", "random-direction", "as-text", "layer-0"):
        where = {} if control == "as-text" else {"layer": 0 if control == "layer-0" else 6}
        yield Reading(measure="correct_change", control=control, strength=1.0, **base, **where, **around(0.02, 0.05))
        yield Reading(measure="correct_excess", control=control, strength=1.0, layer=6, **base, **around(0.38 * STRENGTH[model], 0.07))


def everything(models: Iterable[str] = MODELS) -> list[Reading]:
    makers = (similarity, lens, trend, steering, arithmetic)
    return [row for model in models for maker in makers for row in maker(model)]


def token_map() -> list[dict]:
    """Three inputs, as `methods.decode.token_map` gives them, each word with its type."""
    inputs = {
        "zh": ("狗追猫。这代表了", "狗 追 猫 。 这 代表 了", "dog chase cat . this represents a"),
        "es": ("El perro ve a la niña.", "El perro ve a la niña .", "the dog sees to the girl ."),
        "en": ("The cat sleeps.", "The cat sleeps .", "cat sleeps . This"),
    }
    facts = lambda t, tokens, english: {"tokens": tokens, "layers": list(range(9)), "words": words(t, tokens, english)}  # noqa: E731
    return [{"type": t, "text": text, **facts(t, tokens.split(), english.split())} for t, (text, tokens, english) in inputs.items()]


def words(type: str, tokens: list[str], english: list[str]) -> list[list]:
    """Layer by layer: pieces at first, English in the middle, the text's own language at the end."""
    dice = random.Random(type)
    own = [*tokens[1:], "。" if type == "zh" else "."]
    rows = []
    for layer in range(9):
        pairs = zip(english, own, strict=True)
        said = [("<0xE7>", "other") if layer < 2 else (word, "en") if layer < 7 else (mine, type) for word, mine in pairs]
        rows.append([[[word, round(dice.uniform(0.05, 0.2) + 0.08 * layer, 3), of], [" the", 0.04, "en"]] for word, of in said])
    return rows


def paths() -> dict:
    turn = lambda r, a: [round(r * math.cos(a), 3), round(r * math.sin(a), 3)]  # noqa: E731
    names = "zero one two three four five six seven eight nine".split()
    marks = [{"type": "digits", "word": str(i), "place": [2 + turn(0.8, i)[0], turn(0.8, i)[1]]} for i in range(10)]
    marks += [{"type": "en", "word": name, "place": [-2 + turn(1, i)[0], 1 + turn(1, i)[1]]} for i, name in enumerate(names)]
    way = [[-0.5 * k if k < 5 else -2.5 + 1.4 * (k - 5), 0.2 * k] for k in range(9)]
    items = [{"item": f"i{j}", "path": [[x + 0.05 * j, y - 0.07 * j] for x, y in way]} for j in range(12)]
    return {"layers": list(range(9)), "landmarks": marks, "mean": way, "items": items}


def extras(model: str) -> dict[str, dict]:
    chosen = {f"en>{t}": {"layer": 4, "strength": 1.0} for t in ("en", "es", "zh", "de")}
    found = {
        "multilingual/steering": {"chosen": chosen},
        "arithmetic/intervention": {"chosen": {"en>digits": {"layer": 6, "strength": 1.0}}},
        "arithmetic/trajectory": {"paths": paths()},
    }
    return {task: {"task": task, "model": model, **more} for task, more in found.items()}


def declared(task: str) -> dict:
    """A task as a run records it."""
    question, paper = TASKS.get(task, ("", ""))
    return {"name": task, "question": question, "paper": paper, "against": "no difference from the controls", "method": find(task).method}


def spec(models: Mapping[str, str] = MODELS, depth: int = LAYERS, **changes) -> dict:
    checks = [{"name": "lens-at-last-layer", "passed": True, "error": 3e-7, "tolerance": 1e-4, "detail": "own logits"}]
    facts = {"revision": None, "weights_hash": "0123456789abcdef", "layers": depth, "certificate": {"passed": True, "checks": checks}}
    return {
        "protocol": "sound",
        "seed": 0,
        "limit": None,
        "types": ["en", "es", "zh", "de", "digits"],
        "versions": {"semhub": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "numpy": "2.4.6"},
        "models": [{"name": name, "role": role, **facts} for name, role in models.items()],
        "tasks": [declared(task) for task in TASKS],
        "data": {"source": "world", "hash": "world", "skipped": 0, "notes": []},
    } | changes


def write(folder: Path, readings: list[Reading] | None = None, models: Mapping[str, str] = MODELS, parts: bool = True, **changes) -> Path:
    """A run folder of these readings (by default: everything), its spec changed as said."""
    readings = everything(models) if readings is None else readings
    store.write_whole(folder / "spec.json", store.to_json(spec(models, **changes)))
    store.write_whole(folder / "readings.parquet", store.parquet(readings, store.READINGS))
    outcome = Outcome("multilingual/steering", "sound", HUB, "sentiment", "r1", group="en>es", value=0.4, text="muy bueno")
    store.write_whole(folder / "outcomes.parquet", store.parquet([outcome], store.OUTCOMES))
    if parts:
        maps = {"model": next(iter(models)), "norm": "final", "tokens": token_map()}
        store.write_whole(folder / "tokens.json", store.to_json(maps))
        beside = {store.part_name(task, model): more for model in models for task, more in extras(model).items()}
        for name, more in beside.items():
            store.write_whole(folder / "parts" / f"{name}.json", store.to_json(more))
    return folder


if __name__ == "__main__":
    from semhub.report import write_report

    print(write_report(write(Path(sys.argv[1]))))

"""What a growing model is asked, and the few numbers that its answers come to: does a hub show, and how much of one?

On the world: scenes and questions of the dev split, so that the test split stays unopened while recipes are chosen. With a
corpus of one's own: pairs and items of one's own. Knows neither how models are grown nor when they are asked.
"""

from collections.abc import Mapping, Sequence

from semhub.data import world
from semhub.errors import BadInput
from semhub.methods import Compare, Declaration, Decode, Lens, Place, carry_out
from semhub.methods.bench import Bench
from semhub.types import Reading

SPLIT = "dev"
FIGURES = ("shared", "retrieved", "transferred", "anchored")


def questions(recipe: Mapping, limit: int, pairs=None, items=None) -> dict[str, Declaration]:
    """Task name -> what to ask of a model of this recipe. Raises BadInput where there is nothing to ask about."""
    if "kind" in recipe:
        return {"similarity": heard_or_seen(recipe, limit)}
    languages = tuple(language for language in recipe["languages"] if recipe["mixture"][language] > 0)
    asked: dict[str, Declaration] = {}
    if pairs is not None:
        known = tuple(language for language in languages if language in pairs.types) or tuple(pairs.types)
        asked["similarity"] = Compare(known, {None: list(pairs.concepts)[:limit]}, (Place("last"), Place("mean", at="mean")), measures=BOTH)
    elif "corpus" not in recipe:
        asked["similarity"] = similarity(recipe, languages, limit)
    if items is not None and items.clozes:
        clozes = list(items.clozes)[:limit]
        types = tuple(dict.fromkeys(type for cloze in clozes for type in (cloze.type, *cloze.targets)))
        asked["lens"] = Decode(types, {None: clozes}, LENS)
    elif "corpus" not in recipe and len(languages) > 1:
        asked["lens"] = Decode(languages, {SPLIT: world.questions(limit, SPLIT, types=languages)}, LENS)
    if not asked:
        raise BadInput("A model of your own corpus can be asked about your own data alone: give --pairs (or --items).")
    return asked


BOTH = ("adjusted_cosine", "p_at_1")
LENS = Lens(wrong=True, anchor=True, accuracy=True, cluster="source")


def similarity(recipe: Mapping, languages: tuple[str, ...], limit: int) -> Compare:
    """Scenes at the probe, those of concepts that no bridge contained apart; planted pairs too, where the dictionary was wrong."""
    sets = {SPLIT: world.scenes(limit, SPLIT, languages)}
    if recipe["bridges"]["partner"] == "deranged":
        sets[f"{SPLIT}-planted"] = world.scenes(limit, SPLIT, languages, bridged=True, planted=True)
    sets[f"{SPLIT}-never-bridged"] = world.scenes(max(2, limit // 2), SPLIT, languages, bridged=False)
    probe = Place("probe", show=lambda type, text: world.joined(type, text, world.probe(type)))
    return Compare(languages, sets, (probe,), measures=BOTH, controls=("swapped", "same-last-word"), cluster="source")


def heard_or_seen(recipe: Mapping, limit: int) -> Compare:
    """Pictures beside their captions, or sounds beside their labels, of the dev split, in the languages that speak of them."""
    from semhub.data.world import pictures, sounds
    from semhub.tasks import audio, given, vision

    spoken = tuple(language for language in world.LANGUAGES if recipe["mixture"].get(language, 0) > 0)
    if recipe["kind"] == "qwen2-audio":
        types, takes = ("audio", *spoken), {take.noun.key: take for take in reversed(sounds.sounds(1, split=SPLIT))}
        concepts = [audio.concept_of(audio.synthesised(take), types) for take in list(takes.values())[:limit]]
        shown = lambda what: lambda type, text: what if type == "audio" else text  # noqa: E731
        places = (Place("last", show=shown(audio.PROMPT)), Place("mean", "mean", shown(audio.MARK)))
    else:
        types, here = ("image", *spoken), given(types=spoken)
        concepts = [vision.concept_of(vision.drawn(here, each), types) for each in pictures.pictures(limit, split=SPLIT)]
        places = (Place("image", show=vision.prompted(vision.MARK)),)
    return Compare(types, {SPLIT: concepts}, places, measures=BOTH, cluster="source")


def ask(model, asked: Mapping[str, Declaration], seed: int = 0) -> list[Reading]:
    """Every answer of one open model."""
    memo: dict = {}
    return [
        reading
        for task, declaration in asked.items()
        for reading in carry_out(declaration, Bench(model, f"lab/{task}", "sound", seed, memo=memo)).readings
    ]


def key_figures(readings: Sequence[Reading], depth: int, dominant: str) -> list[dict]:
    """The readings of one model as rows of `figure`, `group`, `split`, `control`, `layer`, `value`, `low`, `high`, `n`.

    `shared`: the highest S_l from a quarter of the depth on (`first`: S_0; `last`: at the last block); `retrieved`: P@1 at
    that layer; `transferred`: questions answered in the prompt's own language at the last block; `anchored`: the highest of
    the dominant language's word minus the own one's (log p) before the last block.
    """
    rows = []
    for (task, measure, group, split, control, position), curve in curves(readings).items():
        names = {"group": group, "split": split, "control": control, "position": position}
        inner = [reading for reading in curve.values() if depth / 4 <= reading.layer]
        if measure == "adjusted_cosine":
            rows += [
                _row("shared", max(inner, key=_value), names),
                _row("shared-first", curve[0], names),
                _row("shared-last", curve[depth], names),
            ]
        elif measure == "p_at_1":
            peaks = curves(readings).get((task, "adjusted_cosine", group, split, None, position)) or curves(readings).get(
                (task, "adjusted_cosine", "-".join(reversed(group.split("-"))), split, None, position)
            )
            layer = max((r for r in peaks.values() if depth / 4 <= r.layer), key=_value).layer
            rows.append(_row("retrieved", curve[layer], names))
        elif measure == "accuracy" and len(set(group.split(":"))) == 1:
            rows.append(_row("transferred", curve[depth], names))
        elif measure == "anchor" and group.endswith(f":{dominant}"):
            rows.append(_row("anchored", max((r for r in curve.values() if 0 < r.layer < depth), key=_value, default=curve[depth]), names))
    return rows


def curves(readings: Sequence[Reading]) -> dict[tuple, dict[int, Reading]]:
    """Readings by what they are about, then by layer; raw states and the usual reader only."""
    found: dict[tuple, dict[int, Reading]] = {}
    for r in readings:
        if r.variant in (None, "raw") and r.layer is not None:
            found.setdefault((r.task, r.measure, r.group, r.split, r.control, r.position), {})[r.layer] = r
    return found


def _value(reading: Reading) -> float:
    return reading.value


def _row(figure: str, reading: Reading, names: Mapping) -> dict:
    return {
        "figure": figure,
        **names,
        "layer": reading.layer,
        "value": reading.value,
        "low": reading.low,
        "high": reading.high,
        "n": reading.n,
    }

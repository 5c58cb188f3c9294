"""What makes a hub? The same recipe with one thing varied (bridge kind, bridge rate, dominance), each grown and asked.

Writes `<out>/<setting>/` (the grown model) for every setting, parts and `sweep.parquet`: key figures with the settings' columns.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from semhub.errors import BadInput
from semhub.lab import Recipe, read_recipe, train
from semhub.lab.exam import exam
from semhub.lab.folder import open_grown
from semhub.lab.recipe_file import varied
from semhub.runs import store
from semhub.studies import hub_measures, kept
from semhub.studies.emergence import dominant

LIMIT = 200


def sweep(
    recipe: str | Path,
    over: Sequence[str],
    out: Path | None = None,
    *,
    seed: int = 0,
    limit: int = LIMIT,
    pairs: Path | str | None = None,
    items: Path | str | None = None,
    compile: bool = False,
    device: str | None = None,
    progress: Callable | None = None,
    watch: Callable[[str], None] = lambda told: None,
) -> Path:
    """Grow and ask every setting of `over` (`bridges.translation=0,0.06,0.12`; several: every combination) -> the study's folder.

    The same call again goes on where it stopped. Raises BadRecipe for a key or value that the recipe cannot take.
    """
    base = read_recipe(recipe)
    settings = combinations(over)
    recipes = {named(setting): varied_by(base, setting) for setting in settings}
    out = Path(out or Path("grown") / f"{base.name}-sweep-{seed}")
    asked_of = {name: hub_measures.questions(each.as_dict(), limit, **kept.own_data(pairs, items)) for name, each in recipes.items()}
    out.mkdir(parents=True, exist_ok=True)
    kept.begin(
        out / "asked",
        {"recipe": base.as_dict(), "seed": seed, "limit": limit, "pairs": pairs and str(pairs), "items": items and str(items)},
    )
    figures = []
    for setting, (name, each) in zip(settings, recipes.items(), strict=True):
        watch(f"{name}: growing")
        folder = train(each, out / name, seed=seed, compile=compile, device=device, progress=progress)
        found, depth = kept.asked_once(out / "asked", name, name, asked_of[name], lambda folder=folder: open_grown(folder))
        place = {key: str(value) for key, value in setting.items()}
        figures += [place | row for row in hub_measures.key_figures(found, depth, dominant(each.as_dict()))]
        figures += [place | row for row in accuracies(each, folder)]
    store.write_whole(out / "sweep.parquet", kept.table(figures))
    return out


def combinations(over: Sequence[str]) -> list[dict[str, object]]:
    """`["a=1,2", "b=x"]` -> every combination of the values, each read as YAML reads it. Raises BadInput."""
    axes: dict[str, list] = {}
    for each in over:
        key, mark, values = each.partition("=")
        found = [_value(value, each) for value in values.split(",") if value.strip()]
        if not mark or not key.strip() or not found:
            raise BadInput(f"--over {each}: key=value,value,... was asked for, such as bridges.translation=0,0.06,0.12.")
        if key.strip() in axes or len(set(map(str, found))) < len(found):
            raise BadInput(f"--over {each}: a key and each of its values can be named only once.")
        axes[key.strip()] = found
    if not axes:
        raise BadInput("A sweep needs something to vary: --over bridges.translation=0,0.06,0.12.")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _value(text: str, over: str):
    """One value as YAML reads it. Raises BadInput for what is no number and no word."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, bool | int | float | str):
        raise BadInput(f"--over {over}: {text.strip()!r} is no number and no word; values stand side by side with commas, as in x=1,2.")
    return value


def named(setting: Mapping[str, object]) -> str:
    """A folder name that a person can read."""
    return store.slug("-".join(f"{key}-{value}" for key, value in setting.items()))


def varied_by(base: Recipe, setting: Mapping[str, object]) -> Recipe:
    for key, value in setting.items():
        base = varied(base, key, value)
    return replace(base, name=f"{base.name}-{named(setting)}")


def accuracies(recipe: Recipe, folder: Path) -> list[dict]:
    """What the model can do inside each language, without which a missing hub means nothing; the dev split."""
    empty = {"split": "dev", "control": None, "position": None, "layer": None}
    scores = [] if recipe.corpus else exam(folder)
    return [
        {"figure": f"accuracy-{s.subject}", "group": s.type, **empty, "value": s.accuracy, "low": s.low, "high": s.high, "n": s.n}
        for s in scores
    ]

"""When does a hub appear? The hub measures at every checkpoint of a model, against its training step.

Writes `<model>.emergence/`: a part for every step (asked once), `readings.parquet` and `emergence.parquet` (the key figures).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from semhub.errors import BadInput
from semhub.lab import read_recipe, train
from semhub.lab.folder import checkpoints, open_checkpoint, recipe_of
from semhub.methods.declare import Compare
from semhub.runs import store
from semhub.studies import hub_measures, kept

LIMIT = 200  # items of each kind


def emergence(
    target: str | Path,
    out: Path | None = None,
    *,
    seed: int = 0,
    limit: int = LIMIT,
    pairs: Path | str | None = None,
    items: Path | str | None = None,
    device: str | None = None,
    progress: Callable | None = None,
    watch: Callable[[str], None] = lambda told: None,
) -> Path:
    """Measure the model `target`, a grown folder (finished or not) or a recipe, which is grown first -> the folder of the study.

    The same call again asks only what is missing. Raises BadInput where no checkpoints are kept, or nothing can be asked.
    """
    folder = grown(target, seed, device, progress)
    way = checkpoints(folder)
    recipe = recipe_of(folder.with_name(folder.name + ".growing"))
    asked = hub_measures.questions(recipe, limit, **kept.own_data(pairs, items))
    out = Path(out or folder.with_name(folder.name + ".emergence"))
    data = {"pairs": pairs and str(pairs), "items": items and str(items)}
    places = [place.name for each in asked.values() if isinstance(each, Compare) for place in each.places]
    kept.begin(out, {"model": folder.name, "recipe": recipe, "limit": limit, "places": places, **data})
    figures, readings = [], []
    for checkpoint in way:
        place = {"step": checkpoint.step}
        found, depth = kept.asked_once(
            out, f"step-{checkpoint.step:06d}", folder.name, asked, lambda at=checkpoint: open_checkpoint(folder, at)
        )
        watch(f"step {checkpoint.step}: asked")
        figures += [place | row for row in hub_measures.key_figures(found, depth, dominant(recipe))]
        readings += [place | asdict(reading) for reading in found]
    store.write_whole(out / "readings.parquet", kept.table(readings))
    store.write_whole(out / "emergence.parquet", kept.table(figures))
    return out


def dominant(recipe: Mapping) -> str:
    """The language that most is told in: the world's recipes name it first, in a corpus of one's own it has the largest share."""
    if "corpus" not in recipe and "languages" in recipe:
        return recipe["languages"][0]
    return max(recipe["mixture"], key=recipe["mixture"].get)


def grown(target: str | Path, seed: int, device: str | None, progress: Callable | None) -> Path:
    """The model's folder: the one named (its checkpoints folder will do), or that of a recipe grown now."""
    folder = Path(str(target).rstrip("/").removesuffix(".growing"))
    if folder.is_dir() or folder.with_name(folder.name + ".growing").is_dir():
        return folder
    if folder.suffix == "" and len(folder.parts) > 1:
        raise BadInput(f"{target} is neither a grown folder nor a recipe.")
    return train(read_recipe(target), seed=seed, device=device, progress=progress)

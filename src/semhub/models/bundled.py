"""The models that the package carries: folders on a shelf, each described by its own recipe.json and config.json.

Beside the folders stand two kinds that are made rather than stored: the untrained twin of every hub, and two strangers taken
together, whose states are compared across the two.
"""

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from semhub.errors import ModelNotFound

HUB = "semhub-text"
SHELF = Path(__file__).parents[1] / "bundle"
RECIPES = Path(__file__).parents[1] / "lab" / "recipes"
UNTRAINED = re.compile(r"(?P<model>.+)-untrained(?:-(?P<seed>\d+))?")
STRANGERS = "control:strangers"
CONTROLS = ("untrained", "mispaired", "deranged", "apart", "strangers", "zh-dominant")  # the kinds of `control:...`


@dataclass(frozen=True)
class Bundled:
    """A bundled model: its role (`hub`, `control:...`), Hugging Face model type, data types, folder and size.

    `path` is None for a model that is made: from the configuration of another, `made_from`, and a seed, or of `strangers`.
    """

    name: str
    role: str
    format: str = "llama"
    types: tuple[str, ...] = ()
    path: Path | None = None
    made_from: Path | None = None
    strangers: tuple["Bundled", ...] = ()

    @property
    def bytes(self) -> int:
        """The size of the folder; 0 where nothing is stored."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file()) if self.path and self.path.is_dir() else 0

    def require(self) -> Path:
        """The folder that the model is read from. Raises ModelNotFound where it is not there."""
        folder = self.path or self.made_from or self.strangers[0].path
        if not (folder / "config.json").exists():
            raise not_here(self.name)
        return folder


def bundled() -> list[Bundled]:
    """What lies on the shelf: the text hub first, then other hubs, then controls, by name; only what is there."""
    folders = sorted(path for path in SHELF.iterdir() if (path / "config.json").is_file()) if SHELF.is_dir() else []
    stored = [described(folder) for folder in folders]
    twins = [
        Bundled(twin_name(hub.name), "control:untrained", hub.format, hub.types, made_from=hub.path) for hub in stored if hub.role == "hub"
    ]
    return sorted([*stored, *twins, *together(stored)], key=lambda each: (each.role != "hub", each.name != HUB, each.name))


def described(folder: Path) -> Bundled:
    """A folder as its own files tell it. Without a recipe it is a network of random weights, there for its mechanics."""
    recipe = read(folder / "recipe.json").get("recipe", {})
    role = role_of(recipe) if recipe else "mechanics"
    return Bundled(folder.name, role, read(folder / "config.json").get("model_type", ""), types_of(recipe), folder)


def role_of_grown(folder: Path) -> str | None:
    """What a folder that was grown by a recipe is for: a control, or nothing in particular (""); None where no recipe tells."""
    if not read(folder / "recipe.json").get("recipe"):
        return None
    role = described(folder).role
    return role if role.startswith("control") else ""


def role_of(recipe: dict) -> str:
    """What a recipe says, or what its bridges make of it; a model that sees or hears is what the text model is that it was grown around."""
    if "role" not in recipe and (SHELF / str(recipe.get("text")) / "recipe.json").is_file():
        return role_of(read(SHELF / recipe["text"] / "recipe.json").get("recipe", {}))
    return recipe.get("role") or ("control:mispaired" if recipe.get("bridges", {}).get("partner") == "random" else "hub")


def types_of(recipe: dict) -> tuple[str, ...]:
    """What a recipe says that its model reads: its `types`, or its languages, digits where it has sums, and code or formula."""
    mixture = recipe.get("mixture", {})
    sense = {"llava": ("image",), "chameleon": ("image",), "qwen2-audio": ("audio",)}.get(recipe.get("kind"), ())
    if sense:
        return (*(language for language, share in mixture.items() if share > 0), *sense)
    languages = tuple(language for language in recipe.get("languages", ()) if mixture.get(language, 0) > 0)
    digits = ("digits",) if recipe.get("subjects", {}).get("sums") and "corpus" not in recipe else ()
    others = dict.fromkeys(stream.rpartition("=")[2] for stream, share in recipe.get("others", {}).items() if share > 0)
    return tuple(recipe.get("types", ())) or (*languages, *digits, *others)


def unmatched(model: Bundled) -> list[str] | None:
    """The types in which a control is not as good as its model (below nine tenths), as its last examination beside it says.

    None where nothing is recorded: of what is no control, was not examined beside its model, or is made.
    """
    exam = read(model.path / "exam.json") if model.path and model.role.startswith("control:") else {}
    beside_its_model = exam.get("matches") and model.name.startswith(f"{exam['beside']}-")
    return [match["type"] for match in exam["matches"] if not match["matched"]] if beside_its_model else None


def read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def together(stored: list[Bundled]) -> list[Bundled]:
    """Strangers of one family (`NAME-strangers-en`, `NAME-strangers-zh`) as one model, `NAME-strangers`."""
    families: dict[str, list[Bundled]] = {}
    for each in stored:
        if each.role == STRANGERS:
            families.setdefault(each.name.rpartition("-")[0], []).append(each)
    return [
        Bundled(name, STRANGERS, each[0].format, tuple(stranger.types[0] for stranger in each), strangers=tuple(each))
        for name, each in families.items()
        if len(each) > 1
    ]


def find_bundled(name: str) -> Bundled | None:
    return next((each for each in bundled() if each.name == name), None)


def twin_name(model: str, seed: int = 0) -> str:
    """What the untrained twin of a model is called; those of other seeds than 0 have theirs behind."""
    return f"{model}-untrained-{seed}" if seed else f"{model}-untrained"


def twin_of(name: str) -> tuple[str, int] | None:
    """(model, seed) of `MODEL-untrained` or `MODEL-untrained-SEED`; None for any other name."""
    found = UNTRAINED.fullmatch(name)
    return (found["model"], int(found["seed"] or 0)) if found else None


def known_elsewhere(name: str) -> bool:
    """Whether the package knows a model of this name that does not lie on the shelf: one that can be grown."""
    return find_bundled(name) is None and (name == twin_name(HUB) or (RECIPES / f"{name}.toml").is_file())


def not_here(name: str) -> ModelNotFound:
    return ModelNotFound(
        f"The bundled model {name} is not in this copy of semhub (looked in {SHELF}); "
        f"install the package again, or grow it with `semhub lab train {name.removesuffix('-untrained')}`."
    )


def nearest_bundled(name: str) -> str | None:
    """The bundled model that a misspelt name means; None where it resembles none."""
    near = difflib.get_close_matches(name, [each.name for each in bundled()], n=1, cutoff=0.8)
    return near[0] if near else None

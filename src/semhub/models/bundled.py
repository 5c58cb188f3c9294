"""The models that the package carries: a catalogue of folders, and the untrained twin, which is made rather than stored."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from semhub.errors import ModelNotFound

HUB = "semhub-text"
TYPES = ("en", "es", "zh", "de", "digits")
SHELF = Path(__file__).parents[1] / "bundle"
UNTRAINED_SEED = 0


@dataclass(frozen=True)
class Bundled:
    """A bundled model: its role (`hub`, `control:...`), Hugging Face model type, data types, folder and size.

    `path` is None for a model that is made from the configuration of another, `made_from`, and a seed.
    """

    name: str
    role: str
    format: str = "llama"
    types: tuple[str, ...] = TYPES
    path: Path | None = None
    made_from: Path | None = None

    @property
    def bytes(self) -> int:
        """The size of the folder; 0 where nothing is stored."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file()) if self.path and self.path.is_dir() else 0

    def require(self) -> Path:
        """The folder that the model is read from. Raises ModelNotFound where it is not there."""
        folder = self.path or self.made_from
        if not (folder / "config.json").exists():
            raise ModelNotFound(
                f"The bundled model {self.name} is not in this copy of semhub ({folder} is missing); "
                f"install the package again, or grow it with `semhub lab train {folder.name}`."
            )
        return folder


def bundled() -> list[Bundled]:
    """The hub first, then its controls."""
    return [
        Bundled(HUB, "hub", path=SHELF / HUB),
        Bundled(f"{HUB}-mispaired", "control:mispaired", path=SHELF / f"{HUB}-mispaired"),
        Bundled(f"{HUB}-untrained", "control:untrained", made_from=SHELF / HUB),
    ]


def find_bundled(name: str) -> Bundled | None:
    return next((each for each in bundled() if each.name == name), None)


def nearest_bundled(name: str) -> str | None:
    """The bundled model that a misspelt name means; None where it resembles none."""
    near = difflib.get_close_matches(name, [each.name for each in bundled()], n=1, cutoff=0.8)
    return near[0] if near else None


def untrained_network(twin: Bundled, seed: int = UNTRAINED_SEED):
    """(folder of the tokenizer, network): the hub's configuration with weights as training would begin with them, from a seed."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = twin.require()
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return folder, AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()

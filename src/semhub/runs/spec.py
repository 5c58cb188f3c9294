"""WHAT a run is asked to do, as one value that is written to `spec.json` and compared when a folder is used again.

Knows no network and no measure: weights and data appear by their hashes.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semhub.errors import BadInput, RunMismatch, UnknownName

WORLD = "world"
DTYPES = ("auto", "float32", "bfloat16", "float16", "float64")


@dataclass(frozen=True, slots=True)
class Opening:
    """How a model is opened: the words that pass through to `models.load`; None leaves the choice to it.

    Raises UnknownName for a dtype that there is not, BadInput for what is no device.
    """

    revision: str | None = None
    dtype: str | None = None
    device: str | None = None
    device_map: str | None = None
    trust_remote_code: bool = False
    unsafe_weights: bool = False

    def __post_init__(self):
        if self.dtype is not None and self.dtype not in DTYPES:
            raise UnknownName("dtype", self.dtype, DTYPES)
        if self.device is not None and not re.fullmatch(r"[a-z]+(:\d+)?", self.device):
            raise BadInput(f"--device {self.device!r} is no device; write for example cpu, cuda, cuda:1 or mps.")

    def keywords(self) -> dict:
        return {name: value for name, value in asdict(self).items() if value not in (None, False)}


AS_IT_COMES = Opening()


@dataclass(frozen=True, slots=True)
class Spec:
    """Everything that decides the numbers of a run (`IDENTITY`), and how it was carried out.

    `models`: the model asked for, then its controls. `weights`: a hash per model, as far as it is known before loading.
    `layers`, `types`, `limit` None mean all. `data` and `own_items` are hashes, and `own_data` a hash per kind of real data,
    `own_lens` that of an affine lens; `pairs`, `items`, `sources` and `lens` say where they were found.
    """

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    protocol: str = "sound"
    seed: int = 0
    limit: int | None = None
    layers: tuple[int, ...] | None = None
    types: tuple[str, ...] | None = None
    scorers: str = "package"
    data: str = WORLD
    own_items: str | None = None
    own_data: Mapping[str, str] | None = None
    own_lens: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    pairs: str | None = None
    items: str | None = None
    sources: Mapping[str, str] | None = None
    lens: str | None = None
    skip_bad: bool = False
    batch_tokens: int = 8192
    opening: Opening = AS_IT_COMES

    def identity(self) -> dict:
        """What two runs must share for their numbers to be the same; a smaller batch or another device is no other run."""
        everything = json.loads(json.dumps(asdict(self)))
        return {name: everything[name] for name in IDENTITY} | {"dtype": self.opening.dtype, "revision": self.opening.revision}

    def short(self) -> str:
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()[:8]

    def as_dict(self) -> dict:
        return json.loads(json.dumps(asdict(self))) | {"identity": self.identity()}


HOW = ("pairs", "items", "sources", "lens", "skip_bad", "batch_tokens", "opening")
IDENTITY = tuple(each.name for each in fields(Spec) if each.name not in HOW)


def same_spec(stored: Mapping, spec: Spec, folder: Path) -> None:
    """Raises RunMismatch that names each field in which the run in `folder` differs from `spec`."""
    before, now = stored.get("identity", {}), spec.identity()
    differing = [f"{name} was {_brief(before.get(name))}, now {_brief(now[name])}" for name in now if before.get(name) != now[name]]
    if differing:
        raise RunMismatch(f"{folder} holds a run of another spec ({'; '.join(differing)}). Give another --out, or the same options.")


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def versions() -> dict[str, str]:
    """The packages whose version can change a number."""
    from semhub import __version__

    found = {"semhub": __version__}
    for name in ("torch", "transformers", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def parse_layers(text: str | None) -> tuple[int, ...] | None:
    """`"0,4-6"` -> `(0, 4, 5, 6)`; None stays None. Raises BadInput on anything else."""
    if text is None:
        return None
    layers: set[int] = set()
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or int(high or low) < int(low):
            raise BadInput(f"--layers {text!r}: {part.strip()!r} is no layer and no range of layers; write for example 0,4-8.")
        layers.update(range(int(low), int(high or low) + 1))
    return tuple(sorted(layers))


def parse_data(given: Sequence[str] | None) -> dict[str, str]:
    """`["code=mbpp.jsonl"]` -> `{"code": "mbpp.jsonl"}`. Raises BadInput on anything else, and for a name given twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, path = text.partition("=")
        if not (equals and name.strip() and path.strip()):
            raise BadInput(f"--data {text!r}: write NAME=PATH, such as code=mbpp.jsonl.")
        if name.strip() in found:
            raise BadInput(f"--data names {name.strip()!r} twice.")
        found[name.strip()] = path.strip()
    return found


def parse_types(text: str | None) -> tuple[str, ...] | None:
    """`"en,zh"` -> `("en", "zh")`."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())

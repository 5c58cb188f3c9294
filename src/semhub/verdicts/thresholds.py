"""Every number that decides a verdict, in one place, each with what it is; a file can change any of them.

Knows no readings. `docs/verdicts.md` is written from the texts here (`explain.py`).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from semhub.errors import BadInput, UnknownName


def number(default: float, told: str):
    return field(default=default, metadata={"told": told})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a verdict needs; other values say other things about the same readings."""

    alpha: float = number(0.05, "highest corrected p-value of a supported claim")
    enough: int = number(20, "fewest items behind an effect or a control; with fewer, nothing is said")
    similarity: float = number(0.05, "smallest effect of interest of *shared*: S, a difference of cosines")
    rise: float = number(0.02, "smallest rise of S from layer 0 to the layer spoken of")
    twin_quantile: float = number(0.975, "quantile of the untrained twin's S that the effect must exceed")
    lead: float = number(0.1, "smallest effect of interest of *anchored*: a difference of natural log-probabilities")
    lift: float = number(1.5, "how many times as probable as wrong words of its frequency the anchor's right word must be, at least")
    probability: float = number(0.02, "mean probability that the anchor's right word must reach at the layer spoken of")
    push: float = number(0.1, "smallest effect of interest of *used*: a change of sentiment (from -1 to 1) or of a share of answers")
    drift: float = number(0.5, "share of outputs out of their language above which a push is objected to")
    needs_twin: bool = number(True, "whether *shared* is undecided without an untrained twin in the run")
    needs_negatives: bool = number(True, "whether *shared* is undecided without negatives that share words or form with the pair")
    push_controls: tuple[str, ...] = field(
        default=("random-direction", "neutral-word|wrong-word", "as-text", "layer-0"),
        metadata={"told": "pushes that *used* must be measured against (`a|b`: either); others are asked of it where they were run"},
    )
    shown_only: tuple[str, ...] = field(
        default=("wrong-layer",),
        metadata={
            "told": "control pushes that are shown and need not be beaten: a hub may be moved as far by the last layer's difference, or by "
            "the same push at a later layer"
        },
    )

    def as_dict(self) -> dict:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


LIMITS = Thresholds()
SHARES = ("alpha", "twin_quantile")


def told() -> dict[str, str]:
    """What each threshold is, by name."""
    return {each.name: each.metadata["told"] for each in fields(Thresholds)}


def read_thresholds(path: Path | str) -> Thresholds:
    """The defaults with what a TOML file says instead. Raises BadInput or UnknownName, naming the file and the key."""
    path = Path(path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Thresholds {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"Thresholds {path} is no TOML: {error}.") from error
    return changed(found, str(path))


def changed(values: Mapping[str, object], where: str) -> Thresholds:
    """The defaults with these values instead. Raises UnknownName for a name that is none, BadInput for a value of another kind."""
    kinds = {each.name: each.default for each in fields(Thresholds)}
    for name, value in values.items():
        if name not in kinds:
            raise UnknownName("threshold", name, kinds)
        if not fits(value, kinds[name]):
            raise BadInput(f"{where}: {name} = {value!r}; {named(kinds[name])} is wanted, such as {example(kinds[name])}.")
        if name in SHARES and not 0 < value < 1:
            raise BadInput(f"{where}: {name} = {value!r}; a share above 0 and below 1 is wanted, such as {example(kinds[name])}.")
    return Thresholds(**{name: kept(value, kinds[name]) for name, value in values.items()})


def fits(value: object, default: object) -> bool:
    """Whether a value is of the default's kind (a whole number will do for a decimal one), and is a size, not below 0."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, (int,) if isinstance(default, int) else (int, float)) and 0 <= value < float("inf")


def kept(value, default):
    return tuple(value) if isinstance(default, tuple) else float(value) if type(default) is float else value


def named(default: object) -> str:
    kinds = {bool: "true or false", int: "a whole number of 0 or more", float: "a number of 0 or more", tuple: "a list of names"}
    return kinds[type(default)]


def example(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(list(default) if isinstance(default, tuple) else default)

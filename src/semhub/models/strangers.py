"""Two or more models that never met, taken as one: every data type is read by the model that knows it.

Offers what a comparison of states needs (`layers`, `encode`, `read_at`), and no text to continue: what one of them says the
others cannot hear. Their directions have nothing to do with each other, so cosines are a null by construction; measures of
inner geometry (CKA, mutual neighbours) are what strangers are the control for.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semhub.errors import BadInput
from semhub.models.model import Model


@dataclass(frozen=True, eq=False)
class Strangers:
    """`speakers`: the model of each data type, all of one depth and width and with one tokenizer."""

    name: str
    role: str | None
    speakers: Mapping[str, Model] = field(repr=False)
    revision: str | None = None

    def __post_init__(self) -> None:
        if len({(model.layers, model.dim) for model in self.speakers.values()}) != 1:
            raise BadInput(f"The models of {self.name} differ in depth or width; their states cannot be compared layer by layer.")

    def speaker(self, type: str) -> Model:
        """The model that reads texts of a type. Raises BadInput where none does."""
        if type not in self.speakers:
            raise BadInput(f"{self.name} has no model for {type!r}; it reads {', '.join(self.speakers)} (choose them with --types).")
        return self.speakers[type]

    def __getattr__(self, name: str) -> Any:
        """What all of them share (`layers`, `dim`, `encode`, ...); what only one model can do is refused by name."""
        if name in ("layers", "dim", "vocab", "dtype", "device", "context", "tokenizer", "encode", "parts"):
            return getattr(next(iter(self.__dict__["speakers"].values())), name)
        if name in ("read", "read_at", "stream", "generate", "edit", "unembed", "head", "network"):
            each = " or ".join(model.name for model in self.__dict__["speakers"].values())
            mine = self.__dict__["name"]
            raise BadInput(f"{mine} is several models that never met: only their states can be compared. Name one: {each}.")
        raise AttributeError(name)

    @property
    def certificate(self):
        """That of the first one that failed, or of the first."""
        found = [model.certificate for model in self.speakers.values()]
        return next((each for each in found if each is not None and not each.passed), found[0])

    @property
    def weights_hash(self) -> str:
        return hashlib.sha256("".join(model.weights_hash for model in self.speakers.values()).encode()).hexdigest()

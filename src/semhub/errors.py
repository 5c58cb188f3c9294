"""Everything semhub raises on purpose.

SemhubError
└── UserError            a mistake that the command line answers with one line and exit code 2
    ├── UnknownName      a task, model, measure or recipe that does not exist (names the nearest one)
    ├── BadInput         a row, file or option that cannot be used (names file, line and reason)
    ├── BadRecipe        a lab recipe that does not add up
    ├── ModelNotFound    no such folder, no such id, no network, or no right to fetch it
    ├── UnsafeWeights    weights that are no safetensors, or a model that needs remote code
    ├── RunMismatch      a run folder that belongs to another spec
    ├── NotUnderstood    a network whose trunk, blocks, norm or head could not be found by structure
    └── NotProved        a network whose certificate failed: what was checked, what came out
"""

import difflib
from collections.abc import Iterable


class SemhubError(Exception):
    """Base of every error that semhub raises on purpose."""


class UserError(SemhubError):
    """A mistake that a person can mend: one clear line, exit code 2, no traceback."""


class UnknownName(UserError):
    """A name that is not in a catalogue; the message offers the nearest one."""

    def __init__(self, kind: str, asked: str, known: Iterable[str]):
        known = sorted(known)
        near = difflib.get_close_matches(asked, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        super().__init__(f"There is no {kind} {asked!r}; {hint}")


class BadInput(UserError):
    """A row, file or option that cannot be used."""


class BadRecipe(UserError):
    """A lab recipe with an unknown key, a missing one, or a mixture that does not add up."""


class ModelNotFound(UserError):
    """A model that is neither a folder here nor fetchable from the hub."""


class UnsafeWeights(UserError):
    """Weights in a format that can run code, or a model that needs remote code, without leave to use it."""


class RunMismatch(UserError):
    """A run folder that was started with another spec."""


class NotUnderstood(UserError):
    """A network whose trunk, blocks, final norm or head could not be found by structure."""


class NotProved(UserError):
    """A network that failed its own certificate; nothing read from it could be trusted."""

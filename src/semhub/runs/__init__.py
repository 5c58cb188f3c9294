"""DO: a run is a list of parts (task x model), kept in a folder, done where they are missing.

Knows tasks by name and models by what they are asked; tells nothing, the report does that.
"""

from importlib import import_module

_WHERE = {
    "Opening": "spec",
    "Spec": "spec",
    "Plan": "plan",
    "Part": "plan",
    "prepare": "plan",
    "estimate": "estimate",
    "Event": "engine",
    "Run": "engine",
    "carry_out": "engine",
    "readings": "store",
    "outcomes": "store",
    "extras": "store",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'semhub.runs' has no attribute {name!r}")
    return getattr(import_module(f"semhub.runs.{_WHERE[name]}"), name)

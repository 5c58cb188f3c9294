"""semhub: does a model keep one shared space of meaning for all its data types, and does it use it?

The public names, each imported when it is first used, so that `import semhub` loads neither torch nor pandas.
"""

import os
from importlib import import_module

__version__ = "0.1.0"

# Read by huggingface_hub when it is imported: nothing is reported to anyone unless the user asks for it.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

_WHERE = {
    "load": "semhub.models",
    "Model": "semhub.models",
    "Edit": "semhub.models",
    "Sampling": "semhub.models",
    "certify": "semhub.models",
    "run": "semhub.jobs",
    "lens": "semhub.jobs",
    "check": "semhub.jobs",
    "Opening": "semhub.runs",
    "read_pairs": "semhub.data.pairs",
    "adjusted_cosine": "semhub.measures.similarity",
    "precision_at_1": "semhub.measures.similarity",
    "catalogue": "semhub.tasks",
    "task": "semhub.tasks",
    "write_report": "semhub.report",
    "train": "semhub.lab",
    "Concept": "semhub.types",
    "Form": "semhub.types",
    "Cloze": "semhub.types",
    "Prompt": "semhub.types",
    "Reading": "semhub.types",
    "Outcome": "semhub.types",
    "SemhubError": "semhub.errors",
    "UserError": "semhub.errors",
}

__all__ = sorted([*_WHERE, "__version__"])


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'semhub' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__

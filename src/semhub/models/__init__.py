"""Open a network as a residual stream: read it, write into it, unembed it. Knows no task and no measure."""

from importlib import import_module

_WHERE = {
    "load": "semhub.models.opening",
    "Model": "semhub.models.model",
    "Batch": "semhub.models.read",
    "Encoding": "semhub.models.where",
    "Head": "semhub.models.head",
    "Parts": "semhub.models.structure",
    "certify": "semhub.models.prove",
    "Certificate": "semhub.models.prove",
    "Check": "semhub.models.prove",
    "Edit": "semhub.models.write",
    "Generation": "semhub.models.generate",
    "Sampling": "semhub.models.generate",
    "Bundled": "semhub.models.bundled",
    "continuation_id": "semhub.models.tokens",
    "continuation_ids": "semhub.models.tokens",
    "first_continuation_id": "semhub.models.tokens",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'semhub.models' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)

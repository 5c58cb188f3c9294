"""Which bundled model is asked what, when nobody names one: the text hub whatever it can answer, the others what they alone can.

Knows the role, types and format of models, and of a task what it needs; opens nothing.
"""

from collections.abc import Iterable, Mapping


def hosts(tasks: Mapping[str, object], models: Iterable) -> dict[str, str]:
    """Task -> the name of the hub that is asked: of the `format` that the task prefers, else the first one that knows its types.

    Tasks that none of `models` can answer are left out.
    """
    found = ((name, host(task, hubs(models), getattr(task, "format", None))) for name, task in tasks.items())
    return {name: model.name for name, model in found if model is not None}


def host(task, models: Iterable, format: str | None):
    fitting = [each for each in models if task.fits(each.types)]
    return next((each for each in fitting if format is not None and each.format == format), next(iter(fitting), None))


def hubs(models: Iterable) -> list:
    """The models that are no controls, in order."""
    return [each for each in models if each.role == "hub"]


def types(models: Iterable) -> tuple[str, ...]:
    """All types that some hub knows."""
    return tuple(dict.fromkeys(type for each in hubs(models) for type in each.types))

"""Which bundled model is asked what, when nobody names one: the text hub whatever it can answer, the others what they alone can.

Knows the types and the format of bundled models, and of a task what it needs; opens nothing.
"""

from collections.abc import Iterable, Mapping


def hosts(tasks: Mapping[str, object]) -> dict[str, str]:
    """Task -> the bundled model that is asked: of the `format` that the task prefers, else the first one that knows its types.

    Tasks that no bundled model can answer are left out.
    """
    found = ((name, host(task, hubs(), getattr(task, "format", None))) for name, task in tasks.items())
    return {name: each for name, each in found if each is not None}


def host(task, models: Iterable, format: str | None) -> str | None:
    fitting = [each for each in models if task.fits(each.types)]
    return next((each.name for each in sorted(fitting, key=lambda each: each.format != format) if each), None)


def hubs() -> list:
    """The bundled models that are no controls, the text hub first."""
    from semhub.models.bundled import bundled

    return [each for each in bundled() if each.role == "hub"]


def types() -> tuple[str, ...]:
    """All types that some bundled model knows."""
    return tuple(dict.fromkeys(type for each in hubs() for type in each.types))

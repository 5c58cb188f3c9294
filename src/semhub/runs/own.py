"""THE USER'S OWN: pairs, items, real data and lenses, read once for a plan, and what its tasks are given of them. Judges nothing."""

from collections.abc import Callable, Mapping
from functools import cache

from semhub.errors import BadInput


def own_pairs_of(path, types, skip_bad):
    """The user's pairs, or None."""
    if path is None:
        return None
    from semhub.data.pairs import read_pairs

    return read_pairs(path, types=types, skip_bad=skip_bad)


def own_items_of(path, skip_bad):
    """The user's items, or None."""
    if path is None:
        return None
    from semhub.data.items import read_items

    return read_items(path, skip_bad=skip_bad)


def own_data_of(asked: Mapping, skip_bad: bool) -> dict[str, object]:
    """Real data by kind (`mbpp` is `code`). Raises BadInput for a kind given twice."""
    if not asked:
        return {}
    from semhub.data.sources import kind_of, read_source

    kinds = [kind_of(name) for name in asked]
    if twice := [name for name in kinds if kinds.count(name) > 1]:
        raise BadInput(f"--data gives {twice[0]!r} twice.")
    return {kind_of(name): read_source(name, path, skip_bad) for name, path in asked.items()}


def own_lens_of(folder, unsafe: bool):
    """The affine lens of a folder, or None."""
    if folder is None:
        return None
    from semhub.methods.tuned import read_lens

    return read_lens(folder, unsafe)


def given_to_tasks(**what) -> Callable[[], object]:
    """What tasks are asked whether it suits them; the world is loaded for it only where one asks."""

    def given():
        from semhub.tasks import given

        return given(**what)

    return cache(given)

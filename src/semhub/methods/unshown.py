"""Images and sounds that a model cannot be shown: found before anything is read, so that one of them does not end a run.

Knows neither what is asked of an item nor what is in it; texts are not looked at, since they are checked where they come from.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from semhub.errors import BadInput
from semhub.methods.bench import Bench
from semhub.types import Form, Input

TOLD = 200  # items of each reason that the extras name


def unshowable(bench: Bench, given: Iterable[tuple[str, Input]]) -> dict[str, str]:
    """(id, what would be shown) -> the reason, by id, of those that the model's processor refuses or that are longer than its context.

    Raises BadInput where nothing can be shown at all: then it is the model that does not fit, and not an item.
    """
    given = list(given)
    found = {id: reason for id, each in given if (reason := flaw(bench.model, each))}
    if given and len(found) == len(dict(given)):
        raise BadInput(f"{bench.task}: {bench.model.name} can be shown none of {len(found)} items; the first: {next(iter(found.values()))}")
    return found


def flaw(model, given: Input) -> str | None:
    """Why a model cannot be shown this, or None. Its processor is run, and no tower."""
    if not isinstance(given, Form):
        return None
    try:
        (ids,) = model.token_ids([given])
    except BadInput as refusal:
        return str(refusal)
    limit = model.context
    return f"it takes {len(ids)} tokens, and {model.name} reads {limit}" if limit is not None and len(ids) > limit else None


def account(left_out: Mapping[str, str]) -> dict:
    """What a result says of the items that are not in it: how many for each reason, and which."""
    reasons = dict.fromkeys(left_out.values())
    return {
        "left_out": dict(Counter(left_out.values())),
        "items": {why: [item for item, said in left_out.items() if said == why][:TOLD] for why in reasons},
    }

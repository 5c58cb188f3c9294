"""In which order a declaration names its positions and splits: of several, a headline shows the first that is there.

Knows the kinds of declarations, no model and no task.
"""

from semhub.methods.declare import Compare, Declaration, Decode, DecodeMarks, DecodeMedia, Trajectory


def order(ask: Declaration) -> dict[str, list[str | None]]:
    """`position` and `split` -> their values as declared; of kinds of declarations that have no choice, nothing."""
    splits = {"split": list(ask.sets)} if isinstance(ask, Compare | Decode | DecodeMarks | DecodeMedia) else {}
    splits |= {"split": [ask.split]} if isinstance(ask, Trajectory) else {}
    return splits | ({"position": [place.name for place in ask.places]} if isinstance(ask, Compare) else {})

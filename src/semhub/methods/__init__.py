"""HOW a question is answered: one procedure per kind of declaration, blind to which model and which domain.

`carry_out(declaration, bench)` finds the procedure; importing this room loads neither torch nor a model.
"""

from dataclasses import replace
from importlib import import_module

from semhub.methods.declare import (
    Compare,
    Declaration,
    Decode,
    DecodeMarks,
    DecodeMedia,
    DecodeWords,
    Inject,
    Lens,
    Look,
    Patch,
    Place,
    Push,
    Repaint,
    Result,
    Sampled,
    Sight,
    Spread,
    Steer,
    Trajectory,
)
from semhub.methods.order import order
from semhub.methods.tally import tally
from semhub.methods.texts import texts

PROCEDURES = {
    Compare: ("compare", "compare"),
    Decode: ("decode", "decode"),
    DecodeWords: ("decode", "decode_words"),
    DecodeMarks: ("marks", "decode_marks"),
    DecodeMedia: ("media", "decode_media"),
    Patch: ("patch", "patch"),
    Repaint: ("repaint", "repaint"),
    Spread: ("spread", "spread"),
    Steer: ("steer", "steer"),
    Inject: ("inject", "inject"),
    Trajectory: ("trajectory", "trajectory"),
}

__all__ = [
    *(kind.__name__ for kind in PROCEDURES),
    "Declaration",
    "Lens",
    "Look",
    "Place",
    "Push",
    "Result",
    "Sampled",
    "Sight",
    "carry_out",
]


def carry_out(declaration: Declaration, bench) -> Result:
    """Put a declared question to the model on the bench; among the extras `tally`, what was kept and dropped, `texts`, what its items
    are, and `headline`, which of its positions and splits stand first.
    """
    module, name = PROCEDURES[type(declaration)]
    found = getattr(import_module(f"semhub.methods.{module}"), name)(declaration, bench)
    beside = {"tally": tally(declaration, found), "texts": texts(declaration, found), "headline": order(declaration)}
    return replace(found, extras={**found.extras, **beside})

"""Sounds against lines of code, a pair that the paper never asks about: `semhub run own/audio-code --tasks examples/own_audio_code.py`."""

from semhub.data.world import sounds
from semhub.methods import Compare, Place
from semhub.tasks import task
from semhub.types import Concept, Form, Media


@task(
    "own/audio-code",
    question="Do a sound and a line of Python about what makes it lie closer together than a sound and other lines?",
    paper="not in the paper",
    types=("audio", "code"),
    needs=("audio",),
    data="sounds of the bundled world, one of each kind",
    positions="last, mean over content",
    baseline="lines about other sounds",
    measure="adjusted_cosine, p_at_1, p_value",
    against="closeness that is as high at layer 0, or no higher than permuted lines give",
    protocols=("sound",),
)
def audio_and_code(protocol, given):
    concepts = []
    for each in sounds.sounds(1, seed=given.seed)[: given.limit]:
        heard = Media("audio", sounds.synthesise(each), sounds.RATE)
        forms = {"audio": Form("audio", "<audio>", media=heard), "code": Form("code", f"listen({each.noun.en})")}
        concepts.append(Concept(each.id, forms))
    places, measures = (Place("last"), Place("mean", at="mean")), ("adjusted_cosine", "p_at_1", "p_value")
    return Compare(("audio", "code"), {"test": concepts}, places, ("raw", "centred"), measures)

"""Pictures against Chinese captions, a pair that the paper never asks about: `semhub run own/image-zh --tasks examples/own_image_zh.py`."""

from semhub.data.world import pictures
from semhub.methods import Compare, Place
from semhub.tasks import task
from semhub.types import Concept, Form, Media


@task(
    "own/image-zh",
    question="Do a picture and its Chinese caption lie closer together than a picture and other Chinese captions?",
    paper="not in the paper",
    types=("image", "zh"),
    needs=("image",),
    data="pictures of the bundled world",
    positions="last, mean over content",
    baseline="captions of other pictures",
    measure="adjusted_cosine, p_at_1, p_value",
    against="closeness that is as high at layer 0, or no higher than permuted captions give",
    protocols=("sound",),
)
def image_and_chinese(protocol, given):
    concepts = []
    for each in pictures.pictures(given.many(200), seed=given.seed):
        shown = Media("image", pictures.draw(each, given.seed).pixels)
        forms = {"image": Form("image", "<image>", media=shown), "zh": Form("zh", pictures.caption("zh", each))}
        concepts.append(Concept(each.id, forms, facets={"source": each.source}))
    places, measures = (Place("last"), Place("mean", at="mean")), ("adjusted_cosine", "p_at_1", "p_value")
    return Compare(("image", "zh"), {"test": concepts}, places, ("raw", "centred"), measures, cluster="source")

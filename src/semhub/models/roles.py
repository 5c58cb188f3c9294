"""What a model is for where nobody says so: random weights show that the machinery works, and no finding.

Read off a mark in the configuration, or measured: who guesses the next token no better than by chance was never trained.
"""

import math

import torch
from torch import Tensor

from semhub.models.structure import evaluating
from semhub.models.tokens import encode

MECHANICS, MARK = "mechanics", "semhub_role"
# what a trained model may have read; it need only know one of them
TEXTS = (
    "The old dog sees a cat in the house, and the boy gives her the red book.",
    "El perro ve a la gata en la casa, y el niño le da el libro rojo.",
    "Der Hund sieht eine Katze im Haus, und der Junge gibt ihr das rote Buch.",
    "老狗看见了房子里的猫，男孩给了她一本红色的书。",
    "Собака видит кошку в доме, и мальчик даёт ей красную книгу.",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 3+2=5 5=3+2",
    "def add(a, b):\n    return a + b\n\nfor i in range(10):\n    print(add(i, 1))\n",
)
ENOUGH = 8  # different pairs of neighbours, for a text to count
CHANCE = 0.95  # of the surprise of a guess among all tokens alike: whoever is not below it in any text knows nothing


def marked(network) -> str | None:
    """`mechanics`, where the configuration says so; nothing else is taken from there, since a finding is never a matter of say-so."""
    found = getattr(getattr(network, "config", None), MARK, None)
    return MECHANICS if found == MECHANICS else None


def measured(model) -> str | None:
    """`mechanics` for a model that tells no text's next token better than by chance; None for one that has learned something."""
    return MECHANICS if all(surprise(model, text) >= CHANCE * math.log(model.vocab) for text in TEXTS) else None


@torch.no_grad()
def surprise(model, text: str) -> float:
    """Mean of -log p(next token) over a text, in nats; infinite where too little of it can be told."""
    ids = torch.tensor(encode(model.tokenizer, [text])[0].ids[: model.context])
    if len(ids) < 2:
        return math.inf
    with evaluating(model.network):
        logits = model.network(input_ids=ids[None].to(model.device), use_cache=False).logits[0]
    return told(logits.float().cpu(), ids)


def told(logits: Tensor, ids: Tensor) -> float:
    """`logits: [token, vocab]`, `ids: [token]` -> the mean surprise over the pairs of neighbours that differ, each pair once.

    Untrained networks like to repeat a token, and a tokenizer that does not know a script writes the same one over and over.
    """
    pairs = {pair: place for place, pair in enumerate(zip(ids.tolist(), ids[1:].tolist(), strict=False)) if pair[0] != pair[1]}
    if len(pairs) < ENOUGH:
        return math.inf
    places = torch.tensor(sorted(pairs.values()))
    found = float(-logits[places].log_softmax(-1)[torch.arange(len(places)), ids[places + 1]].mean())
    return found if math.isfinite(found) else math.inf

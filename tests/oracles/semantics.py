"""Tasks 12 and 13: sentences against their logical forms, and the roles that the lens expects before a name."""

import torch

from . import plain
from .code import PLACE_MUTATIONS, rows_at, written_after
from .similarity import adjusted_cosine, cosine

ROLES = ("agent", "theme", "recipient")
STATE_MUTATIONS = (
    "layer-off-by-one",
    "missing-norm",
    "padded-position",
    "unmasked-padding",
    "first-token",
    "no-special-tokens",
    "dot-product",
)
SIMILARITY_MUTATIONS = (*STATE_MUTATIONS, "diagonal-in-baseline")
SWAP_MUTATIONS = (*STATE_MUTATIONS, "one-name-alone", "sentence-swapped", "not-swapped")
ROLE_MUTATIONS = (*(name for name in PLACE_MUTATIONS if name != "base-two"), "mean-of-own-kind", "mean-of-means", "nothing-taken-off")


def swapped(form, first, second, mutation=None):
    """The form with two names in each other's places, word by word."""
    if mutation == "not-swapped":
        return form
    new = {first: second, second: first} if mutation != "one-name-alone" else {first: second}
    return " ".join(new.get(word, word) for word in form.split(" "))


def similarity(network, tokenizer, sentences, forms, mutation=None):
    """[layer] S_l of last tokens."""
    a, b = ([plain.last_points(network, tokenizer, text, mutation) for text in side] for side in (sentences, forms))
    return [adjusted_cosine([x[k] for x in a], [y[k] for y in b], mutation) for k in range(len(a[0]))]


def against(network, tokenizer, triples, mutation=None):
    """[layer] mean of cos(sentence, form) - cos(sentence, other form) over (sentence, form, other form)."""
    rows = []
    for texts in triples:
        s, f, o = (plain.last_points(network, tokenizer, text, mutation) for text in texts)
        rows.append([cosine(s[k], f[k], mutation) - cosine(s[k], o[k], mutation) for k in range(len(s))])
    return torch.tensor(rows).mean(0)


def role_lens(network, tokenizer, places, mutation=None):
    """[true role][role][layer] mean probability at the places (sentence, last character before the name, true role), minus
    the mean of that role over all places.
    """
    probability = []
    for text, at, _ in places:
        table = rows_at(network, tokenizer, text, at, mutation)[0].exp()
        probability.append(torch.stack([table[:, written_after(tokenizer, text, at, " " + role)[0]] for role in ROLES]))
    found = torch.stack(probability)
    kinds = [torch.tensor([k for k, (_, _, role) in enumerate(places) if role == own]) for own in ROLES]
    usual = {
        "mean-of-means": torch.stack([found[k].mean(0) for k in kinds]).mean(0),
        "nothing-taken-off": torch.zeros_like(found[0]),
        "mean-of-own-kind": found[kinds[0]].mean(0),
    }.get(mutation, found.mean(0))
    return torch.stack([found[k].mean(0) - usual for k in kinds])

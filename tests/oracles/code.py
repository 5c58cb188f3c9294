"""Tasks 9 to 11: what the lens expects at commas and brackets of programs, and a push by two rows of the unembedding.

Where the commas and brackets stand is told by hand; nothing is parsed here.
"""

import torch

from . import plain
from .lens import READER_MUTATIONS, logprobs

PLACE_MUTATIONS = (*READER_MUTATIONS, "padded-position", "position-off-by-one", "position-after", "base-two", "unnormalised")
CONJUNCTION_MUTATIONS = (*PLACE_MUTATIONS, "word-without-space", "next-but-one")
ROLE_MUTATIONS = (*PLACE_MUTATIONS, "space-before-both", "next-but-one", "last-piece")
INTERVENTION_MUTATIONS = (
    "layer-off-by-one",
    "first-position",
    "after-the-prompt",
    "reversed",
    "one-strength",
    "words-without-space",
    "unit-length",
    "state-of-words",
)


def placed(tokenizer, text, at):
    """(ids, place of the one token that ends with character `at`)."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    ends = [k for k, (start, end) in enumerate(encoded["offset_mapping"]) if start <= at < end]
    return list(encoded["input_ids"]), ends[-1]


def written_after(tokenizer, text, at, word):
    """The ids that `word`, written as it stands, adds to the text up to and with character `at`."""
    before, whole = (plain.encode(tokenizer, shown) for shown in (text[: at + 1], text[: at + 1] + word))
    assert whole[: len(before)] == before
    return whole[len(before) :]


def rows_at(network, tokenizer, text, at, mutation=None):
    """[layer, vocab] log-probabilities at the token that ends with `at`, the ids of the text, and that token's place."""
    ids, place = placed(tokenizer, text, at)
    shift = {"position-off-by-one": -1, "position-after": 1}.get(mutation, 0)
    table = logprobs(network, ids, mutation)[:, -1 if mutation == "padded-position" else place + shift]
    return table / float(torch.log(torch.tensor(2.0))) if mutation == "base-two" else table, ids, place


def conjunction_lens(network, tokenizer, places, words, mutation=None):
    """[what truly follows, *words][layer] mean log p over the places (text, character of the comma)."""
    found = []
    for text, at in places:
        table, ids, place = rows_at(network, tokenizer, text, at, mutation)
        space = "" if mutation == "word-without-space" else " "
        true = ids[place + (2 if mutation == "next-but-one" else 1)]
        found.append(torch.stack([table[:, k] for k in [true, *(written_after(tokenizer, text, at, space + w)[0] for w in words)]]))
    return torch.stack(found).mean(0)


def role_lens(network, tokenizer, places, mutation=None):
    """[argument, name][layer] mean log p over the places (text, character of the mark, name as it would stand there)."""
    found = []
    for text, at, name in places:
        table, ids, place = rows_at(network, tokenizer, text, at, mutation)
        true = ids[place + (2 if mutation == "next-but-one" else 1)]
        if mutation == "space-before-both":
            true = plain.encode(tokenizer, " " + text[at + 1 :].strip(), special=False)[0]
            name = " " + name.strip()
        pieces = written_after(tokenizer, text, at, name)
        found.append(torch.stack([table[:, true], table[:, pieces[-1 if mutation == "last-piece" else 0]]]))
    return torch.stack(found).mean(0)


def row_of(network, tokenizer, word, mutation=None):
    """The raw row of the unembedding for a word after a space (the first of its tokens that is not a bare space)."""
    ids = plain.encode(tokenizer, word if mutation == "words-without-space" else " " + word, special=False)
    pieces = tokenizer.convert_ids_to_tokens(ids)
    first = next(i for i, piece in zip(ids, pieces, strict=True) if piece not in ("▁", "Ġ", " "))
    if mutation == "state-of-words":
        return plain.points(network, plain.encode(tokenizer, word))[1, -1]
    return network.get_output_embeddings().weight[first].detach().float()


def intervene(network, tokenizer, prompt, words, strength, layer, new_tokens=32, mutation=None):
    """Greedy ids after the prompt while U[start] - U[end], times the strength, is added to the prompt's last position."""
    vector = row_of(network, tokenizer, words[0], mutation) - row_of(network, tokenizer, words[1], mutation)
    vector = -vector if mutation == "reversed" else vector
    vector = vector / vector.norm() if mutation == "unit-length" else vector
    vector = vector * (1.0 if mutation == "one-strength" else strength)
    ids = plain.encode(tokenizer, prompt)
    place = 0 if mutation == "first-position" else len(ids) - 1
    grown = list(ids)
    for _ in range(new_tokens):
        places = list(range(place, len(grown))) if mutation == "after-the-prompt" else [place]
        with plain.added(network, layer - (mutation == "layer-off-by-one"), places, [vector] * len(places)):
            best = int(plain.next_logits(network, grown).argmax())
        grown.append(best)
        if best == tokenizer.eos_token_id:
            break
    return grown[len(ids) :]

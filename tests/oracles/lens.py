"""Tasks 2, 3 and 6: the logit lens on the raw residual (no norm) for layers 1..L-1, on the normed one at the last point."""

import torch

from . import plain

READER_MUTATIONS = ("layer-off-by-one", "missing-norm", "norm-everywhere", "unmasked-padding")
MUTATIONS = (*READER_MUTATIONS, "padded-position", "position-off-by-one", "base-two", "unnormalised")
WORD_MUTATIONS = (
    *READER_MUTATIONS,
    "position-off-by-one",
    "base-two",
    "unnormalised",
    "special-tokens",
    "ambiguous-lines-kept",
    "position-zero-kept",
    "mean-of-glosses",
)
TREND_MUTATIONS = (
    *READER_MUTATIONS,
    "padded-position",
    "last-position-only",
    "mean-of-lines",
    "table-of-tokens",
    "unseen-left-out",
    "prior-of-corpus",
)


def unembed(network, hidden):
    """[.., vocab]: output embeddings and the soft cap, where the configuration has one; never a norm."""
    logits = network.get_output_embeddings()(hidden)
    cap = getattr(network.config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def final_norm(network):
    """The module that follows the list of blocks; only mutations need it."""
    names = ("norm", "ln_f", "final_layer_norm", "final_layernorm")
    return next(part for name, part in network.named_modules() if name.split(".")[-1] in names and len(name.split(".")) <= 3)


@torch.no_grad()
def logprobs(network, ids, mutation=None):
    """[layer 0..L, token, vocab] log-probabilities that the lens gives to the next token."""
    states = plain.layer_points(network, plain.filled(ids, mutation), mutation)
    states = states[:, 1:] if mutation == "unmasked-padding" else states
    if mutation == "norm-everywhere":
        states = torch.cat([final_norm(network)(states[:-1]), states[-1:]])
    logits = unembed(network, states).float()
    return logits if mutation == "unnormalised" else torch.log_softmax(logits, dim=-1)


def one_token(tokenizer, text):
    """The id of `text` where it is exactly one token, else None."""
    ids = plain.encode(tokenizer, text, special=False)
    return ids[0] if len(ids) == 1 else None


def answer_lens(network, tokenizer, prompt, answers, mutation=None):
    """[answer][layer] log p of each answer (written with or without its space) after the prompt's last token."""
    table = logprobs(network, plain.encode(tokenizer, prompt), mutation)
    place = -2 if mutation == "position-off-by-one" else -1
    scale = 1 / float(torch.log(torch.tensor(2.0))) if mutation == "base-two" else 1.0
    return [[float(row[place, one_token(tokenizer, answer)]) * scale for row in table] for answer in answers]


def one_gloss_token(tokenizer, gloss):
    """A gloss is a word of running text: its token begins with a space, where the tokenizer has such tokens."""
    spaced = one_token(tokenizer, " " + gloss)
    return one_token(tokenizer, gloss) if spaced is None else spaced


def word_places(tokenizer, words, glosses, mutation=None):
    """(ids, [(position before the word, word's id, glosses' ids)]) of one line cut into words.

    A word counts if it is one token at its own place and has glosses of one token (others are left aside), and the position
    before it is not 0. A line in which two tokens share a character (the bytes of one letter) has no places.
    """
    special, least = mutation == "special-tokens", 0 if mutation == "position-zero-kept" else 1
    encoded = tokenizer("".join(words), add_special_tokens=special, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    shared = any(a[0] < b[1] and b[0] < a[1] for k, a in enumerate(offsets) for b in offsets[k + 1 :])
    kept, start = [], 0
    for word in words:
        options = [one_gloss_token(tokenizer, gloss) for gloss in glosses.get(word, ())]
        options = [option for option in options if option is not None]
        token = next((k for k, span in enumerate(offsets) if tuple(span) == (start, start + len(word))), None)
        if options and token is not None and token - 1 >= least:
            kept.append((token - 1, encoded["input_ids"][token], options))
        start += len(word)
    return list(encoded["input_ids"]), [] if shared and mutation != "ambiguous-lines-kept" else kept


def word_lens(network, tokenizer, lines, glosses, mutation=None):
    """([layer] mean log p of the true word, [layer] mean of the best gloss's log p) over all places of all lines."""
    true, gloss = [], []
    for words in lines:
        ids, places = word_places(tokenizer, words, glosses, mutation)
        if not places:
            continue
        table = logprobs(network, ids, mutation)
        for before, word, options in places:
            before = before + 1 if mutation == "position-off-by-one" else before
            scale = 1 / float(torch.log(torch.tensor(2.0))) if mutation == "base-two" else 1.0
            true.append(table[:, before, word] * scale)
            among = table[:, before, options] * scale
            gloss.append(among.mean(1) if mutation == "mean-of-glosses" else among.max(1).values)
    return torch.stack(true).mean(0).tolist(), torch.stack(gloss).mean(0).tolist()


def token_counts(tokenizer, texts, size):
    """[vocab]: how often each token occurs, special ones not counted."""
    counts = torch.zeros(size)
    for text in texts:
        for token in plain.encode(tokenizer, text, special=False):
            counts[token] += 1
    return counts


def language_table(counts, mutation=None):
    """[vocab, language] p(language | token) from counts [language, vocab]: uniform prior, unseen tokens spread evenly."""
    counts = torch.as_tensor(counts, dtype=torch.float64)
    likelihood = counts if mutation == "prior-of-corpus" else counts / counts.sum(1, keepdim=True)
    if mutation == "table-of-tokens":
        return likelihood.T
    total = likelihood.sum(0)
    even = 0.0 if mutation == "unseen-left-out" else 1.0 / len(counts)
    return torch.where(total > 0, likelihood / total.clamp(min=1e-300), torch.full_like(likelihood, even)).T


def trend(network, tokenizer, lines, counts, mutation=None):
    """[layer, language] sum_v p_l(v) p(language | v), mean over all positions of all lines."""
    table = language_table(counts, mutation)
    rows = []
    for line in lines:
        mass = logprobs(network, plain.encode(tokenizer, line), mutation).double().exp() @ table
        mass = mass[:, -1:] if mutation == "last-position-only" else mass
        rows.append(mass.mean(1, keepdim=True) if mutation == "mean-of-lines" else mass)
    return torch.cat(rows, dim=1).mean(1)

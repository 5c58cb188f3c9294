"""A model with known answers: states, head and outputs are written down, so that procedures can be checked against them.

Three layers of width 64. Layer 0 holds the type of a text alone, layer 1 its meaning alone, layer 2 both. A text is `type:meaning`
and more words do not matter; its words are single tokens.
"""

import hashlib

import torch

from semhub.models.generate import Generation
from semhub.models.read import Batch
from semhub.models.where import Encoding

DIM = 64


def vector(name):
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "big")
    return torch.nn.functional.normalize(torch.randn(DIM, generator=torch.Generator().manual_seed(seed)), dim=0)


class Head:
    """Every word of the vocabulary has its own row; the norm makes states of length 8."""

    def __init__(self, words):
        self.words, self.vocab = list(words), len(words)
        self.matrix = torch.stack([vector(w) for w in words])

    def norm(self, hidden):
        return 8 * torch.nn.functional.normalize(hidden, dim=-1)

    def logits(self, normed, ids=None):
        return normed @ self.matrix[slice(None) if ids is None else ids].T

    def rows(self, ids):
        return self.matrix[ids]


class Tokenizer:
    """Words apart by spaces, each one token, and a sign at the end of a prompt a token of its own."""

    def __init__(self, words):
        self.words = list(words)

    def __call__(self, texts, add_special_tokens=True, **asked):
        if isinstance(texts, str):
            return {"input_ids": self.ids(texts)}
        return {"input_ids": [self.ids(t) for t in texts]}

    def ids(self, text):
        for word in text.split():
            if word not in self.words:
                self.words.append(word)
        return [self.words.index(word) for word in text.split()]

    def decode(self, ids):
        return " ".join(self.words[i] for i in ids)

    def convert_ids_to_tokens(self, id):
        return self.words[id]


class Planted:
    name, layers, dim, device = "planted", 2, DIM, torch.device("cpu")

    def __init__(self, words=(), state=None, write=None):
        self.tokenizer = Tokenizer(words)
        self.head, self.vocab = Head(words) if words else None, len(words)
        self.state, self.write = state or self.usual, write
        self.passes = []

    @staticmethod
    def usual(text, layer):
        """Type alone, meaning alone, both; a text's first word is `type:meaning`."""
        type, _, meaning = text.split()[0].partition(":")
        return (vector(type), vector(meaning), vector(type) + vector(meaning))[layer]

    def encode(self, texts, special=True):
        found = []
        for text in texts:
            ends, start, words = [], 0, text.split()
            for word in words:
                start = text.index(word, start)
                ends.append((start, start + len(word)))
                start += len(word)
            found.append(Encoding(self.tokenizer.ids(text), ends, text, [False] * len(words)))
        return found

    def read_at(self, texts, ats, layers=None, **asked):
        self.passes += list(texts)
        layers = range(self.layers + 1) if layers is None else layers
        states = torch.stack([torch.stack([self.state(t, k) for t in texts]) for k in layers])
        return {name: states.clone() for name in ats}

    def stream(self, texts, at, layers=None, **asked):
        layers = range(self.layers + 1) if layers is None else layers
        for item, encoding in enumerate(self.encode(texts)):
            states = torch.stack([self.state(encoding.text, k) for k in layers])[:, None].expand(-1, len(encoding.ids), -1)
            yield Batch(torch.full((len(encoding.ids),), item), torch.arange(len(encoding.ids)), states)

    def generate(self, prompts, *, edits=(), strengths=(1.0,), seeds=(0,), **asked):
        rows = []
        for p, prompt in enumerate(prompts):
            push = [(e.layer, e.change.values[0][min(p, len(e.change.values[0]) - 1), 0]) for e in edits]
            rows += [Generation(p, k, float(s), self.write(prompt, push, s), ()) for s in strengths for k in seeds]
        return rows

    def generate_all(self, asks, **asked):
        return [self.generate(ask.prompts, edits=ask.edits, strengths=ask.strengths, **asked) for ask in asks]


def bench(model, **changed):
    from semhub.methods.bench import Bench

    return Bench(**{"model": model, "task": "some/task", "protocol": "sound"} | changed)


def rows(result, **wanted):
    """Readings whose columns equal `wanted`, by layer."""
    found = [r for r in result.readings if all(getattr(r, name) == value for name, value in wanted.items())]
    return sorted(found, key=lambda r: (-1 if r.layer is None else r.layer, r.strength or 0))

"""COGS (Kim and Linzen 2020): sentences with their logical forms, from a TSV without a header, JSONL, Parquet or a hub data set.

Gives the pairs of catalogue row 12 (with names swapped, conjuncts shuffled) and the places of row 13. Knows no model.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from semhub.data.delimited import first_record, read_delimited
from semhub.data.folder import TABLES, kind
from semhub.data.logic import ROLES, LogicalForm, parse
from semhub.data.opening import open_table
from semhub.data.rows import BadRow, Row, flaw, refuse
from semhub.data.sources import Source
from semhub.types import Concept, Form, Mark

MAX_CHARS = 4000
LICENCE = "MIT (COGS, github.com/najoungkim/COGS)"
COLUMNS = {"sentence": ("sentence", "text", "input", "source"), "form": ("form", "logical_form", "output", "target")}
INSTEAD = "put train.tsv of github.com/najoungkim/COGS into data/cogs/ and pass --data formula=data/cogs/train.tsv"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One row: a sentence of words between spaces, and its logical form."""

    id: str
    text: str
    form: LogicalForm

    @property
    def words(self) -> list[str]:
        return self.text.split(" ")


def read_cogs(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Read COGS -> a Source of `Sentence`s. Rows that are no sentence (single words, lambda terms) are counted and left out.

    Raises BadInput for bad rows (unless `skip_bad`) and where there is nothing to read.
    """
    found = open_table(str(path_or_id), "table of sentences and logical forms", INSTEAD, LICENCE, ("train.tsv",), read_bare)
    kept, bad, counts = [], [], Counter()
    for number, row in enumerate(found.rows, 1):
        made = row if isinstance(row, BadRow) else sentence_of(row, number)
        counts["rows"] += 1
        if isinstance(made, BadRow):
            bad.append(made)
        elif isinstance(made, str):
            counts[f"left out: {made}"] += 1
        else:
            kept.append(made)
    counts["kept"] = len(kept)
    refuse(bad, str(path_or_id), len(kept), skip_bad)
    return Source(tuple(kept), found.source, digest(kept), found.licence, dict(counts), bad, [f"formula: {told(counts)}"], found.revision)


def told(counts: Counter) -> str:
    left = [f"{n:,} {why}" for why, n in counts.items() if why.startswith("left out")]
    return f"{counts['kept']:,} of {counts['rows']:,} rows kept" + (f" ({'; '.join(left)})" if left else "")


def read_bare(path: Path) -> Iterable[Row | BadRow]:
    """COGS's own files have no header line."""
    bare = kind(path) == ".tsv" and not set(first_record(path)) & {name for names in COLUMNS.values() for name in names}
    return read_delimited(path, ["sentence", "form", "kind"]) if bare else TABLES[kind(path)](path)


def sentence_of(row: Row, number: int) -> Sentence | BadRow | str:
    """The row as a sentence, what is wrong with it, or why it is no sentence."""
    found = {}
    for name, names in COLUMNS.items():
        value = next((row.cells[each] for each in names if row.cells.get(each) is not None), None)
        if reason := flaw(value, MAX_CHARS):
            return row.bad(f"the {name} {reason}")
        found[name] = value
    form = parse(found["form"])
    if form is None:
        single = "LAMBDA" in found["form"] or " " not in found["form"]
        return "a single word" if single else row.bad("the logical form cannot be read")
    return Sentence(str(number), found["sentence"], form)


def digest(sentences: Iterable[Sentence]) -> str:
    total = hashlib.sha256()
    for each in sentences:
        total.update(json.dumps([each.id, each.text, str(each.form)]).encode() + b"\n")
    return total.hexdigest()


# row 12: pairs -------------------------------------------------------------------------------------------------------


def concepts(sentences: Sequence[Sentence], seed: int = 0) -> list[Concept]:
    """Sentence (`en`) and form (`formula`). With exactly two proper names: contrasts `swapped` and `swapped-shuffled`; with two
    or more conjuncts `shuffled`, which means the same.
    """
    return [concept(each, seed) for each in sentences]


def concept(sentence: Sentence, seed: int) -> Concept:
    rng, names, contrasts = Random(f"shuffle:{seed}:{sentence.id}"), sentence.form.names(), {}
    if len(names) == 2:
        swapped = sentence.form.renamed(dict(zip(names, reversed(names), strict=True)))
        contrasts |= {"swapped": swapped, "swapped-shuffled": swapped.shuffled(rng)}
    if len(set(sentence.form.conjuncts)) > 1:
        contrasts["shuffled"] = sentence.form.shuffled(rng)
    others = {name: Concept(f"{sentence.id}:{name}", {"formula": Form("formula", str(form))}) for name, form in contrasts.items()}
    forms = {"en": Form("en", sentence.text), "formula": Form("formula", str(sentence.form))}
    shape = " ".join(".".join(term.name[1:]) or "noun" for term in sentence.form.terms)
    return Concept(sentence.id, forms, others, {"template": shape, "names": str(len(names))})


# row 13: places ------------------------------------------------------------------------------------------------------


def role_marks(sentences: Sequence[Sentence], seed: int = 0) -> tuple[list[Mark], dict[str, str]]:
    """The places before each proper name but a sentence's first word, names drawn anew; and the names left out, with the reason.

    A mark's type is the role that the name truly plays.
    """
    pool = sorted({name for each in sentences for name in each.form.names()})
    marks, left_out = [], {}
    for each in sentences:
        drawn = redrawn(each, pool, seed)
        if not drawn.form.names():
            left_out[each.id] = "no proper name"
        for place, word in enumerate(drawn.words):
            if word not in drawn.form.names():
                continue
            roles, id = drawn.form.roles(word), f"{each.id}:{place}"
            if place == 0:
                left_out[id] = "the name opens the sentence"
            elif len(roles) != 1 or roles[0] not in ROLES:
                left_out[id] = f"{'no role' if not roles else 'several roles' if len(roles) > 1 else 'a role of another kind'}"
            else:
                marks.append(role_mark(id, drawn.text, " ".join(drawn.words[:place]), word, roles[0]))
    return marks, left_out


def role_mark(id: str, text: str, before: str, word: str, role: str) -> Mark:
    """Read at the last character of `before`, a space ahead of `word`, which must be one token."""
    start = len(before) + 1
    words = {name: (f" {name}",) for name in ROLES}
    wrong = {name: tuple(f" {other}" for other in ROLES if other != name) for name in ROLES}
    return Mark(id, role, text, len(before) - 1, words, wrong, (start, start + len(word)), whole=True)


def redrawn(sentence: Sentence, pool: Sequence[str], seed: int) -> Sentence:
    """The sentence with other proper names, different ones for different ones."""
    names = sentence.form.names()
    if len(pool) < len(names) or not names:
        return sentence
    new = dict(zip(names, Random(f"names:{seed}:{sentence.id}").sample(list(pool), len(names)), strict=True))
    words = [new.get(word, word) for word in sentence.words]
    return Sentence(sentence.id, " ".join(words), sentence.form.renamed(new))

"""A corpus of one's own: a folder with one text file, or one folder of text files, per language; or a Hugging Face data set.

A document is a line that is not empty. Languages are called as their files are. Knows no recipe, no world and no model.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

from semhub.data.hub import fetch, hub_id
from semhub.errors import BadInput

TEXT, LANGUAGE = ("text", "content", "sentence"), ("language", "lang", "locale")
SLOT = "{language}"


def languages(corpus: str, wanted: Sequence[str] = ()) -> list[str]:
    """The languages of a corpus in alphabetical order. Raises BadInput where there is none.

    A data set whose languages are configurations (`owner/name/{language}`) has those that the recipe names (`wanted`).
    """
    folder = Path(corpus)
    if folder.is_dir():
        found = sorted(_files(folder))
        if not found:
            raise BadInput(f"{folder} holds no text: one file (es.txt) or one folder of .txt files (es/) per language was expected.")
        return found
    if folder.is_absolute() or corpus.startswith("."):
        raise BadInput(f"There is no corpus folder {corpus}.")
    if SLOT not in corpus:
        return sorted(_columns(corpus))
    if not wanted:
        raise BadInput(f"The corpus {corpus} needs a mixture in the recipe: its languages are those that the mixture names.")
    return sorted(wanted)


def documents(corpus: str, language: str, seed: int) -> Iterator[str]:
    """All documents in an order drawn from the seed, again and again in other orders, without end."""
    texts, rng = list(_texts(corpus, language)), Random(f"{language}:{seed}")
    while True:
        rng.shuffle(texts)
        yield from texts


@cache
def _texts(corpus: str, language: str) -> tuple[str, ...]:
    """Every document of a language. Raises BadInput where there is none, or where a file is no UTF-8."""
    if Path(corpus).is_dir():
        found = [line for path in _files(Path(corpus))[language] for line in _lines(path)]
    elif SLOT in corpus:
        found = _column(corpus.replace(SLOT, language))
    else:
        found = _columns(corpus)[language]
    if not found:
        raise BadInput(f"The corpus {corpus} has no text in {language}: every line of it is empty.")
    return tuple(found)


def _files(folder: Path) -> dict[str, list[Path]]:
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    alone = {path.stem: [path] for path in inside if path.is_file() and path.suffix == ".txt"}
    whole = {path.name: sorted(path.rglob("*.txt")) for path in inside if path.is_dir()}
    twice = sorted(set(alone) & {name for name, files in whole.items() if files})
    if twice:
        raise BadInput(f"{folder} holds both {twice[0]}.txt and a folder {twice[0]}/; keep one of them there.")
    return alone | {name: files for name, files in whole.items() if files}


def _lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}, line {line}: not UTF-8 (byte {raw[error.start]:#04x}); save the file as UTF-8.") from None
    return [line for each in text.splitlines() if (line := each.strip())]


@cache
def _columns(corpus: str) -> dict[str, list[str]]:
    """The texts of a data set by its column of languages."""
    rows = _rows(corpus)
    text, language = _named(rows, TEXT, corpus), _named(rows, LANGUAGE, corpus)
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(str(row[language]), []).extend(line for each in str(row[text]).splitlines() if (line := each.strip()))
    return found


def _column(corpus: str) -> list[str]:
    rows = _rows(corpus)
    text = _named(rows, TEXT, corpus)
    return [line for row in rows for each in str(row[text]).splitlines() if (line := each.strip())]


def _rows(corpus: str):
    """The `train` split of a data set `owner/name`, or of one of its configurations, `owner/name/configuration`."""
    owner, _, rest = corpus.partition("/")
    name, _, config = rest.partition("/")
    asked = hub_id(f"{owner}/{name}", config=config or None)
    if asked is None:
        raise BadInput(f"A corpus is a folder, or a data set id such as owner/name or owner/name/{SLOT}; found {corpus!r}.")
    found = fetch(asked)
    if not isinstance(found, dict):
        return found
    if "train" not in found:
        raise BadInput(f"The data set {corpus} has no split 'train'; it has {', '.join(found)}.")
    return found["train"]


def _named(rows, wanted: Sequence[str], corpus: str) -> str:
    known = list(rows.column_names)
    for name in wanted:
        if name in known:
            return name
    raise BadInput(f"The data set {corpus} needs a column called {' or '.join(wanted)}; it has {', '.join(known)}.")

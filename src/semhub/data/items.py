"""A user's own items: prompts with the words that would continue them (the lens), prompts and words to push with (steering).

One JSON object per line, of three kinds, in any order and in one file:

    {"prompt": "La capital de Francia es", "type": "es", "targets": {"en": ["Paris"], "es": ["París"]}, "wrong": {"en": ["Rome"]}}
    {"prompt": "El libro que leí ayer es", "type": "es"}
    {"words": {"en": ["Good", "Bad"], "es": ["Bueno", "Malo"]}, "neutral": {"en": ["Chair", "Table"]}, "scorer": "module:function"}

Knows no model; a scorer is imported by `load_scorer` alone, and only when that is called.
"""

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from semhub.data.rows import BadRow, Row, encoding_flaw, flaw, read_jsonl, refuse
from semhub.errors import BadInput
from semhub.types import Cloze, Prompt

MAX_CHARS = 20_000
KNOWN = ("prompt", "type", "targets", "wrong", "id", "words", "neutral", "scorer")
Words = Mapping[str, tuple[str, str]]
Score = Callable[[Sequence[str], str], Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class Settings:
    """A line that is no prompt: words to push toward and away from, by type, and who judges the outputs."""

    words: Words = field(default_factory=dict)
    neutral: Words = field(default_factory=dict)
    scorer: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """`clozes` for the lens; `prompts`, `words`, `neutral` and `scorer` (its name) for steering; the rows left out.

    `words["en"]` is the pair (toward, away). `hash` is the sha256 of all but the rows left out.
    """

    clozes: list[Cloze]
    prompts: list[Prompt]
    words: Words
    neutral: Words
    scorer: str | None
    skipped: list[BadRow]
    hash: str
    source: str


def read_items(path: str | Path, skip_bad: bool = False, max_chars: int = MAX_CHARS) -> Items:
    """Read a JSONL file of items. Raises BadInput for bad rows, unless `skip_bad`, which returns them in `.skipped`."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise BadInput(f"There is no file {path}; items for the lens and for steering are one JSONL file.")
    made, bad = _made(path, max_chars)
    clozes, prompts = ([item for item in made if isinstance(item, kind)] for kind in (Cloze, Prompt))
    settings, clashes = _merged([item for item in made if isinstance(item, tuple)])
    bad = sorted(bad + clashes, key=lambda row: row.line)
    refuse(bad, str(path), len(clozes) + len(prompts), skip_bad)
    content = json.dumps([[asdict(item) for item in (*clozes, *prompts)], asdict(settings)], sort_keys=True)
    hash = hashlib.sha256(content.encode()).hexdigest()
    return Items(clozes, prompts, settings.words, settings.neutral, settings.scorer, bad, hash, str(path))


def _made(path: Path, max_chars: int) -> tuple[list, list[BadRow]]:
    """What each line makes (settings come with their row), and the lines that make nothing."""
    made, bad = [], []
    lines: dict[str, int] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        item = row if isinstance(row, BadRow) else _item(row, number, max_chars)
        if isinstance(item, Cloze | Prompt) and item.id in lines:
            item = row.bad(f"the id {item.id!r} stands on line {lines[item.id]} too")
        if isinstance(item, BadRow):
            bad.append(item)
            continue
        if isinstance(item, Cloze | Prompt):
            lines[item.id] = row.line
        made.append((row, item) if isinstance(item, Settings) else item)
    return made, bad


def _merged(found: list[tuple[Row, Settings]]) -> tuple[Settings, list[BadRow]]:
    """All settings as one; a line that says again what an earlier line said is bad."""
    total, bad = Settings(), []
    for row, new in found:
        twice = [f"words of {type!r}" for type in new.words.keys() & total.words.keys()]
        twice += [f"neutral words of {type!r}" for type in new.neutral.keys() & total.neutral.keys()]
        twice += ["a scorer"] if new.scorer and total.scorer else []
        if twice:
            bad.append(row.bad(f"{' and '.join(sorted(twice))} stood on an earlier line"))
        else:
            total = Settings({**total.words, **new.words}, {**total.neutral, **new.neutral}, new.scorer or total.scorer)
    return total, bad


def _item(row: Row, number: int, max_chars: int) -> Cloze | Prompt | Settings | BadRow:
    try:
        return _settings(row) if "prompt" not in row.cells else _question(row, number, max_chars)
    except BadInput as error:
        return row.bad(str(error))


def _settings(row: Row) -> Settings:
    unknown = sorted(row.cells.keys() - {"words", "neutral", "scorer"})
    if unknown or not row.cells:
        raise BadInput(f"a line has a prompt, or words to push with; found only: {', '.join(row.cells) or 'nothing'}")
    words, neutral = (_pairs(row.cells.get(key), key) for key in ("words", "neutral"))
    scorer = row.cells.get("scorer")
    if scorer is not None:
        _split(scorer)
    return Settings(words, neutral, scorer)


def _question(row: Row, number: int, max_chars: int) -> Cloze | Prompt:
    cells = row.cells
    for name, most in (("prompt", max_chars), ("type", 40)):
        if reason := flaw(cells.get(name), most):
            raise BadInput(f"the {name} {reason}")
    id = str(cells.get("id", number))
    facets = _facets(cells)
    for value in (id, *facets.values()):
        if reason := encoding_flaw(value):
            raise BadInput(f"a value {reason}")
    if "targets" not in cells:
        if "wrong" in cells:
            raise BadInput("there are wrong words but no targets")
        return Prompt(id, cells["type"], cells["prompt"], facets)
    targets = _groups(cells["targets"], "targets")
    if not targets:
        raise BadInput("the targets name no word")
    return Cloze(id, cells["type"], cells["prompt"], targets, _groups(cells.get("wrong") or {}, "wrong"), facets)


def _facets(cells: Mapping[str, object]) -> dict[str, str]:
    """The further keys; a list or an object among them is a misspelt key rather than a facet."""
    further = {name: value for name, value in cells.items() if name not in KNOWN and value is not None}
    for name, value in further.items():
        if isinstance(value, dict | list):
            raise BadInput(f"the key {name!r} is not known; keys that hold words are targets, wrong, words, neutral")
    return {name: str(value) for name, value in further.items()}


def _groups(value: object, key: str) -> dict[str, tuple[str, ...]]:
    """`{"en": ["Paris"], "zh": "巴黎"}` -> words by type."""
    if not isinstance(value, dict):
        raise BadInput(f'{key} must hold words by type, such as {{"en": ["Paris"]}}; found {str(value)[:40]!r}')
    groups = {type: (words,) if isinstance(words, str) else words for type, words in value.items()}
    for type, words in groups.items():
        if not isinstance(words, list | tuple):
            raise BadInput(f"{key} of {type!r} must be a list of words; found {str(words)[:40]!r}")
        for word in words:
            _check_word(word, f"{key} of {type!r}")
    return {type: tuple(words) for type, words in groups.items() if words}


def _check_word(word: object, where: str) -> None:
    if reason := flaw(word, 200):
        raise BadInput(f"a word in {where} {reason}")
    if word != word.strip():
        raise BadInput(f"{word!r} in {where} has white space around it; words stand bare")


def _pairs(value: object, key: str) -> dict[str, tuple[str, str]]:
    groups = _groups(value or {}, key)
    for type, words in groups.items():
        if len(words) != 2:
            raise BadInput(f"{key} of {type!r} must be two words, toward and away from; found {len(words)}")
    return groups


def load_scorer(name: str, folder: str | Path = ".") -> Score:
    """Import `module:function` (from `folder`, or installed): `function(texts, type)` gives one number per text, None if unjudged.

    This runs the module's code, so call it only for a name that the user gave. Raises BadInput where there is no such function.
    """
    module, function = _split(name)
    try:
        with _importable(Path(folder).resolve()):
            found = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever a user's own module does when it is imported
        raise BadInput(f"The scorer {name} cannot be imported from {Path(folder).resolve()}: {error or type(error).__name__}.") from error
    if not callable(found):
        raise BadInput(f"The scorer {name} is no function but {type(found).__name__}.")
    return found


def _split(name: object) -> tuple[str, str]:
    module, colon, function = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (colon and function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise BadInput(f"a scorer is given as module:function, such as my_scorers:sentiment; found {str(name)[:60]!r}")
    return module, function


@contextmanager
def _importable(folder: Path):
    """`folder` on the import path for a moment, as the `python` command has it."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))

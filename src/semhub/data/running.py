"""Running text by language: lines to read (Wikipedia) and a corpus to count tokens in (mC4), of any size.

From a folder with one file per language, a file named after its language, or a data set on the hub with a configuration per
language. Knows no tokenizer: what is counted in these texts is for `languages.type_table` to say.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from semhub.data.folder import TABLES, kind, type_files
from semhub.data.hub import HubId, hub_id, read_hub
from semhub.data.licences import UNSTATED, licence_beside
from semhub.data.names import file_type, short_names, type_of
from semhub.data.rows import BadRow, flaw, read_lines, refuse
from semhub.data.sources import Source
from semhub.errors import BadInput

MAX_CHARS = 20_000
MAX_DOCUMENT = 1_000_000
MOST_LINES, MOST_DOCUMENTS = 10_000, 100_000  # of a language, as many as the paper takes
TEXTUAL = ("", ".txt", ".dev", ".devtest", ".text")
WIKIPEDIA = "CC BY-SA 4.0 (Wikipedia)"
MC4 = "ODC-BY (mC4, huggingface.co/datasets/allenai/c4)"
INSTEAD_WIKIPEDIA = (
    "put the text of each language into a file of its own, data/wikipedia/zh.txt (one line each; also .jsonl or .parquet with a column "
    "text), and pass --data wikipedia=data/wikipedia"
)
INSTEAD_MC4 = (
    "put the documents of each language into a file of its own, data/mc4/zh.txt (one a line; also .jsonl, .jsonl.gz or .parquet with a "
    "column text), and pass --data mc4=data/mc4"
)
Found = tuple[str, int, str | BadRow]  # file, line, text


@dataclass(frozen=True, slots=True)
class Texts:
    """The usable texts of one language, read anew each time they are walked; `count` of them."""

    walk: Callable[[], Iterator[str]] = field(repr=False)
    count: int

    def __iter__(self) -> Iterator[str]:
        return islice(self.walk(), self.count)

    def __len__(self) -> int:
        return self.count


def read_wikipedia(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Lines to read -> a Source whose `items` are type -> its first MOST_LINES lines. Raises BadInput for bad lines, unless `skip_bad`."""
    return running("wikipedia", str(path_or_id), MOST_LINES, MAX_CHARS, True, WIKIPEDIA, INSTEAD_WIKIPEDIA, skip_bad)


def read_mc4(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Documents to count tokens in -> a Source whose `items` are type -> its first MOST_DOCUMENTS texts."""
    return running("mc4", str(path_or_id), MOST_DOCUMENTS, MAX_DOCUMENT, False, MC4, INSTEAD_MC4, skip_bad)


def running(name: str, source: str, most: int, max_chars: int, by_line: bool, licence: str, instead: str, skip_bad: bool) -> Source:
    """Walk every language once: what is usable, how much of it, and its hash."""
    streams, stated, revision, source = opened(source, most, instead, licence)
    items, counts, bad, total = {}, Counter(), [], hashlib.sha256()
    for type, stream in streams.items():
        kept = 0
        for text in usable(stream(), max_chars, by_line):
            counts["rows"] += 1
            if isinstance(text, BadRow):
                bad.append(text)
                continue
            kept += 1
            total.update(f"{type}\n{text}\n".encode())
            if kept == most:
                break
        items[type] = Texts(lambda stream=stream: texts(stream(), max_chars, by_line), kept)
    counts["kept"] = sum(map(len, items.values()))
    if bad:
        counts["left out: bad rows"] = len(bad)
    refuse(bad, source, min(map(len, items.values())), skip_bad)
    told = ", ".join(f"{len(found):,} of {type}" for type, found in items.items())
    what = "lines" if by_line else "documents"
    notice = f"{name}: {told} ({what}; at most {most:,} of a language)"
    return Source(items, source, total.hexdigest(), stated, dict(counts), bad, [notice], revision)


def texts(found: Iterable[Found], max_chars: int, by_line: bool) -> Iterator[str]:
    return (each for each in usable(found, max_chars, by_line) if isinstance(each, str))


def usable(found: Iterable[Found], max_chars: int, by_line: bool) -> Iterator[str | BadRow]:
    """The texts, with `by_line` the lines of each; blank ones are passed over, and what cannot be shown is a BadRow."""
    for file, line, text in found:
        if isinstance(text, BadRow):
            yield text
            continue
        for part in text.split("\n") if by_line and isinstance(text, str) else (text,):
            if isinstance(part, str) and not part.strip():
                continue
            reason = flaw(part, max_chars)
            yield BadRow(file, line, f"the text {reason}") if reason else part


def opened(source: str, most: int, instead: str, licence: str) -> tuple[Mapping[str, Callable[[], Iterator[Found]]], str, str | None, str]:
    """(type -> something that walks its texts, the licence, the commit, the source as it is recorded)."""
    path = Path(source).expanduser()
    if path.is_dir():
        files = language_files(path)
        if not files:
            raise BadInput(f"No file of {path} is named after a language (zh.txt, en.jsonl); {instead}.")
        return {type: walker(file) for type, file in files.items()}, stated(path, licence), None, source
    if path.is_file():
        type = file_type(path.name)
        if type is None:
            raise BadInput(f"The name of {path} tells no language; call it after its language, such as {path.stem}.zh{path.suffix}.")
        return {type_of(type): walker(path)}, stated(path.parent, licence), None, source
    asked = None if kind(path) in (*TABLES, *TEXTUAL[1:]) else hub_id(source)
    if asked is None or asked.config is None:
        called = "; a data set on the hub is called owner/name/LANGUAGE:split, such as wikimedia/wikipedia/20231101.zh:train"
        raise BadInput(f"There is no file or folder {source}{called if asked else ''}; {instead}.")
    return on_the_hub(asked, most, instead, licence)


def stated(folder: Path, usual: str) -> str:
    own = licence_beside(folder)
    return f"{usual}, if it is this" if own == UNSTATED else own


def language_files(folder: Path) -> dict[str, Path]:
    """Type -> file; one language will do."""
    named = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".") and file_type(path.name)]
    if len(named) == 1:
        return {type_of(file_type(named[0].name)): named[0]}
    return type_files(folder)[0] if named else {}


def walker(path: Path) -> Callable[[], Iterator[Found]]:
    """A table's column `text`, or a text file's lines."""
    if kind(path) in TABLES:
        return lambda: of_rows(TABLES[kind(path)](path))
    return lambda: ((path.name, line, text) for line, text in enumerate(read_lines(path), 1))


def of_rows(rows) -> Iterator[Found]:
    for row in rows:
        yield (row.file, row.line, row if isinstance(row, BadRow) else row.cells.get("text"))


def on_the_hub(asked: HubId, most: int, instead: str, licence: str):
    """One configuration per language, `20231101.zh+20231101.es`; their first rows, streamed."""
    configs = {config: config.rpartition(".")[2] for config in asked.config.split("+")}
    if unknown := [config for config, name in configs.items() if type_of(name) is None]:
        raise BadInput(f"{asked}: the configuration {unknown[0]!r} names no language.")
    shorts = {short: name for short, name in short_names(configs.values()).items()}
    by_name = {name: config for config, name in configs.items()}
    split = asked.split or "train"
    one = lambda config: HubId(asked.name, asked.revision, split, config)  # noqa: E731
    first = read_hub(one(next(iter(configs))), instead, most)
    pin = HubId(asked.name, first.id.revision, split, asked.config)
    streams = {
        short: lambda config=by_name[name]: of_rows(read_hub(HubId(asked.name, pin.revision, split, config), instead, most).rows)
        for short, name in shorts.items()
    }
    return streams, first.licence or licence, pin.revision, str(pin)


def parts_of(source: Mapping[str, Sequence[str]], types: Sequence[str], many: int) -> dict[str, list[str]]:
    """The first `many` texts of each of `types` that the source has."""
    return {type: list(islice(source[type], many)) for type in types if type in source}

"""GALE parallel text of the Linguistic Data Consortium (LDC2016T25 and its sisters): a folder of sources and one of translations.

The release's own folder is read as it is unpacked, at whatever depth; so is any other with these two kinds of files:

    data/source/NAME.tdf  data/translation/NAME.eng.tdf      thirteen columns between tabs, the transcript in the eighth
    data/source_selected/ and data/translation_selected/     the same, in the releases of "Parallel Sentences"
    source/NAME.su  translation/NAME.eng.su                  also .qrtr and .txt: one segment per line

Segments are paired by their order, as the paper's release does, where both files of a document have as many; else by times
and id. A segment without text on a side (silence, headings) is left out and counted. `group` is the document.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from semhub.data.folder import ROW_ID
from semhub.data.names import type_of
from semhub.data.rows import BadRow, Row, read_lines, shown
from semhub.errors import BadInput

GALE = "LDC User Agreement (GALE, catalog.ldc.upenn.edu/LDC2016T25): yours to use, not to pass on"
TRANSCRIPT, SEGMENT, FIELDS = 7, (2, 3, 10), 13  # the text; start, end and number of a segment
HEADER, COMMENT = "file;unicode", ";;"
FULL = "source_full"  # whole documents, of which only the selected sentences were translated
LINES = (".su", ".qrtr", ".txt")
ENDINGS = {".tdf", *LINES, ".eng", ".cmn", ".arb", ".zho", ".ara", ".sentence"}
Segments = list[tuple[tuple, int, str]]  # (start, end, number), line, text


def gale_files(folder: Path) -> dict[str, dict[str, Path]]:
    """Document -> `source` and `translation` -> file; nothing where the folder is no GALE release."""
    documents: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts[:-1]
        side = side_of(path, [*folder.parts[-1:], *inside])
        if side and path.is_file() and FULL not in inside:
            documents.setdefault(document_of(path), {})[side] = path
    return documents if any(len(sides) == 2 for sides in documents.values()) else {}


def side_of(path: Path, folders: Sequence[str]) -> str | None:
    """`source` or `translation`: by the folder's name, or (TDF files alone) by the file's."""
    inside = next((side for side in ("translation", "source") if any(name.lower().startswith(side) for name in folders)), None)
    if path.suffix == ".tdf":
        return inside or ("translation" if path.name.endswith(".eng.tdf") else "source")
    return inside if path.suffix in LINES else None


def document_of(path: Path) -> str:
    """The name that source and translation share: without format, language and kind of unit at its end."""
    name = path
    while name.suffix.lower() in ENDINGS:
        name = name.with_suffix("")
    return name.name


def read_gale(folder: Path, files: dict[str, dict[str, Path]], asked: Sequence[str] | None = None) -> tuple[list[str], Iterator, list[str]]:
    """The types (the source's, `en`), the rows with ROW_ID, `group` and a cell per type, and notices.

    Raises BadInput where other types are asked for.
    """
    own = language_of([sides["source"] for sides in files.values() if "source" in sides])
    types = [own, "en"]
    if asked and set(asked) != set(types):
        raise BadInput(f"{folder} holds GALE documents in {own} and en; asked for: {shown(asked)}.")
    rows, silent = [], Counter()
    for document, sides in files.items():
        rows += of_document(document, sides, own, silent)
    notices = [f"{len(files):,} documents"]
    notices += [f"segments left out, without text in {side}: {n:,}" for side, n in silent.items()]
    return list(asked or types), iter(rows), [f"GALE: {'; '.join(notices)}"]


def language_of(files: Sequence[Path]) -> str:
    """`XIN_CMN_20071001` -> `zh`; Chinese where no name says."""
    parts = (part for path in files for part in path.stem.replace(".", "_").split("_"))
    found = Counter(type for part in parts if len(part) == 3 and (type := type_of(part.lower())) in ("zh", "ar"))
    return found.most_common(1)[0][0] if found else "zh"


def of_document(document: str, sides: dict[str, Path], own: str, silent: Counter) -> Iterator[Row | BadRow]:
    if len(sides) < 2:
        (side, path), other = next(iter(sides.items())), "translation" if "source" in sides else "source"
        yield BadRow(path.name, 1, f"no partner: there is no {other} of {document}")
        return
    segments, bad = {}, []
    for side, path in sides.items():
        segments[side], wrong = segments_of(path)
        bad += wrong
    yield from bad
    if bad and len({len(found) for found in segments.values()}) > 1:
        return
    for number, (one, other) in enumerate(paired(segments["source"], segments["translation"]), 1):
        if one is None or other is None:
            there, missing = (sides["source"], sides["translation"]) if other is None else (sides["translation"], sides["source"])
            yield BadRow(there.name, (one or other)[1], f"no partner: {missing.name} has no such segment")
            continue
        texts = {own: one[2], "en": other[2]}
        if empty := [type for type, text in texts.items() if not text.strip()]:
            silent[empty[0]] += 1
            continue
        places = {own: (sides["source"].name, one[1]), "en": (sides["translation"].name, other[1])}
        yield Row(sides["source"].name, one[1], {ROW_ID: f"{document}:{number}", "group": document, **texts}, places)


def segments_of(path: Path) -> tuple[Segments, list[BadRow]]:
    """The segments of one file, and the lines that are none."""
    found, bad = [], []
    for line, text in enumerate(read_lines(path), 1):
        if path.suffix != ".tdf":
            found.append(((line,), line, text))
            continue
        if text.startswith((HEADER, COMMENT)) or not text.strip():
            continue
        cells = text.split("\t")
        if len(cells) != FIELDS:
            bad.append(BadRow(path.name, line, f"{len(cells)} fields where a segment has {FIELDS}"))
        else:
            found.append((tuple(cells[i] for i in SEGMENT), line, cells[TRANSCRIPT]))
    return found, bad


def paired(one: Segments, other: Segments) -> Iterator[tuple]:
    """Segments side by side; None where one has no partner."""
    if len(one) == len(other):
        yield from zip(one, other, strict=True)
        return
    by_key = {segment[0]: segment for segment in other}
    for segment in one:
        yield segment, by_key.pop(segment[0], None)
    for segment in by_key.values():
        yield None, segment

"""TMX, the exchange format of translation memories (OPUS): every translation unit as a row with one cell per language.

Knows no column's meaning. A unit that says a language twice keeps what it says first.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError, iterparse

from semhub.data.rows import BadRow, Row, unreadable

LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def read_tmx(path: Path) -> Iterator[Row | BadRow]:
    """The units in order; `line` counts them. Raises BadInput for what is no XML."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            number = 0
            for _, unit in iterparse(file):
                if unit.tag.rpartition("}")[2] == "tu":
                    number += 1
                    cells = said(unit)
                    yield Row(path.name, number, cells) if cells else BadRow(path.name, number, "the unit holds no text")
                    unit.clear()
    except (OSError, EOFError, ParseError, ValueError) as error:
        raise unreadable(path, error) from error


def said(unit) -> dict[str, str]:
    """Language (`zh_CN` and `zh-CN` alike) -> text, markup inside a segment left out."""
    cells: dict[str, str] = {}
    for variant in unit.iter():
        if variant.tag.rpartition("}")[2] != "tuv":
            continue
        language = (variant.get(LANG) or variant.get("lang") or "").replace("_", "-")
        segment = next((part for part in variant.iter() if part.tag.rpartition("}")[2] == "seg"), None)
        if language and segment is not None:
            cells.setdefault(language, "".join(segment.itertext()))
    return cells

"""Under which licence a user's own data stand, as far as a file beside them says so. Judges nothing: it quotes."""

from pathlib import Path

from semhub.data.rows import read_lines
from semhub.errors import BadInput

UNSTATED = "not stated beside the data"
NAMES = ("license", "licence", "copying", "license.txt", "licence.txt", "license.md", "licence.md", "copying.txt")
LONGEST = 120


def licence_beside(folder: Path) -> str:
    """The first line of a licence file in `folder`, by its name; UNSTATED where there is none."""
    files = sorted(path for path in folder.iterdir() if path.name.lower() in NAMES and path.is_file())
    for path in files:
        first = _first_line(path)
        if first:
            return f"{first} ({path.name})"
    return UNSTATED


def _first_line(path: Path) -> str:
    try:
        lines = (line.strip(" \t#=*-") for line in read_lines(path))
        first = next((line for line in lines if line), "")
    except BadInput:
        return ""
    first = first.encode("utf-8", "replace").decode()
    return first if len(first) <= LONGEST else first[: LONGEST - 3] + "..."

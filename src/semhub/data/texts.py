"""Plain text of one's own: a file, or a folder of `.txt` files; a text is a line that is not empty. Knows no language and no model."""

from pathlib import Path

from semhub.errors import BadInput

LONGEST = 2000  # characters of a line that are kept: no reader needs more, and a context may not hold it


def read_texts(path: str | Path) -> list[str]:
    """Every line of the file, or of all `.txt` files of the folder in the order of their names. Raises BadInput where there is none."""
    path = Path(path).expanduser()
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path] if path.is_file() else []
    if not files:
        raise BadInput(f"{path} is neither a text file nor a folder with .txt files.")
    found = [line.strip()[:LONGEST] for file in files for line in lines(file)]
    kept = [text for text in found if text]
    if not kept:
        raise BadInput(f"{path} holds no text: every line is empty.")
    return kept


def lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as problem:
        raise BadInput(f"{file} is no UTF-8 text (byte {problem.start}).") from problem

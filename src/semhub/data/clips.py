"""Sounds with labels: VGGSound and spoken digits, as folders of files or as rows that hold the sounds (on the hub, in Parquet).

Knows no model. Sounds come out mono, float32, at the rate of their file. What cannot be heard (silence, a truncated file) is
left out and counted, with its reason.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from semhub.data.delimited import read_delimited
from semhub.data.hearing import heard
from semhub.data.hub import CONVERTED
from semhub.data.opening import Opened, open_table
from semhub.data.rows import BadRow, refuse
from semhub.data.sources import Source
from semhub.errors import BadInput
from semhub.types import Media

TABLE = "vggsound.csv"
SPOKEN = re.compile(r"(\d)_(\w+?)_(\d+)")
MOST_CLIPS, MOST_DIGITS = 1_000, 3_000  # fetched of a data set: as many as the paper takes; all of FSDD
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VGGSOUND = "CC BY 4.0 (VGGSound, robots.ox.ac.uk/~vgg/data/vggsound); sounds under YouTube's terms"
FSDD = "CC BY-SA 4.0 (free-spoken-digit-dataset, github.com/Jakobovski/free-spoken-digit-dataset)"
SOUND = ("audio", "sound", "wav", "flac", "ogg", "mp3", "video", "mp4")  # columns, the first that is there
LABEL, SPEAKER = ("label", "labels", "class", "digit"), ("speaker", "speaker_id")
NAMED = ("id", "video_id", "youtube_id", "__key__")
INSTEAD_VGGSOUND = (
    "put vggsound.csv and the clips as <YouTube id>_<start, six digits>.wav into data/vggsound/ and pass --data vggsound=data/vggsound"
)
INSTEAD_DIGITS = (
    "put the folder recordings/ of github.com/Jakobovski/free-spoken-digit-dataset into data/fsdd/ and pass --data spoken-digits=data/fsdd"
)


@dataclass(frozen=True, eq=False, slots=True)
class Clip:
    """One sound and its label; `source`: what clips share that are not independent of each other (the label, the speaker).

    `sound`: its file, or the content of one. It is read when `media` is used.
    """

    id: str
    label: str
    source: str
    content: str  # sha256 of the file
    sound: Path | bytes = field(repr=False)

    @property
    def media(self) -> Media:
        return Media("audio", *heard(self.sound, self.id))


@dataclass(frozen=True, slots=True)
class Kind:
    """How rows of a kind are read: which label is `wanted`, what cells say it, and the `source` that cells and the file's name tell."""

    wanted: str
    label: Callable[[object], str | None]
    source: Callable[[Mapping, str], str | None]


def read_vggsound(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Read a folder with vggsound.csv (YouTube id, start, label, split) and the clips that are there, or rows with a sound and its
    label (Parquet, a data set on the hub: its first MOST_CLIPS rows) -> a Source of `Clip`s.

    Lines of the csv without a file are counted: few have all of it; their labels are labels too. Raises BadInput for bad rows (unless
    `skip_bad`) and where nothing can be heard.
    """
    folder, asked = Path(path_or_id).expanduser(), str(path_or_id)
    folder = folder.parent if folder.name == TABLE and folder.is_file() else folder
    labels: dict[str, None] = {}
    if not folder.is_dir():
        found = open_table(asked, "VGGSound", INSTEAD_VGGSOUND, VGGSOUND, most=MOST_CLIPS)
        return gathered("vggsound", asked, of_rows(found, NAMES, labels), found, skip_bad, labels)
    if not (folder / TABLE).is_file():
        raise BadInput(f"There is no VGGSound at {asked}; {INSTEAD_VGGSOUND}.")
    return gathered("vggsound", asked, listed(folder / TABLE, folder, labels), Opened((), asked, VGGSOUND), skip_bad, labels)


def listed(table: Path, folder: Path, labels: dict[str, None]) -> Iterator[Clip | BadRow | str]:
    """The rows of the table; `labels` takes up theirs, in order."""
    for row in read_delimited(table, ["id", "start", "label", "split"]):
        if isinstance(row, BadRow):
            yield row
            continue
        id, start, label = (str(row.cells.get(name) or "").strip() for name in ("id", "start", "label"))
        if not (id and label and start.isdigit()):
            yield row.bad("needs an id, a start in seconds and a label")
            continue
        labels.setdefault(label)
        stem = f"{id}_{int(start):06d}"
        files = [
            at
            for name in (".wav", ".flac", ".ogg")
            for at in (folder / f"{stem}{name}", folder / "audio" / f"{stem}{name}")
            if at.is_file()
        ]
        yield clip(stem, label, label, files[0]) if files else "its sound is not there"


def read_digits(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Read spoken digits (files named <digit>_<speaker>_<number>.wav, or rows with a sound and its digit: Parquet, the first
    MOST_DIGITS of a data set on the hub) -> a Source of `Clip`s, labelled with the English word.
    """
    folder, asked = Path(path_or_id).expanduser(), str(path_or_id)
    if not folder.is_dir():
        found = open_table(asked, "set of spoken digits", INSTEAD_DIGITS, FSDD, most=MOST_DIGITS)
        return gathered("spoken-digits", asked, of_rows(found, SPOKEN_DIGITS, {}), found, skip_bad, DIGITS)
    files = sorted(((folder / "recordings") if (folder / "recordings").is_dir() else folder).glob("*.wav"))
    if not files:
        raise BadInput(f"There are no spoken digits at {asked}; {INSTEAD_DIGITS}.")
    return gathered("spoken-digits", asked, map(spoken, files), Opened((), asked, FSDD), skip_bad, DIGITS)


def spoken(file: Path) -> Clip | str:
    found = SPOKEN.fullmatch(file.stem)
    return clip(file.stem, DIGITS[int(found[1])], found[2], file) if found else "its name is not <digit>_<speaker>_<number>"


def of_rows(found: Opened, kind: Kind, labels: dict[str, None]) -> Iterator[Clip | BadRow]:
    """A clip of each row, from whatever column its sound and its label stand in.

    `labels` takes up every label that a column of classes has, else those of the rows, in order.
    """
    seen = set()
    for number, row in enumerate(found.rows, 1):
        if isinstance(row, BadRow):
            yield row
            continue
        column, said = first_of(row.cells, LABEL)
        names = found.classes.get(column, ())
        labels.update(dict.fromkeys(names))
        label = kind.label(class_name(said, names))
        if label is None:
            wrong = "missing" if said is None else repr(said)[:40]
            yield row.bad(f"the label is {wrong}; {kind.wanted} was expected ({' or '.join(LABEL)})")
            continue
        labels.setdefault(label)
        content, name = stored(first_of(row.cells, SOUND)[1])
        if content is None:
            yield row.bad(unstored(name))
            continue
        id = name or str(first_of(row.cells, NAMED)[1] or number)
        id = f"{id}:{number}" if id in seen else id
        seen.add(id)
        yield clip(id, label, kind.source(row.cells, name) or label, content)


def first_of(cells: Mapping, names: Sequence[str]) -> tuple[str, object]:
    """The first of these columns that holds something, and what; ("", None) where none does."""
    return next(((name, cells[name]) for name in names if cells.get(name) is not None), ("", None))


def class_name(said: object, names: Sequence[str]) -> object:
    """What a number stands for in a column of classes; the one thing of a list."""
    if isinstance(said, list | tuple) and len(said) == 1:
        said = said[0]
    if not names or not isinstance(said, int):
        return said
    return names[said] if 0 <= said < len(names) else None


def named_label(said: object) -> str | None:
    return said.strip() or None if isinstance(said, str) else None


def digit_word(said: object) -> str | None:
    """`7`, `"7"`, `"seven"` -> `seven`."""
    word = str(said).strip().lower()
    return word if word in DIGITS else DIGITS[int(word)] if re.fullmatch("[0-9]", word) else None


def speaker(cells: Mapping, name: str) -> str | None:
    """As a column says it, or the name of the file."""
    said, found = first_of(cells, SPEAKER)[1], SPOKEN.fullmatch(name)
    return str(said) if said is not None else found and found[2]


def stored(sound: object) -> tuple[bytes | None, str]:
    """The content of a sound as a cell holds it (`{"bytes": ..., "path": ...}`, the content or the path alone), and its file's name."""
    content, path = (sound.get("bytes"), sound.get("path")) if isinstance(sound, Mapping) else (sound, sound)
    return content if content and isinstance(content, bytes) else None, PurePosixPath(path if isinstance(path, str) else "").stem


def unstored(name: str) -> str:
    """Why a row's sound is none."""
    if name:
        return f"the sound {name} is a file apart; only sounds inside the rows are read (on the hub: owner/name@{CONVERTED}:split)"
    return f"the sound is missing ({' or '.join(SOUND)})"


NAMES = Kind("a name", named_label, lambda cells, name: None)
SPOKEN_DIGITS = Kind("a digit or its English word", digit_word, speaker)


def clip(id: str, label: str, source: str, sound: Path | bytes) -> Clip:
    content = sound if isinstance(sound, bytes) else sound.read_bytes()
    return Clip(id, label, source, hashlib.sha256(content).hexdigest(), sound)


def gathered(name: str, asked: str, found: Iterable[Clip | BadRow | str], opened: Opened, skip_bad: bool, labels: Iterable[str]) -> Source:
    """All that can be heard; `labels` are looked at when every row has been."""
    kept, bad, broken, counts = [], [], [], Counter()
    for made in found:
        counts["rows"] += 1
        if isinstance(made, BadRow):
            bad.append(made)
        elif isinstance(made, str):
            counts[f"left out: {made}"] += 1
        else:
            try:
                heard(made.sound, made.id)
                kept.append(made)
            except BadInput as error:
                broken.append(BadRow(asked, counts["rows"], str(error)))
                counts["left out: the sound cannot be heard"] += 1
    counts["kept"] = len(kept)
    refuse(bad if kept else bad + broken, asked, len(kept), skip_bad)
    labels = tuple(labels)
    rows = [f"{each.id} {each.content} {each.label}" for each in kept]
    hash = hashlib.sha256("\n".join([*rows, *labels]).encode()).hexdigest()
    left = "".join(f"; {n:,} {why}" for why, n in counts.items() if why.startswith("left out"))
    told = [f"{name}: {len(kept):,} of {counts['rows']:,} sounds kept{left}"]
    if opened.most == counts["rows"]:
        told.append(f"{name}: only the first {opened.most:,} rows of {opened.source} were fetched")
    return Source(tuple(kept), opened.source, hash, opened.licence, dict(counts), bad + broken, told, opened.revision, labels)

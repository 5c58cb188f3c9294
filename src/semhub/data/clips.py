"""Sounds with labels: VGGSound (a folder of sounds and its csv) and spoken digits.

Knows no model. Sounds come out mono, float32, at the rate of their file. What cannot be heard (silence, a truncated file) is
left out and counted, with its reason. WAV needs nothing; other formats need soundfile.
"""

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semhub.data.delimited import read_delimited
from semhub.data.hub import hub_id
from semhub.data.rows import BadRow, refuse
from semhub.data.sources import Source
from semhub.errors import BadInput
from semhub.types import Media

LONGEST = 60.0  # seconds
QUIETEST = 1e-4  # of full scale
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VGGSOUND = "CC BY 4.0 (VGGSound, robots.ox.ac.uk/~vgg/data/vggsound); sounds under YouTube's terms"
FSDD = "CC BY-SA 4.0 (free-spoken-digit-dataset, github.com/Jakobovski/free-spoken-digit-dataset)"
INSTEAD_VGGSOUND = (
    "put vggsound.csv and the clips as <YouTube id>_<start, six digits>.wav into data/vggsound/ and pass --data vggsound=data/vggsound"
)
INSTEAD_DIGITS = (
    "put the folder recordings/ of github.com/Jakobovski/free-spoken-digit-dataset into data/fsdd/ and pass --data spoken-digits=data/fsdd"
)


@dataclass(frozen=True, eq=False, slots=True)
class Clip:
    """One sound file and its label; `source`: what clips share that are not independent of each other (the label, the speaker)."""

    id: str
    label: str
    source: str
    content: str  # sha256 of the file
    file: Path

    @property
    def media(self) -> Media:
        return Media("audio", *heard(self.file))


def heard(file: Path) -> tuple[np.ndarray, int]:
    """(`[sample]` float32, samples a second), channels averaged.

    Raises BadInput for what is no sound, breaks off, is silent or lasts longer than LONGEST.
    """
    try:
        samples, rate = wav(file) if file.suffix.lower() == ".wav" else other(file)
    except (ValueError, EOFError, OSError, RuntimeError) as problem:
        raise BadInput(f"{file.name} cannot be read as a sound ({problem})") from problem
    samples = samples.mean(1) if samples.ndim == 2 else samples
    if not len(samples) or not np.isfinite(samples).all() or np.abs(samples).max() < QUIETEST:
        raise BadInput(f"{file.name} is silent")
    if len(samples) > LONGEST * rate:
        raise BadInput(f"{file.name} lasts {len(samples) / rate:.0f} s; at most {LONGEST:.0f} are read")
    return np.ascontiguousarray(samples, dtype=np.float32), rate


def wav(file: Path) -> tuple[np.ndarray, int]:
    """Samples between -1 and 1. Raises ValueError for a file that breaks off."""
    from scipy.io import wavfile

    with warnings.catch_warnings():
        warnings.simplefilter("error", wavfile.WavFileWarning)
        warnings.filterwarnings("ignore", message="Chunk .*not understood", category=wavfile.WavFileWarning)
        try:
            rate, samples = wavfile.read(file)
        except Exception as problem:  # a file that is broken anywhere makes scipy raise whatever it stumbles over
            raise ValueError(str(problem)) from problem
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128, rate
    scale = float(np.iinfo(samples.dtype).max) + 1 if samples.dtype.kind == "i" else 1.0
    return samples.astype(np.float32) / scale, rate


def other(file: Path) -> tuple[np.ndarray, int]:
    try:
        import soundfile
    except ImportError as problem:
        raise BadInput(f"{file.name} is no WAV file; other formats need soundfile: pip install 'semhub[senses]'.") from problem
    return soundfile.read(file, dtype="float32")


def read_vggsound(path: str | Path, skip_bad: bool = False) -> Source:
    """Read a folder with vggsound.csv (YouTube id, start, label, split) and the clips that are there -> a Source of `Clip`s.

    Rows without a file are counted: few have all of it; their labels are labels too. Raises BadInput where nothing can be heard.
    """
    folder = Path(path).expanduser()
    table = folder / "vggsound.csv"
    if not table.is_file():
        raise BadInput(f"There is no VGGSound at {path}{unfetched(path)}; {INSTEAD_VGGSOUND}.")
    labels: dict[str, None] = {}
    return gathered("vggsound", str(path), listed(table, folder, labels), VGGSOUND, skip_bad, labels)


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


def read_digits(path: str | Path, skip_bad: bool = False) -> Source:
    """Read spoken digits (files named <digit>_<speaker>_<number>.wav) -> a Source of `Clip`s, labelled with the English word."""
    folder = Path(path).expanduser()
    inside = folder / "recordings" if (folder / "recordings").is_dir() else folder
    files = sorted(inside.glob("*.wav")) if inside.is_dir() else []
    if not files:
        raise BadInput(f"There are no spoken digits at {path}{unfetched(path)}; {INSTEAD_DIGITS}.")
    return gathered("spoken-digits", str(path), map(spoken, files), FSDD, skip_bad, DIGITS)


def unfetched(path: str | Path) -> str:
    """For a message: what looks like a data set's id and is nothing here may be meant as one."""
    return "" if Path(path).expanduser().exists() or not hub_id(str(path)) else " (sounds are read from a folder, not by a data set's id)"


def spoken(file: Path) -> Clip | str:
    found = re.fullmatch(r"(\d)_(\w+?)_(\d+)", file.stem)
    return clip(file.stem, DIGITS[int(found[1])], found[2], file) if found else "its name is not <digit>_<speaker>_<number>"


def clip(id: str, label: str, source: str, file: Path) -> Clip:
    return Clip(id, label, source, hashlib.sha256(file.read_bytes()).hexdigest(), file)


def gathered(name: str, path: str, found: Iterator[Clip | BadRow | str], licence: str, skip_bad: bool, labels: Iterable[str]) -> Source:
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
                heard(made.file)
                kept.append(made)
            except BadInput as error:
                broken.append(BadRow(path, counts["rows"], str(error)))
                counts["left out: the sound cannot be heard"] += 1
    counts["kept"] = len(kept)
    refuse(bad if kept else bad + broken, path, len(kept), skip_bad)
    labels = tuple(labels)
    rows = [f"{each.id} {each.content} {each.label}" for each in kept]
    hash = hashlib.sha256("\n".join([*rows, *labels]).encode()).hexdigest()
    left = "".join(f"; {n:,} {why}" for why, n in counts.items() if why.startswith("left out"))
    told = [f"{name}: {len(kept):,} of {counts['rows']:,} sounds kept{left}"]
    return Source(tuple(kept), path, hash, licence, dict(counts), bad + broken, told, labels=labels)

"""A sound's file, or the content of one, as samples. WAV needs nothing; other formats need soundfile. Knows no data set."""

import io
import warnings
from pathlib import Path

import numpy as np

from semhub.errors import BadInput

LONGEST = 60.0  # seconds
SHORTEST = 0.05  # seconds: two windows of a mel scale, below which an ear makes no position of it
QUIETEST = 1e-4  # of full scale
WAV = (b"RIFF", b"RIFX", b"RF64")
FILMS = (slice(4, 8), b"ftyp"), (slice(0, 4), b"\x1aE\xdf\xa3")  # MP4, WebM: where each says what it is


def heard(sound: Path | bytes, id: str = "the sound") -> tuple[np.ndarray, int]:
    """(`[sample]` float32, samples a second), channels averaged. What is no file is called by its `id`.

    Raises BadInput for what is no sound, breaks off, is silent, or lasts less than SHORTEST or more than LONGEST.
    """
    name = sound.name if isinstance(sound, Path) else id
    try:
        samples, rate = samples_of(sound, name)
    except (ValueError, EOFError, OSError, RuntimeError) as problem:
        raise BadInput(f"{name} cannot be read as a sound ({problem})") from problem
    samples = samples.mean(1) if samples.ndim == 2 else samples
    if not np.isfinite(samples).all():
        raise BadInput(f"{name} holds samples that are no numbers")
    if not len(samples) or np.abs(samples).max() < QUIETEST:
        raise BadInput(f"{name} is silent")
    if len(samples) < SHORTEST * rate:
        raise BadInput(f"{name} lasts {len(samples) / rate:.3f} s; sounds of {SHORTEST} s or more are read")
    if len(samples) > LONGEST * rate:
        raise BadInput(f"{name} lasts {len(samples) / rate:.0f} s; at most {LONGEST:.0f} are read")
    return np.ascontiguousarray(samples, dtype=np.float32), rate


def samples_of(sound: Path | bytes, name: str) -> tuple[np.ndarray, int]:
    """A file by its suffix, the content of one by its first bytes."""
    if isinstance(sound, Path):
        return wav(sound) if sound.suffix.lower() == ".wav" else other(sound, name)
    if any(sound[where] == mark for where, mark in FILMS):
        raise ValueError("it is a film; its sound has to be taken out of it, as WAV, FLAC or OGG")
    return wav(io.BytesIO(sound)) if sound[:4] in WAV else other(io.BytesIO(sound), name)


def wav(file: Path | io.BytesIO) -> tuple[np.ndarray, int]:
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


def other(file: Path | io.BytesIO, name: str) -> tuple[np.ndarray, int]:
    try:
        import soundfile
    except ImportError as problem:
        raise BadInput(f"{name} is no WAV file; other formats need soundfile: pip install 'semhub[senses]'.") from problem
    return soundfile.read(file, dtype="float32")

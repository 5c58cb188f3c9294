"""Processor time, peak memory and the printed row that the benchmarks share; knows nothing of what is timed."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Cost:
    """Median processor seconds, half the spread of the runs, and MiB above what was held before (nan where Linux's /proc is missing)."""

    seconds: float
    spread: float
    mebibytes: float


def cost(action: Callable[[], object], runs: int = 5) -> Cost:
    """One warm-up, whose memory is what counts, then `runs` timed ones. Processor time, so that a busy machine changes little."""
    mebibytes = peak(action)
    seconds = [timed(action) for _ in range(runs)]
    return Cost(statistics.median(seconds), (max(seconds) - min(seconds)) / 2, mebibytes)


def timed(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def peak(action: Callable[[], object]) -> float:
    try:
        RESET.write_text("5")  # sets the high-water mark back to what is resident now
    except OSError:
        action()
        return float("nan")
    before = resident("VmRSS")
    action()
    return (resident("VmHWM") - before) / 1024


def resident(field: str) -> int:
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field))


def row(name: str, found: Cost, against: Cost | None = None) -> str:
    ratio = f"{against.seconds / found.seconds:8.1f} x faster" if against else ""
    return f"{name:<44}{found.seconds:9.3f} s +-{found.spread:6.3f} {found.mebibytes:9.0f} MiB{ratio}"

"""What controls and inference cost: the main tasks on the bundled model as a default run does them, against the same done plainly.

Plain: the measure of the claim alone, of raw states, without negatives, permutations, intervals, other readers, control pushes or
other sources. Processor seconds of one thread; each task is done both ways in turn, on states that nothing has read before, and the
numbers that both ways give have to agree. Judging (`verdicts`) is timed on a run folder, where one is named.

    PYTHONPATH=src python benchmarks/inference.py [RUN]
"""

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch read it: several threads spend more seconds on small matrices

import torch
from clock import timed

import semhub
from semhub.methods import Compare, Decode, Spread, Steer, carry_out
from semhub.methods.bench import Bench
from semhub.tasks import MAIN, find, given
from semhub.verdicts.files import read_evidence
from semhub.verdicts.judging import judge

SAME = ("task", "measure", "group", "position", "variant", "control", "split", "layer", "strength")


def plainly(asked):
    """A declaration without anything that only tells whether to believe its answer."""
    match asked:
        case Compare():
            less = {"measures": ("adjusted_cosine",), "beside": (), "controls": (), "matched": {}, "variants": ("raw",)}
            return replace(asked, **less, intervals=False, alike=False)
        case Decode() | Spread():
            return replace(asked, lens=replace(asked.lens, norms={None: "final"}, **dict.fromkeys(LENS, False), affine=()))
        case Steer():
            main = asked.main or next(iter(asked.pushes))
            return replace(asked, pushes={main: asked.pushes[main]}, controls=(), neutral={}, divergence=False)
    return asked


LENS = ("wrong", "floor", "single", "accuracy", "word_states", "intervals")


def seconds(model, name: str, declare: Callable) -> tuple[float, dict]:
    """Processor time of one task, its declaration included, and what it found."""
    found = {}

    def action():
        asked = declare(find(name)("sound", given()))
        readings = carry_out(asked, Bench(model, name, "sound", 0, memo={})).readings
        found.update({tuple(getattr(each, column) for column in SAME): each.value for each in readings})

    return timed(action), found


def main() -> None:
    torch.set_num_threads(1)
    model, totals = semhub.load(), [0.0, 0.0]
    print(f"{'task':<30}{'plain, s':>10}{'as it is':>10}{'times':>8}")
    for name in MAIN:
        (plain, few), (whole, all_of_it) = seconds(model, name, plainly), seconds(model, name, lambda asked: asked)
        wrong = [key for key, value in few.items() if not math.isclose(all_of_it.get(key, value), value, rel_tol=1e-3, abs_tol=1e-5)]
        if wrong or not few.keys() & all_of_it.keys():
            sys.exit(f"{name}: the two ways disagree, first at {wrong[:1]}.")
        totals = [totals[0] + plain, totals[1] + whole]
        print(f"{name:<30}{plain:>10.1f}{whole:>10.1f}{whole / plain:>8.2f}", flush=True)
    if len(sys.argv) > 1:
        evidence, start = read_evidence(Path(sys.argv[1])), time.process_time()
        judge(evidence)
        totals[1] += time.process_time() - start
        print(f"{'verdicts':<30}{'':>10}{time.process_time() - start:>10.1f}")
    print(f"{'together':<30}{totals[0]:>10.1f}{totals[1]:>10.1f}{totals[1] / totals[0]:>8.2f}")


if __name__ == "__main__":
    main()

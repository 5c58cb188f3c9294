"""Steps of growing the bundled text model with what `make bundle` tells glibc about memory (MALLOC in the Makefile) and without.

    python benchmarks/memory.py [--steps 40] [--rounds 3]

Processes on one thread each, compiled, one after the other and in turn; without glibc both are the same. The weights that they
come to are compared before any figure is printed.
"""

import argparse
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from clock import timed
from growth import Way, drawn

from semhub.lab.grow import compiled, next_token_loss, precision

MAKEFILE = Path(__file__).parent.parent / "Makefile"
MALLOC = re.search(r"^MALLOC := (\S+)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)[1]


def run(steps: int, tunables: str) -> dict:
    """Another process's processor milliseconds a step and the hash of its weights."""
    command = [sys.executable, __file__, "--steps", str(steps), "--child"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"GLIBC_TUNABLES": tunables})
    return json.loads(done.stdout.splitlines()[-1])


def child(steps: int) -> dict:
    """The same of this process, its first three steps left out of the time."""
    torch.set_num_threads(1)
    way = Way("eager", True, compiled(next_token_loss, torch.device("cpu")))
    way.steps(drawn(3))()
    milliseconds = statistics.median(timed(way.steps([batch])) * 1000 for batch in drawn(steps))
    weights = b"".join(weight.detach().numpy().tobytes() for weight in way.network.parameters())
    return {"milliseconds": milliseconds, "weights": hashlib.sha256(weights).hexdigest()}


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--steps", type=int, default=40)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = ask.parse_args()
    if asked.child:
        print(json.dumps(child(asked.steps)))
        sys.exit()
    run(1, "")  # compiles
    print(f"{asked.steps} steps of 32 windows of 64 tokens, {precision('cpu')}, GLIBC_TUNABLES={MALLOC}")
    ratios = []
    for _ in range(asked.rounds):
        without, kept = run(asked.steps, ""), run(asked.steps, MALLOC)
        assert without["weights"] == kept["weights"], "memory must change no weight"
        ratios.append(without["milliseconds"] / kept["milliseconds"])
        print(f"{without['milliseconds']:7.1f} ms a step without, {kept['milliseconds']:7.1f} ms so: {ratios[-1]:.3f} x faster")
    print(f"median {statistics.median(ratios):.3f} x faster, the same weights")

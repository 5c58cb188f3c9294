"""The example scripts do what they say, on models of families that they have never seen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_models import saved, tiny

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma2", "neox"])
def test_any_model_prints_a_line_per_layer(kind, tmp_path):
    saved(kind, tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    script = [sys.executable, str(ROOT / "examples" / "any_model.py"), str(tmp_path)]
    shown = subprocess.run(script, env=environment, capture_output=True, encoding="utf-8", timeout=600)
    assert shown.returncode == 0, shown.stderr
    rows = re.findall(r"^ +(\d+) ([+-]\d\.\d{3})   (.+)$", shown.stdout, re.MULTILINE)
    assert [int(layer) for layer, _, _ in rows] == list(range(tiny(kind)[0].config.num_hidden_layers + 1))
    assert all(-2 <= float(value) <= 2 for _, value, _ in rows)
    assert all(len(re.findall(r"'[^']*'|\"[^\"]*\"", words)) == 5 for _, _, words in rows)

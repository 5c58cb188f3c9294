"""JUDGE: readings become supported, contradicted or undecided, claim by claim, with what speaks for and against each.

Tables and thresholds in, verdicts out; `files.py` alone opens a run folder. Knows no model and no task by name.
"""

from importlib import import_module

_WHERE = {
    "Thresholds": "thresholds",
    "read_thresholds": "thresholds",
    "Verdict": "verdict",
    "Control": "verdict",
    "Evidence": "evidence",
    "Subject": "evidence",
    "judge": "judging",
    "read_evidence": "files",
    "write_verdicts": "files",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'semhub.verdicts' has no attribute {name!r}")
    return getattr(import_module(f"semhub.verdicts.{_WHERE[name]}"), name)

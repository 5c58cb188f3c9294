"""A run without a model: two fake tasks on two fake models, for the tests of `runs` and of the command line.

As a script (`python fake_run.py FOLDER PAUSE`) it carries the run out, slowly, so that a test can kill it.
"""

import sys
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

from semhub.runs.engine import carry_out
from semhub.runs.plan import Part, Plan
from semhub.runs.spec import Spec
from semhub.types import Outcome, Reading

TASKS = ("space/near", "space/far")
MODELS = ("hub", "hub-untrained")


@dataclass
class FakeTask:
    question: str = "Are two places near?"
    paper: str = "figure 0"
    types: tuple = ("en", "zh")
    protocols: tuple = ("sound", "paper")
    against: str = "no place is near"
    data: str = "places"
    method: str = "Distances are measured."
    usual: bool = True

    @property
    def needs(self) -> tuple:
        return self.types

    def fits(self, types) -> bool:
        return set(self.types) <= set(types)

    def unsuited(self, protocol, given) -> str | None:
        return None


@dataclass
class FakeModel:
    name: str
    weights_hash: str = "w1"
    revision: str | None = None
    layers: int = 2
    role: str | None = None
    certificate: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(passed=True, as_dict=lambda: {"passed": True, "checks": []})
    )


@dataclass
class FakeResult:
    readings: list
    outcomes: list
    extras: dict


def load(name, **keywords):
    return FakeModel(name)


def show(plan, model) -> dict:
    return {"model": model.name, "tokens": []}


def perform(task, model, *, protocol, seed, limit, layers, types, batch_tokens, pairs, items, data, scorers, progress, memo):
    memo.setdefault("tasks", []).append(task)
    columns = {"task": task, "protocol": protocol, "model": model.name, "measure": "distance"}
    outcomes = []
    for item in range(limit or 3):
        progress(item, limit or 3)
        outcomes += [Outcome(**columns, item=f"i{item}", layer=layer, value=seed + item / 7 + layer) for layer in range(model.layers + 1)]
    readings = [
        Reading(**columns, layer=layer, value=seed + layer / 3, low=0.0, high=1.0, n=limit or 3) for layer in range(model.layers + 1)
    ]
    return FakeResult(readings, outcomes, {"words": ["中"], "seen": len(memo["tasks"])})


def plan(models=MODELS, **changes) -> Plan:
    spec = Spec(**{"tasks": TASKS, "models": models, "versions": {"semhub": "0"}} | changes)
    parts = tuple(Part(task, model) for model in spec.models for task in spec.tasks)
    roles = {name: "control:untrained" if name.endswith("untrained") else "hub" for name in spec.models}
    return Plan(spec, parts, {task: FakeTask() for task in spec.tasks}, roles)


if __name__ == "__main__":
    folder, pause = sys.argv[1], float(sys.argv[2])

    def slowly(task, model, **arguments):
        time.sleep(pause)
        return perform(task, model, **arguments)

    carry_out(plan(), folder, load=load, perform=slowly, show=show, watch=lambda event: print(event.kind, flush=True))

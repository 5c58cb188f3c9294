"""THE JOBS that a person asks for by name, one function each: what the command line and the ten lines of Python both call.

Knows the order of the rooms (plan, run, tell) and nothing of what happens inside them; prints nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from semhub.errors import BadInput
from semhub.runs import Opening, Run, carry_out, prepare
from semhub.runs.engine import silent
from semhub.runs.spec import AS_IT_COMES


def run(
    tasks: Iterable[str] | str = (), model: object | None = None, *, out: str | Path | None = None, watch: Callable = silent, **asked
) -> Run:
    """Run tasks (all that fit, if none is named) on a model (the bundled hub, if none is given) and write the report.

    `asked`: the keywords of `runs.prepare` (`protocol`, `pairs`, `items`, `seed`, `limit`, `layers`, `types`, `controls`, ...).
    `out`: the run folder; by default one that the same question finds again. Raises UserError, naming what to mend.
    """
    plan = prepare([tasks] if isinstance(tasks, str) else tasks, model, **asked)
    done = carry_out(plan, plan.folder() if out is None else Path(out), watch=watch)
    return replace(done, report=report(done.folder))


def dry_run(tasks: Iterable[str] | str = (), model: object | None = None, *, out: str | Path | None = None, **asked) -> dict:
    """What `run` with the same words would do: per part its passes, tokens, seconds and memory; bytes to fetch; the folder."""
    from semhub.runs.estimate import estimate

    plan = prepare([tasks] if isinstance(tasks, str) else tasks, model, **asked)
    return estimate(plan, plan.folder() if out is None else Path(out))


def report(folder: str | Path) -> Path:
    """Tell a finished run folder again -> the page's path."""
    from semhub.report import write_report

    return write_report(Path(folder))


def check(model: object | None = None, opening: Opening = AS_IT_COMES):
    """Open a model and certify it -> its `Certificate`, failed checks included."""
    from semhub.models import certify

    return certify(_opened(model, opening, prove=False))


def grow(recipe: str | Path, out: str | Path | None = None, **keywords) -> Path:
    """Train a small model from a recipe -> its folder."""
    from semhub.lab import train

    return train(recipe, None if out is None else Path(out), **keywords)


def tasks() -> list[dict]:
    """The catalogue: one entry per task."""
    from semhub.tasks import catalogue

    return [
        {"name": name, "question": task.question, "paper": task.paper, "types": list(task.types), "protocols": list(task.protocols)}
        for name, task in catalogue().items()
    ]


def models() -> list[dict]:
    """The bundled models."""
    from semhub.models.bundled import bundled

    return [
        {
            "name": each.name,
            "role": each.role,
            "format": each.format,
            "types": list(each.types),
            "path": None if each.path is None else str(each.path),
            "bytes": each.bytes,
        }
        for each in bundled()
    ]


@dataclass(frozen=True, slots=True)
class LensTable:
    """What each layer would say next at each token: `words[layer][token]` holds (word, probability), best first."""

    model: str
    norm: str
    tokens: tuple[str, ...]
    layers: tuple[int, ...]
    words: tuple[tuple[tuple[tuple[str, float], ...], ...], ...]

    def as_dict(self) -> dict:
        return asdict(self)


def lens(
    text: str,
    model: object | None = None,
    *,
    norm: str = "final",
    top: int = 1,
    layers: tuple[int, ...] | None = None,
    opening: Opening = AS_IT_COMES,
) -> LensTable:
    """The logit lens over every token of `text`, as people write the words.

    Raises BadInput for an empty text, a layer that the model has not, or a `top` beyond the vocabulary.
    """
    import torch

    from semhub.measures.lens import top_k

    if not text.strip():
        raise BadInput("The lens needs a text to read; found an empty one.")
    opened = _opened(model, opening)
    layers = tuple(range(opened.layers + 1)) if layers is None else layers
    if not layers or max(layers) > opened.layers:
        raise BadInput(f"Layers {list(layers)} were asked for; {opened.name} has 0 to {opened.layers}.")
    encoding = opened.encode([text])[0]
    batches = list(opened.stream([text], at="all", layers=list(layers)))
    order = torch.cat([batch.positions for batch in batches]).argsort()
    states = torch.cat([batch.states for batch in batches], 1)[:, order]
    with torch.no_grad():
        logprobs, ids = top_k(states, opened.head, top, norm)
    probs = logprobs.exp()
    words = tuple(
        tuple(
            tuple(
                (readable(opened.tokenizer, int(i)), round(float(p), 4))
                for i, p in zip(ids[layer, token], probs[layer, token], strict=True)
            )
            for token in range(ids.shape[1])
        )
        for layer in range(len(layers))
    )
    shown = tuple(text[a:b] or readable(opened.tokenizer, i) for i, (a, b) in zip(encoding.ids, encoding.offsets, strict=True))
    return LensTable(opened.name, norm, shown, layers, words)


def readable(tokenizer, token: int) -> str:
    """A token as people write it: `中`, not its bytes; a piece of a character keeps its tokenizer's name."""
    text = tokenizer.decode([token])
    if "\ufffd" in text or not text:
        return str(tokenizer.convert_ids_to_tokens(token))
    return text.replace("\n", "\\n")


def _opened(model: object | None, opening: Opening, **keywords):
    """A model by name, or the one in hand."""
    from semhub.models import load

    return load(model, **opening.keywords(), **keywords) if model is None or isinstance(model, str | Path) else model

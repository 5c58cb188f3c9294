"""THE JOBS that a person asks for by name, one function each: what the command line and the ten lines of Python both call.

Knows the order of the rooms (plan, run, tell) and nothing of what happens inside them; prints nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from semhub.errors import BadInput
from semhub.runs import Opening, Plan, Run, carry_out, prepare
from semhub.runs.crew import cores, fitting
from semhub.runs.engine import silent
from semhub.runs.spec import AS_IT_COMES


def run(
    tasks: Iterable[str] | str = (),
    model: object | None = None,
    *,
    out: str | Path | None = None,
    watch: Callable = silent,
    workers: int | None = 1,
    thresholds: str | Path | None = None,
    **asked,
) -> Run:
    """Run tasks (all that fit, if none is named) on a model (the bundled hub, if none is given), judge and write the report.

    `asked`: the keywords of `runs.prepare` (`protocol`, `pairs`, `items`, `seed`, `limit`, `layers`, `types`, `controls`, ...).
    `out`: the run folder; by default one that the same question finds again. `workers`: processes that share the work, None
    for as many as suit it; more than one only from a program whose main module can be imported (multiprocessing's rule).
    `thresholds`: a TOML file of the numbers that decide verdicts. Raises UserError, naming what to mend.
    """
    _limits(thresholds)  # a mistake there is told before the work, not after it
    plan = _plan(tasks, model, asked)
    done = carry_out(plan, plan.folder() if out is None else Path(out), watch=watch, workers=fitting(plan) if workers is None else workers)
    return replace(done, report=report(done.folder, thresholds, workers))


def reproduce(part: str, model: object | None = None, **asked) -> Run:
    """Do again what a part of the paper shows, as the paper's release does it -> the run; its figures lie in `figures/`.

    `part`: a section, equation, figure or table as far as tasks state them, a domain, or a task (`parts`). `asked`: the keywords of
    `run`. Raises BadInput for a figure that no task states, UnknownName, which offers the nearest one, for anything else.
    """
    from semhub.tasks.parts import tasks_of

    return run(tasks_of(part), model, **{"protocol": "paper"} | asked)


def parts() -> list[dict]:
    """What `reproduce` can be asked for: each part of the paper with its tasks."""
    from semhub.tasks.parts import parts

    return [{"part": name, "tasks": list(tasks)} for name, tasks in parts().items()]


def dry_run(tasks: Iterable[str] | str = (), model: object | None = None, *, out: str | Path | None = None, **asked) -> dict:
    """What `run` with the same words would do: per part its passes, tokens, seconds and memory; bytes to fetch; the folder."""
    from semhub.runs.estimate import estimate

    plan = _plan(tasks, model, asked)
    return estimate(plan, plan.folder() if out is None else Path(out))


def report(folder: str | Path, thresholds: str | Path | None = None, workers: int | None = 1) -> Path:
    """Judge and tell a finished run folder again, by the thresholds of a TOML file or the usual ones -> the page's path.

    `workers`: processes that draw the figures, None for one per core.
    """
    from semhub.report import write_report

    return write_report(Path(folder), _limits(thresholds), cores() if workers is None else workers)


def compare(folders: Iterable[str | Path], out: str | Path | None = None, thresholds: str | Path | None = None):
    """Runs side by side -> their `Comparison`; with `out`, `compare.html` and `compare.csv` are written into that folder.

    `thresholds`: a TOML file of the numbers that decide verdicts; by default those that the first run was judged by.
    Raises BadInput for what is no run folder, or runs of other tasks or another protocol.
    """
    from semhub.studies.compare import compare

    found = compare([Path(folder) for folder in folders], None if thresholds is None else _limits(thresholds))
    if out is not None:
        from semhub.report.comparison import write

        write(found, Path(out))
    return found


def check(model: object | None = None, opening: Opening = AS_IT_COMES):
    """Open a model and certify it -> its `Certificate`, failed checks included."""
    from semhub.models import certify

    return certify(_opened(model, opening, prove=False))


def grow(recipe: str | Path, out: str | Path | None = None, **keywords) -> Path:
    """Train a small model from a recipe -> its folder; `keywords` are those of `lab.train`."""
    from semhub.lab import train

    return train(recipe, None if out is None else Path(out), **keywords)


def lab_card(folder: str | Path, beside: str | Path | None = None, *, seed: int = 0) -> dict:
    """Examine a grown model and write its card -> `folder`, `scores`, and with `beside` (a folder or bundled name) `matches`."""
    from semhub.lab import examined
    from semhub.models.bundled import find_bundled

    def place(name: str | Path) -> Path:
        found = find_bundled(str(name))
        if found is None or Path(name).is_dir():
            return Path(name)
        if found.path is None:
            made = " and ".join(each.name for each in found.strangers) or f"the configuration of {found.made_from.name}"
            raise BadInput(f"{name} is made of {made}, and has no folder and no card of its own.")
        return found.require()

    return examined(place(folder), None if beside is None else place(beside), seed=seed)


def emergence(target: str | Path, out: str | Path | None = None, **keywords) -> Path:
    """Hub measures at every checkpoint -> the study's page; `keywords` are those of `studies.emergence.emergence`."""
    from semhub.report.growth import write_growth
    from semhub.studies.emergence import emergence

    return write_growth(emergence(target, None if out is None else Path(out), **keywords))


def sweep(recipe: str | Path, over: Iterable[str], out: str | Path | None = None, **keywords) -> Path:
    """Hub measures of a varied recipe -> the study's page; `keywords` are those of `studies.sweep.sweep`."""
    from semhub.report.growth import write_growth
    from semhub.studies.sweep import sweep

    return write_growth(sweep(recipe, list(over), None if out is None else Path(out), **keywords))


def calibrate(out: str | Path | None = None, quick: bool = False, **keywords) -> dict:
    """P-values and verdicts where nothing is to be found, and power -> the summary, with `folder` and `figure`.

    `keywords`: those of `studies.calibrate`; `quick` puts its small numbers in the place of theirs.
    """
    from semhub.report.calibration import write
    from semhub.studies.calibrate import QUICK, calibrate

    folder = Path("calibration" if out is None else out)
    summary = calibrate(folder, **keywords | (QUICK if quick else {}))
    return {**summary, "folder": str(folder), "figure": str(write(folder))}


def tasks() -> list[dict]:
    """The catalogue: one entry per task, with everything that a task states."""
    from semhub.tasks import catalogue

    return [each.facts() for each in catalogue().values()]


def task(name: str) -> dict:
    """What one task states, and what its two protocols do. Raises UnknownName."""
    from semhub.tasks import find

    return find(name).facts()


def load_tasks(files: Iterable[str | Path]) -> None:
    """Add the tasks of a person's own Python files to the catalogue."""
    from semhub.tasks import load_file

    for path in files:
        load_file(path)


def data(name: str | None = None) -> list[dict]:
    """The sources of real data, or one of them: what it is, its licence, where to get it, where to put it, for which tasks."""
    from semhub.data.page import facts

    return facts(name)


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


def lens(
    text: str,
    model: object | None = None,
    *,
    norm: str = "final",
    top: int = 1,
    layers: tuple[int, ...] | None = None,
    opening: Opening = AS_IT_COMES,
    lens: str | Path | None = None,
) -> dict:
    """The logit lens over every token of `text` -> `model`, `norm`, `tokens`, `layers`, `words[layer][token]` of (word, probability).

    `lens`: the folder of an affine lens (`fit_lens`, or a published tuned lens), which then reads in its stead.
    Raises BadInput for an empty text, a layer that the model does not have, or a `top` beyond the vocabulary.
    """
    from semhub.methods.decode import token_map

    if not text.strip():
        raise BadInput("The lens needs a text to read; found an empty one.")
    opened, own = _opened(model, opening), {}
    if lens is not None:
        from semhub.methods.tuned import of_model, read_lens

        own = {"lens": of_model(read_lens(lens, opening.unsafe_weights), opened) or _not_its(lens, opened)}
    (found,) = token_map(opened, [text], norm, top, layers, **own)
    return {"model": opened.name, "norm": norm, **found}


def _not_its(lens: str | Path, model):
    raise BadInput(f"The lens in {lens} is not one of {model.name}.")


def fit_lens(model: object | None, text: str | Path, out: str | Path, *, seed: int = 0, opening: Opening = AS_IT_COMES) -> dict:
    """Fit an affine lens on training text -> its facts and `folder`. `text`: a file or folder of plain text, or `world`.

    The divergence from the final distribution is measured on every tenth text, which is kept apart. Raises UserError.
    """
    from semhub.methods.tuned import fit, save

    opened = _opened(model, opening)
    found = fit(opened, _training_text(str(text), opened, seed), source=str(text))
    return {"folder": str(save(found, Path(out))), **found.facts}


WORLD_TEXTS = 500  # sentences of each language: some 50 tokens for each dimension of the bundled models


def _training_text(text: str, model, seed: int) -> list[str]:
    """Lines of the person's own, or training sentences of the world in the languages that the model knows."""
    if text != "world":
        from semhub.data.texts import read_texts

        return read_texts(text)
    from semhub.data import world
    from semhub.models.bundled import find_bundled

    known = getattr(find_bundled(model.name), "types", world.LANGUAGES)
    languages = [type for type in world.LANGUAGES if type in known]
    return [sentence for type in languages for sentence in world.sentences(type, WORLD_TEXTS, split="train", seed=seed)]


def _limits(thresholds: str | Path | None):
    from semhub.verdicts.thresholds import LIMITS, read_thresholds

    return LIMITS if thresholds is None else read_thresholds(thresholds)


def _plan(tasks: Iterable[str] | str, model: object | None, asked: dict) -> Plan:
    if not (model is None or isinstance(model, str | Path)):
        model = _opened(model, asked.get("opening", AS_IT_COMES))
    return prepare([tasks] if isinstance(tasks, str) else tasks, model, **asked)


def _opened(model: object | None, opening: Opening, **keywords):
    """A model by name, as network and tokenizer, or opened before."""
    from semhub.models import Model, load

    return model if isinstance(model, Model) else load(model, **opening.keywords(), **keywords)

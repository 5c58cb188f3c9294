"""THE COMMAND LINE: parse, call one function, print.

Knows no experiment. Nothing heavy is imported before a command asks for it, so `semhub --help` answers at once.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from semhub import __version__, terminal
from semhub.errors import UserError

app = typer.Typer(
    help="Does a language model keep one shared space of meaning for all its data types, and does it use it?",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lab = typer.Typer(help="Grow small models from recipes.")
app.add_typer(lab, name="lab")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Bundled name, folder or Hugging Face id; default: the bundled hub.")]
Layers = Annotated[str | None, typer.Option(help="Layers to read, such as 0,4-8 (0: the embeddings); default: all.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hugging Face id.")]
Dtype = Annotated[str | None, typer.Option(help="float32, bfloat16, float16 or auto.")]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the network first; pays off in long trainings.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps.")]
DeviceMap = Annotated[str | None, typer.Option(help="auto spreads the model over all devices.")]
RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.")]
TaskFiles = Annotated[
    list[Path] | None, typer.Option("--tasks", metavar="FILE", help="Python file with tasks of your own (docs/tasks.md shows one).")
]
Limits = Annotated[Path | None, typer.Option("--thresholds", help="TOML file of the numbers that decide verdicts (docs/verdicts.md).")]
LensFolder = Annotated[
    Path | None, typer.Option("--lens", metavar="DIR", help="An affine lens: of semhub fit-lens, or a published tuned lens.")
]
Unsafe = Annotated[bool, typer.Option("--unsafe-weights", help="Open weights that are not safetensors; they can run code.")]
OwnPairs = Annotated[str | None, typer.Option("--pairs", help="Own data: JSONL, CSV, TSV, Parquet, a folder, or a data set id.")]
RealData = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="NAME=PATH", help="Real data, such as code=mbpp.jsonl: a path or a data set id (semhub list --data)."),
]
Types = Annotated[str | None, typer.Option(help="Data types, such as en,zh (the dominant one first).")]
BatchTokens = Annotated[int, typer.Option(help="Tokens per batch; lower it if memory runs out.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without bad rows, and say how many.")]
Draws = Annotated[int, typer.Option("--seed", help="Seed of every draw.")]


@app.callback(invoke_without_command=True)
def semhub(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        print(f"semhub {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def run(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(help="Tasks or domains (semhub list); default: all that fit, of the bundled model suite main."),
    ] = None,
    model: Model = None,
    suite: Annotated[
        str | None,
        typer.Option(help="A set of tasks: main, paper (all 21 that fit), controls (what a default run has no time for)."),
    ] = None,
    protocol: Annotated[str, typer.Option(help="sound (with controls) or paper (as the paper's release).")] = "sound",
    pairs: OwnPairs = None,
    items: Annotated[str | None, typer.Option(help="Own items for the lens and for steering (JSONL).")] = None,
    data: RealData = None,
    task_files: TaskFiles = None,
    lens: LensFolder = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: runs/<model>-<protocol>-<hash of what was asked>.")] = None,
    seed: Draws = 0,
    limit: Annotated[int | None, typer.Option(help="At most so many items per task, of those that can be asked.")] = None,
    layers: Layers = None,
    types: Types = None,
    batch_tokens: BatchTokens = 8192,
    scorers: Annotated[str, typer.Option(help="package, or hf for the paper's own scorers.")] = "package",
    controls: Annotated[
        str,
        typer.Option(help="Bundled control models beside the hub: usual (untrained, mispaired), all, none, or kinds (deranged,apart)."),
    ] = "usual",
    twins: Annotated[
        int, typer.Option(help="Compare states of so many untrained twins too, each of another seed (bundled models have one).")
    ] = 0,
    skip_bad: SkipBad = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the work; default: one, or one per core for bundled models.")
    ] = None,
    thresholds: Limits = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and run nothing.")] = False,
    revision: Revision = None,
    dtype: Dtype = None,
    device: Device = None,
    device_map: DeviceMap = None,
    trust_remote_code: RemoteCode = False,
    unsafe_weights: Unsafe = False,
    json: Json = False,
) -> None:
    """Run experiments on a model and write a report; the same command again goes on where it stopped."""
    from semhub import jobs
    from semhub.runs.spec import Opening, parse_data, parse_layers, parse_types

    asked = {
        "protocol": protocol,
        "pairs": pairs,
        "items": items,
        "data": parse_data(data),
        "task_files": tuple(task_files or ()),
        "suite": suite,
        "lens": lens,
        "seed": seed,
        "limit": limit,
        "layers": parse_layers(layers),
        "types": parse_types(types),
        "batch_tokens": batch_tokens,
        "scorers": scorers,
        "controls": controls,
        "twins": twins,
        "skip_bad": skip_bad,
        "opening": Opening(revision, dtype, device, device_map, trust_remote_code, unsafe_weights),
    }
    if dry_run:
        terminal.show_estimate(jobs.dry_run(tasks or (), model, out=out, **asked), json)
        return
    with terminal.watching() as watch:
        done = jobs.run(tasks or (), model, out=out, watch=watch, workers=workers, thresholds=thresholds, **asked)
    terminal.show_run(done, json)


@app.command()
def reproduce(
    part: Annotated[
        str | None, typer.Argument(help="A part of the paper, such as section-4.1, equation-2 or figure-9, a domain, or a task (--list).")
    ] = None,
    model: Model = None,
    protocol: Annotated[str, typer.Option(help="paper (as the paper's release), or sound (with controls).")] = "paper",
    pairs: OwnPairs = None,
    data: RealData = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many items.")] = None,
    seed: Draws = 0,
    types: Types = None,
    batch_tokens: BatchTokens = 8192,
    skip_bad: SkipBad = False,
    revision: Revision = None,
    dtype: Dtype = None,
    device: Device = None,
    device_map: DeviceMap = None,
    trust_remote_code: RemoteCode = False,
    unsafe_weights: Unsafe = False,
    list_parts: Annotated[bool, typer.Option("--list", help="Show the parts of the paper, and the tasks of each.")] = False,
    json: Json = False,
) -> None:
    """Draw a figure or table of the paper again, on the bundled models or on your own."""
    from semhub import jobs
    from semhub.runs.spec import Opening, parse_data, parse_types

    if part is None or list_parts:
        terminal.show_parts(jobs.parts(), json)
        return
    asked = {
        "protocol": protocol,
        "pairs": pairs,
        "data": parse_data(data),
        "limit": limit,
        "seed": seed,
        "types": parse_types(types),
        "batch_tokens": batch_tokens,
        "skip_bad": skip_bad,
        "opening": Opening(revision, dtype, device, device_map, trust_remote_code, unsafe_weights),
    }
    with terminal.watching() as watch:
        done = jobs.reproduce(part, model, out=out, watch=watch, workers=None, **asked)
    terminal.show_run(done, json)


@app.command("list")
def list_(
    task: Annotated[str | None, typer.Argument(help="A task, to see all that is known of it; default: every task in a line.")] = None,
    models: Annotated[bool, typer.Option("--models", help="The bundled models.")] = False,
    data: Annotated[
        bool, typer.Option("--data", help="Sources of real data (or the named one): licence, where to get and put it.")
    ] = False,
    task_files: TaskFiles = None,
    json: Json = False,
) -> None:
    """Show the tasks, one task with all its facts, the bundled models, or the sources of real data."""
    from semhub import jobs

    jobs.load_tasks(task_files or ())
    if models:
        terminal.show_models(jobs.models(), json)
    elif data:
        terminal.show_data(jobs.data(task), json)
    elif task:
        terminal.show_task(jobs.task(task), json)
    else:
        terminal.show_tasks(jobs.tasks(), json)


@app.command()
def check(
    model: Annotated[str | None, typer.Argument(help="Bundled name, folder or Hugging Face id.")] = None,
    revision: Revision = None,
    dtype: Dtype = None,
    device: Device = None,
    device_map: DeviceMap = None,
    trust_remote_code: RemoteCode = False,
    unsafe_weights: Unsafe = False,
    json: Json = False,
) -> None:
    """Prove that a model is read, edited and batched rightly; exit code 1 if it is not."""
    from semhub import jobs
    from semhub.runs.spec import Opening

    certificate = jobs.check(model, Opening(revision, dtype, device, device_map, trust_remote_code, unsafe_weights))
    terminal.show_certificate(certificate.as_dict(), json)
    raise typer.Exit(0 if certificate.passed else 1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")],
    thresholds: Limits = None,
    workers: Annotated[int | None, typer.Option(help="Processes that draw the figures; default: one per core.")] = None,
) -> None:
    """Judge a run folder and write its report again."""
    from semhub import jobs

    print(jobs.report(folder, thresholds, workers))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders; the others are held against the first.")],
    out: Annotated[Path | None, typer.Option(help="Folder for compare.html and compare.csv.")] = None,
    thresholds: Limits = None,
    json: Json = False,
) -> None:
    """Hold runs against each other, model by model of the same role: verdicts side by side, differences of effects with intervals.

    Without --thresholds all are judged by those that the first run was judged by.
    """
    from semhub import jobs

    terminal.show_comparison(jobs.compare(runs, out, thresholds).as_dict(), out, json)


@app.command()
def lens(
    text: Annotated[str, typer.Argument(help="The text to read.")],
    model: Model = None,
    norm: Annotated[str, typer.Option(help="final or none.")] = "final",
    top: Annotated[int, typer.Option(help="Words per cell.")] = 1,
    layers: Layers = None,
    own: LensFolder = None,
    revision: Revision = None,
    dtype: Dtype = None,
    device: Device = None,
    device_map: DeviceMap = None,
    trust_remote_code: RemoteCode = False,
    unsafe_weights: Unsafe = False,
    json: Json = False,
) -> None:
    """Show the words that each layer speaks at each token, by the logit lens or by an affine one."""
    from semhub import jobs
    from semhub.runs.spec import Opening, parse_layers

    opening = Opening(revision, dtype, device, device_map, trust_remote_code, unsafe_weights)
    terminal.show_lens(jobs.lens(text, model, norm=norm, top=top, layers=parse_layers(layers), opening=opening, lens=own), json)


@app.command("fit-lens")
def fit_lens(
    model: Annotated[str | None, typer.Argument(help="Bundled name, folder or Hugging Face id; default: the bundled hub.")] = None,
    text: Annotated[str, typer.Option(help="Training text: a file or a folder of .txt files, a text a line; or world.")] = "world",
    out: Annotated[Path, typer.Option(help="Folder of the lens.")] = Path("lens"),
    seed: Annotated[int, typer.Option(help="Seed of the world's sentences.")] = 0,
    revision: Revision = None,
    dtype: Dtype = None,
    device: Device = None,
    device_map: DeviceMap = None,
    trust_remote_code: RemoteCode = False,
    unsafe_weights: Unsafe = False,
    json: Json = False,
) -> None:
    """Fit an affine lens to a model: a second reader beside the logit lens (semhub run --lens, semhub lens --lens)."""
    from semhub import jobs
    from semhub.runs.spec import Opening

    opening = Opening(revision, dtype, device, device_map, trust_remote_code, unsafe_weights)
    terminal.show_fitted(jobs.fit_lens(model, text, out, seed=seed, opening=opening), json)


@lab.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of the package, or a file.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the grown model.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of corpus, weights and batches.")] = 0,
    compile: Compile = False,
    device: Device = None,
) -> None:
    """Grow a model from a recipe into an ordinary Hugging Face folder; the same command again goes on where it stopped."""
    from semhub import jobs

    with terminal.growing() as progress:
        folder = jobs.grow(recipe, out, seed=seed, compile=compile, device=device, progress=progress)
    print(folder)


Seed = Annotated[int, typer.Option(help="Seed of corpus, weights and batches.")]
Pairs = Annotated[Path | None, typer.Option(help="Own pairs to ask about; needed with a corpus of your own.")]
Items = Annotated[Path | None, typer.Option(help="Own questions for the lens (JSONL).")]
Limit = Annotated[int, typer.Option(help="At most so many items of a kind.")]
StudyOut = Annotated[Path | None, typer.Option(help="Folder of the study.")]


@lab.command("card")
def card_(
    folder: Annotated[Path, typer.Argument(help="A grown model's folder.")],
    beside: Annotated[str | None, typer.Option(help="The model that it is a control of: is it matched?")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the questions.")] = 0,
    json: Json = False,
) -> None:
    """Ask a grown model what it can do in each language, and write that into its card."""
    from semhub import jobs

    terminal.show_card(jobs.lab_card(folder, beside, seed=seed), json)


@lab.command()
def emergence(
    target: Annotated[str, typer.Argument(metavar="RECIPE|FOLDER", help="A grown model's folder, or a recipe to grow first.")],
    out: StudyOut = None,
    seed: Seed = 0,
    limit: Limit = 200,
    pairs: Pairs = None,
    items: Items = None,
    device: Device = None,
) -> None:
    """Measure a model at each of its checkpoints, and draw the figures against training step."""
    from semhub import jobs

    with terminal.growing() as progress:
        asked = {"seed": seed, "limit": limit, "pairs": pairs, "items": items, "device": device}
        print(jobs.emergence(target, out, progress=progress, watch=terminal.said, **asked))


@lab.command()
def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe of the package, or a file.")],
    over: Annotated[
        list[str], typer.Option(help="What to vary, such as bridges.translation=0,0.06,0.12 or bridges.without=digits,switched.")
    ],
    out: StudyOut = None,
    seed: Seed = 0,
    limit: Limit = 200,
    pairs: Pairs = None,
    items: Items = None,
    compile: Compile = False,
    device: Device = None,
) -> None:
    """Grow a recipe with one thing varied, measure every model, and draw the figures against what was varied."""
    from semhub import jobs

    with terminal.growing() as progress:
        asked = {"seed": seed, "limit": limit, "pairs": pairs, "items": items, "compile": compile, "device": device}
        print(jobs.sweep(recipe, over, out, progress=progress, watch=terminal.said, **asked))


@lab.command()
def calibrate(
    draws: Annotated[int, typer.Option(help="P-values under nulls, in all.")] = 1000,
    seeds: Annotated[int, typer.Option(help="Those of them from as many untrained networks.")] = 200,
    items: Annotated[int, typer.Option(help="Items of each draw.")] = 100,
    tables: Annotated[int, typer.Option(help="Verdicts for each way in which a claim can be false.")] = 60,
    quick: Annotated[bool, typer.Option("--quick", help="A fifth of everything, to see that it works: too few to judge by.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of networks, items and permutations.")] = 0,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="A further grown model that shares nothing.")] = None,
    out: StudyOut = None,
    json: Json = False,
) -> None:
    """Show whether p-values and verdicts hold where nothing is to be found, and find what is there; the same command resumes."""
    from semhub import jobs

    with terminal.counting() as progress:
        asked = {"draws": draws, "seeds": seeds, "items": items, "tables": tables, "seed": seed, "models": tuple(model or ())}
        found = jobs.calibrate(out, quick, progress=progress, **asked)
    terminal.show_calibration(found, json)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check failed, 2 bad input (one line on stderr), 130 interrupted."""
    _quiet()
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="semhub", standalone_mode=False)
    except UserError as error:
        code = _refuse(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        code = _refuse(f"{error.strerror}: {error.filename or 'while writing'}.")
    except Exception as error:
        if not isinstance(error, ClickException):
            raise
        code = _refuse(error.format_message())
    if code == INTERRUPTED:
        print("semhub: stopped; the same command goes on where it stopped.", file=sys.stderr)
    sys.exit(code or 0)


INTERRUPTED = 130


# Typer carries click inside itself and names only the leaves of its error tree.
ClickException = typer.BadParameter.__mro__[2]


def _refuse(message: str) -> int:
    print(f"semhub: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _quiet() -> None:
    """Keep libraries from talking over our own lines, and odd terminals from failing on a Chinese word."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

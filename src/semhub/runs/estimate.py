"""WHAT WOULD RUN: passes, tokens, time, memory and bytes to fetch of a plan, from its declarations and a configuration.

Opens no network's weights. Time is a model (arithmetic at a rate measured just now, plus a cost per pass), good to a factor of two.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semhub.errors import BadInput, UserError
from semhub.methods.declare import (
    Compare,
    Declaration,
    Decode,
    DecodeMarks,
    DecodeMedia,
    DecodeWords,
    Inject,
    Patch,
    Repaint,
    Spread,
    Steer,
    Trajectory,
    evenly,
)
from semhub.runs import store
from semhub.runs.plan import Part, Plan

SAMPLE = 500  # texts whose tokens are counted; the rest is scaled
CHARS_PER_TOKEN = 3.0  # where there is no tokenizer at hand
MEDIA_POSITIONS = 600  # of an image or a sound, about
BLOCK_SECONDS = 2e-4  # cost of one block in one pass beside its arithmetic
EFFICIENCY = 0.5  # of the measured rate of a large product
PATCHED = 20  # passes over a question under patches: layers, and the controls at one of them, about
ACTIVATIONS = 16  # floats per token and width that a block holds at once


@dataclass(frozen=True, slots=True)
class Work:
    """What a declaration asks of a model: texts to read once, at how many positions, and rows to generate."""

    texts: Sequence[str]
    positions: int = 1
    rows: int = 0
    new_tokens: int = 0
    prompts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Size:
    """A network without its weights: None where the configuration is not on this machine."""

    parameters: int
    blocks: int
    dim: int
    vocab: int
    bytes_each: int
    count: Callable[[Sequence[str]], float] = field(repr=False)


def estimate(plan: Plan, folder: Path) -> dict:
    """Per part and in all: forwards, tokens, seconds, bytes of memory; bytes to fetch; what is finished already."""
    works = {task: work(plan.tasks[task](plan.spec.protocol, _given(plan))) for task in plan.spec.tasks}
    sizes = {name: size(plan, name) for name in plan.spec.models}
    rate = measured_rate(plan.spec.opening.device)
    parts = [_part(part, works[part.task], sizes[part.model], plan.spec.batch_tokens, rate, folder) for part in plan.parts]
    missing = [part for part in parts if not part["finished"]]
    fetch, notes = to_fetch(plan)
    total = {key: _total([part[key] for part in missing], sum) for key in ("forwards", "tokens", "seconds")}
    total |= {"memory": _total([part["memory"] for part in missing], max), "fetch": fetch}
    return {"folder": str(folder), "parts": parts, "total": total, "notes": notes + plan.notes()}


def _given(plan: Plan):
    from semhub.tasks import given

    spec = plan.spec
    return given(
        scorers=spec.scorers, seed=spec.seed, types=spec.types, limit=spec.limit, pairs=plan.pairs, items=plan.items, data=plan.data
    )


def _total(values: list, join: Callable):
    return None if None in values else join(values) if values else 0


def _part(part: Part, asked: Work, net: Size | None, batch_tokens: int, rate: float, folder: Path) -> dict:
    numbers = dict.fromkeys(("forwards", "tokens", "seconds", "memory")) if net is None else _numbers(asked, net, batch_tokens, rate)
    return {"task": part.task, "model": part.model, "texts": len(asked.texts), "rows": asked.rows, **numbers} | {
        "finished": store.finished(folder, part.file)
    }


def _numbers(asked: Work, net: Size, batch_tokens: int, rate: float) -> dict:
    read = net.count(asked.texts)
    prompt = net.count(asked.prompts) / max(1, len(asked.prompts))
    made = asked.rows * (prompt + asked.new_tokens)
    batch_rows = max(8, int(batch_tokens // max(1, prompt)))
    passes = math.ceil(read / batch_tokens) + math.ceil(asked.rows / batch_rows) * (1 + asked.new_tokens)
    unembedded = len(asked.texts) * asked.positions * (net.blocks + 1) + asked.rows * asked.new_tokens
    work_done = 2 * net.parameters * (read + made) + 2 * unembedded * net.vocab * net.dim
    states = 4 * len(asked.texts) * asked.positions * (net.blocks + 1) * net.dim
    caches = net.bytes_each * 2 * net.blocks * net.dim * min(asked.rows, batch_rows) * (prompt + asked.new_tokens)
    return {
        "forwards": passes,
        "tokens": round(read + made),
        "seconds": round(work_done / (rate * EFFICIENCY) + passes * net.blocks * BLOCK_SECONDS, 1),
        "memory": round(net.parameters * net.bytes_each + states + caches + 4 * ACTIVATIONS * batch_tokens * net.dim),
    }


# what a declaration asks for ---------------------------------------------------------------------------------------------


def work(ask: Declaration) -> Work:
    """The work behind a declaration, with the same arithmetic as its procedure."""
    return WORK[type(ask)](ask)


def _compare(ask: Compare) -> Work:
    concepts = [concept for each in ask.sets.values() for concept in each]
    concepts += [concept.contrasts[name] for concept in concepts for name in ask.controls if name in concept.contrasts]
    asked: dict[str, None] = {}
    for concept, type in ((concept, type) for concept in concepts for type in ask.types if type in concept.forms):
        shown = {text for place in ask.places if (text := place.text(type, concept.text(type))) is not None}
        # A sentence is read in passing, where another text (the sentence in its probe) goes on from it.
        asked |= dict.fromkeys(text for text in shown if not any(other != text and other.startswith(text) for other in shown))
    return Work(list(asked), len(ask.places))


def _decode(ask: Decode) -> Work:
    asked = Counter()
    prompts = [cloze.prompt for split, each in ask.sets.items() for cloze in each if within(asked, (split, cloze.type), ask.most)]
    return Work(prompts)


def within(asked: Counter, kind: object, most: int | None) -> bool:
    """Whether an item is among the first `most` of its kind; counts it."""
    asked[kind] += 1
    return most is None or asked[kind] <= most


def _decode_words(ask: DecodeWords) -> Work:
    return Work(["".join(line) for line in ask.lines], round(sum(map(len, ask.lines)) / max(1, len(ask.lines))))


def _decode_marks(ask: DecodeMarks) -> Work:
    chosen = [mark for each in ask.sets.values() for mark in (each if ask.most is None else evenly(each, ask.most))]
    return Work(list(dict.fromkeys(mark.text for mark in chosen)))


def _decode_media(ask: DecodeMedia) -> Work:
    return Work(
        [f"{sight.shown.text} {number}" for number, sight in enumerate(s for each in ask.sets.values() for s in each)], MEDIA_POSITIONS
    )


def _repaint(ask: Repaint) -> Work:
    settings = (len(ask.writes) or 1) * len(ask.strengths)
    beside = 0 if ask.target is None else len(ask.neutral) + len(ask.controls)
    rows = len(ask.prompts) * (1 + settings + beside)  # a choice sweeps half of them
    prompts = [prompt.text for prompt in ask.prompts]
    return Work(prompts * max(1, rows // max(1, len(prompts)))) if ask.answers else _generated(prompts, rows, ask.sampled)


def _spread(ask: Spread) -> Work:
    texts = [text for each in ask.prompts.values() for text in each] * len(ask.lens.norms)
    return Work(texts, round(sum(map(len, texts)) / CHARS_PER_TOKEN / max(1, len(texts))))


def _steer(ask: Steer) -> Work:
    signs, layers = 1 + ask.both_signs, len({0, *ask.depths})
    doses, controls = signs * len(ask.strengths), len(ask.neutral) + len(set(ask.controls) - {"layer-0"})
    chosen, told = 1 + layers * doses, 1 + doses + signs * (layers - 1 + len(ask.pushes) - 1 + controls)
    sizes = Counter(prompt.type for prompt in ask.prompts).values()
    rows = sum(n // 2 * told + (n - n // 2) * chosen for n in sizes)
    rows = len(ask.rehearsal) * chosen + len(ask.prompts) * told if ask.rehearsal else rows
    return _generated([prompt.text for prompt in ask.prompts], rows, ask.sampled)


def _patch(ask: Patch) -> Work:
    routes = len(ask.types) * (len(ask.types) - 1 + (len(ask.types) > 2))
    texts = [item.target[type].prompt for item in (*ask.choose, *ask.report) for type in ask.types]
    return Work(texts * (routes // len(ask.types) * PATCHED))


def _inject(ask: Inject) -> Work:
    sources = [len({ask.main, prompt.type} & set(ask.pushes)) for prompt in ask.prompts]
    return _generated([prompt.text for prompt in ask.prompts], sum(sources) * len(ask.writes) * len(ask.strengths), ask.sampled)


def _generated(prompts: list[str], rows: int, sampled) -> Work:
    return Work(prompts, 1, rows * (1 if sampled.greedy else sampled.seeds), sampled.tokens, prompts)


def _trajectory(ask: Trajectory) -> Work:
    return Work(list(ask.texts.values()))


WORK = {
    Compare: _compare,
    Decode: _decode,
    DecodeWords: _decode_words,
    DecodeMarks: _decode_marks,
    DecodeMedia: _decode_media,
    Patch: _patch,
    Repaint: _repaint,
    Spread: _spread,
    Steer: _steer,
    Inject: _inject,
    Trajectory: _trajectory,
}


# what a model is ---------------------------------------------------------------------------------------------------------


def size(plan: Plan, name: str) -> Size | None:
    """The size of a model from its configuration alone; None where that is not here."""
    if name in plan.opened:
        model = plan.opened[name]
        return _size_of(model.network, model.network.config, model.dtype.itemsize, model.tokenizer)
    folder = here(name, plan.spec.opening.revision)
    if folder is None or not (folder / "config.json").exists():
        return None
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from semhub.models.opening import builder

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    opener = builder(config) or AutoModelForCausalLM
    with torch.device("meta"):
        network = opener.from_config(config) if hasattr(opener, "from_config") else opener(config)
    asked = {"bfloat16": 2, "float16": 2}.get(plan.spec.opening.dtype or "", 4)
    return _size_of(network, config, asked, AutoTokenizer.from_pretrained(folder, local_files_only=True))


def _size_of(network, config, bytes_each: int, tokenizer) -> Size:
    parameters, config = sum(each.numel() for each in network.parameters()), config.get_text_config()
    return Size(parameters, config.num_hidden_layers, config.hidden_size, config.vocab_size, bytes_each, _counter(tokenizer))


def _counter(tokenizer) -> Callable[[Sequence[str]], float]:
    def count(texts: Sequence[str]) -> float:
        sample = list(texts)[:: max(1, len(texts) // SAMPLE)]
        return sum(map(len, tokenizer(sample)["input_ids"])) / len(sample) * len(texts) if sample else 0.0

    return count


def here(name: str, revision: str | None) -> Path | None:
    """The folder of a model on this machine, without asking the network."""
    from semhub.models import hub
    from semhub.models.bundled import find_bundled

    found = find_bundled(name)
    if found:
        return found.require()
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else hub.in_cache(name, revision, False, True)


def to_fetch(plan: Plan) -> tuple[int | None, list[str]]:
    """Bytes that a run would fetch (None: not known), and what a person should know about that."""
    name, revision = plan.spec.models[0], plan.spec.opening.revision
    if name in plan.opened or here(name, revision) is not None:
        return 0, []
    from semhub.models.hub import bytes_to_fetch

    try:
        return bytes_to_fetch(name, revision), [f"{name} is not on this machine yet; passes and time are known once it is fetched."]
    except UserError as error:
        return None, [f"Unknown: {error}"]


def measured_rate(device: str | None) -> float:
    """Floating-point operations per second of a large float32 product on the device, measured for a tenth of a second."""
    import torch

    try:
        left, done = torch.ones(1024, 1024, device=device or ("cuda" if torch.cuda.is_available() else "cpu")), 0
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"This machine has no device {device!r} that torch can use.") from error
    left @ left
    started = time.perf_counter()
    while time.perf_counter() - started < 0.1:
        (left @ left)[0, 0].item()
        done += 1
    return done * 2 * 1024**3 / (time.perf_counter() - started)

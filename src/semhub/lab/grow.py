"""Grow a model from a recipe: plain next-token loss, checkpoints, and the same weights again after being killed.

Writes an ordinary Hugging Face folder; knows no measure and no task.
"""

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from semhub.errors import BadInput
from semhub.lab import apart
from semhub.lab.card import card
from semhub.lab.corpus import documents, streams
from semhub.lab.descent import Descent, descent
from semhub.lab.folder import finished, load_weights, put, read_array, read_record, read_tokenizer, read_weights, vacant
from semhub.lab.recipe import Recipe, Senses, Shape, Training
from semhub.lab.recipe_file import read_recipe
from semhub.lab.tokenizer import tokenizer

Progress = Callable[[int, int, float, float], None]
Batches = Callable[[int], Iterator]
BATCH_OF_DOCUMENTS = 512


def train(
    recipe: str | Path | Recipe,
    out: Path | None = None,
    *,
    seed: int = 0,
    compile: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Grow the model of a recipe into `out` and return that folder.

    The same call again goes on from the last checkpoint; a finished folder is left as it is.
    `progress(step, steps, loss, seconds_left)` is called about every second, from the second step on.

    Raises BadInput where `out` holds anything else.
    """
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    out = Path(out or Path("grown") / f"{recipe.name}-{seed}")
    if finished(out, recipe, seed):
        return out
    if compile:
        need_compiler(device)
    work = out.with_name(out.name + ".growing")
    claim(work, recipe, seed, precision(device))
    words = _tokenizer(recipe, work)
    windows = _corpus(recipe, words, seed, work)
    network, losses = _grow(recipe, words, windows, seed, work, compile, device, progress)
    if recipe.apart is not None:
        apart.join(network)
        apart.hide(network, seed)
    finish(network, words, losses, work, out)
    return out


def configuration(shape: Shape, words: PreTrainedTokenizerFast) -> LlamaConfig:
    """Attention is plain: in windows of 64 tokens torch's fused one takes a third of a step on a processor (benchmarks/growth.py)."""
    return LlamaConfig(
        vocab_size=len(words), hidden_size=shape.width, intermediate_size=shape.inner, num_hidden_layers=shape.blocks,
        num_attention_heads=shape.heads, num_key_value_heads=shape.heads, max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tied, initializer_range=0.02, rms_norm_eps=1e-5, attn_implementation="eager",
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip


def precision(device: str | None = None) -> str:
    """`bf16` where the hardware multiplies it, else `fp32` (emulated, bf16 takes twenty-five times as long)."""
    if device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("amx_bf16") or able.get("avx512_bf16") or able.get("bf16") else "fp32"


def need_compiler(device: str | None) -> None:
    """Compilation for a processor needs a C++ compiler; nothing else in the lab does. Raises BadInput where there is none."""
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if (device == "cpu" or not torch.cuda.is_available()) and shutil.which(compiler) is None:
        raise BadInput(f"--compile needs a C++ compiler, and there is no {compiler} here; grow without it, or name one in CXX.")


def claim(work: Path, recipe: Recipe | Senses, seed: int, numbers: str, around: str | None = None) -> None:
    """Begin a folder for this recipe, seed and precision, or make sure that the one there is theirs.

    `around`: the hash of the text model that another is grown around.
    """
    work.mkdir(parents=True, exist_ok=True)
    said = {"recipe": recipe.as_dict(), "seed": seed, "precision": numbers} | ({} if around is None else {"around": around})
    mine = json.dumps(said, indent=1, ensure_ascii=False)
    record = work / "recipe.json"
    if not record.exists():
        write(record, mine)
    if record.read_text(encoding="utf-8", errors="replace") != mine:
        raise BadInput(
            f"{work} was begun with another recipe, seed or precision (here {numbers})"
            f"{', or around another text model' if around else ''}: choose another --out, or delete that folder."
        )


def write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".fresh")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def _tokenizer(recipe: Recipe, work: Path) -> PreTrainedTokenizerFast:
    folder = work / "tokenizer"
    if not (folder / "done").exists():
        tokenizer(recipe).save_pretrained(folder)
        write(folder / "done", "")
    return read_tokenizer(folder)


def _corpus(recipe: Recipe, words: PreTrainedTokenizerFast, seed: int, work: Path) -> list[dict[str, np.ndarray]]:
    """Of each phase `short: [step, row, window]` and `long: [step, row, context]` token ids, packed and shuffled once."""
    training, phases = recipe.training, []
    for phase, (among, read) in enumerate(recipe.phases()):
        steps, kept = {"long": round(among * training.long_share)}, {}
        steps["short"] = among - steps["long"]
        for name, width in (("short", training.window), ("long", recipe.shape.context)):
            path, rows = work / f"{name}-{phase}.npy", max(1, training.batch * training.window // width)
            if not path.exists():
                drawn = seed + 1000 * phase  # so that no phase tells again what another has told
                packed = packed_windows(read, words, steps[name] * rows, width, drawn if name == "short" else -1 - drawn)
                fresh = path.with_suffix(".fresh.npy")
                np.save(fresh, packed)
                os.replace(fresh, path)
            kept[name] = read_array(path, (steps[name], rows, width))
        phases.append(kept)
    return phases


def packed_windows(recipe: Recipe, words: PreTrainedTokenizerFast, count: int, width: int, seed: int) -> np.ndarray:
    """`[count, width]` token ids: every window from one stream alone, streams in their shares, order shuffled."""
    shares = streams(recipe)
    quota = {name: math.floor(count * share) for name, share in shares.items()}
    for name in sorted(shares, key=lambda name: quota[name] - count * shares[name])[: count - sum(quota.values())]:
        quota[name] += 1
    rows = [_packed(recipe, words, name, quota[name], width, seed) for name in shares]
    return np.random.default_rng([abs(seed), width]).permutation(np.concatenate(rows))


def _packed(recipe: Recipe, words: PreTrainedTokenizerFast, stream: str, count: int, width: int, seed: int) -> np.ndarray:
    ids = np.empty(count * width, dtype=np.promote_types(np.uint16, np.min_scalar_type(len(words))))
    filled, texts = 0, documents(recipe, stream, seed)
    while filled < len(ids):
        for encoded in words(list(islice(texts, BATCH_OF_DOCUMENTS)))["input_ids"]:
            end = min(filled + len(encoded), len(ids))
            ids[filled:end] = encoded[: end - filled]
            filled = end
    return ids.reshape(count, width)


def _batches(phases: list[dict[str, np.ndarray]], start: int) -> Iterator[torch.Tensor]:
    """`[row, position]` for every step from `start` on; long windows come evenly among the short ones."""
    every = (rows for windows in phases for rows in _mingled(windows["short"], windows["long"]))
    for rows in islice(every, start, None):
        yield torch.from_numpy(rows.astype(np.int64))


def _mingled(many: np.ndarray, few: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of both, each in its order, those of `few` spread over the whole, each in the middle of its part of it."""
    total, met = len(many) + len(few), 0
    for step in range(total):
        if met < len(few) and 2 * len(few) * (step + 1) > total * (2 * met + 1):
            yield few[met]
            met += 1
        else:
            yield many[step - met]


def _grow(recipe, words, windows, seed, work, compile, device, progress) -> tuple[LlamaForCausalLM, list]:
    accelerator = accelerated(device)
    set_seed(seed)
    network = LlamaForCausalLM(configuration(recipe.shape, words)).to(accelerator.device)
    if recipe.apart is not None:
        apart.separate(network, recipe, words)
    loss_of = compiled(next_token_loss, accelerator.device) if compile else next_token_loss
    return network, learn(network, recipe.training, partial(_batches, windows), loss_of, work, accelerator, progress)


def compiled(loss_of: Callable, device: torch.device, recorded: bool = True) -> Callable:
    """The loss as one program for each shape; on CUDA, where so small a network waits for its launches, `recorded` as one graph."""
    return torch.compile(loss_of, dynamic=False, mode="reduce-overhead" if device.type == "cuda" and recorded else None)


def accelerated(device: str | None) -> Accelerator:
    return Accelerator(mixed_precision="bf16" if precision(device) == "bf16" else "no", cpu=device == "cpu")


def learn(network, training: Training, batches: Batches, loss_of: Callable, work: Path, accelerator, progress: Progress | None) -> list:
    """Train `network` in place from the last checkpoint in `work` on -> `[step, loss]` of every fiftieth step.

    `batches(start)` gives what each step from `start` on reads, a pure function of the step (tensors, or a dict of them);
    `loss_of(network, batch)` is what goes down.
    """
    downhill = descent(network, training.rate, training.weight_decay, training.optimizer == "muon")
    start, losses = _restore(network, downhill, work)
    network.train()
    began = said = time.monotonic()
    for step, batch in enumerate(batches(start), start=start):
        with accelerator.autocast():
            loss = loss_of(network, send_to_device(batch, accelerator.device))
        loss.backward()
        with accelerator.autocast():
            downhill.step(rate(step, training.steps, training.warmup), training.rate)
        if step % 50 == 0:
            losses.append([step, round(loss.item(), 4)])
        now = time.monotonic()
        if step == start:
            began = now  # a first step that is compiled tells nothing of the others
        elif progress and now - said > 1:
            said = now
            progress(step + 1, training.steps, loss.item(), (now - began) / (step - start) * (training.steps - step - 1))
        if (step + 1) % training.checkpoint == 0 and step + 1 < training.steps:
            _save(network, downhill, step + 1, losses, work)
    return losses


def next_token_loss(network: LlamaForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of every next token of `ids: [row, position]`, summed in fp32."""
    logits = network(input_ids=ids[:, :-1]).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())


def rate(step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _save(network, downhill: Descent, step: int, losses: list, work: Path) -> None:
    """A checkpoint folder, whole or not at all: weights, the optimizers' moments, step and loss curve."""
    folder, fresh = work / f"step-{step:06d}", work / "checkpoint.fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    weights = {name: weight.detach().contiguous() for name, weight in network.named_parameters()}
    save_file(weights, fresh / "weights.safetensors")
    save_file(downhill.moments(), fresh / "moments.safetensors")
    write(fresh / "state.json", json.dumps({"step": step, "losses": losses}))
    put(fresh, folder)
    for other in set(work.glob("step-*")) - {folder}:
        (other / "moments.safetensors").unlink(missing_ok=True)


def _restore(network, downhill: Descent, work: Path) -> tuple[int, list]:
    folders = [folder for folder in sorted(work.glob("step-*")) if (folder / "moments.safetensors").exists()]
    if not folders:
        return 0, []
    load_weights(network, folders[-1] / "weights.safetensors")
    downhill.remember(read_weights(folders[-1] / "moments.safetensors"))
    state = read_record(folders[-1] / "state.json")
    return state["step"], state["losses"]


def finish(network, words, losses: list, work: Path, out: Path) -> None:
    """The finished folder appears under its name only when all of it is there; `words`: a tokenizer, or a whole processor."""
    fresh = out.with_name(out.name + ".fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    network.to(torch.bfloat16).save_pretrained(fresh)
    words.save_pretrained(fresh)
    shutil.copy(work / "recipe.json", fresh / "recipe.json")
    write(fresh / "losses.json", json.dumps(losses))
    write(fresh / "README.md", card(fresh, out.name))
    vacant(out)
    put(fresh, out)

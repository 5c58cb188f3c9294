"""Affine lenses that outlive a run: fitted once on training text, kept in a folder, or taken from the published tuned lenses.

A translator of layer k maps a raw state x to what the last layer would hold, in the published form x + W x + b (so that nothing learnt
is the logit lens). Belrose et al. 2023 (arXiv 2303.08112) train W and b by gradient steps on the divergence from the final
distribution; here they are fitted by ridge regression on the final state, which has one exact solution, found in one pass over the
text and without a schedule to choose, and the divergence is measured on held-out text and kept beside it. A folder holds
`lens.safetensors` and `lens.json`; a published one `config.json` and `params.pt`. Knows no task.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from semhub.errors import BadInput, UnsafeWeights
from semhub.measures.lens import divergence
from semhub.methods.affine import solved

WEIGHTS, FACTS, PUBLISHED = "lens.safetensors", "lens.json", ("config.json", "params.pt")
HELD_OUT = 10  # every tenth text is kept apart
JUDGED = 2000  # tokens of held-out text, at most, on which the divergence is measured


@dataclass(frozen=True, eq=False)
class TunedLens:
    """`maps`: layer -> (W `[dim, dim]`, b `[dim]`), float32; `facts`: whose lens it is, and how it came about."""

    maps: Mapping[int, tuple[Tensor, Tensor]] = field(repr=False)
    facts: Mapping = field(default_factory=dict)

    def __call__(self, layer: int, hidden: Tensor) -> Tensor:
        """`hidden: [row, dim]`, raw states of a layer -> [row, dim]; a layer without translator (the last one) as it is."""
        if layer not in self.maps:
            return hidden
        weight, bias = (part.to(hidden.device) for part in self.maps[layer])
        return hidden + hidden.float() @ weight.T + bias

    @property
    def hash(self) -> str:
        digest = hashlib.sha256()
        for layer in sorted(self.maps):
            for part in self.maps[layer]:
                digest.update(f"{layer} {tuple(part.shape)}".encode() + part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def misfit(self, model) -> str | None:
        """Why the lens is not one of this model; None where it is, as far as it tells. A published one tells its sizes alone."""
        shape = (self.facts.get("dim"), self.facts.get("depth"))
        if shape != (model.dim, model.layers):
            return f"it is for {shape[1]} layers of width {shape[0]}, {model.name} has {model.layers} of width {model.dim}"
        known = self.facts.get("weights_hash")
        if known and known != model.weights_hash:
            return f"it was fitted on other weights ({self.facts.get('model')}) than those of {model.name}"
        return None


def fit(model, texts: Sequence[str], *, source: str = "", batch_tokens: int = 8192) -> TunedLens:
    """One translator for every layer below the last. Raises BadInput where the texts have too few tokens for the width.

    `source` says where the texts came from. Every tenth text is held out; `facts["divergence"]` has, by layer, the mean KL
    divergence (nats) of the final distribution from what the logit lens and this lens say on them.
    """
    texts = list(dict.fromkeys(texts))
    kept, held = [t for i, t in enumerate(texts) if i % HELD_OUT], texts[::HELD_OUT]
    layers = tuple(range(model.layers))
    maps = solved(model, kept, layers, batch_tokens)
    if maps is None:
        raise BadInput(f"The text has too few tokens to fit a lens of width {model.dim}; give more of it.")
    identity = torch.eye(model.dim, dtype=torch.float64)
    found = {k: ((m[:-1] - identity).T.float().contiguous(), m[-1].float().contiguous()) for k, m in maps.items()}
    facts = {
        "model": model.name,
        "revision": model.revision,
        "weights_hash": model.weights_hash,
        "dim": model.dim,
        "depth": model.layers,
        "fitted": "ridge regression on the raw state of the last layer",
        "text": source,
        "text_hash": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
        "texts": len(kept),
    }
    lens = TunedLens(found, facts)
    return TunedLens(found, {**facts, "divergence": divergences(model, lens, held, batch_tokens)})


@torch.no_grad()
def divergences(model, lens: TunedLens, texts: Sequence[str], batch_tokens: int) -> dict[str, dict[str, float]]:
    """By layer: mean KL(final || logit lens) and KL(final || this lens) over the first tokens of the texts."""
    layers = [*sorted(lens.maps), model.layers]
    total, n = torch.zeros(len(layers) - 1, 2, dtype=torch.float64), 0
    for batch in model.stream(list(texts), "all", layers=layers, batch_tokens=batch_tokens):
        states = batch.states[:, : JUDGED - n]
        for i, k in enumerate(layers[:-1]):
            readings = states[i], lens(k, states[i])
            total[i] += torch.stack([divergence(states[-1], each, model.head).double().sum().cpu() for each in readings])
        n += states.shape[1]
        if n >= JUDGED:
            break
    mean = total / max(1, n)
    return {str(k): {"logit-lens": round(float(a), 4), "lens": round(float(b), 4)} for k, (a, b) in zip(layers, mean, strict=False)}


# folders -------------------------------------------------------------------------------------------------------------


def save(lens: TunedLens, folder: Path) -> Path:
    """Write `lens.safetensors` and `lens.json` -> the folder. Raises BadInput for a folder that holds something else."""
    from safetensors.torch import save_file

    if folder.is_dir() and any(folder.iterdir()) and not (folder / FACTS).exists():
        raise BadInput(f"{folder} is not empty and holds no lens; give another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    parts = {f"{k}.{name}": part for k, both in lens.maps.items() for name, part in zip(("weight", "bias"), both, strict=True)}
    save_file(parts, folder / WEIGHTS)
    (folder / FACTS).write_text(json.dumps(dict(lens.facts), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return folder


def read_lens(folder: str | Path, unsafe: bool = False) -> TunedLens:
    """A lens of `save`'s, or a published one, whose weights are a pickle and are opened with `unsafe` only (and then by tensors alone).

    Raises BadInput for a folder that holds neither, UnsafeWeights without leave to open a pickle.
    """
    folder = Path(folder).expanduser()
    if (folder / FACTS).is_file() and (folder / WEIGHTS).is_file():
        from safetensors.torch import load_file

        return TunedLens(translators(load_file(folder / WEIGHTS), folder), read_json(folder / FACTS))
    if all((folder / name).is_file() for name in PUBLISHED):
        return published(folder, unsafe)
    raise BadInput(f"{folder} holds no lens; one is made by `semhub fit-lens`, or is a folder with config.json and params.pt.")


def published(folder: Path, unsafe: bool) -> TunedLens:
    """The format of tuned-lens 0.2: a translator for the input of each block, which is layer 0, 1, ..., L - 1 here."""
    if not unsafe:
        raise UnsafeWeights(
            f"{folder} keeps its lens in params.pt, a format that can run code when it is opened; "
            "if you trust its source, pass unsafe_weights=True (--unsafe-weights)."
        )
    config = read_json(folder / "config.json")
    try:
        found = torch.load(folder / "params.pt", map_location="cpu", weights_only=True)
    except Exception as problem:
        raise BadInput(f"{folder / 'params.pt'} cannot be opened as tensors alone: {str(problem).splitlines()[0]}") from problem
    facts = {
        "model": config.get("base_model_name_or_path"),
        "revision": config.get("base_model_revision"),
        "dim": config.get("d_model"),
        "depth": config.get("num_hidden_layers"),
        "fitted": "published tuned lens",
    }
    return TunedLens(translators(found, folder), facts)


def translators(found: Mapping[str, Tensor], folder: Path) -> dict[int, tuple[Tensor, Tensor]]:
    """`{"3.weight": [dim, dim], "3.bias": [dim]}` -> by layer; a missing bias is zero. Raises BadInput for tensors of another kind."""
    layers = sorted({int(name.split(".")[0]) for name in found if name.split(".")[0].isdigit()})
    maps = {}
    for k in layers:
        weight = found.get(f"{k}.weight")
        if weight is None or weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
            raise BadInput(f"The lens in {folder} has no square {k}.weight.")
        maps[k] = (weight.float(), found.get(f"{k}.bias", weight.new_zeros(len(weight))).float())
    if not maps:
        raise BadInput(f"The lens in {folder} holds no translator.")
    return maps


def read_json(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BadInput(f"{path} cannot be read: {problem}") from problem
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no table of facts.")
    return found


def of_model(lens: TunedLens | None, model) -> Callable[[int, Tensor], Tensor] | None:
    """The lens where it is this model's, None for a control that it was not made for. Raises BadInput for the model that was asked for."""
    if lens is None:
        return None
    why = lens.misfit(model)
    control = (model.role or "").startswith("control")
    if why and not control:
        raise BadInput(f"The lens does not fit: {why}.")
    return None if why or (control and not lens.facts.get("weights_hash")) else lens

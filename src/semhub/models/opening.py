"""From a name, a folder or objects in hand to a proved `Model`.

Knows where networks come from and what may be opened safely; their structure and their proof are elsewhere.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semhub.errors import BadInput, ModelNotFound, NotUnderstood, UnsafeWeights, UserError
from semhub.models import hub, roles, salmonn
from semhub.models.bundled import (
    HUB,
    find_bundled,
    known_elsewhere,
    nearest_bundled,
    not_here,
    role_of_grown,
    twin_of,
)
from semhub.models.hashing import files_hash, memory_hash
from semhub.models.head import find_head
from semhub.models.model import Model
from semhub.models.senses import is_processor, senses_of, without_video
from semhub.models.strangers import Strangers
from semhub.models.structure import Parts, find, kind_refused
from semhub.models.tokens import encode

FETCHING = ("cache_dir", "token")
FITTING = ("The dog sees the cat, and the cat does not see the dog.", "Dos y tres son cinco.")


def load(
    name_or_path: str | Path | tuple | nn.Module | None = None,
    tokenizer: Any = None,
    *,
    trust_remote_code: bool = False,
    unsafe_weights: bool = False,
    prove: bool = True,
    revision: str | None = None,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    device_map: Any = None,
    **hugging_face_keywords,
) -> Model:
    """Open a bundled model (the hub, without a name), a folder, a Hugging Face id, or `(network, tokenizer)` in hand.

    Any name with `-untrained` after it (or `-untrained-7`, of seed 7) opens that model's untrained twin: its configuration and
    tokenizer, weights from a seed.

    By default a model goes to the first GPU if there is one, in the precision it was saved in, else to the CPU in
    float32; a network in hand is taken as it is and never changed. `prove=False` skips the certificate.
    Raises ModelNotFound, UnsafeWeights, NotUnderstood (not a decoder-only text model) or NotProved (failed its certificate).
    """
    if isinstance(name_or_path, tuple):
        name_or_path, tokenizer = name_or_path
    if isinstance(name_or_path, nn.Module):
        model = in_hand(name_or_path, tokenizer)
    else:
        dtype = dtype or hugging_face_keywords.pop("torch_dtype", None)
        asked = {"revision": revision, "trust_remote_code": trust_remote_code, **hugging_face_keywords}
        asked |= placement(device, device_map) | ({} if dtype is None else {"dtype": dtype})
        model = by_name(str(name_or_path or HUB), tokenizer, unsafe_weights, asked)
    return proved(model) if prove else model


def proved(model: Model) -> Model:
    """The model with its certificate, and its role where only a measurement tells it. Raises NotProved where the certificate failed."""
    from semhub.models.prove import certify

    if isinstance(model, Strangers):
        return replace(model, speakers={type: proved(speaker) for type, speaker in model.speakers.items()})
    certificate = certify(model)
    certificate.demand(model.name)
    return replace(model, certificate=certificate, role=roles.measured(model) if model.role is None else model.role)


def in_hand(network: nn.Module, tokenizer: Any) -> Model:
    """Objects that the user made: nothing of them is changed, moved or put into another mode."""
    if tokenizer is None:
        raise BadInput("A network in hand needs its tokenizer (or its processor): load(network, tokenizer).")
    network = getattr(network, "thinker", network)
    config = getattr(network, "config", None)
    name = getattr(config, "_name_or_path", "") or type(network).__name__
    return opened(name, getattr(config, "_commit_hash", None), network, words(tokenizer), lambda: memory_hash(network))


def opened(
    name: str, revision: str | None, network: nn.Module, tokenizer: Any, hashing: Callable[[], str], role: str | None = None
) -> Model:
    """A network with its tokenizer, or with the processor that its tokenizer is a part of."""
    processor, tokenizer = (tokenizer, tokenizer.tokenizer) if is_processor(tokenizer) else (None, tokenizer)
    try:
        parts = find(network)
    except UserError:
        raise
    except Exception as problem:
        raise clear(name, problem) from problem
    belongs(tokenizer, parts, name)
    role = roles.marked(parts.causal) if role is None else role
    return Model(name, revision, network, tokenizer, parts, find_head(network, parts), role, hashing=hashing, processor=processor)


def belongs(tokenizer: Any, parts: Parts, name: str) -> None:
    """Raise BadInput for a tokenizer whose ids the network does not have."""
    ids = [token for encoding in encode(tokenizer, FITTING) for token in encoding.ids]
    rows = getattr(parts.embedding, "num_embeddings", None)
    if rows is not None and max(ids, default=0) >= rows:
        raise BadInput(f"The tokenizer gives the token id {max(ids)}, but {name} knows only {rows} tokens; they do not belong together.")


def by_name(name: str, tokenizer: Any, unsafe: bool, asked: dict) -> Model:
    bundled = find_bundled(name)
    if bundled is None and known_elsewhere(name) and not Path(name).is_dir():
        raise not_here(name)
    if bundled and bundled.strangers:
        speakers = {each.types[0]: by_name(each.name, tokenizer, unsafe, asked) for each in bundled.strangers}
        return Strangers(name, bundled.role, speakers)
    if (twin := twin_of(name)) and not (bundled and bundled.path) and not Path(name).expanduser().exists():
        return untrained_twin(name, *twin, tokenizer, unsafe, asked)
    if bundled:
        bundled.require()
        asked = {"dtype": torch.float32, **asked, "revision": None}
    folder = bundled.path if bundled else folder_named(name, unsafe, asked)
    if salmonn.is_in(folder):
        return assembled(name, folder, tokenizer, unsafe, asked)
    revision = folder.name if folder.parent.name == "snapshots" else None
    network = open_folder(folder, unsafe, asked)
    chosen = words(tokenizer or folder, asked["trust_remote_code"], bool(senses_of(network.config)))
    role = bundled.role if bundled else role_of_grown(folder)
    return opened(name, revision, network, chosen, lambda: files_hash(folder), role)


def assembled(name: str, folder: Path, processor: Any, unsafe: bool, asked: dict) -> Model:
    """SALMONN, put together from the parts that its folder names."""
    find = lambda part: folder_named(part, unsafe, {**asked, "revision": None})  # noqa: E731

    def open_llama(part: str) -> tuple[nn.Module, Any]:
        return open_folder(find(part), unsafe, {**asked, "revision": None}), words(find(part), asked["trust_remote_code"])

    network, own = salmonn.assembled(folder, unsafe, open_llama, find)
    return opened(name, None, network, processor or own, lambda: salmonn.weights_hash(folder, find))


def untrained_twin(name: str, model: str, seed: int, tokenizer: Any, unsafe: bool, asked: dict) -> Model:
    """The configuration and tokenizer of `model`, with weights as training would begin with them, drawn from `seed`."""
    from transformers import AutoModelForCausalLM

    bundled = find_bundled(model)
    folder = bundled.require() if bundled else folder_named(model, unsafe, asked)
    asked = {"dtype": torch.float32, **asked} if bundled else asked
    if salmonn.is_in(folder):
        raise NotUnderstood(f"{folder} is a SALMONN, put together from several trained parts; no untrained twin is made of it.")
    config = configuration(folder, asked)
    class_ = builder(config) or AutoModelForCausalLM
    make = getattr(class_, "_from_config", None) or class_.from_config
    wanted = asked.get("dtype", default_dtype(config, asked))
    wanted = (getattr(config, "dtype", None) or torch.float32) if wanted == "auto" else wanted  # as the model itself is opened
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make(config, dtype=precision({"dtype": wanted})).eval()
    network = network.to(torch.device(asked["device_map"][""]) if isinstance(asked.get("device_map"), dict) else "cpu")
    chosen = words(tokenizer or folder, asked["trust_remote_code"], bool(senses_of(network.config)))
    return opened(name, None, getattr(network, "thinker", network), chosen, lambda: memory_hash(network), "control:untrained")


def precision(asked: dict) -> torch.dtype:
    dtype = asked.get("dtype", torch.float32)
    return getattr(torch, dtype, torch.float32) if isinstance(dtype, str) else dtype


def placement(device: Any, device_map: Any) -> dict:
    """`device_map` for transformers: as asked, else all on the device asked for, else on the first GPU; nothing means the CPU."""
    if device_map is not None:
        return {"device_map": device_map}
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return {} if device.type == "cpu" else {"device_map": {"": device}}


def folder_named(name: str, unsafe: bool, asked: dict) -> Path:
    """The folder that `name` means: one that is here, or a hub id's in the cache or fetched."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelNotFound(f"{name} is a file; a model is a folder with config.json and safetensors weights.")
    if looks_like_path(name):
        raise ModelNotFound(f"There is no folder {name}.")
    nearest = nearest_bundled(name)
    if nearest:
        raise ModelNotFound(f"There is no model {name!r}; did you mean the bundled {nearest!r}?")
    fetching = {key: asked[key] for key in FETCHING if key in asked}
    return hub.folder_of(name, asked["revision"], code=asked["trust_remote_code"], unsafe=unsafe, **fetching)


def looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1 or name.endswith("/")


def open_folder(folder: Path, unsafe: bool, asked: dict) -> nn.Module:
    """The network of a folder, or that of an adapter's base with the adapter on it.

    Raises ModelNotFound for a folder without configuration or weights, UnsafeWeights for weights that can run code.
    """
    if not (folder / "config.json").exists():
        return adapted(folder, unsafe, asked)
    config = configuration(folder, asked)
    if not hub.weights_complete(folder, unsafe):
        raise missing_weights(folder)
    passed = {key: value for key, value in asked.items() if key not in (*FETCHING, "revision")}
    return from_pretrained(folder, config, {"dtype": default_dtype(config, asked), **passed, "use_safetensors": None if unsafe else True})


def adapted(folder: Path, unsafe: bool, asked: dict) -> nn.Module:
    if not (folder / "adapter_config.json").exists():
        raise ModelNotFound(f"The folder {folder} has no config.json; a model is a folder as `save_pretrained` writes it.")
    if not hub.weights_complete(folder, unsafe):
        raise missing_weights(folder)
    from peft import PeftConfig, PeftModel

    base = PeftConfig.from_pretrained(folder).base_model_name_or_path
    network = open_folder(folder_named(base, unsafe, {**asked, "revision": None}), unsafe, asked)
    return PeftModel.from_pretrained(network, folder).eval()


def missing_weights(folder: Path) -> Exception:
    found = sorted(file.name for file in folder.iterdir() if file.suffix in hub.UNSAFE)
    if any(folder.glob("*.safetensors")):
        return ModelNotFound(f"{folder} lacks some of the weight files that its index names; fetch or copy it again.")
    return hub.no_safetensors(str(folder), found)


def configuration(folder: Path, asked: dict):
    """The configuration of a folder. Raises NotUnderstood for what is no decoder-only text model, UnsafeWeights for remote code."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=asked["trust_remote_code"], local_files_only=True)
    except Exception as problem:
        raise clear(folder, problem) from problem
    reason = kind_refused(config) or (None if is_causal(config) or builder(config) else "no causal language model")
    if reason:
        raise NotUnderstood(f"{folder} is {reason} (its type is {config.model_type}); semhub reads decoder-only language models.")
    return config


def is_causal(config) -> bool:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def builder(config):
    """The class that opens a network with towers: transformers' automatic one, or the one that the configuration names; None without."""
    import transformers

    if not senses_of(config):
        return None
    if type(config) in transformers.MODEL_FOR_MULTIMODAL_LM_MAPPING:
        return transformers.AutoModelForMultimodalLM
    named = [getattr(transformers, name, None) for name in getattr(config, "architectures", None) or ()]
    return next((each for each in named if each is not None and "ForConditionalGeneration" in each.__name__), None)


def clear(folder: Path | str, problem: Exception) -> Exception:
    """One line for what transformers said when it would not open or run a model."""
    if "trust_remote_code" in str(problem):
        return UnsafeWeights(
            f"{folder} needs Python code of its own; if you trust its source, pass trust_remote_code=True (--trust-remote-code)."
        )
    if isinstance(problem, (torch.OutOfMemoryError, MemoryError)):
        return BadInput(f"{folder} does not fit into memory; try another dtype, device or device_map.")
    first = next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
    return NotUnderstood(f"transformers cannot open or run {folder}: {first}")


def default_dtype(config, asked: dict) -> Any:
    """float32 on the CPU, where half precision is slow and rough; what was saved on a GPU and for packed weights."""
    packed = getattr(config, "quantization_config", None) is not None or "quantization_config" in asked
    return "auto" if packed or "device_map" in asked else torch.float32


def from_pretrained(folder: Path, config, keywords: dict) -> nn.Module:
    from transformers import AutoModelForCausalLM

    try:
        with quiet_unless_watched():
            network, told = (builder(config) or AutoModelForCausalLM).from_pretrained(
                folder, config=config, local_files_only=True, output_loading_info=True, **keywords
            )
    except Exception as problem:
        raise clear(folder, problem) from problem
    absent = sorted(told.get("missing_keys", ())) + sorted(str(key) for key in told.get("mismatched_keys", ()))
    if absent:
        raise NotUnderstood(
            f"The weights of {folder} lack {len(absent)} of the network's tensors (such as {absent[0]}), "
            "so it is no complete language model; random numbers would stand in their place."
        )
    return getattr(network, "thinker", network)


@contextmanager
def quiet_unless_watched() -> Iterator[None]:
    """No progress bar of transformers' where nobody looks; its setting is put back."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def words(tokenizer: Any, code: bool = False, senses: bool = False) -> Any:
    """A tokenizer (or processor) in hand, or that of a folder or id; `senses` asks for the processor where there is one."""
    if not isinstance(tokenizer, (str, Path)):
        return tokenizer
    from transformers import AutoProcessor, AutoTokenizer

    folder = Path(tokenizer)
    source = folder if folder.is_dir() else str(tokenizer)
    if folder.is_dir() and not (folder / "config.json").exists() and (folder / "adapter_config.json").exists():
        source = adapter_words(folder)
    opener = AutoProcessor if senses else AutoTokenizer
    try:
        with without_video():
            return opener.from_pretrained(source, trust_remote_code=code, local_files_only=Path(source).is_dir())
    except Exception as problem:
        first = next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
        what = "processor" if senses else "tokenizer"
        raise ModelNotFound(f"The {what} of {source} cannot be opened ({first}); give one with tokenizer=.") from problem


def adapter_words(folder: Path) -> Path | str:
    """Where an adapter's tokenizer is: beside it, or with its base."""
    from peft import PeftConfig

    return folder if (folder / "tokenizer_config.json").exists() else PeftConfig.from_pretrained(folder).base_model_name_or_path

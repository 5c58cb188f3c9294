"""The one seam to the Hugging Face hub: from an id to a folder on this disk that holds just what is needed.

The cache comes first, then the network with a short patience. Knows file names; not what is in them.
"""

import errno
import json
from collections.abc import Sequence
from pathlib import Path

from semhub.errors import ModelNotFound, UnsafeWeights

PATIENCE = 10.0  # seconds until a silent network counts as none
SMALL = (".json", ".txt", ".model", ".jinja", ".tiktoken")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
WORDS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "tekken.json")
UNSAFE = (".bin", ".pt", ".pth", ".h5", ".ckpt", ".msgpack")


def folder_of(name: str, revision: str | None = None, *, code: bool = False, unsafe: bool = False, **keywords) -> Path:
    """The folder of a hub id, fetched if it is not in the cache.

    Only safetensors weights are fetched unless `unsafe`, and no Python files unless `code`. Raises ModelNotFound for
    an unknown id or revision, a gated one without leave, or no network; UnsafeWeights where there are no safetensors.
    """
    cached = in_cache(name, revision, code, unsafe, **keywords)
    if cached is not None:
        return cached
    try:
        files = wanted(name, listed(name, revision, **keywords), code, unsafe)
        return download(name, revision, files, **keywords)
    except Exception as problem:
        raise explained(name, revision, problem) from problem


def bytes_to_fetch(name: str, revision: str | None = None, **keywords) -> int:
    """How much `folder_of` would download: 0 where the id is in the cache. Raises as `folder_of`."""
    if in_cache(name, revision, False, False, **keywords) is not None:
        return 0
    try:
        sizes = listed(name, revision, **keywords)
        return sum(sizes[file] for file in wanted(name, sizes, False, False))
    except Exception as problem:
        raise explained(name, revision, problem) from problem


def in_cache(name: str, revision: str | None, code: bool, unsafe: bool, **keywords) -> Path | None:
    """The cached folder, if all that a model needs is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, **keywords))
    except HFValidationError as problem:
        raise ModelNotFound(f"{name!r} is neither a folder here nor a Hugging Face id.") from problem
    except OSError:
        return None
    return folder if is_complete(folder, unsafe) and (not code or list(folder.glob("*.py"))) else None


def is_complete(folder: Path, unsafe: bool) -> bool:
    """Whether a folder has a configuration, a tokenizer and every weight file that its index names."""
    configured = (folder / "config.json").exists() or (folder / "adapter_config.json").exists()
    worded = any((folder / file).exists() for file in WORDS)
    return configured and (worded or (folder / "adapter_config.json").exists()) and weights_complete(folder, unsafe)


def weights_complete(folder: Path, unsafe: bool) -> bool:
    indices = [*folder.glob("*.safetensors.index.json"), *(folder.glob("*.bin.index.json") if unsafe else ())]
    if indices:
        shards = {shard for index in indices[:1] for shard in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
        return all((folder / shard).exists() for shard in shards)
    return any(folder.glob("*.safetensors")) or (unsafe and any(file.suffix in UNSAFE for file in folder.iterdir()))


def listed(name: str, revision: str | None, **keywords) -> dict[str, int]:
    """Files of an id and their sizes in bytes, asked of the network."""
    from huggingface_hub import HfApi

    api = HfApi(token=keywords.get("token"))
    info = api.model_info(name, revision=revision, timeout=PATIENCE, files_metadata=True)
    return {file.rfilename: file.size or 0 for file in info.siblings}


def wanted(name: str, files: Sequence[str] | dict[str, int], code: bool, unsafe: bool) -> list[str]:
    """The files to fetch: small ones, the safetensors that transformers reads, and others only where allowed."""
    top = [file for file in files if "/" not in file]
    safe = [file for file in top if file.endswith(".safetensors") and not file.startswith("consolidated")]
    other = [file for file in top if file.endswith(UNSAFE[:1])]
    if not safe and not unsafe:
        raise no_safetensors(name, other)
    small = [file for file in top if file.endswith(SMALL) or (code and file.endswith(".py"))]
    return small + (safe or other)


def no_safetensors(name: str, found: Sequence[str]) -> UnsafeWeights | ModelNotFound:
    if not found:
        return ModelNotFound(f"{name} holds no model weights.")
    return UnsafeWeights(
        f"{name} has no safetensors, only {found[0]}, a format that can run code when it is opened; "
        "if you trust its source, pass unsafe_weights=True (--unsafe-weights)."
    )


def download(name: str, revision: str | None, files: Sequence[str], **keywords) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, revision=revision, allow_patterns=list(files), etag_timeout=PATIENCE, **keywords))


def explained(name: str, revision: str | None, problem: Exception) -> Exception:
    """One clear line for whatever the hub or the network answered."""
    from huggingface_hub import errors

    if isinstance(problem, (ModelNotFound, UnsafeWeights)):
        return problem
    if isinstance(problem, errors.GatedRepoError):
        return gated(name)
    if isinstance(problem, errors.RevisionNotFoundError):
        return ModelNotFound(f"{name} has no revision {revision!r} on the Hugging Face hub.")
    if isinstance(problem, errors.RepositoryNotFoundError):
        return ModelNotFound(f"There is no folder and no Hugging Face model {name!r} (a private one needs `hf auth login`).")
    if isinstance(problem, errors.OfflineModeIsEnabled):
        return ModelNotFound(f"{name} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it.")
    if isinstance(problem, OSError) and problem.errno in DISK:
        return ModelNotFound(f"{name} could not be stored: {problem.strerror or problem}.")
    first = (str(problem).strip() or type(problem).__name__).splitlines()[0]
    return ModelNotFound(f"{name} is no folder here and not in the cache, and the Hugging Face hub cannot be reached ({first}).")


def gated(name: str) -> ModelNotFound:
    return ModelNotFound(f"{name} is gated: accept its licence at https://huggingface.co/{name} and log in with `hf auth login`.")

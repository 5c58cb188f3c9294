"""Which weights these are: a sha256 of a folder's weight files, or of what is in memory."""

import hashlib
import re
from pathlib import Path

import torch
from torch import nn

from semhub.models.hub import UNSAFE

NAMING = "salmonn.json"
SHA256 = re.compile("[0-9a-f]{64}")


def files_hash(folder: Path) -> str:
    """sha256 over names and contents of the weight files (and of what names others): the same for copies of a folder, wherever they are."""
    kinds = (".safetensors", *UNSAFE)
    files = sorted(file for file in folder.iterdir() if (file.suffix in kinds or file.name == NAMING) and file.is_file())
    return hashlib.sha256("".join(f"{file.name} {file_hash(file)}\n" for file in files).encode()).hexdigest()


def file_hash(file: Path) -> str:
    """sha256 of a file; in the hub's cache it is the name of the blob that the file points to, and nothing is read."""
    blob = file.resolve()
    if blob.parent.name == "blobs" and SHA256.fullmatch(blob.name):
        return blob.name
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def memory_hash(network: nn.Module) -> str:
    """sha256 over names, types, shapes and bytes of everything that the network would save."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        if isinstance(value, torch.Tensor) and value.device.type != "meta":
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            for part in value.detach().reshape(-1).split(1 << 26):
                digest.update(part.contiguous().cpu().view(torch.uint8).numpy())
    return digest.hexdigest()

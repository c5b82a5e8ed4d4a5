"""Tensors on disk in pieces, and the hash that names a set of weights.

A checkpoint is a folder: `checkpoint.json` (what it is, which piece holds which tensor) and `part-000.safetensors`, …,
each under 16 MB, so that it can be moved by tools with small limits. No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from codec.errors import CheckpointError

PIECE_BYTES = 15_000_000
INDEX_NAME = "checkpoint.json"


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hash of weights: over each tensor's name, dtype, shape and little-endian bytes, by sorted name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{name}\0{dtype}\0{list(tensor.shape)}\0".encode())
        # As bytes: numpy has no bfloat16. Torch's CPUs are all little-endian.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a checkpoint, replacing an older one only once it is whole.

    Pieces carry the step in their names, so a kill in the middle leaves the old index with its old pieces.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces: list[dict[str, Tensor]] = [{}]
    size = 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        if size and size + tensor.nbytes > PIECE_BYTES:
            pieces.append({})
            size = 0
        pieces[-1][name] = tensor
        size += tensor.nbytes
    tag = metadata.get("step", 0)
    names = [f"part-{tag}-{index:03d}.safetensors" for index in range(len(pieces))]
    for name, piece in zip(names, pieces, strict=True):
        save_file(piece, folder / name)
    temporary = folder / (INDEX_NAME + ".new")
    temporary.write_text(json.dumps({"pieces": names, **metadata}, indent=1))
    os.replace(temporary, folder / INDEX_NAME)
    for stale in set(folder.glob("part-*.safetensors")) - {folder / name for name in names}:
        stale.unlink()


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a checkpoint folder; CheckpointError says what is missing."""
    index = folder / INDEX_NAME
    if not index.exists():
        raise CheckpointError(
            f"No checkpoint in {folder}: expected {INDEX_NAME} there; train one or give another folder"
        )
    metadata = json.loads(index.read_text())
    tensors: dict[str, Tensor] = {}
    for name in metadata.pop("pieces"):
        if not (folder / name).exists():
            raise CheckpointError(f"The checkpoint in {folder} lacks its piece {name}: copy all pieces")
        tensors.update(load_file(folder / name))
    return tensors, metadata


def rounded_to_half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with every float rounded to what float16 holds, still float32: files store them so."""
    return {
        name: tensor.to(torch.float16).to(torch.float32) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }

"""The released weights: read, checked tensor by tensor, and turned into ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from codec.errors import CheckpointError
from codec.models.checkpoint import weights_sha256
from codec.models.qwen3.config import Qwen3Config
from codec.models.qwen3.model import Qwen3Tokenizer
from codec.models.qwen3.names import origins, unused
from codec.spec import CodecSpec

logger = logging.getLogger(__name__)

CODEC_NAME = "qwen3-12hz"
WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
NAMED = 3
"""Tensors that an error names; of the others it gives the number."""
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""Kinds of numbers that float32 holds exactly."""
PICKLED = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""What files of torch.save begin with, zipped and bare."""
LFS_POINTER = b"version https://git-lfs"


def load_qwen3(folder: Path) -> tuple[Qwen3Tokenizer, CodecSpec]:
    """The codec in `folder` (config.json, model.safetensors or its pieces) in evaluation mode, and its description.

    Raises CheckpointError where a file is missing, damaged or another model's, a tensor is missing, surplus, misshapen
    or holds what is no number.
    """
    config = Qwen3Config.read(folder)
    released = read_tensors(folder)
    tokenizer = build(config, released)
    spec = qwen3_spec(config, weights_sha256(released))
    logger.info("loaded %s from %s: %d tensors, weights %s", spec.name, folder, len(released), spec.weights_sha256)
    return tokenizer, spec


def qwen3_spec(config: Qwen3Config, sha256: str) -> CodecSpec:
    """The description of the codec with the released weights of hash `sha256`."""
    return CodecSpec(
        name=CODEC_NAME,
        sample_rate=config.sample_rate,
        frame_size=config.frame_size,
        num_layers=config.num_layers,
        codebook_size=config.decoder.codebook_size,
        delay_samples=0,
        weights_sha256=sha256,
    )


def build(config: Qwen3Config, released: Mapping[str, Tensor]) -> Qwen3Tokenizer:
    """The codec with the tensors of a release, by their names there. Raises CheckpointError."""
    table = origins(config)
    needed = {name for origin in table.values() for name in origin.names}
    missing = needed - released.keys()
    if missing:
        raise CheckpointError(f"The weights lack {_names(missing)} that config.json asks for: an incomplete download?")
    surplus = released.keys() - needed - unused(config)
    if surplus:
        raise CheckpointError(f"The weights have {_names(surplus)} that config.json does not ask for: another model?")
    with torch.device("meta"):
        tokenizer = Qwen3Tokenizer(config)
    expected = tokenizer.state_dict()
    weights = {}
    for ours, origin in table.items():
        parts = [released[name] for name in origin.names]
        _require_numbers(origin.names, parts)
        try:
            weights[ours] = origin.make(*(part.float() for part in parts)).contiguous()
        except (RuntimeError, IndexError) as error:
            shapes = sorted({str(list(part.shape)) for part in parts})
            raise CheckpointError(f"{_names(origin.names)}: shapes {', '.join(shapes)} do not fit together") from error
        if weights[ours].shape != expected[ours].shape:
            raise CheckpointError(
                f"{origin.names[0]} makes {list(weights[ours].shape)}, expected {list(expected[ours].shape)}: "
                "config.json and weights are of different models"
            )
    tokenizer.load_state_dict(weights, strict=True, assign=True)
    return tokenizer.eval().requires_grad_(False)


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of model.safetensors, or of the pieces that its index names. Raises CheckpointError."""
    index = folder / INDEX_NAME
    files = [folder / WEIGHTS_NAME]
    if not files[0].exists() and index.exists():
        files = [folder / name for name in _pieces(index)]
    tensors: dict[str, Tensor] = {}
    for file in files:
        piece = _read_file(file)
        twice = tensors.keys() & piece.keys()
        if twice:
            raise CheckpointError(f"{file} holds {_names(twice)} that another piece has too: pieces of two downloads?")
        tensors |= piece
    return tensors


def _read_file(file: Path) -> dict[str, Tensor]:
    try:
        with file.open("rb") as stream:
            start = stream.read(len(LFS_POINTER))
        if start.startswith(PICKLED):
            raise CheckpointError(
                f"{file} is a pickled file, which may carry code and is never opened: take the release's safetensors"
            )
        if start == LFS_POINTER:
            raise CheckpointError(f"{file} is a pointer of Git LFS, not the weights: fetch them with git lfs pull")
        return load_file(file)
    except FileNotFoundError:
        raise CheckpointError(f"No {file.name} in {file.parent}: expected the weights there, as safetensors") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is damaged (cut short?): {error} — download it again") from error


def _pieces(index: Path) -> list[str]:
    try:
        pieces = set(json.loads(index.read_bytes())["weight_map"].values())
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is damaged: expected a weight_map of tensor names to file names") from error
    if not all(isinstance(name, str) and Path(name).name == name and name.endswith(".safetensors") for name in pieces):
        raise CheckpointError(f"{index} names something else than safetensors files of its own folder")
    return sorted(pieces)


def _require_numbers(names: Collection[str], tensors: Collection[Tensor]) -> None:
    for name, tensor in zip(names, tensors, strict=True):
        if tensor.dtype not in DTYPES:
            kinds = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
            raise CheckpointError(f"{name} is {str(tensor.dtype).removeprefix('torch.')}, expected one of {kinds}")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{name} holds NaN or infinity: the file is damaged, download it again")


def _names(names: Collection[str]) -> str:
    """`names` for a sentence."""
    shown = ", ".join(sorted(names)[:NAMED])
    more = len(names) - NAMED
    return f"{shown} and {more} other tensors" if more > 0 else shown

"""Where nano's weights come from: a training checkpoint, or the released ONNX files, which hold them by name."""

from __future__ import annotations

from importlib.resources import as_file
from pathlib import Path

import torch
from torch import Tensor

from codec.errors import CheckpointError
from codec.models.checkpoint import INDEX_NAME, load_checkpoint, rounded_to_half, weights_sha256
from codec.models.nano.config import NanoConfig
from codec.models.nano.model import Nano
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from codec.spec import CodecSpec

HALVES = ("encoder", "decoder")
STORED_HALF = ".float16"
STORED_TRANSPOSED = ".transposed"
"""Endings of the names under which `export.compact` stores a weight."""


def nano_spec(weights: dict[str, Tensor], *, version: str, config: NanoConfig) -> CodecSpec:
    """The description of nano with these weights."""
    return CodecSpec(
        name=version,
        sample_rate=config.sample_rate,
        frame_size=config.frame_size,
        num_layers=config.num_layers,
        codebook_size=config.codebook_size,
        delay_samples=config.delay_samples,
        weights_sha256=weights_sha256(weights),
    )


def load_nano(folder: Path | None = None, *, version: str = PACKAGED_VERSIONS["nano"]) -> tuple[Nano, CodecSpec]:
    """nano in evaluation mode, and its description.

    `folder`: a checkpoint of the training recipe (its averaged weights, rounded as the export stores them), a folder
    with released encoder.onnx and decoder.onnx, or None for the packaged release. Raises CheckpointError.
    """
    if folder is None:
        with as_file(packaged_folder(version)) as packaged:
            weights = load_released_weights(packaged)
    else:
        weights = load_weights(folder)
    model = Nano(NanoConfig()).eval()
    fit(model, weights)
    return model, nano_spec(model.state_dict(), version=version, config=model.config)


def load_weights(folder: Path) -> dict[str, Tensor]:
    """Weights by torch's names, of a training checkpoint or of a folder with released files. Raises CheckpointError."""
    return load_averaged_weights(folder) if (folder / INDEX_NAME).exists() else load_released_weights(folder)


def fit(model: Nano, weights: dict[str, Tensor]) -> None:
    """Put weights into the model, strictly. Raises CheckpointError naming what does not fit."""
    wanted = model.state_dict()
    if set(wanted) != set(weights):
        missing, surplus = sorted(set(wanted) - set(weights)), sorted(set(weights) - set(wanted))
        raise CheckpointError(
            f"These are not nano's weights: missing {missing[:3] or 'none'}, surplus {surplus[:3] or 'none'}"
        )
    for name, tensor in weights.items():
        if tensor.shape != wanted[name].shape:
            raise CheckpointError(
                f"The weight {name} has shape {list(tensor.shape)}, this nano expects {list(wanted[name].shape)}"
            )
    model.load_state_dict(weights)


def load_averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The moving average of a training run, rounded to float16's numbers."""
    tensors, _ = load_checkpoint(folder)
    prefix = "average."
    return rounded_to_half({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})


def load_released_weights(folder: Path) -> dict[str, Tensor]:
    """Weights from the constants of encoder.onnx and decoder.onnx, under torch's names. Raises CheckpointError."""
    try:
        # Here, because other codecs of the torch side need no onnx, and the extra `torch` does not bring it.
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError as error:
        raise CheckpointError(
            "Torch reads nano's released weights with the package onnx: pip install 'voxwire[export]'"
        ) from error
    expected = set(Nano().state_dict())
    weights: dict[str, Tensor] = {}
    for half in HALVES:
        path = folder / f"{half}.onnx"
        if not path.exists():
            raise CheckpointError(
                f"No {INDEX_NAME} and no {path.name} in {folder}: give a checkpoint or a release of nano"
            )
        for constant in onnx.load(path).graph.initializer:
            name = constant.name.removesuffix(STORED_HALF)
            transposed = name.endswith(STORED_TRANSPOSED)
            name = name.removesuffix(STORED_TRANSPOSED)
            if name in expected:
                tensor = torch.from_numpy(numpy_helper.to_array(constant).copy()).float()
                weights[name] = tensor.t().contiguous() if transposed else tensor
    return weights

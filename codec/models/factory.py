"""The one door from the torch-free codec to its torch side; `codec.load` imports it by name, and only when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from codec.errors import CheckpointError, CodecError
from codec.models.half import DecoderHalf, EncoderHalf
from codec.models.nano.weights import load_nano
from codec.models.session import TorchDecoder, TorchEncoder
from codec.packaged import PACKAGED_VERSIONS
from codec.spec import CodecSpec


class TorchCodec(NamedTuple):
    """Both halves of a codec in torch."""

    encoder: EncoderHalf
    decoder: DecoderHalf
    spec: CodecSpec


def _nano(model: Path | None, version: str) -> TorchCodec:
    nano, spec = load_nano(model, version=version)
    return TorchCodec(EncoderHalf(nano.encoder, nano.quantizer), DecoderHalf(nano.decoder, nano.quantizer), spec)


def _nano_builder(version: str) -> Callable[[Path | None], TorchCodec]:
    return lambda model: _nano(model, version)


BUILDERS: dict[str, Callable[[Path | None], TorchCodec]] = {
    "nano": _nano_builder(PACKAGED_VERSIONS["nano"]),
    "nano-1": _nano_builder("nano-1"),
}


def load_torch_codec(codec: str, model: Path | None) -> TorchCodec:
    """Both halves of `codec` from `model` (None: the packaged weights). Raises CheckpointError."""
    if codec not in BUILDERS:
        raise CheckpointError(f"No torch side of a codec {codec!r} — known are {', '.join(sorted(BUILDERS))}")
    return BUILDERS[codec](model)


def _device(provider: str) -> torch.device:
    if provider == "cuda" and not torch.cuda.is_available():
        raise CodecError("CUDA was asked for but torch finds no GPU: use --device cpu, or a CUDA build of torch")
    return torch.device(provider)


def load_torch_encoder(codec: str, model: Path | None, provider: str) -> TorchEncoder:
    """The encoder of `codec` on `provider` ("cpu" or "cuda")."""
    loaded = load_torch_codec(codec, model)
    return TorchEncoder(loaded.encoder.to(_device(provider)), loaded.spec)


def load_torch_decoder(codec: str, model: Path | None, provider: str) -> TorchDecoder:
    """The decoder of `codec` on `provider` ("cpu" or "cuda")."""
    loaded = load_torch_codec(codec, model)
    return TorchDecoder(loaded.decoder.to(_device(provider)), loaded.spec)

"""The one door from the torch-free codec to its torch side; `codec.load` imports it by name, and only when asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch

from codec.errors import CheckpointError, CodecError, DeviceError
from codec.hub import resolve_model
from codec.models.device import torch_device
from codec.models.half import DecoderHalf, EncoderHalf
from codec.models.layers import attend_to_everything
from codec.models.nano.weights import load_nano
from codec.models.qwen3.weights import CODEC_NAME, load_qwen3
from codec.models.session import TorchDecoder, TorchEncoder
from codec.packaged import PACKAGED_VERSIONS
from codec.spec import CodecSpec

logger = logging.getLogger(__name__)

FULL_ATTENTION_S = 300
"""Seconds of a stream that full attention takes: its state is then 245 MB, and each step looks at all of it."""


class TorchCodec(NamedTuple):
    """Both halves of a codec in torch."""

    encoder: EncoderHalf
    decoder: DecoderHalf
    spec: CodecSpec


def _nano(model: Path | None, version: str) -> TorchCodec:
    nano, spec = load_nano(model, version=version)
    # A quantiser each: a half takes its own along when it moves to a device, and the other one may be elsewhere.
    return TorchCodec(
        EncoderHalf(nano.encoder, nano.quantizer), DecoderHalf(nano.decoder, deepcopy(nano.quantizer)), spec
    )


def _nano_builder(version: str) -> Callable[[Path | None], TorchCodec]:
    return lambda model: _nano(model, version)


def _qwen3(model: Path | None) -> TorchCodec:
    if model is None:
        raise CheckpointError(
            f"{CODEC_NAME} does not come with this package: name the folder of its weights, or its repository, "
            "with --model"
        )
    tokenizer, spec = load_qwen3(model)
    return TorchCodec(
        EncoderHalf(tokenizer.encoder, tokenizer.encoder_quantizer),
        DecoderHalf(tokenizer.decoder, tokenizer.decoder_quantizer),
        spec,
    )


BUILDERS: dict[str, Callable[[Path | None], TorchCodec]] = {
    "nano": _nano_builder(PACKAGED_VERSIONS["nano"]),
    "nano-1": _nano_builder("nano-1"),
    CODEC_NAME: _qwen3,
}


def load_torch_codec(codec: str, model: Path | str | None) -> TorchCodec:
    """Both halves of `codec` from `model`: a folder, a repository "owner/name", or None for the packaged weights.

    Raises CheckpointError, DownloadError.
    """
    if codec not in BUILDERS:
        raise CheckpointError(f"No torch side of a codec {codec!r} — known are {', '.join(sorted(BUILDERS))}")
    return BUILDERS[codec](None if model is None else resolve_model(model))


def use_threads(threads: int) -> None:
    """Let torch compute on so many threads, in this whole process. Raises DeviceError for less than one."""
    if threads < 1:
        raise DeviceError(f"Torch computes on at least one thread, not {threads}")
    torch.set_num_threads(threads)


def load_torch_encoder(
    codec: str, model: Path | str | None, device: str = "cpu", *, full_attention: bool = False
) -> TorchEncoder:
    """The encoder of `codec` on `device` (as `torch_device` reads it).

    `full_attention`: attend to everything since a stream's beginning, as qwen3-12hz's official package does on a CPU,
    instead of the window that its configuration states; for recordings of up to `FULL_ATTENTION_S`.
    Raises CheckpointError, DownloadError, DeviceError; CodecError for full attention of another codec.
    """
    place = torch_device(device)  # before minutes of download and loading
    loaded = load_torch_codec(codec, model)
    return _encoder(loaded, place, full_attention=full_attention)


def load_torch_decoder(codec: str, model: Path | str | None, device: str = "cpu") -> TorchDecoder:
    """The decoder of `codec` on `device`, which is as for the encoder. Raises the same errors."""
    place = torch_device(device)
    loaded = load_torch_codec(codec, model)
    return TorchDecoder(loaded.decoder.to(place), loaded.spec)


def load_torch_pair(
    codec: str, model: Path | str | None, device: str = "cpu", *, full_attention: bool = False
) -> tuple[TorchEncoder, TorchDecoder]:
    """Both halves, as the two functions above, from weights that are read once."""
    place = torch_device(device)
    loaded = load_torch_codec(codec, model)
    encoder = _encoder(loaded, place, full_attention=full_attention)
    return encoder, TorchDecoder(loaded.decoder.to(place), loaded.spec)


def _encoder(loaded: TorchCodec, device: torch.device, *, full_attention: bool) -> TorchEncoder:
    spec = loaded.spec
    half = loaded.encoder.to(device)
    if not full_attention:
        return TorchEncoder(half, spec)
    if spec.name != CODEC_NAME:
        raise CodecError(f"Full attention is there to compare {CODEC_NAME} with its official package: not {spec.name}")
    attend_to_everything(half)
    logger.info(
        "full attention: the encoder sees everything since a stream's beginning, at most %d s, not only its window",
        FULL_ATTENTION_S,
    )
    return TorchEncoder(half, spec, max_frames=int(FULL_ATTENTION_S / spec.frame_duration_s))

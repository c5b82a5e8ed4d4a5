"""The codec, both ends: audio to tokens and back, without torch.

The names below load their modules on first use, so that `import codec` costs neither ONNX Runtime nor an audio library.
`codec.models` is the torch side; nothing here imports it.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

# ONNX Runtime, 1.32 say, reports home: it leaves a file among the temporary ones, a database in the user's cache, and
# uploads. It asks for this variable when it is loaded, which is later than now.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from codec.audio.reader import AudioReader, open_audio, read_audio
    from codec.audio.resample import Resampler
    from codec.audio.wav import WavWriter
    from codec.errors import (
        AddressError,
        AudioFileError,
        AudioInputError,
        CheckpointError,
        CodecError,
        CodesError,
        DeviceError,
        DownloadError,
        FrameSizeError,
        ModelError,
        ModelMissingError,
        OutputFileError,
        SpecError,
        TokenFileError,
    )
    from codec.formats.vwt import TokenReader, TokenWriter
    from codec.framing import FrameAssembler
    from codec.load import load_codec, load_decoder, load_encoder, load_onnx_decoder, load_onnx_encoder
    from codec.onnx import OnnxDecoder, OnnxEncoder, OnnxModel
    from codec.session import Decoder, DecoderSession, Encoder, EncoderSession
    from codec.spec import CodecSpec
    from codec.tokenizer import Tokenizer, Tokens

_MODULES = {
    "codec.errors": (
        "AddressError",
        "AudioFileError",
        "AudioInputError",
        "CheckpointError",
        "CodecError",
        "CodesError",
        "DeviceError",
        "DownloadError",
        "FrameSizeError",
        "ModelError",
        "ModelMissingError",
        "OutputFileError",
        "SpecError",
        "TokenFileError",
    ),
    "codec.framing": ("FrameAssembler",),
    "codec.load": ("load_codec", "load_decoder", "load_encoder", "load_onnx_decoder", "load_onnx_encoder"),
    "codec.onnx": ("OnnxDecoder", "OnnxEncoder", "OnnxModel"),
    "codec.audio.reader": ("AudioReader", "open_audio", "read_audio"),
    "codec.audio.resample": ("Resampler",),
    "codec.session": ("Decoder", "DecoderSession", "Encoder", "EncoderSession"),
    "codec.spec": ("CodecSpec",),
    "codec.tokenizer": ("Tokenizer", "Tokens"),
    "codec.formats.vwt": ("TokenReader", "TokenWriter"),
    "codec.audio.wav": ("WavWriter",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AddressError",
    "AudioFileError",
    "AudioInputError",
    "AudioReader",
    "CheckpointError",
    "CodecError",
    "CodecSpec",
    "CodesError",
    "Decoder",
    "DecoderSession",
    "DeviceError",
    "DownloadError",
    "Encoder",
    "EncoderSession",
    "FrameAssembler",
    "FrameSizeError",
    "ModelError",
    "ModelMissingError",
    "OnnxDecoder",
    "OnnxEncoder",
    "OnnxModel",
    "OutputFileError",
    "Resampler",
    "SpecError",
    "TokenFileError",
    "TokenReader",
    "TokenWriter",
    "Tokenizer",
    "Tokens",
    "WavWriter",
    "load_codec",
    "load_decoder",
    "load_encoder",
    "load_onnx_decoder",
    "load_onnx_encoder",
    "open_audio",
    "read_audio",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'codec' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value

"""Finding and opening codecs by name: the packaged nano, a file the user names, or the torch side."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from importlib.resources import as_file
from pathlib import Path
from typing import Literal, cast

from codec.errors import CodecError, ModelError, ModelMissingError
from codec.model_file import Half, OnnxModel, Provider
from codec.onnx import OnnxDecoder, OnnxEncoder
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from codec.session import Encoder

Engine = Literal["onnx", "torch"]

KNOWN_CODECS = ("nano", "qwen3-12hz")


def load_decoder(
    codec: str | None = "nano", *, model: Path | str | None = None, provider: Provider = "cpu", threads: int = 1
) -> OnnxDecoder:
    """The decoder of `codec`: packaged, or from `model`, a file or a folder with decoder.onnx.

    `codec` None takes whatever codec `model` holds. Raises ModelError, ModelMissingError.
    """
    return OnnxDecoder(_load_half("decoder", codec, model, provider, threads))


def load_encoder(
    codec: str | None = "nano",
    *,
    model: Path | str | None = None,
    provider: Provider = "cpu",
    engine: Engine = "onnx",
    threads: int = 1,
) -> Encoder:
    """The encoder of `codec`: packaged, or from `model`, a file or a folder with encoder.onnx.

    `engine` torch runs the original weights instead of their export; it is imported only then. `codec` None takes
    whatever codec `model` holds. Raises ModelError, ModelMissingError, CheckpointError.
    """
    if engine == "torch":
        return _load_torch_encoder(codec or "nano", None if model is None else Path(model), provider)
    return OnnxEncoder(_load_half("encoder", codec, model, provider, threads))


def load_onnx_encoder(
    codec: str | None = "nano", *, model: Path | str | None = None, provider: Provider = "cpu", threads: int = 1
) -> OnnxEncoder:
    """Like `load_encoder` with engine onnx, for callers that want to know its provider and file."""
    return OnnxEncoder(_load_half("encoder", codec, model, provider, threads))


def _load_half(half: Half, codec: str | None, model: Path | str | None, provider: Provider, threads: int) -> OnnxModel:
    if model is None:
        loaded = _load_packaged(half, codec or "nano", provider, threads)
    else:
        path = Path(model)
        loaded = OnnxModel.load(path / f"{half}.onnx" if path.is_dir() else path, provider=provider, threads=threads)
    if loaded.half != half:
        raise ModelError(f"{loaded.path} holds the {loaded.half} of {loaded.spec.name}, not the {half}")
    if codec is not None and not _is_named(loaded.spec.name, codec):
        raise ModelError(f"{loaded.path} holds the codec {loaded.spec.name}, not {codec}")
    return loaded


def _load_packaged(half: Half, codec: str, provider: Provider, threads: int) -> OnnxModel:
    folder = packaged_folder(PACKAGED_VERSIONS.get(codec, codec))
    resource = folder.joinpath(f"{half}.onnx")
    if not resource.is_file():
        if codec in PACKAGED_VERSIONS:
            raise ModelMissingError(f"This installation lacks the {half} of {codec} (looked for {resource})")
        if codec in KNOWN_CODECS:
            raise ModelMissingError(f"{codec} does not come with this package — name its {half} with --model")
        raise ModelError(f"Unknown codec {codec!r} — known are {', '.join(KNOWN_CODECS)}")
    with ExitStack() as stack:
        # ONNX Runtime wants a real path; from a zipped package that is a copy which lives as long as this block.
        path = stack.enter_context(as_file(resource))
        return OnnxModel.load(path, provider=provider, threads=threads)


def _is_named(name: str, wanted: str) -> bool:
    """Whether a file's codec `name` answers to `wanted`: nano-1 is a nano, and a nano may be asked for as nano-1."""
    return name == wanted or name.startswith(wanted + "-") or PACKAGED_VERSIONS.get(name) == wanted


def _load_torch_encoder(codec: str, model: Path | None, provider: Provider) -> Encoder:
    try:
        # By name, so that neither an import scanner nor an edge device without torch ever meets it.
        factory = importlib.import_module("codec.models.factory")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "codec":
            raise CodecError("This installation has no torch side of the codec — use the ONNX engine") from error
        raise CodecError(f"The torch engine needs {error.name}: pip install 'voxwire[torch]'") from error
    return cast(Encoder, factory.load_torch_encoder(codec, model, provider))

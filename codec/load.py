"""Finding and opening codecs by name: the packaged nano, a file or folder the user names, or the torch side."""

from __future__ import annotations

import importlib
import re
from contextlib import ExitStack
from importlib.resources import as_file
from pathlib import Path
from typing import Any, Literal, cast

from codec.errors import CodecError, DeviceError, ModelError, ModelMissingError
from codec.hub import CONFIG_NAME, resolve_model
from codec.model_file import Half, OnnxModel, Provider
from codec.onnx import OnnxDecoder, OnnxEncoder
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from codec.session import Decoder, Encoder

Engine = Literal["auto", "onnx", "torch"]
"""What runs a model; `auto` is torch for released weights, and ONNX for an export."""

KNOWN_CODECS = ("nano", "qwen3-12hz")

_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def load_encoder(
    codec: str | None = "nano",
    *,
    model: Path | str | None = None,
    provider: str = "cpu",
    engine: Engine = "auto",
    threads: int | None = None,
    full_attention: bool = False,
) -> Encoder:
    """The encoder of `codec`: packaged, or from `model`: an ONNX file, a folder with encoder.onnx, one of released
    weights, or the name `owner/name` of their repository.

    `codec` None takes whatever codec `model` holds. Torch is imported where the `engine` is torch only. `provider`:
    cpu, cuda, cuda:1, or auto, which takes a GPU where there is one and says so. `threads` None: one for ONNX, and as
    many for torch as it finds; a number is torch's for the whole process. `full_attention`: to everything since the
    stream's beginning, as the official package has it on a CPU; torch only. Raises ModelError, ModelMissingError,
    CheckpointError, DownloadError, DeviceError.
    """
    path = _local(model)
    if engine_of(path, "encoder", engine) == "torch":
        wanted = {"full_attention": True} if full_attention else {}
        name = codec or released_codec(path)
        return cast(Encoder, _torch_factory(threads).load_torch_encoder(name, path, device_name(provider), **wanted))
    if full_attention:
        raise CodecError("Full attention needs the released weights and the torch engine: an export keeps the window")
    return OnnxEncoder(_load_half("encoder", codec, path, provider, threads))


def load_decoder(
    codec: str | None = "nano",
    *,
    model: Path | str | None = None,
    provider: str = "cpu",
    engine: Engine = "auto",
    threads: int | None = None,
) -> Decoder:
    """The decoder of `codec`; everything as `load_encoder` has it, with decoder.onnx."""
    path = _local(model)
    if engine_of(path, "decoder", engine) == "torch":
        name = codec or released_codec(path)
        return cast(Decoder, _torch_factory(threads).load_torch_decoder(name, path, device_name(provider)))
    return OnnxDecoder(_load_half("decoder", codec, path, provider, threads))


def load_codec(
    codec: str | None = "nano",
    *,
    model: Path | str | None = None,
    provider: str = "cpu",
    engine: Engine = "auto",
    threads: int | None = None,
    full_attention: bool = False,
) -> tuple[Encoder, Decoder]:
    """Both halves, torch weights read once; everything as `load_encoder` has it. Raises ModelError too where the two
    are not of one codec and the same weights."""
    path = _local(model)
    engines = engine_of(path, "encoder", engine), engine_of(path, "decoder", engine)
    if engines == ("torch", "torch"):
        wanted = {"full_attention": True} if full_attention else {}
        name = codec or released_codec(path)
        pair = _torch_factory(threads).load_torch_pair(name, path, device_name(provider), **wanted)
        return cast("tuple[Encoder, Decoder]", pair)
    encoder = load_encoder(
        codec, model=path, provider=provider, engine=engines[0], threads=threads, full_attention=full_attention
    )
    decoder = load_decoder(codec, model=path, provider=provider, engine=engines[1], threads=threads)
    if encoder.spec != decoder.spec:
        raise ModelError(
            f"{path} holds an encoder of {encoder.spec.name} ({encoder.spec.weights_sha256[:12]}…) and a decoder of "
            f"{decoder.spec.name} ({decoder.spec.weights_sha256[:12]}…): one cannot read what the other writes"
        )
    return encoder, decoder


def load_onnx_encoder(
    codec: str | None = "nano", *, model: Path | str | None = None, provider: str = "cpu", threads: int | None = None
) -> OnnxEncoder:
    """Like `load_encoder` with engine onnx, for callers that want to know its provider and file."""
    path = _local(model)
    return OnnxEncoder(_load_half("encoder", codec, path, provider, threads))


def load_onnx_decoder(
    codec: str | None = "nano", *, model: Path | str | None = None, provider: str = "cpu", threads: int | None = None
) -> OnnxDecoder:
    """Like `load_decoder` with engine onnx, for callers that want to know its provider and file."""
    path = _local(model)
    return OnnxDecoder(_load_half("decoder", codec, path, provider, threads))


def _local(model: Path | str | None) -> Path | None:
    """Where `model` lies on this machine; a repository's name is fetched. Raises DownloadError, CheckpointError."""
    return None if model is None else resolve_model(model)


def engine_of(model: Path | None, half: Half, engine: Engine = "auto") -> Engine:
    """What runs `half` of what lies at `model`: torch for a folder of released weights without that export."""
    if engine != "auto":
        return engine
    if model is None or not model.is_dir() or (model / f"{half}.onnx").is_file():
        return "onnx"
    return "torch" if (model / CONFIG_NAME).is_file() else "onnx"


def device_of(half: Encoder | Decoder) -> str:
    """What really runs a half: cpu, cuda (ONNX Runtime's word for the first GPU) or torch's cuda:0."""
    if isinstance(half, OnnxEncoder | OnnxDecoder):
        return half.active_provider
    return str(getattr(half, "device", "cpu"))


def device_name(text: str) -> str:
    """`text` where it is the name of a device: auto, cpu, cuda or cuda:1. Raises DeviceError."""
    if _DEVICE.fullmatch(text) is None:
        raise DeviceError(f"Unknown device {text!r} — known are auto, cpu, cuda and cuda:0, cuda:1, …")
    return text


def released_codec(model: Path | None) -> str:
    """The codec that released weights at `model` are of. The loader reads their config, and refuses what it is not."""
    return "nano" if model is None or not (model / CONFIG_NAME).is_file() else "qwen3-12hz"


def _load_half(half: Half, codec: str | None, model: Path | None, provider: str, threads: int | None) -> OnnxModel:
    if model is None:
        loaded = _load_packaged(half, codec or "nano", onnx_provider(provider), threads)
    else:
        path = model / f"{half}.onnx" if model.is_dir() else model
        if not path.is_file() and (model / CONFIG_NAME).is_file():
            raise ModelMissingError(
                f"{model} holds released weights and no {path.name}: export it with codec-export {half} --codec "
                f"{released_codec(model)} --model {model} -o FOLDER, and name that"
            )
        loaded = OnnxModel.load(path, provider=onnx_provider(provider), threads=1 if threads is None else threads)
    if loaded.half != half:
        raise ModelError(f"{loaded.path} holds the {loaded.half} of {loaded.spec.name}, not the {half}")
    if codec is not None and not _is_named(loaded.spec.name, codec):
        raise ModelError(f"{loaded.path} holds the codec {loaded.spec.name}, not {codec}")
    return loaded


def onnx_provider(device: str) -> Provider:
    """ONNX Runtime's word for a device. Raises DeviceError for a second GPU, which the torch engine can use."""
    name = device_name(device).removesuffix(":0")
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"{device}: ONNX Runtime is run on the first GPU only — take cuda, or the torch engine")
    return cast(Provider, name)


def _load_packaged(half: Half, codec: str, provider: Provider, threads: int | None) -> OnnxModel:
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
        return OnnxModel.load(path, provider=provider, threads=1 if threads is None else threads)


def _is_named(name: str, wanted: str) -> bool:
    """Whether a file's codec `name` answers to `wanted`: nano-1 is a nano, and a nano may be asked for as nano-1."""
    return name == wanted or name.startswith(wanted + "-") or PACKAGED_VERSIONS.get(name) == wanted


def _torch_factory(threads: int | None) -> Any:
    try:
        # By name, so that neither an import scanner nor an edge device without torch ever meets it.
        factory = importlib.import_module("codec.models.factory")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "codec":
            raise CodecError("This installation has no torch side of the codec — use the ONNX engine") from error
        raise CodecError(f"The torch engine needs {error.name}: pip install 'voxwire[torch]'") from error
    if threads is not None:
        factory.use_threads(threads)
    return factory

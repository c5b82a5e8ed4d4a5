"""`codec info`: what a model, a codec or a token file is."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable
from pathlib import Path

from codec.command.options import Commands, add_command
from codec.command.report import Outcome, Report
from codec.errors import CodecError, ModelMissingError, TokenFileError
from codec.formats.base import TokenSource
from codec.formats.kinds import format_by_content, is_token_file
from codec.formats.lmdb_cache import CacheReader
from codec.formats.recordings import recordings_of
from codec.hub import CONFIG_NAME, is_repository, resolve_model
from codec.load import KNOWN_CODECS, load_onnx_decoder, load_onnx_encoder, released_codec
from codec.model_file import OnnxModel
from codec.packaged import PACKAGED_VERSIONS
from codec.spec import CodecSpec


def add(commands: Commands) -> None:
    """Describe the subcommand."""
    command = add_command(commands, "info", run, "what a model, a codec or a token file is", "codec info nano")
    command.add_argument(
        "file",
        type=Path,
        help="a token file (.vwt, .pt, .npz, .lmdb), an .onnx file, a folder of them, a folder of released weights or "
        "owner/name of their repository (read whole and checked), or a codec's name",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Do it; raises CodecError."""
    return Outcome(_describe(arguments.file))


def _describe(path: Path) -> Report:
    if not path.exists() and str(path) in (*KNOWN_CODECS, *PACKAGED_VERSIONS.values()):
        halves = (load_onnx_encoder(str(path)).model, load_onnx_decoder(str(path)).model)
        return {model.half: _describe_model(model) for model in halves}
    if is_token_file(path):
        return _describe_tokens(path)
    if not path.exists() and is_repository(path):
        path = resolve_model(path)
    if path.is_dir():
        models = [OnnxModel.load(half) for half in sorted(path.glob("*.onnx"))]
        if models:
            return {model.path.name: _describe_model(model) for model in models}
        if (path / CONFIG_NAME).is_file():
            return _describe_release(path)
        raise ModelMissingError(f"There is no .onnx file in {path}")
    return _describe_model(OnnxModel.load(path))


def _describe_model(model: OnnxModel) -> Report:
    return {
        "file": str(model.path),
        "half": model.half,
        **_describe_spec(model.spec),
        "precision": model.precision,
        "opset": model.opset,
        "states": len(model.states),
        "file_bytes": model.path.stat().st_size,
        "file_sha256": model.file_sha256,
    }


def _describe_release(folder: Path) -> Report:
    """Released weights, loaded as strictly as for use: their hash takes all of them anyway."""
    try:
        factory = importlib.import_module("codec.models.factory")
    except ModuleNotFoundError as error:
        raise CodecError(
            f"Released weights are read by torch, {error.name} is missing: pip install 'voxwire[torch]'"
        ) from error
    spec: CodecSpec = factory.load_torch_codec(released_codec(folder), folder).spec
    return {"file": str(folder), "half": "both", **_describe_spec(spec)}


def _describe_tokens(path: Path) -> Report:
    kind = format_by_content(path)
    head: Report = {"file": str(path), "format": kind}
    if kind == "lmdb":
        return head | _describe_cache(path)
    recordings = list(recordings_of(path))
    if len(recordings) > 1:
        return head | _describe_batch(recording.open() for recording in recordings)
    with recordings[0].open() as tokens:
        return head | _describe_recording(tokens, path.stat().st_size)


def _describe_recording(tokens: TokenSource, size: int) -> Report:
    spec = tokens.spec
    report: Report = {} if spec is None else _describe_spec(spec)
    report |= {"codes": f"{tokens.layers} x {tokens.num_frames}", "layers": tokens.layers, "frames": tokens.num_frames}
    if spec is None:
        return {"codec": None} | report | {"file_bytes": size}
    seconds = _seconds(spec, tokens.num_frames, tokens.num_samples)
    return report | {
        "seconds": round(seconds, 3),
        "kbps": round(tokens.layers * spec.bits_per_code * spec.frame_rate / 1000, 3),
        "finished": tokens.num_samples is not None,
        "file_bytes": size,
    }


def _describe_batch(sources: Iterable[TokenSource]) -> Report:
    found = list(sources)
    spec = found[0].spec
    report: Report = {"codec": None} if spec is None else _describe_spec(spec)
    return report | {
        "recordings": len(found),
        "layers": found[0].layers,
        "frames": sum(source.num_frames for source in found),
    }


def _describe_cache(path: Path) -> Report:
    with CacheReader(path) as cache:
        spec = cache.spec
        frames = samples = recordings = 0
        for name in cache.names():
            try:
                entry = cache.entry(name)
            except TokenFileError:
                continue
            recordings, frames, samples = recordings + 1, frames + entry.num_frames, samples + entry.num_samples
        return {
            **_describe_spec(spec),
            "recordings": recordings,
            "unreadable": len(cache) - recordings,
            "layers": cache.layers,
            "frames": frames,
            "seconds": round(samples / spec.sample_rate, 3),
            "kbps": round(cache.layers * spec.bits_per_code * spec.frame_rate / 1000, 3),
            "file_bytes": path.stat().st_size,
        }


def _seconds(spec: CodecSpec, frames: int, num_samples: int | None) -> float:
    """Of the recording where that is known, else of the frames."""
    return frames * spec.frame_duration_s if num_samples is None else num_samples / spec.sample_rate


def _describe_spec(spec: CodecSpec) -> Report:
    fields: Report = {**spec.to_dict()}
    return {"codec": fields.pop("name"), **fields, "frame_rate": spec.frame_rate, "bit_rate": spec.bit_rate}

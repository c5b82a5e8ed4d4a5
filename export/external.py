"""Model files whose weights lie in a file beside them, and the moves that keep such a pair together.

The data file is named by its content (`decoder-3fa2b1c4.data`): graphs with the same weights share one, writing a new
model never touches the data of an older one, and so no moment is without a matching pair.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from codec.errors import CodecError
from codec.external_data import METADATA_KEY, DataFile, data_file_of

MIN_BYTES = 1024
"""Smaller tensors stay in the graph, where ONNX Runtime's constant folding and a reader of the file want them."""
ALIGNMENT = 4096
"""Of each tensor in the file: a page, so that ONNX Runtime maps the file instead of reading it."""

_ENTRY = f"voxwire.{METADATA_KEY}"


def keeps_data_apart(model: ModelProto) -> bool:
    """Whether the file that `model` comes from has its weights beside it."""
    return any(entry.key == _ENTRY for entry in model.metadata_props)


def save_model(model: ModelProto, path: Path, *, external: bool) -> Path:
    """Check `model` and write it to `path`; with `external`, its weights to a data file in the same folder.

    The weights leave `model` then. A model whose weights have not been loaded goes on reading the file they are in.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not external:
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return path
    if all(tensor.data_location != TensorProto.EXTERNAL for tensor in model.graph.initializer):
        _write_data(model, path.parent)
    onnx.save(model, path)
    # By its path: the checker then finds the data file, and does not make copies of it.
    onnx.checker.check_model(path, full_check=True)
    return path


def move_model(source: Path, target: Path) -> None:
    """Move a model to `target`, in another folder, with its data file: that one first, as the other reads it.

    Data files there that no model of the same half reads any more are removed.
    """
    data = data_file_of(source)
    if data is not None:
        (source.parent / data.file).replace(target.parent / data.file)
    source.replace(target)
    if data is not None:
        _remove_unread(target.parent, data.file.rsplit("-", 1)[0])


def file_bytes(path: Path) -> int:
    """Length of a model's file and of its data file together."""
    data = data_file_of(path)
    return path.stat().st_size + (0 if data is None else data.bytes)


def _write_data(model: ModelProto, folder: Path) -> None:
    """Move the large initializers of `model` into a new data file, and note it in the metadata."""
    half = next(entry.value for entry in model.metadata_props if entry.key == "voxwire.half")
    digest, length, unnamed = hashlib.sha256(), 0, folder / f".{half}-{os.getpid()}.data.new"
    try:
        with unnamed.open("wb") as file:
            places: list[tuple[TensorProto, int, int]] = []
            for tensor in model.graph.initializer:
                content = numpy_helper.to_array(tensor).tobytes()
                if len(content) < MIN_BYTES:
                    continue
                padding = b"\0" * (-length % ALIGNMENT)
                for piece in (padding, content):
                    file.write(piece)
                    digest.update(piece)
                length += len(padding) + len(content)
                places.append((tensor, length - len(content), len(content)))
        data = DataFile(file=f"{half}-{digest.hexdigest()[:8]}.data", bytes=length, sha256=digest.hexdigest())
        unnamed.replace(folder / data.file)
    finally:
        unnamed.unlink(missing_ok=True)
    for tensor, offset, size in places:
        _point_to(tensor, data.file, offset, size)
    _note(model, data)


def _point_to(tensor: TensorProto, file: str, offset: int, size: int) -> None:
    moved = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    moved.data_location = TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", str(offset)), ("length", str(size))):
        moved.external_data.add(key=key, value=value)
    tensor.CopyFrom(moved)


def _note(model: ModelProto, data: DataFile) -> None:
    entries = [entry for entry in model.metadata_props if entry.key == _ENTRY] or [model.metadata_props.add(key=_ENTRY)]
    entries[0].value = json.dumps(asdict(data), separators=(",", ":"))


def _remove_unread(folder: Path, half: str) -> None:
    read = set()
    for model in folder.glob("*.onnx"):
        try:
            data = data_file_of(model)
        except CodecError:
            continue
        if data is not None:
            read.add(data.file)
    for path in folder.glob(f"{half}-????????.data"):
        if path.name not in read:
            path.unlink()

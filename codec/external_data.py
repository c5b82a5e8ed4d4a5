"""Weights that lie in a file beside the ONNX file: which file, and whether it is whole and the right one.

ONNX Runtime says of a missing or foreign data file only that some tensor is out of bounds, or nothing at all. So the
ONNX file's metadata hold the data file's name, length and hash, and the reader looks before ONNX Runtime does; with
that, the hash of the ONNX file covers both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from codec.errors import ModelError, ModelMissingError

METADATA_KEY = "data"
"""`voxwire.data` in the metadata: a JSON object with the fields of `DataFile`; files without it hold all weights."""

_METADATA_FIELD = 14
"""Number of metadata_props in ModelProto (onnx.proto)."""
_KEY_FIELD, _VALUE_FIELD = 1, 2
"""Fields of the StringStringEntryProto that each of its entries is."""
_VARINT, _BYTES = 0, 2
_FIXED_LENGTHS = {1: 8, 5: 4}
"""Wire types of protobuf, and the length of those that have one."""
_MAX_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class DataFile:
    """The file with the weights, in the folder of the ONNX file that reads it."""

    file: str
    bytes: int
    sha256: str

    def check(self, model: Path) -> None:
        """Raises ModelMissingError or ModelError unless the file beside `model` is this one."""
        path = model.parent / self.file
        try:
            length = path.stat().st_size
            if length != self.bytes:
                raise ModelError(
                    f"{path} has {length} bytes, {model.name} was written with one of {self.bytes} (cut short?): copy "
                    "both files again"
                )
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise ModelMissingError(
                f"{model} keeps its weights in {self.file}, which is not beside it: copy both files"
            ) from error
        except OSError as error:
            raise ModelMissingError(f"Cannot read {path}, the weights of {model.name}: {error.strerror}") from error
        if found != self.sha256:
            raise ModelError(f"{path} is not the file that {model.name} was written with: copy both files again")


def data_file_of(model: Path) -> DataFile | None:
    """The data file that the ONNX file `model` names; None where it names none.

    Raises ModelError where what it says of it makes no sense, OSError where it cannot be read.
    """
    entry = read_metadata(model).get(f"voxwire.{METADATA_KEY}")
    if entry is None:
        return None
    try:
        values = json.loads(entry)
        file, length, sha256 = values["file"], values["bytes"], values["sha256"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise ModelError(f"{model} does not say which file holds its weights: export it again") from error
    if not isinstance(file, str) or not _is_plain_name(file) or type(length) is not int:
        raise ModelError(f"{model} names {str(file)[:40]!r} as the file of its weights, which is no plain file name")
    return DataFile(file=file, bytes=length, sha256=str(sha256))


def _is_plain_name(file: str) -> bool:
    """A name, not a path: a model file must not make its reader open what lies elsewhere. What cannot be printed (NUL,
    half of a surrogate pair) is no name that any system takes.
    """
    return file not in ("", "..") and Path(file).name == file and file.isprintable()


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file, without ONNX Runtime; {} or a part of them where it is no sound protobuf.

    ONNX Runtime gives them only once it has opened the file with all its weights. Raises OSError.
    """
    found: dict[str, str] = {}
    with path.open("rb") as file:
        for _, content in _fields(file, path.stat().st_size, wanted={_METADATA_FIELD}):
            entry = dict(_fields(BytesIO(content), len(content), wanted={_KEY_FIELD, _VALUE_FIELD}))
            key, value = (entry.get(number, b"").decode(errors="replace") for number in (_KEY_FIELD, _VALUE_FIELD))
            found[key] = value
    return found


def _fields(file: BinaryIO, end: int, *, wanted: Container[int]) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of the `wanted` fields of a protobuf message, as far as it is sound; others are passed over."""
    while file.tell() < end:
        key = _varint(file)
        if key is None:
            return
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            if _varint(file) is None:
                return
        elif kind == _BYTES:
            length = _varint(file)
            if length is None or length > end - file.tell():
                return
            if number in wanted:
                yield number, file.read(length)
            else:
                file.seek(length, 1)
        elif kind in _FIXED_LENGTHS:
            file.seek(_FIXED_LENGTHS[kind], 1)
        else:
            return


def _varint(file: BinaryIO) -> int | None:
    """The next variable-length integer; None at the end, or where there is none."""
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << (7 * index)
        if byte[0] < 0x80:
            return value
    return None

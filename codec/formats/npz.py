"""Token files of numpy (.npz): `audio_codes` [T, K] in the smallest signed integers that hold a code, `num_samples`,
and `codec`, the JSON of the CodecSpec. No pickle is ever written or read.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format
from numpy.typing import NDArray

from codec.errors import CodecError, SpecError, TokenFileError
from codec.formats.arrays import ArraySource, ArrayWriter, check_unpacked_size
from codec.spec import CodecSpec

CODES = "audio_codes"

_HEADERS = {(1, 0): format.read_array_header_1_0, (2, 0): format.read_array_header_2_0}
"""By version of numpy's format; version 3 differs in the names of record fields, which codes have none of."""


class NpzWriter(ArrayWriter):
    """Writes a .npz file of one recording."""

    def _serialise(self, codes: NDArray[np.uint16], num_samples: int) -> memoryview:
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            audio_codes=codes.astype(np.int16 if self.spec.codebook_size <= 2**15 else np.int32),
            num_samples=np.int64(num_samples),
            codec=np.array(json.dumps(self.spec.to_dict())),
        )
        return buffer.getbuffer()


def open_npz(path: Path) -> ArraySource:
    """The recording of a .npz file, ours or anybody's with an array `audio_codes` [T, K].

    Raises TokenFileError, CodesError.
    """
    try:
        arrays = _read(path)
        if CODES not in arrays:
            raise TokenFileError(f"{path} holds no array {CODES!r} — it holds {', '.join(sorted(arrays)) or 'nothing'}")
        num_samples = arrays["num_samples"].item() if "num_samples" in arrays else None
        spec = CodecSpec.from_dict(json.loads(arrays["codec"].item())) if "codec" in arrays else None
    except FileNotFoundError as error:
        raise TokenFileError(f"File not found at {path}") from error
    except OSError as error:
        raise TokenFileError(f"Cannot read {path}: {error.strerror or error}") from error
    except SpecError as error:
        raise TokenFileError(f"{path} is damaged: its description of the codec is unreadable ({error})") from error
    except CodecError:
        raise
    except Exception as error:  # numpy and zipfile raise what they meet; a damaged file may look like anything
        raise TokenFileError(f"{path} is damaged or no .npz file of arrays: {error}") from error
    return ArraySource(path, arrays[CODES], spec=spec, num_samples=num_samples)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        check_unpacked_size(archive, path)
        parts = {name: f"{name}.npy" for name in (CODES, "num_samples", "codec")}
        there = {name: archive.getinfo(part) for name, part in parts.items() if part in archive.namelist()}
        return {name: _read_array(archive, part) for name, part in there.items()}


def _read_array(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> NDArray[Any]:
    # numpy reserves what the header of an array claims before it reads: a line of text would take gigabytes.
    with archive.open(part) as file:
        shape, _, dtype = _HEADERS[format.read_magic(file)](file)
        if math.prod(shape) * dtype.itemsize > part.file_size:
            raise ValueError(f"{part.filename} claims to be {list(shape)}, which it is too short for")
    with archive.open(part) as file:
        array: NDArray[Any] = format.read_array(file, allow_pickle=False)
    return array

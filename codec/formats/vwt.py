"""Token files (.vwt): the codes of one recording, as small as they are on the wire.

    offset  bytes  field
    0       4      magic, "VWT" and the byte 26 (which stops a terminal's `type`)
    4       1      version, 1
    5       1      layers stored per frame, K, 1 … num_layers
    6       2      bytes of the description, little endian
    8       8      samples of the recording, little endian; all ones while it is being written
    16      …      description: JSON of the CodecSpec, UTF-8
    …       …      frames: K codes of bits_per_code bits, most significant first, layer by layer; every frame starts
                   on a byte, its last byte is filled with zeros

The decoded sound lags by the codec's `delay_samples`: an encoder appends that much silence, a decoder drops as much
from the start and cuts to `num_samples`.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.errors import OutputFileError, SpecError, TokenFileError
from codec.formats.arrays import kept_layers
from codec.formats.base import FRAMES_PER_READ, MAX_SAMPLES, checked_layers, frames_needed
from codec.session import AnyIntegers
from codec.spec import CodecSpec

MAGIC = b"VWT\x1a"
VERSION = 1
_HEADER = struct.Struct("<4sBBHQ")
_UNFINISHED = 0xFFFFFFFFFFFFFFFF


class TokenWriter:
    """Writes a token file frame by frame. A context manager; not reusable.

    `layers` (default: all) is how many layers of each frame are kept. Leaving the block by an error leaves a file whose
    length is unknown but whose frames are readable. Raises OutputFileError.
    """

    def __init__(self, path: Path | str, spec: CodecSpec, *, layers: int | None = None) -> None:
        self.path = Path(path)
        self.spec = spec
        self.layers = checked_layers(layers, spec)
        self.frames_written = 0
        self._description = json.dumps(spec.to_dict(), separators=(",", ":")).encode()
        try:
            self._file = self.path.open("wb")
            self._file.write(self._header(_UNFINISHED) + self._description)
        except OSError as error:
            raise OutputFileError(f"Cannot write {self.path}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file as it is. Safe to call twice; a disk that cannot take the last bytes is not said here."""
        with contextlib.suppress(OSError):
            self._file.close()

    def write(self, codes: AnyIntegers) -> None:
        """Append frames: codes [K, N], at least `layers` of them real (no -1)."""
        kept = kept_layers(codes, self.layers, self.spec)
        try:
            self._file.write(pack_frames(kept, self.spec.bits_per_code))
        except OSError as error:
            raise OutputFileError(f"Cannot write {self.path}: {error.strerror or error}") from error
        self.frames_written += kept.shape[1]

    def finish(self, num_samples: int) -> None:
        """State how many samples the recording had, and close."""
        try:
            self._file.seek(0)
            self._file.write(self._header(num_samples))
            self._file.close()
        except OSError as error:
            raise OutputFileError(f"Cannot write {self.path}: {error.strerror or error}") from error

    def _header(self, num_samples: int) -> bytes:
        return _HEADER.pack(MAGIC, VERSION, self.layers, len(self._description), num_samples)


class TokenReader:
    """Reads a token file; iterating gives codes [K, N], N at most 25. A context manager; read once.

    `num_samples` is None where the writer did not come to its end. Raises TokenFileError for a file that is missing,
    foreign, cut short or holds codes outside the codebook.
    """

    spec: CodecSpec
    layers: int
    num_frames: int
    num_samples: int | None

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("rb")
            self._size = self.path.stat().st_size
        except FileNotFoundError as error:
            raise TokenFileError(f"File not found at {self.path}") from error
        except OSError as error:
            raise TokenFileError(f"Cannot read {self.path}: {error.strerror or error}") from error
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[NDArray[np.uint16]]:
        size, remaining = self.bytes_per_frame, self.num_frames
        while remaining:
            count = min(FRAMES_PER_READ, remaining)
            data = self._file.read(count * size)
            if len(data) != count * size:
                raise TokenFileError(f"{self.path} is cut short: the last {remaining} frames are missing")
            codes = unpack_frames(data, layers=self.layers, bits=self.spec.bits_per_code)
            if codes.max() >= self.spec.codebook_size:
                raise TokenFileError(f"{self.path} is damaged: a code lies outside the codebook of {self.spec.name}")
            yield codes
            remaining -= count

    @property
    def bytes_per_frame(self) -> int:
        """Bytes one frame takes in this file."""
        return frame_bytes(self.layers, self.spec.bits_per_code)

    @property
    def duration_s(self) -> float:
        """Seconds of sound: of the recording where that is known, else of the frames."""
        if self.num_samples is None:
            return self.num_frames * self.spec.frame_duration_s
        return self.num_samples / self.spec.sample_rate

    def _read_header(self) -> None:
        version: int
        layers: int
        length: int
        num_samples: int
        head = self._file.read(_HEADER.size)
        if len(head) < _HEADER.size or head[:4] != MAGIC:
            raise TokenFileError(f"{self.path} is not a token file — expected one made by `codec encode` (.vwt)")
        _, version, layers, length, num_samples = _HEADER.unpack(head)
        if version != VERSION:
            raise TokenFileError(f"{self.path} has token file version {version}, this program reads {VERSION}")
        description = self._file.read(length)
        try:
            if len(description) != length:
                raise ValueError("it is cut short")
            values = json.loads(description)
            if not isinstance(values, dict):
                raise ValueError("it is not a JSON object")
            self.spec = CodecSpec.from_dict(values)
        except (ValueError, RecursionError, SpecError) as error:
            raise TokenFileError(f"{self.path} is damaged: its description of the codec is unreadable") from error
        if not 1 <= layers <= self.spec.num_layers:
            raise TokenFileError(f"{self.path} is damaged: {layers} layers of {self.spec.num_layers}")
        self.layers = layers
        body = self._size - _HEADER.size - length
        self.num_frames, rest = divmod(body, self.bytes_per_frame)
        self.num_samples = None if num_samples == _UNFINISHED else num_samples
        # An unfinished file may end anywhere; a finished one must hold every frame of its recording.
        if self.num_samples is not None:
            needed = frames_needed(self.num_samples, self.spec)
            if rest or self.num_samples > MAX_SAMPLES or self.num_frames < needed:
                raise TokenFileError(f"{self.path} is cut short: it holds {self.num_frames} of {needed} frames")


def frame_bytes(layers: int, bits: int) -> int:
    """Bytes of one packed frame."""
    return -(-layers * bits // 8)


def pack_frames(codes: AnyIntegers, bits: int) -> bytes:
    """Codes [K, N] as N runs of `frame_bytes` bytes."""
    places = np.arange(bits - 1, -1, -1)
    binary = (codes.T[:, :, np.newaxis].astype(np.int64) >> places) & 1
    return np.packbits(binary.reshape(codes.shape[1], -1).astype(np.uint8), axis=1).tobytes()


def unpack_frames(data: bytes, *, layers: int, bits: int) -> NDArray[np.uint16]:
    """The inverse of `pack_frames`: whole frames as codes [K, N]. Fill bits are not looked at."""
    frames = np.frombuffer(data, dtype=np.uint8).reshape(-1, frame_bytes(layers, bits))
    binary = np.unpackbits(frames, axis=1, count=layers * bits).reshape(-1, layers, bits)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint32)
    return np.ascontiguousarray((binary @ weights).astype(np.uint16).T)

"""Codes held in memory: of files that are read and written in one piece."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codec.checks import MISSING, complete_codes
from codec.errors import CodesError, OutputFileError, TokenFileError
from codec.formats.base import FRAMES_PER_READ, checked_layers, checked_length
from codec.session import AnyIntegers
from codec.spec import CodecSpec

MAX_FRAMES = 2**24
"""Two weeks of frames at 12.5 Hz. Longer recordings go into a .vwt file, which is read in a stream."""

MAX_BYTES = MAX_FRAMES * 16 * 8
"""What the parts of such a file may come to when they are unpacked: sixteen layers of eight bytes each."""


class ArraySource:
    """A TokenSource over an array of codes [T, K], frames first, as training code has them.

    Frames of -1 at the end (the padding of a batch) are left out. Raises CodesError for codes no encoder can make,
    TokenFileError for a length that does not fit them.
    """

    def __init__(
        self, path: Path, codes: AnyIntegers, *, spec: CodecSpec | None = None, num_samples: object = None
    ) -> None:
        self.path, self.spec = path, spec
        self._codes = without_padding(codes, path)
        self._check_range()
        self.num_samples = checked_length(num_samples, self.num_frames, spec, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[NDArray[np.integer[Any]]]:
        for first in range(0, self.num_frames, FRAMES_PER_READ):
            yield self._codes[first : first + FRAMES_PER_READ].T

    @property
    def layers(self) -> int:
        """Layers of each frame."""
        return int(self._codes.shape[1])

    @property
    def num_frames(self) -> int:
        """Frames, padding left out."""
        return int(self._codes.shape[0])

    def _check_range(self) -> None:
        if self.spec is None:
            return  # whoever decodes them knows the codec, and checks
        try:
            complete_codes(self._codes.T[np.newaxis], self.spec, 1)
        except CodesError as error:
            raise CodesError(f"{self.path}: {error}") from error


class ArrayWriter(ABC):
    """Collects the codes of one recording and writes them at its end: about 1.5 MB of memory for an hour."""

    def __init__(self, path: Path | str, spec: CodecSpec, *, layers: int | None = None) -> None:
        self.path, self.spec = Path(path), spec
        self.layers = checked_layers(layers, spec)
        self.frames_written = 0
        self._parts: list[NDArray[np.uint16]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was collected. Safe to call twice."""
        self._parts.clear()

    def write(self, codes: AnyIntegers) -> None:
        """Append frames: codes [K, N], at least `layers` of them real (no -1)."""
        kept = kept_layers(codes, self.layers, self.spec)
        self._parts.append(kept.T.astype(np.uint16))
        self.frames_written += kept.shape[1]
        if self.frames_written > MAX_FRAMES:
            raise OutputFileError(f"{self.path} would hold more than {MAX_FRAMES} frames — write a .vwt file instead")

    def finish(self, num_samples: int) -> None:
        """Write the file. Raises OutputFileError."""
        codes = np.concatenate(self._parts) if self._parts else np.zeros((0, self.layers), dtype=np.uint16)
        self._parts.clear()
        data = self._serialise(codes, num_samples)
        try:
            self.path.write_bytes(data)
        except OSError as error:
            raise OutputFileError(f"Cannot write {self.path}: {error.strerror or error}") from error

    @abstractmethod
    def _serialise(self, codes: NDArray[np.uint16], num_samples: int) -> memoryview:
        """The file that holds `codes` [T, K]."""


def kept_layers(codes: AnyIntegers, layers: int, spec: CodecSpec) -> NDArray[np.int64]:
    """The first `layers` of codes [K, N], all of them real. Raises CodesError."""
    if codes.ndim != 2 or codes.shape[0] < layers:
        raise CodesError(f"A token file of {layers} layers takes codes [K, N], not {list(codes.shape)}")
    kept = complete_codes(codes[np.newaxis, :layers], spec, 1)[0, :layers]
    if (kept < 0).any():
        raise CodesError(f"A token file of {layers} layers has no place for missing ones (-1)")
    return kept


def without_padding(codes: AnyIntegers, path: Path) -> AnyIntegers:
    """Codes [T, K] without the frames of -1 at their end. Raises CodesError: wrong dtype or shape, or nothing left."""
    if codes.dtype.kind not in "iu":
        raise CodesError(f"{path}: codes are integers, not {codes.dtype}")
    if codes.ndim != 2 or codes.shape[1] == 0:
        raise CodesError(f"{path}: audio_codes of a recording are [frames, layers], not {list(codes.shape)}")
    if codes.shape[0] > MAX_FRAMES:
        raise TokenFileError(f"{path} holds {codes.shape[0]} frames, this program reads {MAX_FRAMES}")
    there = np.flatnonzero((codes != MISSING).any(axis=1))
    if there.size == 0:
        raise CodesError(f"{path} holds no frames")
    return codes[: int(there[-1]) + 1]


def check_unpacked_size(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise TokenFileError for an archive that would unpack to more than any token file holds."""
    check_size(sum(entry.file_size for entry in archive.infolist()), path)


def check_size(size: int, path: Path) -> None:
    """Raise TokenFileError for so many bytes in memory that no token file of one piece comes to them."""
    if size > MAX_BYTES:
        raise TokenFileError(f"{path} would unpack to {size / 1e9:.1f} GB, more than a token file may hold")

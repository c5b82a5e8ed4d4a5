"""WAV files written as the sound comes, and readable even if the writer dies."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from codec.errors import FrameSizeError, OutputFileError

HEADER_BYTES = 44
_BYTES_PER_SAMPLE = 2
_FULL_SCALE = 32767
_MAX_DATA_BYTES = 0xFFFFFFFF - HEADER_BYTES
"""The format counts bytes in 32 bits; a longer file keeps this size and readers take what is there."""

HEADER_INTERVAL_S = 1.0
"""The header is brought up to date this often, so that a crash costs readers at most this much sound."""


class WavWriter:
    """Mono PCM16. Use as a context manager; not reusable. For one thread at a time.

    `clipped_samples` counts samples beyond full scale and NaN, which becomes 0. A file that can take no more (a full
    disk) stays a valid one of all that went in; where not even the header did, no file is left.
    """

    def __init__(self, path: Path | str, sample_rate: int) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.clipped_samples = 0
        self._data_bytes = 0
        self._header_at = 0
        try:
            # Unbuffered: a buffer that a full disk refused once is tried again before every later write and seek, so
            # that not even the header could be brought up to date any more.
            self._file = self.path.open("wb", buffering=0)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise self._refusal(error) from error
        try:
            self._is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
            self._write_header()
        except OSError as error:
            self._file.close()
            self.remove()
            raise self._refusal(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def samples_written(self) -> int:
        """What the file holds so far."""
        return self._data_bytes // _BYTES_PER_SAMPLE

    @property
    def duration_s(self) -> float:
        """Seconds of sound written so far."""
        return self.samples_written / self.sample_rate

    def write(self, samples: ArrayLike) -> None:
        """Append float samples [T], ±1 full scale. Raises OutputFileError, for a full disk say."""
        block = np.asarray(samples, dtype=np.float32)
        if block.ndim != 1:
            raise FrameSizeError(f"A mono WAV takes samples [T], not shape {list(block.shape)}")
        fine = np.abs(block) <= 1.0
        if not fine.all():
            self.clipped_samples += int(block.size - np.count_nonzero(fine))
            block = np.clip(np.where(np.isnan(block), np.float32(0), block), -1.0, 1.0)
        try:
            for written in self._write_all(np.rint(block * _FULL_SCALE).astype("<i2").tobytes()):
                self._data_bytes += written
            if self.samples_written - self._header_at >= HEADER_INTERVAL_S * self.sample_rate:
                self._write_header()
        except OSError as error:
            raise self._refusal(error) from error

    def close(self) -> None:
        """Write the final sizes and close. Safe to call twice. Raises OutputFileError; the file is closed even so."""
        if self._file.closed:
            return
        try:
            with self._file:
                self._write_header()
        except OSError as error:
            raise self._refusal(error) from error

    def remove(self) -> None:
        """Take the file away again; a pipe or a device stays."""
        if self._is_regular and not self.path.is_symlink():
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _refusal(self, error: OSError | ValueError) -> OutputFileError:
        return OutputFileError(f"Cannot write {self.path}: {getattr(error, 'strerror', None) or error}")

    def _write_all(self, data: bytes) -> Iterator[int]:
        """Write all of it, and yield how much went in each time: a disk that fills up takes a part of it first."""
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            yield written
            view = view[written:]

    def _write_header(self) -> None:
        data_bytes = min(self.samples_written * _BYTES_PER_SAMPLE, _MAX_DATA_BYTES)
        header = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            data_bytes + HEADER_BYTES - 8,
            b"WAVE",
            b"fmt ",
            16,  # length of this chunk
            1,  # integer PCM
            1,  # channels
            self.sample_rate,
            self.sample_rate * _BYTES_PER_SAMPLE,
            _BYTES_PER_SAMPLE,
            8 * _BYTES_PER_SAMPLE,
            b"data",
            data_bytes,
        )
        if self._is_regular:
            self._file.seek(0)
            sum(self._write_all(header))
            self._file.seek(HEADER_BYTES + self._data_bytes)
        elif self._data_bytes == 0 and self._header_at == 0:
            sum(self._write_all(header))  # a pipe: sizes stay 0, which readers of pipes ignore
        self._header_at = self.samples_written

"""What comes out of a player's pipe, with the time at which it came: that time is when it sounds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.faults.peers.noise import NOISE_RATE

_READ_BYTES: Final = 65536
_JOIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Interleaved s16le at `rate` Hz."""

    rate: int
    channels: int

    @property
    def bytes_per_s(self) -> int:
        """Of all channels."""
        return 2 * self.channels * self.rate


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that came at a time, in seconds."""

    at: float
    data: bytes


class Recorder:
    """Reads a pipe as fast as it is written, in a thread, until its end."""

    def __init__(self, fd: int) -> None:
        """fd: stays open."""
        self._fd = fd
        self._chunks: list[Chunk] = []
        self._sounding_at: float | None = None
        self._thread = threading.Thread(target=self._read, name="recorder", daemon=True)
        self._thread.start()

    @property
    def chunks(self) -> Sequence[Chunk]:
        """So far."""
        return tuple(self._chunks)

    @property
    def sounding_at(self) -> float | None:
        """When the first sample came that is not silence."""
        return self._sounding_at

    def join(self) -> None:
        """Wait for the end, which comes with that of the writer."""
        self._thread.join(_JOIN_S)

    def _read(self) -> None:
        while data := os.read(self._fd, _READ_BYTES):
            now = time.monotonic()
            if self._sounding_at is None and any(data):
                self._sounding_at = now
            self._chunks.append(Chunk(now, data))


def lay_out(chunks: Sequence[Chunk], pcm: PcmFormat) -> tuple[float, NDArray[np.float32]]:
    """When the recording begins, and what sounds from then on, [samples] at NOISE_RATE, silent where nothing came.

    As a sound card plays it: a chunk sounds when it comes, or after the one before where that still sounds.
    """
    if not chunks:
        return 0.0, np.zeros(0, dtype=np.float32)
    frame_bytes = 2 * pcm.channels
    start, ends_at, rest = chunks[0].at, chunks[0].at, b""
    pieces: list[tuple[float, NDArray[np.float32]]] = []
    for chunk in chunks:
        data = rest + chunk.data
        whole = len(data) // frame_bytes * frame_bytes
        rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, pcm.channels).mean(axis=1) / 32768
        begins_at = max(ends_at, chunk.at)
        pieces.append((begins_at, samples.astype(np.float32)))
        ends_at = begins_at + len(samples) / pcm.rate
    sound = np.zeros(int((ends_at - start) * pcm.rate) + 2, dtype=np.float32)
    for begins_at, samples in pieces:
        first = round((begins_at - start) * pcm.rate)
        sound[first : first + len(samples)] = samples[: len(sound) - first]
    step = pcm.rate // NOISE_RATE
    whole_steps = len(sound) // step
    return start, sound[: whole_steps * step].reshape(whole_steps, step).mean(axis=1)

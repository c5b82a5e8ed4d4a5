"""Raw PCM on standard input: whatever can write samples can be a source."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec import Resampler
from gateway.errors import SourceError
from gateway.sources.base import AudioBlock

__all__ = ["PipeSource"]

_POLL_S = 0.2
_BYTES_PER_SAMPLE = 2  # signed 16 bit, little endian


class PipeSource:
    """Signed 16-bit little-endian PCM from a file descriptor, interleaved if there are several channels.

    fd: where to read, 0 for standard input; it stays open.
    rate, channels: what the writer sends. Channels are averaged.
    live: True where the writer keeps time itself (arecord), so that nothing is paced here and no lag can grow.

    Entering raises SourceError (exit 66) where `fd` is a terminal; `blocks` does where not one sample came.
    """

    overflows = 0

    def __init__(
        self,
        fd: int = 0,
        *,
        rate: int,
        channels: int,
        sample_rate: int,
        live: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self._fd = fd
        self._rate = rate
        self._channels = channels
        self._resampler = None if rate == sample_rate else Resampler(rate, sample_rate)
        self._clock = clock

    @property
    def description(self) -> str:
        return f"standard input, {self._rate} Hz, {self._channels} channel{'s' if self._channels > 1 else ''}"

    @property
    def counters(self) -> Mapping[str, int]:
        """Nothing besides the overflows."""
        return {}

    def __enter__(self) -> Self:
        if os.isatty(self._fd):
            raise SourceError(
                "Standard input is a terminal, expected raw 16-bit PCM. Pipe some in: "
                "ffmpeg -i talk.mp3 -f s16le -ar 16000 -ac 1 - | gateway run --source - --rate 16000"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. A sample cut off by the end of the input is left out."""
        stride = _BYTES_PER_SAMPLE * self._channels
        pending = b""
        got_any = False
        while not stop.is_set():
            if not select.select([self._fd], [], [], _POLL_S)[0]:
                continue
            data = os.read(self._fd, 64 * stride * 32)
            if not data:
                break
            pending += data
            whole = len(pending) // stride * stride
            if whole:
                got_any = True
                yield self._block(np.frombuffer(pending[:whole], dtype="<i2"))
                pending = pending[whole:]
        if stop.is_set():
            return
        if not got_any:
            raise SourceError(
                "No audio came on standard input: expected raw 16-bit PCM. Does the left side of the pipe run?"
            )
        if self._resampler is not None:
            yield AudioBlock(self._resampler.flush())

    def _block(self, interleaved: NDArray[np.int16]) -> AudioBlock:
        mono = interleaved.reshape(-1, self._channels).astype(np.float32).mean(axis=1) / np.float32(32768)
        captured_at = self._clock() - len(mono) / self._rate if self.live else None
        samples = mono.astype(np.float32)
        return AudioBlock(samples if self._resampler is None else self._resampler.process(samples), captured_at)

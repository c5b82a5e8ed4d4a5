"""Raw PCM on standard input: whatever can write samples can be a source."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from codec import Resampler
from codec.checks import clean_samples
from gateway.errors import SourceError
from gateway.sources.base import AudioBlock

__all__ = ["PipeSource", "SampleFormat", "pcm_to_float"]

logger = logging.getLogger(__name__)

SampleFormat = Literal["s16le", "s24le", "s32le", "f32le"]

_POLL_S = 0.2
_BLOCK_FRAMES = 2048
_BYTES: dict[SampleFormat, int] = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}
_MAX_STALE_S = 5.0
_MAX_AHEAD_S = 1.0
_FAST = 1.01  # a sound card whose clock is fast is no writer without pace
_PAUSE_S = 1.0  # so long without a sample, and the writer lost some; less is the size of its buffer
_HEADERS = {b"RIFF": "a WAV file", b"fLaC": "a FLAC file", b"OggS": "an Ogg file", b"ID3\x03": "an MP3 file"}
_NOTHING = AudioBlock(np.zeros(0, dtype=np.float32))


class PipeSource:
    """Little-endian PCM from a file descriptor, interleaved if there are several channels.

    fd: where to read, 0 for standard input; it stays open.
    rate, channels, sample_format: what the writer sends. Channels are averaged.
    live: True where the writer keeps time itself (arecord): what it wrote before anybody listened is thrown away, and
    nothing is paced here, so that no lag can grow. A writer that is faster than real time all the same is made to
    wait, and told of.

    Entering raises SourceError (exit 66) where `fd` is a terminal; `blocks` does where not one sample came, or a file
    with a header.
    """

    overflows = 0

    def __init__(
        self,
        fd: int = 0,
        *,
        rate: int,
        channels: int,
        sample_rate: int,
        sample_format: SampleFormat = "s16le",
        live: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self._fd = fd
        self._rate = rate
        self._channels = channels
        self._format = sample_format
        self._sample_rate = sample_rate
        self._stride = _BYTES[sample_format] * channels
        self._resampler = None if rate == sample_rate else Resampler(rate, sample_rate)
        self._clock = clock
        self._stale_bytes = 0
        self._nonfinite = 0
        self._warned = False
        self._ended_at: float | None = None
        self._ahead_s = 0.0

    @property
    def description(self) -> str:
        channels = f"{self._channels} channel{'s' if self._channels > 1 else ''}"
        return f"standard input, {self._format}, {self._rate} Hz, {channels}"

    @property
    def counters(self) -> Mapping[str, int]:
        """NaN, infinite or absurd samples, and live sound from before the start that was thrown away."""
        stale_ms = self._stale_bytes * 1000 // (self._stride * self._rate)
        return {"input_nonfinite_samples": self._nonfinite, "input_stale_ms": stale_ms}

    def __enter__(self) -> Self:
        if os.isatty(self._fd):
            raise SourceError(
                "Standard input is a terminal, expected raw PCM. Pipe some in: "
                "ffmpeg -i talk.mp3 -f s16le -ar 16000 -ac 1 - | gateway run --source - --rate 16000"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. A sample cut off by the end of the input is left out."""
        pending = self._discard_stale() if self.live else b""
        got_any = False
        while not stop.is_set():
            if not select.select([self._fd], [], [], _POLL_S)[0]:
                yield _NOTHING
                continue
            data = os.read(self._fd, _BLOCK_FRAMES * self._stride)
            if not data:
                break
            pending += data
            whole = len(pending) // self._stride * self._stride
            if not whole:
                continue
            if not got_any:
                _check_raw(pending)
                got_any = True
            yield self._block(pending[:whole])
            pending = pending[whole:]
            if self.live:
                self._hold_back(stop)
        if stop.is_set():
            return
        if not got_any and not self._stale_bytes:
            raise SourceError("No audio came on standard input: expected raw PCM. Does the left side of the pipe run?")
        if self._resampler is not None:
            yield AudioBlock(self._resampler.flush())

    def _discard_stale(self) -> bytes:
        """Read away what waits in the pipe: it is as old as our start took. Returns the rest of a cut sample."""
        limit = int(_MAX_STALE_S * self._rate) * self._stride  # of a writer that never pauses no more is read away
        tail = b""
        while self._stale_bytes < limit and select.select([self._fd], [], [], 0.0)[0]:
            data = os.read(self._fd, limit)
            if not data:
                break
            self._stale_bytes += len(data)
            tail = (tail + data)[-self._stride :]
        rest = self._stale_bytes % self._stride
        return tail[len(tail) - rest :]

    def _hold_back(self, stop: threading.Event) -> None:
        if self._ahead_s <= _MAX_AHEAD_S:
            return
        if not self._warned:
            self._warned = True
            logger.warning("standard input comes faster than real time: it is not live, leave out --live")
        stop.wait(self._ahead_s - _MAX_AHEAD_S)

    def _block(self, data: bytes) -> AudioBlock:
        samples, replaced = clean_samples(pcm_to_float(data, self._format).reshape(-1, self._channels))
        self._nonfinite += replaced
        mono = samples.mean(axis=1, dtype=np.float32)
        resampled = mono if self._resampler is None else self._resampler.process(mono)
        if not self.live:
            return AudioBlock(resampled)
        now, duration_s = self._clock(), len(mono) / self._rate
        passed_s = duration_s if self._ended_at is None else now - self._ended_at
        self._ended_at = now
        self._ahead_s = max(0.0, self._ahead_s + duration_s - passed_s * _FAST)
        lost_s = passed_s - duration_s
        lost_samples = round(lost_s * self._sample_rate) if lost_s > _PAUSE_S else 0
        return AudioBlock(resampled, now - duration_s, lost_samples)


def pcm_to_float(data: bytes, sample_format: SampleFormat) -> NDArray[np.float32]:
    """Whole samples as float32, full scale at ±1."""
    if sample_format == "f32le":
        return np.frombuffer(data, dtype="<f4").astype(np.float32)
    if sample_format == "s24le":
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)  # the upper three bytes of 32: sign included
        return (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
    if sample_format == "s32le":
        return (np.frombuffer(data, dtype="<i4") / 2.0**31).astype(np.float32)
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)


def _check_raw(start: bytes) -> None:
    kind = _HEADERS.get(start[:4])
    if kind is not None:
        raise SourceError(
            f"Standard input carries {kind}, expected raw PCM without a header. Give it as --source FILE, or through "
            "ffmpeg -i - -f s16le -ar 16000 -ac 1 -"
        )

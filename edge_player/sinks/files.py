"""A WAV file, standard output, or nowhere: paced in real time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from codec.audio.wav import WavWriter
from codec.errors import OutputFileError
from edge_player.errors import SinkError
from edge_player.sinks.paced import PacedSink

MAX_SILENCE_S = 10.0
"""A pause is written with its true length up to this: a file must not grow while a stream is away."""

_FULL_SCALE = 32767


class NullSink(PacedSink):
    """Takes the sound in real time and throws it away: for measuring."""

    @property
    def description(self) -> str:
        """For people."""
        return "nowhere"


class WavSink(PacedSink):
    """PCM16 at the codec's rate. Starts with the first sound, keeps pauses up to 10 s, ends with the last sound.

    The file is made at once, so that a wrong path is known at once, and taken away again if no sound came.
    """

    def __init__(self, path: Path, sample_rate: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(sample_rate, clock=clock)
        self._path = path
        self._writer: WavWriter | None = None
        self._pause = 0

    @property
    def description(self) -> str:
        """For people."""
        return str(self._path)

    def open(self) -> None:
        """Create the file. Raises SinkError."""
        try:
            self._writer = WavWriter(self._path, self.sample_rate)
        except OutputFileError as error:
            raise _as_sink_error(error) from error

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append, after the pause before it."""
        assert self._writer is not None
        try:
            if self._pause and self._writer.samples_written:
                self._writer.write(np.zeros(min(self._pause, self._longest_pause), dtype=np.float32))
            self._writer.write(samples)
        except OutputFileError as error:
            raise _as_sink_error(error) from error
        self._pause = 0

    def idle(self, samples: int) -> None:
        """Remember the pause; it is written when sound follows, not at the end of the file."""
        self._pause = min(self._pause + samples, self._longest_pause)

    def close(self) -> None:
        """Write the final header. What goes wrong is in `failure`: the rest of the player is still to be stopped."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        except OutputFileError as error:
            self._failure = self._failure or _as_sink_error(error)
        if writer.samples_written == 0:
            writer.remove()

    @property
    def _longest_pause(self) -> int:
        return round(MAX_SILENCE_S * self.sample_rate)


def _as_sink_error(error: OutputFileError) -> SinkError:
    return SinkError(f"{error}; make room there or choose another file with --out")


class PipeSink(PacedSink):
    """Mono s16le at the codec's rate on standard output, silence included: what `aplay -f S16_LE` expects."""

    waits_for_reader = True

    def __init__(
        self, sample_rate: int, *, stream: BinaryIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(sample_rate, clock=clock)
        self._stream = sys.stdout.buffer if stream is None else stream

    @property
    def description(self) -> str:
        """For people."""
        return f"standard output (s16le, mono, {self.sample_rate} Hz)"

    def write(self, samples: NDArray[np.float32]) -> None:
        """Convert and hand on; waits while the reader is slow."""
        self._send(np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype("<i2").tobytes())

    def idle(self, samples: int) -> None:
        """Silence: the reader's clock goes on."""
        self._send(bytes(2 * samples))

    def _send(self, data: bytes) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except (BrokenPipeError, ValueError) as error:
            raise SinkError("The reader of our standard output has gone: nothing is left to play to") from error
        except OSError as error:
            raise SinkError(f"Cannot write to standard output: {error.strerror or error}") from error

"""Sample rate conversion that knows when what comes out was recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codec import Resampler
from gateway.sources.base import AudioBlock

__all__ = ["TimedResampler"]


class TimedResampler:
    """Mono float32 with capture times, from the card's rate to the codec's.

    soxr works in portions and holds back 5 to 40 ms (more below 16 kHz), so the first sample that comes out is older
    than the first of the block that brought it out: its time is counted back by what is held. For one thread at a time.
    """

    def __init__(self, in_rate: int, out_rate: int) -> None:
        self.in_rate = in_rate
        self.out_rate = out_rate
        self._resampler = Resampler(in_rate, out_rate)
        self._taken = 0  # samples at in_rate since the last flush
        self._given = 0  # samples at out_rate since then
        self._end_at = 0.0  # capture time of the sample after the last one taken

    def process(self, samples: NDArray[np.float32], captured_at: float) -> AudioBlock:
        """A block `[T]` whose first sample was recorded at `captured_at`, seconds; what is ready, perhaps nothing."""
        held_s = self._held_s
        out = self._resampler.process(samples)
        self._taken += len(samples)
        self._given += len(out)
        self._end_at = captured_at + len(samples) / self.in_rate
        return AudioBlock(out, captured_at - held_s)

    def flush(self) -> AudioBlock:
        """The tail. What comes next does not follow what came before."""
        held_s = self._held_s
        out = self._resampler.flush()
        self._taken = self._given = 0
        return AudioBlock(out, self._end_at - held_s)

    @property
    def _held_s(self) -> float:
        return self._taken / self.in_rate - self._given / self.out_rate

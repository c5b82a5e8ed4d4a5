"""Stands for a sound card: `write` waits until there is room, as `sounddevice.OutputStream.write` does."""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray


class Card:
    """Mono at `rate` Hz on standard output, in real time; it holds 0.1 s."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._ends_at = 0.0

    def write(self, samples: NDArray[np.float32]) -> None:
        """Full scale at ±1."""
        sys.stdout.buffer.write(np.rint(32767 * np.clip(samples, -1, 1)).astype("<i2").tobytes())
        sys.stdout.buffer.flush()
        self._ends_at = max(self._ends_at, time.monotonic()) + samples.size / self._rate
        time.sleep(max(0.0, self._ends_at - 0.1 - time.monotonic()))

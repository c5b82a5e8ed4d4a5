"""Keeps peaks below full scale by turning the sound down for a moment, instead of cutting them off."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["CEILING", "LOOK_AHEAD_MS", "Limiter"]

CEILING = 10.0 ** (-1.0 / 20.0)
"""Peaks stay at or below -1 dBFS: what a codec rebuilds overshoots its input a little."""
LOOK_AHEAD_MS = 5
"""How long before a peak the gain begins to fall; so much sound is held back."""
_RELEASE_MS = 80.0  # time constant of the way back: quicker is heard as pumping, slower swallows the next word
_AT_REST = 0.9999


class Limiter:
    """Mono float32, blocks of any length in; the same samples out, 5 to 6 ms later, never above CEILING.

    The gain is worked out once a millisecond: the smallest that the next 5 ms need, averaged over 5 ms, so that it
    moves in a straight line and has arrived when the peak comes. Quiet sound passes unchanged, bit for bit. For one
    thread at a time.
    """

    def __init__(self, sample_rate: int) -> None:
        self._step = max(1, sample_rate // 1000)
        self._ramp = (np.arange(self._step, dtype=np.float32) + 1) / np.float32(self._step)
        self.limited_ms = 0
        self.clear()

    @property
    def held(self) -> int:
        """Samples taken and not yet returned."""
        return len(self._samples)

    def clear(self) -> None:
        """Forget the past, and the samples held back."""
        self._samples = np.zeros(0, dtype=np.float32)
        self._needed: list[float] = []  # the gain that each whole millisecond of them needs
        self._released = 1.0
        self._recent = deque([1.0] * LOOK_AHEAD_MS, maxlen=LOOK_AHEAD_MS)
        self._gain = 1.0

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a block `[T]` of finite samples, return what is ready, perhaps nothing."""
        self._samples = np.concatenate([self._samples, samples])
        whole = len(self._samples) // self._step
        fresh = self._samples[len(self._needed) * self._step : whole * self._step].reshape(-1, self._step)
        self._needed.extend(_needed_gain(float(peak)) for peak in np.abs(fresh).max(axis=1, initial=0.0))
        return self._release(max(0, len(self._needed) - LOOK_AHEAD_MS))

    def flush(self) -> NDArray[np.float32]:
        """The rest. The limiter is as new afterwards."""
        held = self.held
        padding = -held % self._step + LOOK_AHEAD_MS * self._step
        rest = self.process(np.zeros(padding, dtype=np.float32))[:held]
        self.clear()
        return rest

    def _release(self, steps: int) -> NDArray[np.float32]:
        """Give out so many milliseconds; each has its look-ahead in `_needed`."""
        ready, self._samples = self._samples[: steps * self._step], self._samples[steps * self._step :]
        needed, self._needed = self._needed, self._needed[steps:]
        if self._gain == 1.0 and self._released == 1.0 and min(needed, default=1.0) == 1.0:
            return ready
        gains = [self._gain]
        for index in range(steps):
            self._gain = self._next_gain(min(needed[index : index + LOOK_AHEAD_MS + 1]))
            gains.append(self._gain)
            self.limited_ms += self._gain < 1.0
        edges = np.array(gains, dtype=np.float32)
        ramps = edges[:-1, np.newaxis] + np.diff(edges)[:, np.newaxis] * self._ramp
        # Rounding to float32 may pass the ceiling by one bit; the clip costs nothing and makes it a promise.
        limited: NDArray[np.float32] = np.clip(ready * ramps.reshape(-1), -CEILING, CEILING, dtype=np.float32)
        return limited

    def _next_gain(self, needed: float) -> float:
        """The gain at the end of the next millisecond."""
        back = self._released + (1.0 - self._released) / _RELEASE_MS
        self._released = min(needed, 1.0 if back > _AT_REST else back)
        self._recent.append(self._released)
        return sum(self._recent) / LOOK_AHEAD_MS


def _needed_gain(peak: float) -> float:
    return 1.0 if peak <= CEILING else CEILING / peak

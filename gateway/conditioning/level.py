"""How loud it is: dBFS, where a full-scale square wave has 0 dB of RMS and 0 dB of peak."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SILENCE_DBFS", "Level", "LevelTracker", "to_dbfs"]

SILENCE_DBFS = -120.0
"""Stands for digital silence, whose true level is minus infinity."""


def to_dbfs(amplitude: float) -> float:
    """Amplitude, 1.0 at full scale, in dBFS; SILENCE_DBFS for nothing, and for what is no number."""
    return max(SILENCE_DBFS, 20.0 * math.log10(amplitude)) if amplitude > 0.0 else SILENCE_DBFS


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a stretch of sound was. samples: how long; 0 where none came, then both levels are SILENCE_DBFS."""

    rms_dbfs: float
    peak_dbfs: float
    samples: int
    clipped: bool = False


class LevelTracker:
    """Adds up what passes; whoever draws it takes what came since the last time.

    `add` runs on the encoder worker's thread, `take` on the meter's; both hold the lock for a few additions only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._energy = 0.0
        self._peak = 0.0
        self._samples = 0
        self._clipped = False
        self._highest = 0.0

    @property
    def highest_dbfs(self) -> float:
        """The highest peak since the start."""
        return to_dbfs(self._highest)

    def add(self, samples: NDArray[np.float32], *, clipped: bool = False) -> None:
        """Sound that passed, float32 `[samples]`. clipped: it was cut off before it came here."""
        energy = float(np.dot(samples, samples))
        peak = float(np.abs(samples).max(initial=0.0))
        if not math.isfinite(energy):  # NaN and infinities are the encoder's business, not the meter's
            energy = peak = 0.0
        with self._lock:
            self._energy += energy
            self._peak = max(self._peak, peak)
            self._highest = max(self._highest, peak)
            self._samples += len(samples)
            self._clipped |= clipped

    def take(self) -> Level:
        """What came since the last call."""
        with self._lock:
            energy, peak, samples, clipped = self._energy, self._peak, self._samples, self._clipped
            self._energy, self._peak, self._samples, self._clipped = 0.0, 0.0, 0, False
        rms = math.sqrt(energy / samples) if samples else 0.0
        return Level(to_dbfs(rms), to_dbfs(peak), samples, clipped)

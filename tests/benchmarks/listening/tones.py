"""Tones in place of speech: told apart by their pitch, whatever was done to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.listening.album import ORIGINAL

RATE = 16000
PITCHES = {ORIGINAL: 300.0, "fine": 600.0, "plain": 900.0, "rough": 1200.0}
CLIPS = ("one", "three", "two")


def tone(pitch: float, *, peak: float = 0.2, seconds: float = 1.0, rate: int = RATE) -> NDArray[np.float32]:
    """A sine [T]."""
    return (peak * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def pitch_of(samples: NDArray[np.float32]) -> float:
    """Of the strongest partial, in Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / samples.size)

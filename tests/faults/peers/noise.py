"""The sound that all of them carry: noise that never repeats, so that a piece of a recording tells where it came from.

It lies below 60 Hz because the toy codec keeps the mean of every 5 ms. Opus at a low rate carries it as well.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

NOISE_RATE: Final = 400
"""Hz at which positions are looked for: one step is 2.5 ms."""

NOISE_S: Final = 180.0
"""Length of the source: longer than any row takes."""

_SEED: Final = 20
_HIGHEST_HZ: Final = 60.0
_LEVEL: Final = 0.2
_PEAK: Final = 0.8
_EVEN: Final = 48  # samples, 120 ms
_TURNS: Final = 4


@functools.cache
def make_noise() -> NDArray[np.float32]:
    """The whole source at NOISE_RATE, [samples]; the same every time."""
    sound = _cut_high(np.random.default_rng(_SEED).standard_normal(round(NOISE_S * NOISE_RATE)))
    # Evenly loud: a codec's own noise must not drown a piece that happens to be faint.
    for _ in range(_TURNS):
        power = np.convolve(sound**2, np.hanning(_EVEN) / np.hanning(_EVEN).sum(), mode="same")
        sound = _cut_high(sound / np.sqrt(power + 1e-3))
    level: NDArray[np.float64] = np.clip(_LEVEL * sound / sound.std(), -_PEAK, _PEAK)
    return level.astype(np.float32)


def _cut_high(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / NOISE_RATE) > _HIGHEST_HZ] = 0.0
    return np.fft.irfft(spectrum, len(sound))


def noise_pcm(rate: int, channels: int) -> bytes:
    """The source as interleaved s16le at `rate`, equal in all channels."""
    mono = np.clip(soxr.resample(make_noise(), NOISE_RATE, rate), -1.0, 1.0)
    return np.repeat(np.rint(32767 * mono).astype("<i2"), channels).tobytes()

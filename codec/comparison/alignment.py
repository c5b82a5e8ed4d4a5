"""Where a rebuilt recording lies against its original: found by loudness first, then by the waveform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCORE_RATE_HZ", "Alignment", "align"]

SCORE_RATE_HZ = 16000
"""Both recordings are brought to it. Measures of speech look no higher."""

_STEP = SCORE_RATE_HZ // 1000  # samples in a millisecond
_NEAR = 20 * _STEP
_WAVEFORMS_AGREE = 0.3
_STRETCH = 60 * SCORE_RATE_HZ  # what the waveforms are compared on: an hour of them would take gigabytes


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Two signals cut to where they overlap. delay: samples by which the degraded one came later."""

    reference: NDArray[np.float32]
    degraded: NDArray[np.float32]
    delay: int


def align(reference: NDArray[np.float32], degraded: NDArray[np.float32]) -> Alignment:
    """Find the delay by cross-correlation and cut both `[samples]`, at SCORE_RATE_HZ, to their common part.

    First the loudness over time, to 1 ms: a neural codec keeps that, not the phase, so the waveforms alone may agree
    best a syllable away. Then the waveforms within 20 ms of there, where they agree at all. Silence is not shifted.
    """
    coarse = _best_lag(_loudness(reference), _loudness(degraded), around=None)[0] * _STEP
    one, other = _overlap(reference, degraded, coarse)
    loudest = _loudest_stretch(one)
    fine, agreement = _best_lag(one[loudest], other[loudest], around=0)
    delay = coarse + fine if agreement > _WAVEFORMS_AGREE else coarse
    return Alignment(*_overlap(reference, degraded, delay), delay)


def _overlap(
    reference: NDArray[np.float32], degraded: NDArray[np.float32], delay: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    late, early = max(delay, 0), max(-delay, 0)
    overlap = max(0, min(len(degraded) - late, len(reference) - early))
    return reference[early : early + overlap], degraded[late : late + overlap]


def _loudest_stretch(samples: NDArray[np.float32]) -> slice:
    """The minute with the most sound in it; everything where it is shorter."""
    if len(samples) <= _STRETCH:
        return slice(0, len(samples))
    seconds = len(samples) // SCORE_RATE_HZ
    power = np.square(samples[: seconds * SCORE_RATE_HZ].reshape(seconds, -1)).sum(axis=1, dtype=np.float64)
    sums = np.convolve(power, np.ones(_STRETCH // SCORE_RATE_HZ), mode="valid")
    start = int(np.argmax(sums)) * SCORE_RATE_HZ
    return slice(start, start + _STRETCH)


def _loudness(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean magnitude of every millisecond, smoothed over 10, less its mean."""
    steps = np.abs(samples[: len(samples) // _STEP * _STEP]).reshape(-1, _STEP).mean(axis=1)
    if not len(steps):
        return np.zeros(1, dtype=np.float32)
    smooth = np.convolve(steps, np.hanning(12)[1:-1], mode="same")
    return np.asarray(smooth - smooth.mean(), dtype=np.float32)


def _best_lag(
    reference: NDArray[np.float32], degraded: NDArray[np.float32], *, around: int | None
) -> tuple[int, float]:
    """The lag of the highest correlation, within 20 ms of `around` samples or anywhere, and how high it is, 0 to 1."""
    length = 1 << max(1, len(reference) + len(degraded) - 1).bit_length()
    spectrum = np.fft.rfft(degraded, length) * np.conj(np.fft.rfft(reference, length))
    correlation = np.fft.irfft(spectrum, length)
    energy = float(np.linalg.norm(reference) * np.linalg.norm(degraded))
    if energy == 0.0:
        return around or 0, 0.0
    lags = np.arange(-len(reference) + 1, len(degraded)) if around is None else around + np.arange(-_NEAR, _NEAR + 1)
    values = correlation[lags % length]  # circular: negative lags stand at the end
    best = int(np.argmax(values))
    return int(lags[best]), float(values[best]) / energy

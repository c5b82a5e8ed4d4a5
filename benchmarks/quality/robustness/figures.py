"""What is measured of a sound: levels, what repeats with the frames, the spectrum in bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.robustness.line import RATE_HZ, Samples

FLOOR_DBFS = -120.0
"""Less than this is said to be this: digital silence has no decibels."""

_SURROUNDINGS = 128
"""Samples on either side that a jump is held against: 8 ms, the time in which one sound covers another."""
_LOUDEST_JUMP = 6.0
"""Times the jumps around it. More counts as this, so that one pulse of a deep voice does not decide for its offset."""
_VOICED = 0.6  # autocorrelation at a lag of one period, of 1
_BANDS = 24
_BAND_LOW_HZ = 100.0


def level_dbfs(samples: Samples) -> float:
    """Root mean square; 0 is that of a square wave at full scale."""
    return _decibels(float(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else FLOOR_DBFS


def peak_dbfs(samples: Samples) -> float:
    """The largest sample."""
    return _decibels(float(np.abs(samples).max()) ** 2) if samples.size else FLOOR_DBFS


def loudest_dbfs(samples: Samples, window_s: float = 0.01) -> float:
    """Level of the loudest window."""
    size = round(window_s * RATE_HZ)
    windows = samples[: samples.size // size * size].reshape(-1, size)
    return float(np.max([level_dbfs(window) for window in windows] or [level_dbfs(samples)]))


def frame_rhythm(samples: Samples, frame_size: int, *, width: int = 1) -> float:
    """How much one place in the frame stands out from the others: 1 where all frames are sewn together unheard.

    Every jump from sample to sample, low frequencies taken out, is divided by the jumps around it; the mean over all
    frames is taken for each offset in a frame; the result is the highest over the median. A click at every boundary
    stands out wherever the codec's delay has put the boundary, and so does a noise that is the same in each frame.
    width: samples that stand out together: 1 for a click of one sample, 16 for a millisecond. It falls to 1 with the
    length of the sound: speech of 10 s has 1.3, of 40 s 1.15.
    """
    jumps = np.minimum(_relative_jumps(samples), _LOUDEST_JUMP)
    frames = jumps.size // frame_size
    if frames < 2:
        raise ValueError(f"{samples.size} samples are not three frames of {frame_size}")
    profile = np.sqrt(np.square(jumps[: frames * frame_size]).reshape(frames, frame_size).mean(axis=0))
    around = np.concatenate([profile, profile[: width - 1]])  # the frame's end is the next one's beginning
    smooth = np.sqrt(np.convolve(np.square(around), np.full(width, 1 / width), mode="valid"))
    return float(smooth.max() / np.median(smooth))


def band_difference_db(one: Samples, other: Samples) -> float:
    """Mean difference of the levels in bands of a third of an octave or so, of two sounds equally long."""
    first, second = _band_levels(one), _band_levels(other)
    heard = first > first.max() - 50
    return float(np.abs(first - second)[heard].mean())


def pitch_hz(speech: Samples) -> float | None:
    """Median pitch of the voiced parts, 60 to 500 Hz; None where there are none. Good enough to tell voices apart."""
    size, hop = round(0.05 * RATE_HZ), round(0.02 * RATE_HZ)
    shortest, longest = round(RATE_HZ / 500), round(RATE_HZ / 60)
    if speech.size < size:
        return None
    pieces = np.lib.stride_tricks.sliding_window_view(speech.astype(np.float64), size)[::hop] * np.hanning(size)
    pieces = pieces[np.square(pieces).sum(axis=1) > 0.1 * np.square(pieces).sum(axis=1).mean()]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(pieces, 2 * size, axis=1)) ** 2, axis=1)[:, : longest + 1]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2)[: longest + 1]
    # A window's own correlation falls with the lag: divided out, or every voice would be found an octave too high.
    correlation = correlation / np.maximum(correlation[:, :1], 1e-12) * (window[0] / window)
    lags = correlation[:, shortest:longest]
    is_peak = (lags >= correlation[:, shortest - 1 : longest - 1]) & (lags >= correlation[:, shortest + 1 :])
    highest = lags.max(axis=1, keepdims=True)
    # The first peak nearly as high as the highest: later ones are its multiples.
    good = is_peak & (lags > 0.9 * highest) & (highest > _VOICED)
    voiced = good.any(axis=1)
    return float(np.median(RATE_HZ / (shortest + good[voiced].argmax(axis=1)))) if voiced.any() else None


def _relative_jumps(samples: Samples) -> NDArray[np.float64]:
    """Magnitude of the third difference [T - 3], a high-pass of 18 dB an octave, over its root mean square around."""
    jumps = np.abs(np.diff(samples.astype(np.float64), n=3))
    sums = np.concatenate([[0.0], np.cumsum(np.square(jumps))])
    places = np.arange(jumps.size)
    first = np.maximum(places - _SURROUNDINGS, 0)
    last = np.minimum(places + _SURROUNDINGS + 1, jumps.size)
    around = np.sqrt(np.maximum(sums[last] - sums[first], 0) / (last - first))
    relative: NDArray[np.float64] = jumps / (around + 1e-4)  # what is below -80 dBFS is not heard, whatever it does
    return relative


def _band_levels(samples: Samples) -> NDArray[np.float64]:
    power = np.square(np.abs(np.fft.rfft(samples * np.hanning(samples.size))))
    hertz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    edges = np.geomspace(_BAND_LOW_HZ, RATE_HZ / 2, _BANDS + 1)
    sums, _ = np.histogram(hertz, bins=edges, weights=power)
    levels: NDArray[np.float64] = 10 * np.log10(sums + 1e-9)
    return levels


def _decibels(power: float) -> float:
    # numpy's maximum, not Python's: what is no number stays none.
    return float(np.maximum(FLOOR_DBFS, 10 * np.log10(np.maximum(power, 1e-30))))

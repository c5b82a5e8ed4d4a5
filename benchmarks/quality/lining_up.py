"""Where a rebuilt recording lies against its original, for codecs that keep the sound and not the wave.

`codec.comparison.align` goes by loudness alone, anywhere in a recording; that is good to some milliseconds, and PESQ
of a vocoder then moves by 0.05. Here the search is near, and goes by the loudness in twelve bands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.contenders import RATE_HZ, Samples

FARTHEST_S = 0.12
"""No codec here is later, or by its padding earlier, than that."""

_WINDOW = 256
_HOP = 32
_BANDS = 12
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 3800.0  # where Codec2 speaks too
_QUIET = 1e-5  # power below which a band counts as silent
_NEAR_S = 0.005
_WAVEFORMS_AGREE = 0.35

Bands = NDArray[np.float64]


def line_up(recording: Samples, rebuilt: Samples) -> Samples:
    """`rebuilt` [T'] moved, cut and filled up with zeros to lie on `recording` [T], at its length and with its power.

    Every codec is thus scored on the whole recording, and none for its loudness.
    """
    moved = shifted(rebuilt, find_delay(recording, rebuilt), recording.size)
    power = float(np.square(moved, dtype=np.float64).mean())
    if power == 0.0:
        return moved
    wanted = float(np.square(recording, dtype=np.float64).mean())
    return np.asarray(moved * np.sqrt(wanted / power), dtype=np.float32)


def find_delay(recording: Samples, rebuilt: Samples) -> int:
    """Samples by which `rebuilt` is later, at most FARTHEST_S either way: by the bands first, to 2 ms, and then, where
    the waves agree at all, to the sample."""
    farthest = round(FARTHEST_S * RATE_HZ)
    steps, _ = _best_lag(_bands(recording), _bands(shifted(rebuilt, 0, recording.size)), farthest // _HOP)
    delay = steps * _HOP
    fine, correlation = _best_lag(
        recording[:, np.newaxis].astype(np.float64),
        shifted(rebuilt, delay, recording.size)[:, np.newaxis].astype(np.float64),
        round(_NEAR_S * RATE_HZ),
    )
    return delay + fine if correlation > _WAVEFORMS_AGREE else delay


def shifted(samples: Samples, delay: int, length: int) -> Samples:
    """`samples` [T] earlier by `delay` (later where it is negative), cut or filled up with zeros to `length`."""
    moved = samples[delay:] if delay >= 0 else np.pad(samples, (-delay, 0))
    return np.pad(moved[:length], (0, max(0, length - moved.size)))


def _bands(samples: Samples) -> Bands:
    """Log power [steps, bands] every 2 ms in windows of 16 ms, bands of equal width in mel, each less its mean."""
    padded = np.pad(samples, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), axis=1)) ** 2
    edges = _from_mel(np.linspace(_to_mel(_LOWEST_HZ), _to_mel(_HIGHEST_HZ), _BANDS + 2))
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    triangles = np.array([np.interp(frequencies, edges[band : band + 3], (0.0, 1.0, 0.0)) for band in range(_BANDS)])
    levels = np.log(power @ (triangles / triangles.sum(axis=1, keepdims=True)).T + _QUIET)
    return np.asarray(levels - levels.mean(axis=0))


def _to_mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def _best_lag(one: Bands, other: Bands, farthest: int) -> tuple[int, float]:
    """The lag of `other` [T', C] behind `one` [T, C] at which their product is highest, and the correlation there."""
    length = 1 << (one.shape[0] + other.shape[0]).bit_length()
    spectra = np.fft.rfft(other, length, axis=0) * np.conj(np.fft.rfft(one, length, axis=0))
    products = np.fft.irfft(spectra.sum(axis=1), length)
    lags = np.arange(-farthest, farthest + 1)
    best = int(np.argmax(products[lags]))  # negative lags stand at the end of it
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return int(lags[best]), float(products[lags[best]]) / size if size else 0.0

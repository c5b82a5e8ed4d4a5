"""How far a decoded file is from its original: delay, signal-to-noise ratios, STOI."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.audio.reader import read_audio
from codec.errors import AudioFileError

COMPARE_RATE = 16000
"""Hz; both files are brought to it. Speech measures look no higher."""

MAX_DELAY_S = 2.0
"""The delay is searched within ± this."""

_DELAY_WINDOW_S = 60
"""Seconds from the start that the search looks at."""

_MIN_STOI_S = 1.0
_SILENCE_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class Comparison:
    """Measures of a degraded file against its reference.

    `delay_ms` how much the degraded one lags; `snr_db` after lining up; `si_sdr_db` also with the best gain; both say
    little about a neural codec, which rebuilds the sound rather than the wave. `stoi` 0 … 1, intelligibility, or None
    where pystoi is not installed or there is too little sound. `seconds` of sound compared.
    """

    delay_ms: float
    snr_db: float | None
    si_sdr_db: float | None
    stoi: float | None
    seconds: float
    reference_rms: float
    degraded_rms: float


def compare_files(reference: Path, degraded: Path) -> Comparison:
    """Compare two audio files of any kind. Raises AudioFileError."""
    first = read_audio(reference, COMPARE_RATE)
    second = read_audio(degraded, COMPARE_RATE)
    delay = find_delay(first, second)
    one = first[-delay:] if delay < 0 else first
    other = second[delay:] if delay > 0 else second
    length = min(one.size, other.size)
    if length == 0:
        raise AudioFileError(f"{degraded} is too short to be compared", path=degraded, reason="empty")
    return _compare_aligned(one[:length].astype(np.float64), other[:length].astype(np.float64), delay)


def _compare_aligned(one: NDArray[np.float64], other: NDArray[np.float64], delay: int) -> Comparison:
    return Comparison(
        delay_ms=round(1000 * delay / COMPARE_RATE, 3),
        snr_db=_ratio_db(one, one - other),
        si_sdr_db=_si_sdr_db(one, other),
        stoi=_stoi(one, other),
        seconds=round(one.size / COMPARE_RATE, 3),
        reference_rms=float(np.sqrt(np.mean(one**2))),
        degraded_rms=float(np.sqrt(np.mean(other**2))),
    )


def find_delay(reference: NDArray[np.float32], degraded: NDArray[np.float32]) -> int:
    """Samples by which `degraded` lags `reference` (negative: leads), where their correlation is highest."""
    window = _DELAY_WINDOW_S * COMPARE_RATE
    one, other = reference[:window], degraded[:window]
    reach = min(int(MAX_DELAY_S * COMPARE_RATE), max(one.size, other.size) - 1)
    size = 1 << (one.size + other.size - 1).bit_length()
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size))
    correlation = np.fft.irfft(spectrum, size)
    around_zero = np.concatenate([correlation[size - reach :], correlation[: reach + 1]])
    if not around_zero.any():
        return 0  # silence fits anywhere
    return int(np.argmax(np.abs(around_zero))) - reach


def _ratio_db(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> float | None:
    signal_power, noise_power = float(np.mean(signal**2)), float(np.mean(noise**2))
    if signal_power < _SILENCE_POWER or noise_power == 0.0:
        return None  # silence, or no difference at all
    return round(10 * float(np.log10(signal_power / noise_power)), 2)


def _si_sdr_db(reference: NDArray[np.float64], degraded: NDArray[np.float64]) -> float | None:
    power = float(np.dot(reference, reference))
    if power / reference.size < _SILENCE_POWER:
        return None
    target = reference * (float(np.dot(reference, degraded)) / power)
    return _ratio_db(target, degraded - target)


def _stoi(reference: NDArray[np.float64], degraded: NDArray[np.float64]) -> float | None:
    if importlib.util.find_spec("pystoi") is None or reference.size < _MIN_STOI_S * COMPARE_RATE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            from pystoi import stoi

            return round(float(stoi(reference, degraded, COMPARE_RATE)), 4)
        except RuntimeWarning:
            return None  # pystoi's way of saying that hardly anything is above silence

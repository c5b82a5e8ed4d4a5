"""What is sent: tones, noise, and speech that was treated badly. All are samples [T] at RATE_HZ, full scale is 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.robustness.line import RATE_HZ, Samples
from codec import Resampler

CHORD_HZ = (220.0, 277.2, 329.6, 440.0, 660.0, 880.0)
"""A major, as a piano would have it: a triad and what sounds above it."""

_FADE_S = 0.01
"""Tones begin and end softly: what is measured is the tone, not the click of switching it."""


def amplitude(decibels: float) -> float:
    """-20 dBFS is 0.1."""
    return float(10 ** (decibels / 20))


def at_peak(samples: Samples, dbfs: float) -> Samples:
    """The same with its largest sample at `dbfs`."""
    return (samples * (amplitude(dbfs) / max(float(np.abs(samples).max()), 1e-9))).astype(np.float32)


def silence(seconds: float) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)


def hiss(seconds: float, dbfs: float, *, seed: int = 0) -> Samples:
    """White noise; `dbfs` is its root mean square."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    return (noise * amplitude(dbfs)).astype(np.float32)


def tone(hertz: float, seconds: float) -> Samples:
    """A sine with its peak at 1."""
    return _faded(np.sin(2 * np.pi * hertz * _time(seconds)))


def chord(seconds: float) -> Samples:
    """Tones at CHORD_HZ with three harmonics each, as of strings, with its peak at 1."""
    time = _time(seconds)
    partials = [
        np.sin(2 * np.pi * hertz * harmonic * time + index) / harmonic
        for index, hertz in enumerate(CHORD_HZ)
        for harmonic in (1, 2, 3)
    ]
    return at_peak(_faded(np.sum(partials, axis=0)), 0)


def sweep(seconds: float, *, low: float = 100, high: float = 7000) -> Samples:
    """A sine that rises by the same interval each second, with its peak at 1."""
    octaves = np.log2(high / low)
    phase = low * seconds / (octaves * np.log(2)) * (2 ** (octaves * _time(seconds) / seconds) - 1)
    return _faded(np.sin(2 * np.pi * phase))


def with_noise(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Speech and, `snr_db` below its mean power, noise, which is repeated or cut to its length; scaled to stay in 1."""
    noise = np.resize(noise, speech.size).astype(np.float32)
    ratio = np.sqrt(np.mean(speech**2, dtype=np.float64) / np.mean(noise**2, dtype=np.float64))
    mixed = speech + noise * np.float32(ratio / amplitude(snr_db))
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)


def babble(speeches: Sequence[Samples], seconds: float) -> Samples:
    """All of them at once, equally loud, each repeated for as long as it takes."""
    length = round(seconds * RATE_HZ)
    voices = [np.resize(speech, length) / np.sqrt(np.mean(speech**2, dtype=np.float64)) for speech in speeches]
    return at_peak(np.sum(voices, axis=0), -6)


def overdriven(speech: Samples, decibels: float) -> Samples:
    """Too loud by so much for the microphone: what is beyond full scale is cut off."""
    return np.clip(at_peak(speech, decibels), -1, 1).astype(np.float32)


def with_gap(speech: Samples, start: int, seconds: float) -> Samples:
    """Digital zero pushed in at sample `start`: what follows comes later."""
    return np.concatenate([speech[:start], silence(seconds), speech[start:]])


def faster(speech: Samples, factor: float) -> Samples:
    """Played `factor` times as fast: pitch and formants rise with it, as in a smaller speaker."""
    # As if it had been recorded at a higher rate. Whole hertz: soxr takes fractions of them, its caller does not.
    resampler = Resampler(round(RATE_HZ * factor), RATE_HZ)
    return np.concatenate([resampler.process(speech), resampler.flush()])


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def _faded(samples: NDArray[np.float64]) -> Samples:
    ramp = np.linspace(0, 1, round(_FADE_S * RATE_HZ))
    samples[: ramp.size] *= ramp
    samples[-ramp.size :] *= ramp[::-1]
    return samples.astype(np.float32)

"""Voices, rooms, microphones and levels that the recordings do not have.

A codec must carry what it hears, so the augmented signal is what goes in and also what should come out: nothing here is
to be undone. Each effect comes with a probability and a range; with the defaults most samples differ from their
recording by level, and perhaps speed, only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray

__all__ = ["Augmentation", "NoiseSource"]

Samples = NDArray[np.float32]
Range = tuple[float, float]
"""Lowest and highest; equal where the value is fixed."""
NoiseSource = Callable[[np.random.Generator, int], Samples]
"""(rng, length) -> that many samples of another recording, at any level: `SpeechCorpus.segment`."""

EFFECTS = ("speed", "voice", "equaliser", "reverberation", "noise", "hiss", "offset", "clipping", "gap")
"""The fields of Augmentation that are probabilities."""
SILENT = 1e-4
"""Peaks below this (3 units of 16 bits) are silence: it is not raised, and noise has no ratio to it."""
MAX_GAIN_DB = 30.0
"""More would turn the hiss between two words into a storm, where the piece holds little else."""
PAUSE_DB = -30.0
"""Stretches this far below the loudest are pauses; the noise ratio counts speech alone."""
STRETCH_S = 0.02
FILTER_TAIL_S = 0.1
"""A resonance of 8 dB and Q 2 at 100 Hz has fallen by 60 dB after this."""
LOWEST_HZ = 50.0
"""Of pink noise: half of its power would lie below, where nobody hears it, and the ratio would say too little."""
BABBLE_VOICES = (3, 7)
"""From, and below; fewer are understood one by one."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often (0 … 1 of the samples) and how strongly each effect is put on, in the order in which sound meets it."""

    sample_rate: int = 16_000
    speed: float = 0.25
    speed_factor: Range = (0.9, 1.1)
    """Times faster: pitch, formants and tempo together, which is another speaker and leaves no artefact."""
    voice: float = 0.06
    voice_factor: Range = (0.85, 1.25)
    """In place of `speed`. 1.25 makes of a woman's pitch and vocal tract about those of a child of seven."""
    equaliser: float = 0.15
    equaliser_db: Range = (-8.0, 8.0)
    """Of each of one to three peaks or shelves."""
    reverberation: float = 0.08
    reverberation_s: Range = (0.1, 0.5)
    """Time in which the echo falls by 60 dB."""
    direct_to_reverberant_db: Range = (0.0, 15.0)
    noise: float = 0.1
    noise_snr_db: Range = (5.0, 30.0)
    """Of white noise, pink noise or babble, a third of the cases each (without other recordings: a half each)."""
    peak_dbfs: Range = (-40.0, 0.0)
    """Every sample gets a level, most often near `usual_peak_dbfs` (a triangle between the ends)."""
    usual_peak_dbfs: float = -6.0
    hiss: float = 0.1
    hiss_dbfs: Range = (-80.0, -60.0)
    """Root mean square of white noise that the level does not move, as of a microphone's amplifier."""
    offset: float = 0.02
    offset_size: Range = (0.001, 0.02)
    """Of the constant that a bad converter adds, either sign."""
    clipping: float = 0.02
    clipping_db: Range = (1.0, 6.0)
    """How far below the peak the signal is cut off."""
    gap: float = 0.02
    gap_s: Range = (0.05, 0.6)
    """Digital zero in mid-speech, as of a muted microphone or a lost connection."""

    def __post_init__(self) -> None:
        for name in EFFECTS:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a probability from 0 to 1")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and not value[0] <= value[1]:
                raise ValueError(f"{field.name} is {value}, expected lowest and highest")
        if not self.peak_dbfs[0] <= self.usual_peak_dbfs <= self.peak_dbfs[1]:
            raise ValueError(f"usual_peak_dbfs is {self.usual_peak_dbfs}, expected a level inside {self.peak_dbfs}")
        for name in ("speed_factor", "voice_factor", "reverberation_s", "gap_s"):
            if getattr(self, name)[0] <= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected values above 0")

    def source_length(self, length: int) -> int:
        """Samples of a recording that give `length` at the highest speed."""
        fastest = [1.0]
        if self.speed:
            fastest.append(self.speed_factor[1])
        if self.voice:
            fastest.append(self.voice_factor[1])
        return math.ceil(length * max(fastest))

    def draw_factor(self, rng: np.random.Generator) -> float:
        """How many times faster a sample is to be spoken; mostly 1."""
        if rng.random() < self.voice:
            return rng.uniform(*self.voice_factor)
        if rng.random() < self.speed:
            return rng.uniform(*self.speed_factor)
        return 1.0

    def apply(
        self,
        pcm: Samples,
        rng: np.random.Generator,
        *,
        length: int,
        noise: NoiseSource | None = None,
        factor: float | None = None,
    ) -> Samples:
        """pcm [T] -> [length] in [-1, 1], a new array. T is best `source_length(length)`: what is missing is silence.

        Sample n of the result is sample n * factor of pcm, and a pitch there is factor times as high; draw it
        beforehand where that is to be known. Equal arguments and an equally seeded rng give equal samples.
        noise: where babble comes from.
        """
        samples = self._respeak(pcm, length, self.draw_factor(rng) if factor is None else factor)
        samples = self._filter(samples, rng)
        if rng.random() < self.noise:
            samples = samples + self._noise(samples, rng, noise)
        return self._record(samples, rng)

    def _respeak(self, pcm: Samples, length: int, factor: float) -> Samples:
        taken = pcm[: math.ceil(length * factor)]
        if factor != 1.0 and taken.any():  # short clips stand in silence, and silence is quickly spoken
            taken = soxr.resample(np.ascontiguousarray(taken, np.float32), self.sample_rate * factor, self.sample_rate)
        out = np.zeros(length, np.float32)
        out[: len(taken)] = taken[:length]
        return out

    def _filter(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Equaliser and room, by one multiplication of spectra; without either, the samples themselves."""
        equalised, echoing = rng.random() < self.equaliser, rng.random() < self.reverberation
        if not (equalised or echoing):
            return samples
        tail = FILTER_TAIL_S * self.sample_rate * equalised
        room = np.zeros(0, np.float32)
        if echoing:
            room = room_response(
                rng,
                falls_in=rng.uniform(*self.reverberation_s) * self.sample_rate,
                direct_to_reverberant_db=rng.uniform(*self.direct_to_reverberant_db),
            )
        size = _transform_size(len(samples) + max(round(tail), len(room)))
        spectrum = np.fft.rfft(samples, size)
        if equalised:
            for _ in range(rng.integers(1, 4)):
                spectrum *= random_filter(rng, size, self.sample_rate, gain_db=rng.uniform(*self.equaliser_db))
        if echoing:
            spectrum *= np.fft.rfft(room, size)
        return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)

    def _noise(self, samples: Samples, rng: np.random.Generator, noise: NoiseSource | None) -> Samples:
        level = speech_level(samples, round(STRETCH_S * self.sample_rate))
        kind = rng.integers(3 if noise else 2)
        if level < SILENT:
            return np.zeros_like(samples)
        if noise and kind == 2:
            added = babble(rng, len(samples), noise)
        elif kind == 1:
            added = pink_noise(rng, len(samples), lowest=LOWEST_HZ / self.sample_rate)
        else:
            added = rng.standard_normal(len(samples), np.float32)
        size = _rms(added)
        snr = 10.0 ** (rng.uniform(*self.noise_snr_db) / 20.0)
        return added * np.float32(level / snr / size) if size > 0.0 else added

    def _record(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """What microphone, amplifier and converter do: level, hiss, offset, clipping, gaps."""
        peak = float(np.abs(samples).max(initial=0.0))
        wanted = _linear(_triangular(rng, self.peak_dbfs, usual=self.usual_peak_dbfs))
        if peak >= SILENT:
            samples = samples * np.float32(min(wanted / peak, _linear(MAX_GAIN_DB)))
        if rng.random() < self.hiss:
            hiss = rng.standard_normal(len(samples), np.float32)
            samples = samples + hiss * np.float32(_linear(rng.uniform(*self.hiss_dbfs)))
        if rng.random() < self.offset:
            samples = samples + np.float32(rng.uniform(*self.offset_size) * rng.choice((-1.0, 1.0)))
        limit = 1.0
        if rng.random() < self.clipping:
            peak = float(np.abs(samples).max(initial=0.0))
            limit = min(limit, peak * _linear(-rng.uniform(*self.clipping_db)))
        samples = np.clip(samples, -limit, limit)
        if rng.random() < self.gap:
            gap = min(round(rng.uniform(*self.gap_s) * self.sample_rate), len(samples))
            at = int(rng.integers(0, len(samples) - gap + 1))
            samples[at : at + gap] = 0.0
        return samples


def random_filter(rng: np.random.Generator, size: int, sample_rate: int, *, gain_db: float) -> NDArray[np.complex64]:
    """Response [size // 2 + 1] of a peak or a shelf at a random place of the speech band."""
    kind = rng.integers(3)
    if kind == 0:
        return biquad_response(
            peaking_biquad(_log_uniform(rng, 100.0, 7000.0) / sample_rate, gain_db, q=rng.uniform(0.5, 2.0)), size
        )
    low = bool(kind == 1)
    corner_hz = _log_uniform(rng, 80.0, 400.0) if low else _log_uniform(rng, 1500.0, 6000.0)
    return biquad_response(shelf_biquad(corner_hz / sample_rate, gain_db, low=low), size)


Biquad = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Coefficients of the input [3] and of the output [3], by delay."""


def peaking_biquad(frequency: float, gain_db: float, *, q: float) -> Biquad:
    """A bell of `gain_db` at `frequency` (of the sample rate), by R. Bristow-Johnson's audio EQ cookbook."""
    gain, omega = 10.0 ** (gain_db / 40.0), 2.0 * math.pi * frequency
    alpha, cosine = math.sin(omega) / (2.0 * q), math.cos(omega)
    return (
        np.array([1.0 + alpha * gain, -2.0 * cosine, 1.0 - alpha * gain]),
        np.array([1.0 + alpha / gain, -2.0 * cosine, 1.0 - alpha / gain]),
    )


def shelf_biquad(frequency: float, gain_db: float, *, low: bool) -> Biquad:
    """`gain_db` below `frequency` (low) or above it, half of that there; slope 1, by the same cookbook."""
    gain, omega = 10.0 ** (gain_db / 40.0), 2.0 * math.pi * frequency
    cosine = math.cos(omega) * (1.0 if low else -1.0)
    slope = math.sqrt(2.0 * gain) * math.sin(omega)
    sign = 1.0 if low else -1.0
    return (
        gain
        * np.array(
            [
                gain + 1 - (gain - 1) * cosine + slope,
                sign * 2 * (gain - 1 - (gain + 1) * cosine),
                gain + 1 - (gain - 1) * cosine - slope,
            ]
        ),
        np.array(
            [
                gain + 1 + (gain - 1) * cosine + slope,
                -sign * 2 * (gain - 1 + (gain + 1) * cosine),
                gain + 1 + (gain - 1) * cosine - slope,
            ]
        ),
    )


def biquad_response(biquad: Biquad, size: int) -> NDArray[np.complex64]:
    """Of the bins [size // 2 + 1] of a real Fourier transform of `size` samples."""
    delay = _one_sample_delay(size)
    above, below = (part.astype(np.float32) for part in biquad)
    response: NDArray[np.complex64] = (above[0] + delay * (above[1] + delay * above[2])) / (
        below[0] + delay * (below[1] + delay * below[2])
    )
    return response


def room_response(rng: np.random.Generator, *, falls_in: float, direct_to_reverberant_db: float) -> Samples:
    """An impulse, then noise that falls by 60 dB in `falls_in` samples: [falls_in rounded up]."""
    length = math.ceil(falls_in)
    tail = rng.standard_normal(length, np.float32)
    tail *= np.exp(np.arange(length, dtype=np.float32) * np.float32(-math.log(1000.0) / falls_in))
    tail[0] = 0.0
    tail *= np.float32(_linear(-direct_to_reverberant_db)) / np.linalg.norm(tail)
    tail[0] = 1.0
    return tail


def pink_noise(rng: np.random.Generator, length: int, *, lowest: float) -> Samples:
    """Noise [length] of any level that loses 3 dB an octave and has nothing below `lowest` (of the sample rate)."""
    size = _transform_size(length)
    spectrum = rng.standard_normal((size // 2 + 1, 2), np.float32).view(np.complex64)[:, 0]
    spectrum *= _pink_slope(size, lowest)
    return np.fft.irfft(spectrum, size)[:length].astype(np.float32)


def babble(rng: np.random.Generator, length: int, noise: NoiseSource) -> Samples:
    """A few voices of different loudness at once, [length]."""
    total = np.zeros(length, np.float32)
    for _ in range(rng.integers(*BABBLE_VOICES)):
        voice = noise(rng, length)
        loudness = _rms(voice)
        if loudness > 0.0:
            total += voice * np.float32(_linear(rng.uniform(-6.0, 0.0)) / loudness)
    return total


def speech_level(samples: Samples, stretch: int) -> float:
    """Root mean square of the stretches of `stretch` samples that are no pauses."""
    whole = len(samples) // stretch * stretch
    if not whole:
        return _rms(samples)
    power = np.square(samples[:whole]).reshape(-1, stretch).mean(axis=1)
    return math.sqrt(power[power >= power.max() * 10.0 ** (PAUSE_DB / 10.0)].mean())


def _rms(samples: Samples) -> float:
    return math.sqrt(np.square(samples).mean()) if len(samples) else 0.0


def _linear(decibel: float) -> float:
    return float(10.0 ** (decibel / 20.0))


def _triangular(rng: np.random.Generator, ends: Range, *, usual: float) -> float:
    """numpy's own refuses ends that are equal."""
    return float(rng.triangular(ends[0], usual, ends[1])) if ends[0] < ends[1] else usual


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _transform_size(length: int) -> int:
    """A size at least that, power of two or three quarters of one, whose Fourier transform is fast."""
    power = 1 << max(2, (length - 1).bit_length())
    return power * 3 // 4 if power * 3 // 4 >= length else power


@lru_cache(maxsize=8)
def _one_sample_delay(size: int) -> NDArray[np.complex64]:
    delay: NDArray[np.complex64] = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size).astype(np.complex64)
    return delay


@lru_cache(maxsize=8)
def _pink_slope(size: int, lowest: float) -> Samples:
    frequencies = np.arange(size // 2 + 1, dtype=np.float32) / np.float32(size)
    slope: Samples = 1.0 / np.sqrt(np.maximum(frequencies, np.float32(lowest)))
    slope[frequencies < lowest] = 0.0
    return slope

"""Speech to say in the room, and where it is in a recording.

Loudness over time, not the wave, tells where: a neural codec keeps the first and makes the second anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec import read_audio
from codec.audio.resample import Resampler
from gateway.demo.quality import SCORE_RATE_HZ, Alignment, align, stoi_score

STEP_HZ: Final = 1000
"""Loudness values a second: the resolution of a place is a millisecond."""

ALIKE: Final = 0.7
"""Likeness of two courses of loudness, 0 to 1, from which on they are the same words: other words stay below 0.5."""

UTTERANCE_S: Final = 1.6
PAUSE_S: Final = 0.9
_FADE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sound begins in a recording, seconds, and how alike the two are, 0 to 1."""

    at_s: float
    likeness: float

    @property
    def found(self) -> bool:
        """Whether it is that sound at all."""
        return self.likeness >= ALIKE


def load_speech(rate: int) -> NDArray[np.float32]:
    """The bundled clip, 23 s of three voices, mono at `rate` Hz."""
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        return read_audio(path, rate)


def utterances(rate: int, *, count: int) -> list[NDArray[np.float32]]:
    """Short pieces of the clip, each as loud as speech is, all different as long as the clip lasts."""
    clip = load_speech(rate)
    length, fade = round(UTTERANCE_S * rate), round(_FADE_S * rate)
    edge = np.ones(length, dtype=np.float32)
    edge[:fade] = np.linspace(0.0, 1.0, fade)
    edge[-fade:] = edge[:fade][::-1]
    pieces = [clip[start : start + length] * edge for start in range(0, len(clip) - length, length)]
    spoken = [piece for piece in pieces if np.sqrt(np.mean(piece**2)) > 0.02]
    return [spoken[number % len(spoken)] for number in range(count)]


def speak(pieces: list[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
    """The pieces one after the other, a pause behind each."""
    pause = np.zeros(round(PAUSE_S * rate), dtype=np.float32)
    return np.concatenate([part for piece in pieces for part in (piece, pause)])


def loudness(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Mean magnitude of every millisecond, smoothed over 10."""
    step = rate // STEP_HZ
    steps = np.abs(samples[: len(samples) // step * step], dtype=np.float64).reshape(-1, step).mean(axis=1)
    window = np.hanning(12)[1:-1]
    return np.convolve(steps, window / window.sum(), mode="same") if len(steps) >= len(window) else steps


def find(sound: NDArray[np.float32], recording: NDArray[np.float32], rate: int) -> Place:
    """Where in `recording` the loudness goes most like that of `sound`: normalised cross-correlation."""
    wanted, course = loudness(sound, rate), loudness(recording, rate)
    size = len(wanted)
    if len(course) < size or not size:
        return Place(0.0, 0.0)
    wanted = wanted - wanted.mean()
    length = 1 << (len(course) + size).bit_length()
    products = np.fft.irfft(np.fft.rfft(course, length) * np.conj(np.fft.rfft(wanted, length)), length)
    sums = np.cumsum(np.concatenate([[0.0], course]))
    squares = np.cumsum(np.concatenate([[0.0], course**2]))
    windows = len(course) - size + 1
    energy = squares[size:] - squares[:-size] - (sums[size:] - sums[:-size]) ** 2 / size
    scale = np.linalg.norm(wanted) * np.sqrt(np.maximum(energy, 0.0))
    quiet = scale < 1e-3 * max(float(scale.max()), 1e-9)  # silence is like everything
    likeness = np.where(quiet, 0.0, products[:windows] / np.where(quiet, 1.0, scale))
    best = int(np.argmax(likeness))
    return Place(best / STEP_HZ, float(likeness[best]))


def intelligibility(said: NDArray[np.float32], heard: NDArray[np.float32], rate: int) -> float:
    """STOI, 0 to 1, of what was heard against what was said, both at `rate` Hz and from about the same moment."""
    aligned = align(_at_score_rate(said, rate), _at_score_rate(heard, rate))
    score = stoi_score(_without_quiet_ends(aligned))
    if score is None:
        raise RuntimeError("there is too little sound to score, or pystoi is not installed: pip install -e '.[test]'")
    return score


def _at_score_rate(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if rate == SCORE_RATE_HZ:
        return samples
    resampler = Resampler(rate, SCORE_RATE_HZ)
    return np.concatenate([resampler.process(samples), resampler.flush()])


def _without_quiet_ends(aligned: Alignment) -> Alignment:
    loud = np.flatnonzero(np.abs(aligned.reference) > 0.001)
    if not len(loud):
        return aligned
    part = slice(int(loud[0]), int(loud[-1]) + 1)
    return Alignment(aligned.reference[part], aligned.degraded[part], aligned.delay)

"""Where in the source a recording is, block by block: what was true sound, and how old it was. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.faults.peers.noise import NOISE_RATE

BLOCK: Final = 32
BLOCK_S: Final = BLOCK / NOISE_RATE
"""80 ms, a frame of ours: the finest that is told apart."""

_WINDOW: Final = 4 * BLOCK
_REACH: Final = 2
_WINDOW_LIKE: Final = 0.7  # half of a window of true sound beside silence gives 0.71
_BLOCK_LIKE: Final = 0.7  # Opus at 16 kbit/s gives 0.85 or more, other noise 0.7 once in fifty times
_FAINT: Final = 1e-4  # power; the source's is 0.04


@dataclass(frozen=True, slots=True)
class Heard:
    """A block of a recording: when it sounded, in seconds, and how old it was then; age_s None where it was not true
    sound."""

    at: float
    age_s: float | None


def read_positions(sound: NDArray[np.float32], source: NDArray[np.float32], *, start_s: float) -> list[Heard]:
    """The blocks of `sound` [samples], which began `start_s` after `source` [samples] did; both at NOISE_RATE.

    A window of four blocks says where in the source it may be, at the latest now; a block is true where it is like the
    source at a place that a window over it named. So a single wrong frame is seen, and chance names no place.
    """
    starts = range(0, len(sound) - BLOCK + 1, BLOCK)
    ages = [_find_age(sound, source, begin - (_WINDOW - BLOCK) // 2, start_s) for begin in starts]
    heard = []
    for number, begin in enumerate(starts):
        near = ages[max(0, number - _REACH) : number + _REACH + 1]
        age = _confirm(sound, source, begin, start_s, [age for age in near if age is not None])
        heard.append(Heard(start_s + begin / NOISE_RATE, None if age is None else age / NOISE_RATE))
    return heard


def _find_age(sound: NDArray[np.float32], source: NDArray[np.float32], begin: int, start_s: float) -> int | None:
    """Samples between source and sound of the window that begins there; None where it is like no place."""
    window = sound[max(0, begin) : begin + _WINDOW]
    if len(window) < _WINDOW or np.mean(window**2) < _FAINT:
        return None
    now = begin + round(start_s * NOISE_RATE)
    past = source[: max(0, now) + _WINDOW]
    if len(past) < _WINDOW:
        return None
    products = np.fft.irfft(np.fft.rfft(past, _padded(past)) * np.conj(np.fft.rfft(window, _padded(past))))
    sums = np.concatenate(([0.0], np.cumsum(past.astype(np.float64) ** 2)))
    powers = sums[_WINDOW:] - sums[:-_WINDOW]
    likeness = products[: len(powers)] / np.sqrt(powers * np.sum(window**2) + 1e-12)
    best = int(np.argmax(likeness))
    return now - best if likeness[best] >= _WINDOW_LIKE else None


def _padded(past: NDArray[np.float32]) -> int:
    """A length of transform that is quick and in which nothing wraps around."""
    return 1 << (len(past) + _WINDOW - 1).bit_length()


def _confirm(
    sound: NDArray[np.float32], source: NDArray[np.float32], begin: int, start_s: float, ages: list[int]
) -> int | None:
    """The age at which the block that begins there is most like the source, if it is like it at one."""
    block = sound[begin : begin + BLOCK]
    if np.mean(block**2) < _FAINT:
        return None
    likely = {}
    for age in set(ages):
        there = begin + round(start_s * NOISE_RATE) - age
        true = source[max(0, there) : there + BLOCK]
        if len(true) == BLOCK:
            likely[age] = float(block @ true / (np.linalg.norm(block) * np.linalg.norm(true) + 1e-12))
    best = max(likely, key=lambda age: likely[age], default=None)
    return best if best is not None and likely[best] >= _BLOCK_LIKE else None

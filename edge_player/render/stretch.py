"""Sound made shorter or longer by one period of the voice, without a click.

A stretch that looks like the one behind it is faded into it (one of the two is gone), or is played once more; both
ends meet samples that were neighbours of theirs before. Pitch and timbre stay. After NetEQ's accelerate and preemptive
expand, and WSOLA (Verhelst and Roelands, 1993).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHORTEST_S, LONGEST_S = 0.0025, 0.015
"""Periods of 67 to 400 Hz. A higher voice is cut by several of its periods at once."""
ALIKE = 0.75
"""Correlation of two neighbouring stretches from which on they pass for one and the same."""
QUIET = 10.0 ** (-55.0 / 20.0)
"""Root mean square under which nobody hears what is done to it."""

Samples = NDArray[np.float32]


def shorten(samples: Samples, sample_rate: int) -> Samples | None:
    """[T] at `sample_rate` Hz without one period, [T - period]; None where it has none. T is 30 ms at least."""
    place = _alike(samples, sample_rate)
    if place is None:
        return None
    at, period = place
    first, second = samples[at : at + period], samples[at + period : at + 2 * period]
    return np.concatenate([samples[:at], _faded(first, second), samples[at + 2 * period :]])


def lengthen(samples: Samples, sample_rate: int) -> Samples | None:
    """[T] at `sample_rate` Hz with one period more, [T + period]; None where it has none. T is 30 ms at least."""
    place = _alike(samples, sample_rate)
    if place is None:
        return None
    at, period = place
    first, second = samples[at : at + period], samples[at + period : at + 2 * period]
    return np.concatenate([samples[: at + period], _faded(second, first), samples[at + period :]])


def _alike(samples: Samples, sample_rate: int) -> tuple[int, int] | None:
    """Where two neighbouring stretches are alike, and how long each is, in samples; around the middle."""
    shortest, longest = round(SHORTEST_S * sample_rate), round(LONGEST_S * sample_rate)
    if len(samples) < 2 * longest:
        return None
    at = (len(samples) - 2 * longest) // 2
    stretch = samples[at : at + 2 * longest].astype(np.float64)
    if np.sqrt(np.square(stretch).mean()) < QUIET:
        return at, longest
    periods = np.arange(shortest, longest + 1)
    energy = np.concatenate([[0.0], np.cumsum(np.square(stretch))])
    products = np.array([stretch[:period] @ stretch[period : 2 * period] for period in periods])
    sizes = np.sqrt(energy[periods] * (energy[2 * periods] - energy[periods])) + 1e-12
    alike = products / sizes
    best = int(alike.argmax())
    return (at, int(periods[best])) if alike[best] >= ALIKE else None


def _faded(out: Samples, into: Samples) -> Samples:
    weight = (np.arange(len(out), dtype=np.float32) + 1.0) / (len(out) + 1.0)
    faded: Samples = (1.0 - weight) * out + weight * into
    return faded

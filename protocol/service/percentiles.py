"""Percentiles of a stream of measurements in bounded memory."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

DEFAULT_CAPACITY = 4096


@dataclass(frozen=True, slots=True)
class PercentileSnapshot:
    """Percentiles in the unit of what was added; all zero while `count` is 0."""

    count: int = 0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0
    mean: float = 0.0


class Percentiles:
    """A reservoir (Vitter's algorithm R): every value ever added has the same chance of being kept.

    Exact up to `capacity` values. One thread adds; any thread may take a snapshot.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY, *, seed: int = 0) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity = capacity
        self._random = random.Random(seed)
        self._kept: list[float] = []
        self._count = 0
        self._sum = 0.0
        self._minimum = math.inf
        self._maximum = -math.inf

    def add(self, value: float) -> None:
        """Take one measurement; NaN and infinities are ignored, since one would spoil every mean after it."""
        if not math.isfinite(value):
            return
        self._count += 1
        self._sum += value
        self._minimum = min(self._minimum, value)
        self._maximum = max(self._maximum, value)
        if len(self._kept) < self._capacity:
            self._kept.append(value)
            return
        slot = self._random.randrange(self._count)
        if slot < self._capacity:
            self._kept[slot] = value

    @property
    def count(self) -> int:
        """Number of measurements taken, kept or not."""
        return self._count

    def snapshot(self) -> PercentileSnapshot:
        """The percentiles now, by linear interpolation between the nearest ranks."""
        ordered = sorted(self._kept)
        if not ordered:
            return PercentileSnapshot()
        return PercentileSnapshot(
            count=self._count,
            p50=_quantile(ordered, 0.50),
            p95=_quantile(ordered, 0.95),
            p99=_quantile(ordered, 0.99),
            minimum=self._minimum,
            maximum=self._maximum,
            mean=self._sum / self._count,
        )


def _quantile(ordered: list[float], fraction: float) -> float:
    position = fraction * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)

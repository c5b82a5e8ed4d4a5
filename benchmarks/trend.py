"""How fast a figure grows, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

BLOCKS: Final = 20
"""Neighbouring samples resemble each other and would make the interval too narrow: it is taken from so many means."""

_T_95: Final = 2.101
"""Student's t of 18 degrees of freedom, 95 %, two-sided: BLOCKS points and a straight line."""


@dataclass(frozen=True, slots=True)
class Trend:
    """slope: change of the value in one unit of time. uncertainty: half the width of its 95 % interval."""

    slope: float
    uncertainty: float

    @property
    def known(self) -> bool:
        """False where there were too few samples."""
        return math.isfinite(self.uncertainty)


def fit_trend(times: Sequence[float], values: Sequence[float]) -> Trend:
    """A straight line through the means of BLOCKS runs of samples, by least squares. Too few samples: Trend(0, inf)."""
    if len(times) != len(values):
        raise ValueError(f"{len(times)} times and {len(values)} values")
    if len(times) < BLOCKS:
        return Trend(0.0, float("inf"))
    x = np.array([part.mean() for part in np.array_split(np.asarray(times, dtype=np.float64), BLOCKS)])
    y = np.array([part.mean() for part in np.array_split(np.asarray(values, dtype=np.float64), BLOCKS)])
    spread = float(np.sum((x - x.mean()) ** 2))
    if spread == 0.0:
        return Trend(0.0, float("inf"))
    slope = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread
    rest = y - y.mean() - slope * (x - x.mean())
    error = float(np.sqrt(np.sum(rest**2) / (BLOCKS - 2) / spread))
    return Trend(slope, _T_95 * error)

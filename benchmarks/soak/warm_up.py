"""The beginning of a run, which counts for nothing: caches and the reservoirs of the percentiles still fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.trend import Trend, fit_trend

WARM_UP_S: Final = 600.0
"""The reservoirs of the percentiles fill for 5.5 minutes."""

WARM_UP_SHARE: Final = 0.25
"""Of a run that is shorter than four times that."""


def warm_up_s(run_s: float) -> float:
    """How much of a run of `run_s` seconds does not count, in seconds."""
    return min(WARM_UP_S, WARM_UP_SHARE * run_s)


def hourly_trend(at_s: Sequence[float], values: Sequence[float]) -> Trend:
    """How much `values` change in an hour after the warm-up, with half the width of the 95 % interval; uncertainty is
    infinite where there are too few of them."""
    if not at_s:
        return fit_trend([], [])
    first = warm_up_s(at_s[-1])
    kept = [(at / 3600.0, value) for at, value in zip(at_s, values, strict=True) if at >= first]
    return fit_trend([at for at, _ in kept], [value for _, value in kept])

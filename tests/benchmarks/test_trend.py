"""Slopes of the soak benchmark."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.trend import BLOCKS, fit_trend


def test_a_straight_line_is_found_exactly() -> None:
    times = np.linspace(0.0, 0.5, 100).tolist()
    trend = fit_trend(times, [3.0 + 8.0 * at for at in times])
    assert trend.slope == pytest.approx(8.0)
    assert trend.uncertainty == pytest.approx(0.0, abs=1e-9)


def test_the_interval_holds_the_truth_about_95_times_in_100() -> None:
    noise = np.random.default_rng(7)
    times = np.linspace(0.0, 1.0, 400)
    hits = 0
    for _ in range(300):
        trend = fit_trend(times.tolist(), (2.0 * times + noise.normal(size=400)).tolist())
        hits += abs(trend.slope - 2.0) <= trend.uncertainty
    assert 0.91 <= hits / 300 <= 0.98


def test_too_few_samples_say_nothing() -> None:
    assert math.isinf(fit_trend([0.0] * (BLOCKS - 1), [1.0] * (BLOCKS - 1)).uncertainty)
    assert math.isinf(fit_trend([1.0] * BLOCKS, [1.0] * BLOCKS).uncertainty)


def test_times_and_values_belong_together() -> None:
    with pytest.raises(ValueError, match="2 times and 1 values"):
        fit_trend([0.0, 1.0], [0.0])

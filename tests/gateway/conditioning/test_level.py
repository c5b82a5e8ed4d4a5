from __future__ import annotations

import numpy as np
import pytest

from gateway.conditioning import SILENCE_DBFS, LevelTracker, to_dbfs


def test_full_scale_is_nothing_and_silence_is_finite() -> None:
    assert to_dbfs(1.0) == 0.0
    assert to_dbfs(0.1) == pytest.approx(-20.0)
    assert to_dbfs(0.0) == to_dbfs(1e-30) == to_dbfs(float("nan")) == SILENCE_DBFS


def test_what_came_since_the_last_time_is_added_up() -> None:
    tracker = LevelTracker()
    tracker.add(np.full(100, 0.5, dtype=np.float32))
    tracker.add(np.full(300, -0.1, dtype=np.float32), clipped=True)
    level = tracker.take()
    assert level.samples == 400
    assert level.clipped
    assert level.peak_dbfs == pytest.approx(to_dbfs(0.5), abs=1e-4)
    assert level.rms_dbfs == pytest.approx(to_dbfs((0.25 * 0.25 + 0.75 * 0.01) ** 0.5), abs=1e-4)
    assert tracker.take().samples == 0
    assert tracker.take().peak_dbfs == SILENCE_DBFS


def test_the_highest_peak_is_remembered() -> None:
    tracker = LevelTracker()
    assert tracker.highest_dbfs == SILENCE_DBFS
    tracker.add(np.full(10, 0.5, dtype=np.float32))
    tracker.take()
    tracker.add(np.full(10, 0.1, dtype=np.float32))
    assert tracker.highest_dbfs == pytest.approx(to_dbfs(0.5), abs=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_does_not_stay(value: float) -> None:
    tracker = LevelTracker()
    tracker.add(np.array([0.1, value], dtype=np.float32))
    assert tracker.take().peak_dbfs == SILENCE_DBFS
    tracker.add(np.full(10, 0.1, dtype=np.float32))
    assert tracker.take().peak_dbfs == pytest.approx(-20.0, abs=1e-4)


def test_an_empty_block_is_no_trouble() -> None:
    tracker = LevelTracker()
    tracker.add(np.zeros(0, dtype=np.float32))
    assert tracker.take().samples == 0

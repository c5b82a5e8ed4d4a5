from __future__ import annotations

from typing import Any

import pytest

from gateway.pacer import Pacer


def test_a_frame_is_handed_over_when_its_last_sample_is_due(clock: Any) -> None:
    pacer = Pacer(0.08, clock=clock, wait=clock.wait)
    pacer.start(clock() + 1.0)
    assert pacer.wait_for(0) == pytest.approx(0.0)
    assert clock() == pytest.approx(1001.08)


def test_due_times_do_not_drift_over_a_day_of_frames(clock: Any) -> None:
    pacer = Pacer(0.08, clock=clock, wait=clock.wait)
    pacer.start(0.0)
    assert pacer.frame_start(1_080_000) == pytest.approx(86400.0, abs=1e-6)


def test_one_late_frame_makes_none_of_the_next_late(clock: Any) -> None:
    pacer = Pacer(0.08, clock=clock, wait=clock.wait)
    pacer.start(clock())
    clock.now += 0.2
    assert pacer.wait_for(0) == pytest.approx(0.12)
    assert pacer.wait_for(1) == pytest.approx(0.04)
    assert pacer.wait_for(2) == pytest.approx(0.0)
    assert clock() == pytest.approx(1000.24)


def test_a_stop_ends_the_wait(clock: Any) -> None:
    pacer = Pacer(0.08, clock=clock, wait=clock.wait)
    pacer.start(clock() + 3600)
    clock.stop.set()
    assert pacer.wait_for(0) is None


def test_a_wait_that_returns_early_is_continued(clock: Any) -> None:
    def short_wait(seconds: float) -> bool:
        clock.now += min(seconds, 0.03)
        return False

    pacer = Pacer(0.08, clock=clock, wait=short_wait)
    pacer.start(clock())
    assert pacer.wait_for(0) == pytest.approx(0.0)
    assert clock() == pytest.approx(1000.08)


def test_a_frame_without_duration_is_refused(clock: Any) -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        Pacer(0.0, clock=clock, wait=clock.wait)

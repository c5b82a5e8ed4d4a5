"""Capture times from the manifest and from clock reports."""

from __future__ import annotations

import pytest

from edge_player.buffer.capture_clock import CaptureClock
from protocol.event import ClockReport


def test_the_manifest_gives_the_time_of_every_frame() -> None:
    clock = CaptureClock(started_at_ms=1000, frame_duration_s=0.08)
    assert clock.captured_at_ms(0) == 1000
    assert clock.captured_at_ms(125) == pytest.approx(11000)


def test_a_clock_report_corrects_time_and_rate() -> None:
    clock = CaptureClock(started_at_ms=1000, frame_duration_s=0.08)
    clock.update(ClockReport(epoch=1, frame=125, at_ms=11010, rate_ppm=100.0))
    assert clock.captured_at_ms(125) == 11010
    # 12 500 frames are 1000 s; a sample clock that is 100 ppm fast needs 100 ms less for them.
    assert clock.captured_at_ms(125 + 12500) == pytest.approx(11010 + 1e6 - 100, abs=0.1)

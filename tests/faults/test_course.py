"""How recovery and the share of true sound are read from counters over time."""

from __future__ import annotations

import pytest

from tests.faults.course import FRAME_S, Sample, heard_share, recovery_s


def course(*stretches: tuple[float, bool]) -> list[Sample]:
    """Five samples a second over stretches of (seconds, whether frames are played)."""
    samples, at, played = [Sample(0.0, 0)], 0.0, 0.0
    for seconds, plays in stretches:
        for _ in range(round(seconds * 5)):
            at += 0.2
            played += 0.2 / FRAME_S if plays else 0.0
            samples.append(Sample(at, round(played)))
    return samples


def test_sound_that_never_stopped_is_back_at_once() -> None:
    assert recovery_s(course((10, True)), 5.0) == pytest.approx(0.0, abs=0.21)


def test_recovery_counts_from_the_repair_and_not_from_the_fault() -> None:
    assert recovery_s(course((5, True), (6, False), (5, True)), 8.0) == pytest.approx(3.0, abs=0.41)


def test_a_moment_of_sound_is_no_recovery() -> None:
    samples = course((5, True), (2, False), (0.4, True), (3, False), (5, True))
    assert recovery_s(samples, 5.0) == pytest.approx(5.4, abs=0.41)


def test_sound_that_does_not_come_back_is_told() -> None:
    assert recovery_s(course((5, True), (10, False)), 7.0) is None
    assert recovery_s([], 7.0) is None


def test_sound_that_comes_back_too_late_to_be_sure_is_no_recovery() -> None:
    assert recovery_s(course((5, True), (5, False), (0.6, True)), 7.0) is None


def test_the_share_of_true_sound_is_that_of_the_time_asked_for() -> None:
    samples = course((4, True), (2, False), (4, True))
    assert heard_share(samples, 0.0, 4.0) == pytest.approx(1.0, abs=0.02)
    assert heard_share(samples, 2.0, 6.0) == pytest.approx(0.5, abs=0.02)
    assert heard_share(samples, 4.0, 6.0) == pytest.approx(0.0, abs=0.02)
    assert heard_share([], 0.0, 1.0) == heard_share(samples, 3.0, 3.0) == 0.0

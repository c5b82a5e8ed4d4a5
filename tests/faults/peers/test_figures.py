"""What is said of a fault, from blocks that are made up."""

from __future__ import annotations

import pytest

from tests.faults.peers import figures
from tests.faults.peers.measure import BLOCK_S, Heard


def course(*stretches: tuple[float, float | None]) -> list[Heard]:
    """Blocks over stretches of (seconds, age of what sounds)."""
    ages = [age for seconds, age in stretches for _ in range(round(seconds / BLOCK_S))]
    return [Heard(number * BLOCK_S, age) for number, age in enumerate(ages)]


def test_the_share_that_was_heard_is_that_of_the_time_asked_for() -> None:
    heard = course((4, 1.0), (2, None), (4, 1.0))
    assert figures.heard_percent(heard, 0.0, 4.0) == 100
    assert figures.heard_percent(heard, 2.0, 6.0) == pytest.approx(50, abs=2)
    assert figures.heard_percent(heard, 4.08, 5.9) == 0
    assert figures.heard_percent([], 0.0, 1.0) == 0
    assert figures.heard_percent(heard, 3.0, 3.0) is None


def test_recovery_counts_from_the_repair_and_not_from_the_fault() -> None:
    assert figures.back_s(course((5, 1.0), (6, None), (5, 1.0)), 8.0) == pytest.approx(3.0, abs=BLOCK_S)


def test_sound_that_never_stopped_is_back_at_once() -> None:
    assert figures.back_s(course((10, 1.0)), 5.0) == pytest.approx(0.0, abs=BLOCK_S)


def test_a_moment_of_sound_is_no_recovery() -> None:
    heard = course((5, 1.0), (2, None), (0.4, 1.0), (3, None), (5, 1.0))
    assert figures.back_s(heard, 5.0) == pytest.approx(5.4, abs=2 * BLOCK_S)


def test_sound_that_does_not_come_back_or_too_late_to_be_sure_is_told() -> None:
    assert figures.back_s(course((5, 1.0), (10, None)), 7.0) is None
    assert figures.back_s(course((5, 1.0), (5, None), (0.6, 1.0)), 7.0) is None
    assert figures.back_s([], 7.0) is None


def test_the_lag_is_that_of_the_last_seconds_and_the_oldest_sound_is_found_anywhere() -> None:
    heard = course((4, 0.2), (1, 3.0), (2, None), (4, 1.5))
    assert figures.lag_s(heard, 4.0) == 0.2
    assert figures.lag_s(heard, 11.0) == 1.5
    assert figures.lag_s(course((1, 0.2), (5, None)), 6.0) is None
    assert figures.oldest_s(heard, 4.0, 11.0) == 3.0
    assert figures.oldest_s(heard, 5.1, 6.8) is None

"""When a connection that broke is made anew, and when not any more."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from codec.audio.web.recorded import Patience, Retry


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def longest(low: float, high: float) -> float:
    return high


def test_delays_double_up_to_their_cap(clock: Clock) -> None:
    retry = Retry(Patience(first_retry_s=0.5, max_retry_s=8.0), clock=clock, uniform=longest)
    assert [retry.delay_s() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_the_patience_counts_from_the_first_failure_not_from_the_last_success(clock: Clock) -> None:
    retry = Retry(Patience(give_up_s=60.0), clock=clock)
    retry.succeeded()
    clock.now += 3600.0  # a full buffer asks for nothing
    assert retry.delay_s() is not None
    clock.now += 59.0
    assert retry.delay_s() is not None
    clock.now += 1.0
    assert retry.delay_s() is None


def test_a_success_begins_anew(clock: Clock) -> None:
    retry = Retry(Patience(give_up_s=60.0), clock=clock, uniform=longest)
    retry.delay_s()
    clock.now += 100.0
    retry.succeeded()
    assert retry.delay_s() == 0.5

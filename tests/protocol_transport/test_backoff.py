"""Waiting before the next attempt, with a random number generator that always takes the most."""

from __future__ import annotations

import pytest

from protocol.transport.backoff import MAX_SHORT_LIVES, Backoff, EndReason


def longest(low: float, high: float) -> float:
    return high


def test_delays_double_from_a_quarter_second_up_to_three_seconds() -> None:
    backoff = Backoff(longest)
    delays = [backoff.next_delay(EndReason.UNREACHABLE) for _ in range(6)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_jitter_is_full() -> None:
    backoff = Backoff(lambda low, high: low)
    assert backoff.next_delay(EndReason.LOST) == 0.0


def test_a_stable_connection_starts_from_the_first_delay_again() -> None:
    backoff = Backoff(longest)
    for _ in range(5):
        backoff.next_delay(EndReason.UNREACHABLE)
    assert backoff.next_delay(EndReason.LOST, lived_s=60.0) == 0.25


def test_a_connection_that_did_not_last_does_not() -> None:
    backoff = Backoff(longest)
    backoff.next_delay(EndReason.UNREACHABLE)
    assert backoff.next_delay(EndReason.LOST, lived_s=0.5) == 0.5


@pytest.mark.parametrize(("reason", "delay"), [(EndReason.LOGIN_REFUSED, 60.0), (EndReason.TAKEN_OVER, 15.0)])
def test_what_does_not_get_better_by_asking_waits_long(reason: EndReason, delay: float) -> None:
    assert Backoff(longest).next_delay(reason) == delay


def test_being_thrown_out_again_and_again_raises_suspicion_and_slows_down() -> None:
    backoff = Backoff(longest)
    for _ in range(MAX_SHORT_LIVES - 1):
        backoff.next_delay(EndReason.LOST, lived_s=0.1)
        assert not backoff.suspects_twin
    assert backoff.next_delay(EndReason.LOST, lived_s=0.1) == 15.0
    assert backoff.suspects_twin
    backoff.next_delay(EndReason.LOST, lived_s=60.0)
    assert not backoff.suspects_twin


def test_a_long_outage_does_not_overflow() -> None:
    backoff = Backoff(longest)
    for _ in range(5000):
        assert backoff.next_delay(EndReason.UNREACHABLE) <= 3.0

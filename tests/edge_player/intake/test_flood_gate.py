"""How many packets of a stream are looked at."""

from __future__ import annotations

import pytest

from edge_player.intake.flood_gate import MIN_BURST_PACKETS, FloodGate
from protocol.limits import MAX_BURST_S, MAX_RATE_FACTOR

RATE = 12.5  # one frame a packet


@pytest.fixture
def gate() -> FloodGate:
    gate = FloodGate()
    gate.expect(RATE, 1000.0)
    return gate


def admitted(gate: FloodGate, *, rate: float, begin: float, seconds: float) -> int:
    """How many of the packets that come evenly at this rate pass."""
    return sum(gate.admit(begin + number / rate) for number in range(round(rate * seconds)))


def test_before_anything_is_expected_all_pass() -> None:
    assert admitted(FloodGate(), rate=1000, begin=0.0, seconds=1.0) == 1000


def test_a_stream_at_its_usual_rate_passes_for_hours(gate: FloodGate) -> None:
    assert admitted(gate, rate=RATE, begin=1000.0, seconds=7200) == RATE * 7200


def test_four_times_the_usual_rate_passes_and_no_more_for_long(gate: FloodGate) -> None:
    limit = MAX_RATE_FACTOR * RATE
    assert admitted(gate, rate=limit, begin=1000.0, seconds=60) == limit * 60
    passed = admitted(gate, rate=20 * limit, begin=1060.0, seconds=60)
    assert passed == pytest.approx(MAX_BURST_S * RATE + limit * 60, rel=0.02)


@pytest.mark.parametrize("stall_s", [1.0, 5.0, 10.0, 14.0])
def test_what_a_stall_held_up_passes_at_once_and_again_after_the_next_stall(gate: FloodGate, stall_s: float) -> None:
    at = 1000.0
    for _ in range(5):
        at += stall_s
        held_up = round(stall_s * RATE)
        assert sum(gate.admit(at) for _ in range(held_up)) == held_up
        assert gate.admit(at + 1 / RATE)


def test_a_stream_of_few_large_packets_has_room_for_a_few_at_once() -> None:
    gate = FloodGate()
    gate.expect(0.5, 0.0)
    assert sum(gate.admit(0.0) for _ in range(100)) == MIN_BURST_PACKETS


def test_the_tail_of_an_epoch_of_smaller_packets_is_no_flood(gate: FloodGate) -> None:
    gate.expect(0.5, 1000.0)
    assert gate.usual_rate == RATE
    gate.expect(0.5, 1060.0)
    assert gate.usual_rate == 0.5


def test_a_time_that_goes_back_gives_nothing(gate: FloodGate) -> None:
    assert sum(gate.admit(1000.0) for _ in range(500)) == int(MAX_BURST_S * RATE)
    assert not gate.admit(0.0)
    assert not gate.admit(1000.0)
    assert gate.admit(1000.1)

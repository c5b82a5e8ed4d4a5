"""When what comes is so old that its queue is better thrown away."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from edge_player.intake.lag import CALM_S, FIRST_PAUSE_S, LagStep, LagWatch
from protocol.sequence import to_serial

FRAME_S = 0.08


class Stream:
    """A packet of one frame every 80 ms of the sender's time, and a link that delays each as told."""

    def __init__(self, *, too_late_s: float = 1.16, first_frame: int = 0, rate: float = 1.0) -> None:
        self.watch = LagWatch()
        self.frame = first_frame
        self.sent_at = 1000.0
        self.rate = rate
        self.actions: list[tuple[float, LagStep]] = []
        self.watch.begin(first_frame=0, frame_duration_s=FRAME_S, frames_per_packet=1, too_late_s=too_late_s)

    def run(self, seconds: float, delay_s: Callable[[float], float] = lambda at: 0.0) -> list[LagStep]:
        """`delay_s` by seconds since the beginning of this run."""
        self.actions.clear()
        begun_at = self.sent_at
        for _ in range(round(seconds / FRAME_S)):
            self.sent_at += FRAME_S * self.rate
            arrival = self.sent_at + delay_s(self.sent_at - begun_at)
            self.watch.packet(to_serial(self.frame), 1, arrival)
            self.frame += 1
            step = self.watch.look(arrival)
            if step is not LagStep.NOTHING:
                self.actions.append((arrival - begun_at, step))
        return [step for _, step in self.actions]


def test_a_lag_that_grows_steadily_is_acted_upon_once_it_was_too_large_for_three_seconds() -> None:
    stream = Stream()
    assert stream.run(20.0) == []
    stream.run(6.5, lambda at: 0.5 * at)  # too much after four seconds of the sender's time, which are six of ours
    (at, step), *more = stream.actions
    assert step is LagStep.RECONNECT
    assert more == []
    assert at == pytest.approx(6.0 + 3.0, abs=0.3)


def test_a_lag_that_stays_is_acted_upon_too() -> None:
    stream = Stream()
    stream.run(1.0)
    assert stream.run(4.0, lambda at: 2.5) == [LagStep.RECONNECT]


def test_the_delay_that_still_plays_is_none_of_its_business() -> None:
    stream = Stream(too_late_s=4.0)
    stream.run(1.0)
    assert stream.run(60.0, lambda at: 3.9) == []
    assert stream.run(4.0, lambda at: 4.2) == [LagStep.RECONNECT]


def test_one_burst_after_a_standstill_has_caught_up() -> None:
    stream = Stream()
    stream.run(5.0)
    assert stream.run(6.0, lambda at: max(0.0, 6.0 - at)) == []  # all of it comes at the sixth second
    assert stream.run(10.0) == []


def test_the_next_reconnect_waits_and_its_wait_doubles() -> None:
    stream = Stream()
    stream.run(1.0)
    times = []
    for _ in range(4):
        while not stream.run(0.08, lambda at: 3.0):
            pass
        times.append(stream.sent_at)
        stream.run(0.16)  # the new connection begins at the live edge, and falls behind again
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == pytest.approx([FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S], abs=0.2)


def test_after_a_calm_time_the_wait_is_the_first_one_again() -> None:
    stream = Stream()
    stream.run(1.0)
    for _ in range(3):
        while not stream.run(0.08, lambda at: 3.0):
            pass
        stream.run(0.16)
    stream.run(CALM_S + 5.0)
    assert stream.run(4.0, lambda at: 3.0) == [LagStep.RECONNECT]
    stream.run(0.16)
    assert stream.run(FIRST_PAUSE_S + 1.0, lambda at: 3.0) == [LagStep.RECONNECT]


def test_a_reconnect_that_brings_nothing_fresher_is_the_last_one() -> None:
    stream = Stream()
    stream.run(1.0)
    assert stream.run(60.0, lambda at: 3.0) == [LagStep.RECONNECT, LagStep.ACCEPT]
    assert stream.watch.lag_s < 0.1
    assert stream.run(4.0, lambda at: 5.5) == [LagStep.RECONNECT]


def test_a_stall_of_the_source_is_no_lag() -> None:
    stream = Stream()
    stream.run(5.0)
    stream.watch.rebase()
    stream.sent_at += 30.0  # the index stood still
    assert stream.run(30.0) == []


def test_another_epoch_has_another_zero() -> None:
    stream = Stream()
    stream.run(5.0)
    stream.frame = 0
    stream.watch.begin(first_frame=0, frame_duration_s=FRAME_S, frames_per_packet=1, too_late_s=1.16)
    assert stream.run(30.0) == []


@pytest.mark.parametrize("rate", [1 + 200e-6, 1 - 200e-6])
def test_two_clocks_that_drift_apart_for_hours_are_no_lag(rate: float) -> None:
    assert Stream(rate=rate).run(4 * 3600.0) == []


def test_an_index_that_wraps_is_no_jump() -> None:
    stream = Stream(first_frame=0)
    stream.watch.begin(first_frame=2**32 - 20, frame_duration_s=FRAME_S, frames_per_packet=1, too_late_s=1.16)
    stream.frame = 2**32 - 20
    assert stream.run(10.0) == []
    assert stream.watch.lag_s == pytest.approx(0.0, abs=1e-3)


def test_one_forged_packet_from_the_future_does_not_set_the_measure() -> None:
    stream = Stream()
    stream.run(5.0)
    stream.watch.packet(to_serial(stream.frame + 45), 1, stream.sent_at)
    assert stream.run(30.0) == []


def test_late_packets_far_apart_are_no_stretch() -> None:
    stream = Stream()
    stream.run(5.0)
    for _ in range(10):
        stream.sent_at += 5.0
        assert stream.run(0.08, lambda at: 10.0) == []
        stream.frame += 62

"""Threads that end or hang are noticed; those that may stand still, or stood still with the whole process, are not."""

from __future__ import annotations

import pytest

from protocol.service import ExitCode, LivenessWatch, PartFailedError, WatchedPart


class Bench:
    """One part, whose turns are set by hand, looked at four times a second."""

    def __init__(self, *, patience_s: float = 10.0) -> None:
        self.now = 1000.0
        self.turns: int | None = 0
        self.failure: BaseException | None = None
        part = WatchedPart("player worker", lambda: self.turns, lambda: self.failure, patience_s)
        other = WatchedPart("network thread", lambda: round(self.now * 4))
        self.watch = LivenessWatch((other, part), clock=lambda: self.now)

    def look(self, seconds: float, *, every_s: float = 0.25) -> None:
        for _ in range(round(seconds / every_s)):
            self.now += every_s
            self.watch.look()


def test_a_part_that_makes_no_progress_is_named_after_its_patience() -> None:
    bench = Bench()
    bench.look(10.0)
    with pytest.raises(PartFailedError, match="the player worker has made no progress for 10 s") as caught:
        bench.look(0.5)
    assert caught.value.exit_code == ExitCode.FAILURE


def test_a_part_that_turns_now_and_then_is_fine() -> None:
    bench = Bench()
    for turn in range(5):
        bench.turns = turn
        bench.look(9.5)


def test_a_part_that_may_stand_still_is_fine_and_has_its_whole_patience_afterwards() -> None:
    bench = Bench()
    bench.look(9.0)
    bench.turns = None
    bench.look(100.0)
    bench.turns = 0
    bench.look(10.0)
    with pytest.raises(PartFailedError):
        bench.look(0.5)


def test_a_part_has_the_patience_it_asks_for() -> None:
    bench = Bench(patience_s=30.0)
    bench.look(30.0)
    with pytest.raises(PartFailedError, match="for 30 s"):
        bench.look(0.5)


def test_a_process_that_was_stopped_as_a_whole_has_not_hung() -> None:
    bench = Bench()
    bench.look(1.0)
    bench.look(3600.0, every_s=3600.0)
    bench.turns = 1
    bench.look(9.0)


def test_a_part_that_has_ended_is_named_at_once_with_the_reason() -> None:
    bench = Bench()
    bench.failure = ZeroDivisionError("division by zero")
    with pytest.raises(PartFailedError, match=r"the player worker has ended \(ZeroDivisionError: division by zero\)"):
        bench.look(0.25)

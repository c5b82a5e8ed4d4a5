from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gateway.sources import AudioBlock
from gateway.stall import STALL_S, StallWatch


class Log:
    def __init__(self, clock: Any) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.watch = StallWatch(
            clock=clock,
            name=lambda: "radio one",
            on_stall=lambda: self.said.append(("stalled",)),
            on_resume=lambda index, at: self.said.append(("resumed", index, at)),
        )


@pytest.fixture
def log(clock: Any) -> Log:
    return Log(clock)


def block(samples: int = 10) -> AudioBlock:
    return AudioBlock(np.zeros(samples, dtype=np.float32))


def silent_after_one(log: Log, clock: Any, seconds: float, *, samples: int = 10) -> Iterator[AudioBlock]:
    """A block, then a wait during which the pipeline ticks, then blocks of `samples`."""
    yield block()
    for _ in range(round(seconds / 0.1)):
        clock.now += 0.1
        log.watch.tick()
        yield block(0)
    yield block(samples)


def test_a_source_that_keeps_the_encoder_waiting_for_two_seconds_has_stalled(
    log: Log, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    blocks = log.watch.blocks(silent_after_one(log, clock, 5.0))
    for _ in blocks:
        pass
    assert log.said == [("stalled",)]
    log.watch.frame(75, 123.0)
    log.watch.frame(76, 123.1)
    assert log.said == [("stalled",), ("resumed", 75, 123.0)]
    assert log.watch.stalls == 1
    assert log.watch.stalled_s == pytest.approx(5.0)
    assert [record.message for record in caplog.records] == [
        "no sound from radio one for 2 s",
        "sound again from radio one after 5.0 s, at frame 75",
    ]


def test_a_shorter_wait_is_no_stall(log: Log, clock: Any) -> None:
    for _ in log.watch.blocks(silent_after_one(log, clock, STALL_S - 0.2)):
        pass
    assert log.said == []


def test_a_slow_encoder_is_no_stall(log: Log, clock: Any) -> None:
    for _ in log.watch.blocks([block(), block()]):
        clock.now += 10.0
        log.watch.tick()
    assert log.said == []


def test_a_source_that_never_gave_a_sample_stalls_as_well(log: Log, clock: Any) -> None:
    blocks = log.watch.blocks([block(0), block(0)])
    next(blocks)
    clock.now += STALL_S
    log.watch.tick()
    assert log.watch.stalled
    assert log.watch.waiting_s == pytest.approx(STALL_S)


def test_each_stall_is_said_once(log: Log, clock: Any) -> None:
    for number in range(3):
        for _ in log.watch.blocks(silent_after_one(log, clock, 3.0)):
            pass
        log.watch.frame(number, 0.0)
    assert log.said == [
        ("stalled",),
        ("resumed", 0, 0.0),
        ("stalled",),
        ("resumed", 1, 0.0),
        ("stalled",),
        ("resumed", 2, 0.0),
    ]


def test_a_source_that_ended_does_not_stall(log: Log, clock: Any) -> None:
    assert list(log.watch.blocks([])) == []
    clock.now += 60.0
    log.watch.tick()
    assert log.said == []

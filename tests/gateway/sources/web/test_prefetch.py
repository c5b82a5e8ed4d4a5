from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from gateway.sources.web.prefetch import Prefetch


def block(value: float, samples: int = 10) -> np.ndarray:
    return np.full(samples, value, dtype=np.float32)


def values(buffer: Prefetch) -> list[float]:
    taken = []
    while (samples := buffer.take(0.0)) is not None and samples.size:
        taken.append(float(samples[0]))
    return taken


def test_blocks_come_out_in_the_order_they_went_in() -> None:
    buffer = Prefetch(100)
    for value in range(3):
        buffer.put(block(value))
    assert values(buffer) == [0, 1, 2]
    assert buffer.held == 0


def test_a_full_buffer_makes_the_writer_of_a_recording_wait() -> None:
    buffer = Prefetch(20)
    done = threading.Event()

    def write() -> None:
        for value in range(5):
            buffer.put(block(value))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert not done.wait(0.1)
    taken: list[float] = []
    while len(taken) < 5:
        samples = buffer.take(5.0)
        assert samples is not None
        taken.append(float(samples[0]))
    writer.join()
    assert taken == [0, 1, 2, 3, 4]
    assert buffer.overflows == 0


def test_a_full_buffer_of_live_sound_drops_the_oldest_and_counts_once_somebody_listens() -> None:
    buffer = Prefetch(30)
    buffer.live = buffer.drops = True
    for value in range(5):
        buffer.put(block(value))
    assert (buffer.overflows, buffer.held) == (0, 30)
    buffer.listen()
    buffer.put(block(5))
    assert (buffer.overflows, buffer.dropped_samples) == (1, 10)
    assert values(buffer) == [3, 4, 5]


def test_live_sound_waits_for_a_cushion_at_the_start_and_after_it_ran_empty() -> None:
    buffer = Prefetch(100, prime=20)
    buffer.live = True
    for _ in range(2):
        buffer.put(block(1))
        assert values(buffer) == []
        buffer.put(block(2))
        assert values(buffer) == [1, 2]


def test_a_recording_waits_for_no_cushion() -> None:
    buffer = Prefetch(100, prime=20)
    buffer.put(block(1))
    assert values(buffer) == [1]


def test_what_is_held_comes_before_the_end_and_before_an_error() -> None:
    buffer = Prefetch(100, prime=50)
    buffer.live = True
    buffer.put(block(1))
    buffer.finish(ValueError("broke"))
    first = buffer.take(0.0)
    assert first is not None
    assert first.size == 10
    with pytest.raises(ValueError, match="broke"):
        buffer.take(0.0)
    ended = Prefetch(10)
    ended.finish()
    assert ended.take(0.0) is None


def test_nothing_in_time_is_an_empty_block() -> None:
    begun = time.monotonic()
    samples = Prefetch(10).take(0.05)
    assert samples is not None
    assert samples.size == 0
    assert time.monotonic() - begun < 2


def test_closing_lets_a_writer_go_that_waits() -> None:
    buffer = Prefetch(10)
    buffer.put(block(1))
    closing = threading.Timer(0.05, buffer.close)
    closing.start()
    assert buffer.put(block(2)) is False
    closing.join()

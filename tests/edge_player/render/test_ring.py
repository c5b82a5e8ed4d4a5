"""The ring between worker and sound card."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_player.render.ring import PcmRing


def ramp(first: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.arange(first, first + count, dtype=np.float32)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=50))
def test_samples_come_out_in_order_whatever_the_blocks(steps: list[tuple[int, int]]) -> None:
    ring = PcmRing(10)
    written = read = 0
    out = np.empty(12, dtype=np.float32)
    for write, want in steps:
        written += ring.write(ramp(written, write))
        count = ring.read_into(out[:want])
        assert out[:count].tolist() == ramp(read, count).tolist()
        read += count
        assert ring.level == written - read
        assert ring.free == 10 - ring.level


def test_what_is_missing_is_filled_with_zeros_and_one_episode_is_one_underrun() -> None:
    ring = PcmRing(100)
    ring.active = True
    ring.write(ramp(1, 3))
    out = np.full(5, 9, dtype=np.float32)
    assert ring.fill(out) == 3
    assert out.tolist() == [1, 2, 3, 0, 0]
    ring.fill(out)
    assert (ring.underruns, ring.underrun_samples) == (1, 7)
    ring.write(ramp(1, 5))
    ring.fill(out)
    ring.fill(out)
    assert ring.underruns == 2


def test_an_empty_ring_is_no_underrun_while_nothing_is_due() -> None:
    ring = PcmRing(100)
    ring.fill(np.empty(5, dtype=np.float32))
    assert ring.underruns == 0


def test_what_waits_can_be_passed_over() -> None:
    ring = PcmRing(100)
    ring.write(ramp(0, 30))
    assert (ring.drop(10), ring.drop(100)) == (10, 20)
    assert ring.level == 0


def test_a_ring_has_room_for_something() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PcmRing(0)


def test_two_threads_lose_and_invent_nothing() -> None:
    ring, total = PcmRing(333), 20000
    got: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []

    def read() -> None:
        count = 0
        while count < total:
            out = np.empty(57, dtype=np.float32)
            taken = ring.read_into(out)
            got.append(out[:taken])
            count += taken

    reader = threading.Thread(target=read)
    reader.start()
    written = 0
    while written < total:
        written += ring.write(ramp(written, min(71, total - written)))
    reader.join(10)
    assert np.array_equal(np.concatenate(got), ramp(0, total))


def test_a_successor_is_empty_and_counts_on() -> None:
    ring = PcmRing(10)
    ring.active = True
    ring.fill(np.zeros(4, dtype=np.float32))
    ring.write(np.ones(5, dtype=np.float32))
    after = ring.successor(20)
    assert (after.level, after.free, after.active) == (0, 20, True)
    assert (after.underruns, after.underrun_samples) == (1, 4)

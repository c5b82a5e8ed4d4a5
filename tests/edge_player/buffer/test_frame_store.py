"""What waits and what was given out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_player.buffer.frame_store import HISTORY_FRAMES, FrameStore


def column(*codes: int) -> NDArray[np.uint16]:
    return np.array(codes, dtype=np.uint16)


def filled(*frames: int) -> FrameStore:
    store = FrameStore()
    for frame in frames:
        assert store.put(frame, 0, column(frame))
    return store


def test_a_column_is_filed_once() -> None:
    store = filled(5)
    assert not store.put(5, 0, column(9))
    assert store.put(5, 1, column(7))
    assert len(store) == 1
    assert {tier: codes.tolist() for tier, codes in store.take(5).items()} == {0: [5], 1: [7]}
    assert len(store) == 0


def test_a_frame_that_never_came_has_no_columns() -> None:
    assert not FrameStore().take(3)


def test_what_lies_outside_can_be_dropped_from_both_ends() -> None:
    store = filled(1, 2, 3, 4)
    store.drop_before(2)
    store.drop_after(3)
    assert (len(store), store.newest) == (2, 3)
    assert store.take(2)
    assert store.take(3)
    assert store.newest is None


def test_the_start_of_the_newest_is_found_whatever_the_order_and_the_holes() -> None:
    store = filled(9, 1, 4)
    assert store.start_of_newest(2) == 4
    assert store.start_of_newest(10) == 1


def test_what_was_given_out_is_remembered_by_tier_and_for_a_bounded_time() -> None:
    store = FrameStore()
    store.remember(0, {0, 2})
    assert store.was_given_out(0, 2)
    assert not store.was_given_out(0, 1)
    for frame in range(1, HISTORY_FRAMES + 1):
        store.remember(frame, {0})
    assert not store.was_given_out(0, 2)
    assert store.was_given_out(1, 0)


def test_dropping_what_waits_keeps_the_memory_and_clearing_does_not() -> None:
    store = filled(8)
    store.remember(7, {0})
    store.drop_waiting()
    assert len(store) == 0
    assert store.was_given_out(7, 0)
    store.clear()
    assert not store.was_given_out(7, 0)


def test_a_frame_is_here_when_all_of_its_tiers_are() -> None:
    store = filled(5)
    assert store.has(5, (0,))
    assert not store.has(5, (0, 1))
    assert not store.has(6, (0,))


def test_what_upper_tiers_bring_counts_for_nothing_until_the_base_is_here() -> None:
    store = filled(5)
    assert store.put(6, 1, column(9))
    assert not store.put(6, 1, column(8))
    assert (len(store), store.newest, store.start_of_newest(4)) == (1, 5, 5)
    assert store.put(6, 0, column(7))
    assert (len(store), store.has(6, (0, 1))) == (2, True)
    assert {tier: codes.tolist() for tier, codes in store.take(6).items()} == {0: [7], 1: [9]}


def test_a_frame_whose_base_never_came_has_nothing_and_leaves_nothing() -> None:
    store = FrameStore()
    store.put(6, 1, column(9))
    assert store.take(6) == {}
    assert not store.has(6, (1,))


def test_what_waits_beside_is_dropped_with_the_rest() -> None:
    store = FrameStore()
    for frame in (1, 2, 3):
        store.put(frame, 1, column(frame))
    store.drop_before(2)
    store.drop_after(2)
    assert [store.has(frame, (1,)) for frame in (1, 2, 3)] == [False, True, False]
    store.drop_waiting()
    assert not store.has(2, (1,))

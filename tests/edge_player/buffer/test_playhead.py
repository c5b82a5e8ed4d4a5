"""The play position and its account."""

from __future__ import annotations

import numpy as np
import pytest

from edge_player.buffer.frame_store import FrameStore
from edge_player.buffer.jitter_values import JitterStats
from edge_player.buffer.playhead import KEPT_ARRIVALS, Phase, Playhead


@pytest.fixture
def store() -> FrameStore:
    return FrameStore()


@pytest.fixture
def head(store: FrameStore) -> Playhead:
    return Playhead(100, store=store, stats=JitterStats())


def test_nothing_is_due_where_a_run_begins(head: Playhead) -> None:
    head.begin_run_at(500)
    assert (head.next_frame, head.due_frames) == (500, 0)


def test_what_is_skipped_was_due_and_leaves_the_store(store: FrameStore) -> None:
    stats = JitterStats()
    head = Playhead(0, store=store, stats=stats)
    for frame in (2, 7, 9):
        store.put(frame, 0, np.zeros(1, dtype=np.uint16))
    assert head.advance() == 0
    head.skip_to(8)
    assert (head.due_frames, stats.skipped_frames, len(store)) == (8, 7, 1)


def test_a_new_run_keeps_what_was_due_in_the_one_before(head: Playhead) -> None:
    head.advance()
    head.advance()
    head.begin_run_at(7)
    head.advance()
    assert (head.next_frame, head.due_frames) == (8, 3)


def test_frames_taken_back_are_no_longer_due() -> None:
    stats = JitterStats()
    head = Playhead(0, store=FrameStore(), stats=stats)
    for _ in range(3):
        head.advance()
    head.losses.lost = 2
    head.losses.pass_over(10)
    head.skip_to(13)
    assert head.take_back(12) == 2
    assert (head.due_frames, stats.skipped_frames) == (1, 0)


def test_it_starts_by_the_time_it_was_told(head: Playhead) -> None:
    assert not head.starts_by(99.0), "it is empty"
    head.buffer_until(5.0)
    assert not head.starts_by(4.9)
    assert head.starts_by(5.0)
    head.phase = Phase.STARVED
    assert not head.starts_by(99.0)


def test_arrivals_measured_against_another_time_are_forgotten(head: Playhead) -> None:
    head.note_arrival(3, 1.0)
    head.rebuffer(2.0)
    head.note_arrival(4, 2.5)
    assert (head.take_arrivals(), head.retimed) == ([(4, 2.5)], 1)
    assert head.take_arrivals() == []


def test_arrivals_that_nobody_takes_are_bounded(head: Playhead) -> None:
    for number in range(3 * KEPT_ARRIVALS):
        head.note_arrival(number, 0.0)
    kept = head.take_arrivals()
    assert (len(kept), kept[-1]) == (KEPT_ARRIVALS, (3 * KEPT_ARRIVALS - 1, 0.0))

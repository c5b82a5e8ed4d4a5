"""What is known of the end of an epoch."""

from __future__ import annotations

from edge_player.buffer.epoch_end import END_GRACE_S, EpochEnd


def test_an_end_that_nobody_told_of_bounds_nothing() -> None:
    end = EpochEnd()
    assert not end.is_told
    assert not end.lies_before(10**9)
    assert not end.is_reached(10**9, empty=True)
    assert end.cut(10**9, newest=3) == 10**9


def test_a_named_last_frame_is_part_of_the_epoch() -> None:
    end = EpochEnd()
    end.last_frame = 7
    assert end.is_told
    assert [end.lies_before(frame) for frame in (7, 8)] == [False, True]
    assert [end.is_reached(frame, empty=True) for frame in (7, 8)] == [False, True]
    assert [end.cut(frame, newest=3) for frame in (5, 8, 99)] == [5, 8, 8]


def test_without_a_sender_what_is_here_is_the_end() -> None:
    end = EpochEnd()
    end.sender_gone = True
    assert [end.is_reached(5, empty=empty) for empty in (False, True)] == [False, True]
    assert end.cut(99, newest=6) == 7
    assert not end.lies_before(99), "it may still come"


def test_frames_that_the_last_word_overtook_are_awaited_once_for_so_long() -> None:
    end = EpochEnd()
    assert end.await_first_frame(10.0, playout_delay_s=0.2) == 10.0 + END_GRACE_S
    assert end.await_first_frame(10.5, playout_delay_s=0.2) == 10.0 + END_GRACE_S
    assert end.await_first_frame(10.0 + END_GRACE_S, playout_delay_s=0.2) is None


def test_they_are_awaited_one_playout_delay_where_that_is_more() -> None:
    assert EpochEnd().await_first_frame(10.0, playout_delay_s=3.0) == 13.0

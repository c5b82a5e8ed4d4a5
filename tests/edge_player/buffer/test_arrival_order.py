"""In which order packets come."""

from __future__ import annotations

from edge_player.buffer.arrival_order import ArrivalOrder
from edge_player.buffer.jitter_values import JitterStats


def counted(*packets: tuple[int, int]) -> tuple[int, int, int]:
    stats = JitterStats()
    order = ArrivalOrder(stats)
    for index, count in packets:
        order.note(index, count)
    return stats.reordered, stats.gaps, stats.gap_frames


def test_packets_that_follow_each_other_are_in_order() -> None:
    assert counted((10, 5), (15, 5), (20, 1)) == (0, 0, 0)


def test_a_hole_is_counted_with_its_frames_and_what_fills_it_was_overtaken() -> None:
    assert counted((10, 1), (14, 1), (12, 1), (15, 1)) == (1, 1, 3)


def test_an_overlap_is_neither_a_hole_nor_out_of_order() -> None:
    assert counted((10, 5), (12, 5)) == (0, 0, 0)


def test_after_a_jump_nothing_is_missed() -> None:
    stats = JitterStats()
    order = ArrivalOrder(stats)
    order.note(10, 1)
    order.forget()
    order.note(9000, 1)
    assert (stats.gaps, stats.reordered) == (0, 0)

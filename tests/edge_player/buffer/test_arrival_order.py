"""In which order packets come."""

from __future__ import annotations

from edge_player.buffer.arrival_order import ArrivalOrder
from edge_player.buffer.jitter_values import JitterStats


def counted(*packets: tuple[int, int, int]) -> tuple[int, int, int]:
    stats = JitterStats()
    order = ArrivalOrder(stats)
    for index, count, tier in packets:
        order.note(index, count, tier)
    return stats.reordered, stats.gaps, stats.gap_frames


def test_packets_that_follow_each_other_are_in_order() -> None:
    assert counted((10, 5, 0), (15, 5, 0), (20, 1, 0)) == (0, 0, 0)


def test_a_hole_is_counted_with_its_frames_and_what_fills_it_was_overtaken() -> None:
    assert counted((10, 1, 0), (14, 1, 0), (12, 1, 0), (15, 1, 0)) == (1, 1, 3)


def test_an_overlap_is_neither_a_hole_nor_out_of_order() -> None:
    assert counted((10, 5, 0), (12, 5, 0)) == (0, 0, 0)


def test_each_tier_has_its_own_order() -> None:
    assert counted((10, 1, 0), (14, 1, 1), (11, 1, 0), (15, 1, 1)) == (0, 0, 0)


def test_after_a_jump_nothing_is_missed() -> None:
    stats = JitterStats()
    order = ArrivalOrder(stats)
    order.note(10, 1, 0)
    order.forget()
    order.note(9000, 1, 0)
    assert (stats.gaps, stats.reordered) == (0, 0)

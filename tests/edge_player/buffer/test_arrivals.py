from __future__ import annotations

import numpy as np
import pytest

from edge_player.buffer.arrivals import GUARD_S, SETTLED_S, TOLERANCE_S, WINDOW_S, Arrival, ArrivalMargins

DELAY_S = 0.4
LIMIT_S = 0.5
PACKET_S = 0.1


def margins() -> ArrivalMargins:
    return ArrivalMargins(delay_s=DELAY_S, limit_s=LIMIT_S)


def feed(kept: ArrivalMargins, values: list[float], *, start: float = 0.0) -> float:
    """One packet every PACKET_S with these margins; returns when the next would come."""
    for number, value in enumerate(values):
        kept.note(Arrival(start + number * PACKET_S, value))
    return start + len(values) * PACKET_S


def packets(seconds: float) -> int:
    return round(seconds / PACKET_S) + 1


def test_a_link_that_keeps_its_word_changes_nothing() -> None:
    kept = margins()
    rng = np.random.default_rng(1)
    feed(kept, list(DELAY_S - rng.uniform(0.0, 0.3, packets(WINDOW_S))))
    assert kept.wanted_change() == 0.0
    assert kept.target_s == DELAY_S


def test_a_packet_that_came_too_late_asks_for_as_much_and_the_guard() -> None:
    kept = margins()
    at = feed(kept, [DELAY_S] * packets(SETTLED_S))
    feed(kept, [-0.1], start=at)
    assert kept.jitter_s == pytest.approx(DELAY_S + 0.1)
    assert kept.wanted_change() == pytest.approx(0.1 + GUARD_S)


def test_there_is_a_limit_to_patience() -> None:
    kept = margins()
    feed(kept, [DELAY_S] * packets(SETTLED_S) + [-5.0])
    assert kept.target_s == DELAY_S + LIMIT_S


def test_a_stream_that_begins_is_left_alone() -> None:
    kept = margins()
    feed(kept, [DELAY_S, -0.3, DELAY_S])
    assert kept.wanted_change() == 0.0
    assert ArrivalMargins(delay_s=DELAY_S, limit_s=LIMIT_S).wanted_change() == 0.0


def test_what_was_done_is_not_asked_for_again_and_is_taken_back_when_the_link_is_calm_for_long() -> None:
    kept = margins()
    at = feed(kept, [DELAY_S] * packets(SETTLED_S) + [-0.1])
    kept.shift(kept.wanted_change())
    assert kept.wanted_change() == 0.0
    raised = DELAY_S + 0.1 + GUARD_S
    at = feed(kept, [raised] * packets(WINDOW_S - SETTLED_S), start=at)
    assert kept.wanted_change() == 0.0, "the late one is still in the window"
    feed(kept, [raised] * packets(2 * SETTLED_S), start=at)
    assert kept.wanted_change() == pytest.approx(DELAY_S - raised)


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_clocks_that_differ_are_followed_once_it_matters(ppm: float) -> None:
    """A sender that is slow, or fast: margins fall, or grow, by 12 ms a minute."""
    kept = margins()
    at, offset, done = 0.0, 0.0, []
    for _ in range(packets(600.0)):
        kept.note(Arrival(at, DELAY_S + offset))
        change = kept.wanted_change()
        if change:
            done.append(change)
            offset += change
            kept.shift(change)
        offset += PACKET_S * ppm * 1e-6
        at += PACKET_S
    assert abs(offset) < 2 * TOLERANCE_S
    assert len(done) == pytest.approx(600.0 * 200e-6 / TOLERANCE_S, abs=2)
    assert all((change < 0) == (ppm > 0) for change in done)


def test_memory_is_bounded_by_the_window() -> None:
    kept = margins()
    feed(kept, list(np.random.default_rng(2).uniform(0.0, DELAY_S, 5000)))
    assert len(kept._window) <= packets(WINDOW_S)
    kept.reset()
    assert (kept.delay_s, kept.jitter_s, kept.wanted_change()) == (0.0, 0.0, 0.0)

"""Packets grow where the link acknowledges slowly, and shrink again when it does not; darkness changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.packing import CALM_S, LONGEST_CALM_S, SLOW_PACKETS, AdaptivePacking, LinkView, longest_packet
from protocol.link import LAN, NARROW, WAN

FRAME_S = 0.08
ACKED, WAITING, AWAY = LinkView(True, 0), LinkView(True, 5), LinkView(False, 50)


@dataclass
class Link:
    """A packing with a clock that goes on by the length of each packet."""

    usual: int = 2
    most: int = 25
    now: float = 100.0
    view: LinkView = ACKED

    def __post_init__(self) -> None:
        self.packing = AdaptivePacking(lambda: self.view, usual=self.usual, most=self.most, clock=lambda: self.now)

    def packets(self, count: int, view: LinkView) -> list[int]:
        self.view = view
        chosen = []
        for _ in range(count):
            self.now += FRAME_S * self.packing.frames
            chosen.append(self.packing.packet_full())
        return chosen

    def calm(self, seconds: float) -> int:
        """Packets that are acknowledged in time, for so long; the length of the last."""
        self.view = ACKED
        end = self.now + seconds
        while self.now < end:
            self.packets(1, ACKED)
        return self.packing.frames


def test_packets_grow_rung_by_rung_while_acknowledgements_are_slow() -> None:
    assert Link().packets(3 * SLOW_PACKETS + 4, WAITING) == [2, 5, 5, 10, 10, 25, 25, 25, 25, 25]


def test_one_packet_that_waits_is_a_hiccup() -> None:
    link = Link()
    for _ in range(20):
        assert link.packets(1, WAITING) == link.packets(1, ACKED) == [2]
    assert link.packing.stats.packing_raised == 0


def test_packets_shrink_again_one_rung_a_calm_time() -> None:
    link = Link()
    link.packets(4, WAITING)
    assert link.packing.frames == 10
    assert link.calm(CALM_S - 1.0) == 10
    assert link.calm(2.0) == 5
    assert link.calm(CALM_S + 1.0) == 2
    assert link.calm(10 * CALM_S) == 2
    assert (link.packing.stats.packing_raised, link.packing.stats.packing_lowered) == (2, 2)


def test_a_link_that_is_too_slow_for_less_is_tried_ever_more_rarely() -> None:
    link = Link(usual=5, most=10)
    link.packets(2, WAITING)
    tries = []
    for _ in range(8):
        begun = link.now
        while link.packing.frames == 10:
            link.packets(1, ACKED)
        tries.append(round(link.now - begun, 1))
        link.packets(2, WAITING)
    assert tries == sorted(tries)
    assert tries[-1] == pytest.approx(LONGEST_CALM_S, abs=1.0)


def test_after_a_long_calm_the_first_pause_is_short_again() -> None:
    link = Link(usual=5, most=10)
    for _ in range(4):
        link.packets(2, WAITING)
        link.calm(LONGEST_CALM_S)
    link.calm(2 * LONGEST_CALM_S)
    link.packets(2, WAITING)
    assert link.calm(CALM_S + 1.0) == 5


def test_a_broker_that_is_away_makes_no_packet_longer() -> None:
    link = Link()
    assert link.packets(50, AWAY) == [2] * 50
    link.packets(1, WAITING)
    link.packets(1, AWAY)
    assert link.packets(1, WAITING) == [2]


def test_no_packet_is_so_long_that_a_player_would_be_late_for_its_first_frame() -> None:
    assert [longest_packet(profile, frame_s=FRAME_S) for profile in (LAN, WAN, NARROW)] == [2, 10, 25]
    assert Link(usual=5, most=10).packets(40, WAITING)[-1] == 10


@pytest.mark.parametrize(("usual", "most"), [(0, 5), (6, 5), (5, 26)])
def test_lengths_that_no_packet_can_have_are_refused(usual: int, most: int) -> None:
    with pytest.raises(ValueError, match="expected, got"):
        Link(usual=usual, most=most)

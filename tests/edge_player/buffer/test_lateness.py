"""A stream of which some packets come too late again and again is played later; a single burst changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_player.buffer.jitter_buffer import JitterBuffer, Ready, Wait
from protocol.packet import TokenPacket

MakeBuffer = Callable[..., JitterBuffer]
MakePacket = Callable[..., TokenPacket]
FRAME_S = 0.08
DELAY_S = 0.16


class Link:
    """A sender, a link and a sink: every frame is sent on time, and pulled one by one."""

    def __init__(self, buffer: JitterBuffer, make_packet: MakePacket) -> None:
        self.buffer = buffer
        self.make_packet = make_packet
        self.sent = 0
        self.on_the_way: list[tuple[float, int]] = []
        self.paused = 0

    def run(self, frames: int, delay_s: Callable[[int], float]) -> list[bool]:
        """Send so many frames, each delayed by `delay_s(frame)`; returns which of the pulls brought a frame."""
        played = []
        for _ in range(frames):
            now = self.sent * FRAME_S
            self.on_the_way.append((now + delay_s(self.sent), self.sent))
            self.sent += 1
            for arrival in sorted(item for item in self.on_the_way if item[0] <= now):
                self.on_the_way.remove(arrival)
                self.buffer.insert(self.make_packet(arrival[1]), arrival[0])
            item = self.buffer.pull(now)
            self.paused += isinstance(item, Wait)
            played.append(isinstance(item, Ready))
        return played


@pytest.fixture
def link(make_buffer: MakeBuffer, make_packet: MakePacket) -> Link:
    made = Link(make_buffer(delay_s=DELAY_S), make_packet)
    made.run(25, lambda frame: 0.0)
    return made


def test_a_stream_that_is_late_in_part_is_played_later_and_whole(link: Link) -> None:
    def delay_s(frame: int) -> float:
        return 0.3 if frame % 3 == 0 else 0.01  # beyond the 160 ms, one packet in three

    played = link.run(1500, delay_s)
    assert link.buffer.stats.relocks >= 1
    assert all(played[-500:]), "it still stutters"
    assert link.buffer.stats.late < 120


def test_clocks_that_drift_apart_cost_a_pause_and_no_stutter(link: Link) -> None:
    def delay_s(frame: int) -> float:
        return 0.0002 * frame + (0.04 if frame % 4 == 0 else 0.0)  # the sink is 2500 ppm fast, the link jitters

    played = link.run(3000, delay_s)
    assert link.buffer.stats.relocks >= 2
    assert link.buffer.stats.late < 90, "each time the clocks met it stuttered on until a whole second was lost"
    assert sum(played) > 0.97 * len(played)


@pytest.mark.parametrize("burst", [2, 12, 40])
def test_a_link_that_stood_still_once_changes_nothing(link: Link, burst: int) -> None:
    def delay_s(frame: int) -> float:
        return (100 + burst - frame) * FRAME_S if 100 <= frame < 100 + burst else 0.0

    paused = link.paused
    played = link.run(400, delay_s)
    assert all(played[-200:])
    assert link.buffer.stats.relocks <= 1  # one second without a single frame in time moves it anyway
    assert link.paused - paused <= 15


def test_one_late_packet_in_fifty_is_only_lost(link: Link) -> None:
    link.run(3000, lambda frame: 0.3 if frame % 50 == 0 else 0.0)
    assert link.buffer.stats.relocks == 0
    assert 50 <= link.buffer.stats.late <= 70


def test_every_frame_is_accounted_for_whatever_moves(link: Link) -> None:
    link.run(1500, lambda frame: 0.3 if frame % 3 == 0 else 0.01)
    assert link.buffer.due_frames + link.buffer.stored_frames <= link.sent
    before = link.buffer.due_frames
    link.run(100, lambda frame: 0.0)
    assert link.buffer.due_frames - before == pytest.approx(100, abs=25)

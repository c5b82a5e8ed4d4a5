"""A jitter buffer in pauses: what is due, what is late, what is counted, and that the voice is whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import JitterBuffer, JitterConfig, Lost, Ready, Silent, Wait
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.intake.tiers import TierMap
from protocol.packet import TokenPacket
from protocol.sequence import to_serial

MakeBuffer = Callable[..., JitterBuffer]
MakePacket = Callable[..., TokenPacket]
FRAME_S, EPOCH, DELAY_S = 0.08, 0x1234_5678_9ABC_DE05, 0.16
EPOCH_LOW7 = EPOCH & 0x7F


@pytest.fixture
def timeline() -> Timeline:
    timeline = Timeline()
    plan = EpochPlan(
        EPOCH,
        0,
        TierMap.single(4),
        JitterConfig(FRAME_S, DELAY_S),
        CaptureClock(started_at_ms=0, frame_duration_s=FRAME_S),
    )
    timeline.open(replace(plan, silence=True))
    return timeline


class Player:
    """Inserts what arrives and pulls a frame every 80 ms, in steps of 10 ms; keeps the ledger as play-out does."""

    def __init__(self, timeline: Timeline, make_packet: MakePacket) -> None:
        self.timeline, self._make = timeline, make_packet
        self.out: list[Ready | Lost | Silent] = []
        self._ticks = 0
        self._next_pull = 0  # ticks of 10 ms

    @property
    def now(self) -> float:
        return self._ticks / 100

    def stand_still(self, seconds: float) -> None:
        """The process is stopped."""
        self.timeline.pass_over(seconds)
        self._ticks += round(100 * seconds)
        self._next_pull += round(100 * seconds)

    def send(self, first: int, last: int, *, pause: int = 0, transit_s: float = 0.0) -> list[tuple[float, TokenPacket]]:
        """Packets of one frame, `pause` in the last; each arrives when its frame ends, and `transit_s` later."""
        packets = [self._make(frame) for frame in range(first, last)]
        packets[-1] = replace(packets[-1], pause_after=pause)
        return [
            ((frame + 1) * FRAME_S + transit_s, packet)
            for frame, packet in zip(range(first, last), packets, strict=True)
        ]

    def play(self, until_s: float, arrivals: list[tuple[float, TokenPacket]]) -> None:
        """In steps of 10 ms; a pull every 80 ms while something is due."""
        arrivals = sorted(arrivals, key=lambda arrival: arrival[0])
        while self.now < until_s:
            while arrivals and arrivals[0][0] <= self.now:
                at, packet = arrivals.pop(0)
                self.timeline.insert(packet, at)
            if self._ticks >= self._next_pull:
                item = self.timeline.pull(self.now)
                self._next_pull += 1 if isinstance(item, Wait) else 8
                if not isinstance(item, Wait):
                    self._count(item)
            self._ticks += 1

    def _count(self, item: Ready | Lost | Silent) -> None:
        self.out.append(item)
        assert self.timeline.current is not None
        ledger = self.timeline.current.ledger
        if isinstance(item, Ready):
            ledger.count_played()
        elif isinstance(item, Silent):
            ledger.count_silent()
        else:
            ledger.count_lost(audible=False)

    @property
    def shape(self) -> str:
        """`#` came, `.` silent, `-` lost; runs as counts would hide the order."""
        return "".join({Ready: "#", Silent: ".", Lost: "-"}[type(item)] for item in self.out)

    def heard(self) -> list[int]:
        return [item.frame_index for item in self.out if isinstance(item, Ready)]


@pytest.fixture
def player(timeline: Timeline, make_packet: MakePacket) -> Player:
    return Player(timeline, make_packet)


def test_frames_that_were_never_sent_are_silent_and_nothing_is_lost(player: Player) -> None:
    player.play(20.0, [*player.send(0, 20, pause=8), *player.send(200, 220)])
    assert player.shape.startswith("#" * 20 + "." * 180 + "#" * 20)
    first = next(item for item in player.out if isinstance(item, Silent))
    assert first == Silent(20, pause_first=20, background=8)
    stats = player.timeline.stats()
    assert stats.gaps == stats.gap_frames == stats.rebuffers == stats.late == stats.starvations == 0
    assert stats.silent_frames == 180


def test_the_decoder_goes_on_after_a_pause_as_it_was(player: Player) -> None:
    player.play(20.0, [*player.send(0, 20, pause=8), *player.send(200, 220)])
    assert [item.frame_index for item in player.out if isinstance(item, Ready) and item.fresh] == [0]


def test_a_long_pause_leaves_the_player_on_time(player: Player) -> None:
    player.play(30.0, player.send(0, 20, pause=8))
    player.timeline.hear_heartbeat(EPOCH_LOW7, 30.0)
    player.play(62.0, [])
    player.timeline.hear_heartbeat(EPOCH_LOW7, 62.0)
    player.play(82.0, player.send(1000, 1020))
    assert set(player.shape[20:1000]) == {"."}
    assert player.heard() == [*range(20), *range(1000, 1020)]
    assert player.timeline.stats().rebuffers == 0


def test_a_pause_whose_first_packet_was_lost_is_known_from_the_heartbeat(player: Player) -> None:
    player.play(3.0, player.send(0, 20))
    player.timeline.hear_heartbeat(EPOCH_LOW7, 3.0)
    player.play(10.0, player.send(100, 110))
    lost = player.shape.index(".") - 20
    assert 0 < lost < 20
    assert player.shape.startswith("#" * 20 + "-" * lost + "." * (80 - lost) + "#" * 10)


def test_a_sender_that_falls_silent_without_a_word_is_not_played_on_for_ever(player: Player) -> None:
    player.play(60.0, player.send(0, 20, pause=8))
    assert player.timeline.current is not None
    assert player.timeline.current.buffer.starved
    silent = player.shape.count(".")
    assert 40.0 < silent * FRAME_S < 48.0


def test_a_sender_that_is_gone_ends_its_pause(player: Player) -> None:
    player.play(5.0, player.send(0, 20, pause=8))
    player.timeline.forget_pause()
    player.play(12.0, [])
    assert player.timeline.current is not None
    assert player.timeline.current.buffer.starved


@pytest.mark.parametrize("late_s", [0.1, 0.4, 2.0])
def test_a_voice_that_comes_too_late_makes_the_pause_longer_and_is_whole(player: Player, late_s: float) -> None:
    """Two clocks drift apart in a pause, and nothing shows it before the first syllable."""
    player.play(19.0 + late_s, [*player.send(0, 20, pause=8), *player.send(200, 230, transit_s=DELAY_S + late_s)])
    assert player.heard() == [*range(20), *range(200, 230)]
    player.timeline.end(EPOCH, 229)
    totals = player.timeline.totals()
    assert totals.played == 50
    assert totals.comfort == 180
    assert totals.due == 230
    assert player.timeline.stats().rebuffers == 1


def test_the_end_of_a_stream_in_a_pause_is_counted_to_the_frame(player: Player) -> None:
    player.play(5.0, player.send(0, 20, pause=8))
    assert player.timeline.end(EPOCH, 44)  # some of what was given out lies beyond it
    player.play(8.0, [])
    totals = player.timeline.totals()
    assert (totals.due, totals.played, totals.comfort) == (45, 20, 25)
    assert totals.balanced
    assert player.timeline.ended


def test_what_is_still_to_come_of_a_pause_at_the_end_is_due(player: Player) -> None:
    player.play(2.0, player.send(0, 20, pause=8))
    player.timeline.end(EPOCH, 59)
    player.play(8.0, [])
    totals = player.timeline.totals()
    assert (totals.due, totals.played, totals.comfort) == (60, 20, 40)


def test_loss_after_a_pause_is_loss_as_ever(player: Player) -> None:
    arrivals = [*player.send(0, 20, pause=8), *player.send(100, 120)]
    del arrivals[25]
    player.play(10.0, arrivals)
    assert player.shape.startswith("#" * 20 + "." * 80 + "#" * 5 + "-" + "#" * 14)


def test_a_lost_first_packet_of_the_voice_is_filled_with_the_room(player: Player) -> None:
    arrivals = [*player.send(0, 20, pause=8), *player.send(100, 120)]
    del arrivals[20]
    player.play(10.0, arrivals)
    assert player.shape.startswith("#" * 20 + "." * 81 + "#" * 19)


def test_a_process_that_stood_still_in_a_pause_begins_its_decoder_afresh(player: Player) -> None:
    player.play(5.0, player.send(0, 20, pause=8))
    player.stand_still(3.0)
    player.play(12.0, player.send(120, 130))
    fresh = [item for item in player.out[1:] if not isinstance(item, Lost) and item.fresh]
    assert len(fresh) == 1
    assert isinstance(fresh[0], Silent)  # so that what primes the decoder is the room and not the voice
    assert player.heard()[20:] == list(range(120, 130))


def test_frames_of_the_voice_that_come_after_a_pause_say_nothing_of_the_link(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    for frame in range(5):
        buffer.insert(make_packet(frame), frame * FRAME_S)
    for pull in range(5):
        buffer.pull(DELAY_S + pull * FRAME_S)
    buffer.insert(replace(make_packet(5), pause_after=3), 0.5)
    buffer.take_arrivals()
    for pull in range(5, 30):
        buffer.pull(DELAY_S + pull * FRAME_S)
    buffer.insert(make_packet(31), 2.56)  # held back by a frame
    buffer.insert(make_packet(32), 2.56)
    assert [at for _, at in buffer.take_arrivals()] == [2.56]


def test_a_heartbeat_of_another_epoch_is_none(timeline: Timeline) -> None:
    assert not timeline.hear_heartbeat(EPOCH_LOW7 ^ 1, 0.0)
    assert not Timeline().hear_heartbeat(EPOCH_LOW7, 0.0)


def test_a_pause_over_the_wrap_of_the_serial_is_one_pause(make_packet: MakePacket) -> None:
    buffer = JitterBuffer(JitterConfig(FRAME_S, DELAY_S), TierMap.single(4), first_frame=2**32 - 5)
    buffer.insert(replace(make_packet(2**32 - 5), pause_after=3), 0.0)
    out = [buffer.pull(DELAY_S + index * FRAME_S) for index in range(10)]
    assert to_serial(2**32 + 4) == 4
    assert [type(item) for item in out] == [Ready, *[Silent] * 9]
    buffer.insert(make_packet(2**32 + 7), 0.9)
    out = [buffer.pull(DELAY_S + index * FRAME_S) for index in range(10, 13)]
    assert [type(item) for item in out] == [Silent, Silent, Ready]

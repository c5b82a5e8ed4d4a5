"""Upper tiers that are late, missing, early or alone: they lower or raise the fidelity of frames, and move nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_player.buffer.jitter_buffer import FOLLOW_S, InsertResult, JitterBuffer, JitterConfig, Lost, Ready, Wait
from edge_player.intake.tiers import TierMap
from protocol.manifest import Tier
from protocol.packet import TokenPacket

MakePacket = Callable[..., TokenPacket]
FRAME_S, DELAY_S = 0.08, 0.4
TIERS = (Tier(0, 1), Tier(1, 1), Tier(2, 2))


class Stream:
    """A buffer of a stream in three tiers, and packets for it. Layers that were played: 0 for a lost frame."""

    def __init__(self, make_packet: MakePacket, *, layers: int | None = None) -> None:
        self.buffer = JitterBuffer(JitterConfig(FRAME_S, DELAY_S), TierMap(TIERS, num_layers=4, layers=layers))
        self._make_packet = make_packet

    def insert(self, frame: int, *tiers: int, late_s: float = 0.0) -> list[InsertResult]:
        at = frame * FRAME_S + late_s
        return [
            self.buffer.insert(self._make_packet(frame, layers=TIERS[tier].num_layers), at, tier=tier) for tier in tiers
        ]

    def pull(self, frames: int, start_s: float) -> list[int]:
        played = []
        for frame in range(frames):
            item = self.buffer.pull(start_s + frame * FRAME_S)
            assert not isinstance(item, Wait)
            played.append(int((item.codes >= 0).sum()) if isinstance(item, Ready) else 0)
        return played


def test_a_frame_whose_upper_tier_is_late_or_lost_is_played_in_time_with_what_is_here(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    for frame in range(6):
        stream.insert(frame, 0, *((1, 2) if frame != 2 else ()))
    assert stream.pull(4, DELAY_S) == [4, 4, 1, 4]
    assert stream.insert(2, 1, 2, late_s=10 * FRAME_S) == [InsertResult.LATE] * 2
    stats = stream.buffer.stats
    assert (stats.thinned_frames, stats.tier_late, stats.late, stats.gaps) == (1, 2, 0, 0)
    assert stream.buffer.due_frames == 4


def test_upper_tiers_that_are_always_late_never_move_the_playout_time(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    played = []
    for frame in range(120):
        stream.insert(frame, 0)
        if frame >= 8:
            stream.insert(frame - 8, 1, 2, late_s=8 * FRAME_S)
        if frame >= 5:
            played += stream.pull(1, frame * FRAME_S)
    assert played == [1] * 115
    stats = stream.buffer.stats
    assert (stats.relocks, stats.rebuffers, stats.late, stream.buffer.retimed) == (0, 0, 0, 0)
    assert stats.thinned_frames == 115
    assert len(stream.buffer.take_arrivals()) == 64, "of the base alone, in time"


def test_upper_tiers_alone_neither_begin_a_stream_nor_keep_one_alive(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    assert stream.insert(0, 1, 2) == [InsertResult.HELD] * 2
    assert not stream.buffer.anchored
    stream.insert(0, 0)
    assert stream.pull(1, DELAY_S) == [4], "what came early is not lost"
    for frame in range(1, 80):
        stream.insert(frame, 1, 2)
        stream.buffer.pull(DELAY_S + frame * FRAME_S)
    assert stream.buffer.starved
    assert stream.buffer.stats.starvations == 1
    assert stream.buffer.stored_frames == 0


def test_what_upper_tiers_bring_of_a_stream_that_starves_is_bounded(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    stream.insert(0, 0)
    results = [result for frame in range(2000) for result in stream.insert(frame, 1)]
    assert results.count(InsertResult.ACCEPTED) <= stream.buffer.config.max_gap_frames + 1
    assert stream.buffer.stats.refused == results.count(InsertResult.REFUSED) > 1900


def test_upper_tiers_far_away_move_nothing_though_they_agree(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    for frame in range(4):
        stream.insert(frame, 0)
    assert [stream.insert(9000 + frame, 1)[0] for frame in range(4)] == [InsertResult.REFUSED] * 4
    assert stream.buffer.stats.resyncs == 0
    assert stream.pull(4, DELAY_S) == [1] * 4


def test_a_base_that_comes_behind_its_upper_tiers_is_joined_with_them(make_packet: MakePacket) -> None:
    """The base at QoS 1 waits for acknowledgements while the rest at QoS 0 overtakes it."""
    stream = Stream(make_packet)
    stream.insert(0, 0)
    for frame in range(60):
        stream.insert(frame, 1, 2)
        if frame >= 4:
            stream.insert(frame - 3, 0, late_s=3 * FRAME_S)
        if frame >= 5:
            assert stream.pull(1, frame * FRAME_S) == [4]
    assert stream.buffer.stats.skipped_frames == 0


def test_the_first_packet_stands_alone_however_many_tiers_it_has(make_packet: MakePacket) -> None:
    """One forged packet with its upper tiers must not hold the stream where it says."""
    stream = Stream(make_packet)
    stream.insert(70_000, 0, 1, 2)
    for frame in range(4):
        stream.insert(frame, 0, 1, 2, late_s=70_000 * FRAME_S)
    assert stream.buffer.stats.resyncs == 1
    item = stream.buffer.pull(70_010 * FRAME_S)
    assert isinstance(item, Ready)
    assert item.frame_index == 0


def test_a_player_of_fewer_layers_misses_nothing_of_the_others(make_packet: MakePacket) -> None:
    stream = Stream(make_packet, layers=2)
    for frame in range(4):
        stream.insert(frame, 0, 1)
    assert stream.pull(4, DELAY_S) == [2] * 4
    assert stream.buffer.stats.thinned_frames == 0


def test_a_tier_that_was_left_is_played_out_and_then_not_missed(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    for frame in range(4):
        stream.insert(frame, 0, 1, 2)
    stream.buffer.follow((0,))
    for frame in range(4, 8):
        stream.insert(frame, 0)
    assert stream.pull(8, DELAY_S) == [4] * 4 + [1] * 4
    assert stream.buffer.stats.thinned_frames == 0


def test_a_tier_that_was_joined_is_missed_once_it_had_time_to_come(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    stream.buffer.follow((0,))
    stream.insert(0, 0)
    stream.buffer.follow((0, 1))
    frames = 60
    for frame in range(1, frames):
        stream.insert(frame, 0)
        if frame >= 5:
            stream.pull(1, frame * FRAME_S)
    played = frames - 5
    assert stream.buffer.stats.thinned_frames == played - round(FOLLOW_S / FRAME_S) - 1


def test_whole_frames_may_be_taken_early_once_a_tier_was_left(make_packet: MakePacket) -> None:
    stream = Stream(make_packet)
    for frame in range(4):
        stream.insert(frame, 0)
    assert stream.pull(1, DELAY_S) == [1]
    assert stream.buffer.pull_ahead(2) == []
    stream.buffer.follow((0,))
    assert [item.frame_index for item in stream.buffer.pull_ahead(2)] == [1, 2]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 120), st.integers(0, 2**32 - 1)),
            st.integers(1, 25),
            st.floats(0.0, 0.4),
            st.integers(0, 5),
            st.integers(0, 2),
            st.integers(1, 3),
        ),
        max_size=60,
    ),
    st.integers(-1, 200),
)
def test_every_frame_due_is_accounted_for_whatever_comes_on_whatever_tier(
    steps: list[tuple[int, int, float, int, int, int]], last_frame: int
) -> None:
    buffer = JitterBuffer(JitterConfig(FRAME_S, 0.16), TierMap(TIERS, num_layers=4))
    now, ready, lost = 0.0, 0, 0
    for index, frames, pause, pulls, tier, followed in steps:
        now += pause
        codes = np.ones((TIERS[tier].num_layers, frames), dtype=np.uint16)
        buffer.insert(TokenPacket(5, index, codes), now, tier=tier)
        buffer.follow(range(followed))
        for _ in range(pulls):
            item = buffer.pull(now)
            ready += isinstance(item, Ready)
            lost += isinstance(item, Lost)
            assert not isinstance(item, Ready) or item.codes[0] >= 0
        assert buffer.due_frames == ready + lost + buffer.stats.skipped_frames
    lost -= buffer.end(last_frame)
    assert buffer.due_frames == ready + lost + buffer.stats.skipped_frames
    assert buffer.stats.thinned_frames <= ready

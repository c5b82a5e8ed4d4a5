"""The receiver's list: late, duplicate, reordered, wrap-around, gap, long gap, overlap, restart, stall then burst."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_player.buffer.jitter_buffer import InsertResult, JitterBuffer, JitterConfig, Lost, Ready, Silent, Wait
from edge_player.intake.tiers import TierMap
from protocol.manifest import Tier
from protocol.packet import TokenPacket

MakeBuffer = Callable[..., JitterBuffer]
MakePacket = Callable[..., TokenPacket]
FRAME_S = 0.08


def drain(buffer: JitterBuffer, start: float, frames: int) -> list[Ready | Lost | Silent | Wait]:
    """Pull as a sink does: one frame every 80 ms."""
    return [buffer.pull(start + index * FRAME_S) for index in range(frames)]


def indices(items: list[Ready | Lost | Silent | Wait]) -> list[int | str]:
    """Frame indices of what was ready, `-` for a loss, `.` for a wait."""
    names: list[int | str] = []
    for item in items:
        names.append(item.frame_index if isinstance(item, Ready) else "-" if isinstance(item, Lost) else ".")
    return names


def fill(buffer: JitterBuffer, make_packet: MakePacket, frames: range, start: float = 0.0) -> None:
    for frame in frames:
        assert buffer.insert(make_packet(frame), start + frame * FRAME_S) is InsertResult.ACCEPTED


def test_nothing_is_due_before_the_first_packet(make_buffer: MakeBuffer) -> None:
    assert make_buffer().pull(0.0) == Wait(None)


def test_the_first_frame_is_due_one_playout_delay_after_its_arrival(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=0.16)
    buffer.insert(make_packet(0), 10.0)
    assert buffer.pull(10.0) == Wait(10.16)
    assert buffer.pull(10.159) == Wait(10.16)
    item = buffer.pull(10.16)
    assert isinstance(item, Ready)
    assert item.frame_index == 0
    assert item.fresh


def test_a_clean_stream_comes_out_whole_and_in_order(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    out = []
    for tick in range(60):
        if tick < 50:
            buffer.insert(make_packet(tick), tick * FRAME_S)
        out.append(buffer.pull(tick * FRAME_S + 0.001))
        if tick == 49:
            buffer.end(49)
    assert [name for name in indices(out) if name != "."] == list(range(50))
    assert buffer.due_frames == 50
    assert buffer.ended


def test_five_frames_a_packet_play_without_a_loss(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer(delay_s=1.2, frames_per_packet=5)
    out = []
    for tick in range(120):
        if tick % 5 == 4 and tick < 100:
            buffer.insert(make_packet(tick - 4, 5), tick * FRAME_S)
        out.append(buffer.pull(tick * FRAME_S + 0.001))
    assert [name for name in indices(out) if name != "."][:100] == list(range(100))


def test_codes_come_out_as_they_went_in(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    packet = make_packet(0, 3)
    buffer.insert(packet, 0.0)
    for offset, item in enumerate(drain(buffer, 0.2, 3)):
        assert isinstance(item, Ready)
        assert item.codes.dtype == np.int64
        assert item.codes.tolist() == packet.codes[:, offset].tolist()


def test_loss_is_decided_when_the_frame_is_pulled(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    for frame in (0, 1, 3, 4):
        buffer.insert(make_packet(frame), frame * FRAME_S)
    assert indices(drain(buffer, 0.16, 5)) == [0, 1, "-", 3, 4]
    assert buffer.stats.gaps == 1
    assert buffer.stats.gap_frames == 1


def test_a_late_packet_is_counted_and_dropped(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(2))
    buffer.insert(make_packet(3), 0.24)
    assert indices(drain(buffer, 0.16, 3)) == [0, 1, "-"]
    assert buffer.insert(make_packet(2), 0.35) is InsertResult.LATE
    assert buffer.stats.late == 1
    assert indices([buffer.pull(0.4)]) == [3]


def test_a_duplicate_is_counted_whether_its_frame_waits_or_was_played(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(2))
    assert buffer.insert(make_packet(1), 0.1) is InsertResult.DUPLICATE
    assert indices(drain(buffer, 0.16, 2)) == [0, 1]
    assert buffer.insert(make_packet(0), 0.3) is InsertResult.DUPLICATE
    assert buffer.stats.duplicates == 2
    assert buffer.stats.late == 0


def test_reordered_packets_are_counted_and_put_in_order(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    for frame in (0, 2, 1, 3):
        assert buffer.insert(make_packet(frame), 0.01 * frame) is InsertResult.ACCEPTED
    assert indices(drain(buffer, 0.2, 4)) == [0, 1, 2, 3]
    assert buffer.stats.reordered == 1


def test_a_first_packet_that_overtook_earlier_ones_does_not_cost_them(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    buffer.insert(make_packet(2), 0.0)
    assert buffer.insert(make_packet(1), 0.01) is InsertResult.ACCEPTED
    assert indices(drain(buffer, 0.2, 2)) == [1, 2]
    assert buffer.due_frames == 2


def test_overlapping_packets_give_each_frame_once(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    buffer.insert(make_packet(0, 4), 0.0)
    assert buffer.insert(make_packet(2, 4), 0.1) is InsertResult.ACCEPTED
    assert indices(drain(buffer, 0.2, 6)) == [0, 1, 2, 3, 4, 5]
    assert buffer.stats.overlaps == 1


@pytest.mark.parametrize("border", [65536, 2**31, 2**32, 2**33])
def test_indices_run_on_over_every_border(border: int, make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer(first_frame=border - 3)
    for frame in range(border - 3, border + 3):
        buffer.insert(make_packet(frame), (frame - border) * FRAME_S)
    out = drain(buffer, 0.0, 6)
    assert indices(out) == list(range(border - 3, border + 3))


def test_a_packet_from_before_the_epoch_is_refused(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    assert buffer.insert(make_packet(2**32 - 5), 0.0) is InsertResult.REFUSED
    assert buffer.pull(1.0) == Wait(None)
    assert buffer.stats.refused == 1


def test_a_gap_is_lost_frame_by_frame_at_the_pace_of_the_sink(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(2))
    assert indices(drain(buffer, 0.16, 12)) == [0, 1, *["-"] * 10]
    buffer.insert(make_packet(12), 1.0)
    item = buffer.pull(1.2)
    assert isinstance(item, Ready)
    assert item.frame_index == 12
    assert not item.fresh


def test_after_a_long_gap_the_decoder_starts_afresh(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(1))
    drain(buffer, 0.16, 20)
    buffer.insert(make_packet(20), 1.7)
    item = buffer.pull(0.16 + 20 * FRAME_S)
    assert isinstance(item, Ready)
    assert item.fresh


def test_when_nothing_comes_for_four_seconds_nothing_is_due_any_more(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(1))
    out = indices(drain(buffer, 0.16, 60))
    assert out == [0, *["-"] * 50, *["."] * 9]
    assert buffer.starved
    assert buffer.due_frames == 51
    # It resumes at the live edge one delay after the next packet; what lies between was skipped.
    buffer.insert(make_packet(70), 6.0)
    assert buffer.pull(6.0) == Wait(6.16)
    assert indices([buffer.pull(6.16)]) == [70]
    assert buffer.stats.skipped_frames == 19
    assert buffer.due_frames == 71


def test_one_far_packet_moves_nothing(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    assert buffer.insert(make_packet(2**31 - 100), 0.2) is InsertResult.HELD
    assert indices(drain(buffer, 0.2, 3)) == [0, 1, 2]
    assert buffer.stats.skipped_frames == 0
    # A packet that fits in between makes the far one forgotten: its twin is only held in turn.
    buffer.insert(make_packet(3), 0.3)
    assert buffer.insert(make_packet(2**31 - 99), 0.4) is InsertResult.HELD


@pytest.mark.parametrize("forged", [2**31 - 100, 5000, 0])
def test_one_far_packet_that_comes_first_moves_nothing(
    make_buffer: MakeBuffer, make_packet: MakePacket, forged: int
) -> None:
    buffer = make_buffer()
    buffer.insert(make_packet(forged), -0.01)
    for number in range(3):
        buffer.insert(make_packet(1000 + number), number * FRAME_S)
    assert indices(drain(buffer, 0.17, 3)) == [1000, 1001, 1002]
    assert (buffer.due_frames, buffer.stats.skipped_frames, buffer.stats.resyncs) == (3, 0, 1)


def test_two_far_packets_that_agree_move_the_play_position_without_a_loop(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    target = 2**31 - 100
    tracemalloc.start()
    started = time.perf_counter()
    buffer.insert(make_packet(target), 0.24)
    assert buffer.insert(make_packet(target + 1), 0.32) is InsertResult.RESYNCED
    seconds = time.perf_counter() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.1
    assert peak < 1_000_000
    assert indices(drain(buffer, 0.4, 2)) == [target, target + 1]
    assert buffer.due_frames == target + 2
    assert buffer.stats.skipped_frames == target


def test_packets_from_far_behind_are_late_while_the_stream_plays(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(1000, 1003))
    for frame in (0, 1, 2, 3):
        assert buffer.insert(make_packet(frame), 81.0) in (InsertResult.LATE, InsertResult.HELD)
    assert indices(drain(buffer, 81.0, 3)) == [1000, 1001, 1002]


def test_a_sender_that_went_back_is_believed_once_nothing_else_plays(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(1000, 1003), start=-80.0)
    drain(buffer, 0.2, 60)
    assert buffer.starved
    buffer.insert(make_packet(0), 6.0)
    assert buffer.insert(make_packet(1), 6.08) is InsertResult.RESYNCED
    assert indices(drain(buffer, 6.2, 2)) == [0, 1]
    assert buffer.due_frames == 53 + 2


def test_stall_then_burst_drops_what_is_late_and_goes_on_in_time(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    out = drain(buffer, 0.16, 9)  # frames 0-2, then a stall of 480 ms
    assert indices(out) == [0, 1, 2, *["-"] * 6]
    results = [buffer.insert(make_packet(frame), 0.87) for frame in range(3, 12)]
    assert results == [InsertResult.LATE] * 6 + [InsertResult.ACCEPTED] * 3
    assert indices(drain(buffer, 0.16 + 9 * FRAME_S, 3)) == [9, 10, 11]
    assert buffer.due_frames == 12


def test_a_link_that_became_slower_is_followed_instead_of_dropping_all(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    out: list[Ready | Lost | Silent | Wait] = []
    for tick in range(200):
        now = tick * FRAME_S
        if tick < 20:
            buffer.insert(make_packet(tick), now)
        elif tick >= 30:
            buffer.insert(make_packet(tick - 10), now)  # 800 ms later than before, for ever
        out.append(buffer.pull(now + 0.001))
    names = indices(out)
    assert buffer.stats.relocks == 1
    played = [name for name in names if isinstance(name, int)]
    assert played == sorted(played)
    assert all(isinstance(name, int) for name in names[-100:])


def test_a_burst_after_a_relock_keeps_the_delay_small(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(1))
    drain(buffer, 0.16, 31)  # frame 0, then 30 losses: 2.4 s of stall
    for frame in range(1, 33):
        buffer.insert(make_packet(frame), 2.6)
    # Frame 32 is the newest, so the newest one sets the time: its neighbours follow one delay later at most.
    item = buffer.pull(2.76)
    assert isinstance(item, Ready)
    assert item.frame_index == 31


def test_too_much_in_store_is_skipped_to_the_live_edge(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    drain(buffer, 0.16, 3)
    for frame in range(3, 33):  # the sink stood still for 2.4 s
        buffer.insert(make_packet(frame), frame * FRAME_S)
    item = buffer.pull(2.7)
    assert isinstance(item, Ready)
    assert item.frame_index == 33 - buffer.config.target_frames
    assert item.fresh
    assert buffer.stats.skipped_frames == item.frame_index - 3
    assert buffer.due_frames == item.frame_index + 1


def test_storage_is_bounded_whatever_comes(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    for frame in range(0, 20000, 25):
        buffer.insert(make_packet(frame, 25), 0.0)
    assert buffer.stored_frames <= buffer.config.max_gap_frames + 25 + 1


def test_the_end_is_played_to_its_last_frame(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    buffer.end(3)  # frame 3 never comes
    assert indices(drain(buffer, 0.16, 5)) == [0, 1, 2, "-", "."]
    assert buffer.ended
    assert buffer.due_frames == 4
    assert buffer.insert(make_packet(4), 1.0) is InsertResult.REFUSED


def test_losses_beyond_the_end_are_taken_back(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    drain(buffer, 0.16, 7)
    assert buffer.due_frames == 7
    assert buffer.end(2) == 4
    assert buffer.due_frames == 3
    assert buffer.ended


def test_an_end_before_what_was_played_is_not_believed(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(5))
    drain(buffer, 0.16, 3)
    assert buffer.end(0) == 0
    assert indices(drain(buffer, 0.4, 2)) == [3, 4]


def test_an_epoch_without_a_frame_ends_at_once(make_buffer: MakeBuffer) -> None:
    buffer = make_buffer()
    assert buffer.end(-1) == 0
    assert buffer.ended
    assert buffer.due_frames == 0


def test_an_end_that_overtook_the_only_packet_waits_for_it(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    buffer.end(0)
    assert buffer.pull(1.0) == Wait(2.0)
    buffer.insert(make_packet(0), 1.1)
    assert indices(drain(buffer, 1.26, 2)) == [0, "."]
    assert buffer.ended


@pytest.mark.parametrize("last_word", ["end", "close"])
def test_an_epoch_that_is_over_before_its_first_packet_is_not_waited_for_for_ever(
    last_word: str, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer()
    if last_word == "end":
        buffer.end(7)
    else:
        buffer.close()
    assert buffer.pull(1.0) == Wait(2.0)
    assert buffer.pull(2.0) == Wait(None)
    assert buffer.ended
    assert buffer.due_frames == 0


def test_a_closed_buffer_plays_what_it_has(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(3))
    buffer.close()
    assert indices(drain(buffer, 0.16, 4)) == [0, 1, 2, "."]
    assert buffer.ended
    assert buffer.due_frames == 3


def test_an_abandoned_buffer_counts_what_it_had_as_skipped(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(5))
    drain(buffer, 0.16, 2)
    buffer.abandon()
    assert buffer.due_frames == 5
    assert buffer.stats.skipped_frames == 3


def test_who_is_there_from_the_start_counts_a_lost_head(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    buffer.expect(0)
    buffer.insert(make_packet(2), 1.0)
    assert indices(drain(buffer, 1.0, 3)) == ["-", "-", 2]
    assert buffer.due_frames == 3


def test_tiers_give_the_unbroken_run_of_layers(make_packet: MakePacket) -> None:
    tiers = TierMap((Tier(0, 1), Tier(1, 1), Tier(2, 2)), num_layers=4)
    buffer = JitterBuffer(JitterConfig(FRAME_S, 0.16), tiers)
    present = {0: (0, 1, 2), 1: (0, 2), 2: (1, 2), 3: (0,)}
    for frame, numbers in present.items():
        for tier in numbers:
            layers = 2 if tier == 2 else 1
            buffer.insert(make_packet(frame, layers=layers), frame * FRAME_S, tier=tier)
    out = drain(buffer, 0.16, 4)
    assert indices(out) == [0, 1, "-", 3]  # frame 2 lacks layer 0
    layers_of = [int((item.codes >= 0).sum()) for item in out if isinstance(item, Ready)]
    assert layers_of == [4, 1, 1]


def test_a_packet_on_a_tier_that_does_not_exist_is_refused(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    assert make_buffer().insert(make_packet(0), 0.0, tier=3) is InsertResult.REFUSED


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 120), st.integers(0, 2**32 - 1)),
            st.integers(1, 25),
            st.floats(0.0, 0.4),
            st.integers(0, 5),
        ),
        max_size=60,
    ),
    st.integers(-1, 200),
)
def test_every_frame_due_is_accounted_for_whatever_comes(
    steps: list[tuple[int, int, float, int]], last_frame: int
) -> None:
    buffer = JitterBuffer(JitterConfig(FRAME_S, 0.16), TierMap.single(1))
    now, ready, lost = 0.0, 0, 0
    for index, frames, pause, pulls in steps:
        now += pause
        buffer.insert(TokenPacket(5, index, np.ones((1, frames), dtype=np.uint16)), now)
        for _ in range(pulls):
            item = buffer.pull(now)
            ready += isinstance(item, Ready)
            lost += isinstance(item, Lost)
        assert buffer.due_frames == ready + lost + buffer.stats.skipped_frames
    lost -= buffer.end(last_frame)
    assert buffer.due_frames == ready + lost + buffer.stats.skipped_frames


def test_frames_that_are_here_may_be_taken_before_they_are_due(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=1.2, frames_per_packet=5)
    buffer.insert(make_packet(0, 5), 0.0)
    assert buffer.pull_ahead(1) == [], "not before the first one was due"
    assert isinstance(buffer.pull(1.2), Ready)
    assert [item.frame_index for item in buffer.pull_ahead(3)] == [1, 2, 3]
    assert buffer.pull_ahead(2) == [], "one is here, two were wanted"
    assert (buffer.due_frames, buffer.next_frame) == (4, 4)
    assert buffer.insert(make_packet(0, 5), 1.25) is InsertResult.DUPLICATE
    assert buffer.insert(make_packet(5, 5), 1.3) is InsertResult.ACCEPTED
    assert [item.frame_index for item in buffer.pull_ahead(2)] == [4, 5]


def test_a_frame_that_lacks_a_tier_is_not_taken_early(make_packet: MakePacket) -> None:
    config = JitterConfig(frame_duration_s=FRAME_S, playout_delay_s=0.5)
    buffer = JitterBuffer(config, TierMap([Tier(0, 2), Tier(2, 2)], num_layers=4))
    for frame in range(3):
        buffer.insert(make_packet(frame, layers=2), 0.0, tier=0)
    assert isinstance(buffer.pull(0.5), Ready)
    assert buffer.pull_ahead(1) == []
    buffer.insert(make_packet(1, layers=2), 0.51, tier=1)
    (early,) = buffer.pull_ahead(1)
    assert (early.frame_index, int((early.codes >= 0).sum())) == (1, 4)


def test_nothing_is_taken_early_behind_a_loss_at_the_live_edge_or_past_the_end(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer()
    fill(buffer, make_packet, range(1))
    assert isinstance(buffer.pull(0.16), Ready)
    assert isinstance(buffer.pull(0.24), Lost)
    buffer.insert(make_packet(2, 2), 0.25)
    assert buffer.pull_ahead(1) == []
    assert isinstance(buffer.pull(0.32), Ready)
    buffer.end(3)
    assert buffer.pull_ahead(2) == []
    assert len(buffer.pull_ahead(1)) == 1
    full = make_buffer()
    full.insert(make_packet(0), 0.0)
    assert isinstance(full.pull(0.16), Ready)
    full.insert(make_packet(1, full.config.capacity_frames + 1), 0.17)
    assert full.pull_ahead(1) == []


def test_time_in_which_nobody_pulled_is_skipped_and_accounted_for(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=0.16)
    fill(buffer, make_packet, range(10))
    assert indices(drain(buffer, 0.16, 5)) == [0, 1, 2, 3, 4]
    buffer.pass_over(20.0)
    assert (buffer.next_frame, buffer.stored_frames) == (255, 0)
    assert buffer.insert(make_packet(200), 20.6) is InsertResult.LATE
    assert buffer.insert(make_packet(256), 20.6) is InsertResult.ACCEPTED
    assert indices(drain(buffer, 20.6, 2)) == ["-", 256]
    assert buffer.due_frames == 257 == 5 + 1 + 1 + buffer.stats.skipped_frames


def test_a_moment_in_which_nobody_pulled_leaves_what_is_still_in_time(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=1.2)
    fill(buffer, make_packet, range(15))
    assert indices(drain(buffer, 1.2, 1)) == [0]
    buffer.pass_over(0.5)
    item = buffer.pull(1.8)
    assert isinstance(item, Ready)
    assert (item.frame_index, item.fresh) == (7, True)
    assert buffer.stats.skipped_frames == 6


@pytest.mark.parametrize("lost_before", [0, 3])
@pytest.mark.parametrize("lost_after", [0, 4])
def test_an_epoch_that_ended_while_nobody_pulled_has_no_frames_beyond_its_end(
    make_buffer: MakeBuffer, make_packet: MakePacket, lost_before: int, lost_after: int
) -> None:
    buffer = make_buffer(delay_s=0.16)
    fill(buffer, make_packet, range(5))
    drain(buffer, 0.16, 5 + lost_before)
    buffer.pass_over(20.0)
    drain(buffer, 21.0, lost_after)
    assert buffer.end(4) == lost_before + lost_after
    assert (buffer.due_frames, buffer.stats.skipped_frames, buffer.ended) == (5, 0, True)


def test_an_end_that_lies_in_the_time_passed_over_is_believed(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer(delay_s=0.16)
    fill(buffer, make_packet, range(5))
    drain(buffer, 0.16, 2)
    buffer.pass_over(20.0)
    assert buffer.end(99) == 0
    assert (buffer.due_frames, buffer.stats.skipped_frames, buffer.ended) == (100, 98, True)


def test_nothing_is_passed_over_beyond_a_known_end_or_while_nothing_plays(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=0.16)
    buffer.pass_over(20.0)
    fill(buffer, make_packet, range(5))
    buffer.pass_over(20.0)
    assert buffer.next_frame == 0
    drain(buffer, 0.16, 2)
    buffer.end(4)
    buffer.pass_over(20.0)
    assert (buffer.due_frames, buffer.stats.skipped_frames) == (5, 3)
    assert buffer.pull(30.0) == Wait(None)
    assert buffer.ended


def test_a_burst_after_a_break_begins_where_the_sound_would_be_by_now(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=1.2)
    fill(buffer, make_packet, range(15))
    drain(buffer, 1.2, 15 + 60)  # starved: nothing is due any more
    assert buffer.starved
    for frame in range(80, 105):  # two seconds of speech at once, the newest of it fresh
        assert buffer.insert(make_packet(frame), 20.0) is InsertResult.ACCEPTED
    item = buffer.pull(20.0)
    assert isinstance(item, Ready)
    assert item.frame_index == 89, "the newest frame, 104, is due 1.2 s after it came"
    assert buffer.due_frames == 90


def test_arrivals_tell_how_far_from_their_turn_packets_came(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer(delay_s=0.16)
    fill(buffer, make_packet, range(3))
    assert buffer.take_arrivals() == [], "nothing has a turn yet"
    drain(buffer, 0.16, 2)
    buffer.insert(make_packet(3), 0.25)
    buffer.insert(make_packet(3), 0.26)  # a duplicate says nothing new
    buffer.insert(make_packet(5), 0.27)
    assert buffer.take_arrivals() == [(1, 0.25), (3, 0.27)]
    drain(buffer, 0.32, 3)
    buffer.insert(make_packet(4), 0.6)
    assert buffer.take_arrivals() == [(-1, 0.6)]
    assert buffer.take_arrivals() == []


def test_what_came_before_the_play_out_time_was_set_anew_says_nothing_of_it(
    make_buffer: MakeBuffer, make_packet: MakePacket
) -> None:
    buffer = make_buffer(delay_s=0.16)
    fill(buffer, make_packet, range(3))
    drain(buffer, 0.16, 2)
    buffer.insert(make_packet(3), 0.25)
    before = buffer.retimed
    buffer.pass_over(0.5)
    assert buffer.retimed == before + 1
    assert buffer.take_arrivals() == []

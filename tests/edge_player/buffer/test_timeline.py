"""One epoch after the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import InsertResult, JitterConfig, Lost, Ready, Wait
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.intake.tiers import TierMap
from protocol.event import ClockReport
from protocol.packet import TokenPacket

MakePacket = Callable[..., TokenPacket]
FRAME_S, LAYERS = 0.08, 4
OLD, NEW = 0x0A, 0x1B


def plan(epoch: int, *, first_frame: int = 0) -> EpochPlan:
    return EpochPlan(
        epoch=epoch,
        first_frame=first_frame,
        tiers=TierMap.single(LAYERS),
        jitter=JitterConfig(FRAME_S, 0.16),
        capture=CaptureClock(started_at_ms=0, frame_duration_s=FRAME_S),
    )


def pull(timeline: Timeline, start: float, frames: int) -> list[str]:
    """What a sink gets, as `epoch:frame`, `-` or `.`, and the ledger kept as play-out keeps it."""
    out = []
    for index in range(frames):
        item = timeline.pull(start + index * FRAME_S)
        track = timeline.current
        if isinstance(item, Wait) or track is None:
            out.append(".")
        elif isinstance(item, Ready):
            track.ledger.count_played()
            out.append(f"{track.plan.epoch}:{item.frame_index}")
        else:
            assert isinstance(item, Lost)
            track.ledger.count_lost(audible=False)
            out.append("-")
    return out


def send(timeline: Timeline, make_packet: MakePacket, epoch: int, frames: range, at: float) -> None:
    for frame in frames:
        timeline.insert(make_packet(frame, epoch=epoch), at)


@pytest.fixture
def switches() -> list[int]:
    return []


@pytest.fixture
def timeline(switches: list[int]) -> Timeline:
    return Timeline(on_switch=lambda plan: switches.append(plan.epoch))


def test_nothing_is_due_before_an_epoch(timeline: Timeline) -> None:
    assert timeline.pull(0.0) == Wait(None)
    assert not timeline.ended


def test_packets_of_an_unknown_epoch_are_counted(timeline: Timeline, make_packet: MakePacket) -> None:
    timeline.open(plan(OLD))
    assert timeline.insert(make_packet(0, epoch=NEW), 0.0) is None
    assert timeline.unknown_epoch == 1


def test_an_epoch_is_opened_once(timeline: Timeline, switches: list[int]) -> None:
    assert timeline.open(plan(OLD))
    assert not timeline.open(plan(OLD))
    assert switches == [OLD]
    assert timeline.epochs == 1


def test_an_ended_epoch_is_played_out_before_the_next_begins(
    timeline: Timeline, make_packet: MakePacket, switches: list[int]
) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(3), 0.0)
    timeline.end(OLD, 2)
    timeline.open(plan(NEW))
    for frame in range(3):
        send(timeline, make_packet, NEW, range(frame, frame + 1), 0.3 + frame * FRAME_S)
    assert pull(timeline, 0.16, 3) == ["10:0", "10:1", "10:2"]
    assert pull(timeline, 0.40, 1) == ["."]
    assert pull(timeline, 0.46, 3) == ["27:0", "27:1", "27:2"]
    assert switches == [OLD, NEW]
    total = timeline.totals()
    assert (total.due, total.played, total.balanced) == (6, 6, True)


def test_a_sender_restart_is_followed_when_its_first_frame_is_due(
    timeline: Timeline, make_packet: MakePacket, switches: list[int]
) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(3), 0.0)
    assert pull(timeline, 0.16, 6) == ["10:0", "10:1", "10:2", "-", "-", "-"]
    timeline.open(plan(NEW))  # the old one never said a last word
    send(timeline, make_packet, NEW, range(2), 0.6)
    assert pull(timeline, 0.64, 1) == ["-"]
    assert pull(timeline, 0.78, 2) == ["27:0", "27:1"]
    assert switches == [OLD, NEW]
    assert timeline.totals().balanced
    assert [ledger.balanced for ledger in timeline.past] == [True]


def test_old_packets_after_a_restart_go_to_the_old_epoch(timeline: Timeline, make_packet: MakePacket) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(2), 0.0)
    timeline.open(plan(NEW))
    assert timeline.insert(make_packet(2, epoch=OLD), 0.1) is InsertResult.ACCEPTED
    assert pull(timeline, 0.16, 3) == ["10:0", "10:1", "10:2"]


def test_frames_not_played_at_the_switch_are_skipped(timeline: Timeline, make_packet: MakePacket) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(9), 0.0)
    timeline.open(plan(NEW))
    send(timeline, make_packet, NEW, range(2), 0.1)
    assert pull(timeline, 0.16, 1) == ["10:0"]
    assert pull(timeline, 0.26, 2) == ["27:0", "27:1"]
    total = timeline.totals()
    assert total.skipped == 8
    assert total.balanced


def test_a_starved_epoch_gives_way_at_once(timeline: Timeline, make_packet: MakePacket) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(1), 0.0)
    pull(timeline, 0.16, 60)
    assert timeline.open(plan(NEW))
    current = timeline.current
    assert current is not None
    assert current.plan.epoch == NEW


def test_losses_beyond_the_end_leave_the_ledger_too(timeline: Timeline, make_packet: MakePacket) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(3), 0.0)
    pull(timeline, 0.16, 8)
    assert timeline.end(OLD, 2)
    total = timeline.totals()
    assert (total.due, total.played, total.comfort) == (3, 3, 0)
    assert timeline.ended


def test_an_unknown_end_changes_nothing(timeline: Timeline) -> None:
    assert not timeline.end(NEW, 5)


def test_a_closed_stream_ends_after_what_came(timeline: Timeline, make_packet: MakePacket) -> None:
    timeline.open(plan(OLD))
    send(timeline, make_packet, OLD, range(2), 0.0)
    timeline.close()
    assert pull(timeline, 0.16, 3) == ["10:0", "10:1", "."]
    assert timeline.ended


def test_counters_of_past_epochs_are_kept(timeline: Timeline, make_packet: MakePacket) -> None:
    for number in range(5):
        epoch = 40 + number
        timeline.open(plan(epoch))
        at = number * 10.0
        send(timeline, make_packet, epoch, range(2), at)
        timeline.insert(make_packet(1, epoch=epoch), at)
        timeline.end(epoch, 1)
        pull(timeline, at + 0.16, 3)
    assert timeline.stats().duplicates == 5
    assert timeline.totals().due == 10
    assert timeline.epochs == 5


def test_clock_reports_go_to_their_epoch(timeline: Timeline) -> None:
    timeline.open(plan(OLD))
    timeline.report_clock(ClockReport(OLD, 100, 9000, 0.0))
    timeline.report_clock(ClockReport(NEW, 100, 1, 0.0))
    current = timeline.current
    assert current is not None
    assert current.plan.capture.captured_at_ms(101) == pytest.approx(9080)

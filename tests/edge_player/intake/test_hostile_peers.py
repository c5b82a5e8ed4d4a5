"""What somebody can do who may publish where the player listens: floods, forged and old messages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from codec.spec import CodecSpec
from edge_player.buffer.jitter_values import Ready
from edge_player.intake.inbox import InboxKind
from edge_player.intake.receiver_values import StreamState
from edge_player.intake.succession import ALIVE_S
from protocol.event import StreamStopped, encode_event
from protocol.limits import MAX_BURST_S, MAX_RATE_FACTOR
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket
from protocol.status import StatusMessage, encode_status
from tests.edge_player.conftest import FakeClock
from tests.edge_player.intake.post import Post

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
EPOCH, OTHER = 0x1234_5678_9ABC_DE05, 0x1234_5678_9ABC_DE06
RATE, FRAME_S = 12.5, 0.08
LATER_MS, EARLIER_MS = 5_000_000, 4_000_000


@pytest.fixture
def post(spec: CodecSpec) -> Post:
    return Post(spec)


@pytest.fixture
def playing(post: Post, make_manifest: MakeManifest, make_packet: MakePacket, clock: FakeClock) -> Post:
    """A player whose stream is at frame 10, the last one of which came just now."""
    post.manifest(make_manifest(started_at_ms=LATER_MS), clock())
    for frame in range(10):
        post.packet(make_packet(frame), clock.advance(FRAME_S))
    return post


def test_a_flood_is_limited_before_it_is_parsed_and_counted(playing: Post, clock: FakeClock) -> None:
    """Garbage, so that each packet that is parsed shows in `packets_bad`."""
    seconds, rate = 20, 1000
    for _ in range(seconds * rate):
        playing.raw(InboxKind.TOKENS, b"\xc1", clock.advance(1 / rate))
    stats = playing.receiver.stats
    assert stats.packets_bad + stats.flood_dropped == seconds * rate
    assert stats.packets_bad == pytest.approx(MAX_BURST_S * RATE + MAX_RATE_FACTOR * RATE * seconds, rel=0.02)


def test_after_a_flood_the_stream_is_heard_again(playing: Post, make_packet: MakePacket, clock: FakeClock) -> None:
    for _ in range(2000):
        playing.raw(InboxKind.TOKENS, b"\xc1", clock.advance(0.001))
    dropped = playing.receiver.stats.flood_dropped
    for frame in range(35, 60):
        playing.packet(make_packet(frame), clock.advance(FRAME_S))
    assert playing.receiver.stats.flood_dropped == dropped
    assert playing.timeline.stats().accepted >= 10 + 25


def test_a_flood_is_said_once_an_episode(playing: Post, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for _ in range(2000):
                playing.raw(InboxKind.TOKENS, b"\xc1", clock.advance(0.001))
            clock.advance(60)
    said = [record.message for record in caplog.records if "is no packet" not in record.message]
    assert (
        said == ["stream lobby: more than 4 times the usual 12.5 packets a second come; dropping what is too much"] * 2
    )


def test_bad_packets_are_counted_each_and_said_once_an_episode(
    playing: Post, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for _ in range(100):
                playing.raw(InboxKind.TOKENS, b"\xc1", clock.advance(FRAME_S))
            clock.advance(60)
    assert playing.receiver.stats.packets_bad == 200
    assert len(caplog.records) == 2
    assert all("what came on its topic t0 is no packet" in record.message for record in caplog.records)


def test_runs_of_garbage_between_good_packets_silence_none_of_them(
    playing: Post, make_packet: MakePacket, clock: FakeClock
) -> None:
    """Why bad packets mute nothing: 30 in a row, time and again, may come from anybody who can publish there."""
    accepted = playing.timeline.stats().accepted
    frames = range(10, 210)
    for frame in frames:
        at = clock.advance(FRAME_S)
        for _ in range(30 if frame % 12 == 0 else 0):
            playing.raw(InboxKind.TOKENS, b"\xc1", at)
        playing.packet(make_packet(frame), at)
        playing.timeline.pull(at)
    stats = playing.receiver.stats
    assert (stats.packets_bad, stats.flood_dropped) == (30 * 17, 0)
    assert playing.timeline.stats().accepted - accepted == len(frames)


@pytest.mark.parametrize("frames_per_packet", [1, 5])
def test_ten_seconds_of_packets_at_once_after_a_stall_are_no_flood(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket, clock: FakeClock, frames_per_packet: int
) -> None:
    post.manifest(make_manifest(frames_per_packet=frames_per_packet), clock())
    frame = 0
    for stall_s in (0.0, 10.0, 0.0, 10.0):
        at = clock.advance(stall_s)
        for _ in range(round(stall_s / FRAME_S / frames_per_packet)):
            post.packet(make_packet(frame, frames_per_packet), at)
            frame += frames_per_packet
        for _ in range(5):
            post.packet(make_packet(frame, frames_per_packet), clock.advance(FRAME_S * frames_per_packet))
            frame += frames_per_packet
    assert frame >= 250
    assert post.receiver.stats.flood_dropped == 0


def test_every_tier_that_is_played_adds_to_the_usual_rate(
    post: Post, make_manifest: MakeManifest, clock: FakeClock
) -> None:
    post.manifest(make_manifest(tiers=((0, 1), (1, 1), (2, 2))), clock())
    for _ in range(1000):
        post.raw(InboxKind.TOKENS, b"\xc1", clock())
    assert post.receiver.stats.packets_bad == int(3 * RATE * MAX_BURST_S)


def test_bad_manifests_are_counted_each_and_said_once(
    post: Post, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(500):
            post.raw(InboxKind.MANIFEST, b"{", clock.advance(0.01))
    assert post.receiver.stats.manifests_bad == 500
    assert len(caplog.records) == 1


def test_a_manifest_of_another_stream_opens_nothing(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(replace(make_manifest(), stream="office"))
    assert post.receiver.stats.manifests_bad == 1
    assert post.timeline.newest_epoch is None


def test_a_packet_on_a_tier_that_the_manifest_does_not_name_never_reaches_the_buffer(
    playing: Post, make_packet: MakePacket
) -> None:
    before = playing.timeline.stats()
    for tier in (1, 2, 3):
        playing.packet(make_packet(10), tier=tier)
    assert playing.receiver.stats.packets_bad == 3
    assert playing.timeline.stats() == before


def test_a_packet_of_another_epoch_moves_nothing(playing: Post, make_packet: MakePacket) -> None:
    before = playing.timeline.stats()
    playing.packet(make_packet(10, epoch=OTHER))
    assert playing.receiver.stats.packets_unexpected == 1
    assert playing.timeline.stats() == before


def test_one_packet_far_ahead_or_far_behind_moves_nothing(
    playing: Post, make_packet: MakePacket, clock: FakeClock
) -> None:
    for index in (2**31 - 1, 2**31 + 5, 5000):
        playing.packet(make_packet(index), clock())
        playing.packet(make_packet(10), clock())
    taken = [playing.timeline.pull(clock() + number * FRAME_S) for number in range(11)]
    assert [item.frame_index for item in taken if isinstance(item, Ready)] == list(range(11))
    assert playing.timeline.totals().skipped == 0


@pytest.mark.parametrize(
    "forged",
    [
        StatusMessage("gateway", "gw-1", "offline", 5, epoch=OTHER),
        StatusMessage("gateway", "gw-1", "offline", 5),
        StatusMessage("gateway", "gw-1", "offline", 4, epoch=EPOCH),
        StatusMessage("gateway", "gw-2", "offline", 9, epoch=EPOCH),
        StatusMessage("edge", "gw-1", "offline", 9, epoch=EPOCH),
    ],
    ids=["another epoch", "no epoch", "an earlier session", "another gateway", "a player"],
)
def test_a_forged_will_does_not_end_the_stream(playing: Post, forged: StatusMessage) -> None:
    playing.status("online", epoch=EPOCH, session=5)
    playing.raw(InboxKind.GATEWAY_STATUS, encode_status(forged))
    assert not playing.receiver.gateway_gone
    assert playing.receiver.state == StreamState("online", None, EPOCH)


def test_a_manifest_from_before_does_not_take_the_player_back_while_the_newer_one_is_alive(
    playing: Post,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        for frame in range(10, 200):
            playing.manifest(make_manifest(OTHER, started_at_ms=EARLIER_MS), clock())
            playing.packet(make_packet(frame), clock.advance(FRAME_S))
    assert playing.timeline.newest_epoch == EPOCH
    assert playing.timeline.epochs == 1
    assert playing.receiver.stats.manifests_rolled_back == 190
    assert ["from before the one that plays" in record.message for record in caplog.records] == [True]


def test_a_gateway_started_again_with_its_clock_set_back_is_followed_once_the_former_epoch_is_silent(
    playing: Post, make_manifest: MakeManifest, make_packet: MakePacket, clock: FakeClock
) -> None:
    playing.manifest(make_manifest(OTHER, started_at_ms=EARLIER_MS), clock())
    frame = 0
    for _ in range(round(ALIVE_S / FRAME_S) + 1):
        playing.packet(make_packet(frame, epoch=OTHER), clock.advance(FRAME_S))
        frame += 1
    assert playing.timeline.newest_epoch == OTHER
    playing.packet(make_packet(frame, epoch=OTHER), clock.advance(FRAME_S))
    assert playing.receiver.state == StreamState("online", None, OTHER)
    assert playing.timeline.stats().accepted >= 10 + 1


@pytest.mark.parametrize("how", ["stopped", "its manifest taken away", "offline"])
def test_a_manifest_from_before_is_opened_at_once_where_the_newer_epoch_is_over(
    playing: Post, make_manifest: MakeManifest, clock: FakeClock, how: str
) -> None:
    playing.manifest(make_manifest(OTHER, started_at_ms=EARLIER_MS), clock())
    if how == "stopped":
        playing.raw(InboxKind.EVENT, encode_event(StreamStopped(EPOCH, 0, 9, 1)), clock())
    elif how == "offline":
        playing.status("offline", epoch=EPOCH)
    else:
        playing.raw(InboxKind.MANIFEST, b"", clock())
    assert playing.timeline.newest_epoch == OTHER


def test_a_newer_manifest_makes_the_one_that_waits_forgotten(
    playing: Post, make_manifest: MakeManifest, clock: FakeClock
) -> None:
    playing.manifest(make_manifest(OTHER, started_at_ms=EARLIER_MS), clock())
    playing.manifest(make_manifest(OTHER + 1, started_at_ms=LATER_MS + 1), clock())
    playing.raw(InboxKind.EVENT, b"\xc1", clock.advance(100))
    assert playing.timeline.newest_epoch == OTHER + 1

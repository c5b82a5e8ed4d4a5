"""What messages mean to the player."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from codec.spec import CodecSpec
from edge_player.buffer.jitter_buffer import Ready, Wait
from edge_player.errors import ModelMismatchError
from edge_player.intake.inbox import InboxKind
from edge_player.intake.receiver_values import StreamState
from protocol.event import (
    ClockReport,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamStarted,
    StreamStopped,
    encode_event,
)
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket
from tests.edge_player.intake.post import Post

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
EPOCH = 0x1234_5678_9ABC_DE05


@pytest.fixture
def post(spec: CodecSpec) -> Post:
    return Post(spec)


def test_a_manifest_opens_its_epoch_and_says_what_to_follow(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest(tiers=((0, 2), (2, 2))))
    assert post.timeline.newest_epoch == EPOCH
    assert post.followed == [((0, 1), "gw-1")]
    assert post.states == [StreamState("online", None, EPOCH)]


def test_a_manifest_that_is_announced_again_changes_nothing(post: Post, make_manifest: MakeManifest) -> None:
    for _ in range(3):
        post.manifest(make_manifest())
    assert post.timeline.epochs == 1
    assert len(post.states) == 1


def test_packets_play_one_recommended_delay_after_they_came(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest(delay_ms=1200))
    post.packet(make_packet(0), at=10.0)
    assert isinstance(post.timeline.pull(11.2), Ready)
    assert post.marks == [10.0]


def test_a_delay_of_ones_own_wins_over_the_recommended_one(
    spec: CodecSpec, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post = Post(spec, playout_delay_ms=80)
    post.manifest(make_manifest(delay_ms=1200))
    post.packet(make_packet(0), at=10.0)
    assert isinstance(post.timeline.pull(10.081), Ready)


@pytest.mark.parametrize(("offset_ms", "delay_s"), [(40, 0.2), (-100, 0.06), (-500, 0.0)])
def test_an_offset_moves_the_delay_and_never_below_zero(
    spec: CodecSpec, make_manifest: MakeManifest, make_packet: MakePacket, offset_ms: int, delay_s: float
) -> None:
    post = Post(spec, playout_offset_ms=offset_ms)
    post.manifest(make_manifest(delay_ms=160))
    post.packet(make_packet(0), at=10.0)
    if delay_s:
        assert isinstance(post.timeline.pull(10.0 + delay_s - 0.001), Wait)
    assert isinstance(post.timeline.pull(10.0 + delay_s + 0.001), Ready)


def test_packets_before_their_manifest_wait_for_it(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.packet(make_packet(0), at=10.0)
    post.manifest(make_manifest())
    assert isinstance(post.timeline.pull(10.161), Ready)
    assert post.receiver.stats.packets_early == 1


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\xc1" * 40, b"x" * 4000])
def test_a_bad_packet_is_counted_and_dropped(post: Post, make_manifest: MakeManifest, payload: bytes) -> None:
    post.manifest(make_manifest())
    post.raw(InboxKind.TOKENS, payload)
    assert post.receiver.stats.packets_bad == 1
    assert post.timeline.totals().due == 0


def test_a_retained_packet_was_planted_and_is_dropped(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.packet(make_packet(0), retained=True)
    assert post.receiver.stats.packets_retained == 1
    assert post.receiver.stats.packets_received == 0


def test_a_packet_of_an_unknown_epoch_is_counted(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.packet(make_packet(0, epoch=EPOCH + 1))
    assert post.receiver.stats.packets_unexpected == 1


@pytest.mark.parametrize("payload", [b"{", b"[]", b'{"v": 99}', b"\xff" * 50, b"x" * 5000])
def test_a_bad_manifest_is_counted_and_ignored(post: Post, payload: bytes) -> None:
    post.raw(InboxKind.MANIFEST, payload)
    assert post.receiver.stats.manifests_bad == 1
    assert post.receiver.state.state == "waiting"


def test_a_stream_of_other_weights_is_refused_with_a_reason(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest(weights_sha256="cd" * 32))
    state = post.receiver.state
    assert state.state == "refused"
    assert isinstance(state.error, ModelMismatchError)
    assert state.error.field == "weights_sha256"
    assert "cdcdcdcdcdcd…" in str(state.reason)
    assert post.timeline.newest_epoch is None


def test_a_sealed_stream_is_refused(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest(key_id="key-1"))
    assert post.receiver.state.state == "refused"


def test_a_refused_stream_that_changes_its_codec_is_played(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest(weights_sha256="cd" * 32))
    post.manifest(make_manifest(EPOCH + 1))
    assert post.receiver.state == StreamState("online", None, EPOCH + 1)


def test_the_stop_event_ends_the_epoch_with_its_last_frame(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.raw(InboxKind.EVENT, encode_event(StreamStopped(EPOCH, 0, 1, 1)))
    assert post.receiver.over
    post.packet(make_packet(0), at=1.0)  # events overtake packets; what is due is still played
    post.packet(make_packet(1), at=1.0)
    assert isinstance(post.timeline.pull(2.0), Ready)
    assert isinstance(post.timeline.pull(2.08), Ready)
    assert not isinstance(post.timeline.pull(2.16), Ready)
    assert post.timeline.ended
    assert post.receiver.state.state == "waiting"


def test_the_stop_of_an_old_epoch_does_not_end_the_new_one(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    post.manifest(make_manifest(EPOCH + 1))
    post.raw(InboxKind.EVENT, encode_event(StreamStopped(EPOCH, 0, 1, 1)))
    assert not post.receiver.over


def test_the_start_event_makes_a_lost_head_due(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.raw(InboxKind.EVENT, encode_event(StreamStarted(EPOCH, 0, 1)))
    post.packet(make_packet(2), at=1.0)
    post.timeline.pull(1.2)
    assert post.timeline.totals().due == 1


def test_a_manifest_taken_away_ends_the_stream_after_what_came(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.packet(make_packet(0), at=1.0)
    post.raw(InboxKind.MANIFEST, b"")
    assert post.receiver.over
    assert isinstance(post.timeline.pull(1.2), Ready)
    post.timeline.pull(1.3)
    assert post.timeline.ended


def test_a_manifest_of_the_past_is_not_taken_for_a_new_one(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    post.manifest(make_manifest(EPOCH + 1))
    post.manifest(make_manifest())
    assert post.timeline.newest_epoch == EPOCH + 1
    assert post.timeline.epochs == 2


def test_the_will_of_the_gateway_counts_only_for_the_present_epoch(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    post.status("online", epoch=EPOCH, session=5)
    post.status("offline", epoch=EPOCH - 1, session=5)
    assert not post.receiver.gateway_gone
    post.status("offline", epoch=EPOCH, session=4)
    assert not post.receiver.gateway_gone
    post.status("offline", epoch=EPOCH, session=5)
    assert post.receiver.gateway_gone
    assert post.receiver.state.state == "waiting"
    post.status("online", epoch=EPOCH, session=5)
    assert post.receiver.state.state == "online"


def test_an_epoch_with_another_tier_map_is_read_by_its_own_rules(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.packet(make_packet(0), at=1.0)
    post.manifest(make_manifest(EPOCH + 1, tiers=((0, 1), (1, 3))))
    post.packet(make_packet(1), at=1.08)  # still the old epoch, four layers on t0
    post.packet(make_packet(0, epoch=EPOCH + 1, layers=1), at=1.16)
    post.packet(make_packet(0, epoch=EPOCH + 1, layers=3), at=1.17, tier=1)
    assert post.receiver.stats.packets_bad == 0
    items = [post.timeline.pull(1.2), post.timeline.pull(1.28), post.timeline.pull(1.36)]
    assert all(isinstance(item, Ready) for item in items)


def test_fewer_layers_are_asked_for_and_played(
    spec: CodecSpec, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post = Post(spec, layers=2)
    post.manifest(make_manifest(tiers=((0, 1), (1, 1), (2, 2))))
    assert post.followed == [((0, 1), "gw-1")]
    for tier in (0, 1):
        post.packet(make_packet(0, layers=1), at=1.0, tier=tier)
    item = post.timeline.pull(1.2)
    assert isinstance(item, Ready)
    assert item.codes.tolist() == [100, 100, -1, -1]


def test_every_kind_of_event_is_counted_and_a_bad_one_ignored(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    post.raw(InboxKind.EVENT, encode_event(ClockReport(EPOCH, 10, 1000, 0.0)))
    post.raw(InboxKind.EVENT, encode_event(StreamGap(EPOCH, 10, 3)))
    post.raw(InboxKind.EVENT, b"\xc1")
    stats = post.receiver.stats
    assert (stats.events, stats.clock_reports, stats.sender_gap_frames, stats.events_bad) == (3, 1, 3, 1)


def test_nothing_that_comes_raises(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    random = np.random.default_rng(3)
    for _ in range(2000):
        kind = list(InboxKind)[random.integers(4)]
        post.raw(kind, random.bytes(int(random.integers(0, 60))))
    assert post.receiver.stats.packets_bad > 0


AT = 1_735_689_600_000


@pytest.fixture
def stalled(post: Post, make_manifest: MakeManifest) -> Post:
    """A player whose stream has stalled at frame 10."""
    post.manifest(make_manifest())
    post.raw(InboxKind.EVENT, encode_event(SourceStalled(EPOCH, 10, AT)))
    return post


def test_a_source_that_stalls_and_resumes_shows_in_the_state(stalled: Post) -> None:
    waiting = stalled.states[-1]
    assert (waiting.state, waiting.reason) == ("waiting", "the source of the stream gives no sound")
    stalled.raw(InboxKind.EVENT, encode_event(SourceResumed(EPOCH, 60, AT)))
    assert stalled.states[-1] == StreamState("online", None, EPOCH)
    assert stalled.receiver.stats.source_stalls == 1
    assert not stalled.receiver.over


def test_a_packet_from_before_the_stall_does_not_end_it_but_one_from_after_does(
    stalled: Post, make_packet: MakePacket
) -> None:
    stalled.packet(make_packet(9))
    assert stalled.states[-1].state == "waiting"
    stalled.packet(make_packet(60))
    assert stalled.states[-1] == StreamState("online", None, EPOCH)


def test_a_stall_of_another_epoch_says_nothing_about_this_one(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    post.raw(InboxKind.EVENT, encode_event(SourceStalled(EPOCH + 1, 10, AT)))
    assert post.receiver.state.state == "online"


def test_a_player_that_comes_during_a_stall_learns_it_from_the_gateways_status(
    post: Post, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    post.manifest(make_manifest())
    post.status("waiting", epoch=EPOCH)
    assert post.receiver.state.reason == "the source of the stream gives no sound"
    post.packet(make_packet(3))
    assert post.receiver.state.state == "online"


def test_a_stream_that_stops_while_it_stalls_has_ended(stalled: Post) -> None:
    stalled.raw(InboxKind.EVENT, encode_event(StreamStopped(EPOCH, 0, 9, AT)))
    assert stalled.receiver.state.reason == "the stream has ended"
    stalled.raw(InboxKind.EVENT, encode_event(SourceResumed(EPOCH, 60, AT)))
    assert stalled.receiver.state.reason == "the stream has ended"


def test_an_event_of_a_later_version_is_no_fault(post: Post, make_manifest: MakeManifest) -> None:
    post.manifest(make_manifest())
    post.raw(InboxKind.EVENT, b"\x92\x64\x01")
    assert (post.receiver.stats.events_unknown, post.receiver.stats.events_bad) == (1, 0)

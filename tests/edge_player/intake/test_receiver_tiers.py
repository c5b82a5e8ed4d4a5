"""What the receiver makes of a stream in tiers: the base rules, and what was asked for and is not there is said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from codec.spec import CodecSpec
from edge_player.buffer.jitter_buffer import Ready
from edge_player.intake.inbox import InboxKind
from edge_player.intake.receiver import BASE_MISSING, SOURCE_STALLED
from protocol.event import SourceStalled, encode_event
from protocol.manifest import StreamManifest, encode_manifest
from protocol.packet import TokenPacket
from tests.edge_player.intake.post import Post

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
EPOCH, FRAME_S = 0x1234_5678_9ABC_DE05, 0.08
TIERS = ((0, 1), (1, 3))


@pytest.fixture
def post(spec: CodecSpec, make_manifest: MakeManifest) -> Post:
    post = Post(spec)
    post.manifest(make_manifest(tiers=TIERS))
    return post


def send(post: Post, make_packet: MakePacket, frames: range, *tiers: int) -> None:
    for frame in frames:
        for tier in tiers:
            post.packet(make_packet(frame, layers=TIERS[tier][1]), frame * FRAME_S, tier=tier)


def test_upper_tiers_without_their_base_are_said_and_counted_once(post: Post, make_packet: MakePacket) -> None:
    send(post, make_packet, range(100), 1)
    assert (post.receiver.state.state, post.receiver.state.reason) == ("waiting", BASE_MISSING)
    assert post.receiver.stats.base_missing == 1
    assert [state.state for state in post.states] == ["online", "waiting"]
    assert post.receiver.expects_packets, "whoever watches for silence must go on"


def test_a_base_that_comes_after_all_puts_the_stream_right(post: Post, make_packet: MakePacket) -> None:
    send(post, make_packet, range(100), 1)
    send(post, make_packet, range(100, 105), 0, 1)
    assert post.receiver.state.state == "online"
    item = post.timeline.pull(100 * FRAME_S + 0.2)
    assert isinstance(item, Ready)
    assert item.frame_index == 100


def test_a_gateway_that_says_it_is_online_does_not_bring_the_base(post: Post, make_packet: MakePacket) -> None:
    send(post, make_packet, range(100), 1)
    post.status("online", epoch=EPOCH)
    assert post.receiver.state.reason == BASE_MISSING
    post.status("offline", epoch=EPOCH)
    assert post.receiver.state.reason == "the gateway gw-1 is offline"
    assert not post.receiver.expects_packets


def test_a_stall_of_the_source_is_the_better_reason(post: Post, make_packet: MakePacket) -> None:
    send(post, make_packet, range(100), 1)
    post.raw(InboxKind.EVENT, encode_event(SourceStalled(EPOCH, 200, 1)), 8.1)
    send(post, make_packet, range(101, 110), 1)
    assert post.receiver.state.reason == SOURCE_STALLED


def test_a_stream_whose_base_comes_is_never_suspected(post: Post, make_packet: MakePacket) -> None:
    send(post, make_packet, range(200), 1, 0)
    assert post.receiver.stats.base_missing == 0
    assert [state.state for state in post.states] == ["online"]


@pytest.mark.parametrize(
    ("tiers", "asked", "said"),
    [
        (((0, 1), (1, 2)), 4, "it has 3 layers, 4 were asked for"),
        (((0, 2),), 3, "it has 2 layers, 3 were asked for"),
        (((0, 4),), 1, "its tiers have 4 layers; 4 of them come, of which the first 1 are played"),
        (((0, 1), (1, 3)), 2, "its tiers have 1, 3 layers; 4 of them come, of which the first 2 are played"),
    ],
)
def test_layers_that_are_not_there_or_cannot_be_had_alone_are_said(
    tiers: tuple[tuple[int, int], ...],
    asked: int,
    said: str,
    spec: CodecSpec,
    make_manifest: MakeManifest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = Post(spec, layers=asked)
    post.manifest(make_manifest(tiers=tiers))
    assert [said in message for message in caplog.messages] == [True]
    assert post.receiver.stats.layers_short == (asked > sum(count for _, count in tiers))
    assert post.receiver.state.state == "online"


@pytest.mark.parametrize("asked", [1, 4])
def test_layers_that_end_with_a_tier_are_taken_without_a_word(
    asked: int, spec: CodecSpec, make_manifest: MakeManifest, caplog: pytest.LogCaptureFixture
) -> None:
    Post(spec, layers=asked).manifest(make_manifest(tiers=TIERS))
    assert caplog.messages == []


@pytest.mark.parametrize(
    "tiers",
    [b"[[1,3],[0,1]]", b"[[0,1],[2,2]]", b"[[0,1],[0,3]]", b"[[1,3]]", b"[]", b"[[0,4],[4,1]]", b"[[0,1]]" * 2],
)
def test_a_manifest_whose_tiers_are_in_no_order_is_ignored_with_a_word(
    tiers: bytes, spec: CodecSpec, make_manifest: MakeManifest, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(spec)
    whole = encode_manifest(make_manifest(tiers=TIERS))
    assert b"[[0,1],[1,3]]" in whole
    post.raw(InboxKind.MANIFEST, whole.replace(b"[[0,1],[1,3]]", tiers))
    assert (post.receiver.stats.manifests_bad, post.timeline.epochs) == (1, 0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "its manifest was ignored" in caplog.messages[0]


def test_upper_tiers_that_come_do_not_hide_that_the_base_is_silent(
    spec: CodecSpec, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    """The eye on the link is told of the base alone."""
    heard: list[float] = []

    class Eye:
        def opened(self, plan: object) -> None: ...

        def heard(self, received_at: float) -> None:
            heard.append(received_at)

        def arrived(self, packet: TokenPacket, received_at: float) -> None:
            assert packet.num_layers == 1

        def interrupted(self) -> None: ...

        def paused(self, lasts: bool) -> None: ...

    post = Post(spec, witness=Eye())
    post.manifest(make_manifest(tiers=TIERS))
    send(post, make_packet, range(3), 0, 1)
    send(post, make_packet, range(3, 10), 1)
    assert heard == [0.0, FRAME_S, 2 * FRAME_S]


def test_a_pause_is_the_bases_to_begin_and_to_end(post: Post, make_packet: MakePacket) -> None:
    """The upper tier's packet of the same frames, which comes behind it, must not end it."""
    send(post, make_packet, range(3), 0, 1)
    post.packet(replace(make_packet(3, layers=1), pause_after=1), 3 * FRAME_S)
    post.packet(make_packet(3, layers=3), 3 * FRAME_S, tier=1)
    assert post.receiver.pauses(4.0)
    assert post.receiver.stats.pauses == 1
    send(post, make_packet, range(30, 31), 1)
    assert post.receiver.pauses(4.0)
    send(post, make_packet, range(30, 31), 0)
    assert not post.receiver.pauses(4.0)

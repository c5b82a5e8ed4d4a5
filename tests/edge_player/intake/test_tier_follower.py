"""What a player is subscribed to, and what its buffers are told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import pytest

from codec.spec import CodecSpec
from edge_player.buffer.timeline import Timeline
from edge_player.intake.epoch_plan import plan_epoch
from edge_player.intake.receiver_values import ReceiverConfig
from edge_player.intake.tier_choice import FIRST_PAUSE_S
from edge_player.intake.tier_follower import TierFollower
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket

MakeManifest = Callable[..., StreamManifest]
MakePacket = Callable[..., TokenPacket]
TIERS = ((0, 1), (1, 1), (2, 2))
EPOCH = 0x1234_5678_9ABC_DE05


class Following:
    """A follower with a timeline, a link that lags as told, and the subscriptions it asks for."""

    def __init__(self, spec: CodecSpec, *, auto: bool) -> None:
        self.spec = spec
        self.asked: list[tuple[tuple[int, ...], str]] = []
        self.lag_s, self.packets = 0.0, 0
        self.now = 0.0
        self.timeline = Timeline()
        self.follower = TierFollower(self._follow, self.timeline, stream="lobby", auto=auto, lag=self)

    def _follow(self, tiers: Iterable[int], gateway_id: str) -> None:
        self.asked.append((tuple(tiers), gateway_id))

    def open(self, manifest: StreamManifest) -> None:
        plan = plan_epoch(manifest, self.spec, ReceiverConfig("lobby"))
        self.timeline.open(plan)
        self.follower.follow(plan.tiers.wanted_tiers, manifest.gateway_id)

    def look(self, seconds: float, *, expects_packets: bool = True) -> None:
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            self.packets += 1
            self.follower.look(self.now, expects_packets=expects_packets)


def test_without_auto_what_the_manifest_names_is_followed_and_nothing_changes(
    spec: CodecSpec, make_manifest: MakeManifest
) -> None:
    following = Following(spec, auto=False)
    following.open(make_manifest(tiers=TIERS))
    following.lag_s = 5.0
    following.look(60.0)
    assert following.asked == [((0, 1, 2), "gw-1")]
    assert following.follower.stats.tiers_followed == 3


def test_with_auto_a_strained_link_loses_its_highest_tier_and_gets_it_back(
    spec: CodecSpec, make_manifest: MakeManifest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    following = Following(spec, auto=True)
    following.open(make_manifest(tiers=TIERS, delay_ms=1200))
    following.lag_s = 1.0
    following.look(4.0)
    following.lag_s = 0.0
    following.look(FIRST_PAUSE_S + 4.0)
    assert [tiers for tiers, _ in following.asked] == [(0, 1, 2), (0, 1), (0, 1, 2)]
    stats = following.follower.stats
    assert (stats.tiers_followed, stats.tier_steps_down, stats.tier_steps_up) == (3, 1, 1)
    assert caplog.messages == [
        "stream lobby: taking 2 of its 3 tiers: packets come ever later",
        "stream lobby: calm for a while; trying 3 of its 3 tiers",
    ]


def test_the_buffer_does_not_miss_what_was_left(
    spec: CodecSpec, make_manifest: MakeManifest, make_packet: MakePacket
) -> None:
    following = Following(spec, auto=True)
    following.open(make_manifest(tiers=TIERS, delay_ms=400))
    following.lag_s = 1.0
    following.look(16.0)
    assert following.asked[-1] == ((0,), "gw-1")
    for frame in range(10):
        following.timeline.insert(make_packet(frame, layers=1), frame * 0.08)
        if frame >= 5:
            following.timeline.pull(frame * 0.08)
    assert following.timeline.totals().due == 5
    assert following.timeline.stats().thinned_frames == 0


def test_a_new_epoch_over_the_same_link_goes_on_with_what_it_bears(
    spec: CodecSpec, make_manifest: MakeManifest
) -> None:
    following = Following(spec, auto=True)
    following.open(make_manifest(tiers=TIERS, delay_ms=1200))
    following.lag_s = 1.0
    following.look(4.0)
    following.open(make_manifest(EPOCH + 1, tiers=TIERS, delay_ms=1200))
    following.open(make_manifest(EPOCH + 2, tiers=((0, 4),)))
    assert following.asked[-2:] == [((0, 1), "gw-1"), ((0,), "gw-1")]


def test_a_link_of_which_nothing_is_expected_is_not_judged(spec: CodecSpec, make_manifest: MakeManifest) -> None:
    following = Following(spec, auto=True)
    following.open(make_manifest(tiers=TIERS, delay_ms=1200))
    following.lag_s = 5.0
    following.look(60.0, expects_packets=False)
    assert len(following.asked) == 1


def test_a_stream_of_one_tier_leaves_nothing_to_choose(spec: CodecSpec, make_manifest: MakeManifest) -> None:
    following = Following(spec, auto=True)
    following.open(make_manifest())
    following.lag_s = 5.0
    following.look(60.0)
    assert following.asked == [((0,), "gw-1")]

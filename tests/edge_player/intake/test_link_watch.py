"""A link that is up and of no use, from messages to what is asked of the connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from codec.spec import CodecSpec
from edge_player.buffer.timeline import Timeline
from edge_player.intake.inbox import InboxKind, InboxMessage
from edge_player.intake.link_watch import LinkWatch
from edge_player.intake.receiver import Receiver
from edge_player.intake.receiver_values import ReceiverConfig
from protocol.event import ClockReport, SourceResumed, SourceStalled, StreamPaused, StreamStopped, encode_event
from protocol.manifest import StreamManifest, encode_manifest
from protocol.packet import TokenPacket, encode_packet
from protocol.status import StatusMessage, encode_status
from protocol.transport import ConnectionState

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
EPOCH, FRAME_S = 0x1234_5678_9ABC_DE05, 0.08


@dataclass
class FakeLink:
    """A connection that notes what is asked of it."""

    keepalive_s: int = 5
    state: ConnectionState = ConnectionState.CONNECTED
    asked: list[str] = field(default_factory=list)
    probes: list[int | None] = field(default_factory=list)

    def resubscribe(self) -> None:
        self.asked.append("subscribe")

    def reconnect(self) -> None:
        self.asked.append("reconnect")

    def probe_after(self, seconds: int | None) -> None:
        self.probes.append(seconds)


class Listener:
    """Receiver and link watch as the worker has them, on a clock that stands still."""

    def __init__(self, spec: CodecSpec, clock: Any, make_packet: MakePacket) -> None:
        self.link = FakeLink()
        self.clock = clock
        self.watch = LinkWatch(self.link, stream="lobby")
        self._make_packet = make_packet
        self.frame = 0
        self.receiver = Receiver(
            ReceiverConfig(stream="lobby"),
            spec,
            Timeline(),
            follow=lambda tiers, gateway_id: None,
            on_state=lambda state: None,
            witness=self.watch,
        )

    def get(self, kind: InboxKind, payload: bytes) -> None:
        self.receiver.handle(InboxMessage(kind, payload, self.clock.now))

    def manifest(self, manifest: StreamManifest) -> None:
        self.get(InboxKind.MANIFEST, encode_manifest(manifest))

    def event(self, event: Any) -> None:
        self.get(InboxKind.EVENT, encode_event(event))

    def wait(self, seconds: float) -> list[str]:
        """Nothing comes; returns what was asked of the link."""
        self.link.asked.clear()
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            self.watch.look(self.clock.now, expects_packets=self.receiver.expects_packets)
        return list(self.link.asked)

    def packet(self, frame: int, **options: int) -> bytes:
        return encode_packet(self._make_packet(frame, **options), codebook_size=1024)

    def listen(self, seconds: float, *, stretch: float = 1.0, **options: int) -> list[str]:
        """A packet for every frame of these seconds of the sender's; each takes `stretch` times as long to come."""
        self.link.asked.clear()
        for _ in range(round(seconds / FRAME_S)):
            self.clock.advance(FRAME_S * stretch)
            self.get(InboxKind.TOKENS, self.packet(self.frame, **options))
            self.frame += 1
            self.watch.look(self.clock.now, expects_packets=self.receiver.expects_packets)
        return list(self.link.asked)


@pytest.fixture
def listener(spec: CodecSpec, clock: Any, make_packet: MakePacket, make_manifest: MakeManifest) -> Listener:
    listener = Listener(spec, clock, make_packet)
    listener.manifest(make_manifest())
    return listener


def test_a_silent_link_is_subscribed_to_again_then_left_and_that_is_said_once(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert listener.listen(2.0) == []
    caplog.clear()
    assert listener.wait(95.0) == ["subscribe", "reconnect", "subscribe", "reconnect"]
    assert (listener.watch.stats.watchdog_resubscribes, listener.watch.stats.watchdog_reconnects) == (2, 2)
    (said,) = caplog.messages
    assert "connected, and no packet for 15 s; subscribing again" in said
    caplog.clear()
    listener.listen(2.0)
    assert caplog.messages == ["stream lobby: packets again after 95.1 s"]


def test_the_keepalive_that_holds_is_the_measure(listener: Listener) -> None:
    listener.link.keepalive_s = 30
    listener.listen(1.0)
    assert listener.wait(89.0) == []
    assert listener.wait(2.0) == ["subscribe"]


def test_packets_that_last_longer_than_keepalives_are_waited_for(
    spec: CodecSpec, clock: Any, make_packet: MakePacket, make_manifest: MakeManifest
) -> None:
    listener = Listener(spec, clock, make_packet)
    listener.link.keepalive_s = 1
    listener.manifest(make_manifest(frames_per_packet=25))
    assert listener.wait(5.75) == []
    assert listener.wait(1.0) == ["subscribe"]


def test_before_a_manifest_nothing_is_missed(spec: CodecSpec, clock: Any, make_packet: MakePacket) -> None:
    assert Listener(spec, clock, make_packet).wait(200.0) == []


def test_a_stream_that_says_it_is_silent_is_left_in_peace(listener: Listener) -> None:
    listener.listen(1.0)
    listener.event(SourceStalled(EPOCH, listener.frame, 5_001_000))
    assert listener.wait(600.0) == []
    listener.event(SourceResumed(EPOCH, listener.frame, 5_601_000))
    assert listener.wait(14.0) == []
    assert listener.wait(2.0) == ["subscribe"]


@pytest.mark.parametrize("end", ["stopped", "withdrawn", "offline"])
def test_a_stream_that_has_ended_is_left_in_peace(listener: Listener, end: str) -> None:
    listener.listen(1.0)
    if end == "stopped":
        listener.event(StreamStopped(EPOCH, 0, listener.frame - 1, 1))
    elif end == "withdrawn":
        listener.get(InboxKind.MANIFEST, b"")
    else:
        message = StatusMessage("gateway", "gw-1", "offline", 1, epoch=EPOCH)
        listener.get(InboxKind.GATEWAY_STATUS, encode_status(message))
    assert listener.wait(600.0) == []


def test_without_a_connection_nothing_is_asked_of_it(listener: Listener) -> None:
    listener.listen(1.0)
    listener.link.state = ConnectionState.RECONNECTING
    assert listener.wait(600.0) == []
    listener.link.state = ConnectionState.CONNECTED
    assert listener.wait(14.0) == []
    assert listener.wait(2.0) == ["subscribe"]


def test_a_link_that_falls_behind_is_left_for_the_live_edge(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    listener.listen(2.0)
    assert listener.listen(6.5, stretch=1.5) == ["reconnect"]
    assert listener.watch.stats.age_reconnects == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "behind, more than 2.0 s for a while; reconnecting to the live edge" in caplog.text
    listener.frame += round(listener.watch.lag_s / FRAME_S)  # the queue is gone
    assert listener.listen(30.0) == []
    assert listener.watch.lag_s < 0.1


def test_a_jump_of_the_senders_clock_changes_nothing(listener: Listener) -> None:
    listener.listen(2.0)
    for hour in (1, -1):
        listener.event(ClockReport(EPOCH, listener.frame, 5_000_000 + hour * 3_600_000, 0))
        assert listener.listen(10.0) == []
    assert listener.watch.lag_s < 0.1


def test_frames_that_the_sender_left_out_are_no_lag_and_no_lead(listener: Listener, clock: Any) -> None:
    listener.listen(2.0)
    listener.frame += 125
    clock.advance(10.0)
    assert listener.listen(20.0) == []


def test_a_stall_of_the_source_is_no_lag(listener: Listener, clock: Any) -> None:
    listener.listen(2.0)
    listener.event(SourceStalled(EPOCH, listener.frame, 5_002_000))
    clock.advance(30.0)
    listener.event(SourceResumed(EPOCH, listener.frame, 5_032_000))
    assert listener.listen(20.0) == []


def test_a_stall_that_only_the_gateways_status_told_of_is_no_lag(listener: Listener, clock: Any) -> None:
    listener.listen(2.0)
    status = StatusMessage("gateway", "gw-1", "waiting", 1, epoch=EPOCH)
    listener.get(InboxKind.GATEWAY_STATUS, encode_status(status))
    clock.advance(30.0)
    assert listener.listen(20.0) == []


def test_another_epoch_is_measured_afresh(listener: Listener, make_manifest: MakeManifest, clock: Any) -> None:
    listener.listen(10.0)
    clock.advance(30.0)
    listener.manifest(make_manifest(EPOCH + 1))
    listener.frame = 0
    assert listener.listen(20.0, epoch=EPOCH + 1) == []


def test_packets_of_the_epoch_before_do_not_count(listener: Listener, make_manifest: MakeManifest) -> None:
    listener.listen(2.0)
    listener.manifest(make_manifest(EPOCH + 1))
    assert listener.listen(20.0, stretch=1.5) == []
    assert listener.watch.lag_s == 0.0


def test_packets_that_the_jitter_buffer_does_not_believe_do_not_set_the_measure(listener: Listener) -> None:
    listener.listen(2.0)
    for ahead in (100_000, 50_000):
        listener.get(InboxKind.TOKENS, listener.packet(listener.frame + ahead))
    assert listener.listen(20.0) == []


def test_the_first_tier_alone_is_measured(listener: Listener, make_manifest: MakeManifest, clock: Any) -> None:
    listener.manifest(make_manifest(EPOCH + 1, tiers=((0, 2), (2, 2))))
    listener.listen(2.0, epoch=EPOCH + 1, layers=2)
    for frame in range(100, 200):  # of a topic that runs ahead
        packet = listener.packet(frame, epoch=EPOCH + 1, layers=2)
        listener.receiver.handle(InboxMessage(InboxKind.TOKENS, packet, clock.now, 1))
    assert listener.listen(20.0, epoch=EPOCH + 1, layers=2) == []
    assert listener.watch.lag_s < 0.1


@pytest.fixture
def quiet_listener(spec: CodecSpec, clock: Any, make_packet: MakePacket, make_manifest: MakeManifest) -> Listener:
    """Of a stream that sends nothing while nobody speaks, in a pause."""
    listener = Listener(spec, clock, make_packet)
    listener.manifest(make_manifest(silence=True))
    listener.listen(2.0)
    packet = replace(make_packet(listener.frame), pause_after=8)
    listener.get(InboxKind.TOKENS, encode_packet(packet, codebook_size=1024))
    listener.frame += 1
    return listener


def beat(listener: Listener, seconds: float, epoch: int = EPOCH & 0x7F) -> list[str]:
    """A pause so long, with its heartbeats; returns what was asked of the link."""
    asked = []
    for _ in range(round(seconds / 15)):
        asked += listener.wait(15.0)
        listener.event(StreamPaused(epoch))
        listener.frame += round(15 / FRAME_S)
    return asked


def test_a_pause_with_its_heartbeat_is_no_dead_link(quiet_listener: Listener) -> None:
    assert beat(quiet_listener, 600.0) == []
    assert quiet_listener.receiver.pauses(quiet_listener.clock.now)
    assert quiet_listener.receiver.stats.pauses == 1
    assert quiet_listener.receiver.stats.heartbeats == 40


@pytest.mark.parametrize("keepalive_s", [5, 300])
def test_a_pause_without_its_heartbeat_is_a_dead_link_after_45_seconds(
    quiet_listener: Listener, keepalive_s: int
) -> None:
    quiet_listener.link.keepalive_s = keepalive_s
    beat(quiet_listener, 60.0)
    assert quiet_listener.wait(44.5) == []
    assert quiet_listener.wait(1.0) == ["subscribe"]
    assert not quiet_listener.receiver.pauses(quiet_listener.clock.now)


def test_in_a_pause_the_heartbeat_stands_in_for_the_probes_of_tcp(quiet_listener: Listener) -> None:
    beat(quiet_listener, 30.0)
    assert quiet_listener.link.probes == [20, 20, 20]
    quiet_listener.listen(1.0)
    assert quiet_listener.link.probes == [20, 20, 20, None]


def test_the_heartbeat_of_another_epoch_proves_nothing(quiet_listener: Listener) -> None:
    assert beat(quiet_listener, 60.0, epoch=EPOCH & 0x7F ^ 1) == ["subscribe"]


def test_a_long_pause_is_no_lag(quiet_listener: Listener) -> None:
    beat(quiet_listener, 3600.0)
    assert quiet_listener.listen(30.0) == []
    assert quiet_listener.watch.lag_s < 0.5
    assert not quiet_listener.receiver.pauses(quiet_listener.clock.now)


def test_a_heartbeat_tells_who_missed_the_pause(quiet_listener: Listener) -> None:
    quiet_listener.listen(1.0)
    assert not quiet_listener.receiver.pauses(quiet_listener.clock.now)
    quiet_listener.event(StreamPaused(EPOCH & 0x7F))
    assert quiet_listener.receiver.pauses(quiet_listener.clock.now)
    assert quiet_listener.receiver.stats.pauses == 2


def test_an_old_manifest_cannot_take_over_in_a_pause(quiet_listener: Listener, make_manifest: MakeManifest) -> None:
    """None of its packets came for 4 s, and yet the epoch is alive."""
    beat(quiet_listener, 60.0)
    quiet_listener.manifest(make_manifest(EPOCH + 1, started_at_ms=1_000))
    assert quiet_listener.receiver.stats.manifests_rolled_back == 1
    assert quiet_listener.receiver.state.epoch == EPOCH


def test_a_gateway_that_goes_in_a_pause_leaves_none(quiet_listener: Listener) -> None:
    status = StatusMessage("gateway", "gw-1", "offline", 1, epoch=EPOCH)
    quiet_listener.get(InboxKind.GATEWAY_STATUS, encode_status(status))
    assert not quiet_listener.receiver.pauses(quiet_listener.clock.now)


def test_a_heartbeat_after_the_end_says_nothing(quiet_listener: Listener) -> None:
    quiet_listener.event(StreamStopped(EPOCH, 0, quiet_listener.frame - 1, 1))
    quiet_listener.event(StreamPaused(EPOCH & 0x7F))
    assert not quiet_listener.receiver.pauses(quiet_listener.clock.now)

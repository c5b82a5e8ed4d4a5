from __future__ import annotations

from typing import Any

import pytest

from gateway.announcer import Announcer
from gateway.encoder_worker import FrameMark
from protocol.event import (
    ClockReport,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamStarted,
    StreamStopped,
    decode_event,
)
from protocol.manifest import CodecIdentity, StreamManifest, Tier, decode_manifest
from protocol.status import decode_status
from protocol.topics import Topics
from protocol.transport import Presence

EPOCH = 0x1234_5678_9ABC_DEF0
UTC_AHEAD = 1_700_000_000.0


@pytest.fixture
def manifest() -> StreamManifest:
    return StreamManifest(
        stream="lobby",
        codec=CodecIdentity("toy", 16000, 1280, 4, 64, 0, "ab" * 32),
        tiers=(Tier(0, 4),),
        frames_per_packet=5,
        epoch=EPOCH,
        started_at_ms=1_700_000_001_000,
        gateway_id="gw",
        qos=1,
        playout_delay_ms=1200,
    )


@pytest.fixture
def announcer(connection: Any, clock: Any) -> Announcer:
    return Announcer(
        connection,
        Topics(),
        stream="lobby",
        presence=Presence("gateway", "gw", Topics().gateway_status("gw"), session=7, epoch=EPOCH),
        clock=clock,
        utc=lambda: clock() + UTC_AHEAD,
    )


def events(connection: Any) -> list[Any]:
    return [decode_event(message.payload) for message in connection.on("/event")]


def no_stats() -> dict[str, int | float | str]:
    return {}


def test_the_manifest_comes_before_the_start_event_and_is_retained(
    announcer: Announcer, connection: Any, manifest: StreamManifest
) -> None:
    announcer.open_stream(manifest)
    first, second = connection.said
    assert first.topic == "vw/v1/s/lobby/manifest"
    assert decode_manifest(first.payload) == manifest
    assert first.options == {"qos": 1, "retain": True, "expiry_s": 600, "reliable": True}
    assert decode_event(second.payload) == StreamStarted(EPOCH, 0, manifest.started_at_ms)
    assert second.options == {"qos": 1, "reliable": True}


def test_a_closed_stream_says_its_last_frame_and_takes_the_manifest_away(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    connection.said.clear()
    announcer.close_stream(289, ended_at=clock() - 0.5)
    stopped, cleared = connection.said
    assert decode_event(stopped.payload) == StreamStopped(EPOCH, 0, 288, round((clock() - 0.5 + UTC_AHEAD) * 1000))
    assert (cleared.topic, cleared.payload) == ("vw/v1/s/lobby/manifest", b"")
    assert cleared.options == {"qos": 1, "retain": True, "reliable": True}


def test_a_stream_that_never_sent_a_frame_ends_before_its_first(
    announcer: Announcer, connection: Any, manifest: StreamManifest
) -> None:
    announcer.open_stream(manifest)
    announcer.close_stream(0)
    assert events(connection)[-1].last_frame == -1


def test_nothing_is_taken_away_that_was_not_announced(announcer: Announcer, connection: Any) -> None:
    announcer.close_stream(0)
    announcer.gap(0, 1)
    assert connection.said == []


def test_every_connect_says_presence_and_manifest_again(
    announcer: Announcer, connection: Any, manifest: StreamManifest
) -> None:
    announcer.reannounce()
    (status,) = connection.said
    assert status.topic == "vw/v1/gateway/gw/status"
    said = decode_status(status.payload)
    assert (said.role, said.state, said.session, said.epoch) == ("gateway", "online", 7, None)
    announcer.open_stream(manifest)
    connection.said.clear()
    announcer.reannounce()
    assert [message.topic.rsplit("/", 1)[1] for message in connection.said] == ["status", "manifest"]
    assert decode_status(connection.said[0].payload).epoch == EPOCH


def test_the_clock_is_reported_every_ten_seconds_at_qos_0(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    connection.said.clear()
    for _ in range(21):
        clock.now += 1.0
        announcer.clock_tick(FrameMark(100, clock() - 0.08), live=False)
    reports = connection.on("/event")
    assert len(reports) == 2
    assert reports[0].options == {"qos": 0, "reliable": True}
    report = decode_event(reports[1].payload)
    assert isinstance(report, ClockReport)
    assert report == ClockReport(EPOCH, 100, round((clock() - 1.0 - 0.08 + UTC_AHEAD) * 1000), report.rate_ppm)


def test_a_live_source_reports_its_first_frame_at_once(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    connection.said.clear()
    announcer.clock_tick(FrameMark(0, clock()), live=True)
    assert isinstance(events(connection)[0], ClockReport)
    announcer.clock_tick(FrameMark(1, clock()), live=True)
    assert len(connection.said) == 1


def test_the_rate_of_a_fast_sound_card_is_positive(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    begun = clock()
    announcer.clock_tick(FrameMark(0, begun), live=True)
    clock.now += 100.0
    announcer.clock_tick(FrameMark(1250, begun + 99.99), live=True)
    assert events(connection)[-1].rate_ppm == pytest.approx(100.0, abs=0.2)


def test_a_short_span_measures_no_rate(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    announcer.clock_tick(FrameMark(0, clock()), live=True)
    clock.now += 10.0
    announcer.clock_tick(FrameMark(125, clock() + 0.02), live=True)
    assert events(connection)[-1].rate_ppm == 0.0


def test_manifest_and_status_are_refreshed(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    connection.said.clear()
    clock.now += 301.0
    announcer.tick(lambda: {"frames_encoded": 3, "source": "a text"})
    assert len(connection.on("/manifest")) == 1
    (status,) = connection.on("/status")
    assert decode_status(status.payload).stats == {"frames_encoded": 3}
    announcer.tick(no_stats)
    assert len(connection.said) == 2


def test_a_gap_is_announced(announcer: Announcer, connection: Any, manifest: StreamManifest) -> None:
    announcer.open_stream(manifest)
    announcer.gap(40, 12)
    assert events(connection)[-1] == StreamGap(EPOCH, 40, 12)


def test_a_stall_is_an_event_for_who_is_there_and_a_status_for_who_comes(
    announcer: Announcer, connection: Any, manifest: StreamManifest, clock: Any
) -> None:
    announcer.open_stream(manifest)
    connection.said.clear()
    announcer.stalled(125, clock() - 2.0)
    assert events(connection) == [SourceStalled(EPOCH, 125, round((clock() - 2.0 + UTC_AHEAD) * 1000))]
    status = decode_status(connection.on("/status")[-1].payload)
    assert (status.state, status.reason, status.epoch) == ("waiting", "the source gives no sound", EPOCH)
    announcer.reannounce()
    assert decode_status(connection.on("/status")[-1].payload).state == "waiting"
    announcer.resumed(200, clock())
    assert events(connection)[-1] == SourceResumed(EPOCH, 200, round((clock() + UTC_AHEAD) * 1000))
    assert decode_status(connection.on("/status")[-1].payload).state == "online"


def test_a_stall_before_there_is_a_stream_is_not_announced(announcer: Announcer, connection: Any) -> None:
    announcer.stalled(0, 0.0)
    announcer.resumed(0, 0.0)
    assert connection.said == []

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gateway import pipeline as pipeline_module
from gateway.config import GatewayConfig, RunConfig, SourceConfig, StreamConfig
from gateway.errors import GatewayError, SourceError
from gateway.pipeline import Pipeline
from gateway.sources import AudioBlock
from protocol.event import SourceResumed, SourceStalled, StreamGap, StreamStarted, StreamStopped, decode_event
from protocol.manifest import decode_manifest
from protocol.packet import decode_packet
from protocol.service import ConfigError, PartFailedError
from protocol.transport import (
    BrokerConfig,
    BrokerUnavailableError,
    ConnectionState,
    NotAuthorisedError,
    TransportStats,
    Will,
)
from tests.detector import detector

FRAME = 1280


class ScriptedConnection:
    """A connection to no broker; `outcomes` are raised by one wait_connected after the other."""

    outcomes: list[Exception] = []  # noqa: RUF012 — set by the test
    made: list[ScriptedConnection] = []  # noqa: RUF012
    refusal: Exception | None = None  # of what the broker does not let us do
    acknowledges = True

    def __init__(
        self,
        config: BrokerConfig,
        *,
        will: Will,
        offline: Will,
        window: int,
        max_age_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.config = config
        self.url = config.url
        self.last_error: str | None = None
        self.will = will
        self.offline = offline
        self.window = window
        self.state = ConnectionState.CONNECTING
        self.turns: int | None = None
        self.failure: BaseException | None = None
        self.said: list[tuple[str, bytes, dict[str, Any]]] = []
        self.steps: list[str] = []
        self.verified: list[str] = []
        self._callbacks: list[Callable[[], None]] = []
        ScriptedConnection.made.append(self)

    def on_connected(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def probe_after(self, seconds: int | None) -> None:
        self.probes = seconds

    def verify_publishing(self, topic: str) -> None:
        self.verified.append(topic)

    def raise_refusals(self) -> None:
        if ScriptedConnection.refusal is not None:
            raise ScriptedConnection.refusal

    def start(self) -> None:
        self.steps.append("start")

    def wait_connected(self, timeout_s: float) -> None:
        if ScriptedConnection.outcomes:
            raise ScriptedConnection.outcomes.pop(0)
        self.state = ConnectionState.CONNECTED
        self.steps.append("connected")
        for callback in self._callbacks:
            callback()

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        self.said.append((topic, payload, options))

    def flush(self, timeout_s: float) -> bool:
        self.steps.append("flush")
        return True

    def stop(self, timeout_s: float = 2.0) -> None:
        self.steps.append("stop")

    def stats(self) -> TransportStats:
        live = [options["weight"] for _, _, options in self.said if not options.get("reliable")]
        if not ScriptedConnection.acknowledges:
            return TransportStats(connects=1, messages_waiting=len(live), weight_waiting=sum(live))
        return TransportStats(connects=1, messages_published=len(live), weight_published=sum(live))

    def wire(self) -> None:
        return None


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "Connection", ScriptedConnection)
    monkeypatch.setattr(ScriptedConnection, "outcomes", [])
    monkeypatch.setattr(ScriptedConnection, "made", [])
    monkeypatch.setattr(ScriptedConnection, "refusal", None)
    monkeypatch.setattr(ScriptedConnection, "acknowledges", True)


def config(**stream: Any) -> GatewayConfig:
    return GatewayConfig(
        source=SourceConfig(target="scripted"),
        stream=StreamConfig(**stream),
        run=RunConfig(id="gw"),
    )


def silence(frames: int) -> AudioBlock:
    return AudioBlock(np.zeros(FRAME * frames, dtype=np.float32))


def topics(connection: ScriptedConnection) -> list[str]:
    return [topic.rsplit("/", 1)[1] for topic, _, _ in connection.said]


def test_a_stream_is_announced_sent_and_taken_away_in_order(encoder: Any, make_source: Any) -> None:
    source = make_source([silence(7)])
    pipeline = Pipeline(config(frames_per_packet=5), encoder, source, stop=threading.Event())
    stats = pipeline.run()
    (connection,) = ScriptedConnection.made
    assert topics(connection) == ["status", "manifest", "event", "t0", "t0", "event", "manifest"]
    assert connection.steps == ["start", "connected", "flush", "flush", "stop"]
    assert (source.entered, source.left) == (1, 1)
    assert stats["frames_encoded"] == stats["frames_published"] == 7
    assert stats["packets_published"] == 2


def test_what_is_sent_agrees_with_the_manifest(encoder: Any, make_source: Any) -> None:
    Pipeline(config(layers=3), encoder, make_source([silence(6)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    manifest = decode_manifest(connection.said[1][1])
    started = decode_event(connection.said[2][1])
    packets = [
        decode_packet(payload, manifest.packet_limits(0)) for topic, payload, _ in connection.said if topic[-2:] == "t0"
    ]
    stopped = decode_event(connection.said[-2][1])
    assert isinstance(started, StreamStarted)
    assert isinstance(stopped, StreamStopped)
    assert started.epoch == stopped.epoch == manifest.epoch
    assert {packet.epoch for packet in packets} == {manifest.epoch & 0x7F}
    assert [(packet.first_frame, packet.num_frames) for packet in packets] == [(0, 5), (5, 1)]
    assert {packet.num_layers for packet in packets} == {3}
    assert (stopped.first_frame, stopped.last_frame) == (0, 5)
    assert stopped.at_ms - started.at_ms == pytest.approx(6 * 80, abs=20)


@pytest.mark.parametrize(
    ("stream", "acknowledges", "lengths"),
    [
        ({"link": "wan"}, False, [5, 5, 5, 10, 10, 5]),
        ({"link": "wan"}, True, [5] * 8),
        ({"link": "wan", "packing": "fixed"}, False, [5] * 8),
        ({"link": "wan", "frames_per_packet": 5}, False, [5] * 8),
        ({"link": "lan", "frames_per_packet": 20}, False, [20, 20]),
        ({"link": "wan", "tiers": (1, 3)}, False, [5, 0] * 8),
        ({"link": "wan", "frames_per_packet": 5, "packing": "adaptive"}, False, [5, 5, 5, 10, 10, 5]),
    ],
    ids=["slow", "fast", "fixed", "length-set", "qos-0", "tiers", "length-set-but-adaptive"],
)
def test_packets_grow_on_a_slow_link_where_they_may(
    encoder: Any, make_source: Any, stream: dict[str, Any], acknowledges: bool, lengths: list[int]
) -> None:
    ScriptedConnection.acknowledges = acknowledges
    pipeline = Pipeline(config(**stream), encoder, make_source([silence(40)]), stop=threading.Event())
    stats = pipeline.run()
    (connection,) = ScriptedConnection.made
    sent = [options["weight"] for _, _, options in connection.said if not options.get("reliable")]
    assert sent == lengths
    assert stats["packing_raised"] == (1 if 10 in lengths else 0)


def test_a_stream_in_tiers_is_announced_so_and_its_frames_are_counted_by_the_base(
    encoder: Any, make_source: Any
) -> None:
    settings = config(tiers=(1, 3), upper_qos=0, frames_per_packet=5)
    stats = Pipeline(settings, encoder, make_source([silence(7)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert topics(connection) == ["status", "manifest", "event", "t0", "t1", "t0", "t1", "event", "manifest"]
    manifest = decode_manifest(connection.said[1][1])
    assert [(tier.first_layer, tier.num_layers) for tier in manifest.tiers] == [(0, 1), (1, 3)]
    assert (manifest.qos, connection.window) == (1, 3)
    columns: dict[int, list[Any]] = {}
    for topic, payload, _ in connection.said[3:7]:
        tier = int(topic[-1])
        packet = decode_packet(payload, manifest.packet_limits(tier))
        columns.setdefault(tier, []).append(packet.codes)
    whole = np.concatenate([np.concatenate(columns[tier], axis=1) for tier in (0, 1)])
    np.testing.assert_array_equal(whole, [[frame + layer for frame in range(7)] for layer in range(4)])
    assert connection.verified == ["vw/v1/s/lobby/t0", "vw/v1/s/lobby/t1"]
    assert stats["frames_encoded"] == stats["frames_published"] == 7
    assert (stats["tiers"], stats["packets_published"]) == ("1,3", 4)


def test_tiers_that_the_codec_does_not_have_are_refused_before_anything_starts(encoder: Any, make_source: Any) -> None:
    with pytest.raises(ConfigError, match="comes to 16 layers, expected 4"):
        Pipeline(config(tiers=(4, 12)), encoder, make_source([]), stop=threading.Event())
    assert ScriptedConnection.made == []


def test_the_link_profile_reaches_the_connection(encoder: Any, make_source: Any) -> None:
    Pipeline(config(link="lan"), encoder, make_source([silence(1)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert connection.config.keepalive_s == 5
    assert connection.config.client_id == "vw-gateway-gw"
    assert connection.will.topic == connection.offline.topic == "vw/v1/gateway/gw/status"


def test_a_keepalive_that_is_set_wins_over_the_link_profile(encoder: Any, make_source: Any) -> None:
    settings = config(link="lan")
    settings = dataclasses.replace(settings, broker=dataclasses.replace(settings.broker, keepalive_s=45))
    Pipeline(settings, encoder, make_source([silence(1)]), stop=threading.Event()).run()
    assert ScriptedConnection.made[-1].config.keepalive_s == 45


def test_a_stop_sends_what_is_pending_and_says_the_last_frame(encoder: Any, make_source: Any) -> None:
    stop = threading.Event()
    encoder.on_encode = lambda: stop.set() if len(encoder.frames) == 3 and encoder.resets else None
    pipeline = Pipeline(config(frames_per_packet=5), encoder, make_source([silence(100)]), stop=stop)
    stats = pipeline.run()
    (connection,) = ScriptedConnection.made
    assert stats["frames_encoded"] == stats["frames_published"] == 3
    stopped = decode_event(connection.said[-2][1])
    assert isinstance(stopped, StreamStopped)
    assert stopped.last_frame == 2
    assert connection.said[-1][1] == b""
    assert pipeline.worker.join(0.0)


def test_an_error_of_the_source_leaves_after_everything_is_closed(encoder: Any, make_source: Any) -> None:
    source = make_source([silence(1), SourceError("the file broke")])
    with pytest.raises(SourceError, match="the file broke"):
        Pipeline(config(), encoder, source, stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert topics(connection)[-2:] == ["event", "manifest"]
    assert connection.steps[-2:] == ["flush", "stop"]
    assert source.left == 1


def test_an_encoder_that_breaks_in_the_warm_up_announces_nothing(encoder: Any, make_source: Any) -> None:
    def broken() -> None:
        raise RuntimeError("no memory")

    encoder.on_encode = broken
    with pytest.raises(RuntimeError, match="no memory"):
        Pipeline(config(), encoder, make_source([silence(1)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert connection.said == []


def test_a_broker_that_is_not_there_is_an_error_after_ten_seconds(encoder: Any, make_source: Any, clock: Any) -> None:
    ScriptedConnection.outcomes = [BrokerUnavailableError("no broker") for _ in range(100)]

    def hurried() -> float:
        clock.now += 1.0
        return float(clock.now)

    source = make_source([silence(1)])
    with pytest.raises(BrokerUnavailableError):
        Pipeline(config(), encoder, source, stop=threading.Event(), clock=hurried).run()
    assert len(ScriptedConnection.outcomes) > 80
    assert source.left == 1


def test_a_refused_login_is_not_tried_again_even_with_wait(encoder: Any, make_source: Any) -> None:
    ScriptedConnection.outcomes = [NotAuthorisedError("wrong password"), NotAuthorisedError("again")]
    waiting = GatewayConfig(run=RunConfig(id="gw", wait=True))
    with pytest.raises(NotAuthorisedError, match="wrong password"):
        Pipeline(waiting, encoder, make_source([silence(1)]), stop=threading.Event()).run()


def test_what_the_broker_does_not_let_us_publish_ends_the_stream_in_order(encoder: Any, make_source: Any) -> None:
    ScriptedConnection.refusal = NotAuthorisedError("we may not publish")
    with pytest.raises(NotAuthorisedError, match="we may not publish"):
        Pipeline(config(), encoder, make_source([silence(3)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert connection.verified == ["vw/v1/s/lobby/t0"]
    assert connection.steps[-1] == "stop"


def test_with_wait_a_refusal_ends_nothing(encoder: Any, make_source: Any) -> None:
    ScriptedConnection.refusal = NotAuthorisedError("we may not publish")
    waiting = GatewayConfig(run=RunConfig(id="gw", wait=True))
    stats = Pipeline(waiting, encoder, make_source([silence(2)]), stop=threading.Event()).run()
    assert stats["frames_published"] == 2


def test_with_wait_the_broker_is_waited_for(encoder: Any, make_source: Any, clock: Any) -> None:
    ScriptedConnection.outcomes = [BrokerUnavailableError("not yet") for _ in range(30)]
    waiting = GatewayConfig(run=RunConfig(id="gw", wait=True))
    stats = Pipeline(waiting, encoder, make_source([silence(2)]), stop=threading.Event()).run()
    assert stats["frames_published"] == 2


def test_a_stop_while_waiting_for_the_broker_ends_without_a_stream(encoder: Any, make_source: Any) -> None:
    stop = threading.Event()
    stop.set()
    stats = Pipeline(config(), encoder, make_source([silence(2)]), stop=stop).run()
    (connection,) = ScriptedConnection.made
    assert connection.said == []
    assert stats["frames_encoded"] == 0
    assert connection.steps == ["start", "stop"]  # no flush: nobody is there who could take anything


def test_a_broker_that_never_came_is_not_waited_for_once_more_at_the_end(encoder: Any, make_source: Any) -> None:
    ScriptedConnection.outcomes = [NotAuthorisedError("wrong password")]
    with pytest.raises(NotAuthorisedError):
        Pipeline(config(), encoder, make_source([silence(1)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert connection.steps == ["start", "stop"]


def test_for_limits_the_audio_not_the_clock(encoder: Any, make_source: Any) -> None:
    limited = GatewayConfig(source=SourceConfig(limit_s=0.2), run=RunConfig(id="gw"))
    stats = Pipeline(limited, encoder, make_source([silence(50)]), stop=threading.Event()).run()
    assert stats["frames_encoded"] == 3


def test_more_layers_than_the_codec_has_are_refused(encoder: Any, make_source: Any) -> None:
    with pytest.raises(GatewayError, match="toy has 4 layers, asked to send 5"):
        Pipeline(config(layers=5), encoder, make_source([]), stop=threading.Event())


class StallingSource:
    """Two frames, then nothing until it is let go, then the rest."""

    live = False
    overflows = 0
    description = "a source that stalls"
    counters: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, *, rest: int) -> None:
        self.let_go = threading.Event()
        self._rest = rest

    def __enter__(self) -> StallingSource:
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def blocks(self, stop: threading.Event) -> Any:
        yield silence(2)
        while not self.let_go.wait(0.02):
            if stop.is_set():
                return
        if self._rest:
            yield silence(self._rest)


def test_a_source_that_stalls_and_resumes_is_announced_with_the_gap_between(
    encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = StallingSource(rest=2)
    pipeline = Pipeline(config(), encoder, source, stop=threading.Event())

    def let_go() -> None:
        wait_until(lambda: pipeline.watch.stalled)
        source.let_go.set()

    letting_go = threading.Thread(target=let_go)
    letting_go.start()
    stats = pipeline.run()
    letting_go.join()
    (connection,) = ScriptedConnection.made
    events = [decode_event(payload) for topic, payload, _ in connection.said if topic.endswith("event")]
    assert [type(event) for event in events] == [StreamStarted, SourceStalled, StreamGap, SourceResumed, StreamStopped]
    started, stalled, gap, resumed, _ = events
    assert isinstance(started, StreamStarted)
    assert isinstance(stalled, SourceStalled)
    assert isinstance(gap, StreamGap)
    assert isinstance(resumed, SourceResumed)
    assert stalled.frame == gap.first_frame == 2
    assert resumed.frame == gap.first_frame + gap.frames
    assert stalled.at_ms - started.at_ms == pytest.approx(2 * 80, abs=20)
    assert resumed.at_ms - started.at_ms == pytest.approx(resumed.frame * 80, abs=20)
    assert stats["source_stalls"] == 1
    assert stats["frames_encoded"] == 4
    assert stats["frames_gapped"] == gap.frames


def test_for_ends_a_source_that_hands_over_nothing_any_more(encoder: Any) -> None:
    limited = GatewayConfig(source=SourceConfig(limit_s=0.5), run=RunConfig(id="gw"))
    begun = time.monotonic()
    stats = Pipeline(limited, encoder, StallingSource(rest=0), stop=threading.Event()).run()
    assert 0.5 < time.monotonic() - begun < 4.0
    assert stats["frames_encoded"] == 2


def test_an_encoder_that_hangs_ends_the_gateway_with_an_error_that_names_it(
    encoder: Any, make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = threading.Event()
    monkeypatch.setattr(pipeline_module, "_JOIN_S", 0.1)
    pipeline = Pipeline(
        config(),
        encoder,
        make_source([silence(3)], live=True),
        stop=threading.Event(),
        clock=lambda: 50 * time.monotonic(),
    )
    pipeline.connection.on_connected(lambda: setattr(encoder, "on_encode", lambda: leave.wait(30)))
    with pytest.raises(PartFailedError, match="the encoder worker has made no progress for 10 s"):
        pipeline.run()
    leave.set()
    assert ScriptedConnection.made[-1].steps[-1] == "stop"


def test_a_network_thread_that_ends_by_a_bug_ends_the_gateway(encoder: Any, make_source: Any) -> None:
    pipeline = Pipeline(config(), encoder, make_source([silence(50)]), stop=threading.Event())
    ScriptedConnection.made[-1].failure = AssertionError("a bug")
    with pytest.raises(PartFailedError, match="the network thread has ended"):
        pipeline.run()


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@detector
@pytest.mark.parametrize(
    ("stream", "delay_ms"), [({"link": "lan"}, 240), ({"link": "wan"}, 1200), ({"link": "narrow"}, 3000)]
)
def test_a_stream_that_is_silent_in_pauses_says_so_and_counts_what_it_does_not_send(
    encoder: Any, make_source: Any, stream: dict[str, Any], delay_ms: int
) -> None:
    pipeline = Pipeline(config(silence="on", **stream), encoder, make_source([silence(40)]), stop=threading.Event())
    stats = pipeline.run()
    (connection,) = ScriptedConnection.made
    manifest = decode_manifest(connection.said[1][1])
    assert manifest.silence
    assert connection.probes == 20
    assert manifest.playout_delay_ms == delay_ms
    packets = [
        decode_packet(payload, manifest.packet_limits(0)) for topic, payload, _ in connection.said if topic[-2:] == "t0"
    ]
    assert [packet.pause_after for packet in packets][-1] == 8
    assert (stats["frames_published"], stats["frames_silent"], stats["pauses"]) == (10, 30, 1)
    stopped = decode_event(connection.said[-2][1])
    assert isinstance(stopped, StreamStopped)
    assert stopped.last_frame == 39


def test_a_stream_with_every_frame_says_nothing_of_pauses(encoder: Any, make_source: Any) -> None:
    stats = Pipeline(config(), encoder, make_source([silence(40)]), stop=threading.Event()).run()
    (connection,) = ScriptedConnection.made
    assert not decode_manifest(connection.said[1][1]).silence
    assert (stats["frames_silent"], stats["pauses"], stats["heartbeats"]) == (0, 0, 0)

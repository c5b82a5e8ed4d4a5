"""The gateway's parts wired together; owns the order in which they start and stop."""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
import time
from collections.abc import Callable

from codec.session import Encoder
from gateway.announcer import Announcer
from gateway.config import GatewayConfig
from gateway.encoder_worker import EncoderWorker
from gateway.pacer import Pacer
from gateway.sources import AudioSource
from gateway.stall import StallWatch
from gateway.stream_parts import make_parts
from gateway.stream_plan import StreamPlan
from gateway.tiers import cut_tiers, send_window
from gateway.voice_activity import VoiceActivity
from protocol.entropy import EntropyTables
from protocol.epoch import new_epoch
from protocol.event import HEARTBEAT_S
from protocol.service import LivenessWatch, Stats, WatchedPart, counters_snapshot, device_id
from protocol.topics import Topics
from protocol.transport import Connection, ConnectionState, Presence, await_connected

__all__ = ["CONNECT_TIMEOUT_S", "Pipeline"]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
_FLUSH_S = 5.0
_LAST_FRAMES_S = 2.0
_JOIN_S = 5.0
_TICK_S = 0.2
_LOG_EVERY_S = 30.0
PAUSED_PROBE_S = HEARTBEAT_S + 5
_LIMIT_GRACE_S = 1.0  # from the end by the clock to the end by force: a sound card takes a moment to start


class Pipeline:
    """One source, one encoder, one stream. Not reusable.

    Start: source opened, encoder warmed up, broker connected, presence, manifest, start event, audio.
    Stop, whatever the reason: worker ended, last packet, stop event, manifest taken away, outbox flushed, presence
    offline, connection closed, source closed.

    tables: what the stream's codes are entropy-coded by; None: they are packed.
    stop: set it from anywhere to end cleanly. clock: seconds, monotonic. utc: seconds since 1970.
    """

    def __init__(
        self,
        config: GatewayConfig,
        encoder: Encoder,
        source: AudioSource,
        *,
        stop: threading.Event,
        tables: EntropyTables | None = None,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._source = source
        self._stop = stop
        self._clock = clock
        self._utc = utc
        spec = encoder.spec
        self.plan = StreamPlan(
            config=config.stream,
            profile=config.profile,
            spec=spec,
            tiers=cut_tiers(config.stream, codec=spec.name, num_layers=spec.num_layers),
            gateway_id=config.run.id or device_id("gw"),
            epoch=new_epoch(),
            entropy=None if tables is None else tables.fingerprint,
        )
        self._id = self.plan.gateway_id
        self._frame_s = spec.frame_duration_s
        self._topics = Topics(config.stream.base)
        self._presence = Presence(
            "gateway",
            self._id,
            self._topics.gateway_status(self._id),
            session=time.time_ns(),
            epoch=self.plan.epoch,
        )
        self.connection = self._make_connection()
        self._announcer = Announcer(
            self.connection,
            self._topics,
            stream=config.stream.name,
            presence=self._presence,
            clock=clock,
            utc=utc,
        )
        self._parts = make_parts(
            self.plan, self.connection, self._topics, self._announcer, live=source.live, tables=tables, clock=clock
        )
        voice = VoiceActivity(spec.sample_rate) if self.plan.silence else None
        self._pacer = Pacer(self._frame_s, clock=clock, wait=stop.wait)
        self.watch = StallWatch(
            clock=clock,
            name=lambda: source.description,
            on_stall=self._on_stall,
            on_resume=self._announcer.resumed,
        )
        self.worker = EncoderWorker(
            encoder=encoder,
            source=source,
            writer=self._parts.writer,
            pacer=self._pacer,
            stop=stop,
            clock=clock,
            limit_frames=self._limit_frames(),
            watch=self.watch,
            speaks=(lambda frame: True) if voice is None else voice.speaks,
        )
        network = WatchedPart("network thread", lambda: self.connection.turns, lambda: self.connection.failure)
        encoding = WatchedPart("encoder worker", lambda: self.worker.turns)
        self._connecting = LivenessWatch((network,), clock=clock)
        self._streaming = LivenessWatch((network, encoding), clock=clock)

    def run(self) -> Stats:
        """Run until the source ends, `--for` is reached or `stop` is set. Returns the final counters.

        Raises SourceError and the codec's AudioFileError (66), MicrophoneError and the codec's SoundCardError (74),
        BrokerUnavailableError (69), NotAuthorisedError (77), ClientIdTakenError (78), PartFailedError (1); everything
        is stopped and closed before any of them leaves.
        """
        with self._source:
            self.worker.start()
            try:
                self._await_worker()
                self._connect()
                if not self._stop.is_set():
                    self._stream()
            finally:
                self._shut_down()
            if self.worker.error is not None:
                raise self.worker.error
            self._raise_refusals()  # of a stream so short that it ended before the broker's answer
            return self.stats()

    def stats(self) -> Stats:
        """Every counter, flat. `encoded = published + dropped + silent` once the pipeline has ended.

        Frames are counted by their base tier. Packets are those of all tiers; the upper ones' among them stand apart.
        """
        plan, metrics = self.plan, self.worker.metrics
        transport = self.connection.stats()
        encode_ms = metrics.encode_ms.snapshot()
        values: Stats = {
            "id": self._id,
            "stream": plan.config.name,
            "codec": plan.spec.name,
            "source": self._source.description,
            "layers": plan.layers,
            "tiers": ",".join(str(tier.num_layers) for tier in plan.tiers),
            "qos": plan.profile.qos,
            "entropy": plan.entropy or "off",
            "frames_encoded": metrics.frames_encoded,
            "frames_published": transport.weight_published,
            "frames_dropped": transport.weight_dropped,
            **self._parts.counters(),
            "heartbeats": self._announcer.heartbeats,
            "frames_gapped": metrics.frames_gapped,
            "gaps": metrics.gaps,
            "nonfinite_samples": metrics.nonfinite_samples,
            "packets_published": transport.messages_published,
            "packets_dropped": transport.messages_dropped,
            "tier_packets_published": transport.yielding_published,
            "tier_packets_dropped": transport.yielding_dropped,
            "input_overflows": self._source.overflows,
            **self._source.counters,
            "source_stalls": self.watch.stalls,
            "source_stalled_s": round(self.watch.stalled_s, 2),
            "clock_reports": self._announcer.clock_reports,
            "connects": transport.connects,
            "disconnects": transport.disconnects,
            "dropped_overflow": transport.dropped_overflow,
            "dropped_stale": transport.dropped_stale,
            "dropped_refused": transport.dropped_refused,
            "dropped_unsent": transport.dropped_unsent,
            "messages_resent": transport.messages_resent,
            "reliable_failed": transport.reliable_failed,
            "publishes_refused": transport.publishes_refused,
            "echoes_missing": transport.echoes_missing,
            "callback_errors": transport.callback_errors,
            "encode_rtf": round(metrics.encode_rtf, 5),
            "encode_overloads": self.worker.pace.overloads,
            "encode_ms_p50": round(encode_ms.p50, 3),
            "encode_ms_p95": round(encode_ms.p95, 3),
        }
        wire = self.connection.wire()
        if wire is not None:
            values |= counters_snapshot(wire, prefix="wire_")
        return values

    def _make_connection(self) -> Connection:
        plan, broker = self.plan, self._config.broker
        if broker.client_id is None:
            broker = dataclasses.replace(broker, client_id=f"vw-gateway-{self._id}")
        return Connection(
            dataclasses.replace(broker, keepalive_s=broker.keepalive_s or plan.profile.keepalive_s),
            will=self._presence.will(),
            offline=self._presence.offline(),
            window=send_window(plan.config, plan.profile, plan.tiers),
            max_age_s=plan.profile.max_age_ms / 1000,
            clock=self._clock,
        )

    def _limit_frames(self) -> int | None:
        limit_s = self._config.source.limit_s
        return None if limit_s is None else math.ceil(limit_s / self._frame_s)

    def _await_worker(self) -> None:
        """Until the encoder is warm, or broke."""
        while not self.worker.ready.wait(_TICK_S):
            if self._stop.is_set():
                return
        if self.worker.error is not None:
            raise self.worker.error

    def _connect(self) -> None:
        """Connect; with `wait` for as long as it takes. A refused login is never waited out."""
        self.connection.on_connected(self._announcer.reannounce)
        if self.plan.silence:
            # While packets flow TCP has no use for probes, and in a pause they would cost twice what heartbeats do.
            self.connection.on_connected(lambda: self.connection.probe_after(PAUSED_PROBE_S))
        for topic in self._parts.publisher.topics:
            self.connection.verify_publishing(topic)
        self.connection.start()
        timeout_s = None if self._config.run.wait else CONNECT_TIMEOUT_S
        await_connected(
            self.connection, stop=self._stop, timeout_s=timeout_s, clock=self._clock, look=self._connecting.look
        )

    def _stream(self) -> None:
        origin = self._clock() + self._config.stream.start_delay_s
        self._announcer.open_stream(self.plan.manifest(self._utc() + self._config.stream.start_delay_s))
        if self._source.live and self._stop.wait(self._config.stream.start_delay_s):
            return
        self._pacer.start(origin)
        logger.info("stream %s: %s, %s", self._config.stream.name, self._source.description, self.plan.spec.name)
        self.worker.begin()
        limit_s = self._config.source.limit_s
        deadline = math.inf if limit_s is None else origin + limit_s + _LIMIT_GRACE_S
        logged_at = self._clock()
        while not self.worker.done.wait(_TICK_S):
            self._raise_refusals()
            self._streaming.look()
            self._announcer.tick(self.stats)
            self.watch.tick()
            # A source that hands over nothing would never reach a limit counted in frames; one that is only slow does.
            if self._clock() >= deadline and (self._source.live or self.watch.waiting_s > _LIMIT_GRACE_S / 2):
                self._stop.set()
            if self._clock() - logged_at >= _LOG_EVERY_S:
                logged_at = self._clock()
                logger.info("stream %s: %s", self._config.stream.name, self._summary())

    def _raise_refusals(self) -> None:
        """What the broker does not let us do; with `wait` it is logged and counted, until somebody puts it right."""
        if not self._config.run.wait:
            self.connection.raise_refusals()

    def _on_stall(self) -> None:
        """On this thread, while the worker waits: mark and index stand still."""
        mark = self.worker.mark
        ended_at = self._pacer.frame_start(0) if mark is None else mark.captured_at + self._frame_s
        self._announcer.stalled(self.worker.next_index, ended_at)

    def _shut_down(self) -> None:
        # The broker is away, and nothing was said to it yet or the user waits for the prompt: it is not waited for.
        is_away = self.connection.state is not ConnectionState.CONNECTED
        in_a_hurry = is_away and (self._stop.is_set() or self.worker.mark is None)
        ended = self.worker.done.is_set()
        if not ended:
            self._stop.set()
        if not self.worker.join(_JOIN_S):
            logger.error("the encoder worker does not end; leaving it behind")
        self._parts.writer.finish()
        # What is reliable overtakes what is live: without this the end of the stream would come before its last frames.
        if not in_a_hurry:
            self.connection.flush(_LAST_FRAMES_S)
        mark = self.worker.mark
        ended_at = None if mark is None else mark.captured_at + self._frame_s
        self._announcer.close_stream(self.worker.next_index, ended_at)
        if not in_a_hurry and not self.connection.flush(_FLUSH_S):
            logger.warning("not everything reached the broker within %.0f s", _FLUSH_S)
        self.connection.stop()
        logger.info("stream %s ended: %s", self._config.stream.name, self._summary())

    def _summary(self) -> str:
        values = self.stats()
        return (
            f"{values['frames_encoded']} frames encoded, {values['frames_published']} published, "
            f"{values['frames_dropped']} dropped, {values['frames_silent']} silent, "
            f"encode RTF {values['encode_rtf']:.3f}"
        )

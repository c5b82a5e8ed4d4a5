"""The player's parts wired together; owns the order in which they start and stop."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from edge_player.buffer.timeline import Timeline
from edge_player.config import RECEIVE_MAXIMUM, PlayerConfig
from edge_player.errors import NoStreamError, PlayerError, SinkError
from edge_player.intake.first_copy import FirstCopy
from edge_player.intake.inbox import Inbox
from edge_player.intake.link_watch import LinkWatch
from edge_player.intake.links import Links, spare_config
from edge_player.intake.receiver import Receiver
from edge_player.intake.receiver_values import ReceiverConfig, StreamState
from edge_player.intake.subscriber import Subscriber
from edge_player.intake.tier_follower import TierFollower
from edge_player.metrics import WireWindow, publish_metrics
from edge_player.player_parts import PlayerParts
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.render.playout import Playout
from edge_player.render.ring import PcmRing
from edge_player.render.volume import Volume
from edge_player.render.worker import PlayerWorker
from edge_player.sinks import AudioSink
from protocol.limits import MAX_FRAMES_PER_PACKET
from protocol.service import LivenessWatch, PeriodicStats, Stats, WatchedPart, device_id
from protocol.topics import Topics
from protocol.transport import Connection, ConnectionState, Presence, TransportError, await_connected

logger = logging.getLogger(__name__)

WAIT_S = 10.0
"""So long a player without --wait gives broker and stream each to show up."""

GONE_S = 10.0
"""With exit_on_stop: a gateway that is offline without a last word is given so long to come back."""

_TICK_S = 0.05
_SINK_RETRY_S = 2.0
_LOG_EVERY_S = 30.0
_FLUSH_S = 2.0


class Player:
    """One stream, one decoder, one sink. Not reusable.

    Start: sink, worker, broker, subscriptions, presence; spares once a stream is known. Stop, whatever the reason: sink
    closed, worker ended, spares closed, presence offline, connection closed. The caller owns `decoder` and closes it
    afterwards.

    stop: set it from anywhere to end cleanly. started_at: when the process started, by `clock`, for first_sound_ms.
    clock: seconds, monotonic. utc: seconds since 1970, for latency only.
    """

    def __init__(
        self,
        config: PlayerConfig,
        decoder: OnnxFrameDecoder,
        sink: AudioSink,
        *,
        stop: threading.Event,
        started_at: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._decoder = decoder
        self._sink = sink
        self._stop = stop
        self._clock = clock
        began_at = clock() if started_at is None else started_at
        self._id = config.run.id or device_id("edge")
        topics = Topics(config.stream.base)
        self._presence = Presence("edge", self._id, topics.edge_status(self._id), session=time.time_ns())
        self._metrics_topic = topics.edge_metrics(self._id)
        self._links = self._make_links()
        self.connection = self._links.first
        self._inbox = Inbox()
        self._copies = FirstCopy(config.link.connections)
        self._subscriber = Subscriber(
            self.connection, topics, config.stream.name, self._inbox, spares=self._links.spares
        )
        self._wire = WireWindow(self._links.wire)
        self._link_watch = LinkWatch(self._links, stream=config.stream.name)
        frames_per_step = decoder.frames_per_step
        longest_step_s = MAX_FRAMES_PER_PACKET * decoder.spec.frame_duration_s
        capacity = Playout.ring_capacity(
            frame_duration_s=decoder.spec.frame_duration_s,
            sink_rate=sink.sample_rate,
            lead_s=sink.lead_s + max(decoder.step_s(1), decoder.step_s(frames_per_step), longest_step_s),
            frames_per_step=MAX_FRAMES_PER_PACKET,
        )
        self._ring = PcmRing(capacity)
        self.volume = Volume(config.playout.volume, mute=config.playout.mute)
        self._timeline = Timeline(on_switch=lambda plan: self._playout.switch(plan))
        self._playout = Playout(
            self._timeline,
            decoder,
            self._ring,
            sink_rate=sink.sample_rate,
            lead_s=sink.lead_s,
            sink_latency_s=lambda: sink.latency_s,
            sink_rate_now=lambda: sink.sample_rate,
            on_new_ring=sink.attach,
            step_s=decoder.step_s,
            frames_per_step=frames_per_step,
            longest_step=MAX_FRAMES_PER_PACKET,
            clock=clock,
            volume=self.volume,
            adapt=config.adapts,
            utc=utc,
        )
        self._tier_follower = TierFollower(
            self._subscriber.follow,
            self._timeline,
            stream=config.stream.name,
            auto=config.stream.layers == "auto",
            lag=self._link_watch,
        )
        self._receiver = Receiver(
            ReceiverConfig(
                stream=config.stream.name,
                layers=config.stream.first_layers,
                playout_delay_ms=config.playout.delay_ms,
                playout_offset_ms=config.playout.offset_ms,
                slack_s=config.playout.slack_ms / 1000.0,
            ),
            decoder.spec,
            self._timeline,
            follow=self._tier_follower.follow,
            on_state=self._on_state,
            on_packet=self._wire.mark,
            witness=self._link_watch,
            tables=decoder.tables,
        )
        self._worker = PlayerWorker(
            self._inbox,
            self._receiver,
            self._playout,
            clock=clock,
            admit=self._copies.admit,
            look=self._look_at_link,
        )
        self._parts = PlayerParts(
            id=self._id,
            stream=config.stream.name,
            started_at=began_at,
            links=self._links,
            inbox=self._inbox,
            copies=self._copies,
            receiver=self._receiver,
            timeline=self._timeline,
            playout=self._playout,
            decoder=decoder,
            sink=sink,
            wire=self._wire,
            link_watch=self._link_watch,
            tier_follower=self._tier_follower,
        )
        self._closing_failure: Exception | None = None
        self._liveness = LivenessWatch(
            (
                *self._links.parts(),
                WatchedPart("player worker", lambda: self._worker.turns),
                *sink.parts,
            ),
            clock=clock,
        )

    def run(self) -> Stats:
        """Play until `stop`, the time limit, or, with exit_on_stop, the end of the stream. Returns the final counters.

        Raises SinkError (74), BrokerUnavailableError (69), NotAuthorisedError (77), ClientIdTakenError (78),
        NoStreamError (66), ModelMismatchError (76) and PartFailedError (1); everything is stopped and closed before any
        of them leaves.
        """
        try:
            self._start_sink()
            self._worker.start()
            self._connect()
            self._play()
        finally:
            self._shut_down()
        if self._worker.error is not None:
            raise self._worker.error
        if self._closing_failure is not None:
            raise self._closing_failure
        return self.stats()

    def stats(self) -> Stats:
        """Every counter, flat. `frames_due = played + concealed + skipped + comfort` once the player has ended."""
        return self._parts.stats()

    def _make_links(self) -> Links:
        broker = self._config.broker
        broker = dataclasses.replace(
            broker,
            client_id=broker.client_id or f"vw-edge-{self._id}",
            receive_maximum=broker.receive_maximum or RECEIVE_MAXIMUM,
        )
        first = Connection(broker, will=self._presence.will(), offline=self._presence.offline(), clock=self._clock)
        numbers = range(2, self._config.link.connections + 1)
        return Links(first, [Connection(spare_config(broker, number), clock=self._clock) for number in numbers])

    def _start_sink(self) -> None:
        told = ""
        while True:
            try:
                self._sink.start(self._ring)
                logger.info("playing %s to %s", self._config.stream.name, self._sink.description)
                return
            except SinkError as error:
                if not self._config.run.wait or not error.retryable:
                    raise
                if str(error) != told:
                    told = str(error)
                    logger.warning("%s; waiting for it", told)
            if self._stop.wait(_SINK_RETRY_S):
                return

    def _connect(self) -> None:
        """Connect and subscribe; with `wait` for as long as it takes. A refused login is never waited out."""
        self._subscriber.start()
        self.connection.on_connected(self._announce)
        self.connection.start()
        timeout_s = None if self._config.run.wait else WAIT_S
        await_connected(
            self.connection, stop=self._stop, timeout_s=timeout_s, clock=self._clock, look=self._look_after_ourselves
        )

    def _play(self) -> None:
        began_at = self._clock()
        limit_s = self._config.run.limit_s
        metrics_at = logged_at = began_at
        written = PeriodicStats(
            self._config.run.stats_file, self._config.run.stats_every_s, self.stats, clock=self._clock
        )
        gone_at: float | None = None
        while not self._stop.wait(_TICK_S):
            now = self._clock()
            self._look_after_spares()
            self._raise_failures(now - began_at)
            if limit_s is not None and now - began_at >= limit_s:
                return
            gone_at = (now if gone_at is None else gone_at) if self._receiver.gateway_gone else None
            if self._config.run.exit_on_stop and self._is_over(gone_s=0.0 if gone_at is None else now - gone_at):
                return
            # In a pause they wait: nothing is new, and they would cost more than all the rest of the idle stream.
            due = self._config.run.metrics_s and now - metrics_at >= self._config.run.metrics_s
            if due and not self._receiver.pauses(now):
                metrics_at = now
                publish_metrics(self.connection, self._metrics_topic, self._presence, self.stats())
            written.tick()
            if now - logged_at >= _LOG_EVERY_S:
                logged_at = now
                logger.info("stream %s: %s", self._config.stream.name, self._summary())

    def _look_after_spares(self) -> None:
        """Comes before the look at what the first was refused: a spare may be to blame for that, and is given up then.

        None starts before a stream is known, so that it cannot be in the way of finding one.
        """
        if self._timeline.newest_epoch is not None:
            self._links.start_spares()
        self._links.look()

    def _look_at_link(self, now: float) -> None:
        """Called from the player worker."""
        expects = self._receiver.expects_packets
        self._link_watch.look(now, expects_packets=expects)
        is_up = self._links.state is ConnectionState.CONNECTED
        self._tier_follower.look(now, expects_packets=expects and is_up)

    def _look_after_ourselves(self) -> None:
        """Raise what ended one of our threads, or PartFailedError where one of them hangs."""
        if self._worker.error is not None:
            raise self._worker.error
        failure = self._sink.failure
        if failure is not None:
            raise failure if isinstance(failure, PlayerError) else SinkError(f"{self._sink.description}: {failure}")
        self._liveness.look()

    def _raise_failures(self, running_s: float) -> None:
        self._look_after_ourselves()
        if self._config.run.wait:
            return
        self.connection.raise_refusals(publishing=False, subscriptions=self._subscriber.essential)
        state = self._receiver.state
        if state.error is not None:
            raise state.error
        if self._timeline.newest_epoch is None and running_s >= WAIT_S:
            raise NoStreamError(
                f"There is no stream called {self._config.stream.name!r} on the broker {self._config.broker.url}: none "
                f"was announced within {WAIT_S:.0f} s; start its gateway, check --stream, --base and the broker's "
                "access list, or give --wait"
            )

    def _is_over(self, *, gone_s: float) -> bool:
        """Whether the stream has ended and all of it has left the ring."""
        if self._playout.ring.level or self._playout.ring.active:
            return False
        if gone_s >= GONE_S:
            logger.warning("stream %s: its gateway went offline and did not come back", self._config.stream.name)
            return True
        return self._receiver.over and self._timeline.ended

    def _on_state(self, state: StreamState) -> None:
        """Called from the player worker."""
        self._presence.update(state.state, state.reason, state.epoch)
        self._announce()

    def _announce(self) -> None:
        """Called from the player worker and the network thread."""
        try:
            self._presence.announce(self.connection)
        except TransportError as error:
            logger.warning("the status could not be published: %s", error)

    def _shut_down(self) -> None:
        if self._sink.latency_s and not self._stop.is_set():
            self._stop.wait(min(1.0, self._sink.latency_s))  # what the card has taken is still to be heard
        failure_before = self._sink.failure
        self._sink.stop()
        if self._sink.failure is not failure_before:
            self._closing_failure = self._sink.failure
        if not self._worker.stop():
            logger.error("the player worker does not end; leaving it behind")
        self._links.stop_spares()
        self.connection.flush(_FLUSH_S if self._receiver.state.state == "refused" else 0.0)
        self.connection.stop()
        logger.info("stream %s ended: %s", self._config.stream.name, self._summary())

    def _summary(self) -> str:
        totals = self._timeline.totals()
        return (
            f"{totals.due} frames due, {totals.played} played, {totals.concealed} concealed, {totals.skipped} skipped, "
            f"{totals.comfort} silent or comfort noise, decode RTF {self._decoder.real_time_factor:.3f}"
        )

"""What messages mean: manifests open epochs, packets fill them, events begin and end them. No thread, no socket."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from codec.spec import CodecSpec
from edge_player.buffer.jitter_buffer import InsertResult
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.errors import PlayerError
from edge_player.intake.base_watch import BaseWatch
from edge_player.intake.declared_pause import DeclaredPause
from edge_player.intake.episode import Episode
from edge_player.intake.epoch_plan import check_playable, explain_layers, plan_epoch, usual_packet_rate
from edge_player.intake.inbox import InboxKind, InboxMessage
from edge_player.intake.packet_reader import PacketReader, ReadPacket
from edge_player.intake.receiver_values import ReceiverConfig, ReceiverStats, StreamState
from edge_player.intake.succession import Succession
from protocol.entropy import EntropyTables
from protocol.errors import Fault, ManifestError, MessageError
from protocol.event import (
    ClockReport,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamPaused,
    StreamStarted,
    StreamStopped,
    decode_event,
)
from protocol.manifest import StreamManifest, decode_manifest
from protocol.packet import TokenPacket
from protocol.sequence import serial_distance, to_serial
from protocol.status import StatusMessage, decode_status

logger = logging.getLogger(__name__)

SOURCE_STALLED = "the source of the stream gives no sound"
BASE_MISSING = "upper tiers of the stream come, but never its base on t0: does a bridge or an access rule let it pass?"


class Witness(Protocol):
    """Who is told what comes over the link; on the player worker."""

    def opened(self, plan: EpochPlan) -> None:
        """An epoch was announced."""

    def heard(self, received_at: float) -> None:
        """A token packet came on the first tier, of whatever worth, or the heartbeat that stands in for them in a
        pause."""

    def arrived(self, packet: TokenPacket, received_at: float) -> None:
        """A packet of the newest epoch, on its first tier, that its jitter buffer believed."""

    def interrupted(self) -> None:
        """The source stalls, or goes on after it."""

    def paused(self, lasts: bool) -> None:
        """Nobody speaks, and nothing is sent but heartbeats, of which each is told; or packets come again."""


class Receiver:
    """Owned by the player worker. `follow(tiers, gateway_id)` is asked to subscribe to what a manifest names.

    `on_state` is told of every change; `on_packet(received_at)` of every token packet until
    the stream says that it is over; `witness` of what an eye on the link has to know. `tables`: the decoder's, for
    streams that are entropy-coded.
    """

    def __init__(
        self,
        config: ReceiverConfig,
        spec: CodecSpec,
        timeline: Timeline,
        *,
        follow: Callable[[Iterable[int], str], None],
        on_state: Callable[[StreamState], None],
        on_packet: Callable[[float], None] = lambda received_at: None,
        witness: Witness | None = None,
        tables: EntropyTables | None = None,
    ) -> None:
        self.stats = ReceiverStats()
        self._config = config
        self._spec = spec
        self._tables = tables
        self._timeline = timeline
        self._follow = follow
        self._on_state = on_state
        self._on_packet = on_packet
        self._witness = witness
        self._state = StreamState("waiting", "no manifest yet")
        self._succession = Succession()
        self._reader = PacketReader(config.stream, self.stats, tables)
        self._bad_manifests = Episode()
        self._gateway: tuple[str, StatusMessage | None] | None = None
        self.over = False
        """Whether the newest epoch has ended, by its own word, or its manifest was taken away."""
        self._pause = DeclaredPause()
        self._base = BaseWatch()
        self._stalled_at: int | None = None  # first frame that its source did not give, while it stalls
        self.gateway_gone = False
        """Whether the broker says that the gateway of the newest epoch is offline."""

    @property
    def state(self) -> StreamState:
        """How the player stands to its stream now."""
        return self._state

    @property
    def expects_packets(self) -> bool:
        """Whether the newest epoch is alive as far as we were told: not over, no stall, its gateway not offline."""
        told_so = self._state.state == "online" or self._state.reason == BASE_MISSING
        return told_so and not self.over and not self.gateway_gone and self._stalled_at is None

    def pauses(self, now: float) -> bool:
        """Whether nothing is sent now because nobody speaks, as far as we were told."""
        return self._pause.lasts(now) and not self.over and not self.gateway_gone

    def handle(self, message: InboxMessage) -> None:
        """Take one message. Never raises on what came from outside: it is counted."""
        if message.kind is InboxKind.TOKENS:
            self._on_tokens(message)
        elif message.kind is InboxKind.MANIFEST:
            self._on_manifest(message.payload, message.received_at)
        elif message.kind is InboxKind.EVENT:
            self._on_event(message)
        else:
            self._on_gateway_status(message.payload)
        self._reconsider(message.received_at)

    # -- manifests

    def _on_manifest(self, payload: bytes, at: float) -> None:
        if not payload:
            self._on_gone()
            return
        try:
            manifest = decode_manifest(payload)
        except ManifestError as error:
            self._on_bad_manifest(f"its manifest was ignored: {error}", at)
            return
        if manifest.stream != self._config.stream:
            self._on_bad_manifest(f"a manifest of {manifest.stream} came on its topic", at)
            return
        self.stats.manifests += 1
        if self._succession.is_known(manifest):
            return
        if self._succession.is_older(manifest) and self._is_alive(at):
            self._on_rolled_back(manifest)
            return
        self._open(manifest, at)

    def _on_bad_manifest(self, what: str, at: float) -> None:
        self.stats.manifests_bad += 1
        level = logging.WARNING if self._bad_manifests.begins(at) else logging.DEBUG
        logger.log(level, "stream %s: %s", self._config.stream, what)

    def _on_rolled_back(self, manifest: StreamManifest) -> None:
        self.stats.manifests_rolled_back += 1
        if self._succession.hold_back(manifest):
            logger.warning(
                "stream %s: a manifest from before the one that plays was announced; it has to wait until that is over",
                self._config.stream,
            )

    def _is_alive(self, at: float) -> bool:
        """Whether the newest epoch still sends."""
        return not self.over and not self.gateway_gone and (self._succession.is_alive(at) or self._pause.lasts(at))

    def _reconsider(self, at: float) -> None:
        """Open the manifest that was held back, once the newest epoch is silent."""
        if not self._is_alive(at) and (manifest := self._succession.release()) is not None:
            self._open(manifest, at)

    def _on_gone(self) -> None:
        """The manifest was taken away: what came is played, then nothing is due."""
        if not self._succession.begun:
            self._set_state(StreamState("waiting", "no such stream yet"))
        elif not self.over:
            self.over = True
            self._timeline.close()
            self._set_state(StreamState("waiting", "the stream has ended", self._timeline.newest_epoch))

    def _open(self, manifest: StreamManifest, at: float) -> None:
        try:
            check_playable(manifest, self._spec, self._tables)
        except PlayerError as error:
            self.stats.manifests_refused += 1
            self._set_state(StreamState("refused", str(error), manifest.epoch, error))
            return
        self._succession.open(manifest)
        plan = plan_epoch(manifest, self._spec, self._config)
        self._timeline.open(plan)
        if self._witness is not None:
            self._witness.opened(plan)
        self.over = self.gateway_gone = False
        self._stalled_at = None
        self._pause.end()
        self._base.begin(packet_s=plan.packet_s)
        self._say_layers(manifest)
        if self._gateway is None or self._gateway[0] != manifest.gateway_id:
            self._gateway = (manifest.gateway_id, None)
        self._follow(plan.tiers.wanted_tiers, manifest.gateway_id)
        self._set_state(StreamState("online", None, manifest.epoch))
        for read in self._reader.open(manifest, packets_per_s=usual_packet_rate(plan), at=at):
            self._insert(read)

    def _say_layers(self, manifest: StreamManifest) -> None:
        asked = self._config.layers
        if asked is not None:
            self.stats.layers_short += asked > manifest.num_layers
            if said := explain_layers(manifest, asked):
                logger.warning("stream %s: %s", self._config.stream, said)

    # -- packets

    def _on_tokens(self, message: InboxMessage) -> None:
        if message.retained:
            self.stats.packets_retained += 1  # live audio is never retained: somebody planted it
            return
        self.stats.packets_received += 1
        if self._witness is not None and message.tier == 0:
            self._witness.heard(message.received_at)
        if not self._reader.admit(message.received_at):
            return
        if not self.over:  # the farewell of a stream is not its steady state
            self._on_packet(message.received_at)
        read = self._reader.read(message)
        if read is not None:
            self._insert(read)

    def _insert(self, read: ReadPacket) -> None:
        packet, received_at, tier = read.packet, read.message.received_at, read.message.tier
        if read.is_newest:
            self._succession.hear(received_at)
            self._look_for_base(tier, received_at)
            if tier == 0:
                self._hear_pause(packet, received_at)
        result = self._timeline.insert(packet, received_at, tier=tier)
        believed = result not in (None, InsertResult.HELD, InsertResult.REFUSED)
        if self._witness is not None and believed and read.is_newest and tier == 0:
            self._witness.arrived(packet, received_at)
        if self._stalled_at is not None and read.is_newest:
            self._on_sound(packet.first_frame)

    def _look_for_base(self, tier: int, at: float) -> None:
        """A packet of the newest epoch came on that tier."""
        if tier == 0 or self.over or self.gateway_gone or self._stalled_at is not None:
            if self._base.base_came() and self._state.reason == BASE_MISSING:
                self._set_state(StreamState("online", None, self._timeline.newest_epoch))
            return
        self.stats.base_missing += self._base.upper_came(at)
        if self._base.missing:
            self._set_state(StreamState("waiting", BASE_MISSING, self._timeline.newest_epoch))

    # -- events

    def _on_event(self, message: InboxMessage) -> None:
        self.stats.events += 1
        try:
            event = decode_event(message.payload)
        except MessageError as error:
            if error.reason is Fault.UNKNOWN:
                self.stats.events_unknown += 1  # of a later version, and no fault
            else:
                self.stats.events_bad += 1
            logger.debug("stream %s: event ignored: %s", self._config.stream, error)
            return
        if isinstance(event, ClockReport):
            self.stats.clock_reports += 1
            self._timeline.report_clock(event)
        elif isinstance(event, StreamStarted):
            if not message.retained:
                self._timeline.expect(event.epoch, event.first_frame)
        elif isinstance(event, StreamStopped):
            self._timeline.end(event.epoch, event.last_frame)
            if event.epoch == self._timeline.newest_epoch:
                self.over = True
                self._set_state(StreamState("waiting", "the stream has ended", event.epoch))
        elif isinstance(event, StreamPaused):
            self._on_heartbeat(event, message.received_at)
        elif isinstance(event, StreamGap):
            self.stats.sender_gaps += 1
            self.stats.sender_gap_frames += event.frames
        elif isinstance(event, SourceStalled):
            if event.epoch == self._timeline.newest_epoch and not self.over:
                self._on_stall(event.frame)
        elif isinstance(event, SourceResumed) and event.epoch == self._timeline.newest_epoch:
            self._on_resumed()

    def _hear_pause(self, packet: TokenPacket, received_at: float) -> None:
        """A packet of the newest epoch: it begins a pause, or says that there is none."""
        if packet.pause_after:
            self._begin_pause(received_at)
        elif self._pause.lasts(received_at):
            self._pause.end()
            if self._witness is not None:
                self._witness.paused(False)

    def _begin_pause(self, received_at: float) -> None:
        if self._pause.hear(received_at):
            self.stats.pauses += 1
        if self._witness is not None:
            self._witness.paused(True)

    def _on_heartbeat(self, event: StreamPaused, received_at: float) -> None:
        self.stats.heartbeats += 1
        if self.over or not self._timeline.hear_heartbeat(event.epoch, received_at):
            return
        self._begin_pause(received_at)  # should the packet that said so not have come
        if self._witness is not None:
            self._witness.heard(received_at)

    def _on_stall(self, frame: int) -> None:
        if self._stalled_at is None:
            self.stats.source_stalls += 1
        self._stalled_at = frame
        self._interrupt()
        self._set_state(StreamState("waiting", SOURCE_STALLED, self._timeline.newest_epoch))

    def _on_sound(self, first_frame: int) -> None:
        """A packet came during a stall: one from before it, that the event overtook, or the first after it."""
        if self._stalled_at is not None and serial_distance(to_serial(self._stalled_at), first_frame) >= 0:
            self._on_resumed()

    def _on_resumed(self) -> None:
        if self._stalled_at is not None:
            self._stalled_at = None
            self._interrupt()
            if not self.over and not self.gateway_gone:
                self._set_state(StreamState("online", None, self._timeline.newest_epoch))

    def _interrupt(self) -> None:
        if self._witness is not None:
            self._witness.interrupted()

    # -- the gateway

    def _on_gateway_status(self, payload: bytes) -> None:
        if self._gateway is None or not payload:
            return
        gateway_id, previous = self._gateway
        try:
            status = decode_status(payload)
        except MessageError:
            self.stats.statuses_bad += 1
            return
        newest = self._timeline.newest_epoch
        # A will may come late: one of another epoch or an earlier session says nothing about this stream.
        if status.role != "gateway" or status.id != gateway_id or not status.supersedes(previous):
            return
        self._gateway = (gateway_id, status)
        self.gateway_gone = status.state == "offline" and status.epoch == newest
        if self.over or self._state.state == "refused":
            return
        if self.gateway_gone:
            self._pause.end()
            self._timeline.forget_pause()
            self._set_state(StreamState("waiting", f"the gateway {gateway_id} is offline", newest))
        elif status.state == "online":
            if self._stalled_at is not None:
                self._stalled_at = None
                self._interrupt()
            if not self._base.missing:
                self._set_state(StreamState("online", None, newest))
        elif status.state == "waiting" and status.epoch == newest and self._state.state == "online":
            # For who came while the source stalls, and missed the event. No frame is named: any packet ends it.
            self._stalled_at = 0
            self._interrupt()
            self._set_state(StreamState("waiting", SOURCE_STALLED, newest))

    def _set_state(self, state: StreamState) -> None:
        if state != self._state:
            self._state = state
            level = logging.WARNING if state.state == "refused" else logging.INFO
            logger.log(level, "stream %s: %s%s", self._config.stream, state.state, _because(state.reason))
            self._on_state(state)


def _because(reason: str | None) -> str:
    return "" if reason is None else f": {reason}"

"""One stream: a gateway's connection, the broker, a player's connection, and what goes between them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from benchmarks.wire.cases import IDLE, IDLE_TOLD, OURS, Case, Variant
from benchmarks.wire.speech import STEP_S, Speech
from gateway.plan.hop import DAY_FRAME, DEVICE_ID, METRICS_BYTES, METRICS_REFRESH_S, STATUS_BYTES
from protocol.entropy import CodesCoder, EntropyTables
from protocol.event import CLOCK_REPORT_S, ClockReport, encode_event
from protocol.link import NARROW
from protocol.packet import TokenPacket, encode_packet
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, Message, WireCounters
from protocol.transport.version_choice import MQTT_311

CODEBOOK_SIZE: Final = 2048
EPOCH: Final = 0x7FEE_DDCC_BBAA_9977
CONNECT_S: Final = 30.0
TOPICS: Final = Topics()


@dataclass(slots=True)
class Flow:
    """next_at: when its next message is due. Counters rise on the thread that sends, `received` on a network thread."""

    case: Case
    stream: str
    speech: Speech
    publisher: Connection
    player: Connection
    packers: Sequence[TierPacker] = ()
    next_at: float = 0.0
    report_at: float = 0.0
    sent: int = 0
    received: int = 0
    payload_bytes: int = 0

    @property
    def every_s(self) -> float:
        """From one message to the next."""
        return METRICS_REFRESH_S if self.case.what in (IDLE, IDLE_TOLD) else self.case.frames * STEP_S

    def on_message(self, message: Message) -> None:
        """Called from the network thread: count, nothing more."""
        self.received += 1

    def send(self) -> None:
        """What is due: a packet, with the clock report where it is time to, for a gateway sends the two together."""
        if self.case.what == IDLE:
            return
        if self.case.what == IDLE_TOLD:
            self._send_refreshes()
            return
        if self.next_at >= self.report_at:
            self._send_clock_report()
            self.report_at = self.next_at + CLOCK_REPORT_S
        case = self.case
        for tier, payload in enumerate(self.payloads()):
            self.publisher.publish(TOPICS.tokens(self.stream, tier), payload, qos=case.qos, weight=case.frames)
            self.payload_bytes += len(payload)
        self.sent += 1

    def payloads(self) -> Sequence[bytes]:
        """Of the next packet, one a tier."""
        frames, first = self.case.frames, self.sent * self.case.frames
        index = DAY_FRAME + first
        if self.case.what == OURS:
            codes = self.speech.codes
            steps = np.arange(first, first + frames) % codes.shape[1]
            return [packer.payload(codes[:, steps], index) for packer in self.packers]
        coded = self.speech.coded[self.case.what]
        data = b"".join(coded[step % len(coded)] for step in range(first, first + frames))
        # As lean as ours: epoch, index, number of frames, and all bytes as one.
        return [msgpack.packb((EPOCH & 0x7F, index, frames, data))]

    def _send_clock_report(self) -> None:
        frame = DAY_FRAME + self.sent * self.case.frames
        event = ClockReport(epoch=EPOCH, frame=frame, at_ms=time.time_ns() // 1_000_000, rate_ppm=25.0)
        self.publisher.publish(TOPICS.event(self.stream), encode_event(event), qos=0, reliable=True)

    def _send_refreshes(self) -> None:
        """What a gateway and a player say each minute though nobody speaks, as long as theirs."""
        self.publisher.publish(status_topic(self.stream), b"s" * STATUS_BYTES, qos=1, retain=True, reliable=True)
        self.player.publish(TOPICS.edge_metrics(DEVICE_ID), b"m" * METRICS_BYTES, qos=0)
        self.sent += 1


@dataclass(frozen=True, slots=True)
class TierPacker:
    """Packs the layers of one tier; coder: None where their codes are packed plainly."""

    layers: slice
    coder: CodesCoder | None

    def payload(self, codes: NDArray[np.uint16], index: int) -> bytes:
        """Of `codes` [all layers, N], whose first frame has that index."""
        packet = TokenPacket(epoch=EPOCH & 0x7F, first_frame=index, codes=codes[self.layers])
        return encode_packet(packet, codebook_size=CODEBOOK_SIZE, coder=self.coder)


def tier_packers(num_layers: int, variant: Variant, tables: EntropyTables) -> Sequence[TierPacker]:
    """One for each topic of a stream of so many layers."""
    if variant.silence:
        raise NotImplementedError(f"nothing packs {variant} yet")
    packers, first = [], 0
    for layers in variant.tiers or (num_layers,):
        coder = CodesCoder(tables, num_layers=layers, first_layer=first) if variant.entropy else None
        packers.append(TierPacker(slice(first, first + layers), coder))
        first += layers
    return packers


def status_topic(stream: str) -> str:
    """Where the gateway of a flow says how it is: an id as long as `device_id` makes them."""
    return TOPICS.gateway_status(f"gw-{stream:0>{len(DEVICE_ID) - 3}}")


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of a flow at one moment."""

    player: WireCounters
    gateway: WireCounters
    sent: int
    received: int
    payload_bytes: int

    @classmethod
    def of(cls, flow: Flow) -> Reading:
        """Now. SystemExit where the kernel does not count."""
        player, gateway = flow.player.wire(), flow.publisher.wire()
        if player is None or gateway is None:
            raise SystemExit("The kernel does not count for us (TCP_INFO): this benchmark needs Linux")
        return cls(player, gateway, flow.sent, flow.received, flow.payload_bytes)


@contextmanager
def open_flow(case: Case, number: int, speech: Speech, *, url: str, ca_file: Path | None) -> Iterator[Flow]:
    """Both connections, subscribed as a player is. The stream's name is as long as `lobby`: every packet carries it."""
    config = BrokerConfig(url=url, ca_file=ca_file, keepalive_s=NARROW.keepalive_s, connect_timeout_s=CONNECT_S)
    stream = f"n{number:0>4}"
    with (
        _connection(config, f"bench-gateway-{number}", case) as publisher,
        _connection(config, f"bench-player-{number}", case) as player,
    ):
        packers = tier_packers(case.layers, case.variant, speech.tables) if case.what == OURS else ()
        flow = Flow(case, stream, speech, publisher, player, packers)
        for tier in range(len(case.variant.tiers) or 1):
            player.subscribe(TOPICS.tokens(stream, tier), 1, flow.on_message if tier == 0 else _ignore)
        for topic in (TOPICS.event(stream), status_topic(stream)):
            player.subscribe(topic, 1, _ignore)
        for connection in (publisher, player):
            connection.wait_connected(CONNECT_S)
        assert player.flush(CONNECT_S), "the player could not subscribe"
        yield flow


def _ignore(message: Message) -> None:
    pass


def _connection(config: BrokerConfig, client_id: str, case: Case) -> Connection:
    connection = Connection(dataclasses.replace(config, client_id=client_id), window=NARROW.window)
    if case.mqtt == "3.1.1":
        # As if the broker had refused 5 before. There is no setting for it: nobody else wants the older one.
        connection._loop.rotation.version.current = MQTT_311
    return connection

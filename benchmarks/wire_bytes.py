"""Bytes between a broker and one player, headers included: tokens and 24 kHz PCM, by frames a packet and QoS.

Real Mosquitto, our own Connection at both ends, real time. The counts are the kernel's (TCP_INFO of the player's and
of the gateway's socket): payload bytes and segments, pure acknowledgements and MQTT pings included.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.harness import Cell, describe_machine, parse_options, pin_to_core, report
from gateway.demo.broker import start_broker
from protocol.event import CLOCK_REPORT_S, ClockReport, encode_event
from protocol.link import WAN
from protocol.packet import TokenPacket, encode_packet
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, Message, WireCounters

FRAMES_PER_PACKET = (1, 2, 5, 10, 25)
LAYERS, CODEBOOK_SIZE, FRAME_S = 16, 2048, 0.08
PCM_BYTES_PER_S: Final = 24000 * 2
FIRST_FRAME = 1_080_000
"""A day into the stream: an index is one byte at the start and five later."""
EPOCH: Final = 0x7FEE_DDCC_BBAA_9977
SETTLE_S = 5.0
"""Connect, subscribe, and the first packets: over before anything is counted."""


@dataclasses.dataclass(slots=True)
class Flow:
    """One stream: a publisher, the broker, one subscriber."""

    kind: str
    frames: int
    qos: int
    topics: Topics
    stream: str
    publisher: Connection
    player: Connection
    next_at: float = 0.0
    report_at: float = 0.0
    sent: int = 0
    received: int = 0
    payload_bytes: int = 0

    def on_message(self, message: Message) -> None:
        """Called from the network thread: count, nothing more."""
        self.received += 1
        self.payload_bytes = len(message.payload)

    def send(self) -> None:
        """The next packet, and the clock report where it is time to: a gateway sends the two together."""
        if self.next_at >= self.report_at:
            self._send_clock_report()
            self.report_at = self.next_at + CLOCK_REPORT_S
        payload = self._tokens() if self.kind == "tokens" else self._pcm()
        self.publisher.publish(self.topics.tokens(self.stream, 0), payload, qos=self.qos, weight=self.frames)
        self.sent += 1

    def _send_clock_report(self) -> None:
        frame = FIRST_FRAME + self.sent * self.frames
        event = ClockReport(epoch=EPOCH, frame=frame, at_ms=time.time_ns() // 1_000_000, rate_ppm=0)
        self.publisher.publish(self.topics.event(self.stream), encode_event(event), qos=0, reliable=True)

    def _tokens(self) -> bytes:
        random = np.random.default_rng(self.sent)
        codes = random.integers(0, CODEBOOK_SIZE, size=(LAYERS, self.frames), dtype=np.uint16)
        packet = TokenPacket(epoch=EPOCH & 0x7F, first_frame=FIRST_FRAME + self.sent * self.frames, codes=codes)
        return encode_packet(packet, codebook_size=CODEBOOK_SIZE)

    def _pcm(self) -> bytes:
        return np.random.default_rng(self.sent).bytes(round(self.frames * FRAME_S * PCM_BYTES_PER_S))


@dataclasses.dataclass(frozen=True, slots=True)
class _Reading:
    """The counters of a flow at one moment."""

    player: WireCounters
    gateway: WireCounters
    sent: int
    received: int

    @classmethod
    def of(cls, flow: Flow) -> _Reading:
        player, gateway = flow.player.wire(), flow.publisher.wire()
        if player is None or gateway is None:
            raise SystemExit("The kernel does not count for us (TCP_INFO): this benchmark needs Linux")
        return cls(player, gateway, flow.sent, flow.received)


def main() -> int:
    summary = (__doc__ or "").splitlines()[0]
    options = parse_options("wire_bytes", summary, seconds=60.0, seconds_help="seconds counted, of tokens and of PCM")
    pin_to_core(options.core)
    machine = describe_machine(["paho-mqtt"])
    with tempfile.TemporaryDirectory() as directory:
        broker = start_broker(Path(directory), prefer="mosquitto")
        try:
            rows = [row for kind in ("tokens", "pcm") for row in _measure(kind, broker.url, options.seconds)]
        finally:
            broker.stop()
        broker_name = broker.name
    _add_savings(rows)
    report(
        options,
        title=f"Broker to one player and back, {options.seconds:g} s each, kernel counters",
        rows=rows,
        machine=machine | {"broker": broker_name},
        notes=[
            "player_kbps: both ways, 52 bytes of IPv4 and TCP headers a segment, pings and clock reports included.",
            "saving_percent: against PCM with the same packets and QoS. Loopback takes up to 64 KiB a segment, "
            "Ethernet 1.5: PCM costs a few per cent more on a real network than here.",
        ],
    )
    return 0


def _measure(kind: str, url: str, seconds: float) -> list[dict[str, Cell]]:
    """All flows of one kind at the same time, each with connections of its own."""
    with ExitStack() as stack:
        flows = [
            stack.enter_context(_flow(kind, frames, qos, url, number))
            for number, (qos, frames) in enumerate((qos, frames) for qos in (0, 1) for frames in FRAMES_PER_PACKET)
        ]
        _run(flows, SETTLE_S)
        before = [_Reading.of(flow) for flow in flows]
        begun = time.monotonic()
        _run(flows, seconds)
        elapsed = time.monotonic() - begun
        after = [_Reading.of(flow) for flow in flows]
        return [_row(*case, elapsed) for case in zip(flows, before, after, strict=True)]


@contextmanager
def _flow(kind: str, frames: int, qos: int, url: str, number: int) -> Iterator[Flow]:
    config = BrokerConfig(url=url, keepalive_s=WAN.keepalive_s)
    with (
        Connection(dataclasses.replace(config, client_id=f"bench-gateway-{number}"), window=WAN.window) as publisher,
        Connection(dataclasses.replace(config, client_id=f"bench-player-{number}")) as player,
    ):
        # As long as "lobby": the length of the name is on the wire in every packet.
        flow = Flow(kind, frames, qos, Topics(), f"case{number}", publisher, player)
        player.subscribe(flow.topics.tokens(flow.stream, 0), qos, flow.on_message)
        player.subscribe(flow.topics.event(flow.stream), 1, lambda _message: None)
        for connection in (publisher, player):
            connection.wait_connected(10.0)
        yield flow


def _run(flows: Sequence[Flow], seconds: float) -> None:
    """Send in real time: a packet is due when its last frame is."""
    begun = time.monotonic()
    end = begun + seconds
    for flow in flows:
        flow.next_at = max(flow.next_at, begun)
    while True:
        flow = min(flows, key=lambda candidate: candidate.next_at)
        time.sleep(max(0.0, min(flow.next_at, end) - time.monotonic()))
        if flow.next_at >= end:
            return
        flow.send()
        flow.next_at += flow.frames * FRAME_S


def _row(flow: Flow, before: _Reading, after: _Reading, seconds: float) -> dict[str, Cell]:
    player, gateway = after.player - before.player, after.gateway - before.gateway
    sent, received = after.sent - before.sent, after.received - before.received
    # One may be under way at either end of the window; more means that the link, not the size, was measured.
    if abs(sent - received) > 1:
        raise SystemExit(f"{flow.kind}, {flow.frames} frames, QoS {flow.qos}: sent {sent}, received {received}")
    return {
        "what": flow.kind,
        "frames_per_packet": flow.frames,
        "qos": flow.qos,
        "packets": received,
        "payload_bytes": flow.payload_bytes,
        "down_kbps": 8e-3 * player.ip_bytes_in / seconds,
        "up_kbps": 8e-3 * player.ip_bytes_out / seconds,
        "player_kbps": 8e-3 * (player.ip_bytes_in + player.ip_bytes_out) / seconds,
        "gateway_kbps": 8e-3 * (gateway.ip_bytes_in + gateway.ip_bytes_out) / seconds,
        "segments_per_packet": (player.segments_in + player.segments_out) / max(1, received),
        "saving_percent": None,
    }


def _add_savings(rows: Sequence[dict[str, Cell]]) -> None:
    """Tokens against PCM of the same packets and QoS."""
    cost = {(row["what"], row["frames_per_packet"], row["qos"]): row["player_kbps"] for row in rows}
    for row in rows:
        tokens, pcm = row["player_kbps"], cost["pcm", row["frames_per_packet"], row["qos"]]
        if row["what"] == "tokens" and isinstance(tokens, float) and isinstance(pcm, float):
            row["saving_percent"] = 100 * (1 - tokens / pcm)


if __name__ == "__main__":
    raise SystemExit(main())

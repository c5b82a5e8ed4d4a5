"""What a stream costs on one hop, as time goes by: tokens, and all that is said beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.announcer import STATUS_REFRESH_S
from gateway.plan.wire_model import MIN_RTO_S, Cost, Wire, companion_cost, ping_cost, probe_cost, publish_cost
from protocol.event import CLOCK_REPORT_S, HEARTBEAT_S
from protocol.limits import MAX_FRAMES_PER_PACKET
from protocol.manifest import MANIFEST_REFRESH_S, SILENT_REFRESH_S
from protocol.packing import packed_bytes
from protocol.topics import Topics
from protocol.transport.sockets import PROBE_AFTER_S

FRAME_S: Final = 0.08
"""Of both codecs, as are the layers and the bits below."""
MAX_LAYERS: Final = 16
BITS_PER_CODE: Final = 11

# Measured with the encoders of `protocol`, ids as `device_id` makes them; a test compares.
CLOCK_REPORT_BYTES: Final = 27
HEARTBEAT_BYTES: Final = 3
MANIFEST_BYTES: Final = 403
STATUS_BYTES: Final = 353
METRICS_BYTES: Final = 480
DEVICE_ID: Final = "gw-0123456789"
METRICS_REFRESH_S: Final = 60.0
"""`run.metrics_s` of a player."""

DAY_FRAME: Final = 1_080_000
"""A day into the stream: an index has one byte at the start and five from its second hour on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a stream is cut. layers: of each frame. frames: of each packet. keepalive_s: of the connection."""

    layers: int = MAX_LAYERS
    frames: int = 5
    qos: int = 1
    keepalive_s: float = 30.0
    topics: Topics = field(default_factory=Topics)
    stream: str = "lobby"

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= MAX_LAYERS:
            raise ValueError(f"layers: expected 1 to {MAX_LAYERS}, got {self.layers}")
        if not 1 <= self.frames <= MAX_FRAMES_PER_PACKET:
            raise ValueError(f"frames: expected 1 to {MAX_FRAMES_PER_PACKET}, got {self.frames}")
        if self.qos not in (0, 1):
            raise ValueError(f"qos: expected 0 or 1, got {self.qos}")

    @property
    def packet_s(self) -> float:
        """Seconds of sound in a packet."""
        return self.frames * FRAME_S


@dataclass(frozen=True, slots=True)
class HopRate:
    """IP bytes a second by what they are for, forth: from the broker to a player, or from the gateway to the broker."""

    tokens: Cost
    clock: Cost
    pings: Cost
    status: Cost
    """The gateway's, and a player's metrics, each minute."""
    manifest: Cost
    paused: Cost
    """All that goes on in a pause of a stream with `silence`: pings, heartbeats, and what is refreshed more rarely."""

    @property
    def housekeeping(self) -> Cost:
        """What is refreshed whether or not somebody speaks."""
        return self.status + self.manifest

    @property
    def total(self) -> Cost:
        return self.tokens + self.clock + self.pings + self.housekeeping

    @property
    def speech(self) -> Cost:
        """Without what goes on whether or not somebody speaks."""
        return self.tokens + self.clock


def token_payload_bytes(layers: int, frames: int, *, first_frame: int = DAY_FRAME) -> int:
    """Length of a token packet (protocol/SPEC.md): array, epoch, index, frames, header of the codes, codes."""
    codes = packed_bytes(layers, frames, BITS_PER_CODE)
    return 3 + _index_bytes(first_frame) + (2 if codes < 256 else 3) + codes


def token_cost(
    wire: Wire, shape: Shape, *, rtt_s: float, first_frame: int = DAY_FRAME, payload_bytes: int | None = None
) -> Cost:
    """One packet: packed codes, unless a length is given."""
    payload = payload_bytes or token_payload_bytes(shape.layers, shape.frames, first_frame=first_frame)
    topic = len(shape.topics.tokens(shape.stream))
    return publish_cost(wire, topic, payload, qos=shape.qos, prompt=_is_prompt(shape, rtt_s))


def clock_report_cost(wire: Wire, shape: Shape, *, rtt_s: float) -> Cost:
    """One clock report, which goes together with a packet."""
    topic = len(shape.topics.event(shape.stream))
    return companion_cost(wire, topic, CLOCK_REPORT_BYTES, qos=shape.qos, prompt=_is_prompt(shape, rtt_s))


def player_rate(
    wire: Wire,
    shape: Shape,
    *,
    rtt_s: float = 0.0,
    first_frame: int = DAY_FRAME,
    payload_bytes: int | None = None,
) -> HopRate:
    """The hop between the broker and one player, in a stream that speaks all the time.

    payload_bytes: of a packet, where it is not packed codes.
    """
    packet = token_cost(wire, shape, rtt_s=rtt_s, first_frame=first_frame, payload_bytes=payload_bytes)
    manifest = _refresh(wire, shape.topics.manifest(shape.stream), MANIFEST_BYTES, MANIFEST_REFRESH_S, expiry=True)
    status = _refresh(wire, shape.topics.gateway_status(DEVICE_ID), STATUS_BYTES, STATUS_REFRESH_S)
    metrics = _refresh(wire, shape.topics.edge_metrics(DEVICE_ID), METRICS_BYTES, METRICS_REFRESH_S, qos=0)
    return HopRate(
        tokens=packet * (1 / shape.packet_s),
        clock=clock_report_cost(wire, shape, rtt_s=rtt_s) * (1 / CLOCK_REPORT_S),
        pings=ping_cost(wire, qos=shape.qos).turned() * (1 / shape.keepalive_s),
        status=status + metrics.turned(),
        manifest=manifest,
        paused=_paused(wire, shape, manifest, status)
        + ping_cost(wire, qos=0).turned() * (1 / shape.keepalive_s)
        + metrics.turned(),
    )


def gateway_rate(wire: Wire, shape: Shape, *, rtt_s: float = 0.0, first_frame: int = DAY_FRAME) -> HopRate:
    """The hop between the gateway and the broker: the same tokens, and no metrics of players."""
    manifest = _refresh(wire, shape.topics.manifest(shape.stream), MANIFEST_BYTES, MANIFEST_REFRESH_S, expiry=True)
    status = _refresh(wire, shape.topics.gateway_status(DEVICE_ID), STATUS_BYTES, STATUS_REFRESH_S)
    return HopRate(
        tokens=token_cost(wire, shape, rtt_s=rtt_s, first_frame=first_frame) * (1 / shape.packet_s),
        clock=clock_report_cost(wire, shape, rtt_s=rtt_s) * (1 / CLOCK_REPORT_S),
        pings=ping_cost(wire, qos=shape.qos) * (1 / shape.keepalive_s),
        status=status,
        manifest=manifest,
        paused=_paused(wire, shape, manifest, status) + ping_cost(wire, qos=0) * (1 / shape.keepalive_s),
    )


def _paused(wire: Wire, shape: Shape, manifest: Cost, status: Cost) -> Cost:
    """What the gateway says; TCP's probes wait for longer than a heartbeat takes to come."""
    heartbeat = publish_cost(wire, len(shape.topics.event(shape.stream)), HEARTBEAT_BYTES, qos=0, prompt=True)
    rarely = manifest * (MANIFEST_REFRESH_S / SILENT_REFRESH_S) + status * (STATUS_REFRESH_S / SILENT_REFRESH_S)
    return heartbeat * (1 / HEARTBEAT_S) + rarely


def probes(keepalive_s: float, others_per_s: float = 0.0) -> Cost:
    """TCP's own, where no pause was declared and little comes: each ping takes the place of one, and another message,
    at any time, of half a one."""
    per_s = 1 / PROBE_AFTER_S - 1 / keepalive_s - others_per_s / 2
    return probe_cost() * max(0.0, per_s)


def largest_other_message(wire: Wire, shape: Shape) -> float:
    """IP bytes of the longest message that may stand in front of a packet: manifest, status or metrics."""
    manifest = publish_cost(
        wire, len(shape.topics.manifest(shape.stream)), MANIFEST_BYTES, qos=1, prompt=True, expiry=True
    )
    metrics = publish_cost(wire, len(shape.topics.edge_metrics(DEVICE_ID)), METRICS_BYTES, qos=0, prompt=True)
    return max(manifest.forth, metrics.forth)


def _refresh(wire: Wire, topic: str, payload: int, every_s: float, *, qos: int = 1, expiry: bool = False) -> Cost:
    return publish_cost(wire, len(topic), payload, qos=qos, prompt=True, expiry=expiry) * (1 / every_s)


def _is_prompt(shape: Shape, rtt_s: float) -> bool:
    return shape.packet_s > rtt_s + MIN_RTO_S


def _index_bytes(first_frame: int) -> int:
    """Of a msgpack integer."""
    return next((size for size, limit in ((1, 1 << 7), (2, 1 << 8), (3, 1 << 16)) if first_frame < limit), 5)

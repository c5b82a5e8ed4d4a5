"""What one MQTT message costs on the wire, and what comes back for it. Pure arithmetic; IP packets, both directions.

Assumed, and watched in captures with Mosquitto 2.0 on Linux at round trips of 0, 100 and 600 ms: IPv4 and TCP with
timestamps, a record of TLS 1.3 for every MQTT packet, nothing lost. Acknowledgements are Linux's:

- at QoS 1 the PUBACK carries that of the message, or of its last segment; the one of the PUBACK itself comes alone;
- of a message in several segments every second one is acknowledged on its way;
- after a pause longer than the retransmission timeout, where nothing else is to be said, every segment is at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.transport.wire import IPV4_TCP_HEADER_BYTES

TLS_RECORD_BYTES: Final = 22
"""TLS 1.3 with AES-GCM: header 5, type 1, tag 16 (RFC 8446, 5.2). TLS 1.2 has 7 more."""
TLS_RECORD_LIMIT: Final = 16384
PUBACK_BYTES: Final = 4
"""Also in MQTT 5, where success and no properties may be left out (MQTT 5, 3.4.2.1)."""
PING_BYTES: Final = 2
EXPIRY_BYTES: Final = 5
"""The property Message Expiry Interval (MQTT 5, 3.3.2.3.3)."""
MIN_RTO_S: Final = 0.2
"""What Linux adds to the round trip at least before it sends again (TCP_RTO_MIN)."""
MIN_MTU: Final = 100
MAX_MTU: Final = 65535


@dataclass(frozen=True, slots=True)
class Wire:
    """What carries the messages. mtu: bytes of the largest IP packet. mqtt5: else 3.1.1."""

    tls: bool = False
    mqtt5: bool = True
    mtu: int = 1500

    def __post_init__(self) -> None:
        if not MIN_MTU <= self.mtu <= MAX_MTU:
            raise ValueError(f"mtu: expected {MIN_MTU} to {MAX_MTU} bytes, got {self.mtu}")

    @property
    def segment_bytes(self) -> int:
        """Of TCP payload in one IP packet."""
        return self.mtu - IPV4_TCP_HEADER_BYTES

    def records(self, mqtt_bytes: int) -> int:
        """Bytes of an MQTT packet with what TLS adds."""
        records = -(-mqtt_bytes // TLS_RECORD_LIMIT) if self.tls else 0
        return mqtt_bytes + records * TLS_RECORD_BYTES

    def segments(self, mqtt_bytes: int) -> int:
        """IP packets that an MQTT packet takes."""
        return -(-self.records(mqtt_bytes) // self.segment_bytes)

    def ip_bytes(self, mqtt_bytes: int) -> int:
        """Of those, headers included."""
        return self.records(mqtt_bytes) + self.segments(mqtt_bytes) * IPV4_TCP_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Cost:
    """IP bytes: forth, the way of whoever begins, and back. A rate where it was scaled by one."""

    forth: float = 0.0
    back: float = 0.0

    @property
    def both(self) -> float:
        return self.forth + self.back

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forth + other.forth, self.back + other.back)

    def __mul__(self, times: float) -> Cost:
        return Cost(self.forth * times, self.back * times)

    def turned(self) -> Cost:
        """The same, seen from the other end."""
        return Cost(self.back, self.forth)


def publish_bytes(topic_bytes: int, payload_bytes: int, *, qos: int, mqtt5: bool = True, expiry: bool = False) -> int:
    """Length of a PUBLISH (MQTT 5, 3.3; MQTT 3.1.1, 3.3)."""
    rest = 2 + topic_bytes + (2 if qos else 0) + payload_bytes
    if mqtt5:
        rest += 1 + (EXPIRY_BYTES if expiry else 0)
    return 1 + _length_bytes(rest) + rest


def publish_cost(
    wire: Wire, topic_bytes: int, payload_bytes: int, *, qos: int, prompt: bool, expiry: bool = False
) -> Cost:
    """A message after a pause. prompt: that was longer than the retransmission timeout."""
    size = publish_bytes(topic_bytes, payload_bytes, qos=qos, mqtt5=wire.mqtt5, expiry=expiry)
    segments = wire.segments(size)
    forth, acknowledgement = wire.ip_bytes(size), IPV4_TCP_HEADER_BYTES
    if qos:
        return Cost(forth + acknowledgement, wire.ip_bytes(PUBACK_BYTES) + segments // 2 * acknowledgement)
    return Cost(forth, (segments if prompt else -(-segments // 2)) * acknowledgement)


def companion_cost(wire: Wire, topic_bytes: int, payload_bytes: int, *, qos: int, prompt: bool) -> Cost:
    """A small message of QoS 0 right before another one, of `qos`: what it adds to that one's cost."""
    size = publish_bytes(topic_bytes, payload_bytes, qos=0, mqtt5=wire.mqtt5)
    return Cost(wire.ip_bytes(size), IPV4_TCP_HEADER_BYTES if qos or prompt else 0)


def ping_cost(wire: Wire, *, qos: int) -> Cost:
    """PINGREQ and PINGRESP. paho sends one each keep-alive, also while messages flow.

    Between messages of QoS 1 the broker's kernel does not wait for the PINGRESP to acknowledge.
    """
    ping, acknowledgement = wire.ip_bytes(PING_BYTES), IPV4_TCP_HEADER_BYTES
    return Cost(ping + acknowledgement, ping + (acknowledgement if qos else 0))


def probe_cost() -> Cost:
    """TCP's own keep-alive after some silence, from our side: a bare header, and the answer."""
    return Cost(IPV4_TCP_HEADER_BYTES, IPV4_TCP_HEADER_BYTES)


def _length_bytes(rest: int) -> int:
    """Bytes of MQTT's own length field, seven bits in each."""
    return max(1, -(-rest.bit_length() // 7))

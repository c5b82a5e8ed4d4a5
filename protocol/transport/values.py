"""Plain values that cross the border of the transport."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ConnectionState(Enum):
    """Where a Connection stands; CONNECTING lasts until the first broker answer, RECONNECTING follows every loss."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Will:
    """A message that the broker publishes for us if we vanish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """A message received; `received_at` is the connection's clock, in seconds, when it was read."""

    topic: str
    payload: bytes
    retained: bool
    received_at: float


@dataclass(frozen=True, slots=True)
class TransportStats:
    """Counters since start; they only rise, save the two gauges at the end.

    Live messages (tokens): accepted = published + dropped + waiting, in messages and in weight (frames); dropped is
    the sum of the four dropped_… causes. Reliable messages (manifest, status, events) are counted apart.
    """

    connects: int = 0
    disconnects: int = 0
    connect_failures: int = 0
    messages_accepted: int = 0
    weight_accepted: int = 0
    messages_published: int = 0  # QoS 0: written to the socket; QoS 1: acknowledged by the broker
    weight_published: int = 0
    messages_dropped: int = 0
    weight_dropped: int = 0
    yielding_published: int = 0  # of messages_published, those with a drop precedence
    yielding_dropped: int = 0  # of messages_dropped, those with a drop precedence
    dropped_overflow: int = 0  # the outbox was full: the oldest gave way
    dropped_stale: int = 0  # waited longer than max_age_s
    dropped_refused: int = 0  # the broker said no, or the message is too large for it
    dropped_unsent: int = 0  # still waiting when the connection was closed for good
    messages_resent: int = 0  # in flight when a connection was lost, and sent again on the next
    reliable_published: int = 0
    reliable_failed: int = 0
    messages_received: int = 0
    messages_unmatched: int = 0  # received on a topic that has no handler (any more)
    messages_oversize: int = 0
    handler_errors: int = 0
    callback_errors: int = 0
    subscriptions_refused: int = 0
    publishes_refused: int = 0  # the broker said that it does not take a message (MQTT 5)
    echoes_missing: int = 0  # what we published did not come back (MQTT 3.1.1)
    messages_waiting: int = 0  # gauge: live messages accepted and neither published nor dropped
    weight_waiting: int = 0  # gauge

"""The MQTT connection, written once for both ends."""

from __future__ import annotations

from protocol.transport.broker_config import BrokerConfig
from protocol.transport.connection import Connection
from protocol.transport.errors import BrokerUnavailableError, NotAuthorisedError, OutboxFullError, TransportError
from protocol.transport.presence import Presence
from protocol.transport.publishing import PublishingConnection
from protocol.transport.values import ConnectionState, Message, TransportStats, Will
from protocol.transport.waiting import await_connected, probe_broker
from protocol.transport.wire import IPV4_TCP_HEADER_BYTES, WireCounters

__all__ = [
    "IPV4_TCP_HEADER_BYTES",
    "BrokerConfig",
    "BrokerUnavailableError",
    "Connection",
    "ConnectionState",
    "Message",
    "NotAuthorisedError",
    "OutboxFullError",
    "Presence",
    "PublishingConnection",
    "TransportError",
    "TransportStats",
    "Will",
    "WireCounters",
    "await_connected",
    "probe_broker",
]

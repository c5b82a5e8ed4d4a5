"""The MQTT connection, written once for both ends."""

from __future__ import annotations

from protocol.transport.addresses import BrokerAddress
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.cautions import broker_cautions
from protocol.transport.connection import Connection
from protocol.transport.errors import (
    BrokerUnavailableError,
    ClientIdTakenError,
    NotAuthorisedError,
    OutboxFullError,
    TlsRefusedError,
    TransportError,
)
from protocol.transport.permissions import PublishRefusal
from protocol.transport.presence import Presence
from protocol.transport.probe import broker_finding, permissions_finding, retained_message
from protocol.transport.publishing import PublishingConnection
from protocol.transport.values import ConnectionState, Message, TransportStats, Will
from protocol.transport.waiting import await_connected, probe_broker
from protocol.transport.wire import IPV4_TCP_HEADER_BYTES, WireCounters

__all__ = [
    "IPV4_TCP_HEADER_BYTES",
    "BrokerAddress",
    "BrokerConfig",
    "BrokerUnavailableError",
    "ClientIdTakenError",
    "Connection",
    "ConnectionState",
    "Message",
    "NotAuthorisedError",
    "OutboxFullError",
    "Presence",
    "PublishRefusal",
    "PublishingConnection",
    "TlsRefusedError",
    "TransportError",
    "TransportStats",
    "Will",
    "WireCounters",
    "await_connected",
    "broker_cautions",
    "broker_finding",
    "permissions_finding",
    "probe_broker",
    "retained_message",
]

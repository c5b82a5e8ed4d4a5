"""One MQTT session: from TCP connect to the end of that socket. Used on the network thread only.

Each session has a paho client of its own, so nothing of an old connection can be sent again by itself, and no other
thread ever calls into paho: its locks and ours cannot meet (paho issues 177, 226, 354).
"""

from __future__ import annotations

import contextlib
import logging
import math
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.transport.backoff import EndReason
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.outbox import Outgoing
from protocol.transport.sockets import Wakeup, is_writable, linger, tune
from protocol.transport.tls import tls_context
from protocol.transport.values import Will
from protocol.transport.version_choice import MQTT_5, version_name
from protocol.transport.wire import WireMeter

MAX_MQTT_PACKET_BYTES: Final = 128 * 1024  # twice the largest message we have, a clip of 64 KiB
MAX_LINGER_S: Final = 0.5

_LOGIN_REFUSALS: Final = frozenset({0x86, 0x87, 0x8A, 0x8C})  # bad login, not authorised, banned, bad method
_VERSION_REFUSED: Final = 0x84
_TAKEN_OVER: Final = 0x8E

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What a session reports; called on the network thread, inside paho's callbacks: they must only take note."""

    received: Callable[[str, bytes, bool], None]  # topic, payload, retained
    acknowledged: Callable[[int, str | None], None]  # packet id, the broker's objection or None
    subscribed: Callable[[int, list[str]], None]  # packet id, the topics refused


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A message handed to the socket; `is_written` is of use for QoS 0 only."""

    packet_id: int
    is_written: Callable[[], bool]


class Session:
    """See the module. `open`, then `step` until `ended`, then `close`."""

    def __init__(
        self,
        config: BrokerConfig,
        *,
        version: int,
        client_id: str,
        will: Will | None,
        events: SessionEvents,
        meter: WireMeter,
        wakeup: Wakeup,
    ) -> None:
        self.accepted = False
        self.end_reason: EndReason | None = None
        self.end_text = ""
        self.broker_receive_maximum = 65535
        self.broker_packet_bytes = MAX_MQTT_PACKET_BYTES
        self._config = config
        self._version = version
        self._events = events
        self._meter = meter
        self._wakeup = wakeup
        self._polite = False
        self._linger_s = 0.0
        self._subscribing: dict[int, list[str]] = {}
        self._opened_at = 0.0
        self._accepted_at = 0.0
        self._ended_at = 0.0
        self._client = self._make_client(client_id, will)

    @property
    def ended(self) -> bool:
        """True once the socket is gone, for whatever reason."""
        return self.end_reason is not None or self._client.socket() is None

    @property
    def lived_s(self) -> float:
        """Seconds from the broker's yes to the end; 0 without a yes."""
        return max(self._ended_at - self._accepted_at, 1e-6) if self.accepted else 0.0

    @property
    def waiting_for_suback(self) -> bool:
        """Is a subscription under way?"""
        return bool(self._subscribing)

    def open(self) -> None:
        """Connect by TCP and TLS and send CONNECT. Raises OSError or ValueError when nobody is there."""
        self._opened_at = time.monotonic()
        if self._version == MQTT_5:
            properties = _properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = MAX_MQTT_PACKET_BYTES
            if self._config.receive_maximum is not None:
                properties.ReceiveMaximum = self._config.receive_maximum
            # No TopicAliasMaximum: paho does not resolve aliases and would hand out empty topics.
            self._client.connect(
                self._config.host, self._config.port, self._config.keepalive_s, clean_start=True, properties=properties
            )
        else:
            self._client.connect(self._config.host, self._config.port, self._config.keepalive_s)

    def step(self, timeout_s: float, *, want_write: bool) -> None:
        """Wait for the socket or a wake-up, at most `timeout_s`, and do what there is to do."""
        sock = self._client.socket()
        if sock is None:
            return
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0  # decrypted already: poll would not tell
        if not self.accepted:
            timeout_s = min(timeout_s, max(0.0, self._opened_at + self._config.connect_timeout_s - time.monotonic()))
        poller = select.poll()
        poller.register(self._wakeup, select.POLLIN)
        want_write = want_write or self._client.want_write()
        poller.register(sock.fileno(), select.POLLIN | (select.POLLOUT if want_write else 0))
        events = dict(poller.poll(0 if buffered else math.ceil(timeout_s * 1000)))
        self._wakeup.clear()
        happened = events.get(sock.fileno(), 0)
        try:
            if buffered or happened & ~select.POLLOUT:
                self._client.loop_read()
            if happened & select.POLLOUT and self._client.want_write():
                self._client.loop_write()
            self._client.loop_misc()
        except Exception as error:  # paho parses what the broker sends; a hostile one must not end our thread
            self.fail(EndReason.LOST, f"the broker sent what is not MQTT ({type(error).__name__}: {error})")
        if not self.accepted and not self.ended and time.monotonic() - self._opened_at > self._config.connect_timeout_s:
            self.fail(EndReason.NO_ANSWER, f"no answer to CONNECT within {self._config.connect_timeout_s:g} s")

    def publish(self, message: Outgoing) -> SentPacket | None:
        """Hand a message to the socket; None when the connection turned out to be gone."""
        properties = None
        if self._version == MQTT_5 and message.expiry_s is not None:
            properties = _properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = message.expiry_s
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        return SentPacket(info.mid, info.is_published)

    def subscribe(self, topics: Iterable[tuple[str, int]]) -> None:
        """Ask for these (filter, QoS) in one packet."""
        wanted = list(topics)
        if not wanted:
            return
        if self._version == MQTT_5:
            _, packet_id = self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in wanted])
        else:
            _, packet_id = self._client.subscribe(wanted)
        if packet_id is not None:
            self._subscribing[packet_id] = [topic for topic, _ in wanted]

    def unsubscribe(self, topic: str) -> None:
        """Ask for no more of this filter."""
        self._client.unsubscribe(topic)

    def is_writable(self) -> bool:
        """Would the network take a message now, rather than the kernel keep it?"""
        sock = self._client.socket()
        return isinstance(sock, socket.socket) and not self._client.want_write() and is_writable(sock)

    def disconnect(self, *, linger_s: float) -> None:
        """Leave politely: the broker discards the will. Takes up to `linger_s` to see the broker close as well."""
        self._linger_s = max(0.0, min(linger_s, MAX_LINGER_S))
        self._polite = True
        self._client.disconnect()
        self._end(EndReason.CLOSED, "closed")

    def fail(self, reason: EndReason, text: str) -> None:
        """Give this session up; `close` follows."""
        self._end(reason, text)

    def close(self) -> None:
        """Close the socket, if paho has not done so, and let go of the client."""
        sock = self._client.socket()
        if sock is not None:
            self._meter.detach()
            sock.close()
        for name in ("on_connect", "on_disconnect", "on_message", "on_publish", "on_subscribe"):
            setattr(self._client, name, None)  # the client refers to us and we to it: break the circle
        self._client.on_socket_open = None
        self._client.on_socket_close = None
        self._meter.detach()
        self._end(EndReason.LOST, "connection lost")

    def _make_client(self, client_id: str, will: Will | None) -> mqtt.Client:
        version_5 = self._version == MQTT_5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._config.connect_timeout_s
        client.max_inflight_messages_set(0)  # unlimited: the send window is ours
        username, password = self._config.login()
        if username is not None:
            client.username_pw_set(username, password)
        if self._config.tls:
            client.tls_set_context(tls_context(self._config))
            client.tls_insecure_set(self._config.insecure)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _end(self, reason: EndReason, text: str) -> None:
        """Note why it ended; the first reason counts, since paho reports some ends twice."""
        if self.end_reason is None:
            self.end_reason, self.end_text = reason, text
            self._ended_at = time.monotonic()

    def _on_socket_open(self, client: mqtt.Client, userdata: object, sock: Any) -> None:
        with contextlib.suppress(OSError):  # already reset by the peer: the first read says so
            tune(sock, stall_timeout_s=self._config.stall_timeout_s)
        self._meter.attach(sock)

    def _on_socket_close(self, client: mqtt.Client, userdata: object, sock: Any) -> None:
        if self._polite:
            linger(sock, self._linger_s)
        self._meter.detach()

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if not reason_code.is_failure:
            self.broker_receive_maximum = getattr(properties, "ReceiveMaximum", 65535)
            self.broker_packet_bytes = getattr(properties, "MaximumPacketSize", MAX_MQTT_PACKET_BYTES)
            self._accepted_at = time.monotonic()
            self.accepted = True
        elif reason_code.value == _VERSION_REFUSED:
            self._end(EndReason.VERSION_REFUSED, f"the broker does not speak MQTT {version_name(self._version)}")
        elif reason_code.value in _LOGIN_REFUSALS:
            who = "without a user name" if self._config.username is None else f"as user {self._config.username!r}"
            self._end(
                EndReason.LOGIN_REFUSED,
                f"the broker refused the login {who} ({reason_code}); check user name, password and its access list",
            )
        else:
            self._end(EndReason.REFUSED, f"the broker refused the connection ({reason_code})")

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._polite:
            self._end(EndReason.CLOSED, "closed")
        elif not self.accepted:
            self._end(EndReason.NO_ANSWER, "the peer closed the connection without an MQTT answer")
        elif flags.is_disconnect_packet_from_server and reason_code.value == _TAKEN_OVER:
            self._end(EndReason.TAKEN_OVER, "another connection uses our client id; ids must differ between devices")
        else:
            self._end(EndReason.LOST, f"connection lost ({reason_code})")

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # matches no filter and is counted as such
        self._events.received(topic, bytes(message.payload), bool(message.retain))

    def _on_publish(
        self, client: mqtt.Client, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties | None
    ) -> None:
        self._events.acknowledged(mid, str(reason_code) if reason_code.is_failure else None)

    def _on_subscribe(
        self,
        client: mqtt.Client,
        userdata: object,
        mid: int,
        reason_codes: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        topics = self._subscribing.pop(mid, [])
        refused = [topic for topic, code in zip(topics, reason_codes, strict=False) if code.is_failure]
        self._events.subscribed(mid, refused)


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho's class is not annotated

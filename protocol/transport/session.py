"""One MQTT session: from TCP connect to the end of that socket. Used on the network thread only.

Each session has a paho client of its own, so nothing of an old connection can be sent again by itself, and no other
thread ever calls into paho: its locks and ours cannot meet (paho issues 177, 226, 354).
"""

from __future__ import annotations

import contextlib
import logging
import math
import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.transport.addresses import BrokerAddress
from protocol.transport.answers import Objection, explain_connack, explain_disconnect, explain_puback
from protocol.transport.backoff import EndReason
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.client import Client
from protocol.transport.explain import Explanation, explain_connect_error
from protocol.transport.outbox import Outgoing
from protocol.transport.sockets import Wakeup, is_writable, linger, probe_after, tune
from protocol.transport.values import Will
from protocol.transport.version_choice import MQTT_5
from protocol.transport.wire import WireMeter

MAX_MQTT_PACKET_BYTES: Final = 128 * 1024  # twice the largest message we have, a clip of 64 KiB
MAX_LINGER_S: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What a session reports; called on the network thread, inside paho's callbacks: they must only take note."""

    received: Callable[[str, bytes, bool], None]  # topic, payload, retained
    acknowledged: Callable[[int, Objection | None], None]  # packet id, why the broker did not take it
    subscribed: Callable[[list[str], list[str]], None]  # topics granted, topics refused


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
        address: BrokerAddress,
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
        self.version = version
        self._config = config
        self._address = address
        self._events = events
        self._meter = meter
        self._wakeup = wakeup
        self._polite = False
        self._linger_s = 0.0
        self._subscribing: dict[int, list[str]] = {}
        self._opened_at = 0.0
        self._accepted_at = 0.0
        self._ended_at = 0.0
        self._client = Client(config, address, version=version, client_id=client_id, will=will)
        self._listen()

    @property
    def ended(self) -> bool:
        """True once the socket is gone, for whatever reason."""
        return self.end_reason is not None or self._client.socket() is None

    @property
    def lived_s(self) -> float:
        """Seconds from the broker's yes to the end; 0 without a yes."""
        return max(self._ended_at - self._accepted_at, 1e-6) if self.accepted else 0.0

    @property
    def keepalive_s(self) -> int:
        """Seconds; MQTT 5 lets the broker choose another than we asked for. 0: it wants none."""
        return self._client.keepalive

    @property
    def waiting_for_suback(self) -> bool:
        """Is a subscription under way?"""
        return bool(self._subscribing)

    def open(self) -> None:
        """Connect by TCP, TLS and WebSocket and send CONNECT. Raises OSError or ValueError when nobody is there."""
        self._opened_at = time.monotonic()
        host, port = self._address.host, self._address.port
        if self.version == MQTT_5:
            properties = _properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = MAX_MQTT_PACKET_BYTES
            if self._config.receive_maximum is not None:
                properties.ReceiveMaximum = self._config.receive_maximum
            # No TopicAliasMaximum: paho does not resolve aliases and would hand out empty topics.
            self._client.connect(host, port, self._config.keepalive, clean_start=True, properties=properties)
        else:
            self._client.connect(host, port, self._config.keepalive)

    def step(self, timeout_s: float, *, want_write: bool) -> None:
        """Wait for the socket or a wake-up, at most `timeout_s`, and do what there is to do."""
        sock = self._client.socket()
        if sock is None:
            return
        buffered = self._client.pending > 0
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
        if self.version == MQTT_5 and message.expiry_s is not None:
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
        if self.version == MQTT_5:
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
        sock = self._client.kernel_socket
        if sock is None or self._client.socket() is None:
            return False
        return not self._client.want_write() and is_writable(sock)

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

    def _listen(self) -> None:
        client = self._client
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe

    def probe_after(self, seconds: int) -> None:
        """See `Connection.probe_after`."""
        kernel_socket = self._client.kernel_socket
        if kernel_socket is not None:
            probe_after(kernel_socket, seconds)

    def _end(self, reason: EndReason, text: str) -> None:
        """Note why it ended; the first reason counts, since paho reports some ends twice."""
        if self.end_reason is None:
            self.end_reason, self.end_text = reason, text
            self._ended_at = time.monotonic()

    def _explain(self, explanation: Explanation) -> None:
        self._end(explanation.reason, explanation.text)

    def _on_socket_open(self, client: mqtt.Client, userdata: object, sock: Any) -> None:
        kernel_socket = self._client.kernel_socket
        assert kernel_socket is not None
        with contextlib.suppress(OSError):  # already reset by the peer: the first read says so
            tune(kernel_socket, stall_timeout_s=self._config.stall_timeout_s)
        self._meter.attach(kernel_socket)

    def _on_socket_close(self, client: mqtt.Client, userdata: object, sock: Any) -> None:
        kernel_socket = self._client.kernel_socket
        if kernel_socket is not None and self._polite:
            linger(kernel_socket, self._linger_s)
        elif kernel_socket is not None and not self.accepted:
            with contextlib.suppress(OSError):  # a write failed: the reason may lie unread, in a TLS alert
                kernel_socket.recv(1)
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
        else:
            self._explain(explain_connack(reason_code, self._config, version=self.version))

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        from_broker = bool(flags.is_disconnect_packet_from_server)
        objection = self._client.tls_objection
        if self._polite:
            self._end(EndReason.CLOSED, "closed")
        elif self.accepted:
            self._explain(explain_disconnect(reason_code, self._config, from_broker=from_broker))
        elif objection is not None:
            self._explain(explain_connect_error(objection, self._config, self._address))
        else:
            self._end(EndReason.NO_ANSWER, "the peer closed the connection without an MQTT answer")

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # matches no filter and is counted as such
        self._events.received(topic, bytes(message.payload), bool(message.retain))

    def _on_publish(
        self, client: mqtt.Client, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties | None
    ) -> None:
        self._events.acknowledged(mid, explain_puback(reason_code))

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
        self._events.subscribed([topic for topic in topics if topic not in refused], refused)


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho's class is not annotated

"""An MQTT client that does as it is told, in the test's own thread: what is allowed, what is forbidden, or nothing.

It is paho without our transport, which would refuse half of what is tried here.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.deploy.site import DEADLINE_S, DEVICES, HOST, WEB, Site

NOT_AUTHORISED = 0x87
REFUSAL = 0x80  # reason codes from here on are refusals
_STEP_S = 0.05


class RefusedError(Exception):
    """The broker did not let us in, or threw us out."""


@dataclass(frozen=True, slots=True)
class Got:
    """A message that the broker delivered."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Login:
    """Who we say we are. certificate: a folder with NAME.crt and NAME.key; None: none."""

    certificate: Path | None = None
    username: str | None = None
    password: str | None = None
    listener: int = DEVICES

    def context(self, site: Site) -> ssl.SSLContext:
        """TLS that checks the broker and shows our certificate."""
        context = ssl.create_default_context(cafile=str(site.ca()))
        if self.certificate is not None:
            name = self.certificate.name
            context.load_cert_chain(self.certificate / f"{name}.crt", self.certificate / f"{name}.key")
        return context


class Visitor:
    """Connected from `with` on; leaves without a word where `vanish` was called. RefusedError when it is not let in."""

    def __init__(
        self,
        site: Site,
        login: Login,
        *,
        version: int = 5,
        client_id: str = "visitor",
        will: tuple[str, bytes] | None = None,
        keepalive_s: int = 30,
        check_name: bool = True,
    ) -> None:
        self.got: list[Got] = []
        self.maximum_packet_bytes: int | None = None
        self.keepalive_s = keepalive_s
        self._site = site
        self._login = login
        self._version_5 = version == 5
        self._connected: ReasonCode | None = None
        self._gone: str | None = None
        self._answers: dict[int, list[int]] = {}
        self._check_name = check_name
        self._client = self._make_client(client_id, will)

    def __enter__(self) -> Self:
        try:
            self._client.connect(HOST, self._site.ports[self._login.listener], self.keepalive_s)
        except OSError as error:
            raise RefusedError(str(error)) from error
        try:
            self._step_until(lambda: self._connected is not None, "an answer to CONNECT")
            assert self._connected is not None
            if self._connected.is_failure:
                raise RefusedError(str(self._connected))
        except BaseException:
            self.vanish()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client.socket() is not None:
            self._client.disconnect()
        self.vanish()

    def publish(self, topic: str, payload: bytes = b"x", *, qos: int = 1, retain: bool = False) -> int:
        """The broker's reason code; 0 where it gives none (QoS 0, MQTT 3.1.1)."""
        info = self._client.publish(topic, payload, qos, retain)
        self._step_until(lambda: info.mid in self._answers, "the acknowledgement")
        return self._answers.pop(info.mid)[0]

    def send(self, topic: str, payload: bytes, *, qos: int) -> None:
        """Publish and do not wait."""
        self._client.publish(topic, payload, qos)

    def subscribe(self, topic: str, qos: int = 1) -> int:
        """The granted QoS, or the broker's reason to refuse."""
        _, mid = self._client.subscribe(topic, qos)
        assert mid is not None
        self._step_until(lambda: mid in self._answers, "the answer to SUBSCRIBE")
        return self._answers.pop(mid)[0]

    def wait_for(self, topic: str, payload: bytes = b"x") -> None:
        """Until this message was delivered."""
        self._step_until(lambda: any((got.topic, got.payload) == (topic, payload) for got in self.got), topic)

    def wait_for_topic(self, topic: str) -> None:
        """Until any message came on this topic."""
        self._step_until(lambda: topic in self.topics(), topic)

    def wait_for_status(self, name: str, state: str) -> None:
        """Until the player `name` said that it is in this state."""
        topic, mark = f"vw/v1/edge/{name}/status", f'"{state}"'.encode()
        self._step_until(lambda: any(got.topic == topic and mark in got.payload for got in self.got), state)

    def wait_until_gone(self) -> str:
        """Until the broker threw us out; why."""
        with pytest.raises(RefusedError) as caught:
            self._step_until(lambda: False, "the end of the connection")
        return str(caught.value)

    def topics(self) -> set[str]:
        """Where messages came from so far."""
        return {got.topic for got in self.got}

    def step(self) -> None:
        """Read and write what there is."""
        if self._client.loop(_STEP_S) is not MQTTErrorCode.MQTT_ERR_SUCCESS and self._gone is None:
            self._gone = "connection lost"

    def vanish(self) -> None:
        """Close the socket without DISCONNECT, as a dead device does."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _step_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if self._gone is not None:
                raise RefusedError(self._gone)
            assert time.monotonic() < deadline, f"{what} did not come within {DEADLINE_S:g} s"
            self.step()

    def _make_client(self, client_id: str, will: tuple[str, bytes] | None) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._version_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            transport="websockets" if self._login.listener == WEB else "tcp",
        )
        if self._login.username is not None:
            client.username_pw_set(self._login.username, self._login.password)
        client.tls_set_context(self._login.context(self._site))
        client.tls_insecure_set(not self._check_name)
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._connected = code
        self.maximum_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self.keepalive_s = getattr(properties, "ServerKeepAlive", self.keepalive_s)

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._gone = str(code)

    def _on_publish(
        self, client: mqtt.Client, userdata: object, mid: int, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._answers[mid] = [code.value if self._version_5 else 0]

    def _on_subscribe(
        self, client: mqtt.Client, userdata: object, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._answers[mid] = [code.value for code in codes]

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        self.got.append(Got(message.topic, bytes(message.payload), bool(message.retain)))


def _send_at_once(client: mqtt.Client, userdata: object, sock: Any) -> None:
    plain = getattr(sock, "_socket", sock)  # paho's WebSocket is a wrapper
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

"""paho's client, with sockets made, measured and closed by us. The one place that reaches below paho's public calls."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from protocol.transport.addresses import BrokerAddress
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.tls import BrokerSocket, tls_context
from protocol.transport.values import Will
from protocol.transport.version_choice import MQTT_5


class Client(mqtt.Client):
    """For one session at one address."""

    def __init__(
        self, config: BrokerConfig, address: BrokerAddress, *, version: int, client_id: str, will: Will | None
    ) -> None:
        version_5 = version == MQTT_5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self.address = address
        self.kernel_socket: socket.socket | None = None
        """The TCP or TLS socket below whatever paho calls; None before the connect."""
        self.connect_timeout = config.connect_timeout_s
        self.max_inflight_messages_set(0)  # unlimited: the send window is ours
        username, password = config.login()
        if username is not None:
            self.username_pw_set(username, password)
        if address.tls:
            self.tls_set_context(tls_context(config))
            self.tls_insecure_set(config.insecure)
        if will is not None:
            self.will_set(will.topic, will.payload, will.qos, will.retain)

    @property
    def pending(self) -> int:
        """Bytes to read that the kernel has handed out already: poll would not tell."""
        sock: Any = self.socket()
        has_buffer = self.address.tls or self.address.websocket
        return int(sock.pending()) if has_buffer and sock is not None else 0

    @property
    def tls_objection(self) -> ssl.SSLError | None:
        """What TLS objected to while reading; brokers refuse a certificate after the handshake (TLS 1.3)."""
        return self.kernel_socket.objection if isinstance(self.kernel_socket, BrokerSocket) else None

    def _create_socket(self) -> Any:
        """Called by paho to connect. Closes what it opened when any of the handshakes fails; paho would not."""
        self.kernel_socket = sock = self._create_socket_connection()
        try:
            if self.address.tls:
                self.kernel_socket = sock = self._shake_tls_hands(sock)
            if self.address.websocket:
                # Not for everybody: wsproto takes some 20 ms to import.
                from protocol.transport.websocket import WebSocket

                return WebSocket(sock, self.address, timeout_s=self.connect_timeout)
        except BaseException:
            self.kernel_socket.close()
            raise
        return sock

    def _shake_tls_hands(self, sock: socket.socket) -> ssl.SSLSocket:
        context: ssl.SSLContext | None = self._ssl_context
        assert context is not None
        # The name is always sent (SNI); whether it is checked is the context's affair.
        secured = context.wrap_socket(sock, server_hostname=self.address.host, do_handshake_on_connect=False)
        self.kernel_socket = secured  # `sock` is detached now: only this one can be closed
        secured.settimeout(self.connect_timeout)
        secured.do_handshake()
        return secured

"""MQTT in WebSocket frames (RFC 6455), the client's half, with the methods of a socket that paho calls.

wsproto does the upgrade, the frames and the masking; here is the socket's side of it. paho has a wrapper of its own,
which loses a packet that the socket takes only in part (read in 2.2.0: its `send` then returns 0 and the packet is
dropped), leaves sockets open when the handshake fails, and does not say what came instead.
A frame costs 6 bytes more going out (8 from 126 bytes on) and 2 coming in (4).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from http.client import responses
from typing import Final

from wsproto import ConnectionType, WSConnection, events
from wsproto.connection import ConnectionState
from wsproto.utilities import RemoteProtocolError

from protocol.transport.addresses import BrokerAddress

MAX_ANSWER_BYTES: Final = 8192  # of the HTTP answer; a broker's has some 150
MAX_REPLY_BYTES: Final = 1024  # to pings, waiting for a socket that takes nothing
READ_BYTES: Final = 16384

# By a part of what wsproto says of an answer; what is not here is told in its own words.
_UNFIT_ANSWERS: Final = {
    "Bad HTTP": "the peer answered with something that is not HTTP; does it speak WebSocket on this port?",
    "accept token": "the peer's WebSocket answer does not belong to our question; is there a proxy in between?",
    "subprotocol": "the peer speaks WebSocket, but not MQTT in it",
}


class WebSocketError(ConnectionError):
    """What came is not a WebSocket that carries MQTT."""


class WebSocket:
    """An open WebSocket over `sock`, which it closes with itself. Raises OSError and WebSocketError when made."""

    def __init__(self, sock: socket.socket, address: BrokerAddress, *, timeout_s: float) -> None:
        self._sock = sock
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._received = bytearray()
        self._unsent = bytearray()
        self._sending = False  # is a message of the caller's in `_unsent`?
        self._reply_bytes = 0  # in `_unsent`
        self._closed = False
        self._shake_hands(address, deadline=time.monotonic() + timeout_s)
        self._take(b"")  # what came behind the answer

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end. Raises BlockingIOError, or TLS's own, when there is nothing now."""
        while not self._received:
            if self._closed:
                return b""
            data = self._sock.recv(READ_BYTES)
            if not data:
                return b""
            self._take(data)
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def send(self, data: bytes | bytearray) -> int:
        """Send it all as one frame. Raises BlockingIOError, or TLS's own, until that is done: call again with the same.

        After the peer's close nothing goes out, and what came before it is still to be read: that tells the end.
        """
        if not self._sending:
            if self._closed:
                raise BlockingIOError
            self._unsent += self._wire.send(events.BytesMessage(bytes(data)))
            self._sending = True
        self._flush()
        self._sending = False
        return len(data)

    def pending(self) -> int:
        """Bytes that can be read though the kernel has none, the end counted as one."""
        decrypted = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        return len(self._received) + decrypted + self._closed

    def fileno(self) -> int:
        """For poll()."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """As of any socket."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close the socket below; MQTT has said its good-bye."""
        self._sock.close()

    def _take(self, data: bytes) -> None:
        self._wire.receive_data(data)
        for event in self._wire.events():
            self._handle(event)
        if self._reply_bytes:
            with contextlib.suppress(OSError):  # what does not go now goes in front of the next message
                self._flush()

    def _handle(self, event: events.Event) -> None:
        """Of a message wsproto hands out what is there, so nothing is held back and nothing needs a limit."""
        if isinstance(event, events.BytesMessage):
            self._received += event.data
        elif isinstance(event, events.TextMessage):
            raise WebSocketError("expected binary WebSocket frames, got one of text")
        elif isinstance(event, events.Ping) and self._reply_bytes < MAX_REPLY_BYTES:
            self._reply(event.response())
        elif isinstance(event, events.CloseConnection):
            if self._wire.state is not ConnectionState.REMOTE_CLOSING:  # wsproto's advice, not the peer's wish
                raise WebSocketError(f"the peer does not keep to WebSocket's rules ({event.reason})")
            self._closed = True
            self._reply(event.response())

    def _reply(self, event: events.Event) -> None:
        frame = self._wire.send(event)
        self._unsent += frame
        self._reply_bytes += len(frame)

    def _flush(self) -> None:
        while self._unsent:
            sent = self._sock.send(self._unsent)
            del self._unsent[:sent]
        self._reply_bytes = 0

    def _shake_hands(self, address: BrokerAddress, *, deadline: float) -> None:
        """HTTP's upgrade. The socket is in blocking mode."""
        self._sock.sendall(self._wire.send(_request(address)))
        left = MAX_ANSWER_BYTES
        while not self._is_accepted(address):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            if left < 0:
                raise WebSocketError(f"no WebSocket: the peer's HTTP answer has no end within {MAX_ANSWER_BYTES} bytes")
            self._sock.settimeout(remaining)
            data = b""
            with contextlib.suppress(ConnectionResetError):  # the same as hanging up
                data = self._sock.recv(READ_BYTES)
            if not data:
                raise WebSocketError(
                    "the peer closed the connection without a WebSocket answer; does it speak WebSocket?"
                )
            left -= len(data)
            try:
                self._wire.receive_data(data)
            except (RemoteProtocolError, UnicodeError) as error:  # the latter: a header that is not ASCII
                raise WebSocketError(_explain(error)) from error

    def _is_accepted(self, address: BrokerAddress) -> bool:
        event = next(self._wire.events(), None)
        if isinstance(event, events.RejectConnection):
            said = f"{event.status_code} {responses.get(event.status_code, '')}".rstrip()
            raise WebSocketError(f"no WebSocket at {address.path}: the peer answered {said!r}; is the path right?")
        return isinstance(event, events.AcceptConnection)


def _request(address: BrokerAddress) -> events.Request:
    name = address.host.encode("idna").decode()
    host = f"[{name}]:{address.port}" if ":" in name else f"{name}:{address.port}"
    origin = f"{'https' if address.tls else 'http'}://{host}"
    headers = [(b"Origin", origin.encode())]
    return events.Request(host=host, target=address.path, subprotocols=["mqtt"], extra_headers=headers)


def _explain(error: Exception) -> str:
    """Of an answer that wsproto does not take."""
    for part, sentence in _UNFIT_ANSWERS.items():
        if part in str(error):
            return sentence
    return f"the peer's WebSocket answer is not right ({error}); is there a proxy in between?"

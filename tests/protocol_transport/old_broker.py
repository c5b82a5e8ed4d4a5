"""A real broker as one of MQTT 3.1.1 only: a relay that refuses whoever asks for 5, and passes on the others."""

from __future__ import annotations

import socket

from tests.relay import HOST, Relay

REFUSES_5 = bytes.fromhex("2003008400")  # CONNACK: unsupported protocol version


class OldBroker(Relay):
    """Stands in front of `host:port`, on a free port or at `door`."""

    def __init__(self, host: str, port: int, *, door: tuple[str, int] = (HOST, 0)) -> None:
        super().__init__((host, port), door=door)

    def serve(self, peer: socket.socket) -> None:
        connect = peer.recv(4096)
        if not connect:
            return
        version = connect[connect.index(b"\x00\x04MQTT") + 6]
        if version == 5:
            peer.sendall(REFUSES_5)
            return
        broker = self.dial()
        broker.sendall(connect)
        self.join(peer, broker)

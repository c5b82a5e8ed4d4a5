"""A real broker as one of MQTT 3.1.1 only: a proxy that refuses whoever asks for 5, and passes on the others."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

REFUSES_5 = bytes.fromhex("2003008400")  # CONNACK: unsupported protocol version


class OldBroker:
    """Listens on a port of its own, or at `door`, in front of `host:port`; a context manager."""

    def __init__(self, host: str, port: int, *, door: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(door)
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"mqtt://{door[0]}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)
        for sock in self._sockets:
            sock.close()

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._sockets.append(peer)
                self._start(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connect = peer.recv(4096)
            if not connect:
                return
            version = connect[connect.index(b"\x00\x04MQTT") + 6]
            if version == 5:
                peer.sendall(REFUSES_5)
                peer.shutdown(socket.SHUT_WR)
                return
            broker = socket.create_connection(self._target)
            self._sockets.append(broker)
            broker.sendall(connect)
            self._start(_pass_on, broker, peer)
            _pass_on(peer, broker)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)

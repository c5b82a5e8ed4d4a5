"""A TCP relay in front of a broker, for links and brokers that are not as they should be."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
JOIN_S = 5.0

Hold = Callable[[bytes], object]
"""Called with what is about to be passed on; waits for as long as that takes."""


class Relay:
    """Listens on a free port of loopback, or at `door`, and passes on to `target`, a thread for each direction. A
    context manager, not reusable.

    Those that stand between the two change `serve` (what becomes of a connection) or `pace` (how a direction is held).
    """

    chunk_bytes = 65536
    buffer_bytes: int | None = None
    """What a link holds by itself towards its player; the kernel doubles it. None: the kernel's usual."""

    def __init__(self, target: tuple[str, int], *, door: tuple[str, int] = (HOST, 0)) -> None:
        self.connections = 0
        self.closing = threading.Event()
        self._target = target
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        if self.buffer_bytes is not None:  # taken over by what it accepts
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffer_bytes)
        self._listener.bind(door)
        self._listener.listen()
        self._sockets = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self.url = f"mqtt://{door[0]}:{self.port}"

    def __enter__(self) -> Self:
        self.start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        shut(*self._sockets)
        for thread in self._threads:
            thread.join(JOIN_S)
        for sock in self._sockets:
            sock.close()

    def serve(self, peer: socket.socket) -> None:
        """A connection was made: join it to one of its own to the target. In a thread of its own; may raise OSError."""
        self.join(peer, self.dial())

    def pace(self, *, down: bool) -> Hold:
        """How one direction of one connection is held; `down`: from the target."""
        return lambda data: None

    def dial(self) -> socket.socket:
        """A connection to the target."""
        sock = socket.socket()
        self._sockets.append(sock)
        if self.buffer_bytes is not None:  # before the window is offered
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer_bytes)
        sock.connect(self._target)
        return sock

    def join(self, peer: socket.socket, target: socket.socket) -> None:
        """Pass on in both directions until one end has gone; what is on the way for the other is lost then."""
        self.start(lambda: self._pass_on(target, peer, self.pace(down=True)))
        self._pass_on(peer, target, self.pace(down=False))

    def start(self, work: Callable[[], None]) -> None:
        """Do it in a thread that ends with this relay; OSError ends it too."""

        def run() -> None:
            with contextlib.suppress(OSError):
                work()

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            self._sockets.append(peer)
            self.connections += 1
            self.start(partial(self._serve, peer))

    def _serve(self, peer: socket.socket) -> None:
        try:
            self.serve(peer)
        finally:
            shut(peer)

    def _pass_on(self, source: socket.socket, target: socket.socket, hold: Hold) -> None:
        try:
            while data := source.recv(self.chunk_bytes):
                hold(data)
                target.sendall(data)
        finally:
            shut(source, target)


def shut(*sockets: socket.socket) -> None:
    """Let go of whoever waits on them, at both ends."""
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

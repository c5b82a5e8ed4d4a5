"""A link of so many bytes a second in front of a broker, which then gets faster: a mobile link, as TCP shows it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

BUFFER_BYTES = 2048
"""What the link itself holds in each direction; the kernel doubles it. The rest waits at the broker."""

BURST_BYTES = 600
"""At full speed after a pause: most of a greeting, or three packets of audio."""

CHUNK_BYTES = 128


class SlowLink:
    """Listens on a port of its own and passes on to the broker at `url`; a context manager. Upwards it is fast.

    rate: bytes a second downwards, of each connection; may be changed at any time; None for no limit.
    """

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        assert target.hostname is not None
        assert target.port is not None
        self.rate: float | None = None
        self.connections = 0
        self._target = (target.hostname, target.port)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)  # taken over by what it accepts
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                player, _ = self._listener.accept()
                broker = socket.socket()
                broker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)  # before the window is offered
                broker.connect(self._target)
                self._sockets += [player, broker]
                self.connections += 1
                self._start(self._pass_on, player, broker, False)
                self._start(self._pass_on, broker, player, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, limited: bool) -> None:
        budget, looked_at = float(BURST_BYTES), time.monotonic()
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                if limited and (rate := self.rate) is not None:
                    now = time.monotonic()
                    budget = min(BURST_BYTES, budget + (now - looked_at) * rate)
                    looked_at = now
                    budget -= len(data)
                    if budget < 0 and self._closing.wait(-budget / rate):
                        break
                target.sendall(data)
        for sock in (source, target):  # one end has gone: what the link still holds for the other is lost
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

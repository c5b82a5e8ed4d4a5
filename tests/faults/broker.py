"""Mosquitto as a process that is killed, stopped and started again, each time with nothing in its memory."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks.proc import memory_bytes
from gateway.demo.broker import RunningBroker, start_broker
from tests.certificates import self_signed
from tests.faults.rows import Way

FAR_PORT: Final = 1884
LOOPBACK: Final = "127.0.0.1"

LIVE_AUDIO: Final[Mapping[str, str]] = MappingProxyType(
    {"max_inflight_messages": "3", "max_queued_messages": "4", "max_packet_size": "131072"}
)
"""What docs/operating.md asks of a broker."""

_SCHEMES: Final = {"mqtt": "mqtt", "mqtt 3.1.1": "mqtt", "tls": "mqtts", "websocket": "ws"}


class FaultyBroker:
    """Listens on a free port of loopback, and for the far end on FAR_PORT of `far_address`. Call `close` at the end.

    way: how the far end comes in. "tls", "websocket": over a listener of that kind; without `far_address` it is on
    loopback. "mqtt 3.1.1": the door for the far end is somebody else's. settings: further lines of mosquitto.conf.
    """

    def __init__(
        self,
        folder: Path,
        far_address: str | None,
        *,
        way: Way = "mqtt",
        settings: Mapping[str, str] = LIVE_AUDIO,
    ) -> None:
        self._folder = folder
        self._way = way
        self._settings = dict(settings)
        self._certificate = self_signed(folder, far_address or LOOPBACK) if way == "tls" else None
        self.far_port: int | None = None
        """Where the far end comes in, if it is not where everybody does."""
        listener = self._far_listener(far_address)
        if listener is not None:
            self._settings["listener"] = listener
        self._starts = 0
        self.rss: list[int] = []
        self._running = self._start(0)

    @property
    def port(self) -> int:
        """On loopback; the same for all of its life."""
        return self._running.port

    @property
    def url(self) -> str:
        """For who is beside it."""
        return self._running.url

    def far_url(self, host: str, port: int) -> str:
        """For who comes to it over that door."""
        return f"{_SCHEMES[self._way]}://{host}:{port}"

    @property
    def far_options(self) -> list[str]:
        """What the far end has to be told beside the address."""
        return [] if self._certificate is None else ["--cafile", str(self._certificate.certificate)]

    def kill(self) -> None:
        """SIGKILL."""
        self._running.process.kill()
        self._running.process.wait()

    def terminate(self) -> None:
        """SIGTERM, and wait."""
        self._running.stop()

    def start_again(self) -> None:
        """On the same ports; returns once it accepts connections."""
        self._running.stop()
        self._running = self._start(self._running.port)

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self._running.process.send_signal(number)

    def sample(self) -> None:
        """Note its memory."""
        if self._running.process.poll() is None:
            self.rss.append(memory_bytes(self._running.process.pid))

    def close(self) -> None:
        """End it, stopped or not."""
        self._running.process.kill()
        self._running.stop()

    def _far_listener(self, address: str | None) -> str | None:
        """The lines of mosquitto.conf after the word `listener`; None where the far end needs no listener of its own.

        Behind a proxy the far end comes over loopback, where FAR_PORT may be another row's.
        """
        if self._way == "mqtt 3.1.1" or (address is None and self._way == "mqtt"):
            return None
        self.far_port = FAR_PORT if address else _free_port()
        lines = [f"{self.far_port} {address or LOOPBACK}"]
        if self._certificate is not None:
            lines += [f"certfile {self._certificate.certificate}", f"keyfile {self._certificate.key}"]
        if self._way == "websocket":
            lines.append("protocol websockets")
        return "\n".join(lines)

    def _start(self, port: int) -> RunningBroker:
        self._starts += 1
        folder = self._folder / f"broker-{self._starts}"
        return start_broker(folder, prefer="mosquitto", port=port, settings=self._settings)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port

"""Mosquitto as a process that is killed, stopped and started again, each time with nothing in its memory."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from benchmarks.proc import memory_bytes
from gateway.demo.broker import RunningBroker, start_broker

FAR_PORT: Final = 1884

_LIVE_AUDIO: Final = {"max_inflight_messages": "3", "max_queued_messages": "4", "max_packet_size": "131072"}
"""What docs/operating.md asks of a broker."""


class FaultyBroker:
    """Listens on a free port of loopback, and with `far_address` on FAR_PORT there. Call `close` at the end."""

    def __init__(self, folder: Path, far_address: str | None) -> None:
        self._folder = folder
        self._settings = dict(_LIVE_AUDIO)
        if far_address is not None:
            self._settings["listener"] = f"{FAR_PORT} {far_address}"
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

    def _start(self, port: int) -> RunningBroker:
        self._starts += 1
        folder = self._folder / f"broker-{self._starts}"
        return start_broker(folder, prefer="mosquitto", port=port, settings=self._settings)

"""SIGINT and SIGTERM as an event that threads can wait on."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """While entered, SIGINT and SIGTERM set `event`; the second one has its usual effect. Not reusable.

    Enter it on the main thread (Python delivers signals there only).
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}
        self._read_end, self._write_end = -1, -1
        self._watcher = threading.Thread(target=self._watch, name="stop-signal", daemon=True)

    def __enter__(self) -> Self:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._watcher.start()
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        os.close(self._write_end)  # the watcher reads end of file and ends
        self._watcher.join()
        os.close(self._read_end)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds; True when it is time to stop."""
        return self.event.wait(timeout)

    def set(self) -> None:
        """Stop as if a signal had come."""
        self.event.set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Not event.set(): a handler interrupts its own thread, perhaps inside event.wait() with the event's lock
        # taken, and would then wait for itself for ever. A pipe write takes no lock.
        self.received = signal.Signals(number)
        self._restore()
        os.write(self._write_end, b"x")

    def _watch(self) -> None:
        if os.read(self._read_end, 1):
            self.event.set()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            # None stands for a handler that was not installed by Python and cannot be put back.
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)  # type: ignore[arg-type]
        self._previous.clear()

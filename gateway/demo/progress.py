"""A line on standard error that says how far the demo is, where a terminal watches."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["Progress"]

_WIDTH = 32
_REDRAW_S = 0.25


class Progress:
    """Draws over one line. Says nothing at all where not `enabled`."""

    def __init__(self, title: str, *, enabled: bool, stream: TextIO | None = None) -> None:
        self._title = title
        self._enabled = enabled
        self._stream = stream or sys.stderr

    def say(self, text: str) -> None:
        """Replace the line."""
        if self._enabled:
            self._stream.write(f"\r\x1b[K{self._title}: {text}")
            self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._enabled:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    @contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        """A bar that fills in `seconds`, drawn by a thread of its own until the block is left."""
        if not self._enabled:
            yield
            return
        done = threading.Event()
        begun = time.monotonic()

        def draw() -> None:
            while not done.wait(_REDRAW_S):
                elapsed = time.monotonic() - begun
                filled = min(_WIDTH, int(_WIDTH * elapsed / seconds))
                bar = "█" * filled + "·" * (_WIDTH - filled)
                self.say(f"{bar} {min(elapsed, seconds):4.0f} of {seconds:.0f} s, in real time")

        thread = threading.Thread(target=draw, name="demo-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

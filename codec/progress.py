"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

_WIDTH = 30
_INTERVAL_S = 0.1


class Progress:
    """How much is done, of a total that may be unknown (None), in seconds of sound or another unit.

    A context manager; the line is gone at its end.
    """

    def __init__(self, label: str, total: float | None, *, unit: str = "s", stream: TextIO | None = None) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the line away. Safe to call twice."""
        if self._shown:
            self._shown = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def say(self, text: str) -> None:
        """Print a line of its own to the stream, terminal or not; the bar comes back below it."""
        self._stream.write(f"\r\x1b[K{text}\n" if self._shown else f"{text}\n")
        self._stream.flush()
        self._last = 0.0

    def update(self, done: float, note: str = "") -> None:
        """Show that `done` of the total are done, and `note` behind it; at most ten times a second."""
        now = time.monotonic()
        if not self._shown or now - self._last < _INTERVAL_S:
            return
        self._last = now
        if self._total:
            share = min(done / self._total, 1.0)
            filled = round(share * _WIDTH)
            bar = "#" * filled + "." * (_WIDTH - filled)
            text = f"{self._label} [{bar}] {share:4.0%} {done:.0f}/{self._total:.0f} {self._unit}"
        else:
            text = f"{self._label} {done:.0f} {self._unit}"
        if note:
            text += f", {note}"
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()

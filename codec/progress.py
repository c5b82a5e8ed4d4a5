"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

_WIDTH = 30
_INTERVAL_S = 0.1


class Progress:
    """Seconds of sound done, of a total that may be unknown (None). A context manager; the line is gone at its end."""

    def __init__(self, label: str, total_s: float | None, *, stream: TextIO | None = None) -> None:
        self._label = label
        self._total_s = total_s
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def update(self, done_s: float) -> None:
        """Show that `done_s` seconds are done; at most ten times a second."""
        now = time.monotonic()
        if not self._shown or now - self._last < _INTERVAL_S:
            return
        self._last = now
        if self._total_s:
            share = min(done_s / self._total_s, 1.0)
            filled = round(share * _WIDTH)
            bar = "#" * filled + "." * (_WIDTH - filled)
            text = f"{self._label} [{bar}] {share:4.0%} {done_s:.0f}/{self._total_s:.0f} s"
        else:
            text = f"{self._label} {done_s:.0f} s"
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()

"""One line at the bottom of a terminal that is drawn over and over, while log lines pass above it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import sys
import threading
from types import TracebackType
from typing import Self, TextIO, cast

__all__ = ["TerminalLine", "watched_terminal"]


def watched_terminal(stream: TextIO | None = None) -> bool:
    """True where somebody watches `stream` (standard error) on a terminal that can draw over a line."""
    stream = stream or sys.stderr
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # no standard error at all (pythonw), or a closed one
        return False


class TerminalLine:
    """While entered, whatever else is written to standard error wipes the line first, so that the two never mix.

    It stands in for `sys.stderr` and for the stream of every log handler that writes there, and gives both back at
    the end. Works without escape codes. Safe from any thread. Not reusable.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.RLock()
        self._drawn = ""
        self._at_line_start = True
        self._handlers: list[logging.StreamHandler[TextIO]] = []
        self._writer: TextIO = cast(TextIO, _LineAware(self))

    @property
    def columns(self) -> int:
        """How wide the terminal is; the last column stays free, because some terminals wrap there."""
        columns = 0
        with contextlib.suppress(OSError, ValueError):
            columns = os.get_terminal_size(self._stream.fileno()).columns
        return max(1, (columns or shutil.get_terminal_size().columns) - 1)  # 0: a terminal that does not know its size

    @property
    def unicode(self) -> bool:
        """True where the terminal's encoding has block characters."""
        try:
            "█▏│".encode(self._stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def __enter__(self) -> Self:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                handler.setStream(self._writer)
                self._handlers.append(handler)
        if sys.stderr is self._stream:
            sys.stderr = self._writer
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()
        if sys.stderr is self._writer:
            sys.stderr = self._stream
        for handler in self._handlers:
            if handler.stream is self._writer:
                handler.setStream(self._stream)
        self._handlers.clear()

    def draw(self, text: str) -> None:
        """Show `text`, cut to the terminal's width. Not in the middle of somebody else's line: then the next time."""
        text = text[: self.columns]
        with self._lock:
            if text != self._drawn and self._at_line_start:
                self._put(f"\r{text.ljust(len(self._drawn))}")
                self._drawn = text

    def wipe(self) -> None:
        """Take the line away."""
        with self._lock:
            if self._drawn:
                self._put(f"\r{' ' * len(self._drawn)}\r")
                self._drawn = ""

    def write_above(self, text: str) -> int:
        """What somebody else writes."""
        with self._lock:
            self.wipe()
            if text:
                self._at_line_start = text.endswith("\n")
            return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal was closed: a meter is no reason to stop the stream
            self._drawn = ""


class _LineAware(io.TextIOBase):
    """What others get for standard error."""

    def __init__(self, line: TerminalLine) -> None:
        self._line = line

    def write(self, text: str) -> int:
        return self._line.write_above(text)

    def flush(self) -> None:
        self._line.flush()

    def fileno(self) -> int:
        return self._line.fileno()

    def isatty(self) -> bool:
        return self._line.isatty()

    def writable(self) -> bool:
        return True

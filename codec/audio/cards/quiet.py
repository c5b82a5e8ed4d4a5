"""What sound libraries write to standard error, kept away from the user's terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

NOISE = (b"ALSA lib", b"Expression '", b"jack server", b"Cannot connect to server", b"JackShm", b"connect(2)")
"""How lines of ALSA, PortAudio and JACK begin. They come with every error, beside the one we report in a sentence."""

_STDERR = 2


class QuietLibraries:
    """For a `with`: ALSA, PortAudio and JACK complain to the debug log; all else that is written comes out afterwards.

    They write to the file descriptor, with no hook to stop them. `restore` may be called from another thread, when
    the body of the `with` hangs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stderr: int | None = None
        self._caught: int | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):  # a process without standard error has nothing to keep clean
            stderr = os.dup(_STDERR)
            with tempfile.TemporaryFile() as file:
                self._caught = os.dup(file.fileno())
            os.dup2(self._caught, _STDERR)
            self._stderr = stderr
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def restore(self) -> None:
        """Standard error is the terminal again. Safe to call twice."""
        with self._lock:
            stderr, self._stderr = self._stderr, None
            caught, self._caught = self._caught, None
        if stderr is None or caught is None:
            return
        os.dup2(stderr, _STDERR)
        os.close(stderr)
        try:
            self._sort(caught)
        finally:
            os.close(caught)

    @staticmethod
    def _sort(caught: int) -> None:
        os.lseek(caught, 0, os.SEEK_SET)
        with os.fdopen(os.dup(caught), "rb") as file:
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if line.startswith(NOISE):
                logger.debug("%s", line.decode(errors="replace").strip())
            elif line.strip():
                os.write(_STDERR, line)

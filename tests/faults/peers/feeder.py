"""A live source: it writes into a named pipe in real time; what nobody takes in time is lost, as with a microphone."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.faults.peers.noise import noise_pcm
from tests.faults.peers.recording import PcmFormat

_CHUNK_S: Final = 0.02
_HELD_S: Final = 0.15
"""What the pipe holds, in pages: about what a sound card holds for who reads late."""

_JOIN_S: Final = 2.0


class Feeder:
    """A context manager, not reusable. It writes from `begin` on, whether anybody reads or not."""

    def __init__(self, path: Path, pcm: PcmFormat) -> None:
        """path: of the pipe, which is made here."""
        os.mkfifo(path)
        self._pcm = pcm
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # with a reader of its own it outlives all others
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, round(_HELD_S * pcm.bytes_per_s))
        self._sound = noise_pcm(pcm.rate, pcm.channels)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)
        self.began_at = 0.0
        self.overruns = 0
        """Chunks of 20 ms that found the pipe full."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        os.close(self._fd)

    def begin(self) -> None:
        """The source's zero, `began_at`: its first sample is recorded now."""
        self.began_at = time.monotonic()
        self._thread.start()

    def _feed(self) -> None:
        size = 2 * self._pcm.channels * round(_CHUNK_S * self._pcm.rate)
        for number in range(len(self._sound) // size):
            whole_at = self.began_at + (number + 1) * _CHUNK_S
            if self._stop.wait(max(0.0, whole_at - time.monotonic())):
                return
            try:
                os.write(self._fd, self._sound[number * size : (number + 1) * size])
            except BlockingIOError:
                self.overruns += 1

"""Records a source of PulseAudio to a file that can be read while it grows."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK_MS = 20
_STOP_S = 5.0
_POLL_S = 0.02
_WAIT_S = 15.0
_BYTES = 2


class Recorder:
    """Runs from its making until `stop`. Time is counted in samples of the card, from the first one recorded."""

    def __init__(self, path: Path, source: str, environ: Mapping[str, str], *, rate: int, channels: int) -> None:
        self._path = path
        self._channels = channels
        self.rate = rate
        with path.open("wb") as file:
            self._process = subprocess.Popen(
                [
                    *("parec", f"--device={source}", f"--rate={rate}", f"--channels={channels}"),
                    *("--format=s16le", "--raw", f"--latency-msec={BLOCK_MS}"),
                ],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.DEVNULL,
            )

    @property
    def seconds(self) -> float:
        """Recorded so far."""
        return self._path.stat().st_size / (_BYTES * self._channels * self.rate)

    def wait_for(self, seconds: float) -> None:
        """Until so much more was recorded. RuntimeError where the source gives none."""
        wanted = self.seconds + seconds
        deadline = time.monotonic() + seconds + _WAIT_S
        while self.seconds < wanted:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the recording stands still at {self.seconds:.2f} s")
            time.sleep(_POLL_S)

    def read(self, channel: int, *, start_s: float = 0.0, end_s: float | None = None) -> NDArray[np.float32]:
        """Samples -1 to 1 of one channel, counted from 0, between two times of the recording."""
        start = round(start_s * self.rate)
        wanted = -1 if end_s is None else max(0, round(end_s * self.rate) - start) * self._channels
        samples = np.fromfile(self._path, dtype="<i2", count=wanted, offset=start * _BYTES * self._channels)
        frames = samples[: len(samples) // self._channels * self._channels].reshape(-1, self._channels)
        return frames[:, channel].astype(np.float32) / 32768.0

    def stop(self) -> None:
        """End the recording; what was recorded stays. Safe to call twice."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def discard(self) -> None:
        """Stop, and delete what was recorded."""
        self.stop()
        self._path.unlink(missing_ok=True)

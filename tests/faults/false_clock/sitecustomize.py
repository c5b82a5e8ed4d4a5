"""A process with a clock of its own: Python runs this file before anything else where its folder is on PYTHONPATH.

The clock of a kernel is one for all of its namespaces, and `libfaketime` makes Python's sleeps fail. FALSE_CLOCK names
a file with two numbers: seconds by which UTC is wrong, looked at again all the time, and how many of its seconds a
crystal counts in a true one, which holds for the whole run and for the monotonic clock too.
"""

from __future__ import annotations

import os
import time

_PATH = os.environ.get("FALSE_CLOCK")
_LOOK_S = 0.05

_true_time = time.time
_true_monotonic = time.monotonic
_started_at = _true_monotonic()
_started_utc = _true_time()


class _Shown:
    """What the file said last."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._looked_at = _started_at
        self.offset_s, self.rate = self._read()

    def look(self) -> float:
        """Seconds to add to UTC now."""
        now = _true_monotonic()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            self.offset_s, _ = self._read()
        return self.offset_s

    def _read(self) -> tuple[float, float]:
        with open(self._path, encoding="ascii") as file:
            offset, rate = file.read().split()
        return float(offset), float(rate)


def _install(path: str) -> None:
    shown = _Shown(path)
    rate = shown.rate

    def monotonic() -> float:
        return _started_at + (_true_monotonic() - _started_at) * rate

    def utc() -> float:
        return _started_utc + (_true_time() - _started_utc) * rate + shown.look()

    time.monotonic = monotonic
    time.monotonic_ns = lambda: round(monotonic() * 1e9)
    time.time = utc
    time.time_ns = lambda: round(utc() * 1e9)


if _PATH:
    _install(_PATH)

"""Where namespaces and TUN devices are not permitted: a TCP proxy that delays, slows and stops what passes.

It can lose nothing, because TCP would send it again: rows that need lost packets can not run on it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from tests.faults.impairment import Spell, impairment_at
from tests.relay import HOST, Hold, Relay

_LOOK_S = 0.05


class ProxyLink(Relay):
    """Passes on to `target_port` of loopback."""

    chunk_bytes = 512

    def __init__(self, spells: Sequence[Spell], *, target_port: int) -> None:
        super().__init__((HOST, target_port))
        self._spells = tuple(spells)
        self._begun_at = math.inf

    def begin(self, at: float) -> None:
        """The faults' zero, by `time.monotonic`."""
        self._begun_at = at

    def pace(self, *, down: bool) -> Hold:
        return self._hold

    def _hold(self, data: bytes) -> None:
        """One direction, in order: a chunk waits out darkness, then its delay, then the time it takes at that rate."""
        while (wrong := impairment_at(self._spells, time.monotonic() - self._begun_at)).dark:
            if self.closing.wait(_LOOK_S):
                return
        wait_s = wrong.delay_ms / 1000
        if wrong.rate_kbps is not None:
            wait_s += len(data) * 8 / 1000 / wrong.rate_kbps
        self.closing.wait(wait_s)

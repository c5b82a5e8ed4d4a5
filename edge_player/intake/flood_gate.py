"""How many token packets of a stream are looked at: a token bucket before any work is done for one."""

from __future__ import annotations

from collections import deque

from protocol.limits import MAX_BURST_S, MAX_RATE_FACTOR

MIN_BURST_PACKETS = 16
"""Packets that may come at once however slow the stream is."""


class FloodGate:
    """Lets pass 4 times the usual rate, and at once what 15 s of the stream come to: whoever catches up after a stall
    is no flood. Owned by the player worker; times are those of arrival, seconds.
    """

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=2)  # the tail of the epoch before keeps the rate of that one
        self._level = 0.0
        self._at = 0.0

    @property
    def usual_rate(self) -> float:
        """Packets a second that are expected: of the newest two epochs, the faster one."""
        return max(self._rates, default=0.0)

    @property
    def capacity(self) -> float:
        """Packets that may come at once."""
        return max(MIN_BURST_PACKETS, MAX_BURST_S * self.usual_rate)

    def expect(self, packets_per_s: float, at: float) -> None:
        """A new epoch of that rate was announced at `at`: all of its burst may come."""
        self._rates.append(packets_per_s)
        self._level, self._at = self.capacity, at

    def admit(self, at: float) -> bool:
        """Whether a packet that came at `at` is to be looked at. Before anything is expected, all are."""
        if not self._rates:
            return True
        gained = max(0.0, at - self._at) * MAX_RATE_FACTOR * self.usual_rate
        self._level = min(self.capacity, self._level + gained)
        self._at = max(self._at, at)
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True

"""Whether packets keep coming too late, some now and then: the link became slower, or two clocks drift apart."""

from __future__ import annotations

MOMENT_S = 0.5
"""Packets that are late together are late once: a link that stood still for a moment has not become slower."""

FORGIVEN = 0.05
"""Of a late moment, by each packet in time: one late packet in twenty is what a playout delay may cost."""

LIMIT = 8.0
"""Late moments, less what was forgiven, after which the playout time is wrong: ten seconds of one packet in five."""


class Lateness:
    """Counts late moments against packets in time. Seconds on the caller's clock; no clock of its own."""

    def __init__(self) -> None:
        self._score = 0.0
        self._late_at: float | None = None

    def note_in_time(self) -> None:
        """A packet came in time."""
        self._score = max(0.0, self._score - FORGIVEN)

    def note_late(self, received_at: float) -> bool:
        """A packet came too late; True when it has to be played later from now on. The count then starts afresh."""
        if self._late_at is None or received_at - self._late_at >= MOMENT_S:
            self._late_at = received_at
            self._score += 1.0
        if self._score < LIMIT:
            return False
        self._score = 0.0
        return True

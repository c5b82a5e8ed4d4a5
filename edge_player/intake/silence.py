"""Connected, and no packet comes: when to ask the broker again, and how long to leave it alone after that."""

from __future__ import annotations

import enum

LONGEST_WAIT_S = 1800.0
"""A gateway that is silent for a day without a word costs its players some thirty connections, not thousands."""


class SilenceStep(enum.Enum):
    """What to do about it."""

    NOTHING = enum.auto()
    RESUBSCRIBE = enum.auto()
    RECONNECT = enum.auto()


class SilenceWatch:
    """Pure: told when a packet came and what time it is (seconds, one clock), it says what to do.

    One limit of silence: subscribe again, since brokers have forgotten subscriptions. One more: reconnect, since the
    connection itself may lead nowhere. Then both again with waits that double, until a packet comes.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None  # of the silence
        self._waiting_since: float | None = None  # for the next step
        self._resubscribed = False
        self._rounds = 0

    @property
    def acted(self) -> bool:
        """Whether something was done in the present silence."""
        return self._resubscribed or self._rounds > 0

    def heard(self, at: float) -> float | None:
        """A packet came at `at`. Returns how long the silence was, seconds, if something was done about it."""
        silent_s = at - self._began_at if self.acted and self._began_at is not None else None
        self.excuse()
        self._began_at = self._waiting_since = at
        return silent_s

    def excuse(self) -> None:
        """Nothing is expected now (no stream, its source stalls, it has ended): silence begins later, and afresh."""
        self._began_at = self._waiting_since = None
        self._resubscribed = False
        self._rounds = 0

    def interrupt(self) -> None:
        """There is no connection now: the present wait begins again once there is; what was done is not forgotten."""
        self._waiting_since = None

    def look(self, now: float, *, limit_s: float) -> SilenceStep:
        """A packet is expected, over a connection. `limit_s`: the silence that is too long."""
        if self._waiting_since is None:
            self._waiting_since = now
        if self._began_at is None:
            self._began_at = now
        wait_s = min(limit_s * 2.0**self._rounds, max(limit_s, LONGEST_WAIT_S))
        if now - self._waiting_since < wait_s:
            return SilenceStep.NOTHING
        self._waiting_since = now
        self._resubscribed = not self._resubscribed
        if self._resubscribed:
            return SilenceStep.RESUBSCRIBE
        self._rounds = min(self._rounds + 1, 16)
        return SilenceStep.RECONNECT

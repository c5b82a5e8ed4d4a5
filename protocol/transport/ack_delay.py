"""How much longer than usual the broker takes to acknowledge: the queue in the link that our own messages make.

A send window bounds it in messages. That is not enough where some messages matter less than others: those have to stay
out of the link while it is behind, or they delay the rest, whatever the order in which we send.
"""

from __future__ import annotations

from typing import Final

FORGETTING: Final = 1.02
"""So much the shortest time grows with each answer that is not shorter: a route may have become longer for good."""


class AckDelay:
    """Told when QoS 1 messages went out and were acknowledged, seconds on one clock. No I/O, no lock."""

    def __init__(self) -> None:
        self._sent_at: dict[int, float] = {}  # in the order of sending
        self._shortest_s: float | None = None

    def sent(self, packet_id: int, at: float) -> None:
        """A message went out."""
        self._sent_at[packet_id] = at

    def acknowledged(self, packet_id: int, at: float) -> None:
        """It was acknowledged; of messages that were not noted nothing is known."""
        sent_at = self._sent_at.pop(packet_id, None)
        if sent_at is not None:
            took_s = at - sent_at
            grown_s = took_s if self._shortest_s is None else FORGETTING * self._shortest_s
            self._shortest_s = min(took_s, grown_s)

    def forget(self) -> None:
        """The connection is gone, and the next one may go another way."""
        self._sent_at.clear()
        self._shortest_s = None

    def queued_s(self, now: float) -> float:
        """How much longer the oldest message waits than the quickest answer took; 0 before there was one."""
        oldest = next(iter(self._sent_at.values()), None)
        if oldest is None or self._shortest_s is None:
            return 0.0
        return max(0.0, now - oldest - self._shortest_s)

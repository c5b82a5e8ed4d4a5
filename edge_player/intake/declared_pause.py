"""Whether the sender sends nothing on purpose: for whoever wonders why nothing comes."""

from __future__ import annotations

from protocol.event import HEARTBEAT_PATIENCE_S


class DeclaredPause:
    """Begun by a packet or a heartbeat, ended by a packet or where no heartbeat comes. Seconds of any one clock."""

    def __init__(self) -> None:
        self._heard_at: float | None = None

    def hear(self, at: float) -> bool:
        """The sender says at `at` that it pauses; whether that is news."""
        is_news = not self.lasts(at)
        self._heard_at = at
        return is_news

    def end(self) -> None:
        """Something was sent, or the sender is gone."""
        self._heard_at = None

    def lasts(self, now: float) -> bool:
        """Whether it pauses at `now`."""
        return self._heard_at is not None and now - self._heard_at < HEARTBEAT_PATIENCE_S

"""Upper tiers come and never the base: a bridge or an access rule lets the wrong topics pass."""

from __future__ import annotations

PATIENCE_S = 4.0
"""So long upper tiers come alone before that is said: as long as the jitter buffer waits for a stream. Whoever comes
into a stream may see an upper tier's packet first, and a thin link gives up the base last."""

PATIENCE_PACKETS = 3
"""And never less than so many packets last."""


class BaseWatch:
    """Pure: told which packets of the newest epoch came and when (seconds, one clock)."""

    def __init__(self) -> None:
        self.missing = False
        """Whether upper tiers come and the base does not."""
        self._alone_since: float | None = None
        self._patience_s = PATIENCE_S

    def begin(self, *, packet_s: float) -> None:
        """Another epoch, whose packets last so long."""
        self._patience_s = max(PATIENCE_S, PATIENCE_PACKETS * packet_s)
        self.base_came()

    def base_came(self) -> bool:
        """A packet of the base tier came, or none is expected; True where it had been missing."""
        was_missing, self.missing = self.missing, False
        self._alone_since = None
        return was_missing

    def upper_came(self, at: float) -> bool:
        """A packet of an upper tier came; True where that makes the base missing."""
        if self._alone_since is None:
            self._alone_since = at
        if self.missing or at - self._alone_since < self._patience_s:
            return False
        self.missing = True
        return True

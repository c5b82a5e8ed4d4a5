"""Trouble that comes in runs is said once a run: the log of a flood must not be a flood itself."""

from __future__ import annotations

CALM_S = 10.0
"""After so long without it, trouble that comes again is a new episode."""


class Episode:
    """Tells the first of a run of like events from the rest of it. Times are seconds of any one clock."""

    def __init__(self, calm_s: float = CALM_S) -> None:
        self._calm_s = calm_s
        self._last: float | None = None

    def begins(self, at: float) -> bool:
        """It happened at `at`: whether a new episode begins with that."""
        begins = self._last is None or at - self._last >= self._calm_s
        self._last = at
        return begins

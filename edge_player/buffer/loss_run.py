"""The frames behind the play position of which nobody knows whether they ever existed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LossRun:
    """Frames in a row that were given out as lost, with those in their midst that a standstill passed over.

    An epoch may turn out to have ended within them: then they never were, and are taken back.
    """

    lost: int = 0
    """Since the last frame that came, or the last standstill: those that were never sent included."""
    silent: int = 0
    """Of those, the ones that the sender kept back because nobody spoke."""
    passed: int = 0
    """Before those: passed over, and not known to be there."""
    lost_before: int = 0
    """Lost in one run before those."""

    @property
    def missing(self) -> int:
        """Those that should have come."""
        return self.lost - self.silent

    def forget(self) -> None:
        """A frame came, or the play position was set: what lies behind is decided."""
        self.lost = self.silent = self.passed = self.lost_before = 0

    def pass_over(self, unknown: int) -> None:
        """A standstill in which so many frames were due that had not come."""
        self.lost_before += self.lost
        self.lost = self.silent = 0
        self.passed += unknown

    def covers(self, overshoot: int, *, heard: bool) -> bool:
        """Whether so many frames may be taken back. `heard`: whether losses were given out in this run at all."""
        return overshoot <= self.passed + (self.lost + self.lost_before if heard else 0)

    def take_back(self, overshoot: int) -> tuple[int, int]:
        """Take the last `overshoot` frames back: how many of them were lost, and how many passed over."""
        passed = min(self.passed, max(0, overshoot - self.lost))
        self.forget()
        return overshoot - passed, passed

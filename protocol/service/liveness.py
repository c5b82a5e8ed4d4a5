"""Whether the threads of a process still get round: one that hangs or died without a word would look like silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol.service.errors import ServiceError

__all__ = ["LivenessWatch", "PartFailedError", "WatchedPart"]

PATIENCE_S = 10.0
"""So long a part may stand still. The slowest turn of a healthy one is a second; on a board that swaps, a few."""

LONGEST_LOOK_S = 1.0
"""What one look may add to a standstill: a process that was itself stopped (SIGSTOP, a debugger) has not hung."""


class PartFailedError(ServiceError):
    """A thread of ours ended or hangs. Exit code 1: a service manager is to start the process afresh."""


@dataclass(frozen=True, slots=True)
class WatchedPart:
    """name: completes "the … has ended". turns: a number that rises while the part gets round; None while it may stand
    still. failure: what ended it, if anything did. Both are called by whoever looks, and must not wait.
    """

    name: str
    turns: Callable[[], int | None]
    failure: Callable[[], BaseException | None] = lambda: None
    patience_s: float = PATIENCE_S


class LivenessWatch:
    """Looked at now and then by the main thread, which alone uses it. clock: seconds, monotonic."""

    def __init__(self, parts: Sequence[WatchedPart], *, clock: Callable[[], float]) -> None:
        self._parts = tuple(parts)
        self._clock = clock
        self._looked_at = clock()
        self._turns: dict[str, int | None] = {}
        self._still_s: dict[str, float] = {}

    def look(self) -> None:
        """Raises PartFailedError for the first part that has ended, or made no progress for its patience."""
        now = self._clock()
        passed_s = min(now - self._looked_at, LONGEST_LOOK_S)
        self._looked_at = now
        for part in self._parts:
            failure = part.failure()
            if failure is not None:
                raise PartFailedError(
                    f"the {part.name} has ended ({type(failure).__name__}: {failure}): this is a fault of ours; "
                    "start the program again"
                ) from failure
            turns = part.turns()
            if turns is None or turns != self._turns.get(part.name):
                self._turns[part.name] = turns
                self._still_s[part.name] = 0.0
                continue
            self._still_s[part.name] += passed_s
            if self._still_s[part.name] >= part.patience_s:
                raise PartFailedError(
                    f"the {part.name} has made no progress for {part.patience_s:.0f} s: start the program again"
                )

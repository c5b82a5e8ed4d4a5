"""What is known of the end of an epoch while it plays: its last frame, or only that its sender is gone."""

from __future__ import annotations

END_GRACE_S = 1.0
"""How long packets may come after the event that ended their epoch, where none came before it."""


class EpochEnd:
    """Nothing is known of it at first. Indices are the extended ones, times seconds on the caller's clock."""

    def __init__(self) -> None:
        self.last_frame: int | None = None
        """Index of the last frame, once the sender has named it."""
        self.sender_gone = False
        """Whether the sender left, and what is here is all, or nearly all, that there will be."""
        self._give_up_at: float | None = None

    @property
    def is_told(self) -> bool:
        """Whether anything is known of it."""
        return self.sender_gone or self.last_frame is not None

    def lies_before(self, frame: int) -> bool:
        """Whether the epoch cannot have that frame."""
        return self.last_frame is not None and frame > self.last_frame

    def is_reached(self, next_frame: int, *, empty: bool) -> bool:
        """Whether nothing follows. `empty`: no frame waits any more."""
        return self.lies_before(next_frame) or (self.sender_gone and empty)

    def cut(self, frame: int, *, newest: int) -> int:
        """That frame, or the first one past the end where it lies beyond. `newest`: the last one known to exist."""
        if self.last_frame is not None:
            return min(frame, self.last_frame + 1)
        return min(frame, newest + 1) if self.sender_gone else frame

    def await_first_frame(self, now: float, *, playout_delay_s: float) -> float | None:
        """The last word came before any frame: events overtake packets, so wait a little longer.

        Returns until when, or None once that has passed.
        """
        if self._give_up_at is None:
            self._give_up_at = now + max(playout_delay_s, END_GRACE_S)
        return self._give_up_at if now < self._give_up_at else None

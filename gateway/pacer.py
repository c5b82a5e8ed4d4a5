"""Real time for sources that have none: a file is sent as fast as it would be spoken, not faster."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Pacer"]


class Pacer:
    """Hands over a frame when its last sample is due: frame i at `origin + (i + 1) * frame_duration_s`.

    Due times are multiples from one origin, so a late frame makes none of the later ones late, and an hour does not
    drift by the error of a sleep.

    clock: seconds, monotonic. wait: sleeps so many seconds, returns True when woken by a stop.
    """

    def __init__(self, frame_duration_s: float, *, clock: Callable[[], float], wait: Callable[[float], bool]) -> None:
        if frame_duration_s <= 0:
            raise ValueError(f"a frame lasts longer than nothing, asked for {frame_duration_s} s")
        self._frame_duration_s = frame_duration_s
        self._clock = clock
        self._wait = wait
        self._origin = clock()

    def start(self, origin: float) -> None:
        """Set when the first sample of frame 0 is due; may lie ahead."""
        self._origin = origin

    def frame_start(self, index: int) -> float:
        """When the first sample of frame `index` is due."""
        return self._origin + index * self._frame_duration_s

    def wait_for(self, index: int) -> float | None:
        """Wait until frame `index` may go out. Returns how late it is in seconds, None when a stop came first."""
        remaining = self.frame_start(index + 1) - self._clock()
        while remaining > 0:
            if self._wait(remaining):
                return None
            remaining = self.frame_start(index + 1) - self._clock()
        return -remaining

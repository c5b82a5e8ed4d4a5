"""Which frames were never sent, because nobody speaks in them: what the sender said of its pauses."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from protocol.event import HEARTBEAT_PATIENCE_S

KEPT_SPANS = 64
"""Pauses that are over and may still be due: more than fit between arrival and play-out."""


@dataclass(frozen=True, slots=True)
class SilentSpan:
    """The frames from `first` up to `end`, that one left out; None: nobody has spoken again yet.

    background: so many frames before `first` hold the room alone.
    """

    first: int
    end: int | None
    background: int = 0


class SilentSpans:
    """The pauses of one epoch by extended frame index. A packet begins one, the first packet after it ends it.

    A heartbeat begins one too, for whoever missed that packet: behind the newest frame that came. An open one lasts as
    long as the sender is heard of. Times are seconds on the caller's clock.
    """

    def __init__(self) -> None:
        self._closed: deque[SilentSpan] = deque(maxlen=KEPT_SPANS)
        self._open: SilentSpan | None = None
        self._heard_at = 0.0
        self._newest_end: int | None = None

    @property
    def open_since(self) -> int | None:
        """The first frame of the pause that lasts; None where there is none."""
        return None if self._open is None else self._open.first

    def note_packet(
        self, index: int, count: int, *, pause_after: int, received_at: float, next_after: int | None
    ) -> None:
        """A packet came: the extended index of its first frame, and how many it has.

        pause_after: as in the packet. next_after: the first frame behind it that is here already, where it was
        overtaken.
        """
        end = index + count
        if self._open is not None and end > self._open.first:
            if index > self._open.first:
                self._closed.append(SilentSpan(self._open.first, index, self._open.background))
            self._open = None
        overtaken = self._newest_end is not None and end < self._newest_end
        self._newest_end = end if self._newest_end is None else max(self._newest_end, end)
        if not pause_after:
            return
        if not overtaken:
            self._open, self._heard_at = SilentSpan(end, None, pause_after), received_at
        elif next_after is not None and next_after > end:
            self._closed.append(SilentSpan(end, next_after, pause_after))

    def note_heartbeat(self, received_at: float) -> None:
        """The sender says that it sends nothing."""
        self._heard_at = received_at
        if self._open is None and self._newest_end is not None:
            self._open = SilentSpan(self._newest_end, None)

    def forget_open(self) -> None:
        """The sender is gone: nobody knows what follows."""
        self._open = None

    def find(self, frame: int, now: float) -> SilentSpan | None:
        """The pause that `frame` belongs to; None where it is none of a pause, or nobody was heard of for too long."""
        if self._open is not None and frame >= self._open.first:
            return self._open if now - self._heard_at < HEARTBEAT_PATIENCE_S else None
        return next((span for span in self._closed if span.end is not None and span.first <= frame < span.end), None)

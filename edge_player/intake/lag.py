"""How far behind the least delayed packets those of now are, and when to throw a queue away by reconnecting.

MQTT 3.1.1 has no Receive Maximum: a broker with stock queues keeps minutes of audio for a link that was slow for a
while, and hands all of it over, in order, for ever late. A connection with a clean start begins at the live edge.

The rule: lag = (arrival - stream time) of a packet, less the smallest of its epoch. No two clocks are compared, so
neither may be wrong. Too much is what makes audio too late to play, playout delay + slack, and never less than 2 s.
"""

from __future__ import annotations

import enum

from protocol.sequence import extend_serial

LEAST_LIMIT_S = 2.0
"""A hiccup of a mobile link is shorter; below it, the jitter buffer does better than a new connection."""

PERSIST_S = 3.0
"""So long every packet has to be too late: what stood still for a moment and comes in one burst has caught up."""

FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 600.0
"""After a reconnect, before the next; doubles, for a link that is too slow for the stream stays so."""

CALM_S = 600.0
"""So long without a late packet: the pause is the first one again."""

DRIFT = 300e-6
"""Two bad crystals, seconds a second: 2 s of growth in two hours would be nobody's lag."""

GAP_PACKETS = 4
"""Packets that come farther apart than so many last do not belong to one stretch."""


class LagStep(enum.Enum):
    """What to do about it."""

    NOTHING = enum.auto()
    RECONNECT = enum.auto()
    ACCEPT = enum.auto()
    """The reconnect brought nothing fresher: the delay is not in the broker's queue. It was taken for the new zero."""


class LagWatch:
    """Pure: told of packets and of the time (seconds, one clock), it says what to do. `begin` before anything else."""

    def __init__(self) -> None:
        self._frame_duration_s = 0.0
        self._limit_s = LEAST_LIMIT_S
        self._gap_s = PERSIST_S
        self._newest = 0
        self._least: float | None = None
        self._previous = 0.0
        self._last_at = 0.0
        self._over_since: float | None = None
        self._was_over_at: float | None = None
        self._not_before: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._proving = False
        self.lag_s = 0.0
        """Of the newest packet."""

    @property
    def limit_s(self) -> float:
        """What is too much."""
        return self._limit_s

    def begin(self, *, first_frame: int, frame_duration_s: float, frames_per_packet: int, too_late_s: float) -> None:
        """Another epoch, whose stream time has another zero. `too_late_s`: playout delay + slack."""
        self._newest = first_frame
        self._frame_duration_s = frame_duration_s
        self._limit_s = max(LEAST_LIMIT_S, too_late_s)
        self._gap_s = max(PERSIST_S, GAP_PACKETS * frames_per_packet * frame_duration_s)
        self.rebase()

    def rebase(self) -> None:
        """Stream time stood still at the sender, whose source stalled: what comes next is the new zero."""
        self._least = self._over_since = None
        self._proving = False
        self.lag_s = 0.0

    def packet(self, first_frame: int, frames: int, received_at: float) -> None:
        """A packet that the jitter buffer believed; `first_frame` as a serial."""
        end = extend_serial(first_frame, self._newest) + frames
        self._newest = end
        transit = received_at - end * self._frame_duration_s
        if self._least is None:
            self._least = self._previous = transit
        else:
            # Two packets have to agree on less delay: one that is forged, or damaged, must not set the measure.
            drifted = self._least + max(0.0, received_at - self._last_at) * DRIFT
            self._least = min(drifted, max(transit, self._previous))
        if received_at - self._last_at > self._gap_s:
            self._over_since = None
        self._previous, self._last_at = transit, received_at
        self.lag_s = max(0.0, transit - self._least)
        if self.lag_s <= self._limit_s:
            self._over_since = None
            self._proving = False
            return
        self._was_over_at = received_at
        if self._over_since is None:
            self._over_since = received_at

    def look(self, now: float) -> LagStep:
        """Judged by arrivals alone: where nothing comes, nothing is too old."""
        if self._was_over_at is not None and now - self._was_over_at >= CALM_S:
            self._was_over_at = None
            self._pause_s = FIRST_PAUSE_S
        if self._over_since is None or self._last_at - self._over_since < PERSIST_S:
            return LagStep.NOTHING
        if self._proving:
            self.rebase()
            return LagStep.ACCEPT
        if self._not_before is not None and now < self._not_before:
            return LagStep.NOTHING
        self._not_before = now + self._pause_s
        self._pause_s = min(2.0 * self._pause_s, LONGEST_PAUSE_S)
        self._over_since = None
        self._proving = True
        return LagStep.RECONNECT

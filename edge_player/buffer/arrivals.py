"""How long packets wait for their turn, and what that says of the playout delay."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 20.0
"""So far back arrivals count. It is also how long a delay that was raised is kept at least."""
SETTLED_S = 4.0
"""Before so much of the window is filled nothing is changed: a stream that begins has no statistics."""
GUARD_S = 0.02
"""The most delayed packet should come so long before its turn."""
STEP_S = 0.005
"""Less than a period of a voice is not worth a change."""
TOLERANCE_S = 0.06
"""A delay this near to the one that is wanted is left alone, unless packets come too late: sinks take their samples in
blocks, so margins are not known better."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """at: when a packet came, seconds. margin_s: how long before its first frame's turn; negative when it was late."""

    at: float
    margin_s: float


class ArrivalMargins:
    """Tells from the margins of the last packets by how much the sound should be later or earlier.

    Two figures count. The largest margin is the playout delay as it is: the least delayed packets have it, whatever
    the jitter (it drifts where the two clocks do). From there down to the smallest is the jitter. The delay that is
    wanted is the stream's own, and more where jitter and a guard need more; up to `limit_s` over it. It rises with the
    first packet that was too late and falls back once the window holds none.
    """

    def __init__(self, *, delay_s: float, limit_s: float) -> None:
        """delay_s: the playout delay that the stream asks for. limit_s: how much more there may be."""
        self._delay_s, self._limit_s = delay_s, limit_s
        self._window: deque[Arrival] = deque()
        self._largest: deque[Arrival] = deque()  # falling: the first is the largest of the window
        self._smallest: deque[Arrival] = deque()  # rising: the first is the smallest

    def reset(self) -> None:
        """Forget all of it: the play-out time was set anew."""
        for kept in (self._window, self._largest, self._smallest):
            kept.clear()

    def note(self, arrival: Arrival) -> None:
        """A packet came."""
        self._window.append(arrival)
        while self._largest and self._largest[-1].margin_s <= arrival.margin_s:
            self._largest.pop()
        while self._smallest and self._smallest[-1].margin_s >= arrival.margin_s:
            self._smallest.pop()
        self._largest.append(arrival)
        self._smallest.append(arrival)
        for kept in (self._window, self._largest, self._smallest):
            while kept[0].at < arrival.at - WINDOW_S:
                kept.popleft()

    def shift(self, seconds: float) -> None:
        """The sound became later by so much (negative: earlier): every margin is larger by that."""
        for kept in (self._window, self._largest, self._smallest):
            for index, arrival in enumerate(kept):
                kept[index] = Arrival(arrival.at, arrival.margin_s + seconds)

    @property
    def delay_s(self) -> float:
        """The playout delay as it is: of the least delayed packets. 0 before the first."""
        return self._largest[0].margin_s if self._largest else 0.0

    @property
    def jitter_s(self) -> float:
        """How much longer the most delayed packet took than the least delayed one."""
        return self._largest[0].margin_s - self._smallest[0].margin_s if self._largest else 0.0

    @property
    def target_s(self) -> float:
        """The playout delay that is wanted."""
        return min(max(self._delay_s, self.jitter_s + GUARD_S), self._delay_s + self._limit_s)

    def wanted_change(self) -> float:
        """By how much the sound should be later, seconds; negative: earlier; 0 where it is near enough."""
        if not self._window or self._window[-1].at - self._window[0].at < SETTLED_S:
            return 0.0
        change = self.target_s - self.delay_s
        hurried = self._smallest[0].margin_s < GUARD_S - STEP_S
        return change if abs(change) > (STEP_S if hurried and change > 0.0 else TOLERANCE_S) else 0.0

"""How many tiers a link bears, found out by trying: fewer when it is strained, one more after a calm time.

This is receiver-driven layered multicast (McCanne, Jacobson and Vetterli, SIGCOMM 1996): the sender knows nothing of
it, the receiver leaves its highest tier when the link is too slow, and a tier that proved too much is tried again after
pauses that double.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

WINDOW_S = 2.0
"""So long the signs are gathered before they are judged."""

WINDOW_PACKETS = 4
"""And never for less than so many packets last."""

SETTLE_WINDOWS = 2
"""After a change, before the link is judged again: what waits in its queues is of the time before."""

LAG_SHARE = 0.5
"""Of the playout delay: where every packet is so far behind for a while, the next ones will be too late."""

LAG_S = 1.2
LAG_PACKETS = 3
"""That while, and no less than so many packets. Nobody waits for the end of a window then: on a link that is half as
fast as the stream each second costs another second."""

THINNED_SHARE = 0.5
"""A tier that is missing from so many frames of a window does not pay for the bytes of the others."""

TROUBLES = 2
"""Base packets of a window that were late or missing. One is bad luck."""

LEAST_LAG_S = 0.05
"""Less is the jitter of any network, however short the playout delay."""

FALLING = 0.97
"""A lag that was above its limit and is so much of what it was a window ago is on its way down: no strain."""

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 600.0
"""Of calm, before one more tier is tried; doubles for a tier that proved too much."""

TRIAL_S = 30.0
"""So long a tier that was taken back is on trial. Once it has passed, its pause is the first one again."""


class Strain(enum.Enum):
    """What a link suffers from, in words for the log."""

    LAG = "packets come ever later"
    TROUBLE = "packets of the base come too late, or not at all"
    THINNED = "most of its packets come too late, or not at all"


@dataclass(frozen=True, slots=True)
class LinkSigns:
    """What is known of a link at some moment. Counters are of the base tier, but `thinned_frames`, and only rise.

    packets: so many came. lag_s: how far the newest of them is behind the least delayed ones. playout_delay_s: what the
    stream is played with.
    troubles: packets that were late or missing, and pauses of the sound. due_frames, thinned_frames: frames that were
    due, and those that lacked a tier which should have come.
    """

    packets: int
    lag_s: float
    playout_delay_s: float
    troubles: int
    due_frames: int
    thinned_frames: int


class TierChoice:
    """Pure: told the signs and the time (seconds, one clock), it says how many tiers to take. `begin` before `look`."""

    def __init__(self) -> None:
        self.tiers = 1
        """To take now, the base included."""
        self.strain: Strain | None = None
        """Why the last one was given up."""
        self._highest = 1
        self._window_s, self._lag_limit_s = WINDOW_S, LAG_S
        self._window_since: float | None = None
        self._at_start: LinkSigns | None = None
        self._least_lag_s = self._lag_before_s = 0.0
        self._lagging_since: float | None = None
        self._packets = 0
        self._arrived_at = 0.0
        self._settled_at: float | None = None
        self._calm_since: float | None = None
        self._trial_since: float | None = None
        self._pauses_s: dict[int, float] = {}  # by number of tiers: before so many are tried

    def begin(self, tiers: int, *, packet_s: float) -> None:
        """A stream of so many tiers, whose packets last so long: all of them at first. One of as many tiers as the
        stream before it comes over the same link, and goes on with what that one found out."""
        self._window_s = max(WINDOW_S, WINDOW_PACKETS * packet_s)
        self._lag_limit_s = max(LAG_S, LAG_PACKETS * packet_s)
        if tiers != self._highest:
            self._highest = self.tiers = tiers
            self._pauses_s.clear()
            self._trial_since = None
        self.interrupt()

    def interrupt(self) -> None:
        """Nothing is to be expected of the link now (no connection, no stream, a stall): gather signs anew after it."""
        self._window_since = self._calm_since = self._settled_at = self._lagging_since = None
        self._lag_before_s = 0.0

    def look(self, now: float, signs: LinkSigns) -> int:
        """How many tiers to take from now on."""
        if self._calm_since is None:
            self._calm_since = now
        if self._settled_at is not None and now < self._settled_at:
            return self.tiers
        if self._window_since is None or self._at_start is None:
            self._open_window(now, signs)
            return self.tiers
        self._least_lag_s = min(self._least_lag_s, signs.lag_s)
        lags = self._note_lag(now, signs)
        if now - self._window_since < self._window_s and not (lags and self._lag_before_s <= _lag_limit(signs)):
            return self.tiers
        strain = self._judge(signs, self._at_start, lags=lags)
        self._lag_before_s = signs.lag_s if lags else self._least_lag_s
        self._open_window(now, signs)
        if strain is not None:
            self._calm_since = now
            self._step_down(now, strain)
        else:
            self._step_up(now)
        return self.tiers

    def _note_lag(self, now: float, signs: LinkSigns) -> bool:
        """Whether packets came too far behind for long. By arrivals alone: in a pause nothing comes."""
        if signs.packets != self._packets:
            self._packets, self._arrived_at = signs.packets, now
            if signs.lag_s <= _lag_limit(signs):
                self._lagging_since = None
            elif self._lagging_since is None:
                self._lagging_since = now
        return self._lagging_since is not None and self._arrived_at - self._lagging_since >= self._lag_limit_s

    def _open_window(self, now: float, signs: LinkSigns) -> None:
        self._window_since, self._at_start, self._least_lag_s = now, signs, signs.lag_s

    def _judge(self, signs: LinkSigns, start: LinkSigns, *, lags: bool) -> Strain | None:
        due = signs.due_frames - start.due_frames
        thinned = signs.thinned_frames - start.thinned_frames
        if self._lag_before_s > _lag_limit(signs) and self._least_lag_s < FALLING * self._lag_before_s:
            return None
        if lags:
            return Strain.LAG
        if signs.troubles - start.troubles >= TROUBLES:
            return Strain.TROUBLE
        if due > 0 and thinned > THINNED_SHARE * due:
            return Strain.THINNED
        return None

    def _step_down(self, now: float, strain: Strain) -> None:
        if self.tiers == 1:
            return
        if self._trial_since is not None:
            pause_s = self._pauses_s.get(self.tiers, FIRST_PAUSE_S)
            self._pauses_s[self.tiers] = min(2.0 * pause_s, LONGEST_PAUSE_S)
        self._trial_since = None
        self.strain = strain
        self._change(now, self.tiers - 1)

    def _step_up(self, now: float) -> None:
        if self._trial_since is not None and now - self._trial_since >= TRIAL_S:
            self._trial_since = None
            self._pauses_s.pop(self.tiers, None)
        if self.tiers == self._highest or self._calm_since is None:
            return
        if now - self._calm_since >= self._pauses_s.get(self.tiers + 1, FIRST_PAUSE_S):
            self._trial_since = now
            self._calm_since = now
            self._change(now, self.tiers + 1)

    def _change(self, now: float, tiers: int) -> None:
        self.tiers = tiers
        self._window_since = self._lagging_since = None
        self._settled_at = now + SETTLE_WINDOWS * self._window_s


def _lag_limit(signs: LinkSigns) -> float:
    """How far behind a packet may be, seconds."""
    return max(LEAST_LAG_S, LAG_SHARE * signs.playout_delay_s)

"""Whether this machine keeps up with the sound it works on; said once when it does not, and once when it does again."""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["PaceWatch"]

logger = logging.getLogger(__name__)

WINDOW_S = 4.0
"""Seconds of sound, or of work, that one judgement rests on: a pause of the machine is no verdict on it."""
TOO_SLOW = 1.0
KEEPS_UP = 0.85
"""Seconds of work per second of sound: above the one it falls behind, below the other it has caught its breath."""


class PaceWatch:
    """Adds up work and sound; not thread-safe, its owner calls it after each step.

    what: completes "… takes 1.2 times as long as the sound lasts". remedy: what to do about it, said with it.
    overloads: how often it fell behind. load: seconds of work per second of sound, of the last whole window; 0 before.
    """

    def __init__(self, what: Callable[[], str], *, remedy: str, window_s: float = WINDOW_S) -> None:
        self._what = what
        self._remedy = remedy
        self._window_s = window_s
        self._work_s = self._sound_s = 0.0
        self._behind = False
        self.overloads = 0
        self.load = 0.0

    def add(self, work_s: float, sound_s: float) -> None:
        """So much work was done for so much sound, seconds."""
        self._work_s += work_s
        self._sound_s += sound_s
        if max(self._sound_s, self._work_s) < self._window_s - 1e-9:
            return
        load = self._work_s / self._sound_s
        self._work_s = self._sound_s = 0.0
        self.judge(load)

    def judge(self, load: float) -> None:
        """Take `load` for a whole window: of a trial before the work begins."""
        self.load = load
        if not self._behind and self.load >= TOO_SLOW:
            self._behind = True
            self.overloads += 1
            logger.warning("%s takes %.2f times as long as the sound lasts: %s", self._what(), self.load, self._remedy)
        elif self._behind and self.load < KEEPS_UP:
            self._behind = False
            logger.info("%s keeps up again: %.2f of the time that the sound lasts", self._what(), self.load)

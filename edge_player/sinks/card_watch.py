"""Whether the sound card still plays, and when to look for it again. No thread, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

SILENT_S = 2.0
"""A card that asked for nothing for so long has vanished, whatever PortAudio says."""

START_SILENT_S = 6.0
"""The same before it runs: PulseAudio's null sink takes its first block two seconds after the last of the start."""

SETTLED_CALLBACKS = 10
"""Blocks after which a card runs. The first few fill its buffer at once, even where nothing plays them."""

RETRY_S = (0.5, 3.0)
"""First and longest wait between attempts to open a card that vanished."""


class Turn(Enum):
    """What is to be done now."""

    NOTHING = auto()
    LOST = auto()  # it has just gone: close it
    OPEN = auto()  # try to open it
    BACK = auto()  # it runs again after having been gone


@dataclass(slots=True)
class CardWatch:
    """The life of a card as seen from outside. `lost` counts how often it went, `back` how often it returned."""

    lost: int = 0
    back: int = 0
    _open: bool = False
    _settled: bool = False
    _gone: bool = False
    _wait_s: float = RETRY_S[0]
    _retry_at: float = 0.0
    _callbacks_at_open: int = 0

    def opened(self, callbacks: int) -> None:
        """It was started, after so many callbacks in all."""
        self._open, self._settled = True, False
        self._callbacks_at_open = callbacks

    def refused(self, now: float) -> None:
        """It could not be opened: wait a little longer each time."""
        self._retry_at = now + self._wait_s
        self._wait_s = min(2.0 * self._wait_s, RETRY_S[1])

    def look(self, now: float, *, active: bool, callbacks: int, silent_s: float) -> Turn:
        """`active`: what PortAudio says. `callbacks`: blocks asked for in all. `silent_s`: since the last of them."""
        if not self._open:
            return Turn.OPEN if now >= self._retry_at else Turn.NOTHING
        if not active or silent_s >= (SILENT_S if self._settled else START_SILENT_S):
            return self._lose(now)
        if not self._settled and callbacks - self._callbacks_at_open >= SETTLED_CALLBACKS:
            return self._settle()
        return Turn.NOTHING

    def _lose(self, now: float) -> Turn:
        if self._settled or not self._gone:
            self.lost += 1  # one that came back only to fail again was never back
        self._open, self._gone = False, True
        self.refused(now)
        return Turn.LOST

    def _settle(self) -> Turn:
        self._settled = True
        self._wait_s = RETRY_S[0]
        if not self._gone:
            return Turn.NOTHING
        self._gone = False
        self.back += 1
        return Turn.BACK

"""The level meter on the terminal: is the microphone on, is it too quiet, is it too loud?"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from gateway.conditioning import SILENCE_DBFS, Level, LevelTracker
from gateway.terminal_line import TerminalLine

__all__ = ["LevelMeter", "MeterView"]

logger = logging.getLogger(__name__)

REDRAW_S = 0.1
_BOTTOM_DBFS = -60.0
_QUIET_DBFS = -35.0  # peaks of speech that never pass this are too far away for a codec
_LOUD_DBFS = -3.0
_BAR = 40
_HOLD_S = 1.5  # a peak stays so long, then sinks
_SINK_DB_PER_S = 20.0
_CLIP_S = 2.0
_MUTED_S = 3.0
_STALLED_S = 1.0


class MeterView:
    """From levels to the line that shows them. Pure but for its memory of the last peak; time is an argument.

    The bar is the peak of the last tenth of a second from -60 to 0 dBFS, the mark in it the highest of the last 1.5 s,
    the number that mark in dBFS; the word at the end says what to do about it.
    """

    def __init__(self, *, unicode: bool = True) -> None:
        self._full, self._empty, self._mark = ("█", "·", "|") if unicode else ("#", ".", "|")
        self._bar_dbfs = SILENCE_DBFS
        self._held_dbfs = SILENCE_DBFS
        self._held_at = -math.inf
        self._clipped_at = -math.inf
        self._sound_at = -math.inf
        self._came_at = -math.inf
        self._drawn_at = -math.inf

    def line(self, level: Level, now: float, *, columns: int = 80) -> str:
        """The line after `level`, at `now` (seconds, of any clock); empty before the first sample has come."""
        elapsed = 0.0 if math.isinf(self._drawn_at) else now - self._drawn_at
        self._drawn_at = now
        if level.samples:
            self._take(level, now)
        if math.isinf(self._came_at):
            return ""
        if now - self._came_at > _STALLED_S:
            self._bar_dbfs = SILENCE_DBFS
        if now - self._held_at > _HOLD_S:
            self._held_dbfs = max(self._bar_dbfs, self._held_dbfs - _SINK_DB_PER_S * elapsed)
        word = self._word(now)
        room = columns - len(f"  -60 dBFS  {word}")
        return f"{self._bar(min(_BAR, room))} {self._number():>4} dBFS  {word}".rstrip()[:columns]

    def _take(self, level: Level, now: float) -> None:
        if math.isinf(self._came_at):
            self._sound_at = now
        self._came_at = now
        self._bar_dbfs = level.peak_dbfs
        if level.peak_dbfs > SILENCE_DBFS:
            self._sound_at = now
        if level.peak_dbfs >= self._held_dbfs:
            self._held_dbfs, self._held_at = level.peak_dbfs, now
        if level.clipped:
            self._clipped_at = now

    def _word(self, now: float) -> str:
        if now - self._came_at > _STALLED_S:
            return "nothing arrives"
        if now - self._clipped_at < _CLIP_S:
            return "TOO LOUD"
        if now - self._sound_at > _MUTED_S:
            return "silent: muted?"
        if self._held_dbfs > _LOUD_DBFS:
            return "loud"
        if self._held_dbfs < _BOTTOM_DBFS:
            return "silent"
        return "quiet" if self._held_dbfs < _QUIET_DBFS else "good"

    def _number(self) -> str:
        return "-∞" if self._held_dbfs <= SILENCE_DBFS and self._full == "█" else f"{max(-99.0, self._held_dbfs):.0f}"

    def _bar(self, width: int) -> str:
        if width < 4:
            return ""
        cells = [self._empty] * width
        filled = _cells(self._bar_dbfs, width)
        cells[:filled] = [self._full] * filled
        mark = _cells(self._held_dbfs, width)
        if mark > filled:
            cells[mark - 1] = self._mark
        return "".join(cells)


class LevelMeter:
    """Draws `level` ten times a second on a thread of its own, from entering to leaving. Not reusable.

    stream: a terminal; see `watched_terminal`. clock: seconds. Drawing that fails ends the meter, never the stream.
    """

    def __init__(
        self, level: LevelTracker, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._level = level
        self._clock = clock
        self._line = TerminalLine(stream)
        self._view = MeterView(unicode=self._line.unicode)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._main, name="level-meter", daemon=True)

    def __enter__(self) -> Self:
        self._line.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._line.__exit__(kind, error, trace)

    def redraw(self) -> None:
        """Once every tenth of a second."""
        text = self._view.line(self._level.take(), self._clock(), columns=self._line.columns)
        if text:
            self._line.draw(text)

    def _main(self) -> None:
        try:
            while not self._done.wait(REDRAW_S):
                self.redraw()
        except Exception:  # a window resized to nothing, an odd encoding: whatever it is, the sound goes on
            logger.debug("the level meter ended", exc_info=True)


def _cells(dbfs: float, width: int) -> int:
    """How many cells of the bar a level fills."""
    return round(max(0.0, min(1.0, 1.0 - dbfs / _BOTTOM_DBFS)) * width)

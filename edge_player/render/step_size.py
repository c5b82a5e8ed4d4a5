"""How many frames a decoder that is too slow takes at once: more, while that is less work a frame."""

from __future__ import annotations

WINDOW_S = 4.0
"""Seconds of sound, or of work, that one judgement rests on."""

TOO_SLOW = 1.0
"""Seconds of work per second of sound, from which on it falls behind."""

WORTH_IT = 0.95
"""A longer step has to cost less than this much of what the shorter one cost, per frame, to be kept."""

LONGEST_STEP_S = 2.0
"""No step may keep messages waiting for longer than this."""

FULL = 0.75
"""Of a longer step, the part that has to be here on average before it is judged: it was hardly tried otherwise."""


class StepSize:
    """Pure: told what each step cost, it says how many frames the next may have. Seconds; no clock of its own."""

    def __init__(self, *, frames: int, longest: int, frame_duration_s: float) -> None:
        """`frames` at once to begin with, never more than `longest`."""
        self.frames = frames
        self.longer = 0
        """How often it took a longer step; only rises."""
        self.load = 0.0
        """Seconds of work per second of sound in the last whole window; 0 before."""
        self._longest = longest
        self._frame_duration_s = frame_duration_s
        self._work_s = self._sound_s = 0.0
        self._steps = 0
        self._before: tuple[int, float] | None = None  # the step before the last change, and its load
        self._settled = False

    @property
    def lengthened(self) -> bool:
        """Whether a step has more frames than was asked for: then what is here is decoded, early enough or not."""
        return self.longer > 0

    def add(self, frames: int, seconds: float) -> None:
        """A step of so many frames took so long."""
        self._work_s += seconds
        self._sound_s += frames * self._frame_duration_s
        self._steps += 1
        if max(self._work_s, self._sound_s) < WINDOW_S - 1e-9:
            return
        self.load = self._work_s / self._sound_s
        mean_frames = self._sound_s / self._frame_duration_s / self._steps
        self._work_s = self._sound_s = 0.0
        self._steps = 0
        self._judge(mean_frames)

    def _judge(self, mean_frames: float) -> None:
        if self._before is not None and mean_frames >= FULL * self.frames:
            shorter, load = self._before
            self._before = None
            if self.load > WORTH_IT * load:
                self.frames = shorter  # no cheaper: longer steps would only cost patience
                self._settled = True
        if self.load < TOO_SLOW or self._settled or self._before is not None:
            return
        longer = min(2 * self.frames, self._longest)
        if longer > self.frames and longer * self.load * self._frame_duration_s <= LONGEST_STEP_S:
            self._before = (self.frames, self.load)
            self.frames = longer
            self.longer += 1

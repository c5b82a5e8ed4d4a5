"""What stands in for lost frames: the last codes held and faded, then silence.

In token space a loss is hidden by giving the decoder the last frame's codes again. It keeps its state where speech
would have kept it, and goes on from there when frames come back. Held codes turn into a buzz within a syllable, so the
sound fades and is silent after 200 ms; the decoder is still fed, unheard, until the gap is so long that it starts
afresh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONCEAL_S = 0.2
"""After this long nothing is made up any more."""

HOLD_S = 0.04
"""So long the held sound keeps its level; then it fades linearly."""

ATTACK_S = 0.01
"""Sound comes back over this long: the step from a faded signal would be a click."""


@dataclass(frozen=True, slots=True)
class Concealed:
    """What to do for a lost frame: feed the decoder `codes` (None: leave it alone) and multiply its sound by `gain`.

    `gain` [frame_size] float32; None for silence throughout.
    """

    codes: NDArray[np.int64] | None
    gain: NDArray[np.float32] | None

    @property
    def audible(self) -> bool:
        """Whether anything of it can be heard."""
        return self.codes is not None and self.gain is not None


class Concealer:
    """Remembers the last frame and how long ago it was. Owned by the player worker."""

    def __init__(self, *, frame_size: int, sample_rate: int, feed_s: float = 1.0) -> None:
        """`feed_s`: how long into a gap the decoder is still fed; longer gaps start it afresh."""
        self._frame_size = frame_size
        self._sample_rate = sample_rate
        self._feed_samples = round(feed_s * sample_rate)
        self._last: NDArray[np.int64] | None = None
        self._gap_samples = 0
        self._level = 0.0

    def reset(self) -> None:
        """Forget everything: the next frame belongs to another epoch, or comes after a long gap."""
        self._last = None
        self._gap_samples = 0
        self._level = 0.0

    def conceal(self) -> Concealed:
        """What stands in for the next frame, which is lost."""
        start = self._gap_samples
        self._gap_samples += self._frame_size
        end_of_fade = round(CONCEAL_S * self._sample_rate)
        if self._last is None or start >= end_of_fade:
            self._level = 0.0
            fed = self._last is not None and start < self._feed_samples
            return Concealed(self._last if fed else None, None)
        gain = self._fade(start, end_of_fade)
        self._level = float(gain[-1])
        return Concealed(self._last, gain)

    def _fade(self, start: int, end_of_fade: int) -> NDArray[np.float32]:
        hold = round(HOLD_S * self._sample_rate)
        position = np.arange(start + 1, start + self._frame_size + 1, dtype=np.float32)
        gain: NDArray[np.float32] = np.clip((end_of_fade - position) / (end_of_fade - hold), 0.0, 1.0)
        return gain

    def remember(self, codes: NDArray[np.int64]) -> None:
        """A frame came, and is not heard."""
        self._last = codes
        self._gap_samples = 0

    def resume(self, codes: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """A frame came: remember it. Returns the gain [frame_size] that brings its sound back, None for all 1."""
        self.remember(codes)
        level, self._level = self._level, 1.0
        if level >= 1.0:
            return None
        attack = min(self._frame_size, max(1, round(ATTACK_S * self._sample_rate)))
        gain = np.ones(self._frame_size, dtype=np.float32)
        gain[:attack] = np.linspace(level, 1.0, attack, dtype=np.float32)
        return gain

    def start_at_full_level(self) -> None:
        """The next frame is the true beginning of the sound: no fade-in."""
        self._level = 1.0

"""Which frames are sent and which are not: speech, what comes shortly before it, and the room after it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.encoder_worker import FrameMark

__all__ = ["HANGOVER_FRAMES", "PREROLL_FRAMES", "GateStep", "SilenceGate", "preroll_frames"]

HANGOVER_FRAMES: Final = 10
"""0.8 s after the last speech are sent: the breath between two sentences is no pause, and players learn how the room
sounds."""
_FADING_FRAMES: Final = 2
"""The first of those hold the end of the voice, by the delay of the codec and the echo of the room."""
PREROLL_FRAMES: Final = 4
"""Up to so many frames before speech go out with it, 0.32 s: a breath or a soft consonant that the detector does not
hear, and what a decoder that joins here needs before it can be heard."""


def preroll_frames(frames_per_packet: int) -> int:
    """How many: as many as a packet waits for anyway, and one at least. That one comes late, by a frame."""
    return min(PREROLL_FRAMES, max(1, frames_per_packet - 1))


@dataclass(frozen=True, slots=True)
class GateStep:
    """What one frame leads to. frames: those to send now, in order. pause_after: above 0, the last of them begins a
    pause, and so many up to it are background alone. pausing: nothing is sent now."""

    frames: tuple[tuple[FrameMark, NDArray[np.int64]], ...] = ()
    pause_after: int = 0
    pausing: bool = False


class SilenceGate:
    """Pure. Open at first, so that whoever is there when a stream begins in silence knows how that sounds.

    `silent_frames` counts those that were never sent; the last few of a pause are undecided until speech begins, a gap
    comes or the stream ends.
    """

    def __init__(self, *, hangover_frames: int = HANGOVER_FRAMES, preroll_frames: int = PREROLL_FRAMES) -> None:
        if hangover_frames <= _FADING_FRAMES or preroll_frames < 0:
            raise ValueError(
                f"expected a hangover above {_FADING_FRAMES} frames and a pre-roll of 0 or more, "
                f"got {hangover_frames} and {preroll_frames}"
            )
        self._hangover_frames = hangover_frames
        self._preroll_frames = preroll_frames
        self._quiet_frames = 0  # since the last speech
        self._held: deque[tuple[FrameMark, NDArray[np.int64]]] = deque()
        self._open = True
        self.silent_frames = 0
        self.pauses = 0

    def push(self, mark: FrameMark, codes: NDArray[np.int64]) -> GateStep:
        """The next frame, codes `[K]`; `mark.speech` says whether somebody speaks in it."""
        if mark.speech:
            frames = (*self._held, (mark, codes))
            self._held.clear()
            self._quiet_frames = 0
            self._open = True
            return GateStep(frames)
        if self._open:
            return self._hang_over(mark, codes)
        self._held.append((mark, codes))
        if len(self._held) > self._preroll_frames:
            self._held.popleft()
            self.silent_frames += 1
        return GateStep(pausing=True)

    def _hang_over(self, mark: FrameMark, codes: NDArray[np.int64]) -> GateStep:
        self._quiet_frames += 1
        if self._quiet_frames < self._hangover_frames:
            return GateStep(((mark, codes),))
        self._open = False
        self.pauses += 1
        return GateStep(((mark, codes),), pause_after=self._hangover_frames - _FADING_FRAMES)

    def drop_held(self) -> None:
        """What is held back is not sent any more: a gap follows it, or the end."""
        self.silent_frames += len(self._held)
        self._held.clear()

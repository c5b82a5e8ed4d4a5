"""Sees that the input was too loud for the converter, says so once, and counts it."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClippingDetector", "ClippingWatch"]

logger = logging.getLogger(__name__)

FULL_SCALE = 0.9999
"""Three steps of a 16-bit converter below its end."""
_RUN = 3  # one sample at the end is a loud peak, three in a row are a peak cut off
_CALM_S = 5.0  # without clipping; then the next is another episode


class ClippingDetector:
    """Counts the samples that stand at full scale, three or more in a row of one channel; block joins do not matter.

    For the sound as the card or the file gave it: mixing channels or resampling hides all but coarse clipping. For
    one thread at a time.
    """

    def __init__(self) -> None:
        self._carried: list[int] = []  # by channel: how long the run at the end of the last block is, at most _RUN

    def count(self, samples: NDArray[np.float32]) -> int:
        """How many samples of a block `[T]` or `[T, channels]` were clipped."""
        block = samples if samples.ndim == 2 else samples[:, np.newaxis]
        loud = np.abs(block) >= FULL_SCALE
        if len(self._carried) != block.shape[1]:
            self._carried = [0] * block.shape[1]
        if not loud.any():  # the usual case
            if len(block):
                self._carried = [0] * block.shape[1]
            return 0
        return sum(self._in_channel(channel, loud[:, channel]) for channel in range(block.shape[1]))

    def clear(self) -> None:
        """What comes next does not follow what came before."""
        self._carried = []

    def _in_channel(self, channel: int, loud: NDArray[np.bool_]) -> int:
        carried = self._carried[channel]
        edges = np.diff(np.concatenate([[0], np.ones(carried), loud, [0]]))
        lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
        self._carried[channel] = min(_RUN, int(lengths[-1])) if loud[-1] else 0
        found = int(lengths[lengths >= _RUN].sum())
        return found - _RUN if carried == _RUN else found  # what was counted with the last block


class ClippingWatch:
    """Turns counts into episodes: one warning when clipping begins, the next only after 5 s of sound without any."""

    def __init__(self) -> None:
        self.samples = 0
        self.episodes = 0
        self._calm_s = _CALM_S

    def see(self, clipped: int, duration_s: float, *, source: str) -> None:
        """A block of `duration_s` seconds of sound from `source`, so many samples of it clipped."""
        if not clipped:
            self._calm_s += duration_s
            return
        self.samples += clipped
        if self._calm_s >= _CALM_S:
            self.episodes += 1
            logger.warning("input too loud, clipping detected: %s", source)
        self._calm_s = 0.0

"""Blocks of any size in, frames of exactly `frame_size` samples out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codec.errors import FrameSizeError


class FrameAssembler:
    """Collects mono samples until a whole frame is there. Owns the remainder, always below one frame.

    The codec takes whole frames only; whoever reads audio keeps one assembler per stream. Not for several threads.
    """

    def __init__(self, frame_size: int) -> None:
        if frame_size < 1:
            raise FrameSizeError(f"A frame has at least one sample, not {frame_size}")
        self.frame_size = frame_size
        self._partial: NDArray[np.float32] = np.zeros(frame_size, dtype=np.float32)
        self._filled = 0

    @property
    def pending(self) -> int:
        """Samples waiting for their frame to be full; below `frame_size`."""
        return self._filled

    def push(self, samples: ArrayLike) -> list[NDArray[np.float32]]:
        """Take a block [T] of any length and return the frames it completes, each a new float32 [frame_size]."""
        block = np.asarray(samples, dtype=np.float32)
        if block.ndim != 1:
            raise FrameSizeError(f"The assembler takes mono samples [T], not shape {list(block.shape)}")
        frames: list[NDArray[np.float32]] = []
        position = 0
        while position < block.size:
            taken = min(self.frame_size - self._filled, block.size - position)
            self._partial[self._filled : self._filled + taken] = block[position : position + taken]
            self._filled += taken
            position += taken
            if self._filled == self.frame_size:
                frames.append(self._partial.copy())
                self._filled = 0
        return frames

    def flush(self) -> NDArray[np.float32] | None:
        """The remainder padded with zeros to a full frame, or None if there is none. The assembler is empty then."""
        if self._filled == 0:
            return None
        frame = np.zeros(self.frame_size, dtype=np.float32)
        frame[: self._filled] = self._partial[: self._filled]
        self._filled = 0
        return frame

    def clear(self) -> None:
        """Forget the remainder: what comes next does not follow what came before."""
        self._filled = 0

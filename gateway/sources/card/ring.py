"""The bounded ring between the sound card's thread and the encoder worker."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BlockRing", "CardBlock"]


@dataclass(frozen=True, slots=True, eq=False)
class CardBlock:
    """A block as the card handed it over.

    samples: float32 `[samples, channels]`, at the card's rate. captured_at: when the first of them was recorded,
    seconds of the pipeline's monotonic clock. lost_samples: how many were dropped right before.
    """

    samples: NDArray[np.float32]
    captured_at: float
    lost_samples: int = 0


class BlockRing:
    """Blocks of samples, oldest first; a full ring drops its oldest block and counts it.

    capacity: in samples of one channel. The lost samples are written on the next block taken, so that whoever takes
    it can keep its frame index on time. `put` is called from the PortAudio thread: it copies nothing and waits for
    nobody for longer than a `take` holds the lock, which is a pop.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring holds at least one sample, asked for {capacity}")
        self._capacity = capacity
        self._blocks: deque[CardBlock] = deque()
        self._held = 0
        self._lost = 0
        self._ready = threading.Condition()
        self.overflows = 0

    def put(self, samples: NDArray[np.float32], captured_at: float, *, lost_before: int = 0) -> None:
        """Add a block `[samples, channels]`. `lost_before`: samples that the sound card itself says it dropped."""
        with self._ready:
            if lost_before:
                self.overflows += 1
            self._blocks.append(CardBlock(samples, captured_at, lost_before))
            self._held += len(samples)
            while self._held > self._capacity and len(self._blocks) > 1:
                oldest = self._blocks.popleft()
                self._held -= len(oldest.samples)
                self._lost += len(oldest.samples) + oldest.lost_samples
                self.overflows += 1
            self._ready.notify()

    def take(self, timeout_s: float) -> CardBlock | None:
        """The oldest block, or None where none came in time."""
        with self._ready:
            if not self._blocks and not self._ready.wait_for(lambda: bool(self._blocks), timeout_s):
                return None
            block = self._blocks.popleft()
            self._held -= len(block.samples)
            lost, self._lost = self._lost, 0
            return CardBlock(block.samples, block.captured_at, block.lost_samples + lost)

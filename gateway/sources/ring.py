"""The bounded ring between the sound card's thread and the encoder worker."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from gateway.sources.base import AudioBlock

__all__ = ["BlockRing"]


class BlockRing:
    """Blocks of samples, oldest first; a full ring drops its oldest block and counts it.

    capacity: in samples. The lost samples are written on the next block taken, so that whoever takes it can keep
    its frame index on time. `put` is called from the PortAudio thread: it copies nothing and waits for nobody for
    longer than a `take` holds the lock, which is a pop.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring holds at least one sample, asked for {capacity}")
        self._capacity = capacity
        self._blocks: deque[tuple[NDArray[np.float32], float]] = deque()
        self._held = 0
        self._lost = 0
        self._ready = threading.Condition()
        self.overflows = 0

    def put(self, samples: NDArray[np.float32], captured_at: float, *, lost_before: int = 0) -> None:
        """Add a block. `lost_before`: samples that the sound card itself says it dropped."""
        with self._ready:
            if lost_before:
                self._lost += lost_before
                self.overflows += 1
            self._blocks.append((samples, captured_at))
            self._held += len(samples)
            while self._held > self._capacity and len(self._blocks) > 1:
                oldest, _ = self._blocks.popleft()
                self._held -= len(oldest)
                self._lost += len(oldest)
                self.overflows += 1
            self._ready.notify()

    def take(self, timeout_s: float) -> AudioBlock | None:
        """The oldest block, or None where none came in time."""
        with self._ready:
            if not self._blocks and not self._ready.wait_for(lambda: bool(self._blocks), timeout_s):
                return None
            samples, captured_at = self._blocks.popleft()
            self._held -= len(samples)
            lost, self._lost = self._lost, 0
            return AudioBlock(samples, captured_at, lost)

    def clear(self) -> None:
        """Forget what is held; nothing is counted as lost."""
        with self._ready:
            self._blocks.clear()
            self._held = self._lost = 0

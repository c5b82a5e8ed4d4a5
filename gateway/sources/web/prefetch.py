"""The bounded buffer between a thread that fetches sound and the encoder worker that plays it in real time."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prefetch"]

_EMPTY = np.zeros(0, dtype=np.float32)


class Prefetch:
    """Blocks of samples, oldest first, at most `capacity` samples of them.

    A full buffer makes the writer wait: nothing is lost, and nothing is fetched ahead of its time. With `drops` it
    drops the oldest instead: a radio sends whether or not it is heard, and waiting would only let the lag grow there.

    prime: live only. So many samples must be there before the first is taken, and again each time the buffer ran
    empty: without a cushion every later hitch would be heard too. Drops count from `listen` on: before it nobody
    wanted to hear that sound. live, drops: set by the writer once it knows.
    """

    def __init__(self, capacity: int, *, prime: int = 0) -> None:
        if not 0 <= prime < capacity:
            raise ValueError(f"a buffer of {capacity} samples cannot wait for {prime} of them")
        self._capacity = capacity
        self._prime = prime
        self.live = self.drops = False
        self._blocks: deque[NDArray[np.float32]] = deque()
        self._held = 0
        self._filling = True
        self._listening = False
        self._finished = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self.overflows = 0
        self.dropped_samples = 0

    @property
    def held(self) -> int:
        """Samples that wait."""
        return self._held

    @property
    def finished(self) -> bool:
        """Whether nothing more will be put in."""
        return self._finished

    def listen(self) -> None:
        """Somebody is about to take: from now on a drop is a loss."""
        with self._changed:
            self._listening = True

    def put(self, samples: NDArray[np.float32]) -> bool:
        """Add a block; waits for room unless it drops. False where the buffer was closed, and nothing was added."""
        with self._changed:
            if not self.drops:
                self._changed.wait_for(lambda: self._closed or self._held < self._capacity)
            if self._closed:
                return False
            if samples.size:
                self._blocks.append(samples)
                self._held += samples.size
                if self.drops:
                    self._drop_oldest()
                self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> NDArray[np.float32] | None:
        """The oldest block; an empty one where none came in time; None at the end. Raises what `finish` was given."""
        with self._changed:
            self._changed.wait_for(self._ready, timeout_s)
            if not self._ready():
                return _EMPTY
            if self._blocks:
                samples = self._blocks.popleft()
                self._held -= samples.size
                self._filling = self._held == 0
                self._changed.notify_all()
                return samples
            if self._error is not None:
                raise self._error
            return None

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what is held is still to be taken, then `error` is raised."""
        with self._changed:
            self._error = error
            self._finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody takes any more: a writer that waits goes on."""
        with self._changed:
            self._closed = self._finished = True
            self._blocks.clear()
            self._held = 0
            self._changed.notify_all()

    def _ready(self) -> bool:
        if self._finished:
            return True
        return self._held > 0 and (not self.live or not self._filling or self._held >= self._prime)

    def _drop_oldest(self) -> None:
        dropped = 0
        while self._held > self._capacity and len(self._blocks) > 1:
            dropped += self._blocks[0].size
            self._held -= self._blocks.popleft().size
        if dropped and self._listening:
            self.overflows += 1
            self.dropped_samples += dropped

"""The sound of the room while nobody speaks and nothing is sent: codes of the frames before the pause, shuffled.

A loop of them would be heard as a beat; in an order that is never the same they are what they were, a noise. They go
through the decoder as frames that came would, so that its state flows from speech to noise and back without a click.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_player.buffer.jitter_values import Silent

POOL_FRAMES: Final = 24
"""1.9 s of the room, of the last pauses together."""

RECENT_FRAMES: Final = 25
"""Frames that came last: as many as a packet may declare to be background."""

LOUDER: Final = 2.0
"""A background frame so much louder than their median, 6 dB, is a cough or a door: once is enough."""

SEED: Final = 1
"""The same noise at every start: what was heard can be heard again."""


class ComfortNoise:
    """Remembers what the room sounds like. Owned by Playout."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the room: what follows comes from another encoder."""
        self._recent: deque[tuple[int, NDArray[np.int64], float]] = deque(maxlen=RECENT_FRAMES)
        self._pool: deque[NDArray[np.int64]] = deque(maxlen=POOL_FRAMES)
        self._order: list[int] = []
        self._last: int | None = None
        self._learned: int | None = None  # the pause that was looked at last
        self._random = np.random.default_rng(SEED)

    def note(self, frame_index: int, codes: NDArray[np.int64], samples: NDArray[np.float32]) -> None:
        """A frame that came: codes [num_layers], and what the decoder made of them [frame_size]."""
        self._recent.append((frame_index, codes, float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))))

    def next(self, item: Silent) -> NDArray[np.int64] | None:
        """Codes [num_layers] for a frame of a pause; None where nothing is known of the room."""
        if item.pause_first != self._learned:
            self._learned = item.pause_first
            self._learn(item)
        if not self._pool:
            return None
        if not self._order:
            self._order = [int(number) for number in self._random.permutation(len(self._pool))]
            if self._order[0] == self._last:  # twice in a row is a beat again
                self._order.append(self._order.pop(0))
        self._last = self._order.pop(0)
        return self._pool[self._last]

    def _learn(self, item: Silent) -> None:
        first = item.pause_first - item.background
        heard = [(codes, level) for index, codes, level in self._recent if first <= index < item.pause_first]
        if not heard:
            return
        limit = LOUDER * float(np.median([level for _, level in heard]))
        self._pool.extend(codes for codes, level in heard if level <= limit)
        self._order, self._last = [], None

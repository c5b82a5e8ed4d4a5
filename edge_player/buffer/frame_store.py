"""Which frames are here and which were lately: codes by frame index and tier. Knows neither time nor play-out.

A frame is here when its base is. What upper tiers bring of frames whose base is missing waits beside, and counts for
nothing until that comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

HISTORY_FRAMES = 128
"""How far back a frame already given out is remembered, to tell a duplicate from a late one."""

Column = NDArray[np.uint16]
"""The codes of one frame on one tier: [layers of the tier]."""


class FrameStore:
    """Frames that wait to be given out, and the memory of those that were. Not thread-safe.

    Bounded by its owner, who drops what lies too far ahead; the memory is bounded here.
    """

    def __init__(self, base_tiers: Collection[int] = (0,)) -> None:
        """`base_tiers`: those that carry layer 0."""
        self._base_tiers = frozenset(base_tiers)
        self._waiting: dict[int, dict[int, Column]] = {}  # what came on base tiers
        self._beside: dict[int, dict[int, Column]] = {}  # what came on the others
        self._given_out: dict[int, frozenset[int]] = {}
        self._order: deque[int] = deque()

    def __len__(self) -> int:
        """Frames that wait, with all of their tiers or not."""
        return len(self._waiting)

    @property
    def newest(self) -> int | None:
        """The highest index that waits."""
        return max(self._waiting, default=None)

    def put(self, frame: int, tier: int, column: Column) -> bool:
        """File a column; False when it waits here already."""
        columns = (self._waiting if tier in self._base_tiers else self._beside).setdefault(frame, {})
        if tier in columns:
            return False
        columns[tier] = column
        return True

    def has(self, frame: int, tiers: Iterable[int]) -> bool:
        """Whether all these columns of a frame wait."""
        return set(tiers) <= self._waiting.get(frame, {}).keys() | self._beside.get(frame, {}).keys()

    def first_from(self, frame: int) -> int | None:
        """The lowest index that waits and is not below that one."""
        return min((index for index in self._waiting if index >= frame), default=None)

    def take(self, frame: int) -> Mapping[int, Column]:
        """The columns of a frame by tier, none where its base never came; it waits no more."""
        beside, columns = self._beside.pop(frame, {}), self._waiting.pop(frame, {})
        return columns | beside if columns else {}

    def remember(self, frame: int, tiers: Iterable[int]) -> None:
        """That frame was given out with those tiers."""
        self._given_out[frame] = frozenset(tiers)
        self._order.append(frame)
        if len(self._order) > HISTORY_FRAMES:
            self._given_out.pop(self._order.popleft(), None)

    def was_given_out(self, frame: int, tier: int) -> bool:
        """Whether that column was among the last frames given out."""
        return tier in self._given_out.get(frame, ())

    def start_of_newest(self, frames: int) -> int:
        """The index from which on so many frames, or all there are, wait."""
        return sorted(self._waiting)[-frames:][0]

    def drop_before(self, frame: int) -> None:
        """Forget what waits below that index."""
        self._keep(lambda index: index >= frame)

    def drop_after(self, frame: int) -> None:
        """Forget what waits above that index."""
        self._keep(lambda index: index <= frame)

    def drop_waiting(self) -> None:
        """Forget all that waits; what was given out stays remembered."""
        self._waiting.clear()
        self._beside.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.drop_waiting()
        self._given_out.clear()
        self._order.clear()

    def _keep(self, wanted: Callable[[int], bool]) -> None:
        self._waiting = {index: columns for index, columns in self._waiting.items() if wanted(index)}
        self._beside = {index: columns for index, columns in self._beside.items() if wanted(index)}

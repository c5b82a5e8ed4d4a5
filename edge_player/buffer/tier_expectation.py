"""Which tiers a frame should have by the time it is due: those that are subscribed to, and were for long enough."""

from __future__ import annotations

import math
from collections.abc import Iterable


class TierExpectation:
    """All wanted tiers of every frame at first; `follow` changes it from some frame on. Frames by extended index."""

    def __init__(self, wanted_tiers: Iterable[int]) -> None:
        self._first_frame: dict[int, float] = dict.fromkeys(wanted_tiers, -math.inf)

    def follow(self, tiers: Iterable[int], *, from_frame: int) -> None:
        """These are subscribed to now. One that was not before is expected from `from_frame` on."""
        followed = set(tiers)
        for tier, first_frame in self._first_frame.items():
            if tier not in followed:
                self._first_frame[tier] = math.inf
            elif first_frame == math.inf:
                self._first_frame[tier] = from_frame

    def tiers_of(self, frame: int) -> frozenset[int]:
        """The tiers that the frame should have."""
        return frozenset(tier for tier, first_frame in self._first_frame.items() if first_frame <= frame)

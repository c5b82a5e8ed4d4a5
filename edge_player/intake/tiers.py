"""Layers arrive on one topic per tier; a frame is as good as the unbroken run of layers that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from protocol.manifest import Tier

ABSENT = -1
"""A layer that did not come. Only ever a suffix of a frame's layers; the decoder adds nothing for it."""


class TierMap:
    """Which layers come on which tier, cut to the layers this player wants."""

    def __init__(self, tiers: Sequence[Tier], *, num_layers: int, layers: int | None = None) -> None:
        """`num_layers` of the codec; `layers`: play no more than the first so many. Raises ValueError."""
        if not tiers or not any(tier.first_layer == 0 for tier in tiers):
            raise ValueError("A tier map needs a tier that starts at layer 0")
        self.num_layers = num_layers
        self.wanted_layers = num_layers if layers is None else max(1, min(layers, num_layers))
        self._tiers = tuple(tiers)

    @classmethod
    def single(cls, num_layers: int) -> TierMap:
        """All layers on tier 0: the default."""
        return cls((Tier(0, num_layers),), num_layers=num_layers)

    @property
    def wanted_tiers(self) -> tuple[int, ...]:
        """The numbers of the tiers to subscribe to, base tier included."""
        return tuple(number for number, tier in enumerate(self._tiers) if tier.first_layer < self.wanted_layers)

    @property
    def base_tiers(self) -> frozenset[int]:
        """The tiers that carry layer 0: without one of them a frame is lost."""
        return frozenset(number for number, tier in enumerate(self._tiers) if tier.first_layer == 0)

    def __len__(self) -> int:
        return len(self._tiers)

    def join(self, columns: Mapping[int, NDArray[np.uint16]]) -> NDArray[np.int64]:
        """One frame `[num_layers]` int64 from the columns of its tiers: the longest prefix, -1 after it."""
        codes = np.full(self.num_layers, ABSENT, dtype=np.int64)
        reached = 0
        for number in sorted(columns, key=lambda tier: self._tiers[tier].first_layer):
            tier = self._tiers[number]
            if tier.first_layer > reached:
                break
            end = tier.first_layer + tier.num_layers
            codes[tier.first_layer : end] = columns[number]
            reached = max(reached, end)
        codes[self.wanted_layers :] = ABSENT
        return codes

"""The layers that come, and the layers that are wanted."""

from __future__ import annotations

import numpy as np
import pytest

from edge_player.intake.tiers import TierMap
from protocol.manifest import Tier

THREE = (Tier(0, 2), Tier(2, 1), Tier(3, 1))


def column(*codes: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return np.array(codes, dtype=np.uint16)


def test_all_tiers_make_a_whole_frame() -> None:
    codes = TierMap(THREE, num_layers=4).join({2: column(9), 0: column(5, 6), 1: column(7)})
    assert codes.tolist() == [5, 6, 7, 9]


def test_a_missing_middle_tier_ends_the_prefix() -> None:
    assert TierMap(THREE, num_layers=4).join({0: column(5, 6), 2: column(9)}).tolist() == [5, 6, -1, -1]


def test_a_stream_with_fewer_layers_than_the_codec_is_filled_up() -> None:
    assert TierMap((Tier(0, 2),), num_layers=4).join({0: column(5, 6)}).tolist() == [5, 6, -1, -1]


def test_a_player_that_wants_fewer_layers_subscribes_to_fewer_tiers_and_cuts() -> None:
    tiers = TierMap(THREE, num_layers=4, layers=1)
    assert tiers.wanted_tiers == (0,)
    assert tiers.join({0: column(5, 6)}).tolist() == [5, -1, -1, -1]


def test_all_tiers_are_wanted_by_default() -> None:
    assert TierMap(THREE, num_layers=4).wanted_tiers == (0, 1, 2)


def test_a_map_without_layer_0_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="layer 0"):
        TierMap((Tier(1, 2),), num_layers=4)

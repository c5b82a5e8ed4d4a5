from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.sources.card.ring import BlockRing, CardBlock


def filled(samples: int, value: float = 0.5) -> NDArray[np.float32]:
    return np.full((samples, 2), value, dtype=np.float32)


def take(ring: BlockRing) -> CardBlock:
    block = ring.take(0.0)
    assert block is not None
    return block


def test_a_full_ring_drops_its_oldest_and_tells_the_next_block() -> None:
    ring = BlockRing(300)
    for number in range(5):
        ring.put(filled(100, number), float(number))
    first = take(ring)
    assert first.samples[0, 0] == 2.0
    assert first.captured_at == 2.0
    assert first.lost_samples == 200
    assert take(ring).lost_samples == 0
    assert ring.overflows == 2


def test_what_the_card_dropped_belongs_before_the_block_that_says_so() -> None:
    ring = BlockRing(300)
    ring.put(filled(100), 1.0)
    ring.put(filled(100), 2.0, lost_before=50)
    assert take(ring).lost_samples == 0
    assert take(ring).lost_samples == 50
    assert ring.overflows == 1


def test_what_the_card_dropped_before_a_dropped_block_is_not_forgotten() -> None:
    ring = BlockRing(100)
    ring.put(filled(100), 1.0, lost_before=50)
    ring.put(filled(100), 2.0)
    assert take(ring).lost_samples == 150
    assert ring.overflows == 2


def test_an_empty_ring_gives_nothing_after_the_timeout() -> None:
    assert BlockRing(10).take(0.001) is None


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        BlockRing(0)

"""Time goes on while the card does not ask."""

from __future__ import annotations

import numpy as np
import pytest

from edge_player.render.ring import PcmRing
from edge_player.sinks.card_watch import SETTLED_CALLBACKS
from edge_player.sinks.stand_in import PATIENCE_S, StandIn

RATE = 1000
LATENCY_S = 0.05
BLOCK_S = 0.02


class Bench:
    """A ring of 140 ms that is kept full, a card that asked last at 0 s, and a stand-in that looks every 20 ms."""

    def __init__(self) -> None:
        self.stand_in = StandIn(block_s=BLOCK_S)
        self.ring = PcmRing(140)
        self.ring.active = True
        self.now = 0.0
        self.asked_at = 0.0
        self.asked = 100

    def run(self, seconds: float, *, refill: bool = True, asks: bool = False, lost: bool = False) -> int:
        """Returns how many samples went unheard."""
        before = self.ring.total_read
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            if refill:
                self.ring.write(np.ones(self.ring.free, dtype=np.float32))
            if asks:
                self.asked_at = self.now
                self.asked += 1
            self.stand_in.tick(
                self.ring,
                self.now,
                sample_rate=RATE,
                asked_at=self.asked_at,
                asked=self.asked,
                latency_s=None if lost else LATENCY_S,
            )
        return self.ring.total_read - before


def test_a_card_that_hesitates_is_left_alone() -> None:
    bench = Bench()
    assert bench.run(PATIENCE_S) == 0
    assert bench.stand_in.unheard_s == 0.0


def test_a_card_that_is_known_to_be_lost_is_not_waited_for() -> None:
    bench = Bench()
    assert bench.run(0.16, lost=True) == pytest.approx((0.16 - BLOCK_S) * RATE, abs=2)
    bench.asked += SETTLED_CALLBACKS - 1
    bench.asked_at = bench.now
    assert bench.run(0.16) == pytest.approx(0.16 * RATE, abs=2), "it has only just been opened"


@pytest.mark.parametrize("seconds", [1.0, 5.0, 60.0])
def test_a_card_that_is_away_loses_exactly_the_time_it_is_away(seconds: float) -> None:
    bench = Bench()
    taken = bench.run(seconds)
    assert taken == pytest.approx((seconds - BLOCK_S) * RATE, abs=2)
    assert bench.stand_in.unheard_s == pytest.approx(taken / RATE)


def test_a_card_that_is_back_is_trusted_once_it_has_asked_a_few_times() -> None:
    bench = Bench()
    bench.run(2.0)
    bench.asked += 3  # it fills its buffer, and stands still again
    bench.asked_at = bench.now
    bench.run(1.0)
    assert bench.stand_in.active
    bench.run(BLOCK_S * (SETTLED_CALLBACKS - 1), asks=True)
    assert bench.stand_in.active, "a few blocks may be its buffer being filled"
    bench.run(BLOCK_S, asks=True)
    assert not bench.stand_in.active
    # Not one sample more or less than time that went by: the delay is what it was.
    assert bench.ring.total_read == pytest.approx((bench.now - BLOCK_S) * RATE, abs=2)
    assert bench.run(0.2, asks=True) == 0


def test_it_starts_afresh_the_next_time() -> None:
    bench = Bench()
    first = bench.run(2.0)
    assert bench.run(1.0, asks=True) > 0
    assert not bench.stand_in.active
    assert bench.run(2.0) == pytest.approx(first, abs=2)


def test_what_the_ring_could_not_give_at_once_is_taken_later() -> None:
    bench = Bench()
    bench.run(2.0, refill=False)
    assert bench.run(0.5) == pytest.approx((2.5 - BLOCK_S) * RATE, abs=2)


def test_where_nothing_is_due_time_is_not_made_good() -> None:
    bench = Bench()
    bench.ring.active = False
    bench.run(10.0, refill=False)
    bench.ring.active = True
    assert bench.run(1.0) == pytest.approx(1.0 * RATE, abs=21)

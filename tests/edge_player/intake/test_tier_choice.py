"""How many tiers a link bears: fewer when it is strained, more after a calm time, ever less often where that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from edge_player.intake.tier_choice import (
    FIRST_PAUSE_S,
    LAG_S,
    LONGEST_PAUSE_S,
    SETTLE_WINDOWS,
    TRIAL_S,
    WINDOW_S,
    LinkSigns,
    Strain,
    TierChoice,
)

DELAY_S, FRAME_S, LOOK_S = 1.2, 0.08, 0.25


@dataclass
class Link:
    """A link and the one who chooses for it, on a clock that stands still. Times are seconds."""

    tiers: int = 3
    packet_s: float = 0.4
    lag_s: float = 0.0
    troubles: float = 0.0
    due: float = 0.0
    thinned: float = 0.0
    now: float = 100.0
    packets: int = 0
    speaks: bool = True
    choice: TierChoice = field(default_factory=TierChoice)

    def __post_init__(self) -> None:
        self.choice.begin(self.tiers, packet_s=self.packet_s)

    def run(
        self,
        seconds: float,
        *,
        troubles_per_s: float = 0.0,
        thinned_share: float = 0.0,
        lag: Callable[[int], float] | None = None,
    ) -> list[int]:
        """What was chosen, without repetitions. `lag(tiers)`: what it becomes with so many."""
        chosen = [self.choice.tiers]
        for _ in range(round(seconds / LOOK_S)):
            self.now += LOOK_S
            self.due += LOOK_S / FRAME_S
            self.thinned += thinned_share * LOOK_S / FRAME_S
            self.troubles += troubles_per_s * LOOK_S
            if lag is not None:
                self.lag_s = lag(self.choice.tiers)
            self.packets += self.speaks
            signs = LinkSigns(self.packets, self.lag_s, DELAY_S, int(self.troubles), int(self.due), int(self.thinned))
            tiers = self.choice.look(self.now, signs)
            if tiers != chosen[-1]:
                chosen.append(tiers)
        return chosen


def test_all_tiers_are_taken_at_first_and_while_the_link_bears_them() -> None:
    assert Link().run(3600.0) == [3]


def test_a_lag_that_stays_costs_one_tier_within_two_windows() -> None:
    link = Link(lag_s=0.7)
    assert link.run(2 * WINDOW_S + LOOK_S) == [3, 2]
    assert link.choice.strain is Strain.LAG


def test_a_moment_of_lag_costs_nothing() -> None:
    link = Link()
    for _ in range(20):
        link.lag_s = 2.0
        link.run(1.0)
        link.lag_s = 0.0
        assert link.run(4.0) == [3]


def test_a_lag_within_half_of_the_playout_delay_is_no_strain() -> None:
    assert Link(lag_s=0.5 * DELAY_S - 0.01).run(60.0) == [3]


def test_late_and_missing_base_packets_cost_a_tier_and_a_single_one_does_not() -> None:
    assert Link().run(60.0, troubles_per_s=0.4) == [3]
    link = Link()
    assert link.run(2 * WINDOW_S, troubles_per_s=2.0) == [3, 2]
    assert link.choice.strain is Strain.TROUBLE


def test_a_tier_that_is_mostly_missing_is_given_up_and_one_that_is_mostly_there_is_not() -> None:
    assert Link().run(60.0, thinned_share=0.45) == [3]
    link = Link()
    assert link.run(2 * WINDOW_S, thinned_share=0.6) == [3, 2]
    assert link.choice.strain is Strain.THINNED


def test_the_link_is_given_time_to_settle_and_a_queue_that_drains_is_no_strain() -> None:
    link = Link(lag_s=2.0)
    assert link.run(2 * WINDOW_S) == [3, 2]
    began = link.now
    for _ in range(40):
        link.lag_s = max(0.0, link.lag_s - 0.02)
        assert link.run(LOOK_S, troubles_per_s=4.0) == [2], f"{link.now - began:.1f} s later"


def test_a_link_that_stays_too_slow_costs_one_tier_after_the_other_down_to_the_base() -> None:
    link = Link(lag_s=3.0)
    assert link.run((2 + 2 * (SETTLE_WINDOWS + 2)) * WINDOW_S) == [3, 2, 1]
    assert link.run(600.0) == [1]


def test_a_tier_is_taken_back_after_a_calm_time_and_the_next_one_after_another() -> None:
    link = Link(lag_s=3.0)
    link.run(20.0)
    assert link.choice.tiers == 1
    link.lag_s = 0.0
    assert link.run(FIRST_PAUSE_S - WINDOW_S) == [1]
    assert link.run(2 * WINDOW_S) == [1, 2]
    assert link.run(FIRST_PAUSE_S - 2 * WINDOW_S) == [2]
    assert link.run(3 * WINDOW_S) == [2, 3]
    assert link.run(3600.0) == [3]


def test_a_tier_that_proves_too_much_again_and_again_is_tried_ever_less_often() -> None:
    """The link bears two tiers; a third makes it lag."""
    link = Link()
    tries, paused_s, pauses = 0, 0.0, []
    for _ in range(3 * 3600):
        chosen = link.run(1.0, lag=lambda tiers: 2.0 if tiers == 3 else 0.0)
        paused_s += 1.0
        if chosen == [2, 3]:
            tries += 1
            pauses.append(paused_s)
        if chosen[-1] == 3:
            paused_s = 0.0
    assert pauses[0] == pytest.approx(FIRST_PAUSE_S, abs=8.0)
    assert pauses[:5] == sorted(pauses[:5])
    assert pauses[4] > 10 * FIRST_PAUSE_S
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_S, abs=8.0)
    assert tries < 25
    assert link.choice.tiers in (2, 3)


def test_a_tier_that_passed_its_trial_is_tried_again_soon() -> None:
    link = Link(tiers=2)
    link.lag_s = 2.0
    link.run(2 * WINDOW_S)
    link.lag_s = 0.0
    link.run(FIRST_PAUSE_S + 2 * WINDOW_S)
    link.lag_s = 2.0
    assert link.run(4 * WINDOW_S)[-1] == 1, "it failed its trial"
    link.lag_s = 0.0
    assert link.run(FIRST_PAUSE_S + 2 * WINDOW_S) == [1]
    assert link.run(FIRST_PAUSE_S + TRIAL_S + 8 * WINDOW_S) == [1, 2]
    link.lag_s = 2.0
    assert link.run(2 * WINDOW_S + LOOK_S) == [2, 1], "it had passed"
    link.lag_s = 0.0
    assert link.run(FIRST_PAUSE_S + 2 * WINDOW_S) == [1, 2]


def test_while_nothing_is_expected_of_the_link_nothing_is_held_against_it() -> None:
    link = Link()
    for _ in range(20):
        link.choice.interrupt()
        assert link.run(WINDOW_S - LOOK_S, troubles_per_s=50.0) == [3]


def test_after_an_interruption_a_tier_is_not_taken_back_at_once() -> None:
    link = Link(lag_s=3.0)
    link.run(2 * WINDOW_S)
    link.lag_s = 0.0
    link.now += 300.0
    link.choice.interrupt()
    assert link.run(FIRST_PAUSE_S - WINDOW_S) == [2]
    assert link.run(2 * WINDOW_S) == [2, 3]


def test_a_stream_of_as_many_tiers_goes_on_with_what_is_known_and_another_begins_afresh() -> None:
    link = Link(lag_s=3.0)
    link.run(2 * WINDOW_S)
    link.choice.begin(3, packet_s=0.4)
    assert link.choice.tiers == 2
    link.choice.begin(4, packet_s=0.4)
    assert link.choice.tiers == 4


def test_long_packets_are_watched_for_longer() -> None:
    link = Link(packet_s=2.0, lag_s=3.0)
    assert link.run(6.0) == [3]
    assert link.run(3 * LOOK_S) == [3, 2]
    link = Link(packet_s=2.0)
    assert link.run(8.0, troubles_per_s=2.0) == [3]
    assert link.run(3 * LOOK_S) == [3, 2]


def test_a_lag_that_grows_is_seen_before_the_end_of_a_window_and_its_queue_may_drain() -> None:
    """On a link of two thirds of the rate, from the moment that its queue begins to fill."""
    link = Link()
    link.run(20.0)
    began, chosen = link.now, [3]
    while chosen == [3]:
        link.lag_s += 0.5 * LOOK_S
        chosen = link.run(LOOK_S)
    assert chosen == [3, 2]
    assert link.now - began < 0.5 * DELAY_S / 0.5 + LAG_S + 3 * LOOK_S
    for _ in range(80):
        link.lag_s = max(0.0, link.lag_s - 0.1 * LOOK_S)
        assert link.run(LOOK_S) == [2]


def test_with_no_playout_delay_jitter_alone_is_no_strain() -> None:
    choice = TierChoice()
    choice.begin(2, packet_s=0.08)
    for step in range(100):
        assert choice.look(step * LOOK_S, LinkSigns(step, 0.03, 0.0, 0, step, 0)) == 2


def test_a_late_packet_before_a_pause_is_not_held_against_the_link_while_nobody_speaks() -> None:
    link = Link()
    link.run(20.0)
    link.lag_s = 2.0
    assert link.run(LOOK_S) == [3]
    link.speaks = False
    assert link.run(60.0) == [3]

"""Which tiers a frame should have."""

from __future__ import annotations

from edge_player.buffer.tier_expectation import TierExpectation


def test_every_wanted_tier_is_expected_from_the_start() -> None:
    assert TierExpectation((0, 1)).tiers_of(-(2**40)) == {0, 1}


def test_a_tier_that_was_left_is_expected_no_more_and_one_that_was_joined_from_some_frame_on() -> None:
    expected = TierExpectation((0, 1, 2))
    expected.follow((0,), from_frame=100)
    assert expected.tiers_of(50) == expected.tiers_of(200) == {0}
    expected.follow((0, 1), from_frame=300)
    assert [set(expected.tiers_of(frame)) for frame in (299, 300)] == [{0}, {0, 1}]
    expected.follow((0, 1), from_frame=400)
    assert expected.tiers_of(300) == {0, 1}, "it was followed already"


def test_a_tier_that_nobody_wanted_is_never_expected() -> None:
    expected = TierExpectation((0,))
    expected.follow((0, 3), from_frame=0)
    assert expected.tiers_of(10) == {0}

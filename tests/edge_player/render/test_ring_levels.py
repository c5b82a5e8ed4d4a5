"""How full the ring has to be."""

from __future__ import annotations

import pytest

from edge_player.render.ring_levels import RingLevels
from edge_player.render.step_size import WINDOW_S, StepSize

FRAME_S = 0.08


def levels(steps: StepSize, *, single_s: float = 0.01, given_s: float = 0.03) -> RingLevels:
    return RingLevels(steps, lead_s=0.05, single_s=single_s, given_s=given_s, frame_duration_s=FRAME_S)


def test_a_frame_is_due_while_the_ring_lasts_for_its_step_and_the_sink() -> None:
    found = levels(StepSize(frames=4, longest=4, frame_duration_s=FRAME_S))
    assert (found.lower_s, found.upper_s) == pytest.approx((0.06, 0.08))
    assert [found.bears_several(waiting_s) for waiting_s in (0.029, 0.031)] == [False, True]


def test_the_upper_level_is_never_below_the_lower_one() -> None:
    found = levels(StepSize(frames=4, longest=4, frame_duration_s=FRAME_S), single_s=0.04)
    assert found.upper_s == found.lower_s


def test_the_upper_level_rises_with_the_steps_of_a_decoder_that_is_too_slow() -> None:
    steps = StepSize(frames=1, longest=25, frame_duration_s=FRAME_S)
    found = levels(steps)
    lower_s = found.lower_s
    for _ in range(2 * round(WINDOW_S / FRAME_S)):
        steps.add(1, 1.5 * FRAME_S)
    assert steps.lengthened
    assert found.upper_s == pytest.approx(0.05 + steps.frames * FRAME_S), "at most what the step's sound lasts"
    assert found.lower_s == lower_s

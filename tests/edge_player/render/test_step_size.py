"""How many frames are decoded at once, from what steps cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_player.render.step_size import LONGEST_STEP_S, StepSize

FRAME_S = 0.08


def work(size: StepSize, seconds: float, cost_s: Callable[[int], float], *, most: int = 25) -> None:
    """Decode for so long, with at most `most` frames here at a time."""
    while seconds > 0:
        frames = min(size.frames, most)
        size.add(frames, cost_s(frames))
        seconds -= max(cost_s(frames), frames * FRAME_S)


def new_size(frames: int = 1, longest: int = 25) -> StepSize:
    return StepSize(frames=frames, longest=longest, frame_duration_s=FRAME_S)


def test_steps_grow_until_the_decoder_keeps_up() -> None:
    size = new_size()
    work(size, 60.0, lambda frames: 0.3 + 0.02 * frames)
    assert (size.frames, size.longer) == (8, 3)  # 0.46 s for 0.64 s; four took 0.38 for 0.32
    assert size.load < 1.0


def test_a_moment_of_slowness_changes_nothing() -> None:
    size = new_size()
    for _ in range(20):
        work(size, 3.0, lambda frames: 0.02)
        work(size, 0.5, lambda frames: 0.1)
    assert size.longer == 0


def test_a_longer_step_that_is_no_cheaper_is_given_up_for_good() -> None:
    size = new_size(frames=4)
    work(size, 200.0, lambda frames: 0.1 * frames)
    assert (size.frames, size.longer) == (4, 1)


def test_a_longer_step_for_which_the_frames_were_not_here_is_not_judged() -> None:
    size = new_size()
    work(size, 60.0, lambda frames: 0.09 + 0.01 * frames, most=1)
    assert (size.frames, size.longer) == (2, 1)
    work(size, 60.0, lambda frames: 0.09 + 0.01 * frames)
    assert size.frames == 2, "cheaper after all"


@pytest.mark.parametrize("longest", [1, 5, 25])
def test_no_step_is_longer_than_allowed(longest: int) -> None:
    size = new_size(longest=longest)
    work(size, 300.0, lambda frames: 1.0 + 0.005 * frames)
    assert size.frames <= longest


def test_no_step_takes_longer_than_messages_may_wait() -> None:
    size = new_size()
    work(size, 300.0, lambda frames: 0.3 + 0.15 * frames)
    assert size.longer > 0
    assert 0.3 + 0.15 * size.frames <= LONGEST_STEP_S
    before = size.frames
    work(size, 300.0, lambda frames: 0.3 + 0.15 * frames)
    assert size.frames == before

"""What stands in for the room: only what the sender called background, never twice in a row, no cough."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from edge_player.buffer.jitter_values import Silent
from edge_player.render.comfort_noise import POOL_FRAMES, ComfortNoise


def codes(frame: int) -> NDArray[np.int64]:
    return np.full(4, frame, dtype=np.int64)


def play(noise: ComfortNoise, frames: range, *, level: float = 0.01, loud: tuple[int, ...] = ()) -> None:
    for frame in frames:
        volume = 0.5 if frame in loud else level
        noise.note(frame, codes(frame), np.full(1280, volume, dtype=np.float32))


def draw(noise: ComfortNoise, count: int, *, first: int, background: int) -> list[int]:
    drawn = [noise.next(Silent(first + index, first, background)) for index in range(count)]
    return [-1 if frame is None else int(frame[0]) for frame in drawn]


def test_only_the_background_before_the_pause_is_used_and_all_of_it() -> None:
    noise = ComfortNoise()
    play(noise, range(50))
    assert set(draw(noise, 200, first=50, background=8)) == set(range(42, 50))


def test_no_frame_comes_twice_in_a_row_and_no_order_comes_twice() -> None:
    noise = ComfortNoise()
    play(noise, range(50))
    drawn = draw(noise, 400, first=50, background=8)
    assert all(one != other for one, other in itertools.pairwise(drawn))
    rounds = [tuple(drawn[start : start + 8]) for start in range(0, 400, 8)]
    assert all(set(one) == set(range(42, 50)) for one in rounds)
    assert len(set(rounds)) > 45


def test_no_period_is_heard() -> None:
    noise = ComfortNoise()
    play(noise, range(50))
    drawn = np.array(draw(noise, 2000, first=50, background=8))
    same = [float(np.mean(drawn[lag:] == drawn[:-lag])) for lag in range(1, 100)]
    assert max(same) < 2 / 8  # a loop of eight frames has 1 at a lag of eight; chance is 1/8


def test_a_cough_is_not_repeated() -> None:
    noise = ComfortNoise()
    play(noise, range(50), loud=(45,))
    assert 45 not in draw(noise, 100, first=50, background=8)


def test_rooms_of_several_pauses_are_mixed_and_the_oldest_gives_way() -> None:
    noise = ComfortNoise()
    for start in range(0, 500, 50):
        play(noise, range(start, start + 20))
        drawn = draw(noise, 30, first=start + 20, background=8)
    assert set(drawn) <= {frame for start in (350, 400, 450) for frame in range(start + 12, start + 20)}
    assert len(set(drawn)) == POOL_FRAMES


def test_a_frame_that_was_lost_is_not_missed() -> None:
    noise = ComfortNoise()
    play(noise, range(40))
    play(noise, range(48, 50))
    assert set(draw(noise, 50, first=50, background=8)) == {48, 49}


def test_one_frame_of_background_is_enough() -> None:
    noise = ComfortNoise()
    play(noise, range(50))
    assert set(draw(noise, 10, first=50, background=1)) == {49}


def test_where_the_room_was_never_heard_there_is_no_noise() -> None:
    noise = ComfortNoise()
    assert draw(noise, 3, first=50, background=8) == [-1] * 3
    play(noise, range(60, 70))
    assert draw(noise, 3, first=70, background=0) == [-1] * 3


def test_a_pause_that_says_nothing_of_its_background_sounds_like_the_one_before() -> None:
    noise = ComfortNoise()
    play(noise, range(50))
    draw(noise, 10, first=50, background=8)
    play(noise, range(100, 120))
    assert set(draw(noise, 100, first=120, background=0)) == set(range(42, 50))


def test_another_encoder_is_another_room() -> None:
    noise = ComfortNoise()
    play(noise, range(50))
    draw(noise, 10, first=50, background=8)
    noise.reset()
    assert draw(noise, 1, first=50, background=8) == [-1]


def test_the_same_pause_sounds_the_same_every_time() -> None:
    drawn = []
    for _ in range(2):
        noise = ComfortNoise()
        play(noise, range(50))
        drawn.append(draw(noise, 100, first=50, background=8))
    assert drawn[0] == drawn[1]

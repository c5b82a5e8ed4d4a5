"""What is read from a recording that was put together from known pieces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.faults.peers.measure import BLOCK, BLOCK_S, Heard, read_positions
from tests.faults.peers.noise import NOISE_RATE, make_noise

FIRST_S = 5.0
"""The recordings begin so long after the source."""


def piece(from_s: float, seconds: float) -> NDArray[np.float32]:
    first = round(from_s * NOISE_RATE)
    return make_noise()[first : first + round(seconds * NOISE_RATE)]


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * NOISE_RATE), dtype=np.float32)


def read(*pieces: NDArray[np.float32]) -> list[Heard]:
    return read_positions(np.concatenate(pieces), make_noise(), start_s=FIRST_S)


def ages_between(heard: list[Heard], start_s: float, end_s: float) -> set[float | None]:
    return {block.age_s for block in heard if start_s <= block.at and block.at + BLOCK_S <= end_s}


def test_sound_is_as_old_as_it_is_late() -> None:
    heard = read(piece(FIRST_S - 1.25, 4.0))
    assert len(heard) == 4 / BLOCK_S
    assert heard[0].at == FIRST_S
    assert {block.age_s for block in heard} == {1.25}


def test_what_a_poor_codec_leaves_of_it_is_true_all_the_same() -> None:
    rough = piece(4.0, 8.0) + np.random.default_rng(1).normal(0.0, 0.08, 8 * NOISE_RATE).astype(np.float32)
    assert ages_between(read(0.5 * rough), FIRST_S, FIRST_S + 8.0) == {1.0}


def test_a_gap_is_as_long_as_it_is_silent() -> None:
    heard = read(piece(4.0, 1.6), silence(0.8), piece(6.4, 1.6))
    assert ages_between(heard, FIRST_S + 1.6, FIRST_S + 2.4) == {None}
    assert ages_between(heard, FIRST_S, FIRST_S + 1.6) == ages_between(heard, FIRST_S + 2.4, FIRST_S + 4.0) == {1.0}


@pytest.mark.parametrize("wrong", [silence(BLOCK_S), piece(90.0, BLOCK_S), piece(4.0 + 9 * BLOCK_S, BLOCK_S)])
def test_a_single_frame_that_is_silent_or_another_or_repeated_is_seen(wrong: NDArray[np.float32]) -> None:
    sound = piece(4.0, 3.2).copy()
    sound[10 * BLOCK : 11 * BLOCK] = wrong
    untrue = [number for number, block in enumerate(read(sound)) if block.age_s != 1.0]
    assert untrue == [10]


def test_a_lag_that_grows_is_read_on_both_sides_of_the_jump() -> None:
    heard = read(piece(4.0, 2.0), silence(3.0), piece(6.0, 2.0))
    assert ages_between(heard, FIRST_S, FIRST_S + 2.0) == {1.0}
    assert ages_between(heard, FIRST_S + 5.0, FIRST_S + 7.0) == {4.0}


def test_other_noise_is_not_true() -> None:
    other = np.random.default_rng(2).normal(0.0, 0.2, 60 * NOISE_RATE).astype(np.float32)
    heard = read_positions(other, make_noise(), start_s=60.0)
    assert sum(block.age_s is not None for block in heard) < 0.02 * len(heard)


def test_nothing_is_heard_before_it_was_recorded() -> None:
    assert {block.age_s for block in read(piece(FIRST_S + 2.0, 4.0))} == {None}


def test_a_recording_that_is_too_short_to_tell_says_nothing() -> None:
    assert read(silence(0.0)) == []
    assert {block.age_s for block in read(piece(4.0, 2 * BLOCK_S))} == {None}

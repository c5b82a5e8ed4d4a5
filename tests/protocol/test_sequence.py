from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.sequence import extend_serial, serial_add, serial_before, serial_distance, to_serial

WRAP = 2**32
HALF = 2**31
serials = st.integers(0, WRAP - 1)


@given(start=serials, frames=st.integers(-HALF, HALF - 1))
def test_distance_undoes_add(start: int, frames: int) -> None:
    assert serial_distance(start, serial_add(start, frames)) == frames


@given(near=st.integers(0, 2**53), away=st.integers(-HALF, HALF - 1))
def test_an_extended_index_comes_back_from_its_serial(near: int, away: int) -> None:
    assert extend_serial(to_serial(near + away), near) == near + away


@given(first=serials, second=serials)
def test_of_two_serials_at_most_one_is_before_the_other(first: int, second: int) -> None:
    assert not (serial_before(first, second) and serial_before(second, first))


@pytest.mark.parametrize("index", [65_534, 65_535, 65_536, WRAP - 2, WRAP - 1, WRAP, WRAP + 1, 5 * WRAP - 1, 2**50])
def test_a_run_across_a_boundary_counts_on(index: int) -> None:
    near = index
    for step in range(1, 60):
        near = extend_serial(to_serial(index + step), near)
        assert near == index + step


def test_after_the_wrap_is_later_than_before_it() -> None:
    assert serial_before(WRAP - 1, 0)
    assert not serial_before(0, WRAP - 1)
    assert serial_distance(WRAP - 1, 0) == 1
    assert serial_distance(0, WRAP - 1) == -1
    assert serial_add(WRAP - 1, 1) == 0


def test_nothing_is_before_itself() -> None:
    assert not serial_before(7, 7)


def test_a_serial_from_before_the_start_extends_below_zero() -> None:
    assert extend_serial(WRAP - 1, 0) == -1


def test_half_the_circle_away_counts_as_earlier() -> None:
    assert serial_distance(0, HALF) == -HALF
    assert serial_distance(0, HALF - 1) == HALF - 1

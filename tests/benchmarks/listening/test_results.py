"""Counts of preferences, and intervals checked against published ones."""

from __future__ import annotations

import pytest

from benchmarks.listening.answers import Answer, preferred
from benchmarks.listening.results import binomial_interval, notes, table


def answer(
    choice: str, order: tuple[str, str], *, pair: tuple[str, str] = ("fine", "rough"), weights: str = "1"
) -> Answer:
    return Answer("t", "s", 1, "", "one", pair, order, choice, preferred(order, choice), "", "c", weights)


def test_what_was_preferred_is_counted_whichever_side_it_was_on() -> None:
    given = [
        answer("a", ("fine", "rough")),
        answer("b", ("rough", "fine")),
        answer("a", ("rough", "fine")),
        answer("none", ("rough", "fine")),
        answer("b", ("fine", "rough"), pair=("rough", "fine")),
        answer("a", ("fine", "plain"), pair=("fine", "plain")),
    ]
    first, second = table(given)
    assert first == {
        **{"first": "fine", "second": "rough", "answers": 5},
        **{"first_preferred": 2, "no_difference": 1, "second_preferred": 2},
        **{"first_percent": 50.0, "low_percent": 15.0, "high_percent": 85.0},
    }
    assert (second["second"], second["first_preferred"], second["second_preferred"]) == ("plain", 1, 0)


def test_without_a_difference_heard_nothing_is_known() -> None:
    (row,) = table([answer("none", ("fine", "rough"))])
    assert (row["first_percent"], row["low_percent"], row["high_percent"]) == (None, 0.0, 100.0)
    assert table([]) == []


# From R: prop.test(x, n, correct = FALSE).
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 0, 0.0, 1.0), (8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_intervals_are_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    assert binomial_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_more_successes_than_trials_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        binomial_interval(3, 2)


def test_notes_name_what_would_mislead() -> None:
    said = "\n".join(notes([answer("a", ("fine", "rough")), answer("a", ("rough", "fine"), weights="2")], 3))
    assert "A was chosen 2 times of 2" in said
    assert "different weights" in said
    assert "3 lines of the file are no answers" in said
    assert "weights" not in "\n".join(notes([answer("a", ("fine", "rough"))], 0))

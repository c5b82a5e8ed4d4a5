"""Work that takes longer than the sound lasts is said once, and so is its end."""

from __future__ import annotations

import logging

import pytest

from protocol.service import PaceWatch


def work(watch: PaceWatch, factor: float, *, frames: int = 50) -> None:
    """So many frames of 80 ms, each of which takes `factor` times as long."""
    for _ in range(frames):
        watch.add(factor * 0.08, 0.08)


@pytest.fixture
def watch() -> PaceWatch:
    return PaceWatch(lambda: "decoding toy on cpu", remedy="take a faster board")


def test_falling_behind_is_said_once_with_the_figure_and_the_remedy(
    watch: PaceWatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        work(watch, 1.32, frames=200)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0] == (
        "decoding toy on cpu takes 1.32 times as long as the sound lasts: take a faster board"
    )
    assert watch.overloads == 1
    assert watch.load == pytest.approx(1.32)


def test_catching_up_is_said_and_the_next_time_counts_again(watch: PaceWatch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for factor in (1.5, 0.95, 0.4, 0.4, 1.5):
            work(watch, factor, frames=150)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert caplog.messages[1].startswith("decoding toy on cpu keeps up again: 0.")
    assert watch.overloads == 2


def test_work_that_takes_many_times_as_long_is_not_waited_for(
    watch: PaceWatch, caplog: pytest.LogCaptureFixture
) -> None:
    work(watch, 10.0, frames=5)
    assert watch.overloads == 1
    assert "takes 10.00 times" in caplog.text


def test_a_trial_before_the_work_begins_is_judged_at_once(watch: PaceWatch, caplog: pytest.LogCaptureFixture) -> None:
    watch.judge(2.5)
    assert "takes 2.50 times" in caplog.text
    work(watch, 2.5)
    assert watch.overloads == 1, "one and the same episode"


def test_one_long_pause_of_the_machine_is_no_verdict_on_it(watch: PaceWatch, caplog: pytest.LogCaptureFixture) -> None:
    watch.add(2.0, 0.08)
    work(watch, 0.3, frames=49)
    assert watch.overloads == 0
    assert not caplog.records
    assert watch.load == pytest.approx((2.0 + 49 * 0.024) / 4.0)

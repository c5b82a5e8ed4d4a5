"""What the soak calls a promise that was not kept, on courses made up for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.soak.course import Course
from benchmarks.soak.listening import Listening
from benchmarks.soak.promises import broken_promises, constancy_faults, growth_faults, loss_faults

HOUR_S = 3600.0
SENT: dict[str, Any] = {"input_overflows": 0}
PLAYED: dict[str, Any] = {"underruns": 0, "frames_due": 45_000, "frames_played": 44_998, "frames_primed": 2}


def flat(at_s: float) -> float:
    return 150.0


def course(megabytes: Callable[[float], float] = flat, *, run_s: float = HOUR_S, every_s: float = 5.0) -> Course:
    """One that lasted `run_s`, with so many megabytes at each time, 9 threads and 14 descriptors."""
    at_s = np.arange(0.0, run_s + every_s, every_s).tolist()
    count = len(at_s)
    rss = [round(1e6 * megabytes(at)) for at in at_s]
    return Course("edge-player", 1, at_s, rss, [0.08 * at for at in at_s], [9] * count, [14] * count)


def heard(said: int = 1000, missed: int = 0) -> Listening:
    return Listening(said, [60.0] * (said - missed), [350.0] * (said - missed))


def test_a_leak_of_two_megabytes_an_hour_is_told_with_its_figures() -> None:
    (fault,) = growth_faults(course(lambda at: 150.0 + 2.0 * at / HOUR_S))
    assert fault == ("edge-player's memory may grow by 2.00 MB an hour (+2.00 ± 0.00), and less than 1 is promised")


def test_a_noisy_flat_line_is_no_leak() -> None:
    noise = np.random.default_rng(5)
    assert growth_faults(course(lambda at: 150.0 + noise.normal(scale=0.5))) == []


def test_a_leak_is_found_in_noise_too() -> None:
    noise = np.random.default_rng(5)
    assert growth_faults(course(lambda at: 150.0 + 2.0 * at / HOUR_S + noise.normal(scale=0.5)))


def test_a_slope_below_the_limit_fails_where_its_interval_reaches_over_it() -> None:
    noise = np.random.default_rng(5)
    (fault,) = growth_faults(course(lambda at: 150.0 + 0.8 * at / HOUR_S + noise.normal(scale=5.0)))
    assert "may grow" in fault


def test_what_grows_in_the_first_ten_minutes_alone_does_not_count() -> None:
    def filling(until_s: float) -> Callable[[float], float]:
        return lambda at: 150.0 + 20.0 * min(at, until_s) / until_s

    assert growth_faults(course(filling(600.0))) == []
    assert growth_faults(course(filling(1200.0))) != []


def test_in_a_run_below_forty_minutes_the_first_quarter_does_not_count() -> None:
    def filling(at_s: float) -> float:
        return 150.0 + 20.0 * min(at_s, 300.0) / 300.0

    assert growth_faults(course(filling, run_s=1200.0)) == []
    assert growth_faults(course(filling, run_s=800.0)) != []


def test_too_few_samples_are_a_fault_and_not_a_pass() -> None:
    (fault,) = growth_faults(course(every_s=300.0))
    assert fault == "edge-player's memory cannot be judged: 11 samples after the warm-up, and it takes 20"
    assert "cannot be judged" in growth_faults(Course("gateway", 1))[0]


@pytest.mark.parametrize("what", ["threads", "descriptors"])
@pytest.mark.parametrize("change", [1, -1])
def test_one_thread_or_descriptor_more_or_fewer_is_told_with_its_moment(what: str, change: int) -> None:
    one = course()
    counts = getattr(one, what)
    usual = counts[0]
    counts[400:] = [usual + change] * len(counts[400:])
    (fault,) = constancy_faults(one)
    assert fault.startswith(f"edge-player's {what} went from {usual} to {usual + change} at 2000 s")


def test_one_that_is_there_for_a_single_sample_is_told_as_well() -> None:
    one = course()
    one.descriptors[400] += 1
    assert len(constancy_faults(one)) == 1


def test_threads_that_start_in_the_warm_up_do_not_count() -> None:
    one = course()
    one.threads[:60] = [5] * 60
    assert constancy_faults(one) == []


def test_threads_that_nobody_counted_after_the_warm_up_are_a_fault() -> None:
    (fault,) = constancy_faults(course(run_s=1.0, every_s=5.0))
    assert "cannot be judged: 1 samples" in fault
    assert constancy_faults(Course("gateway", 1))


@pytest.mark.parametrize(
    ("sent", "played", "missed", "words"),
    [
        ({"input_overflows": 3}, {}, 0, "3 input overflows"),
        ({}, {"underruns": 2}, 0, "2 underruns"),
        ({}, {}, 1, "1 utterances not heard"),
        ({}, {"frames_played": 44_952}, 0, "46 of 45000 frames lost, and one in 1000 may be"),
    ],
)
def test_every_kind_of_loss_is_told(sent: dict[str, int], played: dict[str, int], missed: int, words: str) -> None:
    assert loss_faults(heard(missed=missed), SENT | sent, PLAYED | played) == [words]


def test_one_frame_in_a_thousand_may_be_lost() -> None:
    assert loss_faults(heard(), SENT, PLAYED | {"frames_played": 44_953}) == []


def test_a_run_in_which_nothing_was_said_kept_nothing() -> None:
    assert loss_faults(Listening(), SENT, PLAYED) == ["nothing was said"]


def test_rounds_that_the_room_itself_swallowed_tell_nothing_unless_they_are_many() -> None:
    listening = heard()
    listening.rounds = 100
    listening.unsaid_rounds = 10
    assert loss_faults(listening, SENT, PLAYED) == []
    listening.add_unsaid()
    assert loss_faults(listening, SENT, PLAYED) == [
        "the room did not say 11 of 101 rounds: the machine is too busy to tell"
    ]


def test_a_good_hour_breaks_no_promise() -> None:
    assert broken_promises([course(), course()], heard(), SENT, PLAYED, judge_memory=True) == []


def test_a_short_run_is_not_judged_by_its_memory_and_by_all_else() -> None:
    short = course(lambda at: 150.0 + 50.0 * at / HOUR_S, run_s=60.0)
    assert broken_promises([short], heard(), SENT, PLAYED, judge_memory=False) == []
    assert broken_promises([short], heard(), SENT, PLAYED, judge_memory=True) != []
    short.threads[-1] += 1
    faults = broken_promises([short], heard(missed=1), SENT, PLAYED, judge_memory=False)
    assert ["threads" in faults[0], "not heard" in faults[1]] == [True, True]


def test_each_process_is_judged_and_named() -> None:
    leaking = course(lambda at: 150.0 + 2.0 * at / HOUR_S)
    leaking.name = "mosquitto"
    (fault,) = broken_promises([course(), leaking], heard(), SENT, PLAYED, judge_memory=True)
    assert fault.startswith("mosquitto's memory")

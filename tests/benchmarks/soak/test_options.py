"""The command line of the soak: a run that cannot keep its promise to judge says so before it begins."""

from __future__ import annotations

import os

import pytest

from benchmarks.soak.options import parse_options


def test_an_hour_is_what_you_get_without_a_word() -> None:
    options = parse_options([])
    assert options.report.seconds == 3600.0
    assert options.judge_memory


@pytest.mark.parametrize("seconds", ["1199", "20"])
def test_a_run_too_short_for_the_slope_has_to_be_asked_for(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_options(["--seconds", seconds])
    assert f"--seconds {seconds} is too short for the slope" in capsys.readouterr().err
    assert not parse_options(["--seconds", seconds, "--short"]).judge_memory


def test_a_run_that_is_long_enough_is_judged_whatever_is_asked_for() -> None:
    assert parse_options(["--seconds", "1200", "--short"]).judge_memory
    assert parse_options(["--seconds", "86400"]).judge_memory


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seconds", "0"], "--seconds must be positive, not 0"),
        (["--seconds", "nan"], "--seconds must be positive, not nan"),
        (["--core", "4096"], "--core 4096: this process may use"),
    ],
)
def test_wrong_words_are_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_options(arguments)
    assert words in capsys.readouterr().err


def test_the_first_core_that_may_be_used_is_taken() -> None:
    assert parse_options([]).report.core == min(os.sched_getaffinity(0))

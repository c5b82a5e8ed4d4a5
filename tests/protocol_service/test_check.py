from __future__ import annotations

import pytest

from protocol.service import CheckReport, CheckStep, ExitCode, ServiceError


class MissingError(ServiceError):
    exit_code = ExitCode.NO_INPUT


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    report = CheckReport([CheckStep("encoder", True, "fine"), CheckStep("source", False, "gone", 66)])
    report.steps.append(CheckStep("broker", False, "down", 69))
    assert report.exit_code == 66
    assert report.to_text().splitlines()[1].split() == ["FAILED", "source", "gone"]
    assert report.to_dict()["ok"] is False


def test_a_known_error_is_a_finding_and_a_bug_is_not() -> None:
    def refuse() -> str:
        raise MissingError("no such file")

    def break_down() -> str:
        raise ZeroDivisionError

    report = CheckReport()
    report.add("source", refuse)
    assert report.steps == [CheckStep("source", False, "no such file", 66)]
    with pytest.raises(ZeroDivisionError):
        report.add("source", break_down)


def test_a_step_that_works_says_what_it_found() -> None:
    report = CheckReport()
    report.add("broker", lambda: "answers")
    assert report.exit_code == 0
    assert report.to_text() == "ok     broker  answers"

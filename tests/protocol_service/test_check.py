"""What `check` found: text for people, one shape of JSON for machines."""

from __future__ import annotations

import json

import pytest

from protocol.service import CheckReport, CheckStep, ExitCode, Finding, ServiceError


class MissingError(ServiceError):
    exit_code = ExitCode.NO_INPUT


def refuse() -> str:
    raise MissingError("no such file")


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    report = CheckReport()
    assert report.add("encoder", lambda: "fine")
    assert not report.add("source", refuse)
    assert not report.add("broker", lambda: Finding("down", "failed", exit_code=69))
    assert report.exit_code == 66
    assert report.to_text().splitlines()[-1] == "Not ready: source, broker; run would end with exit code 66."


def test_a_known_error_is_a_finding_with_a_remedy_and_a_bug_is_not() -> None:
    def break_down() -> str:
        raise ZeroDivisionError

    report = CheckReport()
    report.add("source", refuse)
    (step,) = report.steps
    assert (step.finding.detail, step.finding.verdict, step.finding.exit_code) == ("no such file", "failed", 66)
    assert step.finding.remedy is not None
    with pytest.raises(ZeroDivisionError):
        report.add("source", break_down)


def test_a_step_that_works_says_what_it_found() -> None:
    report = CheckReport()
    report.add("broker", lambda: "answers")
    assert report.exit_code == 0
    assert report.to_text().splitlines() == ["ok       broker  answers", "Ready."]


def test_a_warning_shows_its_remedy_and_does_not_fail() -> None:
    report = CheckReport([CheckStep("source", Finding("silent", "warning", "unmute it"))])
    assert report.exit_code == 0
    assert report.to_text().splitlines() == [
        "WARNING  source  silent",
        "                 -> unmute it",
        "Ready, with a warning about source.",
    ]


def test_a_note_is_neither_good_nor_bad() -> None:
    report = CheckReport([CheckStep("source", Finding("nothing tried", "note"))])
    assert report.to_text().splitlines() == ["-        source  nothing tried", "Ready."]


def test_machines_get_every_field_of_every_step() -> None:
    report = CheckReport([CheckStep("speed", Finding("quick", figures={"frame_ms_p50": 2.5}))])
    report.add("source", refuse)
    read = json.loads(json.dumps(report.to_dict()))
    assert (read["ok"], read["exit_code"]) == (False, 66)
    assert read["steps"][0] == {
        "name": "speed",
        "ok": True,
        "detail": "quick",
        "verdict": "ok",
        "remedy": None,
        "exit_code": 0,
        "figures": {"frame_ms_p50": 2.5},
    }
    assert read["steps"][1].keys() == read["steps"][0].keys()

"""The flags that both ends share, and their way to the settings."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from protocol.service import (
    ServiceError,
    add_broker_arguments,
    add_command,
    add_common_arguments,
    add_process_arguments,
    add_stream_arguments,
    run_command_line,
    setting_flags,
)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thing")
    run = add_command(
        parser.add_subparsers(required=True, metavar="COMMAND"),
        "run",
        lambda arguments: 0,
        summary="run the thing",
        example="example:\n  thing run --stream lobby",
    )
    add_stream_arguments(run)
    add_broker_arguments(run)
    add_process_arguments(run, whose="thing", waits_for="better times")
    add_common_arguments(run)
    return parser


def test_flags_become_settings_by_their_dotted_names() -> None:
    arguments = make_parser().parse_args(
        ["run", "--stream", "hall", "--broker", "mqtt://b", "--cafile", "ca.pem", "--id", "x", "--wait", "--json"]
    )
    given = {name: value for name, value in setting_flags(arguments).items() if value is not None}
    assert given == {
        "stream.name": "hall",
        "broker.url": "mqtt://b",
        "broker.ca_file": Path("ca.pem"),
        "run.id": "x",
        "run.wait": True,
    }


def test_a_flag_that_was_not_given_leaves_its_setting_alone() -> None:
    flags = setting_flags(make_parser().parse_args(["run"]))
    assert set(flags.values()) == {None}
    assert {"stream.base", "broker.username", "broker.password_file", "run.stats_file"} <= set(flags)


def test_a_command_s_help_ends_with_its_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["run", "--help"])
    text = capsys.readouterr().out
    assert "Run the thing." in text
    assert "of this thing" in text
    assert "wait for better times for ever" in text
    assert text.index("thing run --stream lobby") < text.index("exit codes: 0 done")


def test_a_command_line_runs_its_command_and_returns_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(arguments: argparse.Namespace) -> int:
        raise ServiceError(f"no {arguments.stream}")

    parser = argparse.ArgumentParser(prog="thing")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_command(commands, "fine", lambda arguments: 66, summary="fine", example="example: fine")
    bad = add_command(commands, "bad", refuse, summary="bad", example="example: bad")
    bad.add_argument("--stream")
    assert run_command_line(parser, ["fine"]) == 66
    assert run_command_line(parser, ["bad", "--stream", "lobby"]) == 1
    assert capsys.readouterr().err == "error: no lobby\n"
    with pytest.raises(SystemExit) as caught:
        run_command_line(parser, [])
    assert caught.value.code == 2

"""The outermost frame of a command."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from protocol.service import ConfigError, ExitCode, ServiceError, run_command


class Unplugged(ServiceError):
    exit_code: ClassVar[ExitCode] = ExitCode.AUDIO_DEVICE


class Foreign(Exception):
    """An error of a package that does not know ours."""

    exit_code = 66


def failing(error: BaseException) -> int:
    def main() -> None:
        raise error

    return run_command(main)


@pytest.mark.parametrize(("status", "code"), [(None, 0), (0, 0), (3, 3), (ExitCode.NO_INPUT, 66)])
def test_the_status_of_main_is_the_exit_status(status: int | None, code: int) -> None:
    assert run_command(lambda: status) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [(ServiceError("x"), 1), (ConfigError("x"), 78), (Unplugged("x"), 74), (Foreign("x"), 66)],
)
def test_an_expected_failure_is_one_sentence_and_its_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(error) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: x\n")


def test_a_text_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    failing(ServiceError("first\n  second"))
    assert capsys.readouterr().err == "error: first second\n"


def test_an_error_without_text_shows_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    failing(Unplugged())
    assert capsys.readouterr().err == "error: Unplugged\n"


def test_our_own_bugs_are_loud(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(KeyError("bug")) == ExitCode.FAILURE
    assert "Traceback" in capsys.readouterr().err


def test_interrupting_is_no_failure_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == ""


def test_argparse_may_exit() -> None:
    with pytest.raises(SystemExit):
        failing(SystemExit(2))


def test_a_reader_that_left_ends_the_command_without_noise() -> None:
    program = (
        "import sys\n"
        "from protocol.service import run_command\n"
        "sys.exit(run_command(lambda: [print('x' * 1000) for _ in range(1000)] and 0))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    with child.stderr:
        noise = child.stderr.read()
    assert child.wait(30.0) == 1
    assert noise == b""

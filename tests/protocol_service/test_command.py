"""The outermost frame of a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from protocol.service import ConfigError, ExitCode, ServiceError, run_command
from protocol.service.command import printable


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


def run_child(program: str, *options: str, stdout: int = subprocess.PIPE) -> tuple[int, bytes]:
    """Exit code and standard error of `program`, lines of Python after the imports it needs."""
    imports = "import sys, os\nfrom protocol.service import ServiceError, run_command\n"
    imports += "from protocol.service.command import own_process\n"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    child = subprocess.run(
        [sys.executable, *options, "-c", imports + program],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environ,
        check=False,
    )
    return child.returncode, child.stderr


@pytest.mark.parametrize("options", [(), ("-u",)])
@pytest.mark.parametrize("length", [10, 100_000])
def test_a_full_standard_output_is_one_sentence(options: tuple[str, ...], length: int) -> None:
    with Path("/dev/full").open("wb") as full:
        code, err = run_child(f"sys.exit(run_command(lambda: print('x' * {length})))", *options, stdout=full.fileno())
    assert (code, err) == (1, b"error: Cannot write to standard output: No space left on device; make room there\n")


def test_an_error_keeps_its_exit_code_where_what_was_printed_before_cannot_be_written() -> None:
    program = (
        "class Refused(ServiceError):\n    exit_code = 74\n"
        "def main():\n    print('half a result')\n    raise Refused('the card is gone')\n"
        "sys.exit(run_command(main))"
    )
    with Path("/dev/full").open("wb") as full:
        assert run_child(program, stdout=full.fileno()) == (74, b"error: the card is gone\n")


def test_other_failures_of_the_system_are_still_bugs_of_ours() -> None:
    code, err = run_child("sys.exit(run_command(lambda: os.stat('/none')))")
    assert code == 1
    assert b"Traceback" in err
    assert b"FileNotFoundError" in err


def test_a_name_cannot_steer_the_terminal_nor_fake_a_line() -> None:
    assert printable("red\x1b[31m\x9b\x07\r\n\t") == r"red\x1b[31m\x9b\x07\r\n\t"
    assert printable("a\u202eb\u2029c\udcff") == r"a\u202eb\u2029c\udcff"


def test_letters_of_every_script_are_printed_as_they_are() -> None:
    for name in ("録音\u3000テスト", "приве\u0301т", "می\u200cشود", "👩\u200d👧", "naïve \u00a0 —"):
        assert printable(name) == name


def test_names_that_are_no_text_can_be_printed_as_results() -> None:
    code, err = run_child("own_process(); print('bad\\udcff', 'é')", "-X", "utf8=0")
    assert (code, err) == (0, b"")


def test_ctrl_c_ends_a_process_of_ours_without_a_traceback() -> None:
    code, err = run_child("import signal\nown_process()\nsignal.raise_signal(signal.SIGINT)")
    assert (code, err) == (-signal.SIGINT, b"")


def test_a_second_ctrl_c_ends_it_wherever_it_is() -> None:
    program = (
        "import signal\nfrom protocol.service import StopSignal\nown_process()\n"
        "with StopSignal() as stop:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    assert stop.wait(10)\n"
        "    try: signal.raise_signal(signal.SIGINT)\n"
        "    finally: print('a shutdown nobody asked for', file=sys.stderr)\n"
    )
    assert run_child(program) == (-signal.SIGINT, b"")


HANGS_AT_EXIT = """
import atexit, threading
import protocol.service.command as command
from protocol.service import PartFailedError

def main():
    raise PartFailedError("the sound card's watch has made no progress")

command.END_PATIENCE_S = 0.2
atexit.register(threading.Event().wait, 60)
sys.exit(command.run_command(main))
"""


def test_a_library_that_hangs_at_exit_does_not_keep_a_process_with_a_failed_part() -> None:
    began = time.monotonic()
    status, err = run_child(HANGS_AT_EXIT)
    assert (status, err) == (1, b"error: the sound card's watch has made no progress\n")
    assert time.monotonic() - began < 30

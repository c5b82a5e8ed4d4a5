from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import pty
import struct
import sys
import termios
from collections.abc import Iterator

import pytest

from gateway.terminal_line import TerminalLine, watched_terminal


class Terminal(io.StringIO):
    """Remembers what was written, and shows what a person would see."""

    def __init__(self, *, tty: bool = True) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def fileno(self) -> int:
        raise OSError("no file")

    @property
    def screen(self) -> list[str]:
        """The lines on the screen, the one with the cursor last; a carriage return writes over."""
        lines = [""]
        column = 0
        for character in self.getvalue():
            if character == "\n":
                lines.append("")
                column = 0
            elif character == "\r":
                column = 0
            else:
                line = lines[-1].ljust(column)
                lines[-1] = line[:column] + character + line[column + 1 :]
                column += 1
        return [line.rstrip() for line in lines]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@contextlib.contextmanager
def line_on(terminal: Terminal) -> Iterator[TerminalLine]:
    """A line on `terminal` as standard error, which must be standard error again afterwards."""
    # Not a fixture: pytest sets its own standard error between the fixtures and the test.
    with contextlib.redirect_stderr(terminal):
        try:
            with TerminalLine() as line:
                yield line
        finally:
            assert sys.stderr is terminal


def test_a_line_is_drawn_over_itself(terminal: Terminal) -> None:
    with line_on(terminal) as line:
        line.draw("a long line")
        line.draw("short")
        assert terminal.screen == ["short"]
    assert terminal.screen == [""]


def test_other_lines_pass_above(terminal: Terminal) -> None:
    with line_on(terminal) as line:
        line.draw("#### meter")
        print("first", file=sys.stderr)
        line.draw("##### meter")
        print("second", file=sys.stderr)
        line.draw("## meter")
        assert terminal.screen == ["first", "second", "## meter"]


def test_log_handlers_write_above_and_get_their_stream_back(terminal: Terminal) -> None:
    handler = logging.StreamHandler(terminal)
    other = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    root.addHandler(handler)
    root.addHandler(other)
    kept = other.stream
    try:
        with line_on(terminal) as line:
            line.draw("#### meter")
            logging.getLogger("test").error("said while drawing")
            line.draw("#### meter")
            assert terminal.screen == ["said while drawing", "#### meter"]
            assert other.stream is kept
        logging.getLogger("test").error("said afterwards")
    finally:
        root.removeHandler(handler)
        root.removeHandler(other)
    assert handler.stream is terminal
    assert terminal.screen == ["said while drawing", "said afterwards", ""]


def test_nothing_is_drawn_into_somebody_elses_unfinished_line(terminal: Terminal) -> None:
    with line_on(terminal) as line:
        line.draw("#### meter")
        print("half ", end="", file=sys.stderr)
        line.draw("##### meter")
        print("a line", file=sys.stderr)
        line.draw("## meter")
        assert terminal.screen == ["half a line", "## meter"]


def test_a_line_is_cut_to_the_width_of_the_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "11")
    with line_on(terminal) as line:
        line.draw("0123456789abcdef")
        assert terminal.screen == ["0123456789"]


def test_a_terminal_that_was_closed_is_no_reason_to_fail(terminal: Terminal) -> None:
    with line_on(terminal) as line:
        line.draw("#### meter")
        terminal.close()
        line.draw("##### meter")


def test_an_error_passes_and_everything_is_given_back(terminal: Terminal) -> None:
    def fail() -> None:
        with line_on(terminal) as line:
            line.draw("#### meter")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert terminal.screen == [""]


@pytest.mark.parametrize(("told", "columns"), [(57, 56), (0, 99)])
def test_the_width_of_a_real_terminal_is_its_own(told: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")  # for a terminal that does not know
    try:
        leader, follower = pty.openpty()
    except OSError as error:
        pytest.skip(f"this system gives no terminal: {error}")
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as stream:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, told, 0, 0))
        assert TerminalLine(stream).columns == columns
        assert watched_terminal(stream)


@pytest.mark.parametrize(("encoding", "there"), [("utf-8", True), ("ascii", False), ("latin-1", False)])
def test_block_characters_are_used_where_the_encoding_has_them(encoding: str, there: bool) -> None:
    assert TerminalLine(io.TextIOWrapper(io.BytesIO(), encoding=encoding)).unicode is there


def test_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched_terminal(Terminal())
    assert not watched_terminal(Terminal(tty=False))
    closed = io.StringIO()
    closed.close()
    assert not watched_terminal(closed)
    monkeypatch.setenv("TERM", "dumb")
    assert not watched_terminal(Terminal())
    monkeypatch.setattr(sys, "stderr", None)
    assert not watched_terminal()

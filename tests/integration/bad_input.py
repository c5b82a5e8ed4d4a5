"""Commands of ours run as processes with something wrong, and what is always true of how they end.

Whatever was wrong: at most one sentence of error, log lines and nothing else beside it, no traceback, no process and no
temporary file left behind.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

END_S = 40.0
NOBODY_LISTENS = "mqtt://127.0.0.1:1"
"""A broker that refuses every connection: what is wrong must be said before anybody connects."""

_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) +[\w.]+: .*")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_MARK = "BAD_INPUT_RUN"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. code: its exit code, or the negative number of the signal that killed it."""

    code: int
    out: str
    err: str

    def assert_tidy(self) -> None:
        """No traceback, nothing but log lines and sentences of error, nothing that steers a terminal."""
        assert "Traceback" not in self.err, self.err
        assert "Exception ignored" not in self.err, self.err
        foreign = [line for line in self.err.splitlines() if not _LOG_LINE.fullmatch(line) and not _is_error(line)]
        assert not foreign, f"neither log nor error: {foreign}"
        assert not _CONTROL.search(self.err), repr(self.err)

    def assert_refused(self, code: int, sentence: str) -> None:
        """It ended with this exit code and exactly one sentence of error, which holds `sentence`."""
        self.assert_tidy()
        assert self.code == code, self.err
        errors = [line for line in self.err.splitlines() if _is_error(line)]
        assert len(errors) == 1, self.err
        assert sentence in errors[0], self.err

    def assert_fine(self) -> None:
        """It ended well, with no sentence of error."""
        self.assert_tidy()
        assert self.code == 0, self.err
        assert not [line for line in self.err.splitlines() if _is_error(line)], self.err

    def warnings(self, text: str) -> list[str]:
        """The warnings in the log with `text` in them."""
        return [line for line in self.err.splitlines() if " WARNING " in line and text in line]


def _is_error(line: str) -> bool:
    return line.startswith("error: ")


class Command:
    """A command that runs; made by `launch`."""

    def __init__(self, process: subprocess.Popen[str], log: Path, mark: str, scratch: Path) -> None:
        self.process = process
        self._log = log
        self._mark = mark
        self._scratch = scratch

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self._log.read_text(encoding="utf-8", errors="backslashreplace")

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Until `condition` holds; fails where the command has ended before, or after `END_S`."""
        deadline = time.monotonic() + END_S
        while not condition():
            assert self.process.poll() is None, f"ended before {what}:\n{self.err}"
            assert time.monotonic() < deadline, f"{what} never came:\n{self.err}"
            time.sleep(0.01)

    def wait_for_log(self, text: str) -> None:
        """Until standard error holds `text`."""
        self.wait_for(lambda: text in self.err, f"{text!r} in the log")

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a command that has ended takes none."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def descendants(self) -> list[int]:
        """Processes that run and that this command, or a child of it, has started; itself included."""
        return _marked_processes(self._mark)

    def finish(self, timeout_s: float = END_S, *, leftovers: bool = False) -> Outcome:
        """Wait for its end; no process of its own may be left, and without `leftovers` no temporary file either."""
        try:
            out, _ = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {timeout_s:g} s:\n{self.err}") from None
        assert self.descendants() == []
        left = list(self._scratch.rglob("*"))
        assert leftovers or not left, f"temporary files were left: {left}"
        return Outcome(self.process.returncode, out, self.err)


@contextmanager
def launch(
    folder: Path,
    module: str,
    *arguments: object,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    environ: Mapping[str, str] | None = None,
    prelude: str = "",
    options: tuple[str, ...] = (),
    cwd: Path | None = None,
) -> Iterator[Command]:
    """Start `module` with these arguments, texts and paths; what still runs at the end of the block is killed.

    folder: for the log and the temporary files. prelude: a program run in the child before the command. options: of the
    interpreter. environ: goes over what this process has.
    """
    mark = uuid.uuid4().hex
    scratch = folder / f"tmp-{mark}"
    scratch.mkdir()
    log = folder / f"{mark}.log"
    run_main = f"{prelude}\nimport sys\nfrom {module}.__main__ import main\nsys.exit(main())\n"
    mode = ("-c", run_main) if prelude else ("-m", module)
    # Buffered output fails later than unbuffered: a developer's shell must not decide which is tried.
    ours = ("VOXWIRE_", "PYTHONUNBUFFERED")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    runtime = folder / "runtime"  # every login has one; without it PulseAudio's library keeps its own in TMPDIR
    runtime.mkdir(mode=0o700, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *options, *mode, *map(str, arguments)],
            stdin=stdin,
            stdout=stdout,
            stderr=file,
            cwd=cwd,
            text=True,
            errors="backslashreplace",
            env={
                **inherited,
                "OMP_NUM_THREADS": "1",
                "TMPDIR": str(scratch),
                "XDG_RUNTIME_DIR": str(runtime),
                _MARK: mark,
                **(environ or {}),
            },
        )
    try:
        yield Command(process, log, mark, scratch)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def run(folder: Path, module: str, *arguments: object, prelude: str = "") -> Outcome:
    """Start a command and wait for its end."""
    with launch(folder, module, *arguments, prelude=prelude) as command:
        return command.finish()


def _marked_processes(mark: str) -> list[int]:
    """Running processes that descend from the command with this mark."""
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it has just ended, or is not ours
            continue
    return found

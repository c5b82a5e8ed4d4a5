"""The child processes of the demo: started together, watched together, and never left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import gateway
from gateway.demo.broker import die_with_parent
from gateway.errors import DemoError
from protocol.service import ExitCode

__all__ = ["ChildProcess", "wait_for"]

_POLL_S = 0.1
_STOP_S = 8.0
_ERROR_PREFIX = "error: "


class ChildProcess:
    """One Python module run as a process of its own, its output kept in a log file. A context manager, not reusable.

    Leaving the block ends the process: SIGTERM, and SIGKILL after 8 s. It has a session of its own, so that Ctrl-C
    reaches the demo alone, which then ends its children in order.
    """

    def __init__(self, name: str, module: str, arguments: Sequence[str], *, log: Path) -> None:
        self.name = name
        self._command = [*die_with_parent(), sys.executable, "-m", module, *arguments]
        self._log_path = log
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=_environment(),
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._log is not None:
            self._log.close()

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None:
            raise RuntimeError("the process was not started: use it in a `with`")
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return None if self._process is None else self._process.poll()

    def error(self) -> DemoError:
        """What went wrong, in the child's own words and with its exit code."""
        code = self.poll()
        lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line.removeprefix(_ERROR_PREFIX) for line in lines if line.startswith(_ERROR_PREFIX)]
        text = said[-1] if said else f"it ended with exit code {code}; its log is {self._log_path}"
        return DemoError(f"The {self.name} failed: {text}", _as_exit_code(code))


def wait_for(child: ChildProcess, *, others: Sequence[ChildProcess], timeout_s: float, stop: threading.Event) -> None:
    """Wait until `child` ends well. Raises DemoError: it or one of `others` failed, time is up, or a stop came."""
    deadline = time.monotonic() + timeout_s
    while True:
        for process in (child, *others):
            if process.poll() not in (None, 0):
                raise process.error()
        if child.poll() == 0:
            return
        if stop.wait(_POLL_S):
            raise DemoError("Stopped before the end; no result was written.")
        if time.monotonic() > deadline:
            raise DemoError(f"The {child.name} did not end within {timeout_s:.0f} s.")


def _environment() -> dict[str, str]:
    """Ours, with this very source tree first: the children must be of the same version, installed or not."""
    root = str(Path(gateway.__file__).resolve().parent.parent)
    former = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": root if not former else f"{root}{os.pathsep}{former}"}


def _as_exit_code(code: int | None) -> ExitCode:
    try:
        return ExitCode(code or ExitCode.FAILURE)
    except ValueError:  # a signal, or a code that is not documented
        return ExitCode.FAILURE

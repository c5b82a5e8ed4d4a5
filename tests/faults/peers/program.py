"""Any command as a process that is killed, stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.faults.end import REPOSITORY


class Program:
    """stdin: a named pipe or nothing. recorded: its standard output is for who reads `output`, else it goes to the log
    with the rest. Not thread-safe. Call `close` at the end.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, stdin: Path | None = None, recorded: bool = False
    ) -> None:
        self.name = name
        self._command = list(command)
        self._stdin = stdin or Path(os.devnull)
        self._recorded = recorded
        self._log_path = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What all of its processes said."""
        return self._log_path.read_text(encoding="utf-8", errors="replace") if self._log_path.exists() else ""

    @property
    def output(self) -> int:
        """Descriptor of its standard output."""
        assert self._process is not None  # start() comes first
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def ended(self) -> bool:
        """By itself, or killed."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """A new process."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("VOXWIRE_")}
        environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        with self._log_path.open("ab") as log, self._stdin.open("rb") as stdin:
            self._process = subprocess.Popen(
                self._command,
                cwd=REPOSITORY,
                env=environ,
                stdin=stdin,
                stdout=subprocess.PIPE if self._recorded else log,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        """A signal; one that has ended takes none."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, and wait."""
        self.send(signal.SIGTERM)
        if self._process is not None:
            self._process.wait()

    def start_again(self) -> None:
        """After `kill` or `terminate`."""
        self.start()

    def close(self) -> None:
        """Kill what still runs."""
        self.kill()

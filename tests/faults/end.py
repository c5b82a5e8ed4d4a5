"""One of our commands as a process that is killed, stopped and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.proc import memory_bytes
from tests.faults.course import Sample

Stats = dict[str, Any]
REPOSITORY: Final = Path(__file__).resolve().parents[2]
SAMPLE_S: Final = 0.2
"""Between two looks at what a player has played."""


class End:
    """`gateway run` or `edge-player run`, at one end of the link. Not thread-safe."""

    def __init__(
        self,
        module: str,
        name: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """before: a command that runs another, in another network namespace say. folder: for log and counters."""
        self.name = name
        self.stats_path = folder / f"{name}.json"
        self.log_path = folder / f"{name}.log"
        arguments = [*arguments, "--id", name, "--stats-file", str(self.stats_path)]
        self._command = [*before, sys.executable, "-m", module, "run", *arguments]
        self._environ = inherited_environ() | dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._read_at_ns = 0
        self.samples: list[Sample] = []
        self.rss: list[int] = []

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one started last."""
        assert self._process is not None  # start() comes first
        return self._process

    @property
    def log(self) -> str:
        """What all of its processes said."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def start(self) -> None:
        """A new process."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def sample(self, now: float) -> None:
        """Take over new counters, and its memory."""
        try:
            written_ns = self.stats_path.stat().st_mtime_ns
        except FileNotFoundError:
            written_ns = 0
        if written_ns > self._read_at_ns:
            self._read_at_ns = written_ns
            self.samples.append(Sample(now, int(self.stats().get("frames_played", 0))))
        if self._process is not None and self._process.poll() is None:
            try:
                self.rss.append(memory_bytes(self._process.pid))
            except (OSError, RuntimeError):  # it ends just now
                return

    def stats(self) -> Stats:
        """The counters written last."""
        values: Stats = json.loads(self.stats_path.read_text())
        return values

    def send(self, number: signal.Signals) -> None:
        """A signal; one that has ended takes none."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code; None where it has not ended by then."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Kill what still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def wait_until_played(end: End, frames: int, timeout_s: float) -> None:
    """Until a player has played so many frames. AssertionError with its log where it does not."""
    deadline = time.monotonic() + timeout_s
    while not end.samples or end.samples[-1].played < frames:
        assert end.process.poll() is None, f"{end.name} ended:\n{end.log}"
        assert time.monotonic() < deadline, f"{end.name} played nothing within {timeout_s:g} s:\n{end.log}"
        time.sleep(SAMPLE_S / 4)
        end.sample(time.monotonic())


def inherited_environ() -> dict[str, str]:
    """Of every end: our own without settings of ours, one thread for numbers."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VOXWIRE_")}
    return ours | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}

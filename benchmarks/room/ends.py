"""Gateway and player as processes in a room, over a broker of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Stats = dict[str, Any]
READY_S = 30.0
STOP_S = 15.0
_POLL_S = 0.02
_REPOSITORY = Path(__file__).resolve().parents[2]


class EndError(Exception):
    """A process did not do what was waited for; the message holds its log."""


class End:
    """One `run` of ours as a process, with its log and its final counters. A context manager, not reusable."""

    def __init__(self, module: str, arguments: list[str], *, folder: Path, environ: Mapping[str, str]) -> None:
        self.name = module
        self._log = folder / f"{module}.log"
        self._stats = folder / f"{module}.json"
        self._command = [sys.executable, "-m", module, "run", *arguments, "--stats-file", str(self._stats)]
        self._environ = {name: value for name, value in environ.items() if not name.startswith("VOXWIRE_")}
        self._environ |= {"PYTHONPATH": str(_REPOSITORY), "OMP_NUM_THREADS": "1"}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None  # use it in a `with`
        return self._process

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Raises EndError with the log where the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise EndError(f"{self.name} ended with exit code {code}; its log:\n{self.log}")

    def wait_for(self, *words: str, after: int = 0, timeout_s: float = READY_S) -> int:
        """Until its log says so, looked for from character `after` on; returns where the last words end."""

        def end() -> int | None:
            said, at = self.log, after
            for part in words:
                found = said.find(part, at)
                if found < 0:
                    return None
                at = found + len(part)
            return at

        self.wait_until(lambda: end() is not None, f"{' … '.join(words)!r} in its log", timeout_s=timeout_s)
        return end() or after

    def wait_until(self, condition: Callable[[], bool], what: str, *, timeout_s: float = READY_S) -> None:
        """Until the condition holds. EndError with the log where it does not, or where the process ended."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise EndError(f"{self.name}: waited {timeout_s:g} s for {what}; its log:\n{self.log}")
            time.sleep(_POLL_S)

    def finish(self, *, timeout_s: float = STOP_S) -> Stats:
        """Ask it to end; returns its final counters. EndError where it does not end well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise EndError(f"{self.name} does not end; its log:\n{self.log}") from error
        if code != 0:
            raise EndError(f"{self.name} ended with exit code {code}; its log:\n{self.log}")
        stats: Stats = json.loads(self._stats.read_text())
        return stats


class Ends:
    """Starts the ends of one stream. A context manager: what still runs at its end is killed."""

    def __init__(self, stream: str, broker: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._common = ["--stream", stream, "--broker", broker, "--wait"]
        self._folder = folder
        self._environ = environ
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def start_gateway(self, *arguments: str) -> End:
        """A gateway that sends the room's microphone."""
        return self._start("gateway", "--source", "mic", "--id", f"{self._stream}-gw", *arguments)

    def start_player(self, *arguments: str) -> End:
        """A player on the room's ear."""
        return self._start("edge_player", "--out", "speaker", "--id", f"{self._stream}-ear", *arguments)

    def _start(self, module: str, *arguments: str) -> End:
        end = End(module, [*self._common, *arguments], folder=self._folder, environ=self._environ)
        return self._running.enter_context(end)

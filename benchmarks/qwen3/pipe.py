"""A process that is asked one thing after another: JSON lines over pipes, arrays in .npz files beside them.

The official package needs an environment that ours is not, and memory is only told of whole processes: so whatever is
compared runs in a process of its own and speaks this. Standard library and numpy only, for both ends import it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Parameters = dict[str, Any]
REPOSITORY = Path(__file__).resolve().parents[2]
ANSWERS = "VOXWIRE_WORKER_ANSWERS"
"""Names to a worker the descriptor that it answers on."""
LAST_WORDS = 2000
"""Characters of what a worker printed that an error quotes."""


class WorkerError(RuntimeError):
    """The worker could not do what it was asked, or is no more; the message has its own words."""


class Answer(NamedTuple):
    """What came back: arrays by name, and plain values."""

    arrays: Arrays
    values: Parameters


Operation = Callable[[Arrays, Parameters], Answer]


class Worker:
    """A child process that serves operations; a context manager, for one thread at a time.

    `command` starts it. It inherits this process's cores, so pinning the one pins the other. With `threads` set,
    the libraries that read OMP_NUM_THREADS take that many.
    """

    def __init__(self, command: Sequence[str], *, threads: int = 1) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voxwire-worker-")
        self._scratch = Path(self._folder.name)
        # Not standard output: libraries print there what they like, some of them while they are imported.
        reading, writing = os.pipe()
        self._answers = os.fdopen(reading, "rb")
        environ = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(REPOSITORY), ANSWERS: str(writing)}
        try:
            with (self._scratch / "said").open("wb") as said:
                self._process = subprocess.Popen(
                    list(command), stdin=subprocess.PIPE, stdout=said, stderr=said, pass_fds=(writing,), env=environ,
                    cwd=REPOSITORY,
                )  # fmt: skip
        finally:
            os.close(writing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The child's."""
        return self._process.pid

    def ask(self, operation: str, arrays: Mapping[str, NDArray[Any]] | None = None, **parameters: Any) -> Answer:
        """What `operation` makes of `arrays` and of `parameters`, which JSON can hold. Raises WorkerError."""
        assert self._process.stdin is not None
        given, answered = self._scratch / "given.npz", self._scratch / "answered.npz"
        np.savez(given, **dict(arrays or {}))  # type: ignore[arg-type]  # its own keyword `allow_pickle` confuses mypy
        question = {"operation": operation, "given": str(given), "answered": str(answered), "parameters": parameters}
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            code = self._process.wait()
            raise WorkerError(f"the worker ended with code {code}: {self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(f"{operation}: {reply['error']}")
        return Answer(_read_arrays(answered), reply["values"])

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._folder.cleanup()

    def _last_words(self) -> str:
        return (self._scratch / "said").read_text(errors="replace").strip()[-LAST_WORDS:] or "it said nothing"


def serve(operations: Mapping[str, Operation]) -> int:
    """The child's side: answer until standard input ends. An operation's exception is the answer to that question."""
    answers = os.fdopen(int(os.environ.pop(ANSWERS)), "wb", buffering=0)
    for line in sys.stdin.buffer:
        question = json.loads(line)
        try:
            result = operations[question["operation"]](_read_arrays(Path(question["given"])), question["parameters"])
            np.savez(question["answered"], **result.arrays)  # type: ignore[arg-type]  # as above
            reply: Parameters = {"values": result.values}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply).encode() + b"\n")
    return 0


class Stopwatch:
    """Processor and wall time of this process, of whatever runs within the `with` block."""

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu_s, self.wall_s = time.process_time() - self._cpu, time.perf_counter() - self._wall


def _read_arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}

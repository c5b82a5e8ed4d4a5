"""What takes turns: the official package, and ours in torch and ONNX, each a process that waits for its turn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import median
from benchmarks.qwen3.models import STEPS, onnx_files
from benchmarks.qwen3.oracle import start_official
from benchmarks.qwen3.pipe import Worker, WorkerError

FRAME_S = 0.08
CONTEXT = 25
"""Left context of the official package's own chunks; with chunks of one frame it is a stream."""
TURN_S = 1.0
"""Processor time, more or less, that a contender of ours spends in one turn."""
MOST_STEPS = 30

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Material:
    """What everybody is given: speech, and the official codes of it."""

    pcm: Array
    """[1, T * frame_size] float32."""
    codes: Array
    """[1, K, T] int64."""


@dataclass(eq=False)
class Contender:
    """One row of the table. `operation` and `parameters` are a turn; every turn adds to the times."""

    half: str
    what: str
    frames: int
    """Frames of audio that one timed piece of work yields."""
    worker: Worker
    operation: str
    data: dict[str, Array]
    parameters: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    """Median processor seconds a frame of each turn."""

    def take_turn(self) -> None:
        """Work once more, and note how long it took."""
        answer = self.worker.ask(self.operation, self.data, **self.parameters)
        cpu = answer.arrays["cpu_s"].tolist() if "cpu_s" in answer.arrays else [answer.values["cpu_s"]]
        self.wall_s += answer.arrays["wall_s"].tolist() if "wall_s" in answer.arrays else [answer.values["wall_s"]]
        self.cpu_s += cpu
        self.turns.append(median(cpu) / self.frames)

    def settle(self) -> None:
        """A turn that does not count: buffers are made, and the number of steps of a turn is found."""
        self.take_turn()
        if "count" in self.parameters:
            self.parameters["count"] = max(1, min(MOST_STEPS, round(TURN_S / median(self.cpu_s))))
        self.cpu_s, self.wall_s, self.turns = [], [], []

    @property
    def real_time_factor(self) -> float:
        """Processor seconds for a second of audio."""
        return median(self.cpu_s) / (self.frames * FRAME_S)


def official_contenders(python: Path, release: Path, speech: Array, frames: int) -> tuple[list[Contender], Material]:
    """The official package's ways of decoding and encoding, and the material, which it makes the codes of.

    Each way has a process of its own, for its memory to be told.
    """
    workers = [_official(python, release) for _ in range(3)]
    codes = workers[2].ask("encode", {"pcm": speech}).arrays["codes"]
    material = Material(speech, codes)
    part, samples = codes[:, :, :frames], frames * speech.shape[1] // codes.shape[2]
    return [
        Contender(
            "decoder", f"official chunked_decode, context {CONTEXT}", 1, workers[0], "decode_window",
            {"codes": codes[:, :, : CONTEXT + 1]}, {"count": 1},
        ),
        Contender("decoder", "official, one pass", frames, workers[1], "decode", {"codes": part}),
        Contender("encoder", "official, one pass", frames, workers[2], "encode", {"pcm": speech[:, :samples]}),
    ], material  # fmt: skip


def our_contenders(release: Path, exports: Path, material: Material) -> Iterator[Contender]:
    """Ours in torch and of every file in `exports`, streams all of them. Raises WorkerError where one is of others.

    A file's streams share a process with each other, and with nobody else.
    """
    weights = ""
    for half in ("decoder", "encoder"):
        worker, weights = _ours(half, "torch", release)
        for frames in STEPS:
            yield _stream(worker, half, "torch fp32", frames, material)
    opened: dict[Path, Worker] = {}
    for file in onnx_files(exports):
        if file.path not in opened:
            opened[file.path], of = _ours(file.half, "onnx", file.path)
            if of != weights:
                raise WorkerError(
                    f"{file.path} has other weights than {release}: delete it, or name another --onnx folder"
                )
        yield _stream(opened[file.path], file.half, f"ONNX {file.form}", file.frames, material, path=file.path)


def _stream(
    worker: Worker, half: str, what: str, frames: int, material: Material, *, path: Path | None = None
) -> Contender:
    data = material.codes if half == "decoder" else material.pcm
    parameters = {"frames": frames, "count": 3, "warm_up": 2}
    return Contender(half, what, frames, worker, "steps", {"data": data}, parameters, path)


def _official(python: Path, release: Path) -> Worker:
    worker = start_official(python)
    worker.ask("load", folder=str(release))
    return worker


def _ours(half: str, engine: str, path: Path) -> tuple[Worker, str]:
    """The worker, and the hash of its weights."""
    worker = Worker([sys.executable, "-m", "benchmarks.qwen3.ours"])
    return worker, worker.ask("load", half=half, engine=engine, path=str(path)).values["weights"]


def output_of(contender: Contender, data: Array) -> Array:
    """What a contender of ours makes of `data` from the beginning of a stream."""
    return contender.worker.ask("run", {"data": data}, frames=contender.frames).arrays["result"]


def snr_db(truth: Array, result: Array) -> float:
    """Signal over what differs, in decibels."""
    noise = float(np.square(result - truth).mean())
    return float("inf") if noise == 0 else 10 * float(np.log10(np.square(truth).mean() / noise))

"""One half of our codec as a worker, in torch or ONNX Runtime: `load` says which. The process has what a user's has.

ONNX needs no torch here: the memory that is told is that of an edge device's process.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.proc import memory_bytes
from benchmarks.qwen3.pipe import Answer, Arrays, Operation, Parameters, Stopwatch, serve

CODEC = "qwen3-12hz"


class Ours:
    """The operations. `load` comes first. `data` is codes [1, K, T] or, for an encoder, pcm [1, T * frame_size]."""

    def __init__(self) -> None:
        self.half = ""
        self.model: Any = None
        self._session: Any = None

    def operations(self) -> dict[str, Operation]:
        """By name."""
        return {name: getattr(self, name) for name in ("load", "steps", "run", "memory")}

    def load(self, _: Arrays, parameters: Parameters) -> Answer:
        """The `half` at `path`: a release folder where `engine` is "torch", else a file."""
        self.half, path = parameters["half"], Path(parameters["path"])
        if parameters["engine"] == "torch":
            importlib.import_module("torch").set_num_threads(1)
            factory = importlib.import_module("codec.models.factory")
            self.model = getattr(factory, f"load_torch_{self.half}")(CODEC, path)
        else:
            load = importlib.import_module("codec.load")
            open_half = load.load_decoder if self.half == "decoder" else load.load_onnx_encoder
            self.model = open_half(CODEC, model=path)
        gc.collect()
        self._session = self.model.session()
        return Answer({}, {"weights": self.model.spec.weights_sha256})

    def steps(self, arrays: Arrays, parameters: Parameters) -> Answer:
        """Times of `count` steps of `frames` frames, after `warm_up` more; the stream goes on from turn to turn."""
        data, frames = arrays["data"], int(parameters["frames"])
        steps = islice(self._cycle(data, frames), int(parameters["warm_up"]) + int(parameters["count"]))
        step, cpu, wall = self._step(self._session), [], []
        for part in steps:
            with Stopwatch() as watch:
                step(part)
            cpu.append(watch.cpu_s)
            wall.append(watch.wall_s)
        first = int(parameters["warm_up"])
        return Answer({"cpu_s": np.array(cpu[first:]), "wall_s": np.array(wall[first:])}, {})

    def run(self, arrays: Arrays, parameters: Parameters) -> Answer:
        """What a new stream makes of the whole data in steps of `frames` frames."""
        data, frames = arrays["data"], int(parameters["frames"])
        whole = self._frames_of(data) // frames
        with self.model.session() as session:
            step = self._step(session)
            parts = [step(part) for part in islice(self._cycle(data, frames), whole)]
        return Answer({"result": np.concatenate(parts, axis=-1)}, {})

    def memory(self, _: Arrays, __: Parameters) -> Answer:
        """Bytes resident now, and the most there ever were."""
        own = os.getpid()
        return Answer({}, {"now": memory_bytes(own), "peak": memory_bytes(own, "VmHWM")})

    def _step(self, session: Any) -> Callable[[Any], Any]:
        step: Callable[[Any], Any] = session.decode if self.half == "decoder" else session.encode
        return step

    def _frames_of(self, data: Any) -> int:
        return int(data.shape[2] if self.half == "decoder" else data.shape[1] // self.model.spec.frame_size)

    def _cycle(self, data: Any, frames: int) -> Any:
        """The data in steps of `frames` frames, over and over; what is left of the last step is left out."""
        size = frames if self.half == "decoder" else frames * self.model.spec.frame_size
        while True:
            for index in range(self._frames_of(data) // frames):
                yield np.ascontiguousarray(data[..., index * size : (index + 1) * size])


if __name__ == "__main__":
    raise SystemExit(serve(Ours().operations()))

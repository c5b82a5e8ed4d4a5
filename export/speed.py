"""How long a step takes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from codec.model_file import OnnxModel
from codec.onnx import OnnxDecoder, OnnxEncoder
from export.frames import Frames, RunFrames, decoding, encoding

REPEATS = 60
WARM_UP = 5
SEED = 22


def ms_per_frame(run: RunFrames, data: Frames) -> float:
    """Median milliseconds a frame of one row, over steps of `data` [1, N, …] frames."""
    for _ in range(WARM_UP):
        run(data, None)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run(data, None)
        times.append(time.perf_counter() - began)
    milliseconds: float = float(np.median(times)) * 1e3 / data.shape[1]
    return round(milliseconds, 3)


def one_step(model: OnnxModel, frames: int) -> Frames:
    """Noise, or random codes, [1, frames, width]: the arithmetic takes as long as with speech."""
    rng, spec = np.random.default_rng(SEED), model.spec
    if model.half == "decoder":
        return rng.integers(0, spec.codebook_size, (1, frames, spec.num_layers))
    return (0.1 * rng.standard_normal((1, frames, spec.frame_size))).astype(np.float32)


def model_ms_per_frame(model: OnnxModel, frames: int | None = None) -> float:
    """The same for a file, in steps of `frames` (default: what it is fixed to, or 1)."""
    step = one_step(model, frames or model.fixed_frames or 1)
    if model.half == "decoder":
        with OnnxDecoder(model).session() as session:
            return ms_per_frame(decoding(session), step)
    with OnnxEncoder(model).session() as session:
        return ms_per_frame(encoding(session), step)


def open_ms_per_frame(fixed: OnnxModel, open_graph: Path | None) -> float | None:
    """How long the graph that takes any number of frames needs for the steps of `fixed`; None without such a pair."""
    if open_graph is None or fixed.fixed_frames is None:
        return None
    model = OnnxModel.load(open_graph, provider=fixed.requested_provider)
    return model_ms_per_frame(model, fixed.fixed_frames)

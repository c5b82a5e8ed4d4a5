"""nano, both halves: ms per step of one frame, real-time factor on one core, arithmetic, file sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.flops import count_flops
from benchmarks.harness import Row, describe_machine, median, parse_options, percentile, pin_to_core, report
from codec import read_audio
from codec.load import load_onnx_decoder, load_onnx_encoder
from codec.onnx import OnnxModel

Array = NDArray[Any]

WARM_UP_STEPS = 25
ROUNDS = 5
"""Speech and silence take turns this often, so that a slow moment of the machine meets both."""


def main() -> int:
    options = parse_options(
        "codec_speed", __doc__ or "", seconds=20.0, seconds_help="seconds of speech, and of silence, in each round"
    )
    pin_to_core(options.core)
    machine = describe_machine(["numpy", "onnxruntime"])
    encoder, decoder = load_onnx_encoder(), load_onnx_decoder()
    spec = encoder.spec
    size = spec.frame_size
    speech = _speech(spec.sample_rate, options.seconds)
    frames = len(speech) // size
    pcm = {"speech": list(speech[: frames * size].reshape(frames, 1, size))}
    pcm["digital silence"] = [np.zeros((1, size), dtype=np.float32)] * frames
    rows: list[Row] = []

    with encoder.session() as encoding:
        codes = {name: [encoding.encode(frame) for frame in signal] for name, signal in pcm.items()}
        rows += _time_half(encoder.model, encoding.encode, pcm)
    with decoder.session() as decoding:
        rows += _time_half(decoder.model, decoding.decode, codes)

    report(
        options,
        title=f"{spec.name}: one frame of {spec.frame_duration_s * 1000:.0f} ms a step, one core, one thread",
        rows=rows,
        machine=machine,
        notes=["Silence follows speech in one session: what speech left in the state decays into denormals there."],
    )
    return 0


def _speech(sample_rate: int, seconds: float) -> NDArray[np.float32]:
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        clip = read_audio(path, sample_rate)
    return np.resize(clip, int(seconds * sample_rate)).astype(np.float32)


def _time_half(model: OnnxModel, step: Callable[[Array], object], signals: Mapping[str, Sequence[Array]]) -> list[Row]:
    """One row for each of `signals`, which are lists of what one step takes."""
    frame_s = model.spec.frame_duration_s
    for frame in next(iter(signals.values()))[:WARM_UP_STEPS]:
        step(frame)
    times: dict[str, list[float]] = {name: [] for name in signals}
    factors: dict[str, list[float]] = {name: [] for name in signals}
    for _ in range(ROUNDS):
        for name, signal in signals.items():
            taken = []
            for frame in signal:
                begun = time.perf_counter()
                step(frame)
                taken.append(time.perf_counter() - begun)
            times[name] += taken
            factors[name].append(sum(taken) / (len(taken) * frame_s))
    flops = count_flops(model.path, one_step_feeds(model))
    return [
        {
            "half": model.half,
            "signal": name,
            "ms_per_step_p50": 1000 * median(times[name]),
            "ms_per_step_p95": 1000 * percentile(times[name], 95),
            "real_time_factor": median(factors[name]),
            "gflop_per_s_audio": flops.total / frame_s / 1e9,
            "of_these_products": flops.products / frame_s / 1e9,
            "file_mb": _file_bytes(model.path) / 1e6,
            "precision": model.precision,
        }
        for name in times
    ]


def one_step_feeds(model: OnnxModel) -> dict[str, NDArray[np.generic]]:
    """Inputs of one step of one frame for one row: zeros, active, no reset."""
    frame: NDArray[np.generic]
    if model.half == "encoder":
        frame = np.zeros((1, model.spec.frame_size), dtype=np.float32)
    else:
        frame = np.zeros((1, model.spec.num_layers, 1), dtype=np.int64)
    feeds = {"pcm" if model.half == "encoder" else "codes": frame}
    feeds |= {"active": np.ones(1, dtype=np.bool_), "reset": np.zeros(1, dtype=np.bool_)}
    return feeds | {state.name: np.zeros((1, *state.shape), dtype=state.dtype) for state in model.states}


def _file_bytes(path: Path) -> int:
    """The file and the weights that lie beside it."""
    return sum(part.stat().st_size for part in path.parent.glob(path.name + "*"))


if __name__ == "__main__":
    raise SystemExit(main())

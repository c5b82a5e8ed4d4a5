"""How fast a codec runs here: milliseconds per one-frame step, Python included, on sound and on digital silence."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from codec.onnx import OnnxDecoder, OnnxEncoder
from codec.spec import CodecSpec

WARM_UP_STEPS = 10

Figures = dict[str, float | int | str | None]


def bench_codec(
    encoder: OnnxEncoder, decoder: OnnxDecoder, *, frames: int, sound: NDArray[np.float32] | None = None
) -> Figures:
    """Run both halves one frame a step, first on `sound` [T] (None: noise that swells like speech), then on silence."""
    spec = encoder.spec
    loud = speech_like_noise(spec, frames) if sound is None else np.resize(sound, frames * spec.frame_size)
    figures: Figures = {
        "codec": spec.name,
        "frames": frames,
        "frame_ms": round(1000 * spec.frame_duration_s, 3),
        "threads": encoder.model.threads,
        "encode_provider": encoder.active_provider,
        "decode_provider": decoder.active_provider,
        "encode_precision": encoder.model.precision,
        "decode_precision": decoder.model.precision,
        "encoder_bytes": encoder.model.path.stat().st_size,
        "decoder_bytes": decoder.model.path.stat().st_size,
    }
    for kind, samples in (("sound", loud), ("silence", np.zeros_like(loud))):
        pcm = samples.reshape(frames, 1, spec.frame_size)
        codes = np.zeros((frames, 1, spec.num_layers, 1), dtype=np.int64)
        with encoder.session() as encoding, decoder.session() as decoding:
            encoding.warm_up()
            decoding.warm_up()

            def encode(step: int, pcm: NDArray[np.float32] = pcm, codes: NDArray[np.int64] = codes) -> None:
                codes[step] = encoding.encode(pcm[step])

            def decode(step: int, codes: NDArray[np.int64] = codes) -> None:
                decoding.decode(codes[step])

            figures |= _time_steps(f"encode_{kind}", encode, frames, spec)
            figures |= _time_steps(f"decode_{kind}", decode, frames, spec)
    figures["encode_rtf"] = max(_number(figures, f"encode_{kind}_rtf") for kind in ("sound", "silence"))
    figures["decode_rtf"] = max(_number(figures, f"decode_{kind}_rtf") for kind in ("sound", "silence"))
    return figures


def speech_like_noise(spec: CodecSpec, frames: int) -> NDArray[np.float32]:
    """Seeded noise [frames·frame_size] with a syllable's rise and fall four times a second."""
    length = frames * spec.frame_size
    noise = np.random.default_rng(0).standard_normal(length)
    envelope = np.abs(np.sin(np.arange(length) * (4 * np.pi / spec.sample_rate)))
    return np.asarray(0.1 * noise * envelope, dtype=np.float32)


def _time_steps(name: str, run: Callable[[int], None], frames: int, spec: CodecSpec) -> Figures:
    times = np.zeros(frames)
    for step in range(frames):
        started = time.perf_counter()
        run(step)
        times[step] = 1000 * (time.perf_counter() - started)
    measured = times[min(WARM_UP_STEPS, frames // 2) :]
    return {
        f"{name}_ms_p50": round(float(np.percentile(measured, 50)), 4),
        f"{name}_ms_p95": round(float(np.percentile(measured, 95)), 4),
        f"{name}_ms_max": round(float(measured.max()), 4),
        f"{name}_rtf": round(float(measured.mean()) / (1000 * spec.frame_duration_s), 5),
    }


def _number(figures: Figures, name: str) -> float:
    value = figures[name]
    assert isinstance(value, float)
    return value

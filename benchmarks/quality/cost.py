"""What nano costs to run: arithmetic from the graphs, processor time a step on one core, size of the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.codec_speed import one_step_feeds
from benchmarks.flops import count_flops
from benchmarks.harness import Row, median
from benchmarks.quality.contenders import Nano, Samples
from codec import OnnxDecoder, OnnxEncoder
from export.external import file_bytes

WARM_UP_STEPS = 25
STEPS = 125
"""Timed on speech, and as many on silence behind it: 10 s each."""

Array = NDArray[Any]


def cost_rows(nano: Nano, speech: Samples) -> list[Row]:
    """A row for each half, timed one frame a step on one thread; speech [T] at the codec's rate, repeated as needed.

    The time is the processor's, so that a busy machine does not count; the median step on speech or on silence,
    whichever is slower.
    """
    encoder, decoder = nano.tokenizer.encoder, nano.tokenizer.decoder
    assert isinstance(encoder, OnnxEncoder)
    assert isinstance(decoder, OnnxDecoder)
    size = nano.tokenizer.spec.frame_size
    sound = np.resize(speech, (STEPS, 1, size)).astype(np.float32)
    pcm = [*sound, *np.zeros_like(sound)]
    with encoder.session() as encoding, decoder.session() as decoding:
        codes = [encoding.encode(frame) for frame in pcm]
        steps = {encoder.model: _step_s(encoding.encode, pcm), decoder.model: _step_s(decoding.decode, codes)}
    rows: list[Row] = []
    for model, step_s in steps.items():
        frame_s = model.spec.frame_duration_s
        rows.append(
            {
                "codec": nano.codec,
                "half": model.half,
                "precision": model.precision,
                "gflop_per_s_audio": count_flops(model.path, one_step_feeds(model)).total / frame_s / 1e9,
                "ms_per_step": 1000 * step_s,
                "real_time_factor": step_s / frame_s,
                "file_mb": file_bytes(model.path) / 1e6,
            }
        )
    return rows


def _step_s(step: Callable[[Array], object], frames: Sequence[Array]) -> float:
    """frames: STEPS of speech and then STEPS of silence."""
    for frame in frames[:WARM_UP_STEPS]:
        step(frame)
    times = []
    for frame in frames:
        begun = time.process_time()
        step(frame)
        times.append(time.process_time() - begun)
    return max(median(times[:STEPS]), median(times[STEPS:]))

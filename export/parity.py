"""Proof that an exported file is the torch model: both stream the same audio or codes, and must agree.

The file runs a schedule of what streams meet: steps of 1, 4, 5 and 25 frames, rows that are not active in every step
and so stand at different places, a reset of one row in the middle, and prefixes of 1, 4, 8 and 16 layers side by side.
Torch streams the same with its rows in lockstep, and a decoder's in long steps, once for all step sizes: that it gives
the same whatever the chunking and whoever else is in the batch is proved by the tests of `codec.models`. An encoder's
steps are the same on both sides, because float32 noise moves with their length and makes ties of its own.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codec.models.session import TorchDecoder, TorchEncoder
from codec.models.ties import is_tie
from codec.onnx import OnnxDecoder, OnnxEncoder
from export.errors import ParityError
from export.external import file_bytes
from export.frames import Frames, decoding, encoding
from export.schedule import Length, in_lockstep, in_schedule
from export.speech import speech_rows
from export.speed import model_ms_per_frame, ms_per_frame, open_ms_per_frame

TOLERANCE = 1e-4
"""Largest difference of audio, and of latents, that counts as float32 noise."""
MAX_EXEMPT_SHARE = 1e-3
STEP_FRAMES = (1, 4, 5, 25)
DECODER_FRAMES, ENCODER_FRAMES = 200, 400
"""Frames of each row for a step size; the encoder's more, so that a share of ties of 0.1 % can be told."""
PREFIXES = (1, 4, 8, 16)
"""Layers of the rows of the decoder's batch."""
ENCODER_ROWS = 3
SEED = 20


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What was compared and how far the two were apart; figures of one and the same graph."""

    half: str
    precision: str
    fixed_frames: int | None
    """Frames of every step where the graph takes no other number."""
    frames: int
    """Row frames compared, over all step sizes."""
    step_frames: tuple[int, ...]
    max_abs_diff: float
    """Audio for a decoder, latents for an encoder."""
    code_frames_differing: int
    exempt_frames: int
    """Frames that differ because two entries were as near as makes no difference."""
    tolerance: float
    torch_ms_per_frame: float
    onnx_ms_per_frame: float
    """Median milliseconds of a one-frame step of one row; of a graph for N frames, a frame's share of its step."""
    open_ms_per_frame: float | None
    """The same steps by the graph that takes any number of frames; None where this is that graph."""
    file_bytes: int
    file_sha256: str
    """Of the ONNX file; `codec.recorded_hash` refuses another one beside this report."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(slots=True)
class _Findings:
    frames: int = 0
    worst: float = 0.0
    differing: int = 0
    exempt: int = 0


def measure_parity(
    path: Path, reference: TorchEncoder | TorchDecoder, *, open_graph: Path | None = None
) -> ParityReport:
    """Stream the schedule through `path` and `reference`. Raises ParityError beyond the tolerances.

    `open_graph`: for a `path` that takes steps of one length only, the file whose speed it is compared with.
    """
    exported: OnnxEncoder | OnnxDecoder
    if isinstance(reference, TorchDecoder):
        exported = OnnxDecoder.load(path)
        findings, torch_ms = _decoder_parity(exported, reference)
    else:
        exported = OnnxEncoder.load(path)
        findings, torch_ms = _encoder_parity(exported, reference)
    report = ParityReport(
        half=exported.model.half,
        precision=exported.model.precision,
        fixed_frames=exported.model.fixed_frames,
        frames=findings.frames,
        step_frames=_step_frames(exported),
        max_abs_diff=findings.worst,
        code_frames_differing=findings.differing,
        exempt_frames=findings.exempt,
        tolerance=TOLERANCE,
        torch_ms_per_frame=torch_ms,
        onnx_ms_per_frame=model_ms_per_frame(exported.model),
        open_ms_per_frame=open_ms_per_frame(exported.model, open_graph),
        file_bytes=file_bytes(path),
        file_sha256=exported.model.file_sha256,
    )
    unexplained = report.code_frames_differing - report.exempt_frames
    too_many = report.exempt_frames > most_exempt(report.frames)
    # "not at most" instead of "more than": a NaN is no agreement.
    if not report.max_abs_diff <= report.tolerance or unexplained or too_many:
        raise ParityError(
            f"The exported {report.half} is not the torch model: largest difference {report.max_abs_diff:.2e} (at most "
            f"{report.tolerance:.0e} allowed), {report.code_frames_differing} of {report.frames} frames with other "
            f"codes ({report.exempt_frames} of them ties)",
            max_abs_diff=report.max_abs_diff,
            tolerance=report.tolerance,
        )
    return report


def most_exempt(frames: int) -> float:
    """Ties that so many frames may show while their share is MAX_EXEMPT_SHARE: three standard deviations more.

    The share is a property of float32 (sixteen decisions a frame, latents exact to one part in ten million) and lies
    near the limit; a few thousand frames cannot tell 0.08 % from 0.12 %.
    """
    expected = MAX_EXEMPT_SHARE * frames
    return expected + 3 * math.sqrt(expected)


def _step_frames(exported: OnnxEncoder | OnnxDecoder) -> tuple[int, ...]:
    fixed = exported.model.fixed_frames
    return STEP_FRAMES if fixed is None else (fixed,)


def _decoder_parity(exported: OnnxDecoder, reference: TorchDecoder) -> tuple[_Findings, float]:
    spec, rng, found = reference.spec, np.random.default_rng(SEED), _Findings()
    lengths = {count: Length.of(DECODER_FRAMES, count) for count in _step_frames(exported)}
    longest = max(length.total for length in lengths.values())
    codes = rng.integers(0, spec.codebook_size, (len(PREFIXES), longest, spec.num_layers))
    for row, layers in enumerate(PREFIXES):
        codes[row, :, layers:] = -1
    truths: dict[Length, Frames] = {}
    for count, length in lengths.items():
        data = codes[:, : length.total]
        if length not in truths:
            with reference.session(len(data)) as torch_session:
                (truths[length],) = in_lockstep(decoding(torch_session), torch_session.reset, data, length=length)
        with exported.session(len(data)) as session:
            (pcm,) = in_schedule(decoding(session), session.reset, data, length=length, count=count, rng=rng)
        found.worst = _larger(found.worst, pcm - truths[length])
        found.frames += len(data) * length.total
    one = codes[-1:, : exported.model.fixed_frames or 1]
    with reference.session() as torch_session:
        return found, ms_per_frame(decoding(torch_session), one)


def _encoder_parity(exported: OnnxEncoder, reference: TorchEncoder) -> tuple[_Findings, float]:
    rng, found = np.random.default_rng(SEED), _Findings()
    counts = _step_frames(exported)
    # As many in all where there is only one step size: the share of ties is over all.
    lengths = {count: Length.of(ENCODER_FRAMES * len(STEP_FRAMES) // len(counts), count) for count in counts}
    # Other speech for each step size: the same few ties again and again tell nothing of their share.
    speech = speech_rows(ENCODER_ROWS, sum(length.total for length in lengths.values()), reference.spec)
    begin = 0
    for count, length in lengths.items():
        data = speech[:, begin : begin + length.total]
        begin += length.total
        with reference.session(len(data)) as torch_session:
            truth = in_lockstep(encoding(torch_session), torch_session.reset, data, length=length, count=count)
        with exported.session(len(data), extra_outputs=("latents",)) as session:
            codes, latents = in_schedule(encoding(session), session.reset, data, length=length, count=count, rng=rng)
        true_codes, true_latents = truth
        found.worst = _larger(found.worst, latents - true_latents)
        found.frames += len(data) * length.total
        for row, frame in np.argwhere((codes != true_codes).any(axis=2)):
            found.differing += 1
            latent = torch.from_numpy(true_latents[row, frame])
            found.exempt += is_tie(reference.half.quantizer, latent, codes[row, frame], true_codes[row, frame])
    one = speech[:1, : exported.model.fixed_frames or 1]
    with reference.session() as torch_session:
        return found, ms_per_frame(encoding(torch_session), one)


def _larger(worst: float, difference: Frames) -> float:
    """The largest magnitude so far; NaN, once met, stays."""
    return float(np.maximum(worst, np.abs(difference).max()))

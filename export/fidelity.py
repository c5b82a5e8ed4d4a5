"""What a variant costs and what it saves: int8 and float16 files against the float32 torch model, in one report.

There is no tolerance to hold, a variant is an approximation by design. It fails only where it is broken: NaN anywhere,
or so far off that no speech could come of it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codec.model_file import OnnxModel, Provider
from codec.models.session import TorchDecoder, TorchEncoder
from codec.onnx import OnnxDecoder, OnnxEncoder
from codec.spec import CodecSpec
from export.errors import FidelityError
from export.external import file_bytes
from export.frames import Frames, RunFrames, decoding, encoding, in_steps
from export.schedule import LONGEST_STEP
from export.sensitivity import Choice
from export.speech import speech_for_judging
from export.speed import model_ms_per_frame, open_ms_per_frame

MIN_SNR_DB = 6.0
"""Least SNR of a decoder's audio. Silence scores 0 dB and foreign sound of the same level -3 dB, so this is well clear
of both; int8 gives some 40 dB, below which an ear hears no difference behind a codec of 2 kbit/s."""
MIN_FIRST_LAYER_SHARE = 0.5
"""Least share of an encoder's layer-0 codes that equal torch's. An encoder that is stuck or raves agrees by chance in a
few per cent of the frames; where every second coarse code is another, it is no longer the same codec."""
WORST_ERROR = 1e6
"""Stands for an infinite error, which JSON cannot hold."""
PERFECT_SNR_DB = 200.0
"""Stands for an infinite SNR, which JSON cannot hold."""
HARSH_FRAMES = 20
SEED = 21


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """Error and speed of one and the same graph, on speech that its calibration did not hear."""

    half: str
    precision: str
    reduced_range: bool
    fixed_frames: int | None
    provider: str
    """What ran it: "cpu" or "cuda"."""
    frames: int
    """Row frames compared."""
    snr_db: float
    """Of a decoder's audio on the same codes; of an encoder's latents, before they are coded."""
    first_layer_share: float | None
    all_layers_share: float | None
    """Share of equal codes in layer 0, and in all layers; None for a decoder."""
    onnx_ms_per_frame: float
    """Median milliseconds of a one-frame step of one row; of a graph for N frames, a frame's share of its step."""
    fp32_ms_per_frame: float
    """The same of the float32 graph that this was made of, by the same provider and in steps of the same length."""
    open_ms_per_frame: float | None
    """Where this graph is fixed to N frames: of the one of this precision that is not."""
    file_bytes: int
    file_sha256: str
    """Of the ONNX file; `codec.recorded_hash` refuses another one beside this report."""
    fp32_file_bytes: int
    float_layers: tuple[str, ...]
    """int8 only: groups of layers that stay float so that the error is small enough (`export.sensitivity`)."""
    relative_error: float | None
    """int8 only: what they were chosen by, root mean square of the error over that of the float32 file's output."""
    all_int8_error: float | None
    """int8 only: the same with no layer kept in float."""
    note: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def measure_fidelity(
    path: Path,
    reference: TorchEncoder | TorchDecoder,
    *,
    fp32: Path,
    codes: Frames | None = None,
    open_graph: Path | None = None,
    provider: Provider = "cpu",
    reduced_range: bool = False,
    choice: Choice | None = None,
    note: str | None = None,
) -> FidelityReport:
    """Compare `path` with `reference`, and its speed and size with those of the float32 file `fp32`.

    `codes` [rows, N, num_layers]: what a decoder is judged on. `open_graph`: for a `path` with a fixed step, the file
    without that it is compared with. Raises FidelityError where the file is broken.
    """
    spec = reference.spec
    shares: tuple[float | None, float | None] = None, None
    if isinstance(reference, TorchDecoder):
        if codes is None:
            raise ValueError("a decoder is judged on codes")
        decoder = OnnxDecoder.load(path, provider=provider)
        model, data = decoder.model, _whole_steps(codes, decoder.model)
        with decoder.session(len(data)) as ours, reference.session(len(data)) as theirs:
            (got,), (truth,) = _both(decoding(ours), decoding(theirs), data, model)
        _require_finite(got, model)
        with decoder.session() as ours:
            _require_finite(in_steps(decoding(ours), _random_codes(model), model.fixed_frames or 1)[0], model)
    else:
        encoder = OnnxEncoder.load(path, provider=provider)
        model, data = encoder.model, _whole_steps(speech_for_judging(spec), encoder.model)
        latents = ("latents",)
        with encoder.session(len(data), extra_outputs=latents) as ours, reference.session(len(data)) as theirs:
            (our_codes, got), (their_codes, truth) = _both(encoding(ours), encoding(theirs), data, model)
        _require_finite(got, model)
        equal = our_codes == their_codes
        shares = round(float(equal[:, :, 0].mean()), 4), round(float(equal.mean()), 4)
        with encoder.session(extra_outputs=latents) as ours:
            _require_finite(in_steps(encoding(ours), _harsh_sound(model), model.fixed_frames or 1)[1], model)
    report = FidelityReport(
        half=model.half,
        precision=model.precision,
        reduced_range=reduced_range,
        fixed_frames=model.fixed_frames,
        provider=model.active_provider,
        frames=data.shape[0] * data.shape[1],
        snr_db=_snr_db(truth, got),
        first_layer_share=shares[0],
        all_layers_share=shares[1],
        onnx_ms_per_frame=model_ms_per_frame(model),
        fp32_ms_per_frame=model_ms_per_frame(OnnxModel.load(fp32, provider=provider), model.fixed_frames),
        open_ms_per_frame=open_ms_per_frame(model, open_graph),
        file_bytes=file_bytes(path),
        file_sha256=model.file_sha256,
        fp32_file_bytes=file_bytes(fp32),
        float_layers=choice.kept if choice else (),
        relative_error=_rounded(choice.error) if choice else None,
        all_int8_error=_rounded(choice.all_int8_error) if choice else None,
        note=note,
    )
    _require_floor(report)
    return report


def _both(ours: RunFrames, theirs: RunFrames, data: Frames, model: OnnxModel) -> tuple[tuple[Frames, ...], ...]:
    """The variant frame by frame, as a player runs it; torch in long steps."""
    return in_steps(ours, data, model.fixed_frames or 1), in_steps(theirs, data, LONGEST_STEP)


def _whole_steps(data: Frames, model: OnnxModel) -> Frames:
    """As much of `data` as a graph with a fixed step can take."""
    return data[:, : data.shape[1] - data.shape[1] % (model.fixed_frames or 1)]


def _random_codes(model: OnnxModel) -> Frames:
    """Codes [1, N, num_layers] that no speech makes."""
    spec: CodecSpec = model.spec
    rng = np.random.default_rng(SEED)
    codes = rng.integers(0, spec.codebook_size, (1, 2 * HARSH_FRAMES, spec.num_layers))
    return _whole_steps(codes, model)


def _harsh_sound(model: OnnxModel) -> Frames:
    """Digital silence, then noise that fills every bit: [1, N, frame_size]."""
    rng = np.random.default_rng(SEED)
    pcm = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), (1, 2 * HARSH_FRAMES, model.spec.frame_size))
    pcm[:, :HARSH_FRAMES] = 0.0
    return _whole_steps(pcm, model)


def _rounded(error: float) -> float:
    return float(f"{min(error, WORST_ERROR):.3g}")


def _require_finite(values: Frames, model: OnnxModel) -> None:
    if not np.isfinite(values).all():
        raise FidelityError(
            f"The {model.precision} {model.half} gives NaN or infinite values: its arithmetic overflows — use fp32",
            snr_db=math.nan,
            floor_db=MIN_SNR_DB,
        )


def _snr_db(truth: Frames, got: Frames) -> float:
    signal = float(np.square(truth, dtype=np.float64).sum())
    noise = float(np.square(got.astype(np.float64) - truth).sum())
    if noise == 0.0:
        return PERFECT_SNR_DB
    # A silent truth cannot be told from noise by this measure: it counts as none at all.
    return round(10 * math.log10(signal / noise), 2) if signal else -PERFECT_SNR_DB


def _require_floor(report: FidelityReport) -> None:
    share = report.first_layer_share
    if report.half == "decoder" and report.snr_db < MIN_SNR_DB:
        reason = f"the SNR of its audio is {report.snr_db:.1f} dB, silence has 0, at least {MIN_SNR_DB:.0f} are wanted"
    elif share is not None and share < MIN_FIRST_LAYER_SHARE:
        reason = f"{share:.0%} of its layer-0 codes are torch's, at least {MIN_FIRST_LAYER_SHARE:.0%} are wanted"
    else:
        return
    advice = "calibrate on other audio, or try --reduced-range" if report.precision == "int8" else "use fp32"
    raise FidelityError(
        f"The {report.precision} {report.half} is no longer this codec: {reason} — {advice}",
        snr_db=report.snr_db,
        floor_db=MIN_SNR_DB,
    )

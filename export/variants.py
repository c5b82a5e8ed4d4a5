"""From torch weights to a file of the precision that is wanted, with its report: the order of the steps."""

from __future__ import annotations

import json
import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from codec.model_file import Provider
from codec.models.factory import TorchCodec
from codec.models.session import TorchDecoder, TorchEncoder
from codec.recorded_hash import report_of
from export.errors import VariantError
from export.external import move_model
from export.fidelity import FidelityReport, measure_fidelity
from export.fixed_frames import fix_frames
from export.float16 import GPU_NOTE, to_float16
from export.frames import Frames, encoding, in_steps
from export.onnx_export import MAX_FRAMES, export_half
from export.parity import ParityReport, measure_parity
from export.quantise import NO_VNNI_NOTE, lacks_vnni, quantise
from export.schedule import LONGEST_STEP
from export.sensitivity import DEFAULT_MAX_ERROR, EVERYTHING, Choice, choose_float
from export.speech import speech_for_calibration, speech_for_judging
from export.wrappers import Half

Precision = Literal["fp32", "fp16", "int8"]
Report = ParityReport | FidelityReport

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Variant:
    """Which file of a half is wanted."""

    precision: Precision = "fp32"
    frames: int | None = None
    """Frames of every step; None: 1 to 25, as the caller likes."""
    reduced_range: bool = False
    """int8 only: weights of 7 bits, for x86 CPUs without VNNI."""
    calibrate: Path | None = None
    """int8 only: audio that the scales are fixed on; None: the bundled recording."""
    max_error: float | None = None
    """int8 only: the relative error up to which layers may be int8 (`export.sensitivity`); None: its default."""

    def __post_init__(self) -> None:
        if self.frames is not None and not 1 <= self.frames <= MAX_FRAMES:
            raise VariantError(f"A step has 1 to {MAX_FRAMES} frames, not {self.frames}")
        asked_for_int8 = self.reduced_range or self.calibrate is not None or self.max_error is not None
        if self.precision != "int8" and asked_for_int8:
            raise VariantError(
                f"--reduced-range and --calibrate are for int8, not for {self.precision}, and so is --max-error"
            )
        if self.max_error is not None and not self.max_error > 0:
            raise VariantError(f"The largest error allowed is a number above 0, or inf; not {self.max_error}")

    def stem(self, half: Half) -> str:
        """Name of the file without its ending: the half, then what is not as usual."""
        parts: list[str] = [half]
        if self.precision != "fp32":
            all_int8 = "-all" if self.max_error == EVERYTHING else ""
            parts.append(self.precision + all_int8 + ("-reduced" if self.reduced_range else ""))
        if self.frames is not None:
            parts.append(f"{self.frames}frames")
        return ".".join(parts)


def export_with_proof(half: Half, loaded: TorchCodec, folder: Path, variant: Variant | None = None) -> Report:
    """Write `<stem>.onnx` and `<stem>.parity.json` into `folder`, and the data file that the first may read.

    Raises ParityError or FidelityError where the file is not what it should be, and then leaves none behind.
    """
    variant = variant or Variant()
    folder.mkdir(parents=True, exist_ok=True)
    stem = variant.stem(half)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unproved-") as unproved:
        path, report = _prove(half, loaded, Path(unproved), variant)
        written = report_of(folder / f"{stem}.onnx")
        written.unlink(missing_ok=True)  # it names the hash of the file that goes: no moment with one that is not its
        move_model(path, folder / f"{stem}.onnx")
        written.write_text(json.dumps(report.to_dict(), indent=1) + "\n")
    logger.info("wrote %s, %.1f MB", folder / f"{stem}.onnx", report.file_bytes / 1e6)
    return report


def _prove(half: Half, loaded: TorchCodec, folder: Path, variant: Variant) -> tuple[Path, Report]:
    """The finished file, still in `folder`, and its report."""
    encoder, decoder = TorchEncoder(loaded.encoder, loaded.spec), TorchDecoder(loaded.decoder, loaded.spec)
    reference = encoder if half == "encoder" else decoder
    # Before the long work: a file that cannot be read is said at once.
    heard = speech_for_calibration(loaded.spec, variant.calibrate) if variant.precision == "int8" else None
    fp32 = export_half(half, reference.half, loaded.spec, folder / "fp32.onnx")
    path, note = fp32, None
    judged = None
    if half == "decoder" and variant.precision != "fp32":
        judged = codes_of(encoder, speech_for_judging(loaded.spec))
    choice: Choice | None = None
    provider: Provider = "cpu"
    if heard is not None:
        data = heard if half == "encoder" else codes_of(encoder, heard)
        path = folder / "int8.onnx"
        choice = choose_float(
            fp32,
            half=half,
            calibration=data,
            judged=speech_for_judging(loaded.spec) if judged is None else judged,
            reduced_range=variant.reduced_range,
            max_error=DEFAULT_MAX_ERROR if variant.max_error is None else variant.max_error,
        )
        quantise(
            fp32,
            path,
            half=half,
            calibration=data,
            reduced_range=variant.reduced_range,
            kept=choice.layers,
            ranges=choice.ranges,
        )
        note = NO_VNNI_NOTE if lacks_vnni() and not variant.reduced_range else None
    elif variant.precision == "fp16":
        path = to_float16(fp32, folder / "fp16.onnx")
        provider = "auto"
    open_graph = path
    if variant.frames is not None:
        path = fix_frames(path, folder / "fixed.onnx", frames=variant.frames, spec=loaded.spec)
    if variant.precision == "fp32":
        return path, measure_parity(path, reference, open_graph=open_graph)
    report = measure_fidelity(
        path,
        reference,
        fp32=fp32,
        codes=judged,
        open_graph=open_graph,
        provider=provider,
        reduced_range=variant.reduced_range,
        choice=choice,
        note=note,
    )
    # Judged after the fact: ONNX Runtime may name CUDA among its providers and yet find no GPU.
    return path, replace(report, note=GPU_NOTE) if (report.precision, report.provider) == ("fp16", "cpu") else report


def codes_of(encoder: TorchEncoder, pcm: Frames) -> Frames:
    """Codes [rows, N, num_layers] that torch makes of pcm [rows, N, frame_size]."""
    with encoder.session(len(pcm)) as session:
        return in_steps(encoding(session), pcm, LONGEST_STEP)[0]

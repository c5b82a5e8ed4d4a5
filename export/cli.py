"""`codec-export`: torch weights to ONNX files, with a parity report beside each."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from codec.errors import CodecError
from codec.hub import is_repository
from codec.models.factory import load_torch_codec
from export.entropy import cli as tables
from export.errors import ExportError
from export.fidelity import FidelityReport
from export.parity import ParityReport
from export.sensitivity import DEFAULT_MAX_ERROR
from export.variants import Report, Variant, export_with_proof
from export.wrappers import Half

EXAMPLE = """example:
  codec-export both --codec nano --model runs/nano/checkpoint -o exported
  gateway run --source speech.wav --stream lobby --model exported

  codec-export both --codec qwen3-12hz --model Qwen/Qwen3-TTS-Tokenizer-12Hz -o exported

  codec-export decoder --precision int8 --reduced-range -o exported
  edge-player run --stream lobby --out speaker --model exported/decoder.int8-reduced.onnx

  codec-export tables --help   entropy tables, learned from token files"""

WORTHWHILE_GAIN = 0.1
"""Share of the time that a graph for one number of frames has to save."""


def _parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = argparse.ArgumentParser(
        prog="codec-export",
        description="Write a codec's halves as stateful ONNX files and prove that they compute what torch computes.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("half", choices=("encoder", "decoder", "both"))
    parser.add_argument("--codec", default="nano", help="which codec (default: nano)")
    parser.add_argument(
        "--model",
        metavar="DIR|OWNER/NAME",
        help="checkpoint or release folder, or a repository to fetch one from (default: the packaged weights)",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="of the arithmetic: fp16 is for CUDA, int8 for CPUs (default: fp32; nano's weights are stored as float16)",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="make a graph for N frames a step, and no other number")
    parser.add_argument("--calibrate", type=Path, metavar="FILE", help="int8: audio to calibrate on (default: bundled)")
    parser.add_argument(
        "--reduced-range", action="store_true", help="int8: weights of 7 bits, for x86 CPUs without VNNI"
    )
    parser.add_argument(
        "--max-error",
        type=float,
        metavar="SHARE",
        help="int8: keep layers in float until the RMS error of the audio, relative to its RMS, is at most this "
        f"(default: {DEFAULT_MAX_ERROR}, an SNR of 20 dB; inf: every layer int8)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--json", action="store_true", help="print the parity reports as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Export; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["tables"]:
        return tables.main(words[1:])
    arguments = _parser().parse_args(words)
    # The exporters' own notes fill pages ("Skipping constant folding for node …"): ours alone are for our users.
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logging.getLogger("export").setLevel(logging.INFO)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    halves: tuple[Half, ...] = ("encoder", "decoder") if arguments.half == "both" else (arguments.half,)
    try:
        if arguments.model is not None and not is_repository(arguments.model) and not Path(arguments.model).exists():
            raise ExportError(f"File not found at {arguments.model}")
        variant = Variant(
            arguments.precision,
            arguments.frames,
            arguments.reduced_range,
            arguments.calibrate,
            arguments.max_error,
        )
        loaded = load_torch_codec(arguments.codec, arguments.model)
        reports = [export_with_proof(half, loaded, arguments.out, variant) for half in halves]
    except (CodecError, ExportError) as error:
        print(f"codec-export: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.json:
        print(json.dumps([report.to_dict() for report in reports], indent=1))
    else:
        for report in reports:
            print(describe(report))
    return 0


def describe(report: Report) -> str:
    """A line for a person, or two."""
    size = f"{report.file_bytes / 1e6:.1f} MB"
    if isinstance(report, ParityReport):
        line = f"{report.half}: largest difference {report.max_abs_diff:.1e} over {report.frames} frames"
        if report.half == "encoder":
            line += f", {report.code_frames_differing} with other codes ({report.exempt_frames} of them ties)"
        line += f"; one frame takes {report.onnx_ms_per_frame:.2f} ms (torch: {report.torch_ms_per_frame:.2f}); {size}"
    else:
        line = f"{report.half} {report.precision}: "
        if report.first_layer_share is None or report.all_layers_share is None:
            line += f"SNR {report.snr_db:.1f} dB on the same codes"
        else:
            line += f"{report.first_layer_share:.1%} of layer 0's codes and {report.all_layers_share:.1%} of all equal"
        line += f" ({report.frames} frames); one frame takes {report.onnx_ms_per_frame:.2f} ms on the {report.provider}"
        line += f" (fp32: {report.fp32_ms_per_frame:.2f}); {size} (fp32: {report.fp32_file_bytes / 1e6:.1f})"
        if report.float_layers:
            line += f"\n  {len(report.float_layers)} groups of layers stay float: relative error "
            line += f"{report.relative_error:.3g}, with all in int8 {report.all_int8_error:.3g}"
    if report.open_ms_per_frame is not None:
        gain = 1 - report.onnx_ms_per_frame / report.open_ms_per_frame
        line += f"\n  in steps of {report.fixed_frames} frames the graph that takes any number needs "
        line += f"{report.open_ms_per_frame:.2f} ms: this one is {abs(gain):.0%} {'faster' if gain > 0 else 'slower'}"
        if gain < WORTHWHILE_GAIN:
            line += ", which does not make up for taking no other number"
    if isinstance(report, FidelityReport) and report.note:
        line += f"\n  note: {report.note}"
    return line

"""Qwen3-TTS-Tokenizer-12Hz on one core: ours in torch and ONNX and the official package, in turns, in one run."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from benchmarks.harness import RESULTS, Cell, Options, Row, describe_machine, median, pin_to_core, report
from benchmarks.qwen3.contenders import (
    Array,
    Contender,
    Material,
    official_contenders,
    our_contenders,
    output_of,
    snr_db,
)
from benchmarks.qwen3.models import STEPS, export_missing, release_folder
from benchmarks.qwen3.oracle import NEEDS, oracle_python
from benchmarks.qwen3.pipe import REPOSITORY, WorkerError
from codec import read_audio
from export.external import file_bytes

SAMPLE_RATE = 24_000
SPEECH_S = 16
PASS_FRAMES = 50
"""Frames that the official package decodes in one pass, and that all results are compared over: 4 s."""
ROUNDS = 5
"""Turns of each: a slow moment of the machine meets everybody."""
NOTES = (
    "Time is processor time of the process, one thread, p50 over all steps of all turns. times_cheaper: the official "
    "windowed step's time a frame over the row's, median over the turns. snr_db and codes_equal_percent are against "
    "the official one pass over 4 s; with random weights an int8 file's say nothing about quality. Memory is of a "
    "process that does nothing else; torch loads both halves.",
)


def main(argv: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    python = oracle_python()
    if python is None:
        print(f"benchmarks.qwen3: {NEEDS}", file=sys.stderr)
        return 1
    pin_to_core(given.core)
    machine = describe_machine(["numpy", "onnxruntime", "torch"])
    release = release_folder(given.model, RESULTS / "qwen3")
    notes = [*NOTES, *([] if given.no_export else export_missing(release, given.onnx))]

    theirs, material = official_contenders(python, release, _speech(), PASS_FRAMES)
    everybody = [*theirs, *our_contenders(release, given.onnx, material)]
    try:
        for contender in everybody:
            contender.settle()
        for turn in range(given.rounds):
            print(f"round {turn + 1} of {given.rounds}", file=sys.stderr)
            for contender in everybody:
                contender.take_turn()
        truth = {
            "decoder": theirs[1].worker.ask("decode", theirs[1].data).arrays["pcm"],
            "encoder": material.codes[:, :, :PASS_FRAMES],
        }
        rows = [_row(contender, theirs, truth, material) for contender in everybody]
    finally:
        for worker in {id(contender.worker): contender.worker for contender in everybody}.values():
            worker.close()
    options = Options(core=given.core, seconds=SPEECH_S, out=given.out, json=given.json)
    report(options, title="qwen3-12hz: one core, one thread, one stream", rows=rows, machine=machine, notes=notes)
    if _on_a_gpu():
        _print_gpu(release)
    # On standard error with --json, whose reader wants nothing behind the document.
    print(figures(rows), file=sys.stderr if given.json else sys.stdout)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.qwen3", description=__doc__, epilog="example: make bench-qwen3"
    )
    cache = RESULTS / "qwen3"
    parser.add_argument("--model", type=Path, metavar="DIR", help="the released weights (default: random ones)")
    parser.add_argument("--onnx", type=Path, metavar="DIR", default=cache / "onnx", help="exports; made where missing")
    parser.add_argument("--no-export", action="store_true", help="measure the files that are there, and no others")
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS / "qwen3.json", metavar="FILE", help="where the JSON goes")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the table")
    return parser


def _speech() -> Array:
    """Speech [1, samples] at 24 kHz, whole frames."""
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        clip = read_audio(path, SAMPLE_RATE)
    return np.resize(clip, (1, SPEECH_S * SAMPLE_RATE)).astype(np.float32)


def _row(contender: Contender, theirs: Sequence[Contender], truth: dict[str, Array], material: Material) -> Row:
    """One line of the table."""
    is_ours = contender not in theirs
    ratio = snr = equal = None
    if contender.half == "decoder":
        ratio = median([slow / own for slow, own in zip(theirs[0].turns, contender.turns, strict=True)])
    if is_ours:
        expected = truth[contender.half]
        data = material.codes if contender.half == "decoder" else material.pcm
        result = output_of(contender, data[..., : PASS_FRAMES * data.shape[-1] // material.codes.shape[-1]])
        expected = expected[..., : result.shape[-1]]
        if contender.half == "decoder":
            snr = snr_db(expected, result)
        else:
            equal = 100 * float((result == expected).mean())
    memory = contender.worker.ask("memory").values
    size = None if contender.path is None else file_bytes(contender.path) / 1e6
    cells: dict[str, Cell] = {
        "half": contender.half,
        "what": contender.what,
        "frames_per_step": contender.frames,
        "ms_per_step": 1000 * median(contender.cpu_s),
        "real_time_factor": contender.real_time_factor,
        "times_cheaper": ratio,
        "snr_db": snr,
        "codes_equal_percent": equal,
        "rss_mb": memory["now"] / 1e6,
        "peak_rss_mb": memory["peak"] / 1e6,
        "file_mb": size,
        "ms_per_step_wall": 1000 * median(contender.wall_s),
    }
    return cells


def figures(rows: Sequence[Row]) -> str:
    """The line that is compared with what was aimed at. Of several files of a form it takes the fastest."""

    def of(half: str, what: str, frames: int, key: str, form: str) -> str:
        same = [row for row in rows if (row["half"], row["frames_per_step"]) == (half, frames)]
        found = [row for row in same if _form_of(str(row["what"])) == what]
        if not found:
            return "-"
        best = min(found, key=lambda row: float(row["ms_per_step"] or 0))
        return format(best[key], form)

    def factors(half: str, what: str) -> tuple[str, str]:
        one, four = (of(half, what, frames, "real_time_factor", ".3f") for frames in STEPS)
        return one, four

    int8, all_int8, encoder = factors("decoder", "int8"), factors("decoder", "int8-all"), factors("encoder", "fp32")
    return (
        f"figures: official windowed step {of('decoder', 'official', 1, 'ms_per_step', '.0f')} ms"
        f"; ONNX fp32 N=1 {of('decoder', 'fp32', 1, 'ms_per_step', '.1f')} ms, "
        f"{of('decoder', 'fp32', 1, 'times_cheaper', '.1f')} times cheaper (aim 22)"
        f"; int8 RTF {int8[0]} at N=1 (aim 0.42), {int8[1]} at N=4 (aim 0.35), all layers in int8 {all_int8[0]}, "
        f"{all_int8[1]}; encoder RTF {encoder[0]} at N=1 (aim 0.20), {encoder[1]} at N=4 (aim 0.12)"
    )


def _form_of(what: str) -> str:
    """Of one of our files "fp32", "int8" or "int8-all", of a way of the official package "official"."""
    engine, _, form = what.partition(" ")
    return form.removesuffix("-reduced") if engine == "ONNX" else engine


def _on_a_gpu() -> bool:
    """Whether torch finds one, asked in a process of its own."""
    ask = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


def _print_gpu(release: Path) -> None:
    """Five minutes encoded and decoded, and streams in real time: a benchmark of its own."""
    subprocess.run(
        [sys.executable, "-m", "benchmarks.qwen3.streams", "--device", "cuda", "--model", str(release)],
        check=False,
        cwd=REPOSITORY,
    )


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except WorkerError as error:
        raise SystemExit(f"benchmarks.qwen3: {error}") from error

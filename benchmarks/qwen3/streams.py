"""How many live streams one machine encodes, and decodes, in real time, and how fast it does whole recordings.

Streams: all of them in one batched step of one frame; the most streams whose 99th percentile of the step's time, from
samples handed over to codes received, is below a frame's 80 ms. Recording: one stream in long steps, encoded, then
decoded.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness import RESULTS, Options, Row, describe_machine, median, percentile, pin_to_core, report
from benchmarks.proc import memory_bytes
from benchmarks.qwen3.models import CODEC, release_folder
from codec import read_audio
from codec.errors import CodecError
from codec.models.device import torch_device
from codec.models.factory import TorchCodec, load_torch_codec
from codec.models.live import LiveDecoder, LiveEncoder, Mode
from codec.models.session import TorchDecoder, TorchEncoder
from codec.spec import CodecSpec

Array = NDArray[Any]

WARM_UP_STEPS = 3
SIGNAL_FRAMES = 50
"""Frames that the streams repeat, each from a place of its own."""
BISECTIONS = 2
"""Steps between the last power of two that held and the first that did not: the answer is within a quarter of it."""
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and for how long."""

    device: torch.device
    mode: Mode
    steps: int
    """Measured for each number of streams."""
    most_streams: int
    recording_s: float
    chunk_frames: int
    """Frames of a step of the recording."""


def main(argv: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    try:
        settings = _settings(given)
        if settings.device.type == "cpu":
            torch.set_num_threads(given.threads)
            if given.threads == 1:
                pin_to_core(given.core)
        machine = describe_machine(["numpy", "torch"])
        machine["device"] = _device_name(settings.device)
        model = given.model
        if given.codec == CODEC:
            model = release_folder(model, RESULTS / "qwen3")
        codec = load_torch_codec(given.codec, model)
        rows = list(measure(codec, settings, say=lambda text: print(text, file=sys.stderr)))
    except CodecError as error:
        print(f"benchmarks.qwen3.streams: {error}", file=sys.stderr)
        return error.exit_code
    options = Options(core=given.core, seconds=settings.recording_s, out=given.out, json=given.json)
    title = f"{codec.spec.name}: live streams and recordings on {machine['device']}"
    report(options, title=title, rows=rows, machine=machine, notes=_notes(settings))
    print(figures(rows, settings), file=sys.stderr if given.json else sys.stdout)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.qwen3.streams",
        description=__doc__,
        epilog="example: python -m benchmarks.qwen3.streams --device cuda --mode graph",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--codec", default=CODEC, help="qwen3-12hz or nano (default: %(default)s)")
    parser.add_argument("--model", type=Path, metavar="DIR", help="the released weights (default: random ones)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1; auto: a GPU where there is one (default)")
    parser.add_argument("--mode", choices=get_args(Mode), default="auto", help="how a step runs (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="for each number of streams (default: 250 on a GPU, 25 on a CPU)")
    parser.add_argument("--most-streams", type=int, help="where to stop (default: 8192 on a GPU, 16 on a CPU)")
    parser.add_argument("--recording", type=float, metavar="SECONDS", help="default: 300 on a GPU, 8 on a CPU")
    parser.add_argument(
        "--chunk", type=int, default=25, metavar="FRAMES", help="of the recording (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="on a CPU (default: %(default)s)")
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)), help="of the one thread")
    parser.add_argument(
        "--out", type=Path, default=RESULTS / "qwen3_streams.json", metavar="FILE", help="the JSON file"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the table")
    return parser


def _settings(given: argparse.Namespace) -> Settings:
    """Raises DeviceError."""
    name = given.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch_device(name)
    on_gpu = device.type == "cuda"
    return Settings(
        device=device,
        mode=given.mode,
        steps=given.steps or (250 if on_gpu else 25),
        most_streams=given.most_streams or (8192 if on_gpu else 16),
        recording_s=given.recording or (300.0 if on_gpu else 8.0),
        chunk_frames=given.chunk,
    )


def measure(codec: TorchCodec, settings: Settings, *, say: Callable[[str], None]) -> Iterator[Row]:
    """The recording, then numbers of streams for each half; `say` is told what goes on."""
    signal = _speech(codec.spec)
    yield from _recording(codec, settings, signal, say)
    encoder = codec.encoder.to(settings.device)
    codec.decoder.cpu()  # its memory is not the encoder's
    with TorchEncoder(encoder, codec.spec).session() as session:
        codes = session.encode(signal[np.newaxis])[0]
    frames = list(signal.reshape(SIGNAL_FRAMES, -1))

    def encoding(streams: int) -> LiveEncoder:
        return LiveEncoder(encoder, codec.spec, capacity=streams, mode=settings.mode)

    yield from _capacities(encoding, frames, settings, say)
    codec.encoder.cpu()
    decoder = codec.decoder.to(settings.device)

    def decoding(streams: int) -> LiveDecoder:
        return LiveDecoder(decoder, codec.spec, capacity=streams, mode=settings.mode)

    yield from _capacities(decoding, list(np.split(codes, SIGNAL_FRAMES, axis=1)), settings, say)


def _speech(spec: CodecSpec) -> Array:
    """`SIGNAL_FRAMES` of it."""
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        clip = read_audio(path, spec.sample_rate)
    return np.resize(clip, SIGNAL_FRAMES * spec.frame_size).astype(np.float32)


def _recording(codec: TorchCodec, settings: Settings, signal: Array, say: Callable[[str], None]) -> Iterator[Row]:
    """A long recording, one stream, in steps of `chunk_frames`: both halves loaded, as a user has them."""
    spec, device = codec.spec, settings.device
    say(f"recording of {settings.recording_s:.0f} s")
    encoder = TorchEncoder(codec.encoder.to(device), spec)
    decoder = TorchDecoder(codec.decoder.to(device), spec)
    chunks = max(1, round(settings.recording_s / spec.frame_duration_s / settings.chunk_frames))
    chunk = np.resize(signal, (1, settings.chunk_frames * spec.frame_size))
    with encoder.session() as encoding, decoder.session() as decoding:
        decoding.decode(encoding.encode(chunk))  # libraries choose their kernels
        codes: list[Array] = []

        def encode() -> None:
            codes.extend(encoding.encode(chunk) for _ in range(chunks))

        def decode() -> None:
            for part in codes:
                decoding.decode(part)

        for half, work in (("encoder", encode), ("decoder", decode)):
            _forget_peak(device)
            begun = time.perf_counter()
            work()
            taken = time.perf_counter() - begun
            audio_s = chunks * settings.chunk_frames * spec.frame_duration_s
            yield {
                **_row(half, "recording", settings, streams=1, frames=settings.chunk_frames, ways="eager"),
                "audio_s": audio_s,
                "taken_s": taken,
                "hours_per_hour": audio_s / taken,
                "peak_mb": _peak_bytes(device) / MEGABYTE,
            }


def _capacities(
    make: Callable[[int], LiveEncoder | LiveDecoder],
    frames: Sequence[Array],
    settings: Settings,
    say: Callable[[str], None],
) -> Iterator[Row]:
    """Twice as many streams until the step is too slow or memory is gone, then between the last two numbers."""
    held, failed, streams, tries = 0, 0, 1, 0
    while streams <= settings.most_streams:
        row = _streams(make, streams, frames, settings, say)
        if row is not None:
            yield row
        if row is not None and row["holds"] == "yes":
            held = streams
        else:
            failed = streams
        if not held:
            return
        tries += bool(failed)
        streams = (held + failed) // 2 if failed else 2 * streams
        if tries > BISECTIONS or streams == held:
            return


def _streams(
    make: Callable[[int], LiveEncoder | LiveDecoder],
    streams: int,
    frames: Sequence[Array],
    settings: Settings,
    say: Callable[[str], None],
) -> Row | None:
    """One number of streams; None where there is no memory for them."""
    device = settings.device
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    _forget_peak(device)
    before = torch.cuda.memory_reserved(device) if device.type == "cuda" else 0
    try:
        live = make(streams)
        handles = [live.join() for _ in range(streams)]
        taken = []
        for turn in range(WARM_UP_STEPS + settings.steps):
            begun = time.perf_counter()
            for index, handle in enumerate(handles):
                live.push(handle, frames[(turn + 7 * index) % len(frames)])
            live.step()
            taken.append(time.perf_counter() - begun)
    except torch.OutOfMemoryError:
        say(f"no memory for {streams} streams")
        return None
    half = "encoder" if isinstance(live, LiveEncoder) else "decoder"
    frame_s = live.spec.frame_duration_s
    taken = taken[WARM_UP_STEPS:]
    worst = percentile(taken, 99)
    say(f"{half}: {streams} streams, p99 {1000 * worst:.1f} ms")
    used = torch.cuda.max_memory_reserved(device) - before if device.type == "cuda" else None
    return {
        **_row(half, "live", settings, streams=streams, frames=1, ways=live.mode),
        "ms_per_step_p50": 1000 * median(taken),
        "ms_per_step_p99": 1000 * worst,
        "holds": "yes" if worst < frame_s else "no",
        "hours_per_hour": streams * frame_s * len(taken) / sum(taken),
        "state_mb_per_stream": live.bytes_per_stream / MEGABYTE,
        "memory_mb_per_stream": None if used is None else used / streams / MEGABYTE,
        "peak_mb": _peak_bytes(device) / MEGABYTE,
    }


def _row(half: str, what: str, settings: Settings, *, streams: int, frames: int, ways: str) -> Row:
    """The columns of all rows, in their order; what a kind of row has no figure for stays empty."""
    return {
        "half": half, "what": what, "device": str(settings.device), "mode": ways, "streams": streams,
        "frames_per_step": frames, "ms_per_step_p50": None, "ms_per_step_p99": None, "holds": "-", "audio_s": None,
        "taken_s": None, "hours_per_hour": None, "state_mb_per_stream": None, "memory_mb_per_stream": None,
        "peak_mb": None,
    }  # fmt: skip


def _forget_peak(device: torch.device) -> None:
    """From here on a new peak: loading the weights takes more than running them."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM becomes VmRSS


def _peak_bytes(device: torch.device) -> int:
    """The most that was taken since `_forget_peak`: tensors on a GPU; on a CPU the whole process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return memory_bytes(os.getpid(), "VmHWM")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"


def _notes(settings: Settings) -> list[str]:
    peak = "tensors on the GPU, weights included" if settings.device.type == "cuda" else "resident, the whole process"
    return [
        f"{settings.steps} steps for each number of streams, one after another without a pause; holds: p99 below a "
        f"frame. peak_mb: {peak}. memory_mb_per_stream: all that the GPU's memory grew by, divided.",
    ]


def figures(rows: Sequence[Row], settings: Settings) -> str:
    """The line that is compared with what was aimed at."""
    parts = []
    recorded = [row for row in rows if row["what"] == "recording"]
    if recorded:
        taken = sum(float(row["taken_s"] or 0) for row in recorded)
        peak = max(float(row["peak_mb"] or 0) for row in recorded)
        audio_s = float(recorded[0]["audio_s"] or 0)
        parts.append(f"{audio_s:g} s encoded and decoded in {taken:.2f} s, peak {peak:.0f} MB")
    for half in ("encoder", "decoder"):
        held = [row for row in rows if (row["half"], row["what"], row["holds"]) == (half, "live", "yes")]
        best = max(held, key=lambda row: int(row["streams"] or 0), default=None)
        if best is None:
            parts.append(f"{half}: not one live stream in real time")
            continue
        parts.append(
            f"{half}: {best['streams']} live streams at p99 {best['ms_per_step_p99']:.1f} ms, "
            f"{best['hours_per_hour']:.0f} hours an hour"
        )
    return f"figures ({settings.device}): " + "; ".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())

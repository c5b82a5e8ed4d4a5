"""What this machine brings: the inference engine that is installed, and how fast a model runs on it."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Iterable
from typing import Final

from protocol.service.check import Finding
from protocol.service.exit_codes import ExitCode
from protocol.service.percentiles import Percentiles

ENGINES: Final = ("onnxruntime", "onnxruntime-gpu")
"""Two packages with the same files: the later one installed overwrites the other."""

TRIAL_FRAMES: Final = 50
TRIAL_S: Final = 3.0
COMFORTABLE: Final = 0.5
"""Seconds of work per second of audio: twice as fast as needed leaves room for the rest of the machine."""


def engine_finding() -> Finding:
    """Which ONNX Runtime packages are installed."""
    versions = {name: _version(name) for name in ENGINES}
    installed = [f"{name} {version}" for name, version in versions.items() if version is not None]
    if len(installed) > 1:
        return Finding(
            f"{' and '.join(installed)} are both installed and overwrite each other's files: which one runs is chance",
            "warning",
            "pip uninstall -y onnxruntime onnxruntime-gpu, then install one: pip install 'voxwire[cpu]' or "
            "'voxwire[cuda]'",
        )
    if not installed:
        return Finding(
            "ONNX Runtime is not installed by pip",
            "note",
            "if the codec below fails: pip install 'voxwire[cpu]', or 'voxwire[cuda]'",
        )
    return Finding(installed[0])


def time_frames(step: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds of each of up to 50 calls of `step`, one frame each; fewer where they take longer than 3 s together."""
    durations: list[float] = []
    while len(durations) < TRIAL_FRAMES and sum(durations) < TRIAL_S:
        begun = clock()
        step()
        durations.append(clock() - begun)
    return durations


def speed_finding(durations_s: Iterable[float], frame_duration_s: float, *, remedy: str) -> Finding:
    """A verdict on `durations_s`, the time that each frame took, against the time that a frame lasts."""
    durations = Percentiles()
    for duration_s in durations_s:
        durations.add(duration_s)
    measured = durations.snapshot()
    median_s, p95_s = measured.p50, measured.p95
    factor = p95_s / frame_duration_s
    figures = {
        "frame_ms_p50": round(median_s * 1000, 2),
        "frame_ms_p95": round(p95_s * 1000, 2),
        "real_time_factor": round(factor, 4),
    }
    said = f"{median_s * 1000:.1f} ms a frame (95 of 100 within {p95_s * 1000:.1f} ms) of {frame_duration_s * 1000:.0f}"
    if factor >= 1.0:
        return Finding(f"{said}: too slow for real time", "failed", remedy, int(ExitCode.FAILURE), figures)
    if factor >= COMFORTABLE:
        return Finding(f"{said}: just fast enough, any other work will be heard", "warning", remedy, 0, figures)
    return Finding(f"{said}: {1 / max(factor, 1e-6):.0f} times faster than real time", figures=figures)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

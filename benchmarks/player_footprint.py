"""A real player on a real broker, fed by a real gateway: memory, CPU, and start of the process to its first sound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from benchmarks.harness import Row, describe_machine, median, parse_options, pin_to_core, report
from benchmarks.proc import cpu_seconds, memory_bytes
from gateway.demo.broker import start_broker
from protocol.link import LINK_PROFILES

TRIALS = 5
LINKS = ("lan", "wan")
READ_BYTES = 4096
GIVE_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One player from start to end. Seconds and bytes."""

    first_sound_s: float
    rss: int
    peak_rss: int
    cpu_per_s: float


def main() -> int:
    options = parse_options(
        "player_footprint", __doc__ or "", seconds=10.0, seconds_help="seconds that each player plays"
    )
    pin_to_core(options.core)
    machine = describe_machine(["numpy", "onnxruntime", "paho-mqtt"])
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        broker = start_broker(Path(directory))
        try:
            for link in LINKS:
                with _gateway(broker.url, link):
                    _play(broker.url, seconds=1.0)  # the gateway is ready, and the files are in the page cache
                    trials = [_play(broker.url, seconds=options.seconds) for _ in range(TRIALS)]
                rows.append(_row(link, trials))
        finally:
            broker.stop()
    report(
        options,
        title=f"edge-player, {TRIALS} processes one after the other for each link",
        rows=rows,
        machine=machine | {"broker": broker.name},
        notes=["first_sound_ms: start of the process to the first sample that is not zero, playout delay included."],
    )
    return 0


@contextmanager
def _gateway(url: str, link: str) -> Iterator[None]:
    """A gateway that sends the bundled clip for ever."""
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as clip:
        arguments = ["run", "--source", str(clip), "--loop", "--stream", "bench", "--broker", url, "--link", link]
        process = _start("gateway", arguments, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            _end(process)


def _play(url: str, *, seconds: float) -> Trial:
    """Start a player that writes PCM to a pipe, read the pipe, watch the process."""
    begun = time.monotonic()
    arguments = ["run", "--stream", "bench", "--broker", url, "--out", "-", "--wait"]
    process = _start("edge_player", arguments, stdout=subprocess.PIPE)
    first_sound = threading.Event()
    heard_at = [0.0]

    def drain() -> None:
        assert process.stdout is not None
        while chunk := os.read(process.stdout.fileno(), READ_BYTES):
            if not first_sound.is_set() and any(chunk):
                heard_at[0] = time.monotonic()
                first_sound.set()

    reader = threading.Thread(target=drain, name="pcm-reader", daemon=True)
    reader.start()
    try:
        if not first_sound.wait(GIVE_UP_S):
            raise SystemExit(f"edge-player made no sound within {GIVE_UP_S:.0f} s (exit code {process.poll()})")
        cpu_before, at = cpu_seconds(process.pid), time.monotonic()
        time.sleep(seconds)
        cpu_per_s = (cpu_seconds(process.pid) - cpu_before) / (time.monotonic() - at)
        rss, peak_rss = memory_bytes(process.pid, "VmRSS"), memory_bytes(process.pid, "VmHWM")
    finally:
        _end(process)
        reader.join(5.0)
    return Trial(first_sound_s=heard_at[0] - begun, rss=rss, peak_rss=peak_rss, cpu_per_s=cpu_per_s)


def _start(module: str, arguments: list[str], *, stdout: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, *arguments, "--log-level", "warning"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _row(link: str, trials: list[Trial]) -> Row:
    profile = LINK_PROFILES[link]
    return {
        "link": link,
        "frames_per_packet": profile.frames_per_packet,
        "playout_delay_ms": profile.playout_delay_ms,
        "first_sound_ms_p50": 1000 * median([trial.first_sound_s for trial in trials]),
        "first_sound_ms_max": 1000 * max(trial.first_sound_s for trial in trials),
        "rss_mb_p50": median([trial.rss for trial in trials]) / 1e6,
        "peak_rss_mb_max": max(trial.peak_rss for trial in trials) / 1e6,
        "cpu_percent_p50": 100 * median([trial.cpu_per_s for trial in trials]),
    }


if __name__ == "__main__":
    raise SystemExit(main())

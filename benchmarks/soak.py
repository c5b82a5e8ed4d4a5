"""Both ends through virtual sound cards for a long time: does memory grow, does latency drift, is anything ever lost?

Real processes, PortAudio, ALSA, PulseAudio and Mosquitto; the room is described in benchmarks/room/virtual_room.py.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness import Row, describe_machine, median, parse_options, percentile, report
from benchmarks.proc import cpu_seconds, memory_bytes
from benchmarks.room.ends import End, Ends, Stats
from benchmarks.room.listening import listen
from benchmarks.room.speech import speak, utterances
from benchmarks.room.virtual_room import RATE_HZ, VirtualRoom
from benchmarks.trend import Trend, fit_trend
from gateway.demo.broker import start_broker

LINK = "lan"
SAMPLE_S = 5.0
ROUND = 10
"""Utterances between two listenings: 25 s of speech."""

PATIENCE_S = 1.5
FRAME_LOSS = 0.001
"""Share of frames that QoS 0 and 160 ms of patience may lose where the machine holds a process up."""
WARM_UP = 0.25
"""Part of the run whose memory and latency do not count: the reservoirs of the percentiles fill for 5.5 minutes."""


@dataclass(slots=True)
class Course:
    """Resident bytes and processor seconds of one process over time."""

    end: End
    at_s: list[float] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def sample(self, now: float) -> None:
        """Look once. Raises EndError where the process has ended."""
        self.end.check()
        self.at_s.append(now)
        self.rss.append(memory_bytes(self.end.process.pid))
        self.cpu_s.append(cpu_seconds(self.end.process.pid))

    @property
    def cpu_percent(self) -> float:
        """Of one core, over the whole run."""
        return 100.0 * (self.cpu_s[-1] - self.cpu_s[0]) / max(1e-9, self.at_s[-1] - self.at_s[0])


@dataclass(slots=True)
class Listening:
    """Utterances said so far, and those that were heard: when, and how much later, ms."""

    said: int = 0
    at_s: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)


def main() -> int:
    options = parse_options("soak", __doc__ or "", seconds=1800.0, seconds_help="how long")
    machine = describe_machine(["numpy", "onnxruntime", "paho-mqtt", "sounddevice"])
    with (
        tempfile.TemporaryDirectory() as directory,
        start_broker(Path(directory) / "broker", prefer="mosquitto") as broker,
        VirtualRoom(Path(directory) / "room") as room,
        Ends("soak", broker.url, folder=Path(directory), environ=room.environ) as ends,
    ):
        player, gateway = ends.start_player(), ends.start_gateway("--link", LINK)
        player.wait_for("online")
        courses = {"gateway": Course(gateway), "edge-player": Course(player)}
        listening = _talk(room, courses, seconds=options.seconds)
        sent, played = gateway.finish(), player.finish()
    faults = _faults(listening, sent, played)
    report(
        options,
        title=f"{options.seconds / 60:g} minutes of speech over the link profile {LINK}, through virtual sound cards",
        rows=[_process_row(name, course) for name, course in courses.items()],
        machine=machine | {"broker": "mosquitto"} | _figures(listening, sent, played),
        notes=[
            f"Slopes are least squares without the first {100 * WARM_UP:.0f} % of the run, with half the width of "
            "their 95 % interval.",
            _sentence(listening, sent, played),
            f"FAILED: {', '.join(faults)}" if faults else "Nothing was lost, and no card ever ran dry.",
        ],
    )
    return 1 if faults else 0


def _talk(room: VirtualRoom, courses: dict[str, Course], *, seconds: float) -> Listening:
    """Speak round after round, watch both processes meanwhile, and listen to each round when it is over."""
    pieces = utterances(RATE_HZ, count=ROUND)
    speech = speak(pieces, RATE_HZ)
    listening = Listening()
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        recorder = room.record()
        talker = room.say(speech, RATE_HZ)
        while talker.poll() is None:
            for course in courses.values():
                course.sample(time.monotonic() - begun)
            time.sleep(SAMPLE_S)
        recorder.wait_for(PATIENCE_S)
        heard = listen(recorder, pieces, start_s=0.0, patience_s=PATIENCE_S)
        listening.said += len(heard)
        found = [1000.0 * result.latency_s for result in heard if result.latency_s is not None]
        listening.latency_ms += found
        listening.at_s += [elapsed] * len(found)
        _show_progress(elapsed, seconds)
    return listening


def _show_progress(elapsed: float, seconds: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if elapsed >= seconds else ""
        print(f"\r{elapsed / 60:5.1f} of {seconds / 60:g} minutes", end=end, file=sys.stderr, flush=True)


def _trend(at_s: list[float], values: list[float]) -> Trend:
    """Change an hour, without the warm-up."""
    first = WARM_UP * at_s[-1]
    kept = [(at / 3600.0, value) for at, value in zip(at_s, values, strict=True) if at >= first]
    return fit_trend([at for at, _ in kept], [value for _, value in kept])


def _process_row(name: str, course: Course) -> Row:
    megabytes = [rss / 1e6 for rss in course.rss]
    slope = _trend(course.at_s, megabytes)
    return {
        "process": name,
        "cpu_percent": course.cpu_percent,
        "rss_mb_first": megabytes[0],
        "rss_mb_last": megabytes[-1],
        "rss_mb_max": max(megabytes),
        "slope_mb_per_h": slope.slope,
        "plus_minus": slope.uncertainty,
        "samples": len(megabytes),
    }


def _figures(listening: Listening, sent: Stats, played: Stats) -> dict[str, str | int | float | None]:
    """For the JSON."""
    drift = _trend(listening.at_s, listening.latency_ms) if listening.at_s else Trend(0.0, 0.0)
    return {
        "utterances": listening.said,
        "utterances_heard": len(listening.latency_ms),
        "latency_ms_p50": median(listening.latency_ms) if listening.latency_ms else None,
        "latency_ms_p95": percentile(listening.latency_ms, 95) if listening.latency_ms else None,
        "latency_ms_max": max(listening.latency_ms, default=None),
        "latency_ms_per_h": drift.slope,
        "latency_ms_per_h_plus_minus": drift.uncertainty,
        "frames_encoded": sent["frames_encoded"],
        "frames_due": played["frames_due"],
        "frames_played": played["frames_played"],
        "underruns": played["underruns"],
        "sink_underflows": played["sink_underflows"],
        "input_overflows": sent["input_overflows"],
    }


def _sentence(listening: Listening, sent: Stats, played: Stats) -> str:
    figures = _figures(listening, sent, played)
    if figures["latency_ms_p50"] is None:
        return "Nothing was heard."
    return (
        f"{figures['utterances_heard']} of {figures['utterances']} utterances were heard, "
        f"p50 {figures['latency_ms_p50']:.0f} ms, p95 {figures['latency_ms_p95']:.0f} ms, most "
        f"{figures['latency_ms_max']:.0f} ms from mouth to ear, drifting {figures['latency_ms_per_h']:+.1f} "
        f"± {figures['latency_ms_per_h_plus_minus']:.1f} ms an hour; {figures['frames_played']} of "
        f"{figures['frames_due']} frames played, {figures['underruns']} underruns, {figures['sink_underflows']} of the "
        f"card, {figures['input_overflows']} input overflows."
    )


def _faults(listening: Listening, sent: Stats, played: Stats) -> list[str]:
    """What was promised and not kept."""
    found = {
        "underruns": played["underruns"],
        "input overflows": sent["input_overflows"],
        "utterances not heard": listening.said - len(listening.latency_ms),
    }
    faults = [f"{count} {what}" for what, count in found.items() if count]
    lost = played["frames_due"] - played["frames_played"] - played["frames_primed"]
    if lost > FRAME_LOSS * played["frames_due"]:
        faults.append(f"{lost} frames lost")
    return faults


if __name__ == "__main__":
    raise SystemExit(main())

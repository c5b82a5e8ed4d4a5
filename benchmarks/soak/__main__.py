"""Both ends through virtual sound cards for a long time: does memory grow, does latency drift, is anything ever lost?

Real processes, PortAudio, ALSA, PulseAudio and Mosquitto; the room is described in benchmarks/room/virtual_room.py,
what must hold in benchmarks/soak/promises.py.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import describe_machine, pin_to_core, report
from benchmarks.room.ends import EndError, Ends, Stats
from benchmarks.room.virtual_room import VirtualRoom
from benchmarks.soak.conversation import talk
from benchmarks.soak.course import Course
from benchmarks.soak.course_file import CourseFile
from benchmarks.soak.figures import last_line, process_row, sound_figures, sound_sentence
from benchmarks.soak.listening import Listening
from benchmarks.soak.options import SoakOptions, parse_options
from benchmarks.soak.promises import SLOPE_RUN_S, broken_promises
from benchmarks.soak.warm_up import warm_up_s
from gateway.demo.broker import start_broker

LINK = "lan"


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Its exit code: 0, 2 for a wrong command line, 1 where a promise was not kept."""
    options = parse_options(argv)
    pin_to_core(options.report.core)
    machine = describe_machine(["numpy", "onnxruntime", "paho-mqtt", "sounddevice"])
    try:
        courses, listening, sent, played = _run(options)
    except EndError as error:
        print(f"benchmarks.soak: {error}\nsoak FAILED: a process did not last", file=sys.stderr)
        return 1
    faults = broken_promises(courses, listening, sent, played, judge_memory=options.judge_memory)
    report(
        options.report,
        title=f"{options.report.seconds / 60:.3g} minutes of speech over the link profile {LINK}, "
        "through virtual sound cards",
        rows=[process_row(course) for course in courses],
        machine=machine | {"broker": "mosquitto"} | sound_figures(listening, sent, played),
        notes=[
            _how_judged(options),
            sound_sentence(listening, sent, played),
            *(f"FAILED: {fault}." for fault in faults),
            *([] if faults else ["Nothing was lost, and no card ever ran dry."]),
        ],
    )
    line = last_line(courses, listening, played, judge_memory=options.judge_memory, faults=faults)
    print(line, file=sys.stderr if options.report.json else sys.stdout)
    return 1 if faults else 0


def _run(options: SoakOptions) -> tuple[list[Course], Listening, Stats, Stats]:
    """The courses of all three processes, what was heard, and the final counters of gateway and player."""
    with (
        CourseFile(options.report.out.with_suffix(".csv")) as file,
        tempfile.TemporaryDirectory() as directory,
        start_broker(Path(directory) / "broker", prefer="mosquitto") as broker,
        VirtualRoom(Path(directory) / "room") as room,
        Ends("soak", broker.url, folder=Path(directory), environ=room.environ) as ends,
    ):
        player, gateway = ends.start_player(), ends.start_gateway("--link", LINK)
        player.wait_for("online")
        courses = [
            Course("gateway", gateway.process.pid),
            Course("edge-player", player.process.pid),
            Course("mosquitto", broker.process.pid),
        ]

        def check() -> None:
            gateway.check()
            player.check()
            code = broker.process.poll()
            if code is not None:
                raise EndError(f"mosquitto ended with exit code {code}; its log:\n{broker.log_path.read_text()}")

        listening = talk(room, courses, seconds=options.report.seconds, file=file, check=check)
        return courses, listening, gateway.finish(), player.finish()


def _how_judged(options: SoakOptions) -> str:
    first = warm_up_s(options.report.seconds)
    if not options.judge_memory:
        return f"Memory is not judged: too short for the slope, which takes {SLOPE_RUN_S:g} s."
    return (
        f"Slopes are least squares without the first {first / 60:.3g} minutes, with half the width of their 95 % "
        "interval; threads and descriptors are the fewest and the most after them."
    )


if __name__ == "__main__":
    raise SystemExit(main())

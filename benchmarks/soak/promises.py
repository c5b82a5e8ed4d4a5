"""What a long time must not change, and how one says that it did. Pure: it judges what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.room.ends import Stats
from benchmarks.soak.course import Course
from benchmarks.soak.listening import Listening
from benchmarks.trend import BLOCKS

MAX_GROWTH_MB_PER_H: Final = 1.0
"""Resident memory of one process, 10^6 bytes: the upper end of the slope's 95 % interval stays below it."""

SLOPE_RUN_S: Final = 1200.0
"""A shorter run cannot tell a slope of so little from a single page of memory more."""

FRAME_LOSS: Final = 0.001
"""Share of frames that QoS 0 and 160 ms of patience may lose where the machine holds a process up."""

UNSAID_ROUNDS: Final = 0.1
"""Share of rounds that may tell nothing because the sound server itself was held up."""


def broken_promises(
    courses: Sequence[Course], listening: Listening, sent: Stats, played: Stats, *, judge_memory: bool
) -> list[str]:
    """One sentence, without its full stop, for each promise that was not kept. sent, played: the final counters."""
    found = [] if not judge_memory else [fault for course in courses for fault in growth_faults(course)]
    found += [fault for course in courses for fault in constancy_faults(course)]
    return found + loss_faults(listening, sent, played)


def growth_faults(course: Course) -> list[str]:
    """Memory that grows, or of which nobody can say that it does not."""
    count = len(course.at_s[course.warm])
    if count < BLOCKS:
        return [f"{course.name}'s memory cannot be judged: {count} samples after the warm-up, and it takes {BLOCKS}"]
    trend = course.megabytes_per_h
    most = trend.slope + trend.uncertainty
    if most < MAX_GROWTH_MB_PER_H:
        return []
    return [
        f"{course.name}'s memory may grow by {most:.2f} MB an hour ({trend.slope:+.2f} ± {trend.uncertainty:.2f}), "
        f"and less than {MAX_GROWTH_MB_PER_H:g} is promised"
    ]


def constancy_faults(course: Course) -> list[str]:
    """Threads or descriptors that became more or fewer after the warm-up, or were never counted there."""
    at_s = course.at_s[course.warm]
    if len(at_s) < 2:
        return [f"{course.name}'s threads and descriptors cannot be judged: {len(at_s)} samples after the warm-up"]
    faults = []
    for what, counts in (("threads", course.threads), ("descriptors", course.descriptors)):
        first, *rest = counts[course.warm]
        change = next(((at, count) for at, count in zip(at_s[1:], rest, strict=True) if count != first), None)
        if change is not None:
            at, count = change
            span = f"{min(first, *rest)} to {max(first, *rest)}"
            faults.append(
                f"{course.name}'s {what} went from {first} to {count} at {at:.0f} s ({span} in all), "
                "and they are promised to stay as many"
            )
    return faults


def loss_faults(listening: Listening, sent: Stats, played: Stats) -> list[str]:
    """Sound that was lost on its way."""
    found = {
        "underruns": played["underruns"],
        "input overflows": sent["input_overflows"],
        "utterances not heard": listening.said - listening.heard,
    }
    faults = [f"{count} {what}" for what, count in found.items() if count]
    if not listening.said:
        faults.append("nothing was said")
    if listening.unsaid_rounds > UNSAID_ROUNDS * listening.rounds:
        faults.append(
            f"the room did not say {listening.unsaid_rounds} of {listening.rounds} rounds: "
            "the machine is too busy to tell"
        )
    lost = lost_frames(played)
    if lost > FRAME_LOSS * played["frames_due"]:
        faults.append(f"{lost} of {played['frames_due']} frames lost, and one in {1 / FRAME_LOSS:.0f} may be")
    return faults


def lost_frames(played: Stats) -> int:
    """Frames that were due and not played as they were sent."""
    return int(played["frames_due"] - played["frames_played"] - played["frames_primed"])

"""Speech round after round, with an eye on the processes meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.room.listening import NotSaidError, listen
from benchmarks.room.speech import speak, utterances
from benchmarks.room.virtual_room import RATE_HZ, VirtualRoom
from benchmarks.soak.course import Course
from benchmarks.soak.course_file import CourseFile
from benchmarks.soak.listening import Listening

SAMPLE_S: Final = 5.0
ROUND: Final = 10
"""Utterances between two listenings: 25 s of speech."""

PATIENCE_S: Final = 1.5


def talk(
    room: VirtualRoom,
    courses: Sequence[Course],
    *,
    seconds: float,
    file: CourseFile,
    check: Callable[[], None],
) -> Listening:
    """Speak for so long, and to the end of the round begun; sample every process meanwhile, and listen to each round
    when it is over. check: raises where a process has ended; asked before each sample.
    """
    pieces = utterances(RATE_HZ, count=ROUND)
    speech = speak(pieces, RATE_HZ)
    listening = Listening()
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        recorder = room.record()
        talker = room.say(speech, RATE_HZ)
        while talker.poll() is None:
            check()
            for course in courses:
                course.sample(time.monotonic() - begun)
                file.add(course)
            time.sleep(SAMPLE_S)
        recorder.wait_for(PATIENCE_S)
        try:
            listening.add(elapsed, listen(recorder, pieces, start_s=0.0, patience_s=PATIENCE_S))
        except NotSaidError:
            listening.add_unsaid()
        _show_progress(elapsed, seconds)
    return listening


def _show_progress(elapsed: float, seconds: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{elapsed / 60:5.1f} of {seconds / 60:g} minutes", end="", file=sys.stderr, flush=True)

"""Each parser in a process of its own: one that dies or never ends is found, with the case it was at."""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.runner import Escape, Tally, run_cases
from tests.fuzz.targets import all_targets

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.sharedctypes import Synchronized

HANGS_S: Final = 60.0
"""A parser that has been at one case for so long does not come back."""

_LOOK_S: Final = 0.5
_MEMORY: Final = Path("/dev/shm")
"""Where cases of file parsers are written: not worth a disk's time."""

_context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads without their owners


def run_apart(name: str, cases: int, seed: int) -> Tally:
    """The first so many cases of the parser of that name."""
    number: Synchronized[int] = _context.Value("q", -1)
    answers: Queue[Tally] = _context.Queue()
    child = _context.Process(target=_work, args=(name, cases, seed, number, answers), daemon=True)
    child.start()
    at, since = -1, time.monotonic()
    while True:
        try:
            tally = answers.get(timeout=_LOOK_S)
        except queue.Empty:
            if number.value != at:
                at, since = number.value, time.monotonic()
            if child.exitcode is not None and answers.empty():
                return _lost(name, number.value, seed, f"its process ended with {child.exitcode}")
            if time.monotonic() - since > HANGS_S:
                child.kill()
                return _lost(name, number.value, seed, f"no end within {HANGS_S:.0f} s")
            continue
        child.join()
        return tally


def case_of(name: str, number: int, seed: int) -> bytes:
    """The case of that number."""
    with tempfile.TemporaryDirectory() as folder:
        (target,) = (target for target in all_targets(Path(folder)) if target.name == name)
        return target.case(seed, number)


def memory_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for cases, in memory where there is one."""
    return tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)


def _lost(name: str, number: int, seed: int, why: str) -> Tally:
    case = case_of(name, number, seed) if number >= 0 else b""
    return Tally(name, cases=number + 1, escapes=[Escape(number, case, why)])


def _work(name: str, cases: int, seed: int, number: Synchronized[int], answers: Queue[Tally]) -> None:
    logging.disable(logging.CRITICAL)  # what the parsers say of a million bad cases
    with memory_folder() as folder:
        (target,) = (target for target in all_targets(Path(folder)) if target.name == name)
        answers.put(run_cases(target, _noted(cases, number), seed=seed))


def _noted(cases: int, number: Synchronized[int]) -> Iterator[int]:
    for current in range(cases):
        number.value = current
        yield current

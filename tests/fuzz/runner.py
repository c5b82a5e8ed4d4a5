"""Runs the cases of one parser and keeps count: accepted, refused, the slowest, the largest, and what escaped."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.fuzz.target import Target

SLOWEST_S: Final = 0.05
"""No case may take longer. The best of a few attempts counts: the machine may be busy with something else."""

_ATTEMPTS: Final = 5
_MAX_ESCAPES: Final = 5


@dataclass(frozen=True, slots=True)
class Escape:
    """A case that broke its parser's promise, and how."""

    number: int
    case: bytes
    why: str


@dataclass(slots=True)
class Tally:
    """What became of the cases of one parser."""

    name: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_ms: float = 0.0
    peak_kb: float = 0.0
    escapes: list[Escape] = field(default_factory=list)


def run_cases(target: Target, numbers: Iterable[int], *, seed: int) -> Tally:
    """The cases of these numbers; ends early after five escapes."""
    tally = Tally(target.name)
    for number in numbers:
        measured = number % target.measured_every == 0
        run_case(target, target.case(seed, number), tally, number=number, measured=measured)
        if len(tally.escapes) >= _MAX_ESCAPES:
            break
    return tally


def run_case(target: Target, case: bytes, tally: Tally, *, number: int, measured: bool) -> None:
    """One case, noted in `tally`."""
    tally.cases += 1
    seconds, refused, why = _attempt(target, case)
    for _ in range(_ATTEMPTS):
        if seconds <= SLOWEST_S:
            break
        seconds = min(seconds, _attempt(target, case)[0])
    tally.slowest_ms = max(tally.slowest_ms, seconds * 1e3)
    if why is None and seconds > SLOWEST_S:
        why = f"took {seconds * 1e3:.0f} ms, more than {SLOWEST_S * 1e3:.0f}"
    if measured:
        peak_kb = _peak_kb(target, case)
        tally.peak_kb = max(tally.peak_kb, peak_kb)
        if why is None and peak_kb > target.peak_kb:
            why = f"took {peak_kb:.0f} kB of memory, more than {target.peak_kb}"
    if why is not None:
        tally.escapes.append(Escape(number, case, why))
    elif refused:
        tally.refused += 1
    else:
        tally.accepted += 1


def _attempt(target: Target, case: bytes) -> tuple[float, bool, str | None]:
    """Seconds, whether it was refused as documented, and what else came out of it."""
    start = time.perf_counter()
    try:
        target.parse(case)
    except target.refuses:
        return time.perf_counter() - start, True, None
    except Exception as error:
        return time.perf_counter() - start, False, f"{type(error).__name__}: {error}"[:300]
    return time.perf_counter() - start, False, None


def _peak_kb(target: Target, case: bytes) -> float:
    gc.collect(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        _attempt(target, case)
        return (tracemalloc.get_traced_memory()[1] - before) / 1024
    finally:
        tracemalloc.stop()

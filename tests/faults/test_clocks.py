"""A process whose clock is wrong believes it, and its sleeps are as long as ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.clocks import BEFORE_FIRST_SYNC_S, ClockError, FalseClock
from tests.faults.end import inherited_environ

LOOKS = """
import threading, time
for _ in range({looks}):
    print(time.time(), time.time_ns() / 1e9, time.monotonic(), time.monotonic_ns() / 1e9, flush=True)
    threading.Event().wait(0.1)
    input()
"""


def start(clock: FalseClock, looks: int) -> subprocess.Popen[str]:
    environ = os.environ | inherited_environ() | clock.environ(inherited_environ())
    command = [sys.executable, "-c", LOOKS.format(looks=looks)]
    return subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def look(process: subprocess.Popen[str]) -> tuple[float, float]:
    """What the process shows, less the truth: UTC, monotonic."""
    assert process.stdout is not None
    utc, utc_ns, monotonic, monotonic_ns = (float(word) for word in process.stdout.readline().split())
    true_utc, true_monotonic = time.time(), time.monotonic()
    assert utc_ns == pytest.approx(utc, abs=0.5)
    assert monotonic_ns == pytest.approx(monotonic, abs=0.5)
    return utc - true_utc, monotonic - true_monotonic


def test_utc_steps_when_it_is_told_to_and_the_monotonic_clock_does_not(tmp_path: Path) -> None:
    clock = FalseClock(tmp_path / "clock", ClockError("player", offset_s=BEFORE_FIRST_SYNC_S))
    with start(clock, 2) as process:
        before = look(process)
        clock.show(3600.0)
        print(file=process.stdin, flush=True)
        after = look(process)
        process.communicate("\n")
    assert process.returncode == 0
    assert (before[0], after[0]) == pytest.approx((BEFORE_FIRST_SYNC_S, 3600.0), abs=1.0)
    assert (before[1], after[1]) == pytest.approx((0.0, 0.0), abs=1.0)


def test_a_crystal_that_is_fast_makes_both_clocks_fast(tmp_path: Path) -> None:
    # A hundred times too fast: what is compared is large beside what a busy machine takes.
    clock = FalseClock(tmp_path / "clock", ClockError("gateway", drift_ppm=1e8))
    with start(clock, 2) as process:
        before = look(process)
        print(file=process.stdin, flush=True)
        after = look(process)
        process.communicate("\n")
    assert process.returncode == 0
    assert after[0] - before[0] > 9.0
    assert after[1] - before[1] > 9.0

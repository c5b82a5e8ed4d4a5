"""What Linux says of a process, of processes whose truth is known."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.proc import descriptors, memory_bytes, threads


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """Three threads beside the first and two pipes more, in a process that nobody else has threads or pipes in."""
    program = (
        "import os, threading; print(len(os.listdir('/proc/self/fd')) - 1, flush=True); input();"
        "done = threading.Event();"
        "[threading.Thread(target=done.wait, daemon=True).start() for _ in range(3)]; ends = os.pipe();"
        "print('ready', flush=True); input()"
    )
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def step(child: subprocess.Popen[str], *, go_on: bool) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    if go_on:
        print(file=child.stdin, flush=True)
    return child.stdout.readline().strip()


def test_threads_are_counted_with_the_first_one(child: subprocess.Popen[str]) -> None:
    step(child, go_on=False)
    assert threads(child.pid) == 1
    assert step(child, go_on=True) == "ready"
    assert threads(child.pid) == 4


def test_sockets_and_pipes_are_descriptors(child: subprocess.Popen[str]) -> None:
    own = int(step(child, go_on=False))  # less the one with which it looked
    assert descriptors(child.pid) == own
    assert step(child, go_on=True) == "ready"
    assert descriptors(child.pid) == own + 2


def test_the_most_memory_ever_is_no_less_than_the_memory_now() -> None:
    assert 0 < memory_bytes(os.getpid()) <= memory_bytes(os.getpid(), "VmHWM")


def test_a_field_that_linux_does_not_have_is_named() -> None:
    with pytest.raises(RuntimeError, match="has no VmNothing"):
        memory_bytes(os.getpid(), "VmNothing")

"""What Linux says of a process, of one whose truth is known: this one."""

from __future__ import annotations

import os
import threading

import pytest

from benchmarks.proc import descriptors, memory_bytes, threads


def test_threads_are_counted_with_the_first_one() -> None:
    before = threads(os.getpid())
    release = threading.Event()
    started = [threading.Thread(target=release.wait) for _ in range(3)]
    for thread in started:
        thread.start()
    assert before >= 1
    assert threads(os.getpid()) == before + 3
    release.set()
    for thread in started:
        thread.join()


def test_sockets_and_pipes_are_descriptors() -> None:
    before = descriptors(os.getpid())
    ends = os.pipe()
    assert descriptors(os.getpid()) == before + 2
    for end in ends:
        os.close(end)
    assert descriptors(os.getpid()) == before


def test_the_most_memory_ever_is_no_less_than_the_memory_now() -> None:
    assert 0 < memory_bytes(os.getpid()) <= memory_bytes(os.getpid(), "VmHWM")


def test_a_field_that_linux_does_not_have_is_named() -> None:
    with pytest.raises(RuntimeError, match="has no VmNothing"):
        memory_bytes(os.getpid(), "VmNothing")

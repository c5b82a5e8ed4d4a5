"""A course sees what a process holds."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak.course import Course
from benchmarks.soak.course_file import COLUMNS, CourseFile

HOLDS_MORE = """
import threading
print("little", flush=True)
input()
threading.Thread(target=threading.Event().wait, daemon=True).start()
file, memory = open("/dev/null"), bytearray(b"x" * 33554432)
print("more", flush=True)
input()
"""


def test_one_more_thread_file_and_megabyte_are_seen() -> None:
    """Of a process that does nothing else: one that runs tests has memory to give again."""
    command = [sys.executable, "-I", "-c", HOLDS_MORE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        course = Course("child", child.pid)
        assert child.stdout.readline() == "little\n"
        course.sample(0.0)
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() == "more\n"
        course.sample(5.0)
        child.kill()
    assert course.threads[1] - course.threads[0] == 1
    assert course.descriptors[1] - course.descriptors[0] == 1
    assert course.rss[1] - course.rss[0] >= 0.9 * 32 * 2**20
    assert course.at_s == [0.0, 5.0]
    assert course.cpu_s[0] <= course.cpu_s[1]


def test_a_process_that_is_gone_leaves_no_half_sample() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    course = Course("gone", child)
    with pytest.raises(OSError, match=str(child)):
        course.sample(0.0)
    assert course == Course("gone", child)


def test_the_file_holds_every_sample_before_the_run_is_over(tmp_path: Path) -> None:
    path = tmp_path / "results" / "soak.csv"
    courses = [
        Course("gateway", 1, [5.0], [1000], [0.5], [7], [14]),
        Course("edge-player", 2, [5.1], [2000], [0.25], [9], [13]),
    ]
    with CourseFile(path) as file:
        for course in courses:
            file.add(course)
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert rows == [
        list(COLUMNS),
        ["gateway", "5.0", "1000", "0.5", "7", "14"],
        ["edge-player", "5.1", "2000", "0.25", "9", "13"],
    ]

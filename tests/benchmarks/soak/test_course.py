"""A course sees what a process holds: this one, which is asked to hold more."""

from __future__ import annotations

import csv
import os
import threading
from pathlib import Path

import pytest

from benchmarks.soak.course import Course
from benchmarks.soak.course_file import COLUMNS, CourseFile


def test_one_more_thread_file_and_megabyte_are_seen(tmp_path: Path) -> None:
    course = Course("this", os.getpid())
    course.sample(0.0)
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    with (tmp_path / "open").open("w"):
        held = bytearray(os.urandom(32 * 1024 * 1024))
        course.sample(5.0)
    release.set()
    thread.join()
    assert course.threads[1] - course.threads[0] == 1
    assert course.descriptors[1] - course.descriptors[0] == 1
    assert course.rss[1] - course.rss[0] >= 0.9 * len(held)
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

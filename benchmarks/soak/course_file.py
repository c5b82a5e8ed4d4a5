"""The samples of a run as a file that grows with it: what a day looked like when something failed in its last hour."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.soak.course import Course

COLUMNS: Final = ("process", "at_s", "rss_bytes", "cpu_s", "threads", "descriptors")


class CourseFile:
    """CSV, one line a sample. A context manager, not reusable; it replaces the file of the run before."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", newline="", encoding="utf-8", buffering=1)
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, course: Course) -> None:
        """Its last sample."""
        last = course.at_s[-1], course.rss[-1], course.cpu_s[-1], course.threads[-1], course.descriptors[-1]
        self._rows.writerow([course.name, *last])

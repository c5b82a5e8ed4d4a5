"""The final counters of a run as a file, for `--stats-file`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from protocol.service.errors import ServiceError

Stats: TypeAlias = dict[str, int | float | str]
"""Counters and figures by name, flat, ready for JSON."""


logger = logging.getLogger(__name__)


@contextmanager
def stats_at_the_end(path: Path | None, take: Callable[[], Stats]) -> Iterator[None]:
    """On leaving the block, whatever the reason, write what `take` returns to `path`; None: nowhere.

    Raises ServiceError where that fails, unless the block has failed by itself: then its own error is what counts.
    """
    try:
        yield
    except BaseException:
        if path is not None:
            try:
                write_stats(path, take())
            except ServiceError as error:
                logger.warning("%s", error)
        raise
    if path is not None:
        write_stats(path, take())


class PeriodicStats:
    """Writes the counters again and again while a process runs; one thread calls `tick`."""

    def __init__(
        self, path: Path | None, every_s: float, take: Callable[[], Stats], *, clock: Callable[[], float]
    ) -> None:
        """`every_s` seconds apart by `clock`; 0, or no path: never."""
        self._path = path
        self._every_s = every_s
        self._take = take
        self._clock = clock
        self._due_at = clock() + every_s
        self._failed = False

    def tick(self) -> None:
        """Write where it is time. Never raises: a full disk must not end what it only watches."""
        now = self._clock()
        if self._path is None or not self._every_s or now < self._due_at:
            return
        self._due_at = now + self._every_s
        try:
            write_stats(self._path, self._take())
            self._failed = False
        except ServiceError as error:
            if not self._failed:  # once an episode
                logger.warning("%s", error)
            self._failed = True


def write_stats(path: Path, stats: Stats) -> None:
    """Write one JSON object so that a reader sees the whole of it or the former file. Raises ServiceError."""
    text = json.dumps(stats, indent=1) + "\n"
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a named pipe: never to be replaced by a file
            path.write_text(text, encoding="utf-8")
            return
        partial = path.with_name(f"{path.name}.part")
        try:
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)  # half of it, where the disk is full
            raise
    except OSError as error:
        raise ServiceError(
            f"Cannot write the statistics to {path}: {error.strerror or error}; name another file with --stats-file"
        ) from error

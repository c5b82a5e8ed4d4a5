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

"""The final counters of a run as a file, for `--stats-file`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeAlias

from protocol.service.errors import ServiceError

Stats: TypeAlias = dict[str, int | float | str]
"""Counters and figures by name, flat, ready for JSON."""


def write_stats(path: Path, stats: Stats) -> None:
    """Write one JSON object so that a reader sees the whole of it or the former file. Raises ServiceError."""
    text = json.dumps(stats, indent=1) + "\n"
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a named pipe: never to be replaced by a file
            path.write_text(text, encoding="utf-8")
            return
        partial = path.with_name(f"{path.name}.part")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ServiceError(
            f"Cannot write the statistics to {path}: {error.strerror or error}; name another file with --stats-file"
        ) from error

"""Where the official package is, and how to ask it."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.qwen3.pipe import REPOSITORY, Worker

NEEDS = "the official package's environment is missing: make oracle-environment"


def oracle_python() -> Path | None:
    """The interpreter of the environment that scripts/oracle.sh made beside the one that runs this; None without it."""
    for folder in (Path(f"{sys.prefix}-oracle"), REPOSITORY / ".venv-oracle"):
        if (folder / ".installed").exists():
            return folder / "bin" / "python"
    return None


def start_official(python: Path, *, threads: int = 1) -> Worker:
    """The official package as a worker; its operations are those of benchmarks/qwen3/official.py."""
    return Worker([str(python), "-m", "benchmarks.qwen3.official"], threads=threads)

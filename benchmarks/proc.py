"""What Linux says of a running process."""

from __future__ import annotations

import os
from pathlib import Path


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """`field` of /proc/PID/status: VmRSS is the resident memory now, VmHWM the most it ever was."""
    return 1024 * _status(pid, field)


def threads(pid: int) -> int:
    """Those that it has now, its first one too."""
    return _status(pid, "Threads")


def descriptors(pid: int) -> int:
    """Files, sockets, pipes and the like that it holds open now."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid: int) -> float:
    """Processor time of all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/{pid}/status has no {field}")

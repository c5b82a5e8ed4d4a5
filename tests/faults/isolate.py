"""A row in a process and a network namespace of its own: rows can run side by side, and nothing is left behind."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.room.sound_server import missing_programs
from tests.faults.end import REPOSITORY
from tests.faults.rows import Row
from tests.faults.tun import CONTROL
from tests.faults.verdict import Verdict

AS_ROOT: Final = ("unshare", "--net", "--mount")
AS_USER: Final = ("unshare", "--user", "--map-root-user", "--net", "--mount")
GRACE_S: Final = 180.0
NO_PACKETS: Final = "needs lost packets, which need network namespaces and /dev/net/tun"
NO_DISK: Final = "needs a small disk, which needs a mount namespace"
NO_CARD: Final = "needs a virtual sound card: apt-get install pulseaudio pulseaudio-utils libasound2-plugins"

_TRIAL: Final = "ip link set lo up && ip tuntap add dev trial mode tun && nsenter --net=/proc/self/ns/net true"


@functools.cache
def find_namespaces() -> tuple[str, ...] | None:
    """The command that gives another one a network namespace with TUN devices; None where that is not permitted."""
    if not CONTROL.exists():
        return None
    for command in (AS_ROOT, AS_USER):
        try:
            done = subprocess.run([*command, "sh", "-c", _TRIAL], capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return command
    return None


def run_isolated(row: Row, *, seed: int) -> Verdict:
    """Run a row; without namespaces behind a TCP proxy, where that can do what the row needs."""
    namespaces = find_namespaces()
    if (reason := _missing(row, namespaces)) is not None:
        return Verdict(row.name, seed, 0.0, [], not_run=reason)
    with tempfile.TemporaryDirectory(prefix="voxwire-faults-") as folder:
        command = [
            *(namespaces or ()),
            *(sys.executable, "-m", "tests.faults.run_row", row.name, "--seed", str(seed)),
            *("--folder", str(Path(folder) / "row"), *(() if namespaces else ("--proxy",))),
        ]
        environ = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        timeout_s = row.fault_s + row.after_s + GRACE_S
        try:
            done = subprocess.run(
                command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return Verdict(row.name, seed, timeout_s, [f"it did not end within {timeout_s:.0f} s"])
    if done.returncode:
        return Verdict(row.name, seed, 0.0, [f"the harness failed: {done.stderr.strip()[-2000:]}"])
    return Verdict(**json.loads(done.stdout))


def _missing(row: Row, namespaces: tuple[str, ...] | None) -> str | None:
    """What the row needs and is not here; None where all of it is."""
    if namespaces is None and row.needs_packets:
        return NO_PACKETS
    if namespaces is None and row.needs_disk:
        return NO_DISK
    return NO_CARD if row.needs_card and missing_programs() else None

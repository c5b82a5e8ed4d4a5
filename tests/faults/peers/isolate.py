"""A row for one of those compared, in a process and a network namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from tests.faults.end import REPOSITORY
from tests.faults.isolate import GRACE_S, find_namespaces
from tests.faults.peers.cast import Peer
from tests.faults.peers.outcome import Outcome
from tests.faults.rows import Row

NO_NAMESPACES = "needs network namespaces and /dev/net/tun"


def run_isolated(row: Row, peer: Peer, *, seed: int) -> Outcome:
    """Run it, or say why it can not be run."""
    namespaces = find_namespaces()
    if namespaces is None:
        return Outcome(row.name, peer.name, not_run=NO_NAMESPACES)
    if peer.missing is not None:
        return Outcome(row.name, peer.name, not_run=f"{peer.missing} is not installed")
    with tempfile.TemporaryDirectory(prefix="voxwire-peers-") as folder:
        command = [
            *(*namespaces, sys.executable, "-m", "tests.faults.peers.run_peer", row.name, peer.name),
            *("--seed", str(seed), "--folder", folder),
        ]
        try:
            done = subprocess.run(
                command,
                cwd=REPOSITORY,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                capture_output=True,
                text=True,
                timeout=row.fault_s + row.after_s + GRACE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return Outcome(row.name, peer.name, not_run=f"it did not end within {error.timeout:.0f} s")
    if done.returncode:
        return Outcome(row.name, peer.name, not_run=f"the harness failed: {done.stderr.strip()[-2000:]}")
    return Outcome(**json.loads(done.stdout))

"""The soak itself, for half a minute: its processes, its samples, its rules and its report, all of them real."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# The soak makes a room and a broker of its own; where these cannot be had, neither can those, and the test is skipped.
pytestmark = [
    pytest.mark.audio,
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.usefixtures("room", "mosquitto"),
]

SECONDS = 20
"""One round of utterances, which is spoken to its end."""
PROCESSES = {"gateway", "edge-player", "mosquitto"}
OF_A_BUSY_MACHINE = ("underruns", "input overflows", "utterances not heard", "frames lost")
"""Other tests may hold a process up for longer than its buffers last; only these faults are forgiven for it."""


def test_a_short_soak_watches_three_processes_and_judges_all_but_their_memory(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--seconds", str(SECONDS), "--short", "--out", str(out)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(out.read_text()) if out.exists() else pytest.fail(ran.stdout + ran.stderr)
    faults = [note for note in report["notes"] if note.startswith("FAILED: ")]
    assert ran.returncode == bool(faults), ran.stdout + ran.stderr
    assert [fault for fault in faults if not any(words in fault for words in OF_A_BUSY_MACHINE)] == []
    assert report["machine"]["utterances_heard"] > 0
    assert "Memory is not judged: too short for the slope, which takes 1200 s." in report["notes"]
    rows = {row["process"]: row for row in report["rows"]}
    assert rows.keys() == PROCESSES
    for row in rows.values():
        assert row["threads_min"] == row["threads_max"] > 0, row
        assert row["descriptors_min"] == row["descriptors_max"] > 3, row
    verdict = f"soak FAILED ({len(faults)}): " if faults else "soak kept, memory not judged: "
    assert ran.stdout.splitlines()[-1].startswith(verdict)
    with out.with_suffix(".csv").open(encoding="utf-8") as file:
        sampled = [line["process"] for line in csv.DictReader(file)]
    assert {name: sampled.count(name) for name in PROCESSES} == {name: row["samples"] for name, row in rows.items()}

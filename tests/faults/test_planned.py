"""What `gateway plan` predicts is what the kernel counts, over links as slow and as far as they were planned for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from gateway.demo.broker import find_mosquitto
from tests.faults.end import REPOSITORY, inherited_environ
from tests.faults.isolate import NO_PACKETS, find_namespaces
from tests.faults.planned import WISHES

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(240)]

SECONDS = 34  # 17 packets of 25 frames, three clock reports, and a ping or two
TIMEOUT_S = 200
MAX_ERROR = 0.05
MIN_PLAYED = 0.95  # all of them, where nothing else runs here
MAX_DELAY_ERROR_MS = 500  # of a machine that does other things as well

Running = dict[str, "Future[dict[str, Any]]"]


def carry_out(name: str) -> dict[str, Any]:
    command = [
        *(find_namespaces() or ()),
        sys.executable,
        "-m",
        "tests.faults.planned",
        name,
        "--seconds",
        str(SECONDS),
    ]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=inherited_environ(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    trial: dict[str, Any] = json.loads(done.stdout)
    return trial


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """All of them side by side: they mostly wait."""
    if find_mosquitto() is None or find_namespaces() is None:
        assert os.environ.get("CI") != "true", NO_PACKETS
        pytest.skip(NO_PACKETS)
    with ThreadPoolExecutor(len(WISHES)) as pool:
        yield {name: pool.submit(carry_out, name) for name in WISHES}


@pytest.mark.parametrize("name", WISHES)
def test_a_plan_costs_and_takes_what_it_said(running: Running, name: str) -> None:
    trial = running[name].result()
    assert trial["seconds"] > SECONDS - 5
    assert abs(trial["error"]) <= MAX_ERROR, trial
    assert trial["frames_played"] >= MIN_PLAYED * trial["frames_sent"]
    assert abs(trial["delay_ms"] - trial["predicted_delay_ms"]) <= MAX_DELAY_ERROR_MS, trial

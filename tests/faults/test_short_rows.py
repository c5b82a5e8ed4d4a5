"""Three rows of the fault matrix in short: `make faults` runs all of them, in full."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.demo.broker import find_mosquitto
from tests.faults.isolate import run_isolated
from tests.faults.matrix import SHORT_ROWS
from tests.faults.rows import Row
from tests.faults.verdict import Verdict

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(300)]

Running = dict[str, Future[Verdict]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """All of them side by side: they mostly wait."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with ThreadPoolExecutor(len(SHORT_ROWS)) as pool:
        yield {row.name: pool.submit(run_isolated, row, seed=1) for row in SHORT_ROWS}


@pytest.mark.parametrize("row", SHORT_ROWS, ids=lambda row: row.name)
def test_speech_goes_on_and_every_frame_is_accounted_for(running: Running, row: Row) -> None:
    verdict = running[row.name].result()
    if verdict.not_run is not None:
        assert os.environ.get("CI") != "true", verdict.not_run
        pytest.skip(verdict.not_run)
    assert verdict.failed == [], verdict

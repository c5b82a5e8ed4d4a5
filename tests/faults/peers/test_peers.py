"""Each of those compared on a link on which nothing goes wrong: the measure must find that all of it is heard."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.demo.broker import find_mosquitto
from tests.faults.isolate import find_namespaces
from tests.faults.peers.cast import find_peer
from tests.faults.peers.isolate import run_isolated
from tests.faults.peers.outcome import Outcome
from tests.faults.peers.rows import SHORT

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(300)]

LAGS_S = {"voxwire": (0.16, 1.0), "naive": (0.08, 1.0), "snapcast": (0.9, 1.5)}
"""At least what is waited for on purpose; at most that on a busy machine."""

Running = dict[str, Future[Outcome]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """All of them side by side: they mostly wait."""
    with ThreadPoolExecutor(len(LAGS_S)) as pool:
        yield {name: pool.submit(run_isolated, SHORT, find_peer(name), seed=1) for name in LAGS_S}


@pytest.mark.parametrize("name", LAGS_S)
def test_all_of_it_is_heard_as_late_as_it_is_meant_to_be(running: Running, name: str) -> None:
    if find_namespaces() is None:
        pytest.skip("no network namespaces here")
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    if (missing := find_peer(name).missing) is not None:
        pytest.skip(f"{missing} is not installed")
    outcome = running[name].result()
    assert outcome.not_run is None, outcome.not_run
    assert outcome.heard_percent is not None
    assert outcome.heard_percent > 90, outcome
    assert outcome.lag_after_s is not None
    assert LAGS_S[name][0] <= outcome.lag_after_s <= LAGS_S[name][1], outcome
    assert outcome.back_s is not None
    assert outcome.back_s < 0.5, outcome
    assert outcome.overruns == 0
    assert outcome.wire_kbps is not None
    assert 10 < outcome.wire_kbps < 60, outcome

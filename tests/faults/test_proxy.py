"""The stand-in for places without namespaces, on loopback: what it passes on, when, and what it can not do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.faults import isolate
from tests.faults.impairment import Impairment, Spell
from tests.faults.matrix import find_row
from tests.faults.proxy import ProxyLink
from tests.relay import HOST

DEADLINE_S = 20.0


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(DEADLINE_S)
        yield server


def round_trip_s(link: ProxyLink, target: socket.socket, payload: bytes) -> float:
    """Seconds from sending `payload` through the proxy until all of it, unchanged, is at its target."""
    with socket.create_connection((HOST, link.port), DEADLINE_S) as near:
        far, _ = target.accept()
        with far:
            far.settimeout(DEADLINE_S)
            began_at = time.monotonic()
            near.sendall(payload)
            got = b""
            while len(got) < len(payload):
                got += far.recv(65536)
            assert got == payload
            return time.monotonic() - began_at


@pytest.mark.parametrize(
    ("wrong", "at_least_s"),
    [(Impairment(), 0.0), (Impairment(delay_ms=200), 0.2), (Impairment(rate_kbps=16), 0.5)],
)
def test_what_passes_is_whole_and_as_late_as_asked_for(
    target: socket.socket, wrong: Impairment, at_least_s: float
) -> None:
    with ProxyLink([Spell(0.0, 1e6, wrong)], target_port=target.getsockname()[1]) as link:
        link.begin(time.monotonic())
        assert round_trip_s(link, target, bytes(range(250)) * 4) >= at_least_s


def test_in_the_dark_everything_waits_for_its_end(target: socket.socket) -> None:
    with ProxyLink([Spell(0.0, 0.6, Impairment(dark=True))], target_port=target.getsockname()[1]) as link:
        began_at = time.monotonic()
        link.begin(began_at)
        round_trip_s(link, target, b"token packets")
        assert time.monotonic() - began_at >= 0.6


def test_a_row_that_needs_lost_packets_is_not_run_without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "find_namespaces", lambda: None)
    verdict = isolate.run_isolated(find_row("loss-5"), seed=1)
    assert verdict.not_run is not None
    assert (verdict.passed, verdict.failed) == (False, [])

"""What is said of one of those compared, and when nothing can be."""

from __future__ import annotations

import dataclasses

import pytest

from tests.faults.peers import isolate
from tests.faults.peers.cast import find_peer
from tests.faults.peers.measure import Heard
from tests.faults.peers.outcome import Outcome, Times, judge
from tests.faults.peers.rows import PEER_ROWS, SHORT


def test_the_figures_of_a_row_are_those_of_its_fault() -> None:
    before = [Heard(0.08 * n, 1.0) for n in range(50)]
    dark = [Heard(4.0 + 0.08 * n, None) for n in range(50)]
    after = [Heard(8.0 + 0.08 * n, 3.25) for n in range(50)]
    row = dataclasses.replace(SHORT, fault_s=2.0)
    outcome = judge(row, "one", before + dark + after, Times(4.0, 6.0, 12.0), wire_bytes=2500, overruns=3)
    assert outcome == Outcome(
        "short",
        "one",
        heard_percent=0.0,
        back_s=2.0,
        lag_before_s=1.0,
        lag_after_s=3.25,
        oldest_s=3.25,
        wire_kbps=10.0,
        overruns=3,
    )
    assert outcome.grown_s == 2.25


def test_a_lag_that_can_not_be_read_has_not_grown() -> None:
    assert Outcome("row", "one", lag_before_s=1.0).grown_s is None


def test_one_that_is_not_installed_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "find_namespaces", lambda: ("true",))
    absent = dataclasses.replace(find_peer("snapcast"), needs=("no-such-command",))
    outcome = isolate.run_isolated(SHORT, absent, seed=1)
    assert outcome.not_run == "no-such-command is not installed"


def test_nothing_is_run_without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "find_namespaces", lambda: None)
    assert isolate.run_isolated(SHORT, find_peer("naive"), seed=1).not_run == isolate.NO_NAMESPACES


def test_every_row_hits_what_all_of_them_have() -> None:
    for row in PEER_ROWS:
        assert row.hop == "player"
        assert not row.faults_on("gateway")

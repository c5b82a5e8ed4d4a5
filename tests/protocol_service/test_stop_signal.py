"""Stopping by signal."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from protocol.service import StopSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    with StopSignal() as stop:
        assert not stop.event.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5.0)
        assert stop.received is number


def test_the_second_interrupt_has_its_usual_effect(request: pytest.FixtureRequest) -> None:
    # A suite that a shell started in the background was told to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_former_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopSignal():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_stopping_needs_no_signal() -> None:
    with StopSignal() as stop:
        threading.Timer(0.01, stop.set).start()
        assert stop.wait(5.0)
        assert stop.received is None


def test_waiting_ends_with_its_time() -> None:
    with StopSignal() as stop:
        assert not stop.wait(0.0)

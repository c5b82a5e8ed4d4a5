from __future__ import annotations

import threading
import time

import pytest

from gateway.demo.broker import RunningBroker
from protocol.transport import BrokerConfig, BrokerUnavailableError, Connection, await_connected, probe_broker

NOBODY = "mqtt://127.0.0.1:1"


def test_a_broker_that_is_not_there_is_named_with_the_whole_time_waited() -> None:
    with (
        Connection(BrokerConfig(url=NOBODY)) as connection,
        pytest.raises(BrokerUnavailableError, match=r"No MQTT broker at mqtt://127\.0\.0\.1:1 within 0\.3 s .*--wait"),
    ):
        await_connected(connection, stop=threading.Event(), timeout_s=0.3)


def test_who_waits_for_ever_is_freed_by_a_stop() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    with Connection(BrokerConfig(url=NOBODY)) as connection:
        await_connected(connection, stop=stop, timeout_s=None)
        assert time.monotonic() - begun < 3.0


def test_a_probe_says_what_answered(broker: RunningBroker) -> None:
    text = probe_broker(BrokerConfig(url=broker.url))
    assert text.startswith(f"{broker.url} answers with MQTT ")


def test_a_probe_of_nobody_is_an_error() -> None:
    with pytest.raises(BrokerUnavailableError, match="refused"):
        probe_broker(BrokerConfig(url=NOBODY), timeout_s=0.3)

"""Asking again and coming back, on purpose; and what shows that the network thread still gets round."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from protocol.transport import BrokerConfig, Connection, ConnectionState, Will
from protocol.transport.network_loop import NetworkLoop

if TYPE_CHECKING:
    from tests.protocol_transport.conftest import Connect, Inbox, Until

pytestmark = pytest.mark.broker


def test_subscribing_again_brings_what_is_retained_once_more(
    broker: RunningBroker, connect: Connect, inbox: Inbox, until: Until
) -> None:
    connection = connect(broker)
    connection.publish("vw/kept", b"1", qos=1, retain=True, reliable=True)
    connection.subscribe("vw/kept", 1, inbox)
    until(lambda: inbox.payloads == [b"1"])
    connection.resubscribe()
    until(lambda: inbox.payloads == [b"1", b"1"])
    assert connection.stats().connects == 1


def test_a_reconnect_is_a_new_connection_without_a_will_and_with_the_subscriptions(
    broker: RunningBroker, connect: Connect, inbox: Inbox, until: Until
) -> None:
    witness = connect(broker)
    witness.subscribe("vw/status", 1, inbox)
    greetings: list[int] = []
    connection = connect(broker, will=Will("vw/status", b"gone"))
    heard = type(inbox)()
    connection.subscribe("vw/live", 1, heard)
    connection.on_connected(lambda: greetings.append(1))
    assert connection.flush(5)
    version = connection.protocol_version
    connection.reconnect()
    until(lambda: connection.stats().connects == 2)
    assert connection.flush(5)
    witness.publish("vw/live", b"1", qos=1)
    until(lambda: heard.payloads == [b"1"])
    assert inbox.payloads == []
    assert connection.stats().disconnects == 0
    assert connection.protocol_version == version
    assert len(greetings) == 2


def test_what_waits_to_be_sent_is_sent_over_the_new_connection(
    mosquitto: RunningBroker, connect: Connect, inbox: Inbox, until: Until
) -> None:
    witness = connect(mosquitto)
    witness.subscribe("vw/live", 1, inbox)
    assert witness.flush(5)
    connection = connect(mosquitto)
    for number in range(20):
        connection.publish("vw/live", b"%d" % number, qos=1)
        if number == 10:
            connection.reconnect()
    until(lambda: set(inbox.payloads) == {b"%d" % number for number in range(20)})


def test_a_reconnect_without_a_connection_is_nothing(mosquitto: RunningBroker, until: Until) -> None:
    with Connection(BrokerConfig(mosquitto.url)) as connection:
        connection.reconnect()
        connection.wait_connected(5)
        assert connection.flush(5)
        connection.resubscribe()
        assert connection.flush(5)
        assert connection.stats().connects == 1


def test_the_keepalive_is_the_one_that_the_broker_wants(tmp_path: Path, connect: Connect) -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with start_broker(tmp_path, prefer="mosquitto", settings={"max_keepalive": "11"}) as broker:
        assert connect(broker, config=BrokerConfig(broker.url, keepalive_s=7)).keepalive_s == 7
        assert connect(broker, config=BrokerConfig(broker.url, keepalive_s=45)).keepalive_s == 11
    assert Connection(BrokerConfig("mqtt://127.0.0.1:1")).keepalive_s == 30


def test_the_network_thread_shows_that_it_gets_round(mosquitto: RunningBroker, connect: Connect, until: Until) -> None:
    connection = connect(mosquitto)
    before = connection.turns
    assert before is not None
    until(lambda: (connection.turns or 0) > before)
    connection.stop()
    assert connection.turns is None
    assert connection.failure is None


def test_a_handler_that_hangs_is_seen_from_outside(mosquitto: RunningBroker, connect: Connect, until: Until) -> None:
    connection = connect(mosquitto)
    entered, leave = threading.Event(), threading.Event()

    def hang(message: object) -> None:
        entered.set()
        leave.wait(10)

    connection.subscribe("vw/live", 0, hang)
    connection.publish("vw/live", b"1")
    assert entered.wait(5)
    before = connection.turns
    assert before is not None
    assert not threading.Event().wait(1.5)  # longer than a turn may take
    assert connection.turns == before
    leave.set()
    until(lambda: (connection.turns or 0) > before)


def test_a_network_thread_that_ends_by_a_bug_closes_the_connection_and_says_so(
    monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    def fail(loop: NetworkLoop, *arguments: object) -> float:
        raise AssertionError("a bug")

    monkeypatch.setattr(NetworkLoop, "_conclude", fail)
    with Connection(BrokerConfig("mqtt://127.0.0.1:1")) as connection:
        until(lambda: connection.state is ConnectionState.CLOSED)
        assert isinstance(connection.failure, AssertionError)

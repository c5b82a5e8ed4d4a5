"""An access list that forbids publishing, with real brokers of both versions."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from protocol.service import ExitCode
from protocol.transport import BrokerConfig, ClientIdTakenError, Connection, NotAuthorisedError, permissions
from tests.protocol_transport.old_broker import OldBroker

if TYPE_CHECKING:
    from tests.protocol_transport.conftest import Connect, Inbox, Script, Until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningBroker]:
    """Below `open/` everybody may do everything, below `one-way/` only publish, below `shut/` only read."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite open/#\ntopic write one-way/#\ntopic read shut/#\n", encoding="utf-8")
    with start_broker(tmp_path / "broker", prefer="mosquitto", settings={"acl_file": str(rules)}) as broker:
        yield broker


@pytest.fixture
def old(guarded: RunningBroker) -> Iterator[OldBroker]:
    with OldBroker(guarded.host, guarded.port) as proxy:
        yield proxy


@pytest.mark.parametrize("qos", [0, 1])
def test_mqtt_5_says_what_may_not_be_published(
    qos: int, guarded: RunningBroker, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect(guarded)
    connection.verify_publishing("shut/t0")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            connection.publish("shut/t0", b"x", qos=qos, weight=5)
            assert connection.flush(5.0)
    refusal = connection.publish_refused
    assert refusal is not None
    assert (refusal.topic, refusal.reason, refusal.certain) == ("shut/t0", "Not authorized", True)
    stats = connection.stats()
    assert (stats.publishes_refused, stats.dropped_refused, stats.weight_dropped) == (3, 3, 15)
    assert sum("shut/t0" in record.message for record in caplog.records) == 1, "said once, counted each time"
    with pytest.raises(NotAuthorisedError, match="may not publish on shut/t0 without a user name") as caught:
        connection.raise_refusals()
    assert caught.value.exit_code == ExitCode.NOT_AUTHORISED
    connection.raise_refusals(publishing=False)


def test_mqtt_5_says_that_the_rest_may_be_published(
    guarded: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    receiver, sender = connect(guarded), connect(guarded)
    receiver.subscribe("open/t0", 1, inbox)
    receiver.flush(5.0)
    sender.verify_publishing("open/t0")
    sender.flush(5.0)
    for index in range(5):
        sender.publish("open/t0", bytes([index]))
    assert sender.flush(5.0)
    until(lambda: len(inbox.messages) == 5)
    assert inbox.payloads == [bytes([index]) for index in range(5)]
    assert sender.may_publish("open/t0") is True
    assert sender.stats().messages_received == 0, "no echo where the broker answers"
    sender.raise_refusals()


def test_mqtt_3_1_1_has_its_echo_and_then_no_more(
    old: OldBroker, guarded: RunningBroker, connect: Connect, until: Until
) -> None:
    connection = connect(guarded, config=BrokerConfig(old.url))
    assert connection.protocol_version == 4
    connection.verify_publishing("open/t0")
    connection.publish("open/t0", b"one", qos=1)
    assert connection.flush(10.0), "the echo counts"
    assert connection.may_publish("open/t0") is True
    before = connection.wire()
    for _ in range(20):
        connection.publish("open/t0", bytes(1000))
    assert connection.flush(5.0)
    after = connection.wire()
    assert before is not None
    assert after is not None
    assert after.bytes_in - before.bytes_in < 1000, "we do not listen to ourselves any more"
    assert connection.stats().messages_unmatched == 0
    connection.raise_refusals()


@pytest.mark.parametrize("topic", ["shut/t0", "one-way/t0"])
def test_mqtt_3_1_1_misses_its_echo_and_names_both_causes(
    topic: str, old: OldBroker, guarded: RunningBroker, connect: Connect, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "ECHO_TIMEOUT_S", 0.5)
    connection = connect(guarded, config=BrokerConfig(old.url))
    connection.verify_publishing(topic)
    connection.publish(topic, b"one", qos=1)
    until(lambda: connection.publish_refused is not None)
    assert connection.flush(5.0)
    assert connection.stats().messages_published == 1, "it was acknowledged, whatever became of it"
    assert connection.stats().echoes_missing == 1
    with pytest.raises(NotAuthorisedError, match=f"{topic} .* may not publish there, or may not read"):
        connection.raise_refusals()


def test_a_topic_that_is_also_subscribed_stays_so(
    old: OldBroker, guarded: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    connection = connect(guarded, config=BrokerConfig(old.url))
    connection.subscribe("open/t0", 1, inbox)
    connection.verify_publishing("open/t0")
    for payload in (b"1", b"2"):
        connection.publish("open/t0", payload, qos=1)
        assert connection.flush(5.0)
    until(lambda: inbox.payloads == [b"1", b"2"])


def test_a_refused_subscription_names_its_topic(script: Script) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(bytes.fromhex("2003000000"))
        subscribe = sock.recv(4096)
        sock.sendall(bytes([0x90, 4, subscribe[2], subscribe[3], 0, 0x87]))
        sock.recv(4096)

    broker = script(play)
    connection = Connection(BrokerConfig(broker.url, username="edge"))
    connection.subscribe("manifest", 1, lambda message: None)
    with connection:
        connection.wait_connected(5.0)
        assert connection.flush(5.0)
        assert connection.subscriptions_refused == ("manifest",)
        connection.raise_refusals(subscriptions=["another"])
        with pytest.raises(NotAuthorisedError, match="may not subscribe to manifest as user 'edge'"):
            connection.raise_refusals(subscriptions=["manifest"])
        connection.stop(0.2)


def test_a_broker_that_throws_us_out_for_what_we_do_is_not_hammered(script: Script, until: Until) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(bytes.fromhex("2003000000") + b"\xe0\x01\x87")
        sock.recv(4096)

    broker = script(play)
    with Connection(BrokerConfig(broker.url)) as connection:
        until(lambda: connection.stats().disconnects == 1)
        assert "threw us out" in (connection.last_error or "")
        time.sleep(0.7)
        assert len(broker.connects) == 1
        connection.stop(0.2)


def test_a_taken_client_id_is_an_error_for_who_does_not_wait(script: Script, until: Until) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(bytes.fromhex("2003000000") + b"\xe0\x01\x8e")
        sock.recv(4096)

    broker = script(play)
    with Connection(BrokerConfig(broker.url, client_id="vw-gateway-a")) as connection:
        until(lambda: connection.stats().disconnects == 1)
        with pytest.raises(ClientIdTakenError, match=r"uses our client id.*\('vw-gateway-a'\).*--id") as caught:
            connection.raise_refusals()
        assert caught.value.exit_code == ExitCode.CONFIGURATION
        connection.stop(0.2)
